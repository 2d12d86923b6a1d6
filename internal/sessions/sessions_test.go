package sessions_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/session"
)

// base is the time of the tests, in Unix milliseconds.
const base = int64(1_790_000_000_000)

const minute, hour, day = int64(60_000), int64(3600_000), int64(24 * 3600_000)

var times = session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: 14 * 24 * time.Hour}

// newDB returns a database in memory with the library's tables and accounts 1 and 2.
func newDB(t *testing.T) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	conn.SetMaxOpenConns(1) // otherwise each connection has its own database
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, session.Migrate(t.Context(), db))
	for _, statement := range []string{"CREATE TABLE users (id INTEGER PRIMARY KEY, hash TEXT)", "INSERT INTO users VALUES (1, 'old'), (2, 'old')"} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	return db
}

// remote is a store that is not in the database of the accounts. Methods fail with the
// error of their name.
type remote struct {
	session.Store
	errs  map[string]error
	calls map[string]int
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	return &remote{Store: session.NewSQL(newDB(t)), errs: map[string]error{}, calls: map[string]int{}}
}

func (r *remote) fails(method string) error {
	r.calls[method]++
	return r.errs[method]
}

func (r *remote) Create(ctx context.Context, row session.Row) error {
	if err := r.fails("Create"); err != nil {
		return err
	}
	return r.Store.Create(ctx, row)
}

func (r *remote) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	if err := r.fails("RevokeAll"); err != nil && (r.calls["RevokeAll"] > 1 || !errors.Is(err, errLater)) {
		return err
	}
	return r.Store.RevokeAll(ctx, kind, subject, except, now)
}

func (r *remote) Prove(ctx context.Context, sid []byte, now int64) error {
	if err := r.fails("Prove"); err != nil {
		return err
	}
	return r.Store.Prove(ctx, sid, now)
}

var (
	errDown  = errors.New("connection refused")
	errLater = errors.New("connection lost") // RevokeAll fails from the second call on
)

func newSessions(t *testing.T, store session.Store, db *bun.DB) *sessions.Sessions {
	t.Helper()
	if store == nil {
		store = session.NewSQL(db)
	}
	s := sessions.New(sessions.Config{Store: store, DB: db, Read: time.Minute, Write: time.Minute, Now: time.Now})
	t.Cleanup(s.Close)
	return s
}

// eachStore runs a test with the sessions in the database of the accounts, and with a
// store elsewhere.
func eachStore(t *testing.T, test func(t *testing.T, s *sessions.Sessions, db *bun.DB)) {
	t.Helper()
	t.Run("beside the accounts", func(t *testing.T) {
		db := newDB(t)
		s := newSessions(t, nil, db)
		require.True(t, s.BesideAccounts())
		test(t, s, db)
	})
	t.Run("elsewhere", func(t *testing.T) {
		db := newDB(t)
		s := newSessions(t, newRemote(t), db)
		require.False(t, s.BesideAccounts())
		test(t, s, db)
	})
}

// newRow returns a living session that was started at base.
func newRow(subject string) session.Row {
	sid := make([]byte, 16)
	_, _ = rand.Read(sid)
	return session.Row{
		SID: sid, Kind: "users", Subject: subject, Prev: -1, Issued: base, IdleUntil: base + day, Ends: base + 30*day,
		AuthTime: base, Created: base,
	}
}

// account selects the account of a subject as long as its hash is "old".
func account(db *bun.DB, subject string) *bun.SelectQuery {
	return db.NewSelect().Table("users").Where("id = ? AND hash = 'old'", subject)
}

func start(t *testing.T, s *sessions.Sessions, db *bun.DB, row session.Row) {
	t.Helper()
	ok, err := s.Start(t.Context(), db, row, account(db, row.Subject))
	require.NoError(t, err)
	require.True(t, ok)
}

func alive(t *testing.T, s *sessions.Sessions, row session.Row) bool {
	t.Helper()
	_, alive, err := s.Living(t.Context(), row.Kind, row.SID, base)
	require.NoError(t, err)
	return alive
}

