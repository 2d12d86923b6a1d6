// Code generated from ../../../test/api/errors_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// quiet is a logger that discards everything, for tests that provoke log entries.
var quiet = slog.New(slog.DiscardHandler)

// refusals provokes each error by a request. The world is a refusingWorld; f makes its store fail.
var refusals = map[string]struct {
	sentinel  error
	status    int
	code      string
	challenge string // WWW-Authenticate
	retry     string // Retry-After
	provoke   func(w *world, f *trouble) answer
}{
	"ErrNoToken": {fiberjwt.ErrNoToken, 401, "no_token", "Bearer", "", func(w *world, _ *trouble) answer {
		return w.do("GET", "/users/me", "")
	}},
	"ErrTokenMalformed": {fiberjwt.ErrTokenMalformed, 401, "invalid_token", `Bearer error="invalid_token"`, "", func(w *world, _ *trouble) answer {
		return w.get("/users/me", "marker.marker.marker")
	}},
	"ErrTokenClaims": {fiberjwt.ErrTokenClaims, 401, "invalid_token", `Bearer error="invalid_token"`, "", func(w *world, _ *trouble) answer {
		other := quickWorld(w.t, func(cfg *fiberjwt.Config) { cfg.Issuer = "marker" })
		other.addUser("ann@example.com")
		return w.get("/users/me", other.enter("users", 1).Access)
	}},
	"ErrTokenExpired": {fiberjwt.ErrTokenExpired, 401, "invalid_token", `Bearer error="invalid_token"`, "", func(w *world, _ *trouble) answer {
		pair := w.enter("users", 1)
		w.clock.Advance(10*time.Minute + 5*time.Second)
		return w.get("/users/me", pair.Access)
	}},
	"ErrTokenRevoked": {fiberjwt.ErrTokenRevoked, 401, "invalid_token", `Bearer error="invalid_token"`, "", func(w *world, _ *trouble) answer {
		pair := w.enter("users", 1)
		w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+pair.Access)
		return w.get("/users/me", pair.Access)
	}},
	"ErrNotFresh": {fiberjwt.ErrNotFresh, 401, "insufficient_user_authentication", `Bearer error="insufficient_user_authentication", max_age=300`, "", func(w *world, _ *trouble) answer {
		pair := w.enter("users", 1)
		w.clock.Advance(6 * time.Minute)
		return w.get("/fresh", pair.Access)
	}},
	"ErrSessionEnded": {fiberjwt.ErrSessionEnded, 401, "session_ended", "Bearer", "", func(w *world, _ *trouble) answer {
		return w.refresh("users", "marker")
	}},
	"ErrTokenReused": {fiberjwt.ErrTokenReused, 401, "session_revoked", "Bearer", "", func(w *world, _ *trouble) answer {
		first := w.enter("users", 1)
		next := first
		for range 2 {
			w.clock.Advance(20 * time.Minute)
			next = w.tokensOf(w.refresh("users", next.Refresh))
		}
		return w.refresh("users", first.Refresh)
	}},
	"ErrTokenReplaced": {fiberjwt.ErrTokenReplaced, 401, "refresh_required", "Bearer", "", func(w *world, _ *trouble) answer {
		parent := w.enter("users", 1).Refresh
		w.clock.Advance(20 * time.Minute)
		w.refresh("users", parent)
		w.clock.Advance(time.Minute)
		return w.exchange("users", parent)
	}},
	"ErrBadCredentials": {fiberjwt.ErrBadCredentials, 401, "invalid_credentials", "Bearer", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/auth/users/login", credentials("users", "marker@example.com", "marker marker"))
	}},
	"ErrWrongKind": {fiberjwt.ErrWrongKind, 403, "wrong_kind", "", "", func(w *world, _ *trouble) answer {
		return w.get("/teachers/me", w.enter("users", 1).Access)
	}},
	"ErrCSRF": {fiberjwt.ErrCSRF, 403, "csrf", "", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/any", "", "Cookie", userCookie+"="+w.enter("users", 1).Access, "Origin", "https://marker.example")
	}},
	"ErrForbidden": {fiberjwt.ErrForbidden, 403, "forbidden", "", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/auth/users/register", credentials("users", "marker@example.com", "marker marker"))
	}},
	"ErrInvalidRequest": {fiberjwt.ErrInvalidRequest, 400, "invalid_request", "", "", func(w *world, _ *trouble) answer {
		return w.do("GET", "/any", "", "Authorization", "Bearer marker", "Authorization", "Bearer marker2")
	}},
	"ErrNotFound": {fiberjwt.ErrNotFound, 404, "not_found", "", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/auth/teachers/register", credentials("teachers", "marker", "marker marker"))
	}},
	"ErrMethod": {fiberjwt.ErrMethod, 405, "method_not_allowed", "", "", func(w *world, _ *trouble) answer {
		return w.do("GET", "/auth/users/login?marker", "")
	}},
	"ErrTaken": {fiberjwt.ErrTaken, 409, "taken", "", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	}},
	"ErrTooLarge": {fiberjwt.ErrTooLarge, 413, "too_large", "", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/auth/users/login", strings.Repeat("marker", 3000))
	}},
	"ErrMediaType": {fiberjwt.ErrMediaType, 415, "unsupported_media_type", "", "", func(w *world, _ *trouble) answer {
		request := httptest.NewRequest("POST", "/auth/users/login", strings.NewReader("marker"))
		request.Header.Set("Content-Type", "text/marker")
		return w.send(request)
	}},
	"ErrFields": {fiberjwt.ErrFields, 422, "invalid_fields", "", "", func(w *world, _ *trouble) answer {
		return w.do("POST", "/auth/users/login", `{"email":"marker\u0000","marker":1}`)
	}},
	"ErrRateLimited": {fiberjwt.ErrRateLimited, 429, "rate_limited", "", "1", func(w *world, _ *trouble) answer {
		var a answer
		for range 20 {
			if a = w.do("POST", "/auth/users/login", credentials("users", "marker@example.com", "marker marker")); a.Status == 429 {
				break
			}
		}
		return a
	}},
	"ErrSetup": {fiberjwt.ErrSetup, 500, "server_error", "", "", func(w *world, _ *trouble) answer {
		w.app.Get("/mistake", fiberjwt.Require("marker"), func(fiber.Ctx) error { return nil })
		return w.get("/mistake", w.enter("users", 1).Access)
	}},
	"ErrUnavailable": {fiberjwt.ErrUnavailable, 503, "temporarily_unavailable", "", "1", func(w *world, f *trouble) answer {
		pair := w.enter("users", 1)
		f.set(errors.New("marker"), false, "")
		return w.get("/users/me", pair.Access)
	}},
}

