// Code generated from ../../../test/api/allocations_test.go by internal/twin; DO NOT EDIT.

//go:build !race

package api_test

import (
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// The race detector changes the number of allocations, so these tests run without it.

// allocations returns the mean, so what runs in the background meanwhile hardly counts.
func allocations(send func() int) int { return int(testing.AllocsPerRun(1000, func() { send() })) }

func TestVerifyOnlyRequestKeepsItsAllocationBudget(t *testing.T) {
	w := newVerifier(t)
	w.app.Get("/empty", fiberjwt.Require("users"), noContent)
	token := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	for _, test := range []struct {
		name           string
		headers        []string
		status, budget int
	}{
		{"a valid token", []string{"Authorization", "Bearer " + token}, 204, 2},
		{"a forged token", []string{"Authorization", "Bearer " + forge(token)}, 401, 0},
		{"no JWT", []string{"Authorization", "Bearer nonsense"}, 401, 0},
		{"no token", nil, 401, 0},
	} {
		send := repeat(w.app.Handler(), "/empty", test.headers...)
		require.Equal(t, test.status, send(), test.name)
		require.LessOrEqual(t, allocations(send), test.budget, test.name)
	}
}

// Auth.Verify makes one allocation for the Session, and the middleware one for the Session and
// all that it keeps itself.
func TestMiddlewareAllocatesNoMoreThanVerify(t *testing.T) {
	good := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	for source, extractor := range map[string]fiberjwt.Extractor{
		"Authorization": fiberjwt.FromAuthHeader(""),
		"X-Token":       fiberjwt.FromHeader("X-Token"),
		"Cookie":        fiberjwt.FromCookie("token"),
	} {
		w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = extractor })
		w.app.Get("/empty", noContent)
		for _, token := range []string{good, forge(good)} {
			verify := allocations(func() int { _, _ = w.auth.Verify(t.Context(), token); return 0 })
			value := map[string]string{"Authorization": "Bearer " + token, "Cookie": "token=" + token, "X-Token": token}[source]
			require.LessOrEqual(t, allocations(repeat(w.app.Handler(), "/empty", source, value)), verify, source)
		}
	}
}

func TestGuardsAndLocalsAllocateNothing(t *testing.T) {
	w, _, pair := cachedWorld(t)
	w.app.Get("/empty", noContent)
	plain := allocations(repeat(w.app.Handler(), "/empty", "Authorization", "Bearer "+pair.Access))
	verify := allocations(func() int { _, _ = w.auth.Verify(t.Context(), pair.Access); return 0 })
	require.LessOrEqual(t, plain, verify, "a request with an account costs more than Auth.Verify")

	for name, guard := range map[string]fiber.Handler{
		"require": fiberjwt.Require("users", "teachers"),
		"fresh":   fiberjwt.Fresh(time.Hour, "users"),
		"as":      fiberjwt.As(func(c fiber.Ctx, _ *User) error { return c.Next() }),
		"current": func(c fiber.Ctx) error { _, _ = fiberjwt.Current[User](c); return c.Next() },
		"session": func(c fiber.Ctx) error { _, _ = fiberjwt.SessionOf(c, "users"); return c.Next() },
		"locals":  func(c fiber.Ctx) error { _ = c.Locals("users").(*User); return c.Next() },
	} {
		w.app.Get("/guarded/"+name, guard, noContent)
		send := repeat(w.app.Handler(), "/guarded/"+name, "Authorization", "Bearer "+pair.Access)
		require.Equal(t, 204, send(), name)
		require.Equal(t, plain, allocations(send), name)
	}
}

// The driver of SQLite makes most of these allocations.
func TestStatementsKeepTheirAllocationBudget(t *testing.T) {
	w := newWorld(t)
	w.app.Get("/empty", noContent)
	pair := w.register("users", "ann@example.com")
	request := repeat(w.app.Handler(), "/empty", "Authorization", "Bearer "+pair.Access)
	require.Equal(t, 204, request())
	require.LessOrEqual(t, allocations(request), 65, "a request that loads its account")

	var c fasthttp.RequestCtx
	c.Request.Header.SetMethod(fiber.MethodPost)
	c.Request.Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Request.SetRequestURI("/auth/users/refresh")
	body := `{"refresh_token":"` + pair.Refresh + `"}`
	c.Request.SetBodyString(body)
	c.Request.Header.SetContentLength(len(body))
	refresh := func() int {
		c.Response.Reset()
		c.ResetUserValues()
		w.app.Handler()(&c)
		return c.Response.StatusCode()
	}
	require.Equal(t, 200, refresh())
	require.LessOrEqual(t, allocations(refresh), 155, "a refresh that is too early")
}
