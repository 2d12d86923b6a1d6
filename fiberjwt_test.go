package fiberjwt_test

import (
	"fmt"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// This file holds what the package promises in its first lines. The tests of every
// detail are in test/api.

func TestMiddlewareStoresTheAccountInLocals(t *testing.T) {
	app := fiber.New()
	cfg := exampleConfig(app)
	app.Use(fiberjwt.New(cfg))
	app.Get("/users", func(c *fiber.Ctx) error { return c.SendString(c.Locals("users").(*User).Email) })
	app.Get("/teachers", func(c *fiber.Ctx) error { return c.SendString(c.Locals("teachers").(*Teacher).Login) })

	require.Equal(t, "200 ann@example.com", ask(app, "GET", "/users", signUp(app, "users", "ann@example.com")))
	require.Equal(t, "200 ann", ask(app, "GET", "/teachers", signUp(app, "teachers", "ann")))
}

func TestLocalsCurrentAndAsGiveTheSamePointer(t *testing.T) {
	app, _ := exampleApp()
	app.Get("/", fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		current, ok := fiberjwt.Current[User](c)
		return c.SendString(fmt.Sprint(ok, current == u, c.Locals("users") == any(u)))
	}))
	require.Equal(t, "200 true true true", ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
}

func TestKindsAreKeptApart(t *testing.T) {
	app, _ := exampleApp()
	app.Get("/users", fiberjwt.As(func(c *fiber.Ctx, _ *User) error { return c.SendStatus(fiber.StatusNoContent) }))
	app.Get("/teachers", fiberjwt.Require("teachers"), func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusNoContent) })
	user, teacher := signUp(app, "users", "ann@example.com"), signUp(app, "teachers", "ann")

	for path, tokens := range map[string]struct{ own, other string }{"/users": {user, teacher}, "/teachers": {teacher, user}} {
		require.Equal(t, "204", ask(app, "GET", path, tokens.own)[:3])
		require.Contains(t, ask(app, "GET", path, tokens.other), `403 {"error":"wrong_kind"`)
		require.Contains(t, ask(app, "GET", path, ""), `401 {"error":"no_token"`)
	}
}
