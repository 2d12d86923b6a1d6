package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/basicauth"
	"github.com/gofiber/fiber/v2/middleware/cache"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/gofiber/fiber/v2/middleware/csrf"
	"github.com/gofiber/fiber/v2/middleware/encryptcookie"
	"github.com/gofiber/fiber/v2/middleware/etag"
	"github.com/gofiber/fiber/v2/middleware/helmet"
	"github.com/gofiber/fiber/v2/middleware/idempotency"
	"github.com/gofiber/fiber/v2/middleware/limiter"
	"github.com/gofiber/fiber/v2/middleware/logger"
	"github.com/gofiber/fiber/v2/middleware/proxy"
	recovery "github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/middleware/requestid"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gofiber/fiber/v2/middleware/timeout"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// stack is an application with other middleware above and below fiberjwt.
type stack struct {
	t     *testing.T
	app   *fiber.App
	log   bytes.Buffer
	times int // how often a handler below ran
}

// newStack returns an application with GET and POST /me, which return the user,
// GET /cacheable, which every cache may store, and GET /open, which is public. The
// middleware in below runs between fiberjwt and these routes.
func newStack(t *testing.T, above, below []fiber.Handler, changes ...func(*fiberjwt.Config)) *stack {
	t.Helper()
	s := &stack{t: t, app: fiber.New()}
	for _, handler := range above {
		s.app.Use(handler)
	}
	cfg := fiberjwt.Config{
		DB:       newDB(t),
		Secret:   []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"),
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
		Routes:   s.app.Group("/auth"),
		Public:   []string{"GET /open", "POST /open"},
		Logger:   slog.New(slog.NewTextHandler(&s.log, nil)),

		ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	}
	for _, change := range changes {
		change(&cfg)
	}
	s.app.Use(fiberjwt.New(cfg))
	for _, handler := range below {
		s.app.Use(handler)
	}
	who := func(c *fiber.Ctx) error {
		s.times++
		u, ok := fiberjwt.Current[User](c)
		if !ok {
			return c.SendString("anonymous")
		}
		return c.SendString(u.Email)
	}
	s.app.All("/me", fiberjwt.Require("users"), who)
	s.app.All("/open", who)
	s.app.Get("/cacheable", fiberjwt.Require("users"), func(c *fiber.Ctx) error {
		c.Set("Cache-Control", "public, max-age=60")
		return who(c)
	})
	return s
}

type reply struct {
	Status int
	Header http.Header
	Body   string
}

func (s *stack) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := s.app.Test(r, -1)
	require.NoError(s.t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, answer.Body.Close())
	require.Empty(s.t, answer.Header.Values("X-Fiberjwt-Owner"))
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// signUp returns the Authorization header of a new account.
func (s *stack) signUp(name string, headers ...string) []string {
	s.t.Helper()
	a := s.do("POST", "/auth/users/register", `{"email":"`+name+`","password":"`+password+`"}`, headers...)
	require.Equal(s.t, 201, a.Status, a.Body)
	var tokens fiberjwt.Tokens
	require.NoError(s.t, json.Unmarshal([]byte(a.Body), &tokens))
	return []string{"Authorization", "Bearer " + tokens.AccessToken}
}

// signUpByCookie returns the Cookie header of a new account.
func (s *stack) signUpByCookie(name string) []string {
	s.t.Helper()
	a := s.do("POST", "/auth/users/register", `{"email":"`+name+`","password":"`+password+`","transport":"cookie"}`, "Sec-Fetch-Site", "same-origin")
	require.Equal(s.t, 201, a.Status, a.Body)
	var cookies []string
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	return []string{"Cookie", strings.Join(cookies, "; ")}
}

const idempotencyKey = "11111111-2222-4333-8444-555555555555"

