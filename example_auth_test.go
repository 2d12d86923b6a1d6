package fiberjwt_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
)

// What New hides: an Auth ends sessions, verifies tokens of jobs, prunes.
func ExampleAuth() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	defer func() { _ = auth.Close() }()
	app.Use(auth.Handler())

	signUp(app, "users", "ann@example.com")
	fmt.Println(auth.RevokeAll(context.Background(), "users", "1"))
	sessions, err := auth.Sessions(context.Background(), "users", "1")
	fmt.Println(len(sessions), err)
	// Output:
	// <nil>
	// 0 <nil>
}

func ExampleAuth_Handler() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	api := app.Group("/api", auth.Handler()) // only what is below /api is closed
	api.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
	app.Get("/about", func(c *fiber.Ctx) error { return c.SendString("about us") })

	fmt.Println(ask(app, "GET", "/about", ""))
	fmt.Println(ask(app, "GET", "/api/me", signUp(app, "users", "ann@example.com")))
	// Output:
	// 200 about us
	// 200 ann@example.com
}

func ExampleAuth_Mount() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Routes = nil
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	auth.Mount(app.Group("/v1/auth"))
	fmt.Println(post(app, "/v1/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`).TokenType)
	// Output: Bearer
}

// Below the middleware the sign-in itself asks for a token.
func ExampleAuth_Mount_incorrect() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Routes = nil
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	auth.Mount(app.Group("/auth")) // too late: mount first, or use Config.Routes
	fmt.Println(ask(app, "POST", "/auth/users/login", ""))
	// Output: 401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}
}

// For a token that comes with a message of a WebSocket, or a job.
func ExampleAuth_Verify() {
	app, auth := exampleApp()
	token := signUp(app, "users", "ann@example.com")

	s, err := auth.Verify(context.Background(), token)
	fmt.Println(s.Account.(*User).Email, err)
	_, err = auth.Verify(context.Background(), token+"x")
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenMalformed))
	// Output:
	// ann@example.com <nil>
	// true
}

func ExampleAuth_Sessions() {
	app, auth := exampleApp()
	signUp(app, "users", "ann@example.com")
	post(app, "/auth/users/login", `{"email":"ann@example.com","password":"a pony for the trip"}`)

	sessions, err := auth.Sessions(context.Background(), "users", "1")
	fmt.Println(len(sessions), err)
	// Output: 2 <nil>
}

func ExampleAuth_Revoke() {
	app, auth := exampleApp()
	token := signUp(app, "users", "ann@example.com")
	s, err := auth.Verify(context.Background(), token)
	if err != nil {
		panic(err)
	}

	fmt.Println(auth.Revoke(context.Background(), s.ID))
	fmt.Println(ask(app, "GET", "/", token))
	// Output:
	// <nil>
	// 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

// After an account was disabled, or its password was changed elsewhere.
func ExampleAuth_RevokeAll() {
	app, auth := exampleApp()
	token := signUp(app, "users", "ann@example.com")

	fmt.Println(auth.RevokeAll(context.Background(), "users", "1"))
	_, err := auth.Verify(context.Background(), token)
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenRevoked))
	// Output:
	// <nil>
	// true
}

// Once a day is plenty.
func ExampleAuth_Prune() {
	_, auth := exampleApp()
	deleted, err := auth.Prune(context.Background())
	fmt.Println(deleted, err)
	// Output: 0 <nil>
}

// Stop taking requests, then close.
func ExampleAuth_Close() {
	app, auth := exampleApp()
	fmt.Println(app.Shutdown())
	fmt.Println(auth.Close())
	// Output:
	// <nil>
	// <nil>
}

func ExampleAuth_OpenAPI() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Get("/openapi.json", auth.OpenAPI())
	app.Use(auth.Handler())

	document := ask(app, "GET", "/openapi.json", "")
	fmt.Println(document[:3], len(document) > 1000)
	// Output: 200 true
}
