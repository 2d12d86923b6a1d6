// Code generated from ../../../test/api/store_failures_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// trouble makes statements of a database fail.
type trouble struct {
	mu    sync.Mutex
	err   error                    // what they return
	hang  bool                     // they block until the context ends
	after int                      // the number of statements that succeed first
	times int                      // the number of statements that fail, 0 for all
	match string                   // a text that they contain
	seen  map[string]time.Duration // by statement, the longest time to the deadline; -1 without a deadline
}

func (f *trouble) set(err error, hang bool, match string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.hang, f.match = err, hang, match
}

func (f *trouble) over() { f.set(nil, false, "") }

func (f *trouble) intercept(ctx context.Context, statement string) error {
	left := time.Duration(-1)
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	f.mu.Lock()
	err, hang, match := f.err, f.hang, f.match
	if longest, known := f.seen[statement]; f.seen != nil && statement != "COMMIT" && (!known || left < 0 || longest >= 0 && left > longest) {
		f.seen[statement] = left
	}
	f.mu.Unlock()
	if !strings.Contains(statement, match) {
		return nil
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.after > 0 {
		f.after--
		return nil
	}
	if err != nil && f.times > 0 {
		if f.times--; f.times == 0 {
			f.err = nil
		}
	}
	if errors.Is(err, errPanic) {
		panic("marker: index out of range")
	}
	return err
}

// errPanic makes the driver panic.
var errPanic = errors.New("panic")

// troubled is a driver.Connector with trouble.
type troubled struct {
	driver.Connector
	trouble *trouble
}

func (d *troubled) Connect(ctx context.Context) (driver.Conn, error) {
	if err := d.trouble.intercept(ctx, "CONNECT"); err != nil {
		return nil, err
	}
	conn, err := d.Connector.Connect(ctx)
	return &troubledConn{conn, d.trouble}, err
}

type troubledConn struct {
	driver.Conn
	trouble *trouble
}

func (c *troubledConn) PrepareContext(ctx context.Context, statement string) (driver.Stmt, error) {
	if err := c.trouble.intercept(ctx, statement); err != nil {
		return nil, err
	}
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, statement)
	return &troubledStmt{Stmt: stmt, text: statement, trouble: c.trouble}, err
}

// troubledStmt has trouble from its second use on, because the first follows the preparation.
type troubledStmt struct {
	driver.Stmt
	text    string
	used    bool
	trouble *trouble
}

func (s *troubledStmt) intercept(ctx context.Context) error {
	if !s.used {
		s.used = true
		return nil
	}
	return s.trouble.intercept(ctx, s.text)
}

func (s *troubledStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.intercept(ctx); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *troubledStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.intercept(ctx); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (c *troubledConn) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.trouble.intercept(ctx, statement); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, statement, args)
}

func (c *troubledConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if err := c.trouble.intercept(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
	return troubledTx{tx, c.trouble}, err
}

type troubledTx struct {
	driver.Tx
	trouble *trouble
}

// Commit with trouble does not commit, as if the connection broke.
func (tx troubledTx) Commit() error {
	if err := tx.trouble.intercept(context.Background(), "COMMIT"); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Tx.Commit()
}

// troubledWorld is a quickWorld whose library reaches the database through trouble.
// The test itself reaches it directly.
func troubledWorld(t *testing.T, configure ...func(*fiberjwt.Config)) (*world, *trouble) {
	t.Helper()
	f := &trouble{}
	through := func(cfg *fiberjwt.Config) {
		var path string
		require.NoError(t, cfg.DB.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path))
		connector, err := cfg.DB.Driver().(driver.DriverContext).OpenConnector("file:" + path + "?_pragma=busy_timeout(10000)&_pragma=synchronous(NORMAL)&_txlock=immediate")
		require.NoError(t, err)
		pool := sql.OpenDB(&troubled{connector, f})
		t.Cleanup(func() { require.NoError(t, pool.Close()) })
		cfg.DB = bun.NewDB(pool, sqlitedialect.New())
	}
	return quickWorld(t, append([]func(*fiberjwt.Config){through}, configure...)...), f
}