// Below fiberjwt, Bob's request would be verified, and Fiber's cache middleware would
// then return Ann's response to him, whatever its headers say about caching.
func TestCacheBelowNeverServesOtherUsers(t *testing.T) {
	for name, settings := range map[string]cache.Config{
		"default":      {},
		"with headers": {StoreResponseHeaders: true, CacheControl: true},
		"of POST":      {Methods: []string{"GET", "HEAD", "POST"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, nil, []fiber.Handler{cache.New(settings)})
			ann, bob := s.signUp("ann@example.com"), s.signUp("bob@example.com")
			cookie := s.signUpByCookie("cid@example.com")
			for range 2 {
				for _, path := range []string{"/me", "/open", "/cacheable"} {
					require.Equal(t, "ann@example.com", s.do("GET", path, "", ann...).Body, path)
					require.Equal(t, "bob@example.com", s.do("GET", path, "", bob...).Body, path)
					require.Equal(t, "cid@example.com", s.do("GET", path, "", cookie...).Body, path)
				}
				require.Equal(t, "ann@example.com", s.do("POST", "/me", "", ann...).Body)
				require.Equal(t, "bob@example.com", s.do("POST", "/me", "", bob...).Body)
				require.Equal(t, 401, s.do("GET", "/me", "").Status)
				require.Equal(t, "anonymous", s.do("GET", "/open", "").Body)
			}
			before := s.times
			require.Equal(t, "hit", s.do("GET", "/open", "").Header.Get("X-Cache"), "the response to anonymous requests is cached")
			require.Equal(t, before, s.times)
			require.Empty(t, s.log.String())
		})
	}
}

// This is the snippet of docs/operate/deployment.md for responses that may be cached.
func TestCacheBelowCanCachePerAccount(t *testing.T) {
	s := newStack(t, nil, []fiber.Handler{
		func(c *fiber.Ctx) error {
			c.Request().Header.Del(fiber.HeaderCacheControl)
			return c.Next()
		},
		cache.New(cache.Config{KeyGenerator: func(c *fiber.Ctx) string {
			key := strings.Clone(c.Path())
			if s, ok := fiberjwt.SessionOf(c); ok {
				key += " " + s.Kind + " " + s.Subject
			}
			return key
		}}),
	})
	ann, bob := s.signUp("ann@example.com"), s.signUp("bob@example.com")
	for range 3 {
		require.Equal(t, "ann@example.com", s.do("GET", "/me", "", ann...).Body)
		require.Equal(t, "bob@example.com", s.do("GET", "/me", "", bob...).Body)
	}
	require.Equal(t, 2, s.times)
}

// Above fiberjwt, the cache middleware returns a stored response before the token is
// checked.
func TestCacheAboveIsRefused(t *testing.T) {
	for name, settings := range map[string]cache.Config{
		"default":               {},
		"with headers":          {StoreResponseHeaders: true},
		"with a header renamed": {CacheHeader: "X-Kept"},
		"of POST":               {Methods: []string{"GET", "POST"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, []fiber.Handler{recovery.New(), cache.New(settings), etag.New()}, nil)
			if name == "of POST" {
				require.Equal(t, 500, s.do("POST", "/auth/users/login", "{}").Status)
				require.Contains(t, s.log.String(), "Fiber's cache middleware is above fiberjwt")
				return
			}
			ann, bob := s.signUp("ann@example.com", "Cache-Control", "no-store"), s.signUp("bob@example.com", "Cache-Control", "no-store")
			for _, path := range []string{"/me", "/open", "/cacheable", "/auth/users/me"} {
				a := s.do("GET", path, "", ann...)
				require.Equal(t, 500, a.Status, path)
				require.NotContains(t, a.Body, "cache", "the response shows the cause to the client")
				for _, headers := range [][]string{bob, nil} {
					require.NotContains(t, s.do("GET", path, "", headers...).Body, "ann@example.com", path)
				}
				if path == "/open" {
					require.Equal(t, 200, s.do("GET", path, "").Status, "the refusal was cached for all clients")
				}
			}
			require.Contains(t, s.log.String(), "Fiber's cache middleware is above fiberjwt")
			require.Equal(t, 1, strings.Count(s.log.String(), "\n"), "the log has at most one line a minute")
			require.Equal(t, "ann@example.com", s.do("POST", "/me", "", append(ann, "Cache-Control", "no-store")...).Body)
		})
	}
	t.Run("on the route", func(t *testing.T) {
		s := newStack(t, nil, nil)
		sub := fiber.New()
		sub.Get("/own", cache.New(), fiberjwt.New(fiberjwt.Config{
			Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		}), func(c *fiber.Ctx) error { return c.SendString("private") })
		ann := s.signUp("ann@example.com")
		s.app = sub
		require.Equal(t, 500, s.do("GET", "/own", "", ann...).Status)
	})
}

