package process

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/test/process/internal/service"
)

// These are the deadlines of the service while the store is broken. A request waits for
// at most one write and one or two reads.
const (
	readTimeout  = 700 * time.Millisecond
	writeTimeout = 900 * time.Millisecond
	slack        = patience // for hashing, and for a busy machine
)

// world is the service in this process, with a clock that the test moves and one account
// that is signed in by tokens and by cookies.
type world struct {
	t       *testing.T
	db      *bun.DB      // of the service
	direct  database     // not through the proxy
	patient *fiber.App   // with long timeouts, for requests that must succeed
	app     *fiber.App   // receives the requests: patient, or a hasty one
	late    atomic.Int64 // how far its clock is ahead
	handled atomic.Int64
	tokens
	cookies []*http.Cookie
}

// newWorld serves on the database d, which it reaches by address.
func newWorld(t *testing.T, d database, address string) *world {
	t.Helper()
	w := &world{t: t, direct: d}
	var err error
	w.db, err = service.Open(address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.db.Close() })
	require.NoError(t, service.CreateTables(t.Context(), w.db))
	w.patient = w.serve(patience, patience)
	w.app = w.patient
	r := w.send("POST", "/auth/users/register", credentials("ann@example.com"))
	require.Equal(t, 201, r.status, r.text)
	w.tokens = w.keep(r)
	r = w.send("POST", "/auth/users/login", `{"email":"ann@example.com","password":"`+password+`","transport":"cookie"}`)
	require.Equal(t, 200, r.status, r.text)
	w.cookies = (&http.Response{Header: r.header}).Cookies()
	require.Len(t, w.cookies, 3, "the third cookie is the device cookie")
	w.wait(6 * time.Minute) // the refresh tokens can be rotated, the access tokens are still valid
	return w
}

// serve returns the service with these deadlines.
func (w *world) serve(read, write time.Duration) *fiber.App {
	w.t.Helper()
	app, err := service.New(w.db, service.Options{
		Secret: []byte(secretA), ReadTimeout: read, WriteTimeout: write, Handled: &w.handled,
		Now:    func() time.Time { return time.Now().Add(time.Duration(w.late.Load())) },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(w.t, err)
	return app
}

// hasty returns the service with short deadlines for the broken operations, "read" or
// "write".
func (w *world) hasty(broken ...string) *fiber.App {
	w.t.Helper()
	read := readTimeout
	if !slices.Contains(broken, "read") {
		read = patience
	}
	return w.serve(read, writeTimeout)
}

func (w *world) wait(d time.Duration) { w.late.Add(int64(d)) }

func credentials(email string) string { return object("email", email, "password", password) }

func withBearer(access string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+access) }
}

func withCookies(cookies []*http.Cookie) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
	}
}

func (w *world) send(method, path, body string, with ...func(*http.Request)) reply {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, do := range with {
		do(request)
	}
	began := time.Now()
	response, err := w.app.Test(request, -1)
	if err != nil {
		return reply{text: err.Error()}
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text), time.Since(began)}
}

// requests returns requests that need the store. Each name begins with what the request
// needs, "read" or "write".
func (w *world) requests() map[string]func() reply {
	return map[string]func() reply{
		"read, a protected route by token":  func() reply { return w.send("GET", "/api/me", "", withBearer(w.access)) },
		"read, a protected route by cookie": func() reply { return w.send("GET", "/api/me", "", withCookies(w.cookies)) },
		"write, a refresh by token":         func() reply { return w.send("POST", "/auth/users/refresh", object("refresh_token", w.refresh)) },
		"write, a refresh by cookie":        func() reply { return w.send("POST", "/auth/users/refresh", "", withCookies(w.cookies)) },
		"write, a login":                    func() reply { return w.send("POST", "/auth/users/login", credentials("ann@example.com")) },
		"write, a login for cookies": func() reply {
			return w.send("POST", "/auth/users/login", `{"email":"ann@example.com","password":"`+password+`","transport":"cookie"}`)
		},
		"write, a registration":      func() reply { return w.send("POST", "/auth/users/register", credentials("bob@example.com")) },
		"write, a logout":            func() reply { return w.send("POST", "/auth/users/logout", "", withBearer(w.access)) },
		"write, a logout by cookie":  func() reply { return w.send("POST", "/auth/users/logout", "", withCookies(w.cookies)) },
		"write, a logout everywhere": func() reply { return w.send("POST", "/auth/users/logout-all", "", withBearer(w.access)) },
		"write, a change of the password": func() reply {
			return w.send("POST", "/auth/users/password", object("current_password", password, "password", "two ponies for the trip"), withBearer(w.access))
		},
	}
}

