package e2e_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	fastwebsocket "github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// live_test.go is the file of docs/how-to/websockets.md, with a shorter period.
func TestWebSocketGuideShowsTestedCode(t *testing.T) {
	code := guide(t, "(?s)```go ignore\n(package main\n.*?// live .*?)```")
	code = strings.Replace(code, "package main", "package e2e_test", 1)
	code = strings.Replace(code, "10 * time.Second", "50 * time.Millisecond", 1)
	tested, err := os.ReadFile("live_test.go")
	require.NoError(t, err)
	require.Equal(t, code, string(tested))
}

// speak opens the socket, sends a message and returns the reply.
const speak = `new Promise(done => {
	const socket = new WebSocket(%q);
	socket.onopen = () => socket.send('hello');
	socket.onmessage = ({ data }) => { done(data); socket.close(); };
	socket.onerror = () => done('refused');
})`

func TestWebSocketOpensOnlyFromOwnPage(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	address := "wss://a.test:" + w.port + "/live"
	require.Equal(t, "refused", eval[string](b, speak, address))
	b.signUp("users", "ann@example.com")
	require.Equal(t, "ann@example.com: hello", eval[string](b, speak, address))
	for name, host := range map[string]string{"another site": "evil.test", "a sibling origin": "b.a.test"} {
		require.Equal(t, "refused", eval[string](p.tab().visit(w.url(host, "/blank")), speak, address), name)
	}
	require.Equal(t, 1, w.count("GET /live", 403), "the browser sends the cookie from a sibling, so only the origin can refuse it")

	w.expire()
	require.Equal(t, "refused", eval[string](b, speak, address))
	require.Equal(t, "ann@example.com: hello", eval[string](b, `users.me().then(() => `+speak+`)`, address), "the client did not renew the cookie first")
	b.run("users.logout()")
	require.Equal(t, "refused", eval[string](b, speak, address))
}

func TestWebSocketEndsWithTheSession(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	open := `new Promise((done, failed) => {
		window.gone = 0;
		window.socket = new WebSocket(%q);
		socket.onopen = () => done();
		socket.onerror = failed;
		socket.onclose = ({ code }) => { gone = code; };
	})`
	b.run(open, "wss://a.test:"+w.port+"/live")
	w.expire()
	b.run("users.refresh()")
	const echo = `new Promise(done => { socket.onmessage = ({ data }) => done(data); socket.send('hello'); })`
	require.Equal(t, "ann@example.com: hello", eval[string](b, echo), "the socket closed when the token was renewed")
	b.run("users.logout({ everywhere: true })")
	b.wait("gone === 1008")
}

// This runs without a browser, with and without Cookie.Insecure.
func TestWebSocketOutlivesItsToken(t *testing.T) {
	for name, insecure := range map[string]bool{"__Host-Http-users": false, "users": true} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			w := newPlainWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) {
				cfg.Cookie.Insecure = insecure
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], AccessTTL: accessTTL, Allow: func(context.Context, *User) error {
					asked.Add(1)
					return nil
				}}}
			})
			post := func(path, body, cookie string) *http.Response {
				r, err := http.NewRequestWithContext(t.Context(), "POST", "http://127.0.0.1:"+w.port+path, strings.NewReader(body))
				require.NoError(t, err)
				r.Header = http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"same-origin"}, "Cookie": {cookie}}
				answer, err := http.DefaultTransport.RoundTrip(r)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				return answer
			}
			answer := post("/auth/users/register", `{"email":"ann@example.com","password":"`+password+`","transport":"cookie"}`, "")
			require.Equal(t, 201, answer.StatusCode)
			cookie := ""
			for _, c := range answer.Cookies() {
				if c.Name == name {
					cookie = c.Name + "=" + c.Value
				}
			}
			conn, answer, err := fastwebsocket.DefaultDialer.DialContext(t.Context(), "ws://127.0.0.1:"+w.port+"/live", http.Header{"Cookie": {cookie}})
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, answer.Body.Close())
			hello := func() {
				t.Helper()
				require.NoError(t, conn.WriteMessage(fastwebsocket.TextMessage, []byte("hello")))
				_, said, err := conn.ReadMessage()
				require.NoError(t, err)
				require.Equal(t, "ann@example.com: hello", string(said))
			}
			hello()
			w.expire()
			before := asked.Load()
			require.Eventually(t, func() bool { return asked.Load() >= before+2 }, patience, time.Millisecond, "the handler does not check the session")
			hello()

			require.Equal(t, 204, post("/auth/users/logout", "", cookie).StatusCode)
			_, _, err = conn.ReadMessage()
			require.True(t, fastwebsocket.IsCloseError(err, fastwebsocket.ClosePolicyViolation), err)
		})
	}
}