// refusingWorld has ann (id 1) as a user and as a teacher. Its Register hook refuses identities that begin with "marker".
func refusingWorld(t *testing.T, configure ...func(*fiberjwt.Config)) (*world, *trouble) {
	t.Helper()
	w, f := troubledWorld(t, append([]func(*fiberjwt.Config){withPages, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: func(_ fiber.Ctx, u *User) error {
				if strings.HasPrefix(u.Email, "marker") {
					return errors.New("marker")
				}
				return nil
			}},
			fiberjwt.Entity[Teacher]{Identity: "login"},
		}
	}}, configure...)...)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	return w, f
}

func TestEachErrorMapsToOneResponse(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			w, f := refusingWorld(t)
			a := test.provoke(w, f)
			require.Equal(t, test.status, a.Status, a.Body)
			var sentinel *fiberjwt.Error
			require.ErrorAs(t, test.sentinel, &sentinel)
			want := map[string]any{"error": test.code, "error_description": sentinel.Description}
			if test.status == 422 {
				want["fields"] = map[string]any{"email": "has characters that are not allowed", "password": "is missing"}
			}
			require.Equal(t, want, a.JSON(t))
			require.True(t, strings.HasPrefix(a.Body, `{"error":"`), a.Body)
			require.Equal(t, jsonType, a.Header.Get("Content-Type"))
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			require.Equal(t, test.challenge, a.Header.Get("WWW-Authenticate"))
			require.Equal(t, test.retry, a.Header.Get("Retry-After"))
			require.Empty(t, a.Header.Values("Set-Cookie"))
			require.NotContains(t, a.Body, "marker")
			require.NotContains(t, fmt.Sprint(a.Header), "marker")
			require.Equal(t, test.status >= 500, strings.Contains(w.log.String(), "level=ERROR"), "a response must be logged as an error if and only if its status is 5xx: %s", w.log)
		})
	}
}

func TestErrorHandlerReplacesTheChallenge(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) {
		cfg.ErrorHandler = func(c fiber.Ctx, err error) error {
			require.Equal(t, "Bearer", c.GetRespHeader("WWW-Authenticate"))
			c.Set("WWW-Authenticate", `Bearer realm="shop"`)
			return c.SendStatus(401)
		}
	})
	w.app.Get("/empty", noContent)
	a := w.do("GET", "/empty", "")
	require.Equal(t, []string{`Bearer realm="shop"`}, a.Header.Values("WWW-Authenticate"))
}

