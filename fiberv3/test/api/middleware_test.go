// Code generated from ../../../test/api/middleware_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// captureLog captures what is logged to slog.Default during the test.
func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	var text bytes.Buffer
	logger, writer, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(writer) // slog.SetDefault changes these, too
		log.SetFlags(flags)
	})
	return &text
}

func reached(c fiber.Ctx) error { return c.SendString("reached") }

func TestGuardAboveMiddlewareNeverPasses(t *testing.T) {
	text := captureLog(t)
	w, ann := newSignedInWorld(t)
	app := fiber.New()
	app.Get("/as", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return reached(c) }))
	app.Get("/require", fiberjwt.Require("users"), reached)
	app.Get("/require-any", fiberjwt.Require(), reached)
	app.Get("/fresh", fiberjwt.Fresh(time.Hour), reached)
	app.Get("/fresh-users", fiberjwt.Fresh(time.Hour, "users"), reached)
	app.Use(w.auth.Handler()) // too late for the routes above
	for _, path := range []string{"/as", "/require", "/require-any", "/fresh", "/fresh-users"} {
		text.Reset()
		a := raw(t, app, getWith(path, ann.Access))[0]
		require.Equal(t, 500, a.Status, path)
		require.Equal(t, "server_error", a.Code(t), path)
		require.NotContains(t, a.Body, "middleware", "the client must not see the cause")
		require.Contains(t, text.String(), "without the middleware above it", path)
	}
}

func TestRequestWithoutMiddlewareHasNoAccount(t *testing.T) {
	captureLog(t)
	app := fiber.New()
	app.Get("/", func(c fiber.Ctx) error {
		account, ok := fiberjwt.Current[User](c)
		require.Nil(t, account)
		require.False(t, ok)
		s, ok := fiberjwt.SessionOf(c)
		require.True(t, s == nil)
		require.False(t, ok)
		_, err := fiberjwt.Login(c, &User{ID: 1})
		require.ErrorIs(t, err, fiberjwt.ErrSetup)
		require.ErrorIs(t, fiberjwt.Logout(c), fiberjwt.ErrSetup)
		return nil
	})
	require.Equal(t, 200, raw(t, app, request("GET", "/"))[0].Status)
}

func TestGuardOfUnknownKindNeverPasses(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "GET /public/*") })
	type Unknown struct{ ID int64 }
	for _, prefix := range []string{"/below", "/public"} {
		w.app.Get(prefix+"/misspelled", fiberjwt.Require("user"), reached)
		w.app.Get(prefix+"/one-misspelled", fiberjwt.Require("users", "teacher"), reached)
		w.app.Get(prefix+"/empty", fiberjwt.Require(""), reached)
		w.app.Get(prefix+"/fresh", fiberjwt.Fresh(time.Hour, "pupil"), reached)
		w.app.Get(prefix+"/model", fiberjwt.As(func(c fiber.Ctx, _ *Unknown) error { return reached(c) }))
		w.app.Get(prefix+"/pointer", fiberjwt.As(func(c fiber.Ctx, _ **User) error { return reached(c) }))
		for _, header := range []string{"Authorization: Bearer " + ann.Access, "X-Nothing: 1"} {
			if prefix == "/below" && strings.HasPrefix(header, "X-") {
				continue // the middleware refuses it before the guard runs
			}
			w.clock.Advance(time.Minute) // each cause is logged once a minute
			for path, why := range map[string]string{
				"/misspelled": "user", "/one-misspelled": "teacher", "/empty": "users, teachers", "/fresh": "pupil", "/model": "Unknown", "/pointer": "*api_test.User",
			} {
				w.log.Reset()
				a := raw(t, w.app, request("GET", prefix+path, header))[0]
				require.Equal(t, 500, a.Status, path)
				require.NotContains(t, a.Body, "reached")
				require.Contains(t, w.log.String(), why)
			}
		}
	}
	w.app.Get("/below/current", func(c fiber.Ctx) error {
		_, ok := fiberjwt.Current[Unknown](c)
		return c.JSON(ok)
	})
	require.Equal(t, "false", w.get("/below/current", ann.Access).Body)
	s, ok := (*fiberjwt.Session)(nil), true
	w.app.Get("/below/session", func(c fiber.Ctx) error { s, ok = fiberjwt.SessionOf(c, "user"); return nil })
	require.Equal(t, 200, w.get("/below/session", ann.Access).Status)
	require.True(t, s == nil)
	require.False(t, ok)
}