// requireRefused sends all requests at once. Each that needs a broken operation, "read"
// or "write", must be answered 503 in time, without any detail.
func (w *world) requireRefused(broken ...string) {
	w.t.Helper()
	var mu sync.Mutex
	var done sync.WaitGroup
	replies := map[string]reply{}
	handled, served := w.handled.Load(), int64(0)
	w.app = w.hasty(broken...)
	for name, send := range w.requests() {
		done.Go(func() {
			r := send()
			mu.Lock()
			defer mu.Unlock()
			replies[name] = r
		})
	}
	done.Wait()
	w.app = w.patient
	for name, r := range replies {
		if need, _, _ := strings.Cut(name, ","); need == "read" && len(broken) == 1 {
			require.Equal(w.t, 200, r.status, "%s: %s", name, r.text)
			served++
			continue
		}
		require.Equal(w.t, 503, r.status, "%s: %s", name, r.text)
		require.Equal(w.t, "temporarily_unavailable", r.member("error"), name)
		require.NotContains(w.t, strings.ToLower(r.text), "sql", "%s reveals the database", name)
		require.Equal(w.t, "1", r.header.Get("Retry-After"), name)
		require.Empty(w.t, r.header.Values("Set-Cookie"), name)
		require.Less(w.t, r.took, 2*readTimeout+writeTimeout+slack, name)
	}
	require.Equal(w.t, handled+served, w.handled.Load(), "a handler ran")
}

// requireWorking requires that all sessions still work and the service works normally.
func (w *world) requireWorking() {
	w.t.Helper()
	require.Equal(w.t, 200, w.send("GET", "/api/me", "", withBearer(w.access)).status)
	require.Equal(w.t, 200, w.send("GET", "/api/me", "", withCookies(w.cookies)).status)
	r := w.send("POST", "/auth/users/refresh", object("refresh_token", w.refresh))
	require.Equal(w.t, 200, r.status, r.text)
	require.NotEmpty(w.t, r.member("refresh_token"))
	w.tokens = w.keep(r)
	r = w.send("POST", "/auth/users/refresh", "", withCookies(w.cookies))
	require.Equal(w.t, 200, r.status, r.text)
	w.cookies = (&http.Response{Header: r.header}).Cookies()
	require.Len(w.t, w.cookies, 2)
	r = w.send("POST", "/auth/users/login", credentials("ann@example.com"))
	require.Equal(w.t, 200, r.status, "%s: a login during the outage counted as a failed login", r.text)
	w.wait(6 * time.Minute)
}

// duringOutage breaks the store, requires refusals, repairs it, and requires that nothing
// was written and everything works.
func (w *world) duringOutage(breaks, repairs func(), broken ...string) {
	w.t.Helper()
	before := w.contents()
	breaks()
	w.requireRefused(broken...)
	repairs()
	require.Equal(w.t, before, w.contents(), "something was written")
	w.requireWorking()
}