func TestErrorHandlerReplacesBodyButKeepsHeaders(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			var got error
			w, f := refusingWorld(t, func(cfg *fiberjwt.Config) {
				cfg.ErrorHandler = func(c fiber.Ctx, err error) error {
					got = err
					var ours *fiberjwt.Error
					_ = errors.As(err, &ours)
					return c.Status(ours.Status).SendString("replaced")
				}
			})
			a := test.provoke(w, f)
			require.Equal(t, "replaced", a.Body)
			require.Equal(t, test.status, a.Status)
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			require.Equal(t, test.challenge, a.Header.Get("WWW-Authenticate"))
			require.Equal(t, test.retry, a.Header.Get("Retry-After"))

			for other, also := range refusals {
				require.Equal(t, other == name, errors.Is(got, also.sentinel), "errors.Is(%v, %s)", got, other)
			}
			var ours *fiberjwt.Error
			require.ErrorAs(t, got, &ours)
			require.Equal(t, test.status, ours.Status)
			require.Equal(t, test.code, ours.Code)
			var fibers *fiber.Error
			require.ErrorAs(t, got, &fibers)
			require.Equal(t, test.status, fibers.Code)
			require.Equal(t, ours.Description, fibers.Message)
			require.True(t, strings.HasPrefix(got.Error(), "fiberjwt: "), got.Error())
			var nothing *json.SyntaxError
			require.False(t, errors.As(got, &nothing))
		})
	}
}

// Errors that are not of the network can have the methods of net.Error too.
func TestHandlerErrorGets503OnlyFromNetwork(t *testing.T) {
	w := quickWorld(t)
	_, missing := os.Open(filepath.Join(t.TempDir(), "none"))
	_, _, malformed := net.ParseCIDR("here")
	_, duplicate := w.db.Exec(`INSERT INTO users (id, email, full_name, admin, disabled, password_hash) VALUES (1, 'a', '', false, false, ''), (1, 'b', '', false, false, '')`)
	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
	for name, err := range map[string]error{"file": missing, "address": malformed, "row": duplicate} {
		require.Error(t, err)
		app.Get("/"+name, func(fiber.Ctx) error { return err })
		require.Equal(t, 500, raw(t, app, request("GET", "/"+name))[0].Status, name)
	}
	app.Get("/down", func(fiber.Ctx) error { return &net.OpError{Op: "dial", Err: errors.New("refused")} })
	require.Equal(t, 503, raw(t, app, request("GET", "/down"))[0].Status)
}

// Fiber calls methods of the error when it looks for a fiber.Error. A nil pointer, which is a mistake of the application,
// must not panic there.
func TestTypedNilErrorFromHandlerGets500(t *testing.T) {
	app := fiber.New()
	app.Get("/", func(fiber.Ctx) error { var none *fiberjwt.Error; return none })
	require.NotPanics(t, func() { require.Equal(t, 500, raw(t, app, request("GET", "/"))[0].Status) })
}

func TestFailureCauseReachesHandlerAndLogOnly(t *testing.T) {
	var got error
	w, f := refusingWorld(t, func(cfg *fiberjwt.Config) {
		cfg.ErrorHandler = func(c fiber.Ctx, err error) error {
			got = err
			return c.Status(503).SendString("replaced")
		}
	})
	pair := w.enter("users", 1)
	f.set(fmt.Errorf("marker of the driver: %w", sql.ErrConnDone), false, "")
	require.Equal(t, "replaced", w.get("/users/me", pair.Access).Body)
	require.ErrorIs(t, got, sql.ErrConnDone)
	require.Contains(t, w.log.String(), "marker of the driver")
	require.Contains(t, w.log.String(), "status=503")
	for _, secret := range []string{pair.Access, pair.Refresh, testSecret, "argon2id"} {
		require.NotContains(t, w.log.String(), secret)
	}
}

func TestFailingErrorHandlerDoesNotCrashServer(t *testing.T) {
	for name, test := range map[string]struct {
		handler fiber.ErrorHandler
		status  int
	}{
		"a panic":                 {func(fiber.Ctx, error) error { panic("marker") }, 500},
		"a panic of the runtime":  {func(c fiber.Ctx, _ error) error { return []error(nil)[len(c.Path())] }, 500},
		"an error of the handler": {func(fiber.Ctx, error) error { return errors.New("for Fiber") }, 500},
		"an error of Fiber":       {func(fiber.Ctx, error) error { return fiber.ErrTeapot }, 418},
		"the error it received":   {func(_ fiber.Ctx, err error) error { return err }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := refusingWorld(t, func(cfg *fiberjwt.Config) { cfg.ErrorHandler = test.handler })
			for _, path := range []string{"/users/me", "/auth/users/me"} {
				a := w.do("GET", path, "")
				require.Equal(t, test.status, a.Status, "%s: %s", path, a.Body)
				require.NotContains(t, a.Body, "marker", path)
				require.NotContains(t, a.Body, "panic", path)
			}
			require.Equal(t, 200, w.do("GET", "/open", "").Status)
		})
	}
}