func TestRequirePassesOnlyNamedKinds(t *testing.T) {
	w, user := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann")
	w.app.Get("/only/users", fiberjwt.Require("users"), reached)
	w.app.Get("/only/teachers", fiberjwt.Require("teachers"), reached)
	w.app.Get("/both", fiberjwt.Require("users"), fiberjwt.Require("teachers"), reached)
	w.app.Get("/all", fiberjwt.Require(), reached)
	both := "Cookie: __Host-Http-users=" + user.Access + "; __Host-Http-teachers=" + teacher.Access
	for _, test := range []struct {
		who, path, credential string
		status                int
	}{
		{"user", "/only/users", "Authorization: Bearer " + user.Access, 200},
		{"user", "/only/teachers", "Authorization: Bearer " + user.Access, 403},
		{"user", "/either", "Authorization: Bearer " + user.Access, 200},
		{"user", "/both", "Authorization: Bearer " + user.Access, 403},
		{"user", "/all", "Authorization: Bearer " + user.Access, 200},
		{"teacher", "/only/users", "Authorization: Bearer " + teacher.Access, 403},
		{"teacher", "/only/teachers", "Authorization: Bearer " + teacher.Access, 200},
		{"teacher", "/either", "Authorization: Bearer " + teacher.Access, 200},
		{"user and teacher", "/only/users", both, 200},
		{"user and teacher", "/only/teachers", both, 200},
		{"user and teacher", "/both", both, 200},
	} {
		a := raw(t, w.app, request("GET", test.path, test.credential))[0]
		require.Equal(t, test.status, a.Status, "%s at %s: %s", test.who, test.path, a.Body)
		if test.status == 403 {
			require.Equal(t, "wrong_kind", a.Code(t))
			require.Empty(t, a.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestGuardCopiesItsKinds(t *testing.T) {
	w, ann := newSignedInWorld(t)
	kinds := []string{"teachers"}
	w.app.Get("/require", fiberjwt.Require(kinds...), reached)
	w.app.Get("/fresh-teachers", fiberjwt.Fresh(time.Hour, kinds...), reached)
	kinds[0] = "users"
	require.Equal(t, 403, w.get("/require", ann.Access).Status)
	require.Equal(t, 403, w.get("/fresh-teachers", ann.Access).Status)
}

func TestFreshCountsFromLastSignIn(t *testing.T) {
	w, ann := newSignedInWorld(t)
	w.clock.Advance(5 * time.Minute)
	require.Equal(t, 200, w.get("/fresh", ann.Access).Status)
	w.clock.Advance(time.Second)
	a := w.get("/fresh", ann.Access)
	require.Equal(t, 401, a.Status)
	require.Equal(t, "insufficient_user_authentication", a.Code(t))
	require.Equal(t, []string{`Bearer error="insufficient_user_authentication", max_age=300`}, a.Header["Www-Authenticate"])

	refreshed := w.tokensOf(w.refresh("users", ann.Refresh)).Access
	require.Equal(t, 401, w.get("/fresh", refreshed).Status, "a refresh must not count as a sign-in")
	require.Equal(t, 200, w.get("/users/me", refreshed).Status)
	require.Equal(t, 200, w.get("/fresh", w.signIn("users", "ann@example.com").Access).Status)
	require.Equal(t, 401, w.do("GET", "/fresh", "").Status)
}

func TestFreshSignInCountsForItsKindOnly(t *testing.T) {
	w, user := newSignedInWorld(t)
	w.app.Get("/fresh/users", fiberjwt.Fresh(5*time.Minute, "users"), reached)
	w.app.Get("/fresh/teachers", fiberjwt.Fresh(5*time.Minute, "teachers"), reached)
	w.clock.Advance(6 * time.Minute)
	teacher := w.signIn("teachers", "ann")
	both := "Cookie: __Host-Http-users=" + user.Access + "; __Host-Http-teachers=" + teacher.Access
	for path, status := range map[string]int{"/fresh": 401, "/fresh/users": 401, "/fresh/teachers": 200} {
		require.Equal(t, status, raw(t, w.app, request("GET", path, both))[0].Status, path)
	}
	require.Equal(t, 403, w.get("/fresh/users", teacher.Access).Status)
}

func TestCurrentLocalsAndSessionAgree(t *testing.T) {
	w, user := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann")
	w.app.Get("/everything", func(c fiber.Ctx) error {
		u, isUser := fiberjwt.Current[User](c)
		v, isTeacher := fiberjwt.Current[Teacher](c)
		us, _ := fiberjwt.SessionOf(c, "users")
		ts, _ := fiberjwt.SessionOf(c, "teachers")
		first, _ := fiberjwt.SessionOf(c)
		switch {
		case isUser && (c.Locals("users") != any(u) || us.Account != any(u)):
			return fiber.NewError(500, "users")
		case isTeacher && (c.Locals("teachers") != any(v) || ts.Account != any(v)):
			return fiber.NewError(500, "teachers")
		case !isUser && (u != nil || c.Locals("users") != nil || us != nil), !isTeacher && (v != nil || c.Locals("teachers") != nil || ts != nil):
			return fiber.NewError(500, "a kind that is not signed in has a value")
		case isUser && first != us, !isUser && first != ts:
			return fiber.NewError(500, "SessionOf does not return the first kind of Config.Entities")
		}
		return c.SendString(fmt.Sprint(isUser, isTeacher))
	})
	for credential, want := range map[string]string{
		"Authorization: Bearer " + user.Access:                                                               "true false",
		"Authorization: Bearer " + teacher.Access:                                                            "false true",
		"Cookie: __Host-Http-teachers=" + teacher.Access + "; __Host-Http-users=" + user.Access:              "true true",
		"Cookie: __Host-Http-teachers=" + teacher.Access + "; __Host-Http-users=x":                           "false true",
		"Cookie: __Host-Http-teachers=" + teacher.Access + "; __Host-Http-users=" + teacher.Access + "; a=b": "false true",
	} {
		require.Equal(t, want, raw(t, w.app, request("GET", "/everything", credential))[0].Body, credential)
	}
}

func TestFailedTypeAssertionOnLocalsGets401Or403(t *testing.T) {
	w, user := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "GET /locals/*") })
	teacher := w.signIn("teachers", "ann")
	for _, test := range []struct {
		who, path, credential string
		status                int
		code                  string
	}{
		{"a teacher", "/locals/users", "Authorization: Bearer " + teacher.Access, 403, "wrong_kind"},
		{"a user", "/locals/teachers", "Authorization: Bearer " + user.Access, 403, "wrong_kind"},
		{"no token", "/locals/users", "X-Nothing: 1", 401, "no_token"},
		{"a bad token", "/locals/users", "Authorization: Bearer x", 401, "invalid_token"},
		{"a bad cookie", "/locals/users", "Cookie: __Host-Http-users=x; __Host-Http-teachers=" + teacher.Access, 401, "invalid_token"},
	} {
		t.Run(test.who, func(t *testing.T) {
			answers := raw(t, w.app, request("GET", test.path, test.credential), getWith("/users/me", user.Access))
			require.Len(t, answers, 2, "the connection was closed after the first response")
			require.Equal(t, test.status, answers[0].Status)
			require.Equal(t, test.code, answers[0].Code(t))
			require.Equal(t, 200, answers[1].Status)
		})
	}
}

func TestUnrelatedHandlerPanicsAreNotRecovered(t *testing.T) {
	w, user := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann")
	for name, handler := range map[string]fiber.Handler{
		"a panic":                                  func(fiber.Ctx) error { panic("boom") },
		"an index out of range":                    func(c fiber.Ctx) error { return c.SendString(strings.Split(c.Path(), "?")[1]) },
		"an assertion of another key":              func(c fiber.Ctx) error { _ = c.Locals("other").(*int); return nil },
		"an assertion to a string":                 func(c fiber.Ctx) error { _ = c.Locals("users").(string); return nil },
		"an assertion to a value":                  func(c fiber.Ctx) error { _ = c.Locals("users").(User); return nil },
		"an assertion to the other kind's":         func(c fiber.Ctx) error { _ = c.Locals("teachers").(*User); return nil },
		"an assertion after the local was removed": func(c fiber.Ctx) error { c.Locals("teachers", nil); _ = c.Locals("teachers").(*Teacher); return nil },
		"a string with the text of the error":      func(fiber.Ctx) error { panic("interface conversion: interface {} is nil, not *api_test.User") },
		"an error with the text of the error": func(fiber.Ctx) error {
			panic(fmt.Errorf("interface conversion: interface {} is nil, not *%T", User{}))
		},
		"a dereference of a nil account": func(c fiber.Ctx) error { u, _ := fiberjwt.Current[User](c); return c.SendString(u.Email) },
	} {
		t.Run(name, func(t *testing.T) {
			path := "/panics/" + strings.ReplaceAll(name, " ", "-")
			w.app.Get(path, handler)
			var c fasthttp.RequestCtx
			c.Request.SetRequestURI(path)
			c.Request.Header.Set("Authorization", "Bearer "+teacher.Access)
			require.Panics(t, func() { w.app.Handler()(&c) })
		})
	}
	require.Equal(t, 200, w.get("/users/me", user.Access).Status)
}

// Root is the model of a kind of the inner middleware.
type Root struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

// innerConfig is the Config of a second middleware on the rows of w. It has another
// secret, and reads the token from the header X-Inner.
func innerConfig(w *world, entity fiberjwt.AnyEntity) fiberjwt.Config {
	return fiberjwt.Config{
		DB: w.db, Secret: []byte(otherSecret), Now: w.clock.Now, ReadTimeout: patience, WriteTimeout: patience, Entities: []fiberjwt.AnyEntity{entity},
		Extractor: fiberjwt.FromHeader("X-Inner"), Optional: true, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

func TestHandlerSeesAccountsOfBothMiddlewares(t *testing.T) {
	w, user := newSignedInWorld(t)
	inner := w.app.Group("/inner", fiberjwt.New(innerConfig(w, fiberjwt.Entity[Root]{Name: "admins"})))
	inner.Post("/sign-in", func(c fiber.Ctx) error {
		a := &Root{Email: "root@example.com", PasswordHash: "none"}
		if _, err := w.db.NewInsert().Model(a).Exec(t.Context()); err != nil {
			return err
		}
		return answerLogin(c, a)
	})
	who := func(c fiber.Ctx) error {
		u, isUser := fiberjwt.Current[User](c)
		a, isAdmin := fiberjwt.Current[Root](c)
		var seen []string
		if isUser && c.Locals("users") == any(u) {
			seen = append(seen, u.Email)
		}
		if isAdmin && c.Locals("admins") == any(a) {
			seen = append(seen, a.Email)
		}
		for _, kind := range []string{"users", "admins"} {
			if s, ok := fiberjwt.SessionOf(c, kind); ok {
				seen = append(seen, s.Kind)
			}
		}
		return c.SendString(strings.Join(seen, " "))
	}
	inner.Get("/who", who)
	inner.Get("/admin", fiberjwt.As(func(c fiber.Ctx, _ *Root) error { return reached(c) }))
	inner.Get("/user", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return reached(c) }))
	inner.Get("/both", fiberjwt.Require("users"), fiberjwt.Require("admins"), reached)
	inner.Get("/bare", func(c fiber.Ctx) error { _ = c.Locals("admins").(*Root); return reached(c) })
	w.app.Get("/outer/who", who)

	outer := []string{"Authorization", "Bearer " + user.Access}
	a := w.do("POST", "/inner/sign-in", "", outer...)
	require.Equal(t, 200, a.Status, a.Body)
	both := append(outer, "X-Inner", w.tokensOf(a).Access)

	require.Equal(t, "ann@example.com root@example.com users admins", w.do("GET", "/inner/who", "", both...).Body)
	require.Equal(t, "ann@example.com users", w.do("GET", "/inner/who", "", outer...).Body)
	require.Equal(t, "ann@example.com users", w.do("GET", "/outer/who", "", both...).Body)
	for path, status := range map[string]int{"/inner/admin": 200, "/inner/user": 200, "/inner/both": 200, "/inner/bare": 200} {
		require.Equal(t, status, w.do("GET", path, "", both...).Status, path)
	}
	for path, status := range map[string]int{"/inner/admin": 401, "/inner/user": 200, "/inner/both": 401, "/inner/bare": 401} {
		require.Equal(t, status, w.do("GET", path, "", outer...).Status, path)
	}
	require.Equal(t, 401, w.do("GET", "/inner/who", "", append(outer, "X-Inner", user.Access)...).Status, "the inner middleware must refuse a token of the outer one")
	require.Equal(t, 401, w.do("GET", "/inner/who", "", "X-Inner", w.tokensOf(a).Access).Status, "a token of the inner middleware must not pass the outer one")
}

func TestGuardsAgreeWithAsAcrossTwoMiddlewares(t *testing.T) {
	w, user := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	teacher := w.signIn("teachers", "ann")
	inner := w.app.Group("/inner", fiberjwt.New(innerConfig(w, fiberjwt.Entity[Root]{Name: "admins"})))
	inner.Post("/sign-in", func(c fiber.Ctx) error {
		root := &Root{Email: "root@example.com", PasswordHash: "none"}
		if _, err := w.db.NewInsert().Model(root).Exec(t.Context()); err != nil {
			return err
		}
		return answerLogin(c, root)
	})
	admin := w.tokensOf(w.do("POST", "/inner/sign-in", ""))
	inner.Get("/as/users", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return reached(c) }))
	inner.Get("/as/admins", fiberjwt.As(func(c fiber.Ctx, _ *Root) error { return reached(c) }))
	for _, kind := range []string{"users", "admins"} {
		inner.Get("/require/"+kind, fiberjwt.Require(kind), reached)
		inner.Get("/fresh/"+kind, fiberjwt.Fresh(time.Hour, kind), reached)
	}
	inner.Get("/bare/users", func(c fiber.Ctx) error { _ = c.Locals("users").(*User); return reached(c) })
	inner.Get("/bare/admins", func(c fiber.Ctx) error { _ = c.Locals("admins").(*Root); return reached(c) })
	for _, outside := range []string{"X-Nothing: 1", "Authorization: Bearer " + user.Access, "Authorization: Bearer " + teacher.Access, "Cookie: __Host-Http-users=x; __Host-Http-teachers=" + teacher.Access} {
		for _, inside := range []string{"X-Nothing: 2", "X-Inner: " + admin.Access} {
			for _, kind := range []string{"users", "admins"} {
				as := raw(t, w.app, request("GET", "/inner/as/"+kind, outside, inside))[0]
				for _, guard := range []string{"require", "fresh", "bare"} {
					a := raw(t, w.app, request("GET", "/inner/"+guard+"/"+kind, outside, inside))[0]
					require.Equal(t, as.Body, a.Body, "%s of %s with %.40s and %.12s", guard, kind, outside, inside)
				}
			}
		}
	}
}

