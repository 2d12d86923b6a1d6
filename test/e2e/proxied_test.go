package e2e_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// proxied is a server that does not check requests, behind a proxy that asks the
// application of a world, with the lines of docs/how-to/proxy.md.
type proxied struct {
	*world
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	reached []string // requests that reached the server, as "METHOD body"
	checks  []string // Set-Cookie of each answer to the proxy
}

const (
	ownOrigin   = "https://app.test"
	otherOrigin = "https://evil.test"
)

// check is the route of docs/how-to/proxy.md.
func check(app *fiber.App) {
	app.All("/check", fiberjwt.Require("users"), func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusNoContent) })
}

// socketFolder returns a new folder. The path of t.TempDir is too long for a socket.
func socketFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "proxy")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	return folder
}

// run starts a proxy and waits until it listens on the socket in folder.
func (x *proxied) run(folder string, proxy *exec.Cmd) {
	t := x.t
	t.Helper()
	var log bytes.Buffer
	proxy.Stderr = &log
	require.NoError(t, proxy.Start())
	t.Cleanup(func() {
		_ = proxy.Process.Kill()
		_ = proxy.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	x.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, "socket"))
	}
	require.Eventually(t, func() bool {
		conn, err := x.dial(t.Context(), "", "")
		return err == nil && conn.Close() == nil
	}, patience, 5*time.Millisecond, "%s does not start", proxy.Path)
}

// serveGuarded starts the server behind the proxy and returns its URL.
func (x *proxied) serveGuarded() string {
	server := httptest.NewServer(http.HandlerFunc(x.guarded))
	x.t.Cleanup(server.Close)
	return server.URL
}

// guarded answers every request, and accepts WebSockets from every origin.
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

// takeReached returns the requests that reached the guarded server since the last call.
func (x *proxied) takeReached() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer func() { x.reached = nil }()
	return x.reached
}

// ask sends a request through the proxy. headers are name, value pairs.
func (x *proxied) ask(method, path string, body io.Reader, headers ...string) *http.Response {
	x.t.Helper()
	return x.send(&http.Transport{DialContext: x.dial, DisableKeepAlives: true}, method, "http://app.test"+path, body, headers)
}

// direct sends a request to the application, not through the proxy.
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

// signUp registers a user and returns the Cookie header.
func (x *proxied) signUp() string {
	x.t.Helper()
	answer := x.direct("POST", "/auth/users/register", strings.NewReader(`{"email":"ann@example.com","password":"`+password+`","transport":"cookie"}`),
		"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin")
	require.Equal(x.t, 201, answer.StatusCode)
	return cookieOf(x.t, answer)
}

// cookieOf returns the Cookie header with the access cookie that an answer sets.
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

// guardedRequest is a request through the proxy, with the expected status.
type guardedRequest struct {
	method  string
	headers []string
	status  int
}

// requireStatuses sends the requests that every proxy must treat alike, and more. A
// request must reach the server only if its status is 200.
func (x *proxied) requireStatuses(cookie string, more map[string]guardedRequest) {
	requests := map[string]guardedRequest{
		"signed-out visitor":                       {"GET", nil, 401},
		"signed-out POST":                          {"POST", []string{"Origin", ownOrigin}, 401},
		"signed-in GET":                            {"GET", []string{"Cookie", cookie}, 200},
		"signed-in visitor from a cross-site link": {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 200},
		"own origin by Origin header":              {"POST", []string{"Cookie", cookie, "Origin", ownOrigin}, 200},
		"own origin by Sec-Fetch-Site":             {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		"another origin by Origin header":          {"POST", []string{"Cookie", cookie, "Origin", otherOrigin}, 403},
		"another origin by Sec-Fetch-Site":         {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 403},
	}
	maps.Copy(requests, more)
	for name, test := range requests {
		x.t.Run(name, func(t *testing.T) {
			answer := x.ask(test.method, "/", strings.NewReader("a note"), test.headers...)
			reached := x.takeReached()
			require.Equal(t, test.status, answer.StatusCode)
			if test.status == 200 {
				require.Equal(t, []string{test.method + " a note"}, reached)
			} else {
				require.Empty(t, reached)
			}
		})
	}
}
