// Code generated from ../../../test/api/sliding_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// slidingWorld has Cookie.Sliding, and users whose claim name is their full name.
func slidingWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	return quickWorld(t, append([]func(*fiberjwt.Config){func(cfg *fiberjwt.Config) {
		cfg.Cookie.Sliding = true
		cfg.Entities[0] = fiberjwt.Entity[User]{Claims: func(u *User) map[string]any { return map[string]any{"name": u.FullName} }}
	}}, configure...)...)
}

// page stores user 1 and returns a browser that is signed in as this user.
func (w *world) page() *browser {
	w.t.Helper()
	w.addUser("ann@example.com")
	b := w.browser()
	require.Equal(w.t, 200, b.do("POST", "/door/users/1?via=cookie", "").Status)
	return b
}

// look opens a page and returns the cookies that the response sets.
func (b *browser) look(path string, headers ...string) map[string]*http.Cookie {
	b.w.t.Helper()
	a := b.do("GET", path, "", append([]string{"Sec-Fetch-Dest", "document"}, headers...)...)
	return setCookies(b.w.t, a)
}

func TestSlidingRenewsCookieInSecondHalfOfLife(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	start := w.clock.Now()
	require.Empty(t, b.look("/users/me"))
	w.clock.Advance(4 * time.Minute)
	require.Empty(t, b.look("/users/me"), "the first half of the token's life is not over")

	_, err := w.db.NewUpdate().Model((*User)(nil)).Set("full_name = 'Ann Archer'").Where("id = 1").Exec(context.Background())
	require.NoError(t, err)
	w.clock.Advance(2 * time.Minute)
	a := b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document")
	cookies := setCookies(t, a)
	require.Len(t, cookies, 1, "sliding must not set the refresh cookie")
	require.Equal(t, fortnightInSec, cookies[userCookie].MaxAge)
	require.True(t, cookies[userCookie].HttpOnly)
	require.Equal(t, "private", a.Header.Get("Cache-Control"), "a shared cache must not store the cookie")

	w.clock.Advance(9 * time.Minute)
	s, err := w.auth.Verify(context.Background(), b.jar[userCookie].Value)
	require.NoError(t, err, "the renewed token must have the full AccessTTL")
	require.Equal(t, start.Unix(), s.AuthTime.Unix(), "sliding must not change AuthTime")
	var name string
	require.True(t, s.Claim("name", &name))
	require.Equal(t, "Ann Archer", name, "the claims must be those of the current row")
}

// After a pause longer than the life of a token, the client needs the refresh cookie.
func TestRefreshCookieOutlivesSlidingCookie(t *testing.T) {
	w := slidingWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{AccessTTL: time.Hour, IdleTTL: 4 * time.Hour, SessionTTL: 48 * time.Hour}
	})
	b := w.page()
	signedIn := w.clock.Now()
	require.Equal(t, 48*3600, b.jar[refreshCookie].MaxAge)
	for range 12 {
		w.clock.Advance(50 * time.Minute)
		require.Equal(t, 200, b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document").Status)
	}
	w.clock.Advance(2 * time.Hour)
	require.Equal(t, 401, b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document").Status)
	require.True(t, w.clock.Now().Before(signedIn.Add(time.Duration(b.jar[refreshCookie].MaxAge)*time.Second)), "the browser must still have the refresh cookie")
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	require.Equal(t, 4*3600, b.jar[userCookie].MaxAge)
}

func TestSlidingUpdatesLastRefresh(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	signedIn := w.clock.Now()
	w.clock.Advance(4 * time.Minute)
	require.Empty(t, b.look("/users/me"))
	require.Equal(t, signedIn, w.onlySession("users", "1").LastRefresh)
	w.clock.Advance(2 * time.Minute)
	require.NotEmpty(t, b.look("/users/me"))
	require.Equal(t, w.clock.Now(), w.onlySession("users", "1").LastRefresh)
	w.clock.Advance(20 * time.Minute)
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	require.Equal(t, w.clock.Now(), w.onlySession("users", "1").LastRefresh)
}

func TestSlidingIsOffByDefault(t *testing.T) {
	w := slidingWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Sliding = false })
	b := w.page()
	w.clock.Advance(9 * time.Minute)
	require.Empty(t, b.look("/users/me"))
}