// In the tests below, handlers return errors of Login to Fiber.

func TestDefaultErrorHandlerHidesFailedLoginCause(t *testing.T) {
	var allow error
	w, f := refusingWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(context.Context, *User) error { return allow }}
	})
	allow = errors.New("marker of the hook")
	a := w.do("POST", "/door/users/1", "")
	require.Equal(t, 401, a.Status)
	require.Contains(t, a.Body, "Incorrect email or password.")
	require.NotContains(t, a.Body, "marker", "the response shows the client why Allow refused")

	allow = nil
	f.set(errors.New("marker of the driver"), false, "INSERT INTO fiberjwt_sessions")
	a = w.do("POST", "/door/users/1", "")
	require.Equal(t, 503, a.Status)
	require.NotContains(t, a.Body, "marker", "the response shows an error of the driver")
	f.over()

	allow = fmt.Errorf("marker: %w", fiberjwt.ErrUnavailable)
	a = w.do("POST", "/door/users/1", "")
	require.Equal(t, 503, a.Status)
	require.NotContains(t, a.Body, "marker")
}

func TestFailedLoginHasStandardErrorHeaders(t *testing.T) {
	refuse := true
	w, f := refusingWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(context.Context, *User) error {
			if refuse {
				return errors.New("refused")
			}
			return nil
		}}
	})
	a := w.do("POST", "/door/users/1", "")
	require.Equal(t, 401, a.Status)
	require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"), "RFC 9110 §15.5.2: every 401 has a challenge")
	require.Contains(t, a.Header.Get("Cache-Control"), "no-store")
	refuse = false
	f.set(errors.New("marker of the driver"), false, "INSERT INTO fiberjwt_sessions")
	a = w.do("POST", "/door/users/1", "")
	require.Equal(t, 503, a.Status)
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.Contains(t, w.log.String(), "marker of the driver", "the log must contain the cause")
}

func TestHookErrorWrappedWithSentinelIsLogged(t *testing.T) {
	var refuse error
	w, _ := refusingWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: func(fiber.Ctx, *User) error { return fmt.Errorf("marker of Register: %w", fiberjwt.ErrUnavailable) },
			Allow:    func(context.Context, *User) error { return refuse },
		}
	})
	pair := w.enter("users", 1)
	refuse = fmt.Errorf("%w: %w", errors.New("marker of Allow"), fiberjwt.ErrUnavailable)
	require.Equal(t, 503, w.get("/users/me", pair.Access).Status)
	require.Contains(t, w.log.String(), "marker of Allow", "the log must contain the cause")
	require.Equal(t, 503, w.do("POST", "/auth/users/register", credentials("users", "bob@example.com", testPassword)).Status)
	require.Contains(t, w.log.String(), "marker of Register", "the log must contain the cause")
}

func TestFiberErrorHandlerFindsBothErrorTypes(t *testing.T) {
	var codes []string
	app := fiber.New(fiber.Config{ErrorHandler: func(c fiber.Ctx, err error) error {
		var ours *fiberjwt.Error
		var fibers *fiber.Error
		if errors.As(err, &ours) && errors.As(err, &fibers) {
			codes = append(codes, fmt.Sprint(ours.Code, " ", fibers.Code, " ", fibers.Message, " ", errors.Is(err, fiberjwt.ErrBadCredentials)))
		}
		return c.Status(ours.Status).SendString(ours.Description)
	}})
	cfg := goodConfig(t)
	cfg.DB = newDB(t)
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}
	cfg.Public = []string{"POST /door"}
	app.Use(fiberjwt.New(cfg))
	(&world{t: t, db: cfg.DB}).addUser("ann@example.com")
	app.Post("/door", func(c fiber.Ctx) error {
		_, err := fiberjwt.Login(c, &User{ID: 1, PasswordHash: "an old hash"})
		return fmt.Errorf("signing in: %w", err)
	})
	w := &world{t: t, app: app}
	require.Equal(t, 401, w.do("POST", "/door", "").Status)
	require.Equal(t, []string{"invalid_credentials 401 Incorrect email or password. true"}, codes)
}

