// Code generated from ../../../test/api/separate_store_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/fiberv3/fiberjwttest"
	"github.com/fiberjwt/fiberjwt/session"
)

// flakyStore is a separate store of sessions, of which one call fails.
type flakyStore struct {
	session.Store
	calls   int
	failing int // the number of the call that fails, from 1
	fail    func(ctx context.Context) error
	before  func() // runs before each call
}

func (s *flakyStore) step(ctx context.Context) error {
	s.calls++
	if s.before != nil {
		s.before()
	}
	if s.calls == s.failing {
		return s.fail(ctx)
	}
	return nil
}

func (s *flakyStore) Create(ctx context.Context, row session.Row) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Store.Create(ctx, row)
}

func (s *flakyStore) Prove(ctx context.Context, sid []byte, now int64) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Store.Prove(ctx, sid, now)
}

func (s *flakyStore) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Store.RevokeAll(ctx, kind, subject, except, now)
}

// failures are the ways in which a call fails, with the WriteTimeout for each.
var failures = map[string]struct {
	fail  func(context.Context) error
	write time.Duration
}{
	"fails": {func(context.Context) error { return errors.New("marker") }, patience},
	"hangs": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 5 * time.Second}, // also the limit of the calls that must succeed
}

// flakyWorld has a separate store. Each call to it writes to the database of the
// accounts: if a transaction were open there, the write would never end.
func flakyWorld(t *testing.T, write time.Duration) (*world, *flakyStore, *trouble) {
	t.Helper()
	s := &flakyStore{Store: session.NewSQL(newDB(t))}
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) { cfg.Store, cfg.WriteTimeout = s, write })
	w.sql("CREATE TABLE others (n INTEGER)")
	return w, s, f
}

// failAt makes a call fail, counted from now. With 0, no call fails.
func (s *flakyStore) failAt(w *world, call int, fail func(context.Context) error) {
	s.calls, s.failing, s.fail = 0, call, fail
	s.before = func() { w.sql("INSERT INTO others VALUES (1)") }
}

// otherProcess is another process on the database and store of w, with a longer timeout.
func (s *flakyStore) otherProcess(w *world) *world {
	w.t.Helper()
	other := quickWorld(w.t, func(cfg *fiberjwt.Config) { cfg.DB, cfg.Store = w.db, s })
	other.db = w.db
	return other
}

func TestRegisterSurvivesFailingSessionStore(t *testing.T) {
	for name, failure := range failures {
		for call, former := range map[int]bool{1: true, 2: false} { // RevokeAll, Create
			t.Run(fmt.Sprint(name, call), func(t *testing.T) {
				w, s, _ := flakyWorld(t, failure.write)
				s.failAt(w, call, failure.fail)
				a := w.requests(tokens{})["register by cookie"]()
				require.Equal(t, 201, a.Status, a.Body)
				require.Empty(t, a.Header.Values("Set-Cookie"))
				require.NotContains(t, a.Body, "token")
				require.Contains(t, a.Body, `"email":"new@example.com"`)
				require.Contains(t, w.log.String(), "registered without a session")
				require.Equal(t, former, strings.Contains(w.log.String(), "call fiberjwt.RevokeAll"))
				require.Equal(t, 200, s.otherProcess(w).do("POST", "/auth/users/login", credentials("users", "new@example.com", testPassword)).Status)
			})
		}
	}
}

func TestRegisterCreatesNoSessionIfCommitFails(t *testing.T) {
	w, s, f := flakyWorld(t, patience)
	s.failAt(w, 0, nil)
	f.set(errors.New("marker"), false, "COMMIT")
	requireRefusal(t, w.requests(tokens{})["register"](), 503, "temporarily_unavailable")
	require.Zero(t, s.calls, "there must be no session without an account")
	require.Zero(t, w.count("users"))
}

// The steps are Prove, RevokeAll, the change, RevokeAll.
func TestPasswordChangeRollsBackIfSessionStoreFails(t *testing.T) {
	for name, failure := range failures {
		for step := 1; step <= 3; step++ {
			t.Run(fmt.Sprint(name, " at call ", step), func(t *testing.T) {
				w, s, _ := flakyWorld(t, failure.write)
				w.addUser("ann@example.com")
				pair := w.enter("users", 1)
				s.failAt(w, step, failure.fail)
				requireRefusal(t, w.requests(pair)["password by header"](), 503, "temporarily_unavailable")
				require.Equal(t, step, s.calls)
				require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"), "the response was an error, so the hash must be the old one")
				require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "the session that asked for the change must stay valid")
				require.Equal(t, 204, s.otherProcess(w).requests(pair)["password by header"]().Status)
			})
		}
	}
}