func TestSlidingContinuesUntilSessionTTL(t *testing.T) {
	w := slidingWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{AccessTTL: time.Hour, IdleTTL: 4 * time.Hour, SessionTTL: 24 * time.Hour}
	})
	b := w.page()
	start, ends := w.clock.Now(), w.clock.Now().Add(24*time.Hour)
	for b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document").Status == 200 {
		s, err := w.auth.Verify(context.Background(), b.jar[userCookie].Value)
		require.NoError(t, err)
		require.False(t, s.ExpiresAt.After(ends), "a token must not outlive its session")
		require.LessOrEqual(t, b.jar[userCookie].MaxAge, 4*3600)
		w.clock.Advance(40 * time.Minute)
	}
	require.Equal(t, 24*time.Hour, w.clock.Now().Sub(start).Truncate(time.Hour), "the session must end exactly at its SessionTTL")
}

func TestSlidingNeedsOrdinaryRequestOfOwnPage(t *testing.T) {
	for name, test := range map[string]struct {
		site    string
		path    string
		headers []string
		renewed bool
	}{
		"a navigation":             {"same-origin", "/users/me", nil, true},
		"a typed address":          {"none", "/users/me", nil, true},
		"a fetch":                  {"same-origin", "/users/me", []string{"Sec-Fetch-Dest", "empty"}, true},
		"another site":             {"cross-site", "/users/me", nil, false},
		"a sibling subdomain":      {"same-site", "/users/me", nil, false},
		"no Sec-Fetch-Site":        {"", "/users/me", nil, false},
		"an image":                 {"same-origin", "/users/me", []string{"Sec-Fetch-Dest", "image"}, false},
		"a frame":                  {"same-origin", "/users/me", []string{"Sec-Fetch-Dest", "iframe"}, false},
		"a prefetch":               {"same-origin", "/users/me", []string{"Sec-Purpose", "prefetch;prerender"}, false},
		"a prefetch by Purpose":    {"same-origin", "/users/me", []string{"Purpose", "prefetch"}, false},
		"a prefetch by X-Moz":      {"same-origin", "/users/me", []string{"X-Moz", "prefetch"}, false},
		"an upgrade":               {"same-origin", "/users/me", []string{"Upgrade", "websocket"}, false},
		"a 403":                    {"same-origin", "/teachers/me", nil, false},
		"an error of the handler":  {"same-origin", "/failed", nil, false},
		"a 404":                    {"same-origin", "/missing", nil, false},
		"Cache-Control public":     {"same-origin", "/cached/public, max-age=60", nil, false},
		"Cache-Control s-maxage":   {"same-origin", "/cached/s-maxage=60", nil, false},
		"private for one header":   {"same-origin", `/cached/max-age=60, private="x-name"`, nil, false},
		"private for some headers": {"same-origin", `/cached/max-age=60, private="x-name, private, x"`, nil, false},
		"Cache-Control private":    {"same-origin", "/cached/private, max-age=60", nil, true},
		"Cache-Control no-store":   {"same-origin", "/cached/no-store", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := slidingWorld(t)
			w.app.Get("/failed", func(fiber.Ctx) error { return errors.New("broken") })
			w.app.Get("/missing", func(c fiber.Ctx) error { return c.SendStatus(404) })
			w.app.Get("/cached/:rule", func(c fiber.Ctx) error {
				c.Set("Cache-Control", c.Params("rule"))
				return c.SendString("cached")
			})
			b := w.page()
			w.clock.Advance(6 * time.Minute)
			b.site = test.site
			headers := test.headers
			if test.headers == nil || test.headers[0] != "Sec-Fetch-Dest" {
				headers = append([]string{"Sec-Fetch-Dest", "document"}, headers...)
			}
			cookies := setCookies(t, b.do("GET", (&url.URL{Path: test.path}).EscapedPath(), "", headers...))
			require.Equal(t, test.renewed, cookies[userCookie] != nil)
		})
	}
}

func TestSlidingIgnoresHEAD(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	w.clock.Advance(6 * time.Minute)
	a := b.do("HEAD", "/users/me", "", "Sec-Fetch-Dest", "empty")
	require.Equal(t, 200, a.Status)
	require.Empty(t, setCookies(t, a))
}

