package fiberjwt_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/extractors"
	"github.com/gofiber/fiber/v3/middleware/cache"
	"github.com/gofiber/fiber/v3/middleware/csrf"
	"github.com/gofiber/fiber/v3/middleware/idempotency"
	"github.com/gofiber/fiber/v3/middleware/static"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

// The tests in this file are for what Fiber v3 does otherwise than Fiber v2.

func text(s string) fiber.Handler { return func(c fiber.Ctx) error { return c.SendString(s) } }

// head returns the status and the Content-Length of a HEAD request.
func head(t *testing.T, app *fiber.App, path, access string) (status int, length string) {
	t.Helper()
	request := httptest.NewRequest("HEAD", path, nil)
	if access != "" {
		request.Header.Set("Authorization", "Bearer "+access)
	}
	response, err := app.Test(request, fiber.TestConfig{})
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, response.Header.Get("Content-Length")
}

// Fiber v3 adds the HEAD routes below all others. A HEAD request must be open where GET is, and
// guarded where GET is.
func TestHeadIsOpenWhereGetIs(t *testing.T) {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"GET /public/:id"}
	above := 0
	app.Use(func(c fiber.Ctx) error {
		err := c.Next()
		above++
		require.Contains(t, []string{"HEAD", "GET", "POST"}, c.Method())
		return err
	})
	app.Get("/", text("root"))
	app.Get("/open", text("open"))
	app.Get("/files/*", func(c fiber.Ctx) error {
		if c.Params("*") == "open" {
			return c.SendString("open file")
		}
		return c.Next()
	})
	app.Group("/group").Get("/open", text("open in a group"))
	sub := fiber.New()
	sub.Get("/open", text("open in an app"))
	app.Use("/app", sub)
	app.Head("/own", func(c fiber.Ctx) error { c.Set("X-Own", "yes"); return nil })

	app.Use(fiberjwt.New(cfg))
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "secret"), []byte("a file below the middleware"), 0o600))
	app.Use("/files", static.New(folder))
	app.Get("/public/:id", text("public"))
	app.Get("/guarded", text("guarded"))
	app.Get("/typed", func(c fiber.Ctx) error { return c.JSON(c.Locals("users").(*User)) })
	app.All("/public/secret", text("not public to GET"))
	below := fiber.New()
	below.Get("/guarded", text("guarded in an app"))
	app.Use("/below", below)
	app.All("/everything/*", text("everything"))
	access := signUp(app, "users", "ann@example.com")

	for path, body := range map[string]string{
		"/": "root", "/open": "open", "/OPEN/": "open", "/files/open": "open file", "/group/open": "open in a group", "/app/open": "open in an app", "/public/1": "public",
	} {
		status, length := head(t, app, path, "")
		require.Equal(t, 200, status, path)
		require.Equal(t, strconv.Itoa(len(body)), length, path)
		require.Equal(t, "200 "+body, ask(app, "GET", path, ""))
	}
	for _, path := range []string{"/guarded", "/typed", "/files/secret", "/below/guarded", "/everything/a", "/none", "/auth/users/me"} {
		status, _ := head(t, app, path, "")
		require.Equal(t, 401, status, path)
		require.Equal(t, "401", ask(app, "GET", path, "")[:3], path)
		if path == "/none" {
			continue
		}
		status, _ = head(t, app, path, access)
		require.Equal(t, 200, status, path)
	}
	status, _ := head(t, app, "/own", "")
	require.Equal(t, 200, status)
	require.Positive(t, above)
}

// The route that GET gets to decides, not the order of the HEAD routes.
func TestHeadOfPublicRouteDoesNotReachOtherRoutes(t *testing.T) {
	for name, register := range map[string]func(app *fiber.App, middleware fiber.Handler){
		"public": func(app *fiber.App, middleware fiber.Handler) {
			app.Use(middleware)
			app.Get("/open", text("open"))
		},
		"above": func(app *fiber.App, middleware fiber.Handler) {
			app.Get("/open", text("open"))
			app.Use(middleware)
		},
	} {
		app := fiber.New()
		cfg := exampleConfig(app)
		if name == "public" {
			cfg.Public = []string{"GET /open"}
		}
		register(app, fiberjwt.New(cfg))
		reached := false
		app.All("/*", func(fiber.Ctx) error { reached = true; return nil })
		status, length := head(t, app, "/open", "")
		require.Equal(t, 200, status, name)
		require.Equal(t, "4", length, name)
		require.False(t, reached, name)
	}
}