func TestMiddlewareIgnoresLocalsOfEarlierHandler(t *testing.T) {
	w, ann := newSignedInWorld(t)
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(func(c fiber.Ctx) error {
		c.Locals("users", &User{ID: 99, Admin: true})
		c.Locals("teachers", &Teacher{ID: 99})
		c.Locals("other", "stays")
		return c.Next()
	})
	app.Use(w.auth.Handler())
	who := func(c fiber.Ctx) error {
		return c.SendString(fmt.Sprintf("%v %v %v", c.Locals("users") != nil && c.Locals("users").(*User).ID == 1, c.Locals("teachers"), c.Locals("other")))
	}
	app.Get("/open", who)
	app.Get("/any", who)
	require.Equal(t, "true <nil> stays", raw(t, app, getWith("/any", ann.Access))[0].Body)
	require.Equal(t, "false <nil> stays", raw(t, app, request("GET", "/open"))[0].Body)
	require.Equal(t, "false <nil> stays", raw(t, app, getWith("/open", "x"))[0].Body)
}

func TestOptionalAllowsMissingButNotInvalidToken(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	expired := outsider{testSecret}.token("users", claimsOf(t, ann.Access).set("iat", "1").set("exp", "2").String())
	for name, test := range map[string]struct {
		credential string
		status     int
		body       string
	}{
		"no token":                 {"X-Nothing: 1", 200, ""},
		"a foreign scheme":         {"Authorization: Basic eDp5", 200, ""},
		"a good token":             {"Authorization: Bearer " + ann.Access, 200, "users:1"},
		"a bad token":              {"Authorization: Bearer x", 401, "invalid_token"},
		"an expired token":         {"Authorization: Bearer " + expired, 401, "invalid_token"},
		"a bad cookie":             {"Cookie: __Host-Http-users=x", 401, "invalid_token"},
		"the scheme alone":         {"Authorization: Bearer", 401, "invalid_token"},
		"a bad and a good cookie":  {"Cookie: __Host-Http-teachers=x; __Host-Http-users=" + ann.Access, 200, "users:1"},
		"a bad token, good cookie": {"Authorization: Bearer x\r\nCookie: __Host-Http-users=" + ann.Access, 401, "invalid_token"},
	} {
		a := raw(t, w.app, request("GET", "/any", test.credential))[0]
		require.Equal(t, test.status, a.Status, name)
		require.Contains(t, a.Body, test.body, name)
	}
	for _, path := range []string{"/users/me", "/either", "/fresh", "/locals/users"} {
		require.Equal(t, 401, w.do("GET", path, "").Status, path)
	}
}