// requests returns all requests that need the store, for an account with these tokens.
func (w *world) requests(p tokens) map[string]func() answer {
	bearer := []string{"Authorization", "Bearer " + p.Access}
	cookies := []string{"Cookie", userCookie + "=" + p.Access + "; " + refreshCookie + "=" + p.Refresh}
	refresh := `{"refresh_token":"` + p.Refresh + `"}`
	change := `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
	do := func(method, path, body string, headers ...string) func() answer {
		return func() answer { return w.do(method, path, body, headers...) }
	}
	all := map[string]func() answer{
		"register": do("POST", "/auth/users/register", credentials("users", "new@example.com", testPassword)),
		"register by cookie": do("POST", "/auth/users/register",
			`{"email":"new@example.com","password":"`+testPassword+`","transport":"cookie"}`),
		"login":                       do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)),
		"login by cookie":             do("POST", "/auth/users/login", `{"email":"ann@example.com","password":"`+testPassword+`","transport":"cookie"}`),
		"login of an unknown account": do("POST", "/auth/users/login", credentials("users", "nobody@example.com", testPassword)),
		"refresh":                     do("POST", "/auth/users/refresh", refresh),
		"refresh by cookie":           do("POST", "/auth/users/refresh", "", cookies...),
		"logout by refresh":           do("POST", "/auth/users/logout", refresh),
		"all out by refresh":          do("POST", "/auth/users/logout-all", refresh),
	}
	for name, credential := range map[string][]string{"header": bearer, "cookie": cookies} {
		for _, path := range []string{"/users/me", "/locals/users", "/either", "/any", "/fresh", "/open", "/no/such/route", "/auth/users/me", "/auth/users/sessions"} {
			all["GET "+path+" by "+name] = do("GET", path, "", credential...)
		}
		all["POST /any by "+name] = do("POST", "/any", "", credential...)
		all["logout by "+name] = do("POST", "/auth/users/logout", "", credential...)
		all["logout all by "+name] = do("POST", "/auth/users/logout-all", "", credential...)
		all["end a session by "+name] = do("DELETE", "/auth/users/sessions/"+strings.Repeat("A", 22), "", credential...)
		all["password by "+name] = do("POST", "/auth/users/password", change, credential...)
	}
	return all
}

func TestFailingStoreGets503EverywhereAndChangesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		trouble error
		sql     []string // statements that cause the failure
		back    []string // statements that end it
	}{
		"an error":              {trouble: errors.New("marker: connection refused")},
		"bad connections":       {trouble: driver.ErrBadConn},
		"a closed connection":   {trouble: sql.ErrConnDone},
		"a timeout":             {trouble: context.DeadlineExceeded},
		"a cancelled statement": {trouble: fmt.Errorf("marker: %w", context.Canceled)},
		"no table of sessions":  {sql: []string{`ALTER TABLE fiberjwt_sessions RENAME TO marker`}, back: []string{`ALTER TABLE marker RENAME TO fiberjwt_sessions`}},
		"no table of accounts":  {sql: []string{`ALTER TABLE users RENAME TO marker`}, back: []string{`ALTER TABLE marker RENAME TO users`}},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			w, f := troubledWorld(t)
			w.app.All("/ran", func(fiber.Ctx) error { ran = true; return nil })
			w.addUser("ann@example.com")
			pair := w.enter("users", 1)
			w.clock.Advance(6 * time.Minute)

			requests := w.requests(pair)
			requests["GET /ran"] = func() answer { return w.get("/ran", pair.Access) }
			f.set(test.trouble, false, "")
			w.sql(test.sql...)
			for request, send := range requests {
				if doesNotUseMissingTable(name, request) {
					continue
				}
				a := send()
				requireRefusal(t, a, 503, "temporarily_unavailable", request)
				require.NotEmpty(t, a.Header.Get("Retry-After"), request)
				require.Empty(t, a.Header.Values("Set-Cookie"), request)
				require.NotContains(t, a.Body, "marker", request)
				require.False(t, ran, "the handler must not run")
			}
			for range 6 { // more failures than the throttle allows without a delay
				requireRefusal(t, requests["login"](), 503, "temporarily_unavailable", "a failure of the store must not count as a guess")
			}
			// Requests that do not need the store are answered as usual.
			require.Equal(t, 200, w.do("GET", "/open", "").Status)
			requireRefusal(t, w.do("GET", "/any", ""), 401, "no_token")
			requireRefusal(t, w.get("/any", "x.y.z"), 401, "invalid_token")
			requireRefusal(t, w.refresh("users", "x"), 401, "session_ended")
			requireRefusal(t, w.do("POST", "/auth/users/login", "{}"), 422, "invalid_fields")
			require.Equal(t, 204, w.do("POST", "/auth/users/logout", "").Status)

			f.over()
			w.sql(test.back...)
			require.Equal(t, 1, w.count("users"), "a failed request must not leave an account")
			require.Equal(t, 1, w.count("fiberjwt_sessions"), "a failed request must not leave a session")
			require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "the session must survive the failure")
			require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
			require.Equal(t, 200, requests["login"]().Status)
		})
	}
}

// doesNotUseMissingTable reports if a request does not need the table that is missing.
func doesNotUseMissingTable(trouble, request string) bool {
	switch trouble {
	case "no table of sessions":
		return request == "login of an unknown account"
	case "no table of accounts":
		return strings.Contains(request, "logout") || strings.Contains(request, "all out")
	}
	return false
}

func TestClosedDatabaseGets503(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	require.NoError(t, w.db.Close())
	for _, path := range []string{"/users/me", "/open", "/any", "/auth/users/me"} {
		requireRefusal(t, w.get(path, pair.Access), 503, "temporarily_unavailable", path)
	}
	require.Equal(t, 200, w.do("GET", "/any", "").Status, "an anonymous request must not need the store")
	require.Contains(t, w.log.String(), "database is closed")
	for _, secret := range []string{pair.Access, pair.Refresh, testSecret} {
		require.NotContains(t, w.log.String(), secret)
	}
}

func TestHangingStoreGets503AtDeadline(t *testing.T) {
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) {
		cfg.ReadTimeout, cfg.WriteTimeout = 300*time.Millisecond, 400*time.Millisecond
	})
	w.addUser("ann@example.com")
	patient := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.DB = w.db })
	patient.db = w.db
	pair := patient.enter("users", 1)
	f.set(nil, true, "")
	requests := w.requests(pair)
	answers := make(chan func(), len(requests))
	for request, send := range requests {
		go func() {
			a := send()
			answers <- func() { requireRefusal(t, a, 503, "temporarily_unavailable", request) }
		}()
	}
	for range requests {
		(<-answers)()
	}
}

func TestEveryStatementHasADeadline(t *testing.T) {
	const read, write = 40 * time.Second, 50 * time.Second
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) { cfg.ReadTimeout, cfg.WriteTimeout = read, write })
	w.addUser("ann@example.com")
	f.seen = map[string]time.Duration{}
	pair := w.enter("users", 1)
	w.clock.Advance(6 * time.Minute)
	require.Equal(t, 200, w.requests(pair)["refresh"]().Status)
	for _, send := range w.requests(pair) {
		send()
	}
	_, err := w.auth.Prune(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(f.seen), 8)
	for statement, left := range f.seen {
		require.Positive(t, left, "no deadline: %s", statement)
		require.LessOrEqual(t, left, write, statement)
		readBack := strings.Contains(statement, `'new@example.com'`) || strings.Contains(statement, `"password_hash" =`) || strings.HasPrefix(statement, `SELECT "user"."id", "user"."email", "user"."password_hash" FROM`)
		if strings.HasPrefix(statement, "SELECT") && strings.Contains(statement, `FROM "users"`) && !readBack { // statements that read back run in a transaction that writes
			require.LessOrEqual(t, left, read, statement)
		}
	}
}

func TestRefreshCanBeRepeatedWhenAccountFailsToLoad(t *testing.T) {
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.clock.Advance(20 * time.Minute)
	f.set(errors.New("marker"), false, `"users"`)
	requireRefusal(t, w.refresh("users", pair.Refresh), 503, "temporarily_unavailable")
	f.over()
	w.clock.Advance(10 * time.Second)
	a := w.refresh("users", pair.Refresh)
	require.Equal(t, 200, a.Status, "the client must be able to repeat the refresh after a 503: %s", a.Body)
	require.NotEmpty(t, w.tokensOf(a).Refresh)
	require.Equal(t, 200, w.refresh("users", w.tokensOf(a).Refresh).Status)
}

func TestRequestThatFailsHalfWayIsRolledBack(t *testing.T) {
	for name, test := range map[string]struct {
		match string
		send  func(*world, tokens) answer
	}{
		"register, beginning":            {"BEGIN", func(w *world, _ tokens) answer { return w.requests(tokens{})["register by cookie"]() }},
		"register, the account":          {`INSERT INTO "users"`, func(w *world, _ tokens) answer { return w.requests(tokens{})["register by cookie"]() }},
		"register, the session":          {`INSERT INTO fiberjwt_sessions`, func(w *world, _ tokens) answer { return w.requests(tokens{})["register by cookie"]() }},
		"register, committing":           {"COMMIT", func(w *world, _ tokens) answer { return w.requests(tokens{})["register by cookie"]() }},
		"login, the account":             {`FROM "users"`, func(w *world, _ tokens) answer { return w.requests(tokens{})["login by cookie"]() }},
		"login, counting the attempt":    {`INSERT INTO fiberjwt_throttle`, func(w *world, _ tokens) answer { return w.requests(tokens{})["login by cookie"]() }},
		"register, counting the attempt": {`INSERT INTO fiberjwt_throttle`, func(w *world, _ tokens) answer { return w.requests(tokens{})["register by cookie"]() }},
		"password, counting the attempt": {`INSERT INTO fiberjwt_throttle`, func(w *world, p tokens) answer { return w.requests(p)["password by header"]() }},
		"login, the session":             {`INSERT INTO fiberjwt_sessions`, func(w *world, _ tokens) answer { return w.requests(tokens{})["login by cookie"]() }},
		"password, beginning":            {"BEGIN", func(w *world, p tokens) answer { return w.requests(p)["password by header"]() }},
		"password, finding the account":  {`"email" = `, func(w *world, p tokens) answer { return w.requests(p)["password by header"]() }},
		"password, the hash":             {`UPDATE "users"`, func(w *world, p tokens) answer { return w.requests(p)["password by header"]() }},
		"password, the other sessions":   {`SET revoked`, func(w *world, p tokens) answer { return w.requests(p)["password by header"]() }},
		"password, committing":           {"COMMIT", func(w *world, p tokens) answer { return w.requests(p)["password by header"]() }},
		"logout, the session":            {`SET revoked`, func(w *world, p tokens) answer { return w.requests(p)["logout by cookie"]() }},
		"logout everywhere, the session": {`SET revoked`, func(w *world, p tokens) answer { return w.requests(p)["logout all by cookie"]() }},
		"refresh, the session":           {`fiberjwt_sessions`, func(w *world, p tokens) answer { return w.requests(p)["refresh by cookie"]() }},
		"ending a session":               {`SET revoked`, func(w *world, p tokens) answer { return w.requests(p)["end a session by cookie"]() }},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := troubledWorld(t)
			w.addUser("ann@example.com")
			pair, other := w.enter("users", 1), w.enter("users", 1)
			w.clock.Advance(6 * time.Minute)
			f.set(errors.New("marker"), false, test.match)
			a := test.send(w, pair)
			requireRefusal(t, a, 503, "temporarily_unavailable")
			require.Empty(t, a.Header.Values("Set-Cookie"))
			require.NotContains(t, a.Body, "marker")
			f.over()
			require.Equal(t, "1 "+hashOfTestPassword, w.text(`SELECT count(*) || ' ' || max(password_hash) FROM users`))
			require.Equal(t, "2", w.text(`SELECT count(*) FROM fiberjwt_sessions WHERE revoked IS NULL AND gen = 0`))
			require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
			require.Equal(t, 200, w.refresh("users", other.Refresh).Status)
		})
	}
}

// deadlock is the error of PostgreSQL for a statement that it has rolled back.
type deadlock struct{}

func (deadlock) Error() string    { return "marker: deadlock detected" }
func (deadlock) SQLState() string { return "40P01" }

// field is an error like those of Bun's pgdriver.
type field string

func (field) Error() string { return "marker" }

func (f field) Field(key byte) string { return map[byte]string{'C': string(f)}[key] }

// The errors of mattn/go-sqlite3 have a field for the code and one for the extended
// code. Those of modernc.org/sqlite have a method for the extended code.
type (
	mattnError   struct{ Code, ExtendedCode int }
	moderncError struct{ code int }
)

func (mattnError) Error() string    { return "marker" }
func (*moderncError) Error() string { return "marker" }
func (e *moderncError) Code() int   { return e.code }

func TestDriverErrorsDecideStatus(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		status int
	}{
		"pgdriver: unique":                {field("23505"), 409},
		"pgdriver: check":                 {field("23514"), 422},
		"pgdriver: value too long":        {field("22001"), 422},
		"pgdriver: no such table":         {field("42P01"), 503},
		"pgdriver: too many connections":  {field("53300"), 503},
		"mattn/go-sqlite3: unique":        {mattnError{2067 & 0xff, 2067}, 409},
		"mattn/go-sqlite3: primary key":   {mattnError{1555 & 0xff, 1555}, 409},
		"mattn/go-sqlite3: check":         {mattnError{275 & 0xff, 275}, 422},
		"mattn/go-sqlite3: not null":      {mattnError{1299 & 0xff, 1299}, 422},
		"mattn/go-sqlite3: disk full":     {mattnError{13, 13}, 503},
		"modernc.org/sqlite: unique":      {&moderncError{2067}, 409},
		"modernc.org/sqlite: primary key": {&moderncError{1555}, 409},
		"modernc.org/sqlite: check":       {&moderncError{275}, 422},
		"modernc.org/sqlite: not null":    {&moderncError{1299}, 422},
		"modernc.org/sqlite: disk full":   {&moderncError{13}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := troubledWorld(t)
			f.set(test.err, false, `INSERT INTO "users"`)
			a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
			require.Equal(t, test.status, a.Status, a.Body)
			require.NotContains(t, a.Body, "marker")
			require.Equal(t, test.err == field("42P01"), strings.Contains(w.log.String(), "a table of Config.Entities is missing"))
		})
	}
}

func TestDeadlockIsRetried(t *testing.T) {
	for _, test := range []struct{ request, match string }{
		{"register", `INSERT INTO "users"`}, {"register", "INSERT INTO fiberjwt_sessions"}, {"register", "COMMIT"},
		{"login", "INSERT INTO fiberjwt_throttle"}, {"login", "INSERT INTO fiberjwt_sessions"}, {"login", "FROM fiberjwt_throttle"},
		{"refresh", "fiberjwt_sessions"}, {"logout by header", "SET revoked"}, {"logout all by header", "SET revoked"},
		{"password by header", `UPDATE "users"`}, {"password by header", "SET revoked"}, {"password by header", "COMMIT"},
	} {
		t.Run(test.request+", "+test.match, func(t *testing.T) {
			w, f := troubledWorld(t)
			w.addUser("ann@example.com")
			pair := w.enter("users", 1)
			w.clock.Advance(6 * time.Minute)
			f.set(deadlock{}, false, test.match)
			f.times = 3
			a := w.requests(pair)[test.request]()
			require.Less(t, a.Status, 300, a.Body)
			require.Zero(t, f.times)
			if test.request == "register" {
				require.Equal(t, 2, w.count("users"))
				require.Equal(t, 2, w.count("fiberjwt_sessions"))
			}
		})
	}
}

// restart is the error of a serializable database for any statement or COMMIT.
type restart struct{}

func (restart) Error() string    { return "marker: restart transaction" }
func (restart) SQLState() string { return "40001" }

// A conflict with another node or transaction is more frequent than a deadlock, and
// any statement may cause it, even one that only reads.
func TestSerializationFailureIsRetriedForEveryStatement(t *testing.T) {
	enter := func(t *testing.T) (*world, *trouble, tokens) {
		t.Helper()
		w, f := troubledWorld(t)
		w.addUser("ann@example.com")
		pair := w.enter("users", 1)
		w.clock.Advance(6 * time.Minute)
		return w, f, pair
	}
	link := func(w *world, redeem func(u *User) error) answer {
		if err := redeem(stored[User](w)); err != nil {
			return answer{Status: 500, Body: err.Error()}
		}
		return answer{Status: 200}
	}
	for name, send := range map[string]func(w *world, pair tokens) answer{
		"a link": func(w *world, _ tokens) answer {
			return link(w, func(u *User) error {
				token, err := confirm.Token(w.auth, u)
				require.NoError(w.t, err)
				_, err = confirm.Redeem(w.t.Context(), w.auth, token)
				return err
			})
		},
		"a reset": func(w *world, _ tokens) answer {
			return link(w, func(u *User) error {
				token, err := fiberjwt.ResetToken(w.auth, u, 0)
				require.NoError(w.t, err)
				_, err = fiberjwt.ResetPassword[User](w.t.Context(), w.auth, token, newPassword)
				return err
			})
		},
		"register": nil, "login": nil, "refresh": nil, "logout by header": nil, "logout all by header": nil, "password by header": nil,
		"GET /users/me by header": nil, "GET /auth/users/sessions by header": nil, "logout by refresh": nil, "all out by refresh": nil,
	} {
		t.Run(name, func(t *testing.T) {
			if send == nil {
				send = func(w *world, pair tokens) answer { return w.requests(pair)[name]() }
			}
			w, _, pair := enter(t)
			want := send(w, pair)
			require.Less(t, want.Status, 300, want.Body)
			for statement := 0; ; statement++ {
				w, f, pair := enter(t)
				f.times, f.after = 4, statement
				f.set(restart{}, false, "")
				got := send(w, pair)
				if f.times == 4 { // the request has fewer statements
					require.Positive(t, statement)
					return
				}
				require.Zero(t, f.times)
				require.Equal(t, want.Status, got.Status, "statement %d: %s: %s", statement, got.Body, w.log)
				if name == "refresh" {
					require.NotEmpty(t, w.tokensOf(got).Refresh)
				}
			}
		})
	}
}

// go-sql-driver/mysql panics if a server sends invalid packets.
func TestDriverPanicGets503(t *testing.T) {
	for request, match := range map[string]string{"refresh": "fiberjwt_sessions", "logout by header": "SET revoked", "login": "fiberjwt_throttle"} {
		w, f := troubledWorld(t)
		w.addUser("ann@example.com")
		pair := w.enter("users", 1)
		w.clock.Advance(6 * time.Minute)
		f.set(errPanic, false, match)
		requireRefusal(t, w.requests(pair)[request](), 503, "temporarily_unavailable", request)
		require.Contains(t, w.log.String(), "the driver panicked")
		f.over()
		require.Less(t, w.requests(pair)[request]().Status, 300)
	}
}

// The result of the attempt is stored after the session.
func TestLoginSucceedsWhenAttemptResultIsNotStored(t *testing.T) {
	lose := false
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Store = &flakySwaps{SQL: session.NewSQL(cfg.DB), lose: &lose}
	})
	w.addUser("ann@example.com")
	lose = true
	for range 12 {
		require.Equal(t, 200, w.requests(tokens{})["login"]().Status)
	}
	lose = false
	require.Equal(t, 200, w.requests(tokens{})["login"]().Status)
}

// flakySwaps fails every second SwapAttempts, which stores the result of an attempt.
type flakySwaps struct {
	*session.SQL
	lose  *bool
	swaps int
}

func (o *flakySwaps) SwapAttempts(ctx context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	if o.swaps++; *o.lose && o.swaps%2 == 0 {
		return nil, errors.New("marker")
	}
	return o.SQL.SwapAttempts(ctx, swaps)
}

// An attacker alternates between two processes on one database.
func TestProcessesCountFailedLoginsTogether(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	other := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.DB = w.db })
	guess := func(w *world) answer {
		return w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", "not the pony's name"))
	}
	for i := range 5 {
		requireRefusal(t, guess([]*world{w, other}[i%2]), 401, "invalid_credentials")
	}
	for _, process := range []*world{w, other} {
		requireRefusal(t, guess(process), 429, "rate_limited")
		requireRefusal(t, process.requests(tokens{})["login"](), 429, "rate_limited", "the correct password must wait, too")
	}
	for _, process := range []*world{w, other} {
		process.clock.Advance(time.Second)
	}
	require.Equal(t, 200, w.requests(tokens{})["login"]().Status)
	for range 5 {
		requireRefusal(t, guess(other), 401, "invalid_credentials", "a success must reset the count in every process")
	}
	requireRefusal(t, guess(w), 429, "rate_limited")
	require.Equal(t, "0", w.text(`SELECT count(*) FROM fiberjwt_throttle WHERE hex(id) LIKE '%616E6E%' OR length(id) <> 32`), "the table must not contain names of accounts")
}

func TestThrottleFallsBackToMemoryWithoutAttemptStore(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Store = struct{ session.Store }{session.NewSQL(cfg.DB)} })
	for range 5 {
		requireRefusal(t, w.requests(tokens{})["login"](), 401, "invalid_credentials")
	}
	requireRefusal(t, w.requests(tokens{})["login"](), 429, "rate_limited")
	require.Zero(t, w.count("fiberjwt_throttle"))
}

func TestCountingAnAttemptCostsThreeStatements(t *testing.T) {
	watched := &queries{}
	w := quickWorld(t, watched.watch)
	w.addUser("ann@example.com")
	for _, password := range []string{"not the pony's name", testPassword} {
		watched.reset()
		w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", password))
		counting := slices.DeleteFunc(watched.seen, func(query string) bool { return !strings.Contains(query, "fiberjwt_throttle") })
		require.Len(t, counting, 3)
	}
}

func TestPasswordChangeStatusMatchesOutcome(t *testing.T) {
	// After a 503 the client tries again with the old password.
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	f.set(errors.New("marker"), false, "auth_time = ")
	a := w.requests(pair)["password by header"]()
	f.over()
	changed := w.text("SELECT password_hash FROM users") != hashOfTestPassword
	require.Equal(t, changed, a.Status == 204, "the status is %d, and the password has changed: %v", a.Status, changed)
}

func TestLogoutIsConfirmedOnlyWhenStored(t *testing.T) {
	w, f := troubledWorld(t)
	w.app.Post("/leave", func(c fiber.Ctx) error { return fiberjwt.Logout(c) })
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	f.set(errors.New("marker"), false, "SET revoked")
	a := b.do("POST", "/leave", "")
	require.Equal(t, 503, a.Status, a.Body)
	require.NotContains(t, a.Body, "marker")
	require.Equal(t, "1", a.Header.Get("Retry-After"), "the response must be like that of Login")
	require.Contains(t, w.log.String(), "marker", "the log must name the cause")
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.ErrorIs(t, w.auth.Revoke(t.Context(), w.onlySession("users", "1").ID), fiberjwt.ErrUnavailable)
	require.ErrorIs(t, fiberjwt.RevokeAll(t.Context(), w.auth, &User{ID: 1}), fiberjwt.ErrUnavailable)
	f.over()
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
}

// lossy executes each call. If lose is set, it then returns an error, as if the
// answer of the database was lost.
type lossy struct {
	*session.SQL
	lose atomic.Bool
}

var errLost = errors.New("the answer is lost")

func (l *lossy) SwapAttempts(ctx context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	stored, err := l.SQL.SwapAttempts(ctx, swaps)
	if l.lose.Load() {
		return nil, errLost
	}
	return stored, err
}

func (l *lossy) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	row, o, err := l.SQL.Refresh(ctx, kind, sid, g, now, t)
	if l.lose.Load() {
		return session.Row{}, session.Gone, errLost
	}
	return row, o, err
}

func lossyWorld(t *testing.T, configure ...func(*fiberjwt.Config)) (*world, *lossy) {
	t.Helper()
	var store *lossy
	return quickWorld(t, append(configure, func(cfg *fiberjwt.Config) {
		store = &lossy{SQL: session.NewSQL(cfg.DB)}
		cfg.Store = store
	})...), store
}

func TestLostStoreAnswerIsNotCountedAsFailedLogin(t *testing.T) {
	w, store := lossyWorld(t)
	w.addUser("ann@example.com")
	store.lose.Store(true)
	for range 9 {
		requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)), 503, "temporarily_unavailable")
	}
	store.lose.Store(false)
	w.login("users", "ann@example.com") // refunds the attempts that were charged
	guesses := 0
	for ; w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status == 401; guesses++ {
		require.Less(t, guesses, 5, "the refund must not allow further guesses")
	}
	require.Equal(t, 5, guesses)
}

func TestReuseIsReportedAfterLostStoreAnswer(t *testing.T) {
	var events []event.Type
	w, store := lossyWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OnEvent = func(_ context.Context, e event.Event) { events = append(events, e.Type) }
	})
	w.addUser("ann@example.com")
	victim, loggedOut := w.enter("users", 1), w.enter("users", 1)
	stolen := victim.Refresh
	for range 2 {
		w.clock.Advance(20 * time.Minute)
		victim = w.tokensOf(w.refresh("users", victim.Refresh))
	}
	events = nil
	store.lose.Store(true)
	requireRefusal(t, w.refresh("users", stolen), 503, "temporarily_unavailable")
	store.lose.Store(false)
	requireRefusal(t, w.refresh("users", victim.Refresh), 401, "session_revoked")
	require.Equal(t, []event.Type{event.Failed, event.Reuse}, events)

	require.Equal(t, 204, w.do("POST", "/auth/users/logout", `{"refresh_token":"`+loggedOut.Refresh+`"}`).Status)
	requireRefusal(t, w.refresh("users", loggedOut.Refresh), 401, "session_ended")
}
