package e2e_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// newNginx starts an nginx with the lines of docs/how-to/proxy.md.
func newNginx(t *testing.T) *proxied {
	t.Helper()
	skipWithoutNginx(t)
	x := &proxied{world: newPlainWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.Sliding = true })}
	x.setDetour(func(c *fiber.Ctx) (bool, error) {
		err := c.Next()
		if c.Path() == "/check" {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.checks = append(x.checks, string(c.Response().Header.Peek(fiber.HeaderSetCookie)))
		}
		return true, err
	})
	x.start("127.0.0.1:" + x.port)
	return x
}

func skipWithoutNginx(t *testing.T) {
	t.Helper()
	if os.Getenv("FIBERJWT_NGINX") == "" {
		t.Skip("set FIBERJWT_NGINX=1, or to the path of an nginx, to run this test")
	}
}

// start runs nginx for the application at an address.
func (x *proxied) start(application string) {
	t := x.t
	t.Helper()
	path := os.Getenv("FIBERJWT_NGINX")
	if path == "1" {
		path = "nginx"
	}
	lines := guide(t, "(?s)```nginx\n(.*?)```")
	const address = "127.0.0.1:3000"
	require.Equal(t, 1, strings.Count(lines, address))
	lines = strings.Replace(lines, address, application, 1)
	folder := socketFolder(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "nginx.conf"), []byte(`
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	server {
		listen unix:`+folder+`/socket;
		location / {
			auth_request /check;
			proxy_pass `+x.serveGuarded()+`;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $http_connection;
		}
		`+lines+`
	}
}`), 0o600))
	x.run(folder, exec.Command(path, "-p", folder, "-c", "nginx.conf", "-e", "stderr"))
}

func TestNginxAllowsWhatTheApplicationAllows(t *testing.T) {
	x := newNginx(t)
	cookie := x.signUp()
	x.requireStatuses(cookie, map[string]guardedRequest{
		"signed-out visitor from another origin": {"POST", []string{"Origin", otherOrigin, "Sec-Fetch-Site", "cross-site"}, 401},
		"garbage":                                {"GET", []string{"Cookie", "__Host-Http-users=garbage"}, 401},
		"preflight without cookies":              {"OPTIONS", []string{"Origin", otherOrigin, "Access-Control-Request-Method", "POST"}, 401},
		"preflight with a cookie":                {"OPTIONS", []string{"Origin", otherOrigin, "Access-Control-Request-Method", "POST", "Cookie", "__Host-Http-users=garbage"}, 401},
		"upgrade from the own origin":            {"GET", []string{"Cookie", cookie, "Origin", ownOrigin, "Upgrade", "h2c"}, 200},
		"upgrade from another origin":            {"GET", []string{"Cookie", cookie, "Origin", otherOrigin, "Upgrade", "websocket"}, 403},
	})
	require.Equal(t, 404, x.ask("GET", "/check", nil, "Cookie", cookie).StatusCode, "a client can call the internal route")
	require.Equal(t, 204, x.direct("OPTIONS", "/check", nil, "Origin", otherOrigin, "Access-Control-Request-Method", "POST").StatusCode,
		"the application answers a preflight, so nginx must not ask for one")
}

func TestNginxPassesOnBodyOfUnknownLength(t *testing.T) {
	x := newNginx(t)
	answer := x.ask("POST", "/", io.MultiReader(strings.NewReader("a "), strings.NewReader("note")), "Cookie", x.signUp(), "Origin", ownOrigin)
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, []string{"POST a note"}, x.takeReached())
}

func TestNginxForwardsTokenExpiryChallenge(t *testing.T) {
	x := newNginx(t)
	cookie := x.signUp()
	x.expire()
	answer := x.ask("GET", "/", nil, "Cookie", cookie)
	require.Equal(t, 401, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "invalid_token", "client.js refreshes only for this code")
	require.Empty(t, x.takeReached())
}

func TestNginxOpensWebSocketFromOwnOriginOnly(t *testing.T) {
	x := newNginx(t)
	cookie := x.signUp()
	open := func(cookie, origin string) (string, int) {
		t.Helper()
		dialer := websocket.Dialer{NetDialContext: x.dial, HandshakeTimeout: patience}
		conn, answer, err := dialer.DialContext(t.Context(), "ws://app.test/", http.Header{"Cookie": {cookie}, "Origin": {origin}})
		if err != nil {
			require.NotNil(t, answer, err)
			return "", answer.StatusCode
		}
		defer func() { _ = conn.Close() }()
		_, said, err := conn.ReadMessage()
		require.NoError(t, err)
		return string(said), answer.StatusCode
	}
	said, status := open(cookie, ownOrigin)
	require.Equal(t, 101, status)
	require.Equal(t, "guarded", said)
	require.Equal(t, []string{"GET"}, x.takeReached())

	_, status = open(cookie, otherOrigin)
	require.Equal(t, 403, status)
	_, status = open("", ownOrigin)
	require.Equal(t, 401, status)
	x.expire()
	_, status = open(cookie, ownOrigin)
	require.Equal(t, 401, status)
	require.Empty(t, x.takeReached())
}

func TestNginxAuthRequestRenewsNothing(t *testing.T) {
	x := newNginx(t)
	cookie := x.signUp()
	x.advance(accessTTL * 7 / 10)
	navigation := []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	answer := x.ask("GET", "/", nil, navigation...)
	require.Equal(t, 200, answer.StatusCode)
	require.Empty(t, answer.Header.Values("Set-Cookie"))
	require.Equal(t, []string{""}, x.checks, "the application renewed the session, and nginx dropped the cookie")

	renewed := cookieOf(t, x.direct("GET", "/check", nil, navigation...))
	require.NotEqual(t, cookie, renewed, "without nginx, the same request renews the session")
	x.advance(accessTTL * 7 / 10)
	require.Equal(t, 401, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode)
	require.Equal(t, 200, x.ask("GET", "/", nil, "Cookie", renewed).StatusCode)
}

func TestNginxFailsClosedWithoutAnAnswer(t *testing.T) {
	x := newNginx(t)
	cookie := x.signUp()
	for name, answer := range map[string]func(c *fiber.Ctx) error{
		"no answer":  func(c *fiber.Ctx) error { return c.Context().Conn().Close() },
		"a 503":      func(c *fiber.Ctx) error { return c.SendStatus(503) },
		"a redirect": func(c *fiber.Ctx) error { return c.Redirect("/") },
	} {
		x.setDetour(func(c *fiber.Ctx) (bool, error) { return true, answer(c) })
		require.Equal(t, 500, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode, name)
	}
	x.setDetour(nil)
	require.Equal(t, 200, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode)
	require.Equal(t, []string{"GET"}, x.takeReached())

	x.start("127.0.0.1:1")
	require.Equal(t, 500, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode, "no application listens")
	require.Empty(t, x.takeReached())
}