func TestNextSkipsTheMiddleware(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Next = func(c fiber.Ctx) bool {
			if c.Get("X-Panic") != "" {
				panic("panic in Next")
			}
			return c.Get("X-Skip") == "1"
		}
	})
	require.Equal(t, 401, w.do("GET", "/any", "").Status)
	a := w.do("GET", "/any", "", "X-Skip", "1", "Authorization", "Bearer "+ann.Access)
	require.Equal(t, 200, a.Status)
	require.Empty(t, a.Body, "a request that skips the middleware must be anonymous")
	require.Equal(t, 401, w.do("GET", "/any", "", "Authorization", "Bearer x").Status)

	captureLog(t)
	for _, path := range []string{"/users/me", "/either", "/fresh"} {
		require.Equal(t, 500, w.do("GET", path, "", "X-Skip", "1", "Authorization", "Bearer "+ann.Access).Status, path)
	}

	answers := raw(t, w.app, request("GET", "/any", "X-Panic: 1", "Authorization: Bearer "+ann.Access), getWith("/any", ann.Access))
	require.Len(t, answers, 2, "the connection was closed after the first response")
	require.Equal(t, 500, answers[0].Status)
	require.NotContains(t, answers[0].Body, "panic")
	require.Contains(t, w.log.String(), "panic in Next")
	require.Equal(t, "users:1", answers[1].Body)
}

