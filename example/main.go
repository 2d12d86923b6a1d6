// Command example is a small service for notes with two kinds of account, users and teachers. It stores them in a SQLite file,
// PostgreSQL, MariaDB or MySQL.
//
//	go run ./example
//
// It serves a page on which one browser can sign in as both kinds at once, and prints curl commands that use the same routes.
// The environment variables ADDR, DATABASE_URL, SECRET and ACCESS_TTL are optional, see settings.go.
//
// The page also demonstrates three cases: a teacher's session on a route for users, an access token that expires while two tabs
// send requests at once, and a stolen refresh token that is used again.
//
// This file has the code that an application needs for fiberjwt. The other files are models.go and database.go (tables),
// notes.go (the service), server.go (Fiber's limits, errors, graceful shutdown), page.go (the page), tries.go (the three cases),
// settings.go and welcome.go.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	set, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	db, err := openDB(ctx, set.Database)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()

	app := newServer()
	auth, err := fiberjwt.Open(authConfig(set, db, app.Group("/auth")))
	if err != nil {
		return err
	}
	defer func() { _ = auth.Close() }()
	if err := auth.Check(ctx); err != nil { // refuses a database that would lose or confuse accounts
		return err
	}
	quick, err := fiberjwt.Open(quickConfig(set, db, app.Group("/quick"))) // only for "Try it" on the page
	if err != nil {
		return err
	}
	defer func() { _ = quick.Close() }()
	if err := addRoutes(app, auth.Handler(), db, quick); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", set.Addr)
	if err != nil {
		return err
	}
	if set.SecretGenerated {
		slog.Warn("SECRET is not set: this run uses a random secret, so all sessions end when the program stops")
	}
	fmt.Print(welcome(ln.Addr()))
	return serve(ctx, app, ln)
}

// authConfig returns the whole configuration of fiberjwt. All other fields keep their safe defaults.
func authConfig(set settings, db *bun.DB, routes fiber.Router) fiberjwt.Config {
	return fiberjwt.Config{
		DB:     db,
		Secret: set.Secret,
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{
				Fillable:  []string{"full_name"}, // what a registration may set besides email and password
				Register:  fiberjwt.Anyone[User], // without this line registration is closed
				AccessTTL: set.AccessTTL,
			},
			fiberjwt.Entity[Teacher]{
				Identity:  "login", // instead of "email"
				Fillable:  []string{"name"},
				Register:  fiberjwt.Anyone[Teacher],
				AccessTTL: set.AccessTTL,
			},
		},
		// The router of the built-in routes: register, login, refresh, logout, sessions and password. It is registered before the gate
		// of addRoutes, because a client without a token must reach them.
		Routes: routes,
		// The page imports its client from /auth/client.js.
		ServeClient: true,
		// Routes that need no token. If a request has one, the handler still gets the account.
		Public: []string{"GET /api/optional"},
		// Browsers refuse Secure cookies over plain http, which this program serves. Remove this line if you serve https.
		Cookie: fiberjwt.Cookie{Insecure: true},
	}
}

// addRoutes shows that the order matters: routes above the gate are open, routes below it need a token.
func addRoutes(app *fiber.App, gate fiber.Handler, db *bun.DB, quick *fiberjwt.Auth) error {
	if err := servePage(app); err != nil {
		return err
	}
	app.Get("/api/public", func(c *fiber.Ctx) error {
		return c.JSON(fiber.Map{"message": "Everyone may read this."})
	})
	app.Get("/api/session-cookies", sessionCookies)

	app.Use(gate)

	api := app.Group("/api")
	api.Get("/optional", accounts)
	api.Get("/me", me)

	// As passes the loaded model to the handler, the one in c.Locals("users"). An account of another kind gets 403.
	api.Get("/users/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
	api.Get("/teachers/me", fiberjwt.As(func(c *fiber.Ctx, t *Teacher) error { return c.JSON(t) }))

	// Fresh requires a password that was entered within five minutes, so that a stolen token alone is not enough.
	api.Get("/sensitive", fiberjwt.Fresh(5*time.Minute), sensitive)

	api.Get("/notes", notes{db, kinds}.list)
	api.Post("/notes", notes{db, kinds}.add)

	// The same routes again, for one kind each. A page that is signed in as both kinds sends one request for each session. If one
	// is answered 401, the page knows which session to refresh.
	for _, kind := range kinds {
		own := api.Group("/"+kind, fiberjwt.Require(kind))
		own.Get("/sensitive", fiberjwt.Fresh(5*time.Minute, kind), sensitive)
		own.Get("/notes", notes{db, []string{kind}}.list)
		own.Post("/notes", notes{db, []string{kind}}.add)
	}
	addTries[User](api, "users", quick)
	addTries[Teacher](api, "teachers", quick)
	return nil
}

func sensitive(c *fiber.Ctx) error {
	return c.JSON(fiber.Map{"message": "The safe is open: you entered your password within the last five minutes."})
}

// me returns the account that is signed in. If accounts of both kinds are signed in, it returns the user.
func me(c *fiber.Ctx) error {
	signedIn := sessions(c, kinds)
	if len(signedIn) == 0 {
		return fiberjwt.ErrNoToken // unreachable below the gate
	}
	return c.JSON(account(signedIn[0]))
}

// accounts returns all accounts that are signed in in this browser. The list is empty for a request without a session.
func accounts(c *fiber.Ctx) error {
	found := []any{}
	for _, s := range sessions(c, kinds) {
		found = append(found, account(s))
	}
	return c.JSON(fiber.Map{"signed_in": len(found) > 0, "accounts": found})
}

// kinds are the kinds of account. If several are signed in, the first one takes precedence.
var kinds = []string{"users", "teachers"}

// sessions returns the sessions of this request. A browser has cookies for each kind, so there may be several.
func sessions(c *fiber.Ctx, kinds []string) []*fiberjwt.Session {
	var found []*fiberjwt.Session
	for _, kind := range kinds {
		if s, ok := fiberjwt.SessionOf(c, kind); ok {
			found = append(found, s)
		}
	}
	return found
}

// account returns the row of a session for JSON, with the member kind added.
func account(s *fiberjwt.Session) any {
	switch row := s.Account.(type) {
	case *User:
		return struct {
			Kind string `json:"kind"`
			User
		}{s.Kind, *row}
	case *Teacher:
		return struct {
			Kind string `json:"kind"`
			Teacher
		}{s.Kind, *row}
	}
	return nil // unreachable: authConfig names two kinds
}