// This is the handler of docs/operate/deployment.md, above a cache that stands above
// fiberjwt.
func TestCacheAboveServesOnlyAnonymousRequests(t *testing.T) {
	private := func(c *fiber.Ctx) error {
		if c.Get(fiber.HeaderAuthorization) != "" || c.Get(fiber.HeaderCookie) != "" || c.Method() != fiber.MethodGet {
			c.Request().Header.Set(fiber.HeaderCacheControl, "no-store")
		}
		return c.Next()
	}
	s := newStack(t, []fiber.Handler{private, cache.New()}, nil)
	ann, bob, cid := s.signUp("ann@example.com"), s.signUp("bob@example.com"), s.signUpByCookie("cid@example.com")
	for range 2 {
		for _, path := range []string{"/me", "/open", "/auth/users/me"} {
			s.do("GET", path, "")
			require.Contains(t, s.do("GET", path, "", ann...).Body, "ann@example.com", path)
			require.Contains(t, s.do("GET", path, "", bob...).Body, "bob@example.com", path)
			require.Contains(t, s.do("GET", path, "", cid...).Body, "cid@example.com", path)
		}
	}
	require.Equal(t, "hit", s.do("GET", "/open", "").Header.Get("X-Cache"))
	require.Empty(t, s.log.String())
}

// Caches that obey HTTP, and middleware above that reads responses, rely on these
// headers.
func TestSignedInResponsesArePrivate(t *testing.T) {
	s := newStack(t, nil, nil)
	ann, cid := s.signUp("ann@example.com"), s.signUpByCookie("cid@example.com")
	s.app.Get("/fails", func(c *fiber.Ctx) error { return fiber.NewError(418) })
	for _, credential := range [][]string{ann, cid} {
		require.Equal(t, "private", s.do("GET", "/me", "", credential...).Header.Get("Cache-Control"))
		require.Equal(t, "private", s.do("GET", "/open", "", credential...).Header.Get("Cache-Control"))
		require.Equal(t, "private", s.do("GET", "/missing", "", credential...).Header.Get("Cache-Control"))
		require.Equal(t, "private", s.do("GET", "/fails", "", credential...).Header.Get("Cache-Control"))
		require.Equal(t, "public, max-age=60", s.do("GET", "/cacheable", "", credential...).Header.Get("Cache-Control"), "the header of the handler was replaced")
	}
	require.Empty(t, s.do("GET", "/open", "").Header.Get("Cache-Control"), "an anonymous response to a public route")
	require.Equal(t, "no-store", s.do("GET", "/me", "").Header.Get("Cache-Control"))
}

// Proxy handlers replace all headers of the response.
func TestProxiedResponsesKeepVaryAndCacheControl(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")
		if r.URL.Query().Has("public") {
			w.Header().Set("Cache-Control", "public, max-age=60")
		}
		_, _ = io.WriteString(w, "from upstream")
	}))
	t.Cleanup(upstream.Close)
	s := newStack(t, nil, nil)
	s.app.Get("/do", func(c *fiber.Ctx) error {
		return proxy.Do(c, upstream.URL+"/?"+string(c.Context().QueryArgs().QueryString()))
	})
	s.app.Get("/forward", proxy.Forward(upstream.URL))
	s.app.Get("/balancer", proxy.Balancer(proxy.Config{Servers: []string{upstream.URL}}))
	s.app.Get("/balancer-forward", proxy.BalancerForward([]string{upstream.URL}))
	s.app.Get("/reset", func(c *fiber.Ctx) error {
		c.Response().Reset()
		return c.SendString("from upstream")
	})
	s.app.Get("/down", func(c *fiber.Ctx) error {
		c.Response().Reset()
		return fiber.ErrBadGateway
	})
	ann, cid := s.signUp("ann@example.com"), s.signUpByCookie("cid@example.com")
	for _, path := range []string{"/do", "/forward", "/balancer", "/balancer-forward", "/reset", "/down"} {
		for _, credential := range [][]string{ann, cid} {
			a := s.do("GET", path, "", credential...)
			vary := strings.Join(a.Header.Values("Vary"), ", ")
			require.Contains(t, vary, "Authorization", path)
			require.Contains(t, vary, "Cookie", path)
			require.Equal(t, credential[0] == "Cookie", strings.Contains(vary, "Sec-Fetch-Site"), path)
			require.Equal(t, "private", a.Header.Get("Cache-Control"), path)
			if path == "/do" || strings.HasPrefix(path, "/balancer") {
				require.Contains(t, vary, "Accept-Encoding", path)
			}
		}
	}
	require.Equal(t, "public, max-age=60", s.do("GET", "/do?public", "", ann...).Header.Get("Cache-Control"))
	require.NotContains(t, s.do("GET", "/me", "", ann...).Header.Get("Vary"), "Authorization, Cookie, Authorization", "each value once")
}