func TestSessionStartsOnlyForItsAccount(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		row := newRow("1")
		start(t, s, db, row)
		require.True(t, alive(t, s, row))

		late := newRow("3")
		ok, err := s.Start(t.Context(), db, late, account(db, "3"))
		require.NoError(t, err)
		require.False(t, ok, "the account was deleted")
		require.False(t, alive(t, s, late))
	})
}

func TestSessionEndsAtItsDeadlines(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		row := newRow("1")
		start(t, s, db, row)
		for now, want := range map[int64]bool{base: true, base + day - 1: true, base + day: false} {
			got, alive, err := s.Living(t.Context(), "users", row.SID, now)
			require.NoError(t, err)
			require.Equal(t, want, alive, now-base)
			require.Equal(t, row, got)
		}
		_, living, err := s.Living(t.Context(), "teachers", row.SID, base)
		require.NoError(t, err)
		require.False(t, living, "of another kind")
	})
}

func TestRevokeEndsOneSession(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		row, other := newRow("1"), newRow("1")
		start(t, s, db, row)
		start(t, s, db, other)
		found, err := s.Revoke(t.Context(), row.SID, "teachers", "", base)
		require.NoError(t, err)
		require.False(t, found, "of another kind")
		for _, first := range []bool{true, false} {
			ended, err := s.RevokeLiving(t.Context(), row.SID, "users", base)
			require.NoError(t, err)
			require.Equal(t, first, ended)
		}
		require.False(t, alive(t, s, row))
		require.True(t, alive(t, s, other))
		ended, err := s.RevokeLiving(t.Context(), make([]byte, 16), "users", base)
		require.NoError(t, err)
		require.False(t, ended)
	})
}

func TestRevokeAllEndsEveryKind(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		user, admin, other := newRow("1"), newRow("1"), newRow("2")
		admin.Kind = "admins"
		for _, row := range []session.Row{user, admin, other} {
			start(t, s, db, row)
		}
		require.NoError(t, s.RevokeAll(t.Context(), []string{"users", "admins"}, "1", base))
		require.False(t, alive(t, s, user))
		require.False(t, alive(t, s, admin))
		require.True(t, alive(t, s, other))
		list, err := s.List(t.Context(), "users", "2", base)
		require.NoError(t, err)
		require.Equal(t, []session.Row{other}, list)
	})
}

func TestRevokeInIsPartOfTheTransaction(t *testing.T) {
	db := newDB(t)
	s := newSessions(t, nil, db)
	row := newRow("1")
	start(t, s, db, row)
	require.ErrorIs(t, db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		found, err := s.RevokeIn(ctx, tx, row.SID, "users", base)
		require.NoError(t, err)
		require.True(t, found)
		return errDown
	}), errDown)
	require.True(t, alive(t, s, row), "rolled back")
	found, err := s.RevokeIn(t.Context(), nil, row.SID, "users", base)
	require.NoError(t, err)
	require.True(t, found)
	require.False(t, alive(t, s, row))
}

func TestRevokeFormerEndsSessionsOfTheEarlierAccount(t *testing.T) {
	db := newDB(t)
	s := newSessions(t, nil, db)
	row := newRow("1")
	start(t, s, db, row)
	require.NoError(t, db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		return s.RevokeFormer(ctx, tx, []string{"users"}, "1", base)
	}))
	require.False(t, alive(t, s, row))
}

// setHash is a change of the password of account 1.
func setHash(from, to string) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE users SET hash = ? WHERE id = 1 AND hash = ?", to, from)
		return err
	}
}

func hashOf(t *testing.T, db *bun.DB) (hash string) {
	t.Helper()
	require.NoError(t, db.NewSelect().Table("users").Column("hash").Where("id = 1").Scan(t.Context(), &hash))
	return hash
}