// contents returns the rows of both tables.
func (w *world) contents() string {
	w.t.Helper()
	text := ""
	for _, table := range []string{"users ORDER BY id", "fiberjwt_sessions ORDER BY sid"} {
		var rows []map[string]any
		require.NoError(w.t, w.direct.db.NewRaw("SELECT * FROM "+table).Scan(w.t.Context(), &rows))
		line, err := json.Marshal(rows)
		require.NoError(w.t, err)
		text += string(line)
	}
	return text
}

// onEachServer runs test on each server behind a proxy. It does not need MySQL, whose
// driver is that of MariaDB, as are its statements except for a refresh.
func onEachServer(t *testing.T, test func(w *world, p *proxy)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		c := ownCluster(t)
		d := postgresSchema(t, c.address())
		p := newProxy(t, c.host())
		test(newWorld(t, d, strings.Replace(d.address, c.host(), p.addr, 1)), p)
	})
	t.Run("MariaDB", func(t *testing.T) {
		d := mariaDatabase(t)
		host := hostOf(t, d.address)
		p := newProxy(t, host)
		test(newWorld(t, d, strings.Replace(d.address, host, p.addr, 1)), p)
	})
}

func TestRefusedDatabaseConnectionGets503(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(w *world, p *proxy) {
		w.duringOutage(func() { p.set(w.t, refusing) }, func() { p.set(w.t, passing) }, "read", "write")
	})
}

func TestHangingDatabaseGets503InTime(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(w *world, p *proxy) {
		w.duringOutage(func() { p.set(w.t, stalling) }, func() { p.set(w.t, passing) }, "read", "write")
	})
}

// The store executes the statements, and their answers are lost.
func TestLostDatabaseAnswerCostsNoSession(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(w *world, p *proxy) {
		p.set(w.t, mute)
		w.app = w.hasty("read", "write")
		byToken := w.requests()["write, a refresh by token"]()
		require.Equal(w.t, 503, byToken.status, byToken.text)
		byCookie := w.requests()["write, a refresh by cookie"]()
		require.Equal(w.t, 503, byCookie.status, byCookie.text)
		require.Empty(w.t, byCookie.header.Values("Set-Cookie"))
		w.app = w.patient
		p.set(w.t, passing)
		w.requireWorking()
	})
}

// This test and the one that sets the server read-only are not parallel, because other
// tests use the server.
func TestStoppedDatabaseGets503UntilRestart(t *testing.T) {
	c := ownCluster(t)
	d := postgresSchema(t, c.address())
	w := newWorld(t, d, d.address)
	before := w.contents()
	require.NoError(t, c.stop())
	t.Cleanup(func() { _ = c.start() }) // in case the test fails before it starts the server
	w.requireRefused("read", "write")
	require.NoError(t, c.start())
	require.NoError(t, w.direct.db.Close()) // its connection is broken as well
	w.direct = openDatabase(t, d.address, "")
	require.Equal(t, before, w.contents(), "something was written")
	w.requireWorking()
}

func TestReadOnlyDatabaseRefusesOnlyWrites(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := sqliteDatabase(t)
		w := newWorld(t, d, d.address)
		w.db.SetMaxOpenConns(1) // the pragma applies to this connection only
		pragma := func(value string) func() {
			return func() {
				_, err := w.db.ExecContext(t.Context(), "PRAGMA query_only = "+value)
				require.NoError(t, err)
			}
		}
		w.duringOutage(pragma("ON"), pragma("OFF"), "write")
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := postgresSchema(t, ownCluster(t).address())
		w := newWorld(t, d, d.address)
		readOnly := func(value string) func() {
			return func() {
				d.exec(t, "ALTER SYSTEM SET default_transaction_read_only = "+value)
				d.exec(t, "SELECT pg_reload_conf()")
				require.Eventually(t, func() bool {
					var now string
					require.NoError(t, d.db.NewRaw("SHOW default_transaction_read_only").Scan(t.Context(), &now))
					return now == value
				}, patience, 5*time.Millisecond)
				w.db.SetMaxIdleConns(0) // open connections may still have the old setting
				w.db.SetMaxIdleConns(20)
			}
		}
		w.duringOutage(readOnly("on"), readOnly("off"), "write")
	})
}