// With the same idempotency key, Bob would get Ann's response including her cookies.
func TestIdempotencyAboveIsRefused(t *testing.T) {
	s := newStack(t, []fiber.Handler{idempotency.New()}, nil)
	for _, path := range []string{"/auth/users/register", "/auth/users/login", "/auth/users/refresh"} {
		a := s.do("POST", path, "{}", "X-Idempotency-Key", idempotencyKey)
		require.Equal(t, 500, a.Status, path)
	}
	require.Contains(t, s.log.String(), "Fiber's idempotency middleware is above fiberjwt")
	require.Equal(t, 1, strings.Count(s.log.String(), "\n"), "the log has at most one line a minute")
	require.Equal(t, 401, s.do("GET", "/me", "").Status, "only requests that change something are refused")
}

// Below fiberjwt, a response is repeated to the account that it was for.
func TestIdempotencyBelowReplaysOnlyToTheOwner(t *testing.T) {
	for name, settings := range map[string]struct {
		idempotency.Config
		header  string
		refused bool
	}{
		"default":              {idempotency.Config{}, "X-Idempotency-Key", false},
		"another header":       {idempotency.Config{KeyHeader: "Idempotency-Key"}, "Idempotency-Key", false},
		"headers without ours": {idempotency.Config{KeepResponseHeaders: []string{"Content-Type"}}, "X-Idempotency-Key", true},
		"headers with ours":    {idempotency.Config{KeepResponseHeaders: []string{"Content-Type", "X-Fiberjwt-Owner"}}, "X-Idempotency-Key", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, nil, []fiber.Handler{idempotency.New(settings.Config)})
			key := []string{settings.header, idempotencyKey}
			ann, bob := append(s.signUp("ann@example.com"), key...), append(s.signUp("bob@example.com"), key...)
			require.Equal(t, "ann@example.com", s.do("POST", "/me", "", ann...).Body)
			require.Empty(t, s.log.String())
			a := s.do("POST", "/me", "", bob...)
			require.Equal(t, 500, a.Status)
			require.NotContains(t, a.Body, "ann")
			require.NotContains(t, s.do("POST", "/open", "", key...).Body, "ann", "an anonymous client got the response on a public route")
			require.Contains(t, s.log.String(), "Fiber's idempotency middleware repeats a response")
			again := s.do("POST", "/me", "", ann...)
			if settings.refused {
				require.Equal(t, 500, again.Status)
				require.Contains(t, s.log.String(), "X-Fiberjwt-Owner")
				return
			}
			require.Equal(t, "ann@example.com", again.Body)
			require.Equal(t, 1, s.times, "the handler ran twice")
		})
	}
}

// This is the handler of docs/operate/deployment.md.
func TestIdempotencyBelowWorksWithAccountKeys(t *testing.T) {
	own := func(c *fiber.Ctx) error {
		if s, ok := fiberjwt.SessionOf(c); ok && c.Get("X-Idempotency-Key") != "" {
			sum := sha256.Sum256([]byte(s.Kind + " " + s.Subject + " " + c.Get("X-Idempotency-Key")))
			c.Request().Header.Set("X-Idempotency-Key", hex.EncodeToString(sum[:18])) // 36 characters, like a UUID
		}
		return c.Next()
	}
	s := newStack(t, nil, []fiber.Handler{own, idempotency.New()})
	key := []string{"X-Idempotency-Key", idempotencyKey}
	ann, bob := append(s.signUp("ann@example.com"), key...), append(s.signUp("bob@example.com"), key...)
	for range 3 {
		require.Equal(t, "ann@example.com", s.do("POST", "/me", "", ann...).Body)
		require.Equal(t, "bob@example.com", s.do("POST", "/me", "", bob...).Body)
	}
	require.Equal(t, 2, s.times)
}