func TestSlidingDoesNotExtendGrantWithTTLOrClaims(t *testing.T) {
	for name, test := range map[string]struct {
		options fiberjwt.LoginOptions
		renewed bool
	}{
		"TTL":      {fiberjwt.LoginOptions{TTL: 2 * time.Minute}, false},
		"Claims":   {fiberjwt.LoginOptions{Claims: map[string]any{"support": true}}, false},
		"AuthTime": {fiberjwt.LoginOptions{AuthTime: time.Unix(1, 0)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := slidingWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
			w.addUser("ann@example.com")
			w.app.Get("/granted", func(c fiber.Ctx) error {
				test.options.Transport = fiberjwt.TransportCookie
				_, err := fiberjwt.Login(c, stored[User](w), test.options)
				return err
			})
			b := w.browser()
			require.Equal(t, 200, b.do("GET", "/granted", "").Status)
			s, err := w.auth.Verify(context.Background(), b.jar[userCookie].Value)
			require.NoError(t, err)
			w.clock.Advance(s.ExpiresAt.Sub(s.IssuedAt) * 3 / 4)
			require.Equal(t, test.renewed, b.look("/users/me")[userCookie] != nil)
		})
	}
}

func TestResponsesThatSetCookiesAreNotCached(t *testing.T) {
	w := slidingWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	w.addUser("ann@example.com")
	w.app.Get("/in/:rule", func(c fiber.Ctx) error {
		c.Set("Cache-Control", c.Params("rule"))
		_, err := fiberjwt.Login(c, stored[User](w), fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie})
		return errors.Join(err, c.Redirect().To("/"))
	})
	w.app.Get("/out", func(c fiber.Ctx) error { return fiberjwt.Logout(c) })
	b := w.browser()
	for path, rule := range map[string]string{"/in/-": "no-store", "/in/public": "no-store", "/in/private": "private"} {
		a := b.do("GET", path, "")
		require.Len(t, setCookies(t, a), 2, path)
		require.Equal(t, rule, a.Header.Get("Cache-Control"), path)
	}
	require.Equal(t, "no-store", b.do("GET", "/out", "").Header.Get("Cache-Control"))
}

// This route is the auth_request of the nginx configuration in docs/how-to/proxy.md.
func TestProxyCheckAppliesCSRFRules(t *testing.T) {
	w := slidingWorld(t)
	w.app.All("/check", fiberjwt.Require("users"), func(c fiber.Ctx) error { return c.SendStatus(204) })
	b := w.page()
	require.Equal(t, 204, b.do("GET", "/check", "").Status)
	require.Equal(t, 401, w.do("OPTIONS", "/check", "").Status, "an OPTIONS request without a token must be refused")
	b.site = "same-site"
	require.Equal(t, 204, b.do("GET", "/check", "").Status)
	require.Equal(t, 403, b.do("POST", "/check", "").Status)
	require.Equal(t, 403, b.do("GET", "/check", "", "Upgrade", "websocket").Status, "a sibling subdomain must not open a WebSocket")
}

func TestBuiltInRouteAcceptsItsKindOnly(t *testing.T) {
	w := slidingWorld(t)
	teacher := w.register("teachers", "toby").Access
	b := w.browser()
	require.Equal(t, 200, b.do("POST", "/door/teachers/1?via=cookie", "").Status)
	require.Equal(t, 401, b.do("GET", "/auth/users/me", "").Status, "a built-in route must ignore the cookie of another kind")
	require.Equal(t, 200, b.do("GET", "/auth/teachers/me", "").Status)
	require.Equal(t, 403, w.get("/auth/users/me", teacher).Status)
}