func TestLockedSQLiteRefusesOnlyWritesInTime(t *testing.T) {
	t.Parallel()
	d := sqliteDatabase(t)
	w := newWorld(t, d, d.address)
	var tx bun.Tx
	w.duringOutage(func() {
		var err error
		tx, err = d.db.BeginTx(context.Background(), nil) // IMMEDIATE, by the address
		require.NoError(t, err)
	}, func() { require.NoError(t, tx.Rollback()) }, "write")
}

func TestMissingTableGets503(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		w := newWorld(t, d, d.address)
		for _, table := range []string{"fiberjwt_sessions", "users"} {
			before, handled := w.contents(), w.handled.Load()
			d.exec(t, "ALTER TABLE "+table+" RENAME TO gone")
			for name, send := range w.requests() {
				if table == "users" && (strings.Contains(name, "refresh") || strings.Contains(name, "logout")) {
					continue // they write to the sessions first, or only to them
				}
				r := send()
				require.Equal(t, 503, r.status, "%s without %s: %s", name, table, r.text)
				require.Equal(t, "1", r.header.Get("Retry-After"), name)
				require.Empty(t, r.header.Values("Set-Cookie"), name)
			}
			require.Equal(t, handled, w.handled.Load(), "a handler ran")
			d.exec(t, "ALTER TABLE gone RENAME TO "+table)
			require.Equal(t, before, w.contents(), "something was written")
			w.requireWorking()
		}
	})
}

// If a refresh is stored and then loading the account fails, the same request returns
// the same token when the accounts are back.
func TestRefreshWithLostAccountsCanBeRetried(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		w := newWorld(t, d, d.address)
		d.exec(t, "ALTER TABLE users RENAME TO gone")
		for _, name := range []string{"write, a refresh by token", "write, a refresh by cookie"} {
			r := w.requests()[name]()
			require.Equal(t, 503, r.status, r.text)
			require.Empty(t, r.header.Values("Set-Cookie"))
		}
		d.exec(t, "ALTER TABLE gone RENAME TO users")
		w.requireWorking()
	})
}

// On a full file system nothing can be appended to the write-ahead log.
func TestFullDiskRefusesOnlyWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this test needs root and the right to mount file systems: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	d := openDatabase(t, filepath.Join(dir, "proctest.db"), "")
	w := newWorld(t, d, d.address)
	ballast := filepath.Join(dir, "ballast")
	w.duringOutage(func() { fill(t, ballast) }, func() { require.NoError(t, os.Remove(ballast)) }, "write")
}

// fill writes a file until the file system is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for size := 4096; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// The database cannot grow. Wherever a registration fails, it leaves no row.
func TestRegistrationInFullDatabaseLeavesNothing(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, filepath.Join(t.TempDir(), "proctest.db")+"?_pragma=page_size(512)", "")
	w := newWorld(t, d, d.address)
	w.db.SetMaxOpenConns(1) // the pragma applies to this connection only
	limit := func(pages int64) {
		_, err := w.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		require.NoError(t, err)
	}
	agent := func(r *http.Request) { r.Header.Set("User-Agent", strings.Repeat("x", 255)) } // so that a session needs more space than a user
	refused := 0
	for i := range 12 {
		if i%2 == 0 { // no more pages than the database has
			limit(d.number(t, "PRAGMA page_count"))
		}
		before := d.number(t, "SELECT count(*) FROM users")
		r := w.send("POST", "/auth/users/register", credentials(fmt.Sprintf("bob%d@example.com", i)), agent)
		after := d.number(t, "SELECT count(*) FROM users")
		if r.status != 201 {
			require.Equal(t, 503, r.status, r.text)
			require.Equal(t, before, after, "half an account")
			refused++
			limit(1 << 20)
			continue
		}
		require.Equal(t, before+1, after)
	}
	require.NotZero(t, refused)
	require.Zero(t, d.number(t, "SELECT count(*) FROM fiberjwt_sessions WHERE subject NOT IN (SELECT CAST(id AS TEXT) FROM users)"))
	limit(1 << 20)
	w.requireWorking()
}

