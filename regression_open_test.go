package fiberjwt_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// streamed sends the head of a chunked request and rest to a server of w that
// hands bodies on as streams.
func (w *world) streamed(path, rest string) net.Conn {
	w.t.Helper()
	w.mounted(fiber.New(fiber.Config{StreamRequestBody: true, DisableStartupMessage: true}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	go func() { _ = w.app.Listener(listener) }()
	app := w.app
	w.t.Cleanup(func() { require.NoError(w.t, app.Shutdown()) })
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(w.t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%s", path, rest)
	require.NoError(w.t, err)
	return conn
}

func TestABodyWithoutEndIsCutAlsoWhereABodyMayBeMissing(t *testing.T) {
	for _, route := range []string{"refresh", "logout", "logout-all"} {
		t.Run(route, func(t *testing.T) {
			conn := newWorld(t, withoutRoutes).streamed("/auth/users/"+route, "4000000\r\n"+strings.Repeat("a", 16<<10+1))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err, "the server still waits for the rest of the body")
			require.NoError(t, response.Body.Close())
			require.Equal(t, 413, response.StatusCode)
		})
	}
}

func TestTheEndOfABodyThatIsTooLongIsNotReadAsABody(t *testing.T) {
	w := newWorld(t)
	pair := w.register("users", "ann@example.com")
	other := newWorld(t, withoutRoutes, func(cfg *fiberjwt.Config) { cfg.DB = w.db })
	body := strings.Repeat("x", 16<<10+1) + `{"refresh_token":"` + pair.Refresh + `"}`
	conn := other.streamed("/auth/users/refresh", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 413, response.StatusCode)
}

func TestWhatIsLeftOfARefusedBodyIsNotTakenForARequest(t *testing.T) {
	for name, path := range map[string]string{"by a route": "/auth/users/login", "by the middleware": "/any"} {
		t.Run(name, func(t *testing.T) {
			body := strings.Repeat("a", 16<<10+1) + "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"
			conn := newWorld(t, withoutRoutes).streamed(path, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
			answers, _ := io.ReadAll(conn) // the server closes, or resets
			require.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "%.2000s", answers)
		})
	}
}

func TestARegisterHookWhoseOwnStoreDoesNotAnswerRefusesNobody(t *testing.T) {
	for _, cause := range []error{context.DeadlineExceeded, sql.ErrConnDone} {
		w := newWorld(t, func(cfg *fiberjwt.Config) {
			cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(*fiber.Ctx, *User) error { return fmt.Errorf("query invitations: %w", cause) }}
		})
		requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)), 503, "temporarily_unavailable", cause)
	}
}

func TestAnAllowHookThatAsksTheDatabaseFindsTheNewAccount(t *testing.T) {
	for name, connections := range map[string]int{"a pool": 0, "one connection": 1} {
		t.Run(name, func(t *testing.T) {
			var w *world
			w = newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.WriteTimeout = 30 * time.Second
				cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(ctx context.Context, u *User) error {
					found, err := w.db.NewSelect().Model((*User)(nil)).Where("id = ? AND NOT disabled", u.ID).Exists(ctx)
					if err == nil && !found {
						err = errors.New("disabled")
					}
					return err
				}}
			})
			w.db.SetMaxOpenConns(connections)
			require.NotEmpty(t, w.register("users", "ann@example.com").Access, "registered but not signed in")
		})
	}
}