func TestPreflightIsAnsweredWithoutHandler(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "OPTIONS /open") })
	served := false
	w.app.Options("/options", func(c fiber.Ctx) error { served = true; return reached(c) })
	for _, path := range []string{"/options", "/any", "/users/me", "/no/such/route"} {
		for _, credential := range []string{"X-Nothing: 1", "Authorization: Bearer " + ann.Access, "Authorization: Bearer x", "Cookie: __Host-Http-users=" + ann.Access} {
			a := raw(t, w.app, request("OPTIONS", path, "Origin: https://evil.example", "Access-Control-Request-Method: GET", credential))[0]
			require.Equal(t, 204, a.Status, path)
			require.Empty(t, a.Body)
			require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"), "the response must allow no origin")
			require.False(t, served, "a preflight must not reach the handler")
		}
	}
	// An OPTIONS request that is not a preflight needs a token.
	require.Equal(t, 401, w.do("OPTIONS", "/options", "").Status)
	require.Equal(t, 200, w.do("OPTIONS", "/options", "", "Authorization", "Bearer "+ann.Access).Status)
	require.True(t, served)
	for _, method := range []string{"GET", "POST"} {
		require.Equal(t, 401, w.do(method, "/any", "", "Access-Control-Request-Method", "GET").Status, method)
	}
}