// After a restore the store has lost rotations, and sessions that began after the backup.
// Sessions of the backup continue, even if the client's token is several generations
// ahead.
func TestRestoreKeepsSessionsOfTheBackup(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		w := newWorld(t, d, d.address)
		d.exec(t, "CREATE TABLE backup AS SELECT * FROM fiberjwt_sessions")
		younger := w.send("POST", "/auth/users/login", credentials("ann@example.com"))
		require.Equal(t, 200, younger.status, younger.text)
		for range 3 {
			w.requireWorking() // rotates both
		}
		d.exec(t, "DELETE FROM fiberjwt_sessions")
		d.exec(t, "INSERT INTO fiberjwt_sessions SELECT * FROM backup")

		require.Equal(t, 200, w.send("GET", "/api/me", "", withBearer(w.access)).status)
		healed := w.send("POST", "/auth/users/refresh", object("refresh_token", w.refresh))
		require.Equal(t, 200, healed.status, healed.text)
		require.Empty(t, healed.member("refresh_token"), "the client already has the newest token")
		w.tokens = w.keep(healed)
		byCookie := w.send("POST", "/auth/users/refresh", "", withCookies(w.cookies))
		require.Equal(t, 200, byCookie.status, byCookie.text)
		for _, cookie := range (&http.Response{Header: byCookie.header}).Cookies() {
			require.NotContains(t, cookie.Name, "refresh")
			for i := range w.cookies {
				if w.cookies[i].Name == cookie.Name {
					w.cookies[i] = cookie
				}
			}
		}
		unknown := w.send("POST", "/auth/users/refresh", object("refresh_token", younger.member("refresh_token")))
		require.Equal(t, "session_ended", unknown.member("error"), unknown.text)
		w.wait(6 * time.Minute)
		w.requireWorking()
	})
}

// This is the usual restore of SQLite: the file is copied, and put back while the server
// is stopped.
func TestRestoredSQLiteFileKeepsItsSessions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "live.db")
	d := openDatabase(t, path, "")
	p, f := d.startServer(t, "-secret", secretA), newClient()
	r := answered(t)(f.register(p.base, "ann@example.com", password))
	require.Equal(t, 201, r.status, r.text)
	session := tokens{}.keep(r)
	backup := filepath.Join(filepath.Dir(path), "backup.db")
	d.exec(t, "VACUUM INTO ?", backup) // a consistent copy, also while others write

	younger := tokens{}.keep(answered(t)(f.login(p.base, "ann@example.com", password)))
	for range 3 {
		d.age(t, 10*time.Minute)
		r := answered(t)(f.refresh(p.base, session.refresh))
		require.Equal(t, 200, r.status, r.text)
		session = session.keep(r)
	}
	p.kill()
	require.NoError(t, d.db.Close())
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + suffix) // they belong to the replaced file
	}
	require.NoError(t, os.Rename(backup, path))

	p = openDatabase(t, path, "").startServer(t, "-secret", secretA)
	require.Equal(t, 200, answered(t)(f.me(p.base, session.access)).status)
	healed := answered(t)(f.refresh(p.base, session.refresh))
	require.Equal(t, 200, healed.status, healed.text)
	require.Empty(t, healed.member("refresh_token"), "the client already has the newest token")
	require.Equal(t, "session_ended", answered(t)(f.refresh(p.base, younger.refresh)).member("error"), "the session began after the copy")
	require.Equal(t, 200, answered(t)(f.login(p.base, "ann@example.com", password)).status)
}
