// Code generated from ../../../test/api/prune_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

func prunes(cfg *fiberjwt.Config) { cfg.ManualPrune = false }

// addExpiredRows adds n expired sessions and one expired record of a failed sign-in.
func (w *world) addExpiredRows(n int) {
	w.t.Helper()
	w.sql(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO fiberjwt_sessions SELECT randomblob(16), 'users', '1', 0, -1, 0, 1, 1, NULL, 0, 0, '', '' FROM n`, n),
		`INSERT INTO fiberjwt_throttle VALUES (randomblob(32), 1, 0, 1, x'')`)
}

// expiredRows returns how many rows of addExpiredRows are left.
func (w *world) expiredRows() int {
	w.t.Helper()
	awaitPruning(w.auth)
	var n int
	require.NoError(w.t, w.db.NewRaw(`SELECT (SELECT count(*) FROM fiberjwt_sessions WHERE ends = 1) + (SELECT count(*) FROM fiberjwt_throttle WHERE expires = 1)`).Scan(w.t.Context(), &n))
	return n
}

func TestRequestsThatAddRowsPruneOnceAnHour(t *testing.T) {
	ann := &User{}
	confirm := fiberjwt.Link[User]{Name: "confirm"}
	for name, grow := range map[string]func(w *world){
		"a sign-in by the application": func(w *world) { w.enter("users", 1) },
		"a registration":               func(w *world) { w.register("users", "bob@example.com") },
		"a login":                      func(w *world) { w.login("users", "ann@example.com") },
		"a failed login": func(w *world) {
			w.do("POST", "/auth/users/login", credentials("users", "x@example.com", "wrong password"))
		},
		"a link that is redeemed": func(w *world) {
			token, err := confirm.Token(w.auth, ann)
			require.NoError(w.t, err)
			_, err = confirm.Redeem(w.t.Context(), w.auth, token)
			require.NoError(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := quickWorld(t, prunes)
			*ann = *w.addUser("ann@example.com")
			pair := w.enter("users", 1)
			w.clock.Advance(time.Hour)
			w.addExpiredRows(1203)
			require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
			require.Equal(t, 1204, w.expiredRows(), "a refresh adds no row, so it must not prune")
			grow(w)
			require.Zero(t, w.expiredRows())
			require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)

			w.addExpiredRows(1)
			w.clock.Advance(time.Hour - time.Millisecond)
			w.enter("users", 1)
			require.Equal(t, 2, w.expiredRows(), "there must be no second round within an hour")
			w.clock.Advance(time.Millisecond)
			w.enter("users", 1)
			require.Zero(t, w.expiredRows())
		})
	}
}

func TestMiddlewareFromNewPrunes(t *testing.T) {
	pruned := make(chan struct{})
	cfg := fiberjwt.Config{}
	w := quickWorld(t, prunes, func(c *fiberjwt.Config) {
		c.Store = &fakePrune{SQL: session.NewSQL(c.DB), do: func(context.Context) error { close(pruned); return nil }}
		cfg = *c
	})
	w.addUser("ann@example.com")
	app := fiber.New()
	cfg.Routes = app.Group("/auth")
	app.Use(fiberjwt.New(cfg))
	w.clock.Advance(time.Hour)
	request := httptest.NewRequest("POST", "/auth/users/register", strings.NewReader(credentials("users", "bob@example.com", testPassword)))
	request.Header.Set("Content-Type", "application/json")
	response, err := app.Test(request, fiber.TestConfig{})
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 201, response.StatusCode)
	<-pruned
}

// Processes that start at the same time must not prune at the same time.
func TestFirstPruneIsAtRandomTime(t *testing.T) {
	moments := map[time.Time]bool{}
	for range 20 {
		cfg := goodConfig(t)
		begin := time.Now().Truncate(time.Second)
		cfg.Now = func() time.Time { return begin }
		auth, err := fiberjwt.Open(cfg)
		require.NoError(t, err)
		next := nextPruning(auth)
		require.False(t, next.Before(begin) || next.After(begin.Add(time.Hour)), next.Sub(begin))
		moments[next] = true
	}
	require.Greater(t, len(moments), 10)
}

func TestManualPruneDisablesAutomaticPruning(t *testing.T) {
	w := quickWorld(t) // sets ManualPrune
	w.addUser("ann@example.com")
	w.addExpiredRows(3)
	w.clock.Advance(24 * time.Hour)
	w.enter("users", 1)
	require.NoError(t, w.auth.Close())
	deleted, err := w.auth.Prune(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, deleted)
}

// fakePrune is an SQL store whose Prune calls do.
type fakePrune struct {
	*session.SQL
	do    func(ctx context.Context) error
	calls atomic.Int64
}

func (s *fakePrune) Prune(ctx context.Context, _ int64) (int64, error) {
	s.calls.Add(1)
	if s.do == nil {
		return 0, nil
	}
	return 0, s.do(ctx)
}

func fakePruneWorld(t *testing.T, do func(context.Context) error) (*world, *fakePrune) {
	t.Helper()
	store := &fakePrune{do: do}
	w := quickWorld(t, prunes, func(cfg *fiberjwt.Config) {
		store.SQL = session.NewSQL(cfg.DB)
		cfg.Store = store
	})
	w.addUser("ann@example.com")
	w.clock.Advance(time.Hour)
	return w, store
}

func TestFailedPruneIsLoggedButSignInSucceeds(t *testing.T) {
	for name, do := range map[string]func(context.Context) error{
		"fails":  func(context.Context) error { return errors.New("marker") },
		"panics": func(context.Context) error { panic("marker") },
	} {
		t.Run(name, func(t *testing.T) {
			w, store := fakePruneWorld(t, do)
			for range 3 {
				w.enter("users", 1)
				awaitPruning(w.auth)
			}
			require.EqualValues(t, 1, store.calls.Load())
			require.Len(t, w.lines(), 1)
			require.Contains(t, w.log.String(), "marker")
			require.Contains(t, w.log.String(), "Auth.Prune")
			w.clock.Advance(time.Hour)
			w.enter("users", 1)
			awaitPruning(w.auth)
			require.Len(t, w.lines(), 2, "the next failure must be logged")
		})
	}
}

func TestOnePruneRunsAtATimeAndCloseStopsIt(t *testing.T) {
	ended := false
	w, store := fakePruneWorld(t, func(ctx context.Context) error {
		<-ctx.Done()
		ended = true
		return ctx.Err()
	})
	for range 3 {
		w.enter("users", 1)
		w.clock.Advance(2 * time.Hour)
	}
	require.NoError(t, w.auth.Close())
	require.True(t, ended, "Close must wait for the round of pruning")
	require.EqualValues(t, 1, store.calls.Load())
	require.Empty(t, w.log.String(), "a round that Close stops must not be logged")
	w.clock.Advance(2 * time.Hour)
	w.enter("users", 1)
	awaitPruning(w.auth)
	require.EqualValues(t, 1, store.calls.Load(), "there must be no round after Close")
	require.NoError(t, w.auth.Close(), "a second Close must not fail")
}

func TestPruningSurvivesClockSetBack(t *testing.T) {
	w, store := fakePruneWorld(t, nil)
	w.enter("users", 1)
	awaitPruning(w.auth)
	w.clock.Advance(-48 * time.Hour)
	w.enter("users", 1)
	awaitPruning(w.auth)
	require.EqualValues(t, 2, store.calls.Load())
}

func TestPruneDeletesOnlyExpiredSessions(t *testing.T) {
	w := quickWorld(t)
	now := w.clock.Now().UnixMilli()
	insert := func(n int, ends int64, revoked string) {
		w.sql(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO fiberjwt_sessions SELECT randomblob(16), 'users', '1', 0, -1, 0, %d, %d, %s, 0, 0, '', '' FROM n`, n, ends, ends, revoked))
	}
	insert(1203, now-1, "NULL")
	insert(7, now-1, "5")
	insert(1, now, "NULL")
	insert(3, now+1, "5") // ended, but a late refresh must still be answered session_revoked
	insert(4, now+90*24*3600_000, "NULL")
	deleted, err := w.auth.Prune(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1210, deleted)
	require.Equal(t, 8, w.count("fiberjwt_sessions"))
	deleted, err = w.auth.Prune(t.Context())
	require.NoError(t, err)
	require.Zero(t, deleted)
	w.clock.Advance(365 * 24 * time.Hour)
	deleted, err = w.auth.Prune(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 8, deleted)
}

func TestPruneStopsWhenContextIsCancelled(t *testing.T) {
	w, f := troubledWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.auth.Prune(ctx)
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	f.set(errors.New("marker"), false, "DELETE")
	_, err = w.auth.Prune(t.Context())
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
}
