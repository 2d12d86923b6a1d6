package process

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/test/process/internal/service"
)

// The clocks of these tests stand still, so the rule allows five guesses even on a slow
// machine.

// guesser sends wrong passwords and counts how many were compared.
type guesser struct {
	compared atomic.Int64
	others   sync.Map // other statuses
}

func (g *guesser) count(status int) {
	switch status {
	case 401:
		g.compared.Add(1)
	case 429, 503:
	default:
		g.others.Store(status, true)
	}
}

func (g *guesser) require(t *testing.T, atMost int64) {
	t.Helper()
	require.LessOrEqual(t, g.compared.Load(), atMost, "too many wrong passwords were compared")
	require.Empty(t, contents(&g.others), "other statuses")
}

const guess = `{"email":"ann@example.com","password":"not the pony's name"}`

// 400 connections from one address guess the password of one account.
func TestFloodGetsNoMoreGuessesThanAllowed(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		db, err := service.Open(d.address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		require.NoError(t, service.CreateTables(t.Context(), db))
		begun := time.Now()
		// For the store, these are two processes.
		var bases []string
		for range 2 {
			app, err := service.New(db, service.Options{
				Secret: []byte(secretA), Now: func() time.Time { return begun },
				ReadTimeout: readTimeout, WriteTimeout: writeTimeout, Logger: quiet(),
			})
			require.NoError(t, err)
			bases = append(bases, listen(t, app))
		}
		client := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 400}}
		t.Cleanup(client.CloseIdleConnections)
		var g guesser
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() {
				for range 15 {
					response, err := client.Post(bases[i%2]+"/auth/users/login", "application/json", strings.NewReader(guess))
					if err != nil {
						g.others.Store(err.Error(), true)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					g.count(response.StatusCode)
				}
			})
		}
		all.Wait()
		g.require(t, 5)
		require.NotZero(t, g.compared.Load())
	})
}

func listen(t *testing.T, app *fiber.App) (base string) {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(ownIP(), "0"))
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()
	t.Cleanup(func() {
		_ = app.ShutdownWithTimeout(time.Second)
		require.NoError(t, <-served)
	})
	return "http://" + ln.Addr().String()
}

// An attacker who makes the store time out gets no extra guess, neither if the charge is
// lost nor if only its answer is lost.
func TestStoreTimeoutGivesNoExtraGuess(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(w *world, p *proxy) {
		begun := time.Now()
		var g guesser
		burst := func() {
			// A process that has just started does not remember whom the store made wait.
			app, err := service.New(w.db, service.Options{
				Secret: []byte(secretA), Now: func() time.Time { return begun },
				ReadTimeout: readTimeout, WriteTimeout: writeTimeout, Logger: quiet(),
			})
			require.NoError(w.t, err)
			w.app = app
			var all sync.WaitGroup
			for range 30 {
				all.Go(func() { g.count(w.send("POST", "/auth/users/login", guess).status) })
			}
			all.Wait()
		}
		for _, trouble := range []mode{mute, stalling, mute} {
			p.set(w.t, trouble)
			burst()
			p.set(w.t, passing)
			burst()
		}
		g.require(w.t, 5)
		require.NotZero(w.t, g.compared.Load())
		w.app = w.patient
		w.db.SetMaxIdleConns(0) // the proxy closed them
		w.wait(48 * time.Hour)
		require.Equal(w.t, 200, w.send("POST", "/auth/users/login", credentials("ann@example.com")).status, "the owner must still wait")
	})
}

// The store is down while an attacker floods the sign-in. Users who are signed in stay
// signed in.
func TestOutageDuringFloodKeepsUsersSignedIn(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(w *world, p *proxy) {
		p.set(w.t, refusing)
		w.app = w.hasty("read", "write")
		var all sync.WaitGroup
		var g guesser
		for range 40 {
			all.Go(func() {
				for range 5 {
					g.count(w.send("POST", "/auth/users/login", guess).status)
				}
			})
		}
		for range 10 {
			all.Go(func() {
				for _, r := range []reply{
					w.send("GET", "/api/me", "", withBearer(w.access)),
					w.send("GET", "/api/me", "", withCookies(w.cookies)),
					w.send("POST", "/auth/users/refresh", "", withCookies(w.cookies)),
				} {
					if r.status != 503 || len(r.header.Values("Set-Cookie")) > 0 {
						g.others.Store(r.text, true)
					}
				}
			})
		}
		all.Wait()
		g.require(w.t, 0)
		p.set(w.t, passing)
		w.app = w.patient
		w.requireWorking()
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
