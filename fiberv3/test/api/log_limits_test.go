// Code generated from ../../../test/api/log_limits_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// linesWithCauses is the maximum of lines per minute for one sort of failure: one
// for each of 16 causes, and one for all others.
const linesWithCauses = 17

// refusedDial is what a driver returns while the database server is down.
var refusedDial = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// counted returns the sum of the attribute count over lines.
func counted(t *testing.T, lines []string) (sum int) {
	t.Helper()
	for _, line := range lines {
		match := regexp.MustCompile(` count=(\d+) `).FindStringSubmatch(line)
		require.NotNil(t, match, "a line without count: %s", line)
		n, err := strconv.Atoi(match[1])
		require.NoError(t, err)
		sum += n
	}
	return sum
}

func TestStoreOutageIsOneLogLineAMinute(t *testing.T) {
	const clients, each = 50, 10
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	all := w.requests(pair)
	var requests []func() answer
	for _, name := range []string{"login", "refresh", "GET /users/me by header", "logout by refresh", "logout by cookie"} {
		requests = append(requests, all[name])
	}

	f.set(refusedDial, false, "")
	var unavailable atomic.Int32
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for i := range each {
				if requests[(client+i)%len(requests)]().Status == 503 {
					unavailable.Add(1)
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, clients*each, unavailable.Load(), "every request must fail without the store")
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.lines()[0], "level=ERROR")
	require.Contains(t, w.lines()[0], "count=1 status=503 ")
	require.Contains(t, w.lines()[0], "connect: connection refused", "the first line must name the cause")

	w.clock.Advance(time.Minute - time.Millisecond)
	require.Equal(t, 503, w.get("/users/me", pair.Access).Status)
	require.Len(t, w.lines(), 1, "there must be no second line within a minute")
	w.clock.Advance(time.Millisecond)
	require.Equal(t, 503, w.get("/users/me", pair.Access).Status)
	require.Len(t, w.lines(), 2)
	require.Equal(t, 1+clients*each+1, counted(t, w.lines()), "the counts must add up to the number of 503 responses")

	f.over()
	w.clock.Advance(time.Minute)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Len(t, w.lines(), 2, "a success must not be logged")
}

func TestEachCauseOfAnOutageHasItsOwnLogLine(t *testing.T) {
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	access := w.enter("users", 1).Access
	fail := func() string {
		before := len(w.lines())
		for range 3 {
			require.Equal(t, 503, w.get("/users/me", access).Status)
		}
		require.Len(t, w.lines(), before+1)
		return w.lines()[before]
	}
	f.set(refusedDial, false, "")
	require.Contains(t, fail(), "connection refused")
	f.set(fmt.Errorf("marker of a driver: %w", context.DeadlineExceeded), false, "")
	require.Contains(t, fail(), "marker of a driver: context deadline exceeded")
	f.set(fmt.Errorf("marker of a store: %w", &net.DNSError{Err: "no such host", Name: "db"}), false, "")
	require.Contains(t, fail(), "no such host", "the type of the innermost error decides the cause")
	f.over()
	w.sql(`ALTER TABLE fiberjwt_sessions RENAME TO elsewhere`)
	require.Contains(t, fail(), "call fiberjwt.Migrate(ctx, db) at every start", "an outage must not hide the missing table")
	w.sql(`ALTER TABLE users RENAME TO people`)
	require.Contains(t, fail(), "a table of Config.Entities is missing")

	w.clock.Advance(time.Minute)
	w.sql(`ALTER TABLE people RENAME TO users`)
	require.Equal(t, 503, w.get("/users/me", access).Status)
	require.Contains(t, w.lines()[5], "count=3 ", "each cause must have its own count")
}

func TestStoreErrorTextDoesNotMultiplyLogLines(t *testing.T) {
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	access := w.enter("users", 1).Access
	for i := range 100 {
		f.set(fmt.Errorf("no row for %d", i), false, "")
		require.Equal(t, 503, w.get("/users/me", access).Status)
	}
	require.Len(t, w.lines(), 1, "the text may come from clients, so it must not distinguish causes")
}