func TestHandlersAboveSeeTheMethodHead(t *testing.T) {
	app := fiber.New()
	var methods []string
	app.Use(func(c fiber.Ctx) error {
		err := c.Next()
		methods = append(methods, c.Method())
		return err
	})
	app.Get("/open", text("open"))
	app.Use(fiberjwt.New(exampleConfig(fiber.New())))
	app.Get("/guarded", text("guarded"))
	head(t, app, "/open", "")
	require.Equal(t, []string{"GET", "HEAD"}, methods, "the request is routed again as GET")
	methods = nil
	head(t, app, "/guarded", "")
	require.Equal(t, []string{"HEAD"}, methods)
}

func TestHeadWithoutTheMethodGetEnds(t *testing.T) {
	app := fiber.New(fiber.Config{RequestMethods: []string{"HEAD", "POST"}})
	app.Use(fiberjwt.New(fiberjwt.Config{Secret: secret, Public: []string{"GET /open", "HEAD /open"}}))
	app.Head("/open", text("open"))
	status, _ := head(t, app, "/open", "")
	require.Equal(t, 200, status)
	status, _ = head(t, app, "/guarded", "")
	require.Equal(t, 401, status)
}

// fiber.RoutePatternMatch accepts these patterns and panics when a request matches.
func TestPatternWithTooManyParametersIsRefused(t *testing.T) {
	public := func(parameters int) string { return "GET " + strings.Repeat("/:p", parameters) }
	cfg := exampleConfig(fiber.New())
	cfg.Public = []string{public(31)}
	_, err := fiberjwt.Open(cfg)
	require.ErrorContains(t, err, "has a pattern that Fiber's router cannot read")

	cfg = exampleConfig(fiber.New())
	cfg.Public = []string{public(30)}
	app := fiber.New()
	app.Use(fiberjwt.New(cfg))
	app.Get("/*", text("reached"))
	require.Equal(t, "200 reached", ask(app, "GET", strings.Repeat("/x", 30), ""))
	require.Equal(t, "401", ask(app, "GET", strings.Repeat("/x", 31), "")[:3])
}

func TestForwardedAddressNeedsTrustProxy(t *testing.T) {
	for name, test := range map[string]struct {
		config  fiber.Config
		header  string
		address string
	}{
		"without TrustProxy":  {fiber.Config{}, "203.0.113.7", "0.0.0.0"},
		"of another proxy":    {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Proxies: []string{"192.0.2.1"}}}, "203.0.113.7", "0.0.0.0"},
		"of this proxy":       {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Proxies: []string{"0.0.0.0"}}}, "203.0.113.7", "203.0.113.7"},
		"forged":              {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Proxies: []string{"0.0.0.0"}}}, "192.0.2.9, 203.0.113.7", "203.0.113.7"},
		"private proxies":     {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Private: true, Proxies: []string{"0.0.0.0"}}}, "203.0.113.7, 10.1.2.3", "203.0.113.7"},
		"loopback proxies":    {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Loopback: true, Proxies: []string{"0.0.0.0"}}}, "203.0.113.7, ::1", "203.0.113.7"},
		"link-local proxies":  {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{LinkLocal: true, Proxies: []string{"0.0.0.0"}}}, "203.0.113.7, 169.254.0.9", "203.0.113.7"},
		"an untrusted hop":    {fiber.Config{TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Proxies: []string{"0.0.0.0"}}}, "203.0.113.7, 10.1.2.3", "10.1.2.3"},
		"another header name": {fiber.Config{TrustProxy: true, ProxyHeader: "X-Real-IP", TrustProxyConfig: fiber.TrustProxyConfig{Proxies: []string{"0.0.0.0"}}}, "203.0.113.7", "0.0.0.0"},
	} {
		if test.config.ProxyHeader == "" {
			test.config.ProxyHeader = "X-Forwarded-For"
		}
		app := fiber.New(test.config)
		app.Use(fiberjwt.New(exampleConfig(app)))
		access := signUp(app, "users", "ann@example.com")
		request := httptest.NewRequest("POST", "/auth/users/login", strings.NewReader(`{"email":"ann@example.com","password":"a pony for the trip"}`))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Forwarded-For", test.header)
		response, err := app.Test(request, fiber.TestConfig{})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 200, response.StatusCode)
		require.Contains(t, ask(app, "GET", "/auth/users/sessions", access), `"address":"`+test.address+`"`, name)
	}
}