func TestChangeEndsAllSessionsButTheOwners(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		own, other := newRow("1"), newRow("1")
		start(t, s, db, own)
		start(t, s, db, other)
		owner := sessions.Owner{Kinds: []string{"users"}, Subject: "1", Keep: own.SID}
		require.NoError(t, s.Change(t.Context(), db, owner, base+hour, sessions.Change{Do: setHash("old", "new"), Undo: setHash("new", "old")}))
		require.Equal(t, "new", hashOf(t, db))
		require.False(t, alive(t, s, other))
		row, living, err := s.Living(t.Context(), "users", own.SID, base+hour)
		require.NoError(t, err)
		require.True(t, living)
		require.Equal(t, base+hour, row.AuthTime, "the password was verified")
	})
}

func TestFailedChangeLeavesTheHash(t *testing.T) {
	failed := func(context.Context, bun.Tx) error { return errDown }
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		owner := sessions.Owner{Kinds: []string{"users"}, Subject: "1"}
		require.ErrorIs(t, s.Change(t.Context(), db, owner, base, sessions.Change{Do: failed, Undo: failed}), errDown)
		require.Equal(t, "old", hashOf(t, db))
	})
}

func TestChangeIsUndoneIfTheStoreFailsAfterIt(t *testing.T) {
	db, store := newDB(t), newRemote(t)
	s := newSessions(t, store, db)
	store.errs["RevokeAll"] = errLater
	owner := sessions.Owner{Kinds: []string{"users"}, Subject: "1"}
	err := s.Change(t.Context(), db, owner, base, sessions.Change{Do: setHash("old", "new"), Undo: setHash("new", "old")})
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.ErrorIs(t, err, errLater)
	require.Equal(t, "old", hashOf(t, db))
}

func TestFailingStoreChangesNothing(t *testing.T) {
	for _, method := range []string{"Prove", "RevokeAll"} {
		t.Run(method, func(t *testing.T) {
			db, store := newDB(t), newRemote(t)
			s := newSessions(t, store, db)
			store.errs[method] = errDown
			owner := sessions.Owner{Kinds: []string{"users"}, Subject: "1", Keep: newRow("1").SID}
			err := s.Change(t.Context(), db, owner, base, sessions.Change{Do: setHash("old", "new"), Undo: setHash("new", "old")})
			require.ErrorIs(t, err, fault.ErrUnavailable)
			require.Equal(t, "old", hashOf(t, db))
		})
	}
}

func TestErrorOfTheStoreIsUnavailable(t *testing.T) {
	db := newDB(t)
	s := newSessions(t, nil, db)
	row := newRow("1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Start":        func() error { _, err := s.Start(ctx, db, row, account(db, "1")); return err },
		"Refresh":      func() error { _, _, err := s.Refresh(ctx, "users", row.SID, 0, base, times); return err },
		"Present":      func() error { _, _, err := s.Present(ctx, "users", row.SID, 0, base, times); return err },
		"Slide":        func() error { _, _, err := s.Slide(ctx, "users", row.SID, base, hour); return err },
		"Living":       func() error { _, _, err := s.Living(ctx, "users", row.SID, base); return err },
		"Revoke":       func() error { _, err := s.Revoke(ctx, row.SID, "", "", base); return err },
		"RevokeIn":     func() error { _, err := s.RevokeIn(ctx, db, row.SID, "users", base); return err },
		"RevokeLiving": func() error { _, err := s.RevokeLiving(ctx, row.SID, "users", base); return err },
		"RevokeAll":    func() error { return s.RevokeAll(ctx, []string{"users"}, "1", base) },
		"List":         func() error { _, err := s.List(ctx, "users", "1", base); return err },
		"Prune":        func() error { _, err := s.Prune(ctx, base); return err },
		"Claim":        func() error { _, err := s.Claim(ctx, seal.Link{Expires: base/1000 + 60}, base); return err },
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.ErrorIs(t, err, fault.ErrUnavailable)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestSessionThatCannotBeStoredDoesNotStart(t *testing.T) {
	db, store := newDB(t), newRemote(t)
	s := newSessions(t, store, db)
	store.errs["Create"] = errDown
	ok, err := s.Start(t.Context(), db, newRow("1"), account(db, "1"))
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.False(t, ok)
}

func TestRefreshFollowsTheRule(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		row := newRow("1")
		start(t, s, db, row)
		for _, step := range []struct {
			g, now int64
			want   session.Outcome
		}{{0, base, session.Same}, {0, base + 6*minute, session.Rotate}, {0, base + 6*minute, session.Converge}, {1, base + 12*minute, session.Rotate}, {0, base + 13*minute, session.Reuse}, {2, base + 13*minute, session.Gone}} {
			_, o, err := s.Refresh(t.Context(), "users", row.SID, step.g, step.now, times)
			require.NoError(t, err)
			require.Equal(t, step.want, o)
		}
	})
}

