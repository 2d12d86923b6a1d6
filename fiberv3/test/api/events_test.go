// Code generated from ../../../test/api/events_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// eventRecorder records the events that Config.OnEvent receives.
type eventRecorder struct {
	mu     sync.Mutex
	events []event.Event
}

func (w *eventRecorder) listen(cfg *fiberjwt.Config) {
	cfg.OnEvent = func(_ context.Context, e event.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
}

// take returns the events since the last call.
func (w *eventRecorder) take() []event.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

// one returns the only event since the last call, and fails if there is not exactly one.
func (w *eventRecorder) one(t *testing.T, after answer) event.Event {
	t.Helper()
	events := w.take()
	require.Len(t, events, 1, "%d %s: %v", after.Status, after.Body, events)
	return events[0]
}

func TestEveryOutcomeEmitsOneEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	ann := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword), "User-Agent", "Tab/1")
	e := seen.one(t, ann)
	require.Equal(t, event.Register, e.Type)
	require.Equal(t, "users", e.Kind)
	require.Equal(t, "1", e.Subject)
	require.Len(t, e.SessionID, 22)
	require.Equal(t, "0.0.0.0", e.Address)
	require.Equal(t, "Tab/1", e.UserAgent)
	require.Empty(t, e.Reason)
	first, firstID := w.tokensOf(ann), e.SessionID

	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	require.Equal(t, event.Event{Type: event.RegisterRefused, Kind: "users", Reason: "taken", Address: "0.0.0.0"}, seen.one(t, a))

	a = w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
	e = seen.one(t, a)
	second, secondID := w.tokensOf(a), e.SessionID
	require.NotEqual(t, firstID, secondID)
	require.Equal(t, event.Event{Type: event.Login, Kind: "users", Subject: "1", SessionID: secondID, Address: "0.0.0.0"}, e)

	a = w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", "something else"))
	require.Equal(t, event.Event{Type: event.LoginRefused, Kind: "users", Reason: "invalid_credentials", Address: "0.0.0.0"}, seen.one(t, a))

	w.clock.Advance(6 * time.Minute)
	a = w.refresh("users", first.Refresh)
	require.Equal(t, event.Event{Type: event.Refresh, Kind: "users", Subject: "1", SessionID: firstID, Address: "0.0.0.0"}, seen.one(t, a))
	third := w.tokensOf(a).Refresh
	w.clock.Advance(6 * time.Minute)
	seen.one(t, w.refresh("users", third))
	a = w.refresh("users", first.Refresh)
	require.Equal(t, event.Event{Type: event.Reuse, Kind: "users", Subject: "1", SessionID: firstID, Reason: "session_revoked", Address: "0.0.0.0"}, seen.one(t, a))
	a = w.refresh("users", "fjr_nonsense")
	require.Equal(t, event.Event{Type: event.RefreshRefused, Kind: "users", Reason: "session_ended", Address: "0.0.0.0"}, seen.one(t, a))

	second = w.tokensOf(w.refresh("users", second.Refresh))
	seen.take()
	a = w.get("/teachers/me", second.Access)
	require.Equal(t, event.Event{Type: event.Denied, Kind: "users", Subject: "1", SessionID: secondID, Reason: "wrong_kind", Address: "0.0.0.0"}, seen.one(t, a))
	a = w.get("/auth/teachers/me", second.Access)
	require.Equal(t, event.Denied, seen.one(t, a).Type)
	a = w.get("/fresh", second.Access)
	require.Equal(t, "insufficient_user_authentication", seen.one(t, a).Reason)

	body := `{"current_password":"something else","password":"` + newPassword + `"}`
	a = w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+second.Access)
	require.Equal(t, event.Event{Type: event.PasswordRefused, Kind: "users", Subject: "1", SessionID: secondID, Reason: "invalid_credentials", Address: "0.0.0.0"}, seen.one(t, a))
	body = `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
	a = w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+second.Access)
	require.Equal(t, event.Password, seen.one(t, a).Type)

	a = w.do("DELETE", "/auth/users/sessions/"+secondID, "", "Authorization", "Bearer "+second.Access)
	require.Equal(t, event.Event{Type: event.Revoke, Kind: "users", Subject: "1", SessionID: secondID, Address: "0.0.0.0"}, seen.one(t, a))
}

func TestLogoutEmitsEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	w.app.Post("/leave", func(c fiber.Ctx) error { return fiberjwt.Logout(c) })
	for _, test := range []struct {
		path string
		want event.Type
	}{
		{"/auth/users/logout", event.Logout},
		{"/auth/users/logout-all", event.LogoutAll},
		{"/leave", event.Logout},
	} {
		access := w.register("users", fmt.Sprintf("%d@example.com", len(test.path))).Access
		signedIn := seen.take()[0]
		a := w.do("POST", test.path, "", "Authorization", "Bearer "+access)
		e := seen.one(t, a)
		require.Equal(t, test.want, e.Type, test.path)
		require.Equal(t, signedIn.Subject, e.Subject, test.path)
		require.Equal(t, signedIn.SessionID, e.SessionID, test.path)
	}
	w.do("POST", "/auth/users/logout", "")
	require.Empty(t, seen.take(), "a logout without a session must emit no event")
}

func TestLogoutWithoutEffectEmitsNoEvent(t *testing.T) {
	var seen eventRecorder
	w := newMovedWorld(t, legacy.Tokens{Kind: "users"}, seen.listen)
	w.app.Post("/leave", func(c fiber.Ctx) error { return fiberjwt.Logout(c) })
	ended, other := w.login("users", "ann@example.com"), w.login("users", "ann@example.com")
	bearer := "Bearer " + ended.Access
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", bearer).Status)
	seen.take()
	for _, path := range []string{"/auth/users/logout", "/auth/users/logout-all"} {
		require.Equal(t, 204, w.do("POST", path, "", "Authorization", bearer).Status, "a repeated logout must succeed")
		require.Empty(t, seen.take(), path)
	}
	require.Equal(t, 200, w.refresh("users", other.Refresh).Status, "the other session must stay alive")
	seen.take()

	old := "Bearer " + oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, w.unixIn(time.Hour)))
	require.Equal(t, 200, w.do("POST", "/leave", "", "Authorization", old).Status)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", old).Status)
	require.Equal(t, 403, w.do("POST", "/auth/users/logout-all", "", "Authorization", old).Status, "logout-all must refuse tokens without a session")
	require.Empty(t, seen.take())
}

func TestInvalidOneTimeTokenEmitsEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	w.register("users", "ann@example.com")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.NoError(t, err)
	reset, err := fiberjwt.ResetToken(w.auth, stored[User](w), time.Minute)
	require.NoError(t, err)
	w.clock.Advance(time.Minute)
	seen.take()
	for _, attempt := range []struct {
		call    func() (*User, error)
		subject string
	}{
		{func() (*User, error) { return confirm.Redeem(t.Context(), w.auth, token) }, "1"},
		{func() (*User, error) { return confirm.Redeem(t.Context(), w.auth, "fjo_guess") }, ""},
		{func() (*User, error) { return confirm.Check(t.Context(), w.auth, reset) }, ""},
		{func() (*User, error) {
			return fiberjwt.ResetPassword[User](t.Context(), w.auth, reset, newPassword)
		}, "1"},
	} {
		_, err := attempt.call()
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
		want := event.Event{Type: event.LinkRefused, Kind: "users", Subject: attempt.subject, Reason: fiberjwt.ErrOneTimeToken.Code}
		require.Equal(t, []event.Event{want}, seen.take())
	}
}

func TestRefusedLoginCallEmitsEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "POST /magic") })
	w.app.Post("/magic", func(c fiber.Ctx) error {
		tokens, err := fiberjwt.Login(c, &User{ID: 1, PasswordHash: c.Get("Hash")})
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})
	w.addUser("ann@example.com")
	a := w.do("POST", "/magic", "")
	require.Equal(t, 401, a.Status, "the account that the application passed has an outdated hash")
	e := seen.one(t, a)
	require.Equal(t, event.LoginRefused, e.Type)
	require.Equal(t, "invalid_credentials", e.Reason)
}

func TestThrottledLoginEmitsThrottledEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	for range 5 {
		w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", "something else"))
	}
	seen.take()
	a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", "something else"))
	require.Equal(t, 429, a.Status, a.Body)
	require.Equal(t, event.Event{Type: event.Throttled, Kind: "users", Reason: "rate_limited", Address: "0.0.0.0"}, seen.one(t, a))
}

func TestRefusedTokenEventNamesAccountIfSigned(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	access := w.register("users", "ann@example.com").Access
	signedIn := seen.take()[0]
	get := func(token string) event.Event {
		t.Helper()
		return seen.one(t, w.get("/any", token))
	}
	require.Equal(t, event.Event{Type: event.TokenRefused, Reason: "token_malformed", Address: "0.0.0.0"}, get("nonsense"))
	require.Equal(t, "token_malformed", get(strings.TrimRight(access, "A")[:len(access)-8]+"AAAAAAAA").Reason)
	require.Equal(t, "token_malformed", get("two words").Reason)

	w.do("GET", "/open", "", "Authorization", "Bearer nonsense")
	require.Equal(t, "token_malformed", seen.take()[0].Reason, "a public route must emit the event although it answers the request")

	w.clock.Advance(11 * time.Minute)
	e := get(access)
	require.Equal(t, "token_expired", e.Reason)
	require.Equal(t, signedIn.SessionID, e.SessionID)
	w.clock.Advance(-11 * time.Minute)
	require.NoError(t, w.auth.Revoke(t.Context(), signedIn.SessionID))
	require.Equal(t, event.Event{
		Type: event.TokenRefused, Kind: "users", Subject: "1", SessionID: signedIn.SessionID, Reason: "token_revoked", Address: "0.0.0.0",
	}, get(access))
}

func TestMissingOrMalformedInputEmitsNoEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	w.do("GET", "/any", "")
	w.do("GET", "/any", "", "Authorization", "Basic eA==")
	w.do("POST", "/auth/users/login", "{")
	w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", "short"))
	w.do("POST", "/auth/users/refresh", "")
	w.do("PUT", "/auth/users/login", "{}")
	require.Empty(t, seen.take())
}

func TestCrossSiteRequestEmitsEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	b := w.browser()
	b.register("users", "ann@example.com")
	seen.take()
	b.site = "cross-site"
	require.Equal(t, "csrf", seen.one(t, b.do("POST", "/any", "")).Reason)
	e := seen.one(t, b.do("POST", "/auth/users/refresh", ""))
	require.Equal(t, event.RefreshRefused, e.Type)
	require.Equal(t, "csrf", e.Reason)
}

func TestFailingStoreEmitsOneFailedEvent(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	ann := w.register("users", "ann@example.com")
	seen.take()
	require.NoError(t, w.db.Close())
	for _, request := range [][3]string{
		{"GET", "/any", ""},
		{"POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)},
		{"POST", "/auth/users/register", credentials("users", "bob@example.com", testPassword)},
		{"POST", "/auth/users/refresh", `{"refresh_token":"` + ann.Refresh + `"}`},
		{"POST", "/auth/users/logout", ""},
	} {
		a := w.do(request[0], request[1], request[2], "Authorization", "Bearer "+ann.Access)
		require.Equal(t, 503, a.Status, request)
		e := seen.one(t, a)
		require.Equal(t, event.Failed, e.Type, request)
		require.Equal(t, "temporarily_unavailable", e.Reason)
	}
}

func TestRefusedTokenEmitsOneEventPerRequest(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen, func(cfg *fiberjwt.Config) { cfg.Routes, cfg.Public = nil, []string{"GET /auth/users/me"} })
	app := fiber.New()
	app.Use(w.auth.Handler())
	w.auth.Mount(app.Group("/auth")) // below the middleware, so each request is checked twice
	w.app = app
	for range 2 {
		require.Equal(t, 401, w.get("/auth/users/me", "nonsense").Status)
		require.Len(t, seen.take(), 1)
	}
}

// An attacker who sends invalid tokens causes events, and must not be able to fill the log with them.
func TestListenerPanicIsLoggedOncePerMinute(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OnEvent = func(context.Context, event.Event) { panic("listener failed") }
	})
	for range 5 {
		w.get("/any", "nonsense")
	}
	require.Equal(t, 1, strings.Count(w.log.String(), "OnEvent panicked"))
	w.clock.Advance(time.Minute)
	w.get("/any", "nonsense")
	require.Equal(t, 2, strings.Count(w.log.String(), "OnEvent panicked"))
	require.Contains(t, w.log.String(), "count=5")
}

func TestListenerPanicDoesNotChangeResponse(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OnEvent = func(context.Context, event.Event) { panic("listener failed") }
	})
	access := w.register("users", "ann@example.com").Access
	require.Contains(t, w.log.String(), "Config.OnEvent panicked")
	require.Contains(t, w.log.String(), "listener failed")
	require.Equal(t, 200, w.get("/users/me", access).Status)
	require.Equal(t, 401, w.get("/users/me", "nonsense").Status)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+access).Status)
}

func TestEventsContainNoSecretOrIdentity(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	ann := w.register("users", "ann@example.com")
	w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", "a wrong password"))
	w.get("/any", ann.Access+"x")
	w.refresh("users", ann.Refresh)
	w.refresh("users", ann.Refresh+"x")
	all, err := json.Marshal(seen.take())
	require.NoError(t, err)
	for _, secret := range []string{"ann@", "example.com", testPassword, "a wrong password", ann.Access, ann.Refresh, ann.Access[60:]} {
		require.NotContains(t, string(all), secret)
	}
}

func TestEventReasonsContainNoHookErrorText(t *testing.T) {
	for name, hook := range map[string]error{
		"refused":   fiber.NewError(402, "x@example.com has not paid"),
		"forbidden": errors.New("x@example.com is not allowed"),
	} {
		var seen eventRecorder
		w := newWorld(t, seen.listen, func(cfg *fiberjwt.Config) {
			cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: func(fiber.Ctx, *User) error { return hook }}}
		})
		a := w.do("POST", "/auth/users/register", credentials("users", "x@example.com", testPassword))
		require.Equal(t, name, seen.one(t, a).Reason)
	}
	var seen eventRecorder
	w := newWorld(t, seen.listen, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: func(fiber.Ctx, *User) error {
			return &fiberjwt.Error{Status: 403, Code: "x@example.com", Description: "x@example.com"}
		}}}
	})
	a := w.do("POST", "/auth/users/register", credentials("users", "x@example.com", testPassword))
	require.Equal(t, "refused", seen.one(t, a).Reason)
}

func TestEventIsLoggedAsSlogGroup(t *testing.T) {
	var text strings.Builder
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		audit := slog.New(slog.NewTextHandler(&text, nil))
		cfg.OnEvent = func(ctx context.Context, e event.Event) { audit.InfoContext(ctx, "auth", "event", e) }
	})
	w.do("GET", "/any", "", "Authorization", "Bearer x", "User-Agent", "a\tb")
	require.Contains(t, text.String(), `event.type=token_refused event.reason=token_malformed event.address=0.0.0.0 event.user_agent=ab`)
}

func TestRefusalWithoutListenerAllocatesLess(t *testing.T) {
	cost := func(configure ...func(*fiberjwt.Config)) float64 {
		w := newWorld(t, configure...)
		handler := w.app.Handler()
		var c fasthttp.RequestCtx
		c.Request.SetRequestURI("/any")
		c.Request.Header.Set("Authorization", "Bearer nonsense")
		return testing.AllocsPerRun(100, func() {
			c.Response.Reset()
			c.ResetUserValues() // as a server does
			handler(&c)
		})
	}
	silent := cost()
	heard := cost(func(cfg *fiberjwt.Config) { cfg.OnEvent = func(context.Context, event.Event) {} })
	require.Less(t, silent, heard, "without a listener, a refusal must allocate less than with one")
}

// contextChecker is a query hook. It counts the queries whose context has the value requestName, and keeps the others.
type contextChecker struct {
	mu      sync.Mutex
	without []string // queries without the value
	found   int
}

type requestName struct{}

func (h *contextChecker) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return ctx
}

func (h *contextChecker) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Value(requestName{}) == nil {
		h.without = append(h.without, e.Query)
		return
	}
	h.found++
}

func TestUserContextReachesQueriesHooksAndEvents(t *testing.T) {
	for name, configure := range map[string]func(*fiberjwt.Config){
		"without a cache": func(*fiberjwt.Config) {},
		"with a cache":    func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Minute },
	} {
		t.Run(name, func(t *testing.T) {
			missing := 0
			has := func(ctx context.Context) {
				if ctx.Value(requestName{}) == nil {
					missing++
				}
			}
			app := fiber.New()
			app.Use(func(c fiber.Ctx) error {
				c.SetContext(context.WithValue(context.Background(), requestName{}, "request"))
				return c.Next()
			})
			w := newWorld(t, configure, func(cfg *fiberjwt.Config) {
				cfg.Routes = app.Group("/auth")
				cfg.OnEvent = func(ctx context.Context, _ event.Event) { has(ctx) }
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
					Register: fiberjwt.Anyone[User],
					Allow:    func(ctx context.Context, _ *User) error { has(ctx); return nil },
				}}
			})
			app.Use(w.auth.Handler())
			app.Get("/users/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.JSON(u) }))
			app.Post("/leave", func(c fiber.Ctx) error { return fiberjwt.Logout(c) })
			w.app = app
			hook := &contextChecker{}
			w.db.AddQueryHook(hook)

			ann := w.register("users", "ann@example.com")
			w.login("users", "ann@example.com")
			w.clock.Advance(6 * time.Minute)
			ann = w.tokensOf(w.refresh("users", ann.Refresh))
			bearer := []string{"Authorization", "Bearer " + ann.Access}
			for _, request := range [][3]string{
				{"GET", "/users/me", ""},
				{"GET", "/auth/users/sessions", ""},
				{"DELETE", "/auth/users/sessions/AAAAAAAAAAAAAAAAAAAAAA", ""},
				{"POST", "/auth/users/password", `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`},
				{"POST", "/leave", ""},
				{"POST", "/auth/users/logout-all", ""},
				{"POST", "/auth/users/logout", ""},
			} {
				a := w.do(request[0], request[1], request[2], bearer...)
				require.Less(t, a.Status, 500, "%s %s", request, w.log)
			}
			hook.mu.Lock()
			defer hook.mu.Unlock()
			for _, query := range hook.without { // the poll for revoked sessions belongs to no request
				require.Contains(t, query, "revoked >", "a query of a request did not get its context")
			}
			require.Greater(t, hook.found, 12)
			require.Zero(t, missing, "Allow or OnEvent got a context without the value")
		})
	}
}