func TestCurrentReadsFromEveryContext(t *testing.T) {
	for _, passed := range []bool{true, false} {
		app := fiber.New(fiber.Config{PassLocalsToContext: passed})
		app.Use(fiberjwt.New(exampleConfig(app)))
		app.Get("/", func(c fiber.Ctx) error {
			want := c.Locals("users").(*User)
			for name, test := range map[string]struct {
				ctx   context.Context
				found bool
			}{"the Ctx": {c, true}, "fasthttp's": {c.RequestCtx(), true}, "c.Context()": {c.Context(), passed}, "another": {context.Background(), false}} {
				got, ok := fiberjwt.Current[User](test.ctx)
				require.Equal(t, test.found, ok, name)
				s, ok := fiberjwt.SessionOf(test.ctx, "users")
				require.Equal(t, test.found, ok, name)
				if test.found {
					require.Same(t, want, got, name)
					require.Equal(t, "1", s.Subject, name)
				}
				_, ok = fiberjwt.Current[Teacher](test.ctx)
				require.False(t, ok, name)
			}
			return c.SendString("done")
		})
		require.Equal(t, "200 done", ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	}
}

func TestRouterThatDoesNotTellItsPrefixNeedsCookiePath(t *testing.T) {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Routes = app.Domain("example.com").Group("/auth")
	_, err := fiberjwt.Open(cfg)
	require.ErrorContains(t, err, "Config.Routes is a router that does not tell its prefix: set Config.Cookie.Path")
	cfg.Cookie.Path = "/auth"
	_, err = fiberjwt.Open(cfg)
	require.NoError(t, err)
	signUp(app, "users", "ann@example.com")
}

// logged returns a Config that logs to the buffer.
func logged(app *fiber.App) (fiberjwt.Config, *bytes.Buffer) {
	log := &bytes.Buffer{}
	cfg := exampleConfig(app)
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	return cfg, log
}

// The cache middleware of Fiber v3 may stand above: it stores nothing that is private.
func TestCacheAboveNeverServesOtherAccounts(t *testing.T) {
	for name, config := range map[string]cache.Config{
		"default":      {},
		"with headers": {StoreResponseHeaders: true},
		"without Vary": {DisableVaryHeaders: true},
	} {
		app := fiber.New()
		app.Use(cache.New(config))
		cfg := exampleConfig(app)
		cfg.Optional = true
		app.Use(fiberjwt.New(cfg))
		app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
		app.Get("/page", func(c fiber.Ctx) error {
			if u, ok := fiberjwt.Current[User](c); ok {
				return c.SendString(u.Email)
			}
			return c.SendString("nobody")
		})
		var cookies []string
		emails := []string{"ann@example.com", "bob@example.com"}
		for _, email := range emails {
			cookies = append(cookies, "__Host-Http-users="+signUp(app, "users", email))
		}
		for range 3 {
			require.Equal(t, "401", ask(app, "GET", "/me", "")[:3], name)
			for i, email := range emails {
				require.Equal(t, "200 "+email, ask(app, "GET", "/me", "", "Cookie", cookies[i]), name)
				require.Equal(t, "200 "+email, ask(app, "GET", "/page", "", "Cookie", cookies[i], "Cache-Control", "max-age=0"), name)
			}
			if !config.DisableVaryHeaders {
				require.Equal(t, "200 nobody", ask(app, "GET", "/page", ""), name)
				require.Equal(t, "200 "+emails[0], ask(app, "GET", "/page", "", "Cookie", cookies[0]), name)
			}
		}
	}
}

func TestIdempotencyAboveIsRefusedAndBelowKeepsAccountsApart(t *testing.T) {
	const key = "01234567-89ab-4def-8123-456789abcdef"
	pay := func(c fiber.Ctx) error { return c.SendString("paid by " + c.Locals("users").(*User).Email) }

	app := fiber.New()
	cfg, log := logged(app)
	auth, err := fiberjwt.Open(cfg) // registers the built-in routes
	require.NoError(t, err)
	app.Use(idempotency.New())
	app.Use(auth.Handler())
	app.Post("/pay", pay)
	ann := signUp(app, "users", "ann@example.com")
	require.Contains(t, ask(app, "POST", "/pay", ann, "X-Idempotency-Key", key), "500 ")
	require.Contains(t, log.String(), "register it below")

	app = fiber.New()
	cfg, _ = logged(app)
	app.Use(fiberjwt.New(cfg))
	app.Use(idempotency.New())
	app.Post("/pay", pay)
	ann, bob := signUp(app, "users", "ann@example.com"), signUp(app, "users", "bob@example.com")
	for range 2 {
		require.Equal(t, "200 paid by ann@example.com", ask(app, "POST", "/pay", ann, "X-Idempotency-Key", key))
	}
	require.NotContains(t, ask(app, "POST", "/pay", bob, "X-Idempotency-Key", key), "ann@example.com")
}

func TestCSRFMiddlewareAboveIsLogged(t *testing.T) {
	app := fiber.New()
	cfg, log := logged(app)
	cfg.Routes = nil
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	app.Use(csrf.New())
	auth.Mount(app.Group("/auth"))
	app.Use(auth.Handler())
	ask(app, "GET", "/", "")
	require.Contains(t, log.String(), "csrf middleware is above the built-in routes")
}

// Fiber v3 compares the path of app.Use with "" or "*" here, and runs the handler of /* only.
func TestUseWithoutPathMissesPathsOfSlashes(t *testing.T) {
	get := func(app *fiber.App, path string) int {
		app.Handler()
		c := &wire{in: strings.NewReader("GET " + path + " HTTP/1.1\r\nHost: example.com\r\n\r\n")}
		require.NoError(t, app.Server().ServeConn(c))
		response, err := http.ReadResponse(bufio.NewReader(&c.out), nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	for pattern, want := range map[string]int{"/": 200, "/*": 401} {
		app := fiber.New()
		cfg, log := logged(app)
		app.Use(pattern, fiberjwt.New(cfg))
		app.All("/*", text("reached"))
		for _, path := range []string{"//", "///", "*"} {
			require.Equal(t, want, get(app, path), "%s %s: if Fiber has changed, take the warning and the row of README.md out", pattern, path)
		}
		require.Equal(t, 401, get(app, "/a"))
		require.Equal(t, want == 200, strings.Contains(log.String(), `app.Use(\"/*\", …)`), fmt.Sprint(pattern, log))
	}
	app := fiber.New()
	cfg, log := logged(app)
	app.Use(fiberjwt.New(cfg))
	app.All("/a/*", text("reached"))
	require.Equal(t, 401, get(app, "/a/b"))
	require.Empty(t, log.String())
}

// closer is a source of keys that records whether it was closed.
type closer struct {
	keys.Source
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

func TestAuthCanBeClosedAfterShutdown(t *testing.T) {
	key, err := keys.Generate(keys.ES256)
	require.NoError(t, err)
	set, err := keys.NewSet(key.Public())
	require.NoError(t, err)
	app, closed := fiber.New(), false
	auth, err := fiberjwt.Open(fiberjwt.Config{Keys: closer{set, &closed}})
	require.NoError(t, err)
	app.Use(auth.Handler())
	app.Hooks().OnPostShutdown(func(error) error { return auth.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	ready := make(chan struct{})
	app.Hooks().OnListen(func(fiber.ListenData) error { close(ready); return nil })
	go func() { served <- app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	<-ready
	require.False(t, closed)
	require.NoError(t, app.Shutdown())
	require.True(t, closed)
	require.NoError(t, <-served)
}

// An application's extractor may stand where one of this package does.
func TestFibersExtractorsAreAccepted(t *testing.T) {
	const name = "token"
	for source, test := range map[string]struct {
		extractor extractors.Extractor
		path      string
		headers   []string
		want      string
	}{
		"auth header":       {extractors.FromAuthHeader("JWT"), "/", []string{"Authorization", "JWT %s"}, "200 auth header "},
		"the whole header":  {extractors.FromAuthHeader(""), "/", []string{"Authorization", "%s"}, "200 header "},
		"header":            {extractors.FromHeader("X-Token"), "/", []string{"X-Token", "%s"}, "200 header "},
		"cookie":            {extractors.FromCookie(name), "/", []string{"Cookie", name + "=%s"}, "200 cookie "},
		"cookie, elsewhere": {extractors.FromCookie(name), "/", []string{"Cookie", name + "=%s", "Origin", "https://evil.example"}, "200 cookie "},
		"two cookies":       {extractors.FromCookie(name), "/", []string{"Cookie", name + "=%s; " + name + "=other"}, `400 {"error":"invalid_request"`},
		"query":             {extractors.FromQuery(name), "/?token=%s", nil, "200 query no-referrer"},
		"custom":            {extractors.FromCustom("own", func(c fiber.Ctx) (string, error) { return c.Get("X-Own"), nil }), "/", []string{"X-Own", "%s"}, "200 custom "},
		"nothing":           {extractors.FromHeader("X-Token"), "/", []string{"X-Other", "%s"}, `401 {"error":"no_token"`},
		"a chain":           {extractors.Chain(extractors.FromHeader("X-Token"), extractors.FromCookie(name)), "/", []string{"Cookie", name + "=%s"}, "200 cookie "},
		"an invalid first":  {extractors.Chain(extractors.FromHeader("X-Token"), extractors.FromCookie(name)), "/", []string{"X-Token", "x", "Cookie", name + "=%s"}, `401 {"error":"invalid_token"`},
	} {
		app := fiber.New()
		cfg := exampleConfig(app)
		cfg.Extractor = fiberjwt.FromExtractor(test.extractor)
		app.Use(fiberjwt.New(cfg))
		app.Get("/", func(c fiber.Ctx) error {
			s, _ := fiberjwt.SessionOf(c)
			return c.SendString(s.Source + " " + c.GetRespHeader("Referrer-Policy"))
		})
		app.Post("/", text("reached"))
		access := signUp(app, "users", "ann@example.com")
		in := func(text string) string { return strings.ReplaceAll(text, "%s", access) }
		var headers []string
		for _, text := range test.headers {
			headers = append(headers, in(text))
		}
		require.True(t, strings.HasPrefix(ask(app, "GET", in(test.path), "", headers...)+" ", test.want), "%s: %s", source, ask(app, "GET", in(test.path), "", headers...))
		switch source {
		case "cookie, elsewhere":
			require.Contains(t, ask(app, "POST", "/", "", headers...), "403", "the CSRF check")
		case "query":
			require.Contains(t, ask(app, "POST", in(test.path), "", headers...), "401")
		}
	}
	for _, empty := range []extractors.Extractor{{}, extractors.FromCookie(""), extractors.FromHeader(""), extractors.Chain(extractors.FromCookie(""))} {
		cfg := exampleConfig(fiber.New())
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromExtractor(empty))
		_, err := fiberjwt.Open(cfg)
		require.ErrorContains(t, err, "Config.Extractor")
	}
}

// wire is a connection whose input is complete and whose output is recorded.
type wire struct {
	in  io.Reader
	out bytes.Buffer
}

func (c *wire) Read(b []byte) (int, error)     { return c.in.Read(b) }
func (c *wire) Write(b []byte) (int, error)    { return c.out.Write(b) }
func (*wire) Close() error                     { return nil }
func (*wire) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*wire) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*wire) SetDeadline(time.Time) error      { return nil }
func (*wire) SetReadDeadline(time.Time) error  { return nil }
func (*wire) SetWriteDeadline(time.Time) error { return nil }
