package fiberjwt_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// selects counts the SELECTs of accounts, and the looks of the feed.
type selects struct{ n, looks atomic.Int64 }

func (s *selects) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if strings.HasPrefix(event.Query, `SELECT "user"`) {
		s.n.Add(1)
	}
	return ctx
}

func (s *selects) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if strings.Contains(event.Query, "revoked > ") {
		s.looks.Add(1)
	}
}

// cachedWorld caches for a minute; its feed has answered once.
func cachedWorld(t *testing.T, configure ...func(*fiberjwt.Config)) (*world, *selects, tokens) {
	t.Helper()
	w := newWorld(t, append(configure, func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Minute })...)
	t.Cleanup(func() { require.NoError(t, w.auth.Close()) })
	counted := &selects{}
	w.db.AddQueryHook(counted)
	pair := w.register("users", "ann@example.com")
	require.Eventually(t, func() bool { // until the feed has answered, nothing is cached
		before := counted.n.Load()
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
		return counted.n.Load() == before
	}, patience, time.Millisecond)
	counted.n.Store(0)
	return w, counted, pair
}

func TestCachedAccountsCostNoQuery(t *testing.T) {
	w, counted, pair := cachedWorld(t)
	fiberjwt.TrustCache(w.auth)
	for range 50 {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	require.Zero(t, counted.n.Load())
	w.clock.Advance(time.Minute)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.EqualValues(t, 1, counted.n.Load(), "the entry is over after CacheTTL")
}

func TestALogoutHereEmptiesTheCacheAtOnce(t *testing.T) {
	for name, end := range map[string]func(w *world, pair tokens){
		"logout": func(w *world, p tokens) { w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access) },
		"logout-all": func(w *world, p tokens) {
			w.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+p.Access)
		},
		"RevokeAll": func(w *world, _ tokens) { require.NoError(w.t, w.auth.RevokeAll(w.t.Context(), "users", "1")) },
	} {
		t.Run(name, func(t *testing.T) {
			w, _, pair := cachedWorld(t)
			end(w, pair)
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
		})
	}
}

// The feed looks once a second, by the machine's clock. So the bound is a number
// of its looks: the one that was under way as the session ended, and the next.
func TestALogoutElsewhereIsSeenByTheNextLookOfTheFeed(t *testing.T) {
	for name, behind := range map[string]time.Duration{
		"by the same clock": 0,
		// Its clock is a minute behind, its statement took all of WriteTimeout, and
		// a look in between all of ReadTimeout.
		"by a clock that is behind": time.Minute + 2*patience,
		"by a clock that is ahead":  -60 * time.Second,
	} {
		t.Run(name, func(t *testing.T) { testLogoutElsewhere(t, behind) })
	}
}

func testLogoutElsewhere(t *testing.T, behind time.Duration) {
	w, counted, pair := cachedWorld(t)
	// Another process on the same database, which caches nothing.
	now := func() time.Time { return w.clock.Now().Add(-behind) }
	other, err := fiberjwt.Open(fiberjwt.Config{DB: w.db, Secret: []byte(testSecret), Now: now,
		Entities: []fiberjwt.Kind{fiberjwt.Entity[User]{}}})
	require.NoError(t, err)
	require.NoError(t, other.RevokeAll(t.Context(), "users", "1"))
	ended, began := counted.looks.Load(), time.Now()
	require.Eventually(t, func() bool {
		before := counted.looks.Load()
		status := w.get("/users/me", pair.Access).Status
		// A look that has answered may not have emptied the cache yet, so one more.
		require.False(t, status == 200 && before > ended+2, "after %d looks the cache still answers", before-ended)
		return status == 401
	}, patience, time.Millisecond)
	t.Logf("seen after %v", time.Since(began).Round(10*time.Millisecond))
}

func TestWithoutTheFeedNothingIsBelieved(t *testing.T) {
	w, _, pair := cachedWorld(t)
	_, err := w.db.Exec("ALTER TABLE fiberjwt_sessions RENAME TO away")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.get("/users/me", pair.Access).Status == 503 }, patience, 10*time.Millisecond)
	_, err = w.db.Exec("ALTER TABLE away RENAME TO fiberjwt_sessions")
	require.NoError(t, err)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

func TestEachRequestHasAnAccountOfItsOwn(t *testing.T) {
	w, _, pair := cachedWorld(t)
	w.app.Get("/rename", fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		u.FullName = "somebody else"
		return c.JSON(u)
	}))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { w.get("/rename", pair.Access) })
	}
	group.Wait()
	require.NotContains(t, w.get("/users/me", pair.Access).Body, "somebody else")
}

func TestManyWhoWaitForOneAccountCostOneQuery(t *testing.T) {
	w, counted, pair := cachedWorld(t)
	fiberjwt.TrustCache(w.auth)
	w.clock.Advance(2 * time.Minute)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() { require.Equal(t, 200, w.get("/users/me", pair.Access).Status) })
	}
	group.Wait()
	require.EqualValues(t, 1, counted.n.Load())
}

func TestADeadSessionPushesNobodyOutOfTheCache(t *testing.T) {
	w, counted, first := cachedWorld(t)
	fiberjwt.TrustCache(w.auth)
	fiberjwt.ShrinkCache(w.auth, 2)
	living, dead := []tokens{first, w.register("users", "bob@example.com")}, w.register("users", "cat@example.com")
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+dead.Access).Status)
	for _, pair := range living {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	counted.n.Store(0)
	for range 5 {
		require.Equal(t, 401, w.get("/users/me", dead.Access).Status)
	}
	require.EqualValues(t, 5, counted.n.Load())
	for _, pair := range living {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	require.EqualValues(t, 5, counted.n.Load(), "the living are asked for again")
}
