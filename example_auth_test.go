package fiberjwt_test

import (
	"context"
	"encoding/json"
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

// At start, after Migrate: what only the database itself can tell.
func ExampleAuth_Check() {
	cfg := exampleConfig(fiber.New())
	if _, err := cfg.DB.Exec("ALTER TABLE users DROP COLUMN full_name"); err != nil {
		panic(err)
	}
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	err = auth.Check(context.Background())
	fmt.Println(err)
	fmt.Println(errors.Is(err, fiberjwt.ErrSetup))
	// Output:
	// fiberjwt: Config.Entities[0] (User, table users): the table has no column "full_name": bring it up to the model; its columns are id, email, admin, disabled, password_hash
	// true
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

// A socket keeps the session that it was opened by, and asks now and then.
func ExampleAuth_Alive() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	var kept *fiberjwt.Session
	app.Get("/live", fiberjwt.As(func(c *fiber.Ctx, _ *User) error {
		kept, _ = fiberjwt.SessionOf(c, "users") // it may outlive the request
		return c.SendString("open")
	}))

	fmt.Println(ask(app, "GET", "/live", signUp(app, "users", "ann@example.com")))
	fmt.Println(auth.Alive(context.Background(), kept))
	fmt.Println(auth.Revoke(context.Background(), kept.ID))
	fmt.Println(errors.Is(auth.Alive(context.Background(), kept), fiberjwt.ErrTokenRevoked))
	// Output:
	// 200 open
	// <nil>
	// <nil>
	// true
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

// Sign-ins do it by themselves, unless Config.ManualPrune is set.
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

// An application adds what it knows.
func ExampleAuth_OpenAPIDocument() {
	auth, err := fiberjwt.Open(exampleConfig(fiber.New()))
	if err != nil {
		panic(err)
	}
	text, err := auth.OpenAPIDocument()
	if err != nil {
		panic(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		panic(err)
	}
	info := document["info"].(map[string]any)
	info["title"], info["license"] = "Notes", map[string]any{"name": "MIT", "identifier": "MIT"}
	_, found := document["paths"].(map[string]any)["/auth/users/login"]
	fmt.Println(info["title"], found)
	// Output: Notes true
}