func TestApplicationErrorsPassThroughMiddleware(t *testing.T) {
	w := quickWorld(t)
	w.app.Get("/fails", func(fiber.Ctx) error { return fiber.NewError(409, "an error of the application") })
	w.addUser("ann@example.com")
	a := w.get("/fails", w.enter("users", 1).Access)
	require.Equal(t, 409, a.Status)
	require.Equal(t, "an error of the application", a.Body)
}

func TestSentinelTextsAreDistinct(t *testing.T) {
	seen := map[string]string{}
	for name, test := range refusals {
		text := test.sentinel.Error()
		require.True(t, strings.HasPrefix(text, "fiberjwt: "), name)
		require.Empty(t, seen[text], "%s and %s have the same text", name, seen[text])
		seen[text] = name
		var fibers *fiber.Error
		require.ErrorAs(t, test.sentinel, &fibers, name)
		require.Equal(t, test.status, fibers.Code, name)
	}
	require.Len(t, refusals, 23)
}

func TestErrorFieldsDoNotLeakBetweenResponses(t *testing.T) {
	// All requests share the sentinel ErrFields.
	w := newWorld(t)
	first := w.do("POST", "/auth/users/login", `{"email":7}`)
	second := w.do("POST", "/auth/users/login", `{}`)
	third := w.do("POST", "/auth/users/login", `{"email":"ann@example.com"}`)
	require.Equal(t, map[string]any{"email": "must be a string", "password": "is missing"}, first.JSON(t)["fields"])
	require.Equal(t, map[string]any{"email": "is missing", "password": "is missing"}, second.JSON(t)["fields"])
	require.Equal(t, map[string]any{"password": "is missing"}, third.JSON(t)["fields"])
	var fields *fiberjwt.Error
	require.ErrorAs(t, error(fiberjwt.ErrFields), &fields)
	require.Nil(t, fields.Fields)
	require.Empty(t, w.log.String())
}

func TestHookErrorWithoutErrorStatusGets500(t *testing.T) {
	var refused error
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(fiber.Ctx, *User) error { return refused }}
	})
	for name, err := range map[string]error{
		"no status":          &fiberjwt.Error{Code: "marker", Description: "marker"},
		"wrapped":            fmt.Errorf("refused: %w", &fiberjwt.Error{Code: "marker", Description: "marker"}),
		"a success":          &fiberjwt.Error{Status: 200, Code: "marker", Description: "marker"},
		"a success of Fiber": fiber.NewError(204, "marker"),
	} {
		refused = err
		a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
		requireRefusal(t, a, 500, "server_error", name)
		require.NotContains(t, a.Body, "marker", name)
	}
	require.Contains(t, w.log.String(), "marker")
	require.Equal(t, 0, w.count("users"))
}

func TestRefusalsAreWhatTheJSONEncoderWrites(t *testing.T) {
	refuse := func(refusal error, cfg fiber.Config) answer {
		cfg.ErrorHandler = fiberjwt.ErrorHandler
		w := &world{t: t, app: fiber.New(cfg)}
		w.app.Get("/", func(fiber.Ctx) error { return refusal })
		return w.do("GET", "/", "")
	}
	for name, test := range refusals {
		encoded := 0
		usual := refuse(test.sentinel, fiber.Config{})
		own := refuse(test.sentinel, fiber.Config{JSONEncoder: func(v any) ([]byte, error) { encoded++; return json.Marshal(v) }})
		require.Equal(t, 1, encoded, "%s is not written by the application's encoder", name)
		require.Equal(t, own.Body, usual.Body, name)
		require.Equal(t, own.Header["Content-Type"], usual.Header["Content-Type"], name)

		var e *fiberjwt.Error
		require.ErrorAs(t, test.sentinel, &e)
		changed := *e
		changed.Description = "<Other> text"
		require.Equal(t, changed.Description, refuse(&changed, fiber.Config{}).JSON(t)["error_description"], name)
		changed = *e
		changed.Fields = map[string]string{"email": "is taken"}
		require.Contains(t, refuse(&changed, fiber.Config{}).JSON(t), "fields", name)
	}
}

func TestChangedRefusalBodyDoesNotReachNextResponse(t *testing.T) {
	app := fiber.New()
	app.Use(func(c fiber.Ctx) error {
		err := c.Next()
		clear(c.Response().Body())
		return err
	})
	app.Use(fiberjwt.New(fiberjwt.Config{Secret: []byte(testSecret)}))
	w := &world{t: t, app: app}
	first := w.do("GET", "/", "")
	require.Equal(t, strings.Repeat("\x00", len(first.Body)), first.Body)
	require.Equal(t, "no_token", newVerifier(t).do("GET", "/", "").Code(t))
}
