package e2e_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// proxied is a server that trusts everybody, behind an nginx that asks the
// application of a world by the lines of docs/how-to/proxy.md.
type proxied struct {
	*world
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	reached []string // requests that came through, as "METHOD body"
	checks  []string // Set-Cookie of each answer to nginx
}

const (
	ownOrigin   = "https://app.test"
	otherOrigin = "https://evil.test"
)

// check is the route of docs/how-to/proxy.md.
func check(app *fiber.App) {
	app.All("/check", fiberjwt.Require("users"), func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusNoContent) })
}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	skipWithoutNginx(t)
	x := &proxied{world: newPlainWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.Sliding = true })}
	x.take(func(c *fiber.Ctx) (bool, error) {
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

// start runs nginx, on a socket in a folder of its own, for the application at
// an address.
func (x *proxied) start(application string) {
	t := x.t
	t.Helper()
	path := os.Getenv("FIBERJWT_NGINX")
	if path == "1" {
		path = "nginx"
	}
	folder, err := os.MkdirTemp("", "nginx") // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	guarded := httptest.NewServer(http.HandlerFunc(x.guarded))
	t.Cleanup(guarded.Close)
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
			proxy_pass `+guarded.URL+`;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $http_connection;
		}
		`+documented(t, application)+`
	}
}`), 0o600))
	var log bytes.Buffer
	nginx := exec.Command(path, "-p", folder, "-c", "nginx.conf", "-e", "stderr")
	nginx.Stderr = &log
	require.NoError(t, nginx.Start())
	t.Cleanup(func() {
		_ = nginx.Process.Kill()
		_ = nginx.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	x.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", folder+"/socket")
	}
	require.Eventually(t, func() bool {
		conn, err := x.dial(t.Context(), "", "")
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, patience, 5*time.Millisecond, "nginx does not start")
}

// documented gives the lines of docs/how-to/proxy.md, for an application elsewhere.
func documented(t *testing.T, application string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/how-to/proxy.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindStringSubmatch(string(page))
	require.Len(t, found, 2)
	lines := found[1]
	const address = "127.0.0.1:3000"
	require.Equal(t, 1, strings.Count(lines, address))
	return strings.Replace(lines, address, application, 1)
}

// guarded answers everybody, and shakes hands with every origin.
func (x *proxied) guarded(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	x.mu.Lock()
	x.reached = append(x.reached, strings.TrimSpace(r.Method+" "+string(body)))
	x.mu.Unlock()
	if !websocket.IsWebSocketUpgrade(r) {
		_, _ = io.WriteString(w, "guarded")
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	_ = conn.WriteMessage(websocket.TextMessage, []byte("guarded"))
	_ = conn.Close()
}

// through gives what came to the guarded server since the last time.
func (x *proxied) through() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer func() { x.reached = nil }()
	return x.reached
}

// ask sends a request through nginx, with headers as pairs.
func (x *proxied) ask(method, path string, body io.Reader, headers ...string) *http.Response {
	x.t.Helper()
	return x.send(&http.Transport{DialContext: x.dial, DisableKeepAlives: true}, method, "http://app.test"+path, body, headers)
}

// direct sends a request to the application, around nginx.
func (x *proxied) direct(method, path string, body io.Reader, headers ...string) *http.Response {
	x.t.Helper()
	return x.send(http.DefaultTransport, method, "http://127.0.0.1:"+x.port+path, body, headers)
}

func (x *proxied) send(by http.RoundTripper, method, url string, body io.Reader, headers []string) *http.Response {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	require.NoError(x.t, err)
	r.Host = "app.test"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := by.RoundTrip(r)
	require.NoError(x.t, err)
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(x.t, err)
	require.NoError(x.t, answer.Body.Close())
	return answer
}

// signUp gives the Cookie header of somebody who is signed in.
func (x *proxied) signUp() string {
	x.t.Helper()
	answer := x.direct("POST", "/auth/users/register", strings.NewReader(`{"email":"ann@example.com","password":"`+password+`","transport":"cookie"}`),
		"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
	require.Equal(x.t, 201, answer.StatusCode)
	return cookieOf(x.t, answer)
}

// cookieOf gives the access cookie that an answer sets, as it is sent back.
func cookieOf(t *testing.T, answer *http.Response) string {
	t.Helper()
	for _, cookie := range answer.Cookies() {
		if cookie.Name == "__Host-Http-users" {
			return cookie.Name + "=" + cookie.Value
		}
	}
	require.Fail(t, "no access cookie")
	return ""
}

func TestNginxAllowsWhatTheApplicationAllows(t *testing.T) {
	x := newProxied(t)
	cookie := x.signUp()
	for name, test := range map[string]struct {
		method  string
		headers []string
		status  int
	}{
		"signed-out visitor":                       {"GET", nil, 401},
		"signed-out POST":                          {"POST", []string{"Origin", ownOrigin}, 401},
		"signed-out visitor from another origin":   {"POST", []string{"Origin", otherOrigin, "Sec-Fetch-Site", "cross-site"}, 401},
		"garbage":                                  {"GET", []string{"Cookie", "__Host-Http-users=garbage"}, 401},
		"signed-in GET":                            {"GET", []string{"Cookie", cookie}, 200},
		"signed-in visitor from a cross-site link": {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 200},
		"own origin by Origin header":              {"POST", []string{"Cookie", cookie, "Origin", ownOrigin}, 200},
		"own origin by Sec-Fetch-Site":             {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		"another origin by Origin header":          {"POST", []string{"Cookie", cookie, "Origin", otherOrigin}, 403},
		"another origin by Sec-Fetch-Site":         {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 403},
		"preflight without cookies":                {"OPTIONS", []string{"Origin", otherOrigin, "Access-Control-Request-Method", "POST"}, 401},
		"preflight with a cookie":                  {"OPTIONS", []string{"Origin", otherOrigin, "Access-Control-Request-Method", "POST", "Cookie", "__Host-Http-users=garbage"}, 401},
		"upgrade from the own origin":              {"GET", []string{"Cookie", cookie, "Origin", ownOrigin, "Upgrade", "h2c"}, 200},
		"upgrade from another origin":              {"GET", []string{"Cookie", cookie, "Origin", otherOrigin, "Upgrade", "websocket"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			answer := x.ask(test.method, "/", strings.NewReader("a note"), test.headers...)
			came := x.through()
			require.Equal(t, test.status, answer.StatusCode)
			if test.status == 200 {
				require.Equal(t, []string{test.method + " a note"}, came)
			} else {
				require.Empty(t, came)
			}
		})
	}
	require.Equal(t, 404, x.ask("GET", "/check", nil, "Cookie", cookie).StatusCode, "the question itself is nobody's to ask")
	require.Equal(t, 204, x.direct("OPTIONS", "/check", nil, "Origin", otherOrigin, "Access-Control-Request-Method", "POST").StatusCode,
		"the application answers a preflight, so nginx must not ask for one")
}

func TestNginxPassesOnBodyOfUnknownLength(t *testing.T) {
	x := newProxied(t)
	answer := x.ask("POST", "/", io.MultiReader(strings.NewReader("a "), strings.NewReader("note")), "Cookie", x.signUp(), "Origin", ownOrigin)
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, []string{"POST a note"}, x.through())
}

func TestNginxForwardsTokenExpiryChallenge(t *testing.T) {
	x := newProxied(t)
	cookie := x.signUp()
	x.expire()
	answer := x.ask("GET", "/", nil, "Cookie", cookie)
	require.Equal(t, 401, answer.StatusCode)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "invalid_token", "client.js refreshes for this")
	require.Empty(t, x.through())
}

func TestNginxOpensWebSocketFromOwnOriginOnly(t *testing.T) {
	x := newProxied(t)
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
	require.Equal(t, []string{"GET"}, x.through())

	_, status = open(cookie, otherOrigin)
	require.Equal(t, 403, status)
	_, status = open("", ownOrigin)
	require.Equal(t, 401, status)
	x.expire()
	_, status = open(cookie, ownOrigin)
	require.Equal(t, 401, status)
	require.Empty(t, x.through())
}

func TestNginxAuthRequestRenewsNothing(t *testing.T) {
	x := newProxied(t)
	cookie := x.signUp()
	x.advance(accessTTL * 7 / 10)
	navigation := []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	answer := x.ask("GET", "/", nil, navigation...)
	require.Equal(t, 200, answer.StatusCode)
	require.Empty(t, answer.Header.Values("Set-Cookie"))
	require.Equal(t, []string{""}, x.checks, "the session moved, and nginx has lost its cookie")

	renewed := cookieOf(t, x.direct("GET", "/check", nil, navigation...))
	require.NotEqual(t, cookie, renewed, "without nginx the same request slides")
	x.advance(accessTTL * 7 / 10)
	require.Equal(t, 401, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode)
	require.Equal(t, 200, x.ask("GET", "/", nil, "Cookie", renewed).StatusCode)
}

func TestNginxFailsClosedWithoutAnAnswer(t *testing.T) {
	x := newProxied(t)
	cookie := x.signUp()
	for name, answer := range map[string]func(c *fiber.Ctx) error{
		"no answer":  func(c *fiber.Ctx) error { return c.Context().Conn().Close() },
		"a 503":      func(c *fiber.Ctx) error { return c.SendStatus(503) },
		"a redirect": func(c *fiber.Ctx) error { return c.Redirect("/") },
	} {
		x.take(func(c *fiber.Ctx) (bool, error) { return true, answer(c) })
		require.Equal(t, 500, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode, name)
	}
	x.take(nil)
	require.Equal(t, 200, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode)
	require.Equal(t, []string{"GET"}, x.through())

	x.start("127.0.0.1:1")
	require.Equal(t, 500, x.ask("GET", "/", nil, "Cookie", cookie).StatusCode, "nobody listens")
	require.Empty(t, x.through())
}
