package fiberjwt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
)

func ExampleAs() {
	app, _ := exampleApp()
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString("hello " + u.Email) }))

	fmt.Println(ask(app, "GET", "/me", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/me", signUp(app, "teachers", "toby")))
	// Output:
	// 200 hello ann@example.com
	// 403 {"error":"wrong_kind","error_description":"This account is of another kind than the route is for."}
}

// A guard of the application's own is an As that goes on.
func ExampleAs_guard() {
	app, _ := exampleApp()
	admins := fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		if !u.Admin {
			return fiberjwt.ErrForbidden
		}
		return c.Next()
	})
	app.Get("/admin", admins, func(c *fiber.Ctx) error { return c.SendString("the keys") })
	fmt.Println(ask(app, "GET", "/admin", signUp(app, "users", "ann@example.com")))
	// Output: 403 fiberjwt: The application refused the request.
}

func ExampleCurrent() {
	app, _ := exampleApp()
	app.Get("/", func(c *fiber.Ctx) error {
		u, ok := fiberjwt.Current[User](c)
		if !ok {
			return c.SendString("no user")
		}
		return c.SendString(fmt.Sprint(u.Email, " ", u == c.Locals("users").(*User)))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output:
	// 200 ann@example.com true
	// 200 no user
}

// Current says false for a teacher; who overlooks it has a nil pointer. As
// cannot be used that way.
func ExampleCurrent_incorrect() {
	app, _ := exampleApp()
	app.Get("/", func(c *fiber.Ctx) error {
		u, _ := fiberjwt.Current[User](c)
		return c.SendString(fmt.Sprint(u == nil))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output: 200 true
}

func ExampleSessionOf() {
	app, _ := exampleApp()
	app.Get("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(fmt.Sprint(s.Kind, " ", s.Subject, " from the ", s.Source))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output: 200 teachers 1 from the auth header
}

func ExampleSession() {
	app, auth := exampleApp()
	s, err := auth.Verify(context.Background(), signUp(app, "users", "ann@example.com"))
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Kind, s.Subject, s.ExpiresAt.Sub(s.IssuedAt), s.Account.(*User).Email)
	// Output: users 1 10m0s ann@example.com
}

func ExampleSession_Claim() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Entities = []fiberjwt.Kind{fiberjwt.Entity[User]{
		Register: fiberjwt.Anyone[User],
		Claims:   func(u *User) map[string]any { return map[string]any{"plan": "free"} },
	}}
	app.Use(fiberjwt.New(cfg))
	app.Get("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		var plan string
		if !s.Claim("plan", &plan) {
			plan = "none"
		}
		return c.SendString(plan)
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	// Output: 200 free
}

func ExampleRequire() {
	app, _ := exampleApp()
	school := app.Group("/school", fiberjwt.Require("teachers"))
	school.Get("/marks", func(c *fiber.Ctx) error { return c.SendString("all of them") })

	fmt.Println(ask(app, "GET", "/school/marks", signUp(app, "teachers", "toby")))
	fmt.Println(ask(app, "GET", "/school/marks", signUp(app, "users", "ann@example.com"))[:3])
	// Output:
	// 200 all of them
	// 403
}

// A kind that nobody declared is refused, and the log names those that exist.
func ExampleRequire_incorrect() {
	app, _ := exampleApp()
	app.Get("/", fiberjwt.Require("user"), func(c *fiber.Ctx) error { return c.SendString("never") }) // it is "users"
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	// Output: 500 {"error":"server_error","error_description":"The server is not set up for this request."}
}

func ExampleFresh() {
	now := time.Now()
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Now = func() time.Time { return now }
	app.Use(fiberjwt.New(cfg))
	app.Delete("/account", fiberjwt.Fresh(5*time.Minute), func(c *fiber.Ctx) error { return c.SendString("gone") })

	ann := signUp(app, "users", "ann@example.com")
	now = now.Add(6 * time.Minute)
	fmt.Println(ask(app, "DELETE", "/account", ann))
	ann = post(app, "/auth/users/login", `{"email":"ann@example.com","password":"a pony for the trip"}`).AccessToken
	fmt.Println(ask(app, "DELETE", "/account", ann))
	// Output:
	// 401 {"error":"insufficient_user_authentication","error_description":"Prove the password again."}
	// 200 gone
}

// After a magic link, OAuth and the like have proved who it is.
func ExampleLogin() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"POST /magic/:code"}
	db := cfg.DB
	app.Use(fiberjwt.New(cfg))
	app.Post("/magic/:code", func(c *fiber.Ctx) error {
		if c.Params("code") != "xyzzy" { // look it up, once, in a table of your own
			return fiberjwt.ErrBadCredentials
		}
		u := new(User)
		if err := db.NewSelect().Model(u).Where("email = ?", "ann@example.com").Scan(c.UserContext()); err != nil {
			return err
		}
		tokens, err := fiberjwt.Login(c, u)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})

	signUp(app, "users", "ann@example.com")
	fmt.Println(post(app, "/magic/xyzzy", "{}").TokenType)
	fmt.Println(ask(app, "POST", "/magic/plugh", ""))
	// Output:
	// Bearer
	// 401 fiberjwt: Incorrect email or password.
}

func ExampleLogout() {
	app, _ := exampleApp()
	app.Post("/bye", func(c *fiber.Ctx) error {
		if err := fiberjwt.Logout(c); err != nil {
			return err
		}
		return c.SendString("bye")
	})
	ann := signUp(app, "users", "ann@example.com")
	fmt.Println(ask(app, "POST", "/bye", ann))
	fmt.Println(ask(app, "POST", "/bye", ann))
	// Output:
	// 200 bye
	// 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

func ExampleError() {
	_, auth := exampleApp()
	_, err := auth.Verify(context.Background(), "nonsense")

	var e *fiberjwt.Error
	fmt.Println(errors.As(err, &e), e.Status, e.Code)
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenMalformed), errors.Is(err, fiberjwt.ErrTokenExpired))

	var fibers *fiber.Error // for a fiber.ErrorHandler
	fmt.Println(errors.As(err, &fibers), fibers.Code)
	// Output:
	// true 401 invalid_token
	// true false
	// true 401
}

func ExampleEvent() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.OnEvent = func(_ context.Context, e fiberjwt.Event) {
		fmt.Println(strings.TrimSpace(fmt.Sprint(e.Type, " ", e.Kind, " ", e.Reason)))
	}
	app.Use(fiberjwt.New(cfg))

	signUp(app, "users", "ann@example.com")
	ask(app, "GET", "/", "nonsense")
	// Output:
	// register users
	// token_refused  token_malformed
}