func TestSlidingIgnoresTokensInHeaders(t *testing.T) {
	w := slidingWorld(t)
	w.addUser("ann@example.com")
	access := w.enter("users", 1).Access
	w.clock.Advance(6 * time.Minute)
	a := w.do("GET", "/users/me", "", "Authorization", "Bearer "+access, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
	require.Equal(t, 200, a.Status)
	require.Empty(t, setCookies(t, a))
}

func TestSlidingNeverRevivesEndedSession(t *testing.T) {
	w := slidingWorld(t)
	w.app.Get("/leave", func(c fiber.Ctx) error { return fiberjwt.Logout(c) })
	w.app.Get("/revoked", func(c fiber.Ctx) error { // as if another request ended the session
		require.NoError(t, fiberjwt.RevokeAll(c.Context(), w.auth, &User{ID: 1}))
		return c.SendString("bye")
	})
	for _, path := range []string{"/leave", "/revoked"} {
		b := w.browser()
		if w.count("users") == 0 {
			w.addUser("ann@example.com")
		}
		require.Equal(t, 200, b.do("POST", "/door/users/1?via=cookie", "").Status)
		before := b.jar[userCookie].Value
		w.clock.Advance(6 * time.Minute)
		if cookie := b.look(path)[userCookie]; cookie != nil {
			require.Empty(t, cookie.Value, path)
		}
		require.Equal(t, 401, w.get("/users/me", before).Status)
	}
}

func TestSlidingDoesNotOverrideSignInOfHandler(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	w.addUser("bob@example.com")
	w.clock.Advance(6 * time.Minute)
	a := b.do("POST", "/door/users/2?via=cookie", "", "Sec-Fetch-Dest", "empty")
	require.Equal(t, 200, a.Status, a.Body)
	require.Len(t, setCookies(t, a), 2)
	require.Contains(t, b.do("GET", "/users/me", "").Body, "bob@example.com")
}

func TestLoginAndRegisterEndReplacedSession(t *testing.T) {
	bob := credentials("users", "bob@example.com", testPassword)
	register := strings.TrimSuffix(bob, "}") + `,"transport":"cookie"}`
	for name, test := range map[string]struct{ path, body string }{
		"Login":    {"/door/users/2?via=cookie", ""},
		"register": {"/auth/users/register", register},
	} {
		t.Run(name, func(t *testing.T) {
			w := slidingWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}
			})
			b := w.page()
			if test.body == "" {
				w.addUser("bob@example.com")
			}
			w.clock.Advance(6 * time.Minute)
			// A page of ann is answered after the browser has signed in as bob.
			w.app.Get("/slow", func(c fiber.Ctx) error {
				require.Less(t, b.do("POST", test.path, test.body).Status, 300)
				return c.SendString("slow")
			})
			require.NotContains(t, b.look("/slow"), userCookie, "the response must not bring back ann's session")
			require.Contains(t, b.do("GET", "/users/me", "").Body, "bob@example.com")
			require.Empty(t, w.sessions("users", "1"), "the sign-in as bob must end ann's session")
		})
	}
}

func TestLogoutEndsSessionsOfBothCookies(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	late := b.jar[userCookie]
	w.addUser("bob@example.com")
	require.Equal(t, 200, b.do("POST", "/door/users/2?via=cookie", "").Status)
	b.jar[userCookie] = late // as if a response to ann arrived late
	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").Status)
	for _, subject := range []string{"1", "2"} {
		require.Empty(t, w.sessions("users", subject), "logout must end the sessions of both cookies")
	}
	require.Empty(t, b.jar)
}

func TestSlidingRenewsOnlyTheKindThatNeedsIt(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	w.clock.Advance(6 * time.Minute)
	_, err := w.db.NewInsert().Model(&Teacher{Login: "toby", PasswordHash: "x"}).Exec(context.Background())
	require.NoError(t, err)
	require.Equal(t, 200, b.do("POST", "/door/teachers/1?via=cookie", "").Status)
	cookies := b.look("/either")
	require.Contains(t, cookies, userCookie)
	require.NotContains(t, cookies, teacherCookie)
}

func TestFailedSlidingDoesNotFailRequest(t *testing.T) {
	store := &failingSlide{}
	w := slidingWorld(t, func(cfg *fiberjwt.Config) {
		store.SQL = session.NewSQL(cfg.DB)
		cfg.Store = store
	})
	b := w.page()
	w.clock.Advance(6 * time.Minute)
	store.broken = true
	a := b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document")
	require.Equal(t, 200, a.Status)
	require.Empty(t, setCookies(t, a))
	store.broken = false
	require.Contains(t, b.look("/users/me"), userCookie)
}

// failingSlide is an SQL store whose Slide fails if broken is set.
type failingSlide struct {
	*session.SQL
	broken bool
}

func (s *failingSlide) Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (session.Row, bool, error) {
	if s.broken {
		return session.Row{}, false, errors.New("no connection")
	}
	return s.SQL.Slide(ctx, kind, sid, now, idle)
}

func TestSlidingReloadsAccount(t *testing.T) {
	w := slidingWorld(t)
	b := w.page()
	w.app.Get("/delete", func(c fiber.Ctx) error {
		_, err := w.db.NewDelete().Model((*User)(nil)).Where("id = 1").Exec(c.Context())
		require.NoError(t, err)
		return c.SendString("gone")
	})
	w.clock.Advance(6 * time.Minute)
	require.Empty(t, b.look("/delete"), "a deleted account must not get a token")
}

func TestOpenRefusesSlidingWithoutCapableStore(t *testing.T) {
	_, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), Cookie: fiberjwt.Cookie{Sliding: true}})
	require.ErrorContains(t, err, "Config.Cookie.Sliding")
	_, err = fiberjwt.Open(fiberjwt.Config{
		DB: newDB(t), Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
		Store: struct{ session.Store }{}, Cookie: fiberjwt.Cookie{Sliding: true},
	})
	require.ErrorContains(t, err, "Config.Cookie.Sliding")
}