func TestPasswordChangeChangesNothingIfUpdateFails(t *testing.T) {
	w, s, f := flakyWorld(t, patience)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	s.failAt(w, 0, nil)
	f.set(errors.New("marker"), false, `UPDATE "users"`)
	requireRefusal(t, w.requests(pair)["password by header"](), 503, "temporarily_unavailable")
	f.over()
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"))
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

// First the store of sessions fails, then the database of the accounts.
func TestPasswordChangeGets503IfRollbackFails(t *testing.T) {
	w, s, f := flakyWorld(t, patience)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	s.failAt(w, 3, func(context.Context) error {
		f.set(errors.New("marker"), false, "")
		return errors.New("marker")
	})
	requireRefusal(t, w.requests(pair)["password by header"](), 503, "temporarily_unavailable")
}

// countingStore counts refreshes. It embeds the SQL store, as an application may.
type countingStore struct {
	*session.SQL
	mu        sync.Mutex
	refreshes int
}

func (s *countingStore) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	s.mu.Lock()
	s.refreshes++
	s.mu.Unlock()
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func TestWrappedSQLStoreJoinsAccountTransactions(t *testing.T) {
	// A store outside of the transaction would use a second connection, which would
	// wait for the first one.
	wrapper := &countingStore{}
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		wrapper.SQL = session.NewSQL(cfg.DB)
		cfg.Store = wrapper
	})
	useStore(t, w)
	require.Equal(t, 3, wrapper.refreshes)
	require.Equal(t, 2, w.count("fiberjwt_sessions"))
}

func TestSessionsWorkInCustomStore(t *testing.T) {
	store := newMemory()
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Store = store })
	useStore(t, w)
	require.Len(t, store.rows, 2)
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

// useStore uses everything that a store of sessions does, with two sessions.
func useStore(t *testing.T, w *world) {
	t.Helper()
	laptop := w.register("users", "ann@example.com")
	phone := w.login("users", "ann@example.com")
	for _, pair := range []tokens{laptop, phone} {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	a := w.do("GET", "/auth/users/sessions", "", "Authorization", "Bearer "+phone.Access)
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, 2, strings.Count(a.Body, `"id"`), a.Body)

	w.clock.Advance(6 * time.Minute)
	a = w.refresh("users", laptop.Refresh)
	require.Equal(t, 200, a.Status, a.Body)
	laptop = w.tokensOf(a)
	require.NotEmpty(t, laptop.Refresh)

	a = w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+laptop.Access)
	require.Equal(t, 204, a.Status, a.Body)
	require.Equal(t, 200, w.get("/users/me", laptop.Access).Status)
	require.Equal(t, 401, w.get("/users/me", phone.Access).Status, "a password change must end the other sessions")
	requireRefusal(t, w.refresh("users", phone.Refresh), 401, "session_ended")

	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+laptop.Access).Status)
	require.Equal(t, 401, w.get("/users/me", laptop.Access).Status)
	requireRefusal(t, w.refresh("users", laptop.Refresh), 401, "session_ended")
}

// memory is a store in memory: session.Decide under a lock.
type memory struct {
	mu   sync.Mutex
	rows map[string]session.Row // by SID
}

func newMemory() *memory { return &memory{rows: map[string]session.Row{}} }

func TestMemoryStoreMeetsStoreContract(t *testing.T) {
	store := newMemory()
	fiberjwttest.TestStore(t, func(*testing.T) session.Store { return store })
}

// locked runs do under the lock, or returns the error of ctx.
func (m *memory) locked(ctx context.Context, do func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	do()
	return nil
}

func (m *memory) Create(ctx context.Context, row session.Row) error {
	return m.locked(ctx, func() {
		if _, there := m.rows[string(row.SID)]; !there {
			m.rows[string(row.SID)] = row
		}
	})
}

func (m *memory) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (row session.Row, o session.Outcome, err error) {
	err = m.locked(ctx, func() {
		if found, ok := m.rows[string(sid)]; ok && found.Kind == kind {
			row, o = session.Decide(found, g, now, t)
			m.rows[string(sid)] = row
		}
	})
	return row, o, err
}

func (m *memory) Find(ctx context.Context, kind string, sid []byte) (row session.Row, found bool, err error) {
	err = m.locked(ctx, func() {
		row, found = m.rows[string(sid)]
		found = found && row.Kind == kind
	})
	return row, found, err
}