// Fiber's csrf middleware refuses sign-ins before fiberjwt sees them.
func TestCSRFMiddlewareAboveIsLogged(t *testing.T) {
	s := newStack(t, []fiber.Handler{csrf.New()}, nil)
	require.Equal(t, 403, s.do("POST", "/auth/users/login", "{}").Status)
	for range 3 {
		s.do("GET", "/me", "")
	}
	require.Contains(t, s.log.String(), "Fiber's csrf middleware")
	require.Equal(t, 1, strings.Count(s.log.String(), "\n"))

	s = newStack(t, nil, []fiber.Handler{csrf.New()})
	ann := s.signUp("ann@example.com")
	require.Empty(t, s.log.String(), "below, it applies to the routes there only")
	require.Equal(t, 403, s.do("POST", "/me", "", ann...).Status, "the routes below need its token")
	token := s.do("GET", "/me", "", ann...).Header.Get("Set-Cookie")
	token = strings.TrimPrefix(strings.Split(token, ";")[0], "csrf_=")
	require.Equal(t, 200, s.do("POST", "/me", "", append(ann, "X-Csrf-Token", token, "Cookie", "csrf_="+token)...).Status)
}

// This tests every other line of the table of middleware in
// docs/operate/deployment.md.
func TestOtherMiddlewareIsCompatible(t *testing.T) {
	store := session.New()
	counting := func(c *fiber.Ctx) error {
		own, err := store.Get(c)
		if err != nil {
			return err
		}
		own.Set("seen", true)
		if err := own.Save(); err != nil {
			return err
		}
		return c.Next()
	}
	key := encryptcookie.GenerateKey()
	for name, test := range map[string]struct{ above, below []fiber.Handler }{
		"recover above":       {above: []fiber.Handler{recovery.New()}},
		"logger above":        {above: []fiber.Handler{logger.New(logger.Config{Output: io.Discard})}},
		"requestid above":     {above: []fiber.Handler{requestid.New()}},
		"helmet above":        {above: []fiber.Handler{helmet.New()}},
		"helmet below":        {below: []fiber.Handler{helmet.New()}},
		"cors above":          {above: []fiber.Handler{cors.New(cors.Config{AllowOrigins: "https://app.example.com", AllowCredentials: true})}},
		"compress above":      {above: []fiber.Handler{compress.New()}},
		"compress below":      {below: []fiber.Handler{compress.New()}},
		"etag above":          {above: []fiber.Handler{etag.New()}},
		"etag below":          {below: []fiber.Handler{etag.New()}},
		"limiter above":       {above: []fiber.Handler{limiter.New(limiter.Config{Max: 1000})}},
		"limiter below":       {below: []fiber.Handler{limiter.New(limiter.Config{Max: 1000})}},
		"session above":       {above: []fiber.Handler{counting}},
		"session below":       {below: []fiber.Handler{counting}},
		"encryptcookie above": {above: []fiber.Handler{encryptcookie.New(encryptcookie.Config{Key: key})}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, test.above, test.below)
			ann, bob, cid := s.signUp("ann@example.com"), s.signUp("bob@example.com"), s.signUpByCookie("cid@example.com")
			for range 2 {
				require.Equal(t, "ann@example.com", s.do("GET", "/me", "", ann...).Body)
				require.Equal(t, "bob@example.com", s.do("GET", "/me", "", bob...).Body)
				require.Equal(t, "cid@example.com", s.do("GET", "/me", "", cid...).Body)
				require.Equal(t, "cid@example.com", s.do("POST", "/me", "", append(cid, "Sec-Fetch-Site", "same-origin")...).Body)
			}
			etag := s.do("GET", "/me", "", ann...).Header.Get("ETag")
			if etag != "" {
				require.Equal(t, 304, s.do("GET", "/me", "", append(ann, "If-None-Match", etag)...).Status)
				require.Equal(t, "bob@example.com", s.do("GET", "/me", "", append(bob, "If-None-Match", etag)...).Body)
			}
			require.Equal(t, 403, s.do("POST", "/me", "", append(cid, "Sec-Fetch-Site", "cross-site")...).Status)
			require.Equal(t, 401, s.do("GET", "/me", "").Status)
			require.Equal(t, 204, s.do("POST", "/auth/users/logout", "", append(cid, "Sec-Fetch-Site", "same-origin")...).Status)
			require.Equal(t, 401, s.do("GET", "/me", "", cid...).Status)
			require.NotContains(t, s.log.String(), "level=ERROR")
		})
	}
}