// panickingWorld has users whose Allow hook panics with what text returns. The third
// result is the access token of a user.
func panickingWorld(t *testing.T, text func() string) (*world, *trouble, string) {
	t.Helper()
	ready := false
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Allow: func(context.Context, *User) error {
			if ready {
				panic(text())
			}
			return nil
		}}, fiberjwt.Entity[Teacher]{Identity: "login"}}
	})
	w.addUser("ann@example.com")
	access := w.enter("users", 1).Access
	ready = true
	return w, f, access
}

func TestHookPanicIsOneLogLineAMinute(t *testing.T) {
	w, _, access := panickingWorld(t, func() string { return "the limit is broken" })
	for range 50 { // each runs in another goroutine, whose number is in the stack
		require.Equal(t, 500, w.get("/users/me", access).Status)
	}
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.lines()[0], "the limit is broken")
	w.clock.Advance(time.Minute)
	require.Equal(t, 500, w.get("/users/me", access).Status)
	require.Len(t, w.lines(), 2)
	require.Contains(t, w.lines()[1], "count=50 status=500 ")
}

func TestFloodOfDifferentPanicsHasABoundedLog(t *testing.T) {
	text, panics := "", 0
	w, f, access := panickingWorld(t, func() string { return text })
	var all []string
	// flood panics with the given number of texts, each of them several times.
	flood := func(texts, each int) {
		w.log.Reset()
		for i := range texts * each {
			text = fmt.Sprint("panic ", panics+i/each)
			require.Equal(t, 500, w.get("/users/me", access).Status)
		}
		panics += texts * each
		require.Len(t, w.lines(), linesWithCauses)
		all = append(all, w.lines()...)
	}
	flood(150, 3)
	require.Contains(t, all[0], "panic 0")

	w.log.Reset()
	f.set(refusedDial, false, "")
	require.Equal(t, 503, w.get("/users/me", access).Status)
	require.Contains(t, w.log.String(), "connection refused", "the flood must not hide an outage")
	f.over()

	w.clock.Advance(time.Minute)
	flood(150, 3)
	require.Contains(t, w.log.String(), "panic 451", "after a minute, new causes must be logged")
	w.clock.Advance(time.Minute)
	flood(linesWithCauses, 1)
	require.Equal(t, panics, counted(t, all), "the counts must add up to the number of panics")
}

func TestLongErrorsAreGroupedByTheirBeginning(t *testing.T) {
	n := 0
	w, _, access := panickingWorld(t, func() string { n++; return strings.Repeat("x", 300) + fmt.Sprint(n) })
	for range 50 {
		require.Equal(t, 500, w.get("/users/me", access).Status)
	}
	require.Len(t, w.lines(), 1)
}

func TestRefusedRowsAreOneLogLineAMinute(t *testing.T) {
	w := newWorld(t)
	w.requireFullName()
	register := func(name string) {
		require.Equal(t, 422, w.do("POST", "/auth/users/register", credentials("users", name+"@example.com", testPassword)).Status)
	}
	for _, name := range []string{"ann", "bob", "cid"} {
		register(name)
	}
	require.Len(t, w.lines(), 1)
	w.clock.Advance(time.Minute)
	register("dan")
	require.Len(t, w.lines(), 2)
	require.Contains(t, w.lines()[1], "count=3 ")
}

// refusedText is PostgreSQL's error for a value, which contains the value.
type refusedText string

func (r refusedText) Error() string  { return "invalid input syntax: " + string(r) }
func (refusedText) SQLState() string { return "22P02" }

func TestRefusedValuesDoNotMultiplyLogLines(t *testing.T) {
	w, f := troubledWorld(t)
	for _, name := range []string{"ann", "bob", "cid"} {
		f.set(refusedText(name), false, `INSERT INTO "users"`)
		a := w.do("POST", "/auth/users/register", credentials("users", name+"@example.com", testPassword))
		require.Equal(t, 422, a.Status, a.Body)
	}
	require.Len(t, w.lines(), 1)
	require.NotContains(t, w.log.String(), "ann", "the log must not contain what clients sent")
}