func (m *memory) Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error) {
	err = m.locked(ctx, func() {
		row, ok := m.rows[string(sid)]
		found = ok && (kind == "" || row.Kind == kind) && (subject == "" || row.Subject == subject)
		if found && row.Revoked == 0 {
			row.Revoked = now
			m.rows[string(sid)] = row
		}
	})
	return found, err
}

func (m *memory) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	return m.locked(ctx, func() {
		for sid, row := range m.rows {
			if row.Kind == kind && row.Subject == subject && row.Revoked == 0 && (except == nil || sid != string(except)) {
				row.Revoked = now
				m.rows[sid] = row
			}
		}
	})
}

func (m *memory) Prove(ctx context.Context, sid []byte, now int64) error {
	return m.locked(ctx, func() {
		if row, ok := m.rows[string(sid)]; ok {
			row.AuthTime = now
			m.rows[string(sid)] = row
		}
	})
}

func (m *memory) List(ctx context.Context, kind, subject string, now int64) (rows []session.Row, err error) {
	err = m.locked(ctx, func() {
		for _, row := range m.rows {
			if row.Kind == kind && row.Subject == subject && row.Alive(now) {
				rows = append(rows, row)
			}
		}
	})
	slices.SortFunc(rows, func(a, b session.Row) int { return int(b.Created - a.Created) })
	return rows[:min(len(rows), 100)], err
}

func (m *memory) Prune(ctx context.Context, now int64) (deleted int64, err error) {
	err = m.locked(ctx, func() {
		for sid, row := range m.rows {
			if row.Ends < now {
				delete(m.rows, sid)
				deleted++
			}
		}
	})
	return deleted, err
}

// apart keeps the sessions in a separate database.
func apart(t *testing.T) (configure func(*fiberjwt.Config), elsewhere *bun.DB, watched *queries) {
	elsewhere, watched = newDB(t), &queries{}
	return func(cfg *fiberjwt.Config) { cfg.Store = session.NewSQL(elsewhere.WithQueryHook(watched)) }, elsewhere, watched
}

func TestSessionsWorkInSeparateDatabase(t *testing.T) {
	configure, elsewhere, _ := apart(t)
	w := quickWorld(t, configure)
	pair := w.register("users", "ann@example.com")
	phone := w.enter("users", 1)
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	w.clock.Advance(6 * time.Minute)
	a := w.refresh("users", pair.Refresh)
	require.Equal(t, 200, a.Status, a.Body)
	pair = w.tokensOf(a)
	requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)), 409, "taken")
	require.Equal(t, 204, w.requests(pair)["password by header"]().Status)
	require.Equal(t, 401, w.get("/users/me", phone.Access).Status)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+pair.Access).Status)
	require.Equal(t, 401, w.get("/users/me", pair.Access).Status)

	living := w.enter("users", 1)
	require.NoError(t, elsewhere.Close())
	for request, send := range w.requests(living) {
		if request == "login of an unknown account" || strings.HasPrefix(request, "login") {
			continue // the password was changed above
		}
		a := send()
		requireRefusal(t, a, 503, "temporarily_unavailable", request)
		require.Empty(t, a.Header.Values("Set-Cookie"), request)
	}
	require.Equal(t, 1, w.count("users"), "a failed registration must not leave an account")
}

func TestRacingLoginEndsWithPasswordChangeInSeparateStore(t *testing.T) {
	configure, _, there := apart(t)
	here := &queries{}
	w := quickWorld(t, configure, here.watch)
	w.addUser("ann@example.com")
	there.once(`INTO "fiberjwt_sessions"`, func() { w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `'`) })
	a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
	requireRefusal(t, a, 401, "invalid_credentials")
	infos, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 1})
	require.NoError(t, err)
	require.Empty(t, infos)

	// This login runs after the other sessions have ended and before the hash changes.
	w.sql(`UPDATE users SET password_hash = '` + hashOfTestPassword + `'`)
	pair := w.enter("users", 1)
	var raced answer
	here.once(`UPDATE "users"`, func() {
		raced = w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
	})
	require.Equal(t, 204, w.requests(pair)["password by header"]().Status)
	require.NotZero(t, raced.Status)
	if raced.Status == 200 {
		require.Equal(t, 401, w.get("/users/me", w.tokensOf(raced).Access).Status, "a login with the old password must not survive the change")
	}
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

func TestQueryHookDoesNotHideThatDatabaseIsShared(t *testing.T) {
	// A second connection inside a transaction would wait for the first one forever.
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Store = session.NewSQL(cfg.DB)
		cfg.DB = cfg.DB.WithQueryHook(&queries{})
		cfg.WriteTimeout = 30 * time.Second
	})
	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	require.Equal(t, 201, a.Status, "%s %s", a.Body, w.log)
}