func TestAsKeepsErrorAndStatusOfHandler(t *testing.T) {
	w, ann := newSignedInWorld(t)
	w.app.Get("/teapot", fiberjwt.As(func(fiber.Ctx, *User) error { return fiber.NewError(418, "short and stout") }))
	w.app.Get("/created", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.Status(201).SendString(u.Email) }))
	require.Equal(t, 418, w.get("/teapot", ann.Access).Status)
	a := w.get("/created", ann.Access)
	require.Equal(t, 201, a.Status)
	require.Equal(t, "ann@example.com", a.Body)
}

func TestGuardsUseConfigErrorHandler(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.ErrorHandler = func(c fiber.Ctx, err error) error { return c.Status(499).SendString("ours: " + err.Error()) }
	})
	for path, text := range map[string]string{"/teachers/me": "another kind", "/locals/teachers": "another kind"} {
		a := w.get(path, ann.Access)
		require.Equal(t, 499, a.Status, path)
		require.Contains(t, a.Body, text)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	}
	request := httptest.NewRequest("GET", "/any", nil)
	response, err := w.app.Test(request, fiber.TestConfig{})
	require.NoError(t, err)
	require.Equal(t, 499, response.StatusCode)
	require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
}

func TestInnermostMiddlewareOfKindDecides(t *testing.T) {
	w := quickWorld(t)
	inner := w.app.Group("/inner", fiberjwt.New(innerConfig(w, fiberjwt.Entity[User]{})))
	inner.Get("/users", fiberjwt.Require("users"), reached)
	inner.Get("/teachers", fiberjwt.Require("teachers"), reached)
	inner.Get("/any", fiberjwt.Require(), reached)
	inner.Get("/as", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return reached(c) }))
	inner.Get("/fresh", fiberjwt.Fresh(time.Hour, "users"), reached)
	inner.Get("/bare", func(c fiber.Ctx) error { _ = c.Locals("users").(*User); return reached(c) })
	inner.Get("/session", func(c fiber.Ctx) error {
		_, session := fiberjwt.SessionOf(c, "users")
		_, current := fiberjwt.Current[User](c)
		return c.SendString(fmt.Sprint(session, current, c.Locals("users") != nil))
	})
	inner.Get("/who", func(c fiber.Ctx) error {
		var found []string
		for _, kinds := range [][]string{{"users"}, {"teachers"}, nil} {
			if s, ok := fiberjwt.SessionOf(c, kinds...); ok {
				found = append(found, s.Kind)
			}
		}
		return c.SendString(strings.Join(found, " "))
	})
	w.addUser("ann@example.com")
	w.addTeacher("ann")

	// The request is signed in to the outer middleware only. The inner one has a kind
	// of the same name, but other accounts.
	user := w.enter("users", 1)
	require.Equal(t, 200, w.get("/users/me", user.Access).Status)
	for _, path := range []string{"/inner/users", "/inner/any", "/inner/as", "/inner/fresh", "/inner/bare"} {
		requireRefusal(t, w.get(path, user.Access), 401, "no_token", path)
	}
	require.Equal(t, "", w.get("/inner/who", user.Access).Body)
	require.Equal(t, "false false false", w.get("/inner/session", user.Access).Body)

	teacher := w.enter("teachers", 1) // a kind that the inner middleware does not declare
	require.Equal(t, "reached", w.get("/inner/teachers", teacher.Access).Body)
	require.Equal(t, "reached", w.get("/inner/any", teacher.Access).Body)
	require.Equal(t, "teachers teachers", w.get("/inner/who", teacher.Access).Body)
}