func TestFailedAssertionsAreOneLogLineAMinute(t *testing.T) {
	w, request := wrongLocalsKey(t)
	for range 5 {
		require.Panics(t, request)
	}
	require.Len(t, w.lines(), 1)
	w.clock.Advance(time.Minute)
	require.Panics(t, request)
	require.Len(t, w.lines(), 2)
	require.Contains(t, w.lines()[1], "count=5 ")
}

// Clients can make an application's handlers fail as often as they want.
func TestErrorHandlerLogsOneLineAMinute(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "GET /errors/*") })
	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
	app.Use(w.auth.Handler())
	app.Get("/errors/own", func(fiber.Ctx) error { return errors.New("the mail server is down") })
	app.Get("/errors/net", func(fiber.Ctx) error { return refusedDial })
	w.app = app
	for range 50 {
		require.Equal(t, 500, w.do("GET", "/errors/own", "").Status)
		require.Equal(t, 503, w.do("GET", "/errors/net", "").Status)
	}
	require.Len(t, w.lines(), 2)
	require.Contains(t, w.lines()[0], "the mail server is down")
	require.Contains(t, w.lines()[1], "connection refused")
}

func TestPasswordFloodIsOneLogLineAMinute(t *testing.T) {
	w := newWorld(t)
	open := closeGate(w.auth)
	flood := func() {
		for i := range 64 {
			a := w.do("POST", "/auth/users/login", credentials("users", fmt.Sprintf("%d@example.com", i), testPassword))
			requireRefusal(t, a, 503, "temporarily_unavailable")
			require.NotEmpty(t, a.Header.Get("Retry-After"))
		}
	}
	flood()
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), "level=WARN")
	require.Contains(t, w.log.String(), "too many passwords are being hashed")
	require.NotContains(t, w.log.String(), "ERROR")

	w.clock.Advance(time.Hour)
	flood()
	require.Len(t, w.lines(), 2, "the next line must come after a minute")
	require.Contains(t, w.lines()[1], "count=64", "the line must count the failures since the last line")
	open()
	w.register("users", "ann@example.com")
}

func TestClockThatIsBehindIsLoggedOnceAMinute(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	refresh := func(ahead time.Duration) (lines int) {
		w.log.Reset()
		w.clock.Advance(-ahead)
		defer w.clock.Advance(ahead)
		require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
		return len(w.lines())
	}
	require.Zero(t, refresh(5*time.Second))
	require.Equal(t, 1, refresh(6*time.Second))
	require.Contains(t, w.log.String(), "NTP")
	require.Zero(t, refresh(6*time.Second), "there must be no second line within a minute")
	w.clock.Advance(time.Minute)
	w.sql(`UPDATE fiberjwt_sessions SET issued = issued + 60000`)
	require.Equal(t, 1, refresh(6*time.Second))
}

func TestTokenFromFutureIsLoggedOnceAMinute(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	access := w.enter("users", 1).Access
	get := func(ahead time.Duration, access string) int {
		w.clock.Advance(-ahead)
		defer w.clock.Advance(ahead)
		return w.get("/users/me", access).Status
	}
	const far = 61 * time.Second
	require.Equal(t, 200, get(60*time.Second, access))
	require.Equal(t, 401, get(far, access[:len(access)-10]+"AAAAAAAAAA"))
	require.Empty(t, w.log.String(), "a token with an invalid signature must not be logged")
	for range 2 {
		require.Equal(t, 401, get(far, access))
	}
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), "by=1m1s")
	require.Contains(t, w.log.String(), "NTP")

	w.clock.Advance(time.Minute)
	require.Equal(t, 401, get(far, w.enter("users", 1).Access))
	require.Len(t, w.lines(), 2, "the next line must come after a minute")
	require.Contains(t, w.lines()[1], "count=2 ")
}
