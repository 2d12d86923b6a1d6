package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// live is the WebSocket of docs/spa.md.
func live(app *fiber.App, auth *fiberjwt.Auth) {
	handler := fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		token := strings.Clone(c.Cookies("__Host-Http-users"))
		return websocket.New(func(conn *websocket.Conn) {
			over := make(chan struct{})
			defer close(over)
			go closeAtTheEnd(auth, token, conn, over, 50*time.Millisecond)
			for {
				kind, message, err := conn.ReadMessage()
				if err != nil {
					return
				}
				if err := conn.WriteMessage(kind, []byte(u.Email+": "+string(message))); err != nil {
					return
				}
			}
		})(c)
	})
	app.Get("/live", handler)
	app.Get("/api/live", handler)
}

// closeAtTheEnd closes the socket when token is no good any longer: it has expired,
// and the page comes again with the one that it has then; or somebody signed out.
func closeAtTheEnd(auth *fiberjwt.Auth, token string, conn *websocket.Conn, over <-chan struct{}, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		if _, err := auth.Verify(context.Background(), token); err != nil && !errors.Is(err, fiberjwt.ErrUnavailable) {
			_ = conn.SetReadDeadline(time.Now()) // the handler returns, which closes it: Close is nothing on a hijacked connection
			return
		}
	}
}

// speak opens the socket, says something and gives what came back.
const speak = `new Promise(done => {
	const socket = new WebSocket(%q);
	socket.onopen = () => socket.send('hello');
	socket.onmessage = ({ data }) => { done(data); socket.close(); };
	socket.onerror = () => done('refused');
})`

func TestAWebSocketIsOpenedByTheCookieOfOurOwnPageOnly(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	address := "wss://a.test:" + w.port + "/live"
	require.Equal(t, "refused", eval[string](b, speak, address))
	b.signUp("users", "ann@example.com")
	require.Equal(t, "ann@example.com: hello", eval[string](b, speak, address))
	for name, host := range map[string]string{"another site": "evil.test", "a sibling origin": "b.a.test"} {
		require.Equal(t, "refused", eval[string](p.tab().visit(w.url(host, "/blank")), speak, address), name)
	}
	require.Equal(t, 1, w.count("GET /live", 403), "the sibling has the cookie, so only its origin can tell")

	w.expire()
	require.Equal(t, "refused", eval[string](b, speak, address))
	require.Equal(t, "ann@example.com: hello", eval[string](b, `users.me().then(() => `+speak+`)`, address), "the client renews the cookie first")
	b.run("users.logout()")
	require.Equal(t, "refused", eval[string](b, speak, address))
}

func TestAWebSocketEndsWithTheSessionAndWithTheToken(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	open := `new Promise((done, failed) => {
		window.gone = false;
		window.socket = new WebSocket(%q);
		socket.onopen = () => done();
		socket.onerror = failed;
		socket.onclose = () => { gone = true; };
	})`
	address := "wss://a.test:" + w.port + "/live"
	for name, end := range map[string]func(){
		"a sign-out": func() { b.run("users.logout({ everywhere: true })") },
		"an expiry":  w.expire,
	} {
		b.run(open, address)
		end()
		b.wait("gone")
		if name == "a sign-out" {
			b.run(`users.login({ email: 'ann@example.com', password: %q })`, password)
		} else {
			b.run("users.refresh()")
		}
	}
}