// Below fiberjwt, the middleware would encrypt the cookies that fiberjwt sets and
// fiberjwt could not read them.
func TestEncryptCookieBelowNeedsExcept(t *testing.T) {
	login := func(c *fiber.Ctx) error {
		_, err := fiberjwt.Login(c, &User{ID: 1}, fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie})
		return err
	}
	for name, except := range map[string][]string{"without Except": nil, "with Except": {"__Host-Http-users", "__Secure-users-refresh", "__Secure-users-device"}} {
		s := newStack(t, nil, []fiber.Handler{encryptcookie.New(encryptcookie.Config{Key: encryptcookie.GenerateKey(), Except: except})},
			func(cfg *fiberjwt.Config) {
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Password: "-"}}
				cfg.Public = append(cfg.Public, "POST /enter")
				_, err := cfg.DB.NewInsert().Model(&User{Email: "ann@example.com"}).Exec(t.Context())
				require.NoError(t, err)
			})
		s.app.Post("/enter", login)
		a := s.do("POST", "/enter", "")
		require.Equal(t, 200, a.Status, a.Body)
		access := (&http.Response{Header: a.Header}).Cookies()[0]
		status := s.do("GET", "/me", "", "Cookie", access.Name+"="+access.Value).Status
		require.Equal(t, map[string]int{"without Except": 401, "with Except": 200}[name], status, name)
	}
}

// Both middlewares read the Authorization header, each for another scheme.
func TestBasicAuthAboveWorksWithCookies(t *testing.T) {
	s := newStack(t, nil, nil)
	cid := s.signUpByCookie("cid@example.com")
	outer := fiber.New()
	outer.Use(basicauth.New(basicauth.Config{Users: map[string]string{"staff": "open sesame"}}))
	outer.Mount("/", s.app)
	s.app = outer
	basic := []string{"Authorization", "Basic c3RhZmY6b3BlbiBzZXNhbWU="}
	require.Equal(t, 401, s.do("GET", "/me", "", cid...).Status)
	require.Equal(t, "cid@example.com", s.do("GET", "/me", "", append(cid, basic...)...).Body)
}

// A deadline of the request also limits the queries of fiberjwt.
func TestTimeoutOnHandlerGets408(t *testing.T) {
	s := newStack(t, nil, nil)
	s.app.Get("/slow", timeout.NewWithContext(func(c *fiber.Ctx) error {
		<-c.UserContext().Done()
		return c.UserContext().Err()
	}, time.Nanosecond))
	ann := s.signUp("ann@example.com")
	a := s.do("GET", "/slow", "", ann...)
	require.Equal(t, 408, a.Status)
	require.Equal(t, "private", a.Header.Get("Cache-Control"))
	require.Equal(t, "ann@example.com", s.do("GET", "/me", "", ann...).Body)
}

// This is the limiter of sign-ins that docs/operate/deployment.md recommends.
func TestLimiterAboveLimitsOnlyBuiltInRoutes(t *testing.T) {
	s := newStack(t, []fiber.Handler{limiter.New(limiter.Config{Max: 2, Next: func(c *fiber.Ctx) bool { return !strings.HasPrefix(c.Path(), "/auth") }})}, nil)
	s.signUp("ann@example.com")
	ann := s.signUp("bob@example.com")
	require.Equal(t, 429, s.do("POST", "/auth/users/login", "{}").Status)
	for i := range 5 {
		require.Equal(t, 200, s.do("GET", "/me", "", ann...).Status, fmt.Sprint(i))
	}
}