func TestPresentDoesNotRotate(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		row := newRow("1")
		start(t, s, db, row)
		present := func(g, now int64) (session.Outcome, error) {
			after, o, err := s.Present(t.Context(), "users", row.SID, g, now, times)
			if err == nil && o == session.Same {
				require.Equal(t, row.SID, after.SID)
			}
			return o, err
		}
		o, err := present(0, base+6*minute)
		require.NoError(t, err)
		require.Equal(t, session.Same, o, "a refresh would rotate")
		_, o, err = s.Refresh(t.Context(), "users", row.SID, 0, base+6*minute, times)
		require.NoError(t, err)
		require.Equal(t, session.Rotate, o)
		o, err = present(0, base+6*minute+1)
		require.NoError(t, err)
		require.Equal(t, session.Same, o, "within the grace period")
		_, err = present(0, base+8*minute)
		require.ErrorIs(t, err, sessions.ErrReplaced)
		_, _, err = s.Refresh(t.Context(), "users", row.SID, 1, base+12*minute, times)
		require.NoError(t, err)
		o, err = present(0, base+13*minute)
		require.NoError(t, err)
		require.Equal(t, session.Reuse, o)
		o, err = present(2, base+13*minute)
		require.NoError(t, err)
		require.Equal(t, session.Gone, o, "the reuse ended the session")
	})
}

func TestSlideMovesTheIdleDeadline(t *testing.T) {
	db := newDB(t)
	s := newSessions(t, nil, db)
	row := newRow("1")
	start(t, s, db, row)
	after, living, err := s.Slide(t.Context(), "users", row.SID, base+hour, 2*day)
	require.NoError(t, err)
	require.True(t, living)
	require.Equal(t, base+hour+2*day, after.IdleUntil)
}

func TestClockWithoutAStoreClockIsNow(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, _ *bun.DB) {
		clock, err := s.Clock(t.Context(), base)
		require.NoError(t, err)
		require.Equal(t, base, clock)
	})
}

func TestClaimSucceedsOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, _ *bun.DB) {
		link := seal.NewLink(time.UnixMilli(base+hour), "users", "1")
		for _, test := range []struct {
			now  int64
			want bool
		}{{base, true}, {base, false}, {base - minute/2, false}, {base + hour - 1, false}} {
			first, err := s.Claim(t.Context(), link, test.now)
			require.NoError(t, err)
			require.Equal(t, test.want, first)
		}
		first, err := s.Claim(t.Context(), seal.NewLink(time.UnixMilli(base+hour), "users", "1"), base)
		require.NoError(t, err)
		require.True(t, first, "another link")
		list, err := s.List(t.Context(), "users", "1", base)
		require.NoError(t, err)
		require.Empty(t, list, "a claim is not a session of the kind")
	})
}

func TestPruneDeletesAllThatExpired(t *testing.T) {
	eachStore(t, func(t *testing.T, s *sessions.Sessions, db *bun.DB) {
		for range 3 {
			start(t, s, db, newRow("1"))
		}
		deleted, err := s.Prune(t.Context(), base+30*day)
		require.NoError(t, err)
		require.Zero(t, deleted)
		deleted, err = s.Prune(t.Context(), base+30*day+1)
		require.NoError(t, err)
		require.EqualValues(t, 3, deleted)
	})
}