func TestKeptSessionSharesNoMemoryWithLaterRequests(t *testing.T) {
	for name, test := range map[string]struct {
		extractor fiberjwt.Extractor
		request   func(c *fasthttp.RequestCtx, token string)
	}{
		"auth header": {fiberjwt.FromAuthHeader(""), func(c *fasthttp.RequestCtx, token string) { c.Request.Header.Set("Authorization", "Bearer "+token) }},
		"header":      {fiberjwt.FromHeader("X-Token"), func(c *fasthttp.RequestCtx, token string) { c.Request.Header.Set("X-Token", token) }},
		"cookie":      {fiberjwt.FromCookie("t"), func(c *fasthttp.RequestCtx, token string) { c.Request.Header.SetCookie("t", token) }},
		"query":       {fiberjwt.FromQuery("t"), func(c *fasthttp.RequestCtx, token string) { c.Request.SetRequestURI("/keep?t=" + token) }},
	} {
		w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor, cfg.Optional = test.extractor, true })
		var kept *fiberjwt.Session
		w.app.Get("/keep", func(c fiber.Ctx) error {
			if kept == nil {
				kept, _ = fiberjwt.SessionOf(c)
			}
			return nil
		})
		good := outsider{testSecret}.token("users", plainClaims("users", "1").add("role", `"guest"`).String())
		handler := w.app.Handler()
		var c fasthttp.RequestCtx
		for _, token := range []string{good, strings.Repeat("z", len(good))} {
			c.Request.Reset()
			c.Response.Reset()
			c.ResetUserValues()
			c.Request.SetRequestURI("/keep")
			test.request(&c, token) // in the memory of the last one
			handler(&c)
		}
		require.NotNil(t, kept, name)
		var role string
		require.True(t, kept.Claim("role", &role), name)
		require.Equal(t, "guest users 1 AAAAAAAAAAAAAAAAAAAAAA 1 fiberjwt "+name,
			strings.Join([]string{role, kept.Kind, kept.Subject, kept.ID, kept.TokenID, kept.Issuer, kept.Source}, " "))
		require.EqualValues(t, noon+600, kept.ExpiresAt.Unix(), name)
	}
}
