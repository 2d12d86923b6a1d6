// Code generated from ../../../test/api/cache_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/internal/elapsed/asleep"
	"github.com/fiberjwt/fiberjwt/session"
)

// selectCounter counts the SELECTs of users and teachers, and the polls for revoked sessions.
// afterUser, if set, runs once, after the next SELECT of a user.
type selectCounter struct {
	users, teachers, polls atomic.Int64
	afterUser              func()
}

func (s *selectCounter) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if strings.HasPrefix(event.Query, `SELECT "user"`) {
		s.users.Add(1)
	}
	if strings.HasPrefix(event.Query, `SELECT "teacher"`) {
		s.teachers.Add(1)
	}
	return ctx
}

func (s *selectCounter) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if strings.HasPrefix(event.Query, `SELECT "user"`) && s.afterUser != nil {
		do := s.afterUser
		s.afterUser = nil
		do()
	}
	if strings.Contains(event.Query, "revoked > ") {
		s.polls.Add(1)
	}
}

// machine has the clock that a cache reads: that of the machine of the test, plus the time that the test lets pass.
type machine struct {
	mu             sync.Mutex
	passed, asleep time.Duration
}

func (m *machine) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return asleep.After(m.asleep, time.Now().Add(m.passed))
}

func (m *machine) pass(awake, suspended time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed, m.asleep = m.passed+awake, m.asleep+suspended
}

// cachedWorld caches for a minute. It has polled for revoked sessions once, and has registered a user.
func cachedWorld(t *testing.T, configure ...func(*fiberjwt.Config)) (*world, *selectCounter, tokens) {
	t.Helper()
	return cachedWorldOn(t, &machine{}, configure...)
}

// cachedWorldOn is cachedWorld with the clock of m.
func cachedWorldOn(t *testing.T, m *machine, configure ...func(*fiberjwt.Config)) (*world, *selectCounter, tokens) {
	t.Helper()
	caching := func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Minute }
	w := newWorld(t, append([]func(*fiberjwt.Config){caching}, configure...)...)
	setMachineClock(w.auth, m.Now)
	t.Cleanup(func() { require.NoError(t, w.auth.Close()) })
	counted := &selectCounter{}
	w.db.AddQueryHook(counted)
	pair := w.register("users", "ann@example.com")
	require.Eventually(t, func() bool { // nothing is cached before the first poll has answered
		before := counted.users.Load()
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
		return counted.users.Load() == before
	}, patience, time.Millisecond)
	counted.users.Store(0)
	return w, counted, pair
}

func TestCachedAccountsCostNoQuery(t *testing.T) {
	w, counted, pair := cachedWorld(t)
	trustCache(w.auth)
	for range 50 {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	require.Zero(t, counted.users.Load())
	w.clock.Advance(time.Minute)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.EqualValues(t, 1, counted.users.Load(), "an entry must not be used after CacheTTL")
}

func TestLocalLogoutEvictsCacheEntryAtOnce(t *testing.T) {
	for name, end := range map[string]func(w *world, pair tokens){
		"logout": func(w *world, p tokens) { w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access) },
		"logout-all": func(w *world, p tokens) {
			w.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+p.Access)
		},
		"RevokeAll": func(w *world, _ tokens) {
			require.NoError(w.t, fiberjwt.RevokeAll(w.t.Context(), w.auth, &User{ID: 1}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, pair := cachedWorld(t)
			end(w, pair)
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
		})
	}
}

// The process polls once a second by the clock of the machine, which the test does not move. So the test counts polls:
// the one that runs while the session ends may miss it, the next one must not.
func TestRemoteLogoutIsSeenWithinTwoPolls(t *testing.T) {
	for name, behind := range map[string]time.Duration{
		"the clocks agree": 0,
		// The other clock is a minute behind, the other statement took all of WriteTimeout, and a poll in between took
		// all of ReadTimeout.
		"the other clock is behind": time.Minute + 2*patience,
		"the other clock is ahead":  -60 * time.Second,
	} {
		t.Run(name, func(t *testing.T) { testRemoteLogout(t, behind) })
	}
}

func testRemoteLogout(t *testing.T, behind time.Duration) {
	w, counted, pair := cachedWorld(t)
	// Another process on the same database, without a cache.
	now := func() time.Time { return w.clock.Now().Add(-behind) }
	other, err := fiberjwt.Open(fiberjwt.Config{DB: w.db, Secret: []byte(testSecret), Now: now,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}})
	require.NoError(t, err)
	require.NoError(t, fiberjwt.RevokeAll(t.Context(), other, &User{ID: 1}))
	polled, began := counted.polls.Load(), time.Now()
	require.Eventually(t, func() bool {
		before := counted.polls.Load()
		status := w.get("/users/me", pair.Access).Status
		// A poll is counted before its result reaches the cache, so allow one more.
		require.False(t, status == 200 && before > polled+2, "the cache still accepts the session after %d polls", before-polled)
		return status == 401
	}, patience, time.Millisecond)
	t.Logf("seen after %v", time.Since(began).Round(10*time.Millisecond))
}

// The machine was suspended or the process stopped for half an hour. Another process ended the session 25 minutes ago,
// and no poll asks for revocations that old.
func TestCacheIsIgnoredAfterRevocationPollGap(t *testing.T) {
	for name, gap := range map[string]func(*machine){
		"suspended": func(m *machine) { m.pass(0, 30*time.Minute) },
		"stopped":   func(m *machine) { m.pass(30*time.Minute, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{}
			w, counted, pair := cachedWorldOn(t, m, func(cfg *fiberjwt.Config) {
				cfg.CacheTTL = time.Hour
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], AccessTTL: time.Hour}}
			})
			w.clock.Advance(30 * time.Minute)
			w.sql(fmt.Sprint("UPDATE fiberjwt_sessions SET revoked = ", w.clock.Now().Add(-25*time.Minute).UnixMilli()))
			gap(m)
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status, "the session must be refused before the next poll")
			polls := counted.polls.Load()
			require.Eventually(t, func() bool { return counted.polls.Load() >= polls+2 }, patience, time.Millisecond)
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status, "the session must be refused after the next polls")
		})
	}
}

// Time during which the machine was suspended counts towards CacheTTL.
func TestCacheEntryAgesWhileMachineIsSuspended(t *testing.T) {
	m := &machine{}
	w, counted, pair := cachedWorld(t, func(cfg *fiberjwt.Config) { cfg.Now = m.Now })
	trustCache(w.auth)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	counted.users.Store(0)
	m.pass(0, time.Minute)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.EqualValues(t, 1, counted.users.Load())
}

func TestCacheIsIgnoredIfRevocationPollFails(t *testing.T) {
	w, _, pair := cachedWorld(t)
	_, err := w.db.Exec("ALTER TABLE fiberjwt_sessions RENAME TO away")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.get("/users/me", pair.Access).Status == 503 }, patience, 10*time.Millisecond)
	_, err = w.db.Exec("ALTER TABLE away RENAME TO fiberjwt_sessions")
	require.NoError(t, err)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

func TestCachedAccountIsCopiedForEachRequest(t *testing.T) {
	w, _, pair := cachedWorld(t)
	w.app.Get("/rename", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		u.FullName = "another user"
		return c.JSON(u)
	}))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { w.get("/rename", pair.Access) })
	}
	group.Wait()
	require.NotContains(t, w.get("/users/me", pair.Access).Body, "another user", "a handler changed the account of another request")
}

func TestConcurrentCacheMissesCostOneQuery(t *testing.T) {
	w, counted, pair := cachedWorld(t)
	trustCache(w.auth)
	w.clock.Advance(2 * time.Minute)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() { require.Equal(t, 200, w.get("/users/me", pair.Access).Status) })
	}
	group.Wait()
	require.EqualValues(t, 1, counted.users.Load())
}

func TestRevokedSessionEvictsNoCacheEntry(t *testing.T) {
	w, counted, first := cachedWorld(t)
	trustCache(w.auth)
	shrinkCache(w.auth, 2)
	living, revoked := []tokens{first, w.register("users", "bob@example.com")}, w.register("users", "cat@example.com")
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+revoked.Access).Status)
	for _, pair := range living {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	counted.users.Store(0)
	for range 5 {
		require.Equal(t, 401, w.get("/users/me", revoked.Access).Status)
	}
	require.EqualValues(t, 5, counted.users.Load())
	for _, pair := range living {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	require.EqualValues(t, 5, counted.users.Load(), "a request with a revoked session evicted the entry of a living one")
}

// Models whose hooks select rows by the tenant in the context of the request.
type (
	tenantKey struct{}
	tenantRow struct {
		bun.BaseModel `bun:"table:users"`
		ID            int64 `bun:",pk,autoincrement"`
		Email         string
		FullName      string // the tenant
		Admin         bool
		Disabled      bool
		PasswordHash  string `json:"-"`
	}
	BeforeSelectUser  tenantRow
	AfterSelectUser   tenantRow
	BeforeScanRowUser tenantRow
	AfterScanRowUser  tenantRow
)

func tenantOf(ctx context.Context) string { name, _ := ctx.Value(tenantKey{}).(string); return name }

// refuseTenantB hides every row from tenant b.
func refuseTenantB(ctx context.Context) error {
	if tenantOf(ctx) == "b" {
		return sql.ErrNoRows
	}
	return nil
}

func (BeforeSelectUser) BeforeSelect(ctx context.Context, q *bun.SelectQuery) error {
	q.Where("full_name = ?", tenantOf(ctx))
	return nil
}

func (*AfterSelectUser) AfterSelect(ctx context.Context, _ *bun.SelectQuery) error {
	return refuseTenantB(ctx)
}
func (*BeforeScanRowUser) BeforeScanRow(ctx context.Context) error { return refuseTenantB(ctx) }
func (*AfterScanRowUser) AfterScanRow(ctx context.Context) error   { return refuseTenantB(ctx) }

// A cached account of one tenant must not be accepted at another.
func TestModelWithSelectOrScanHooksIsNotCached(t *testing.T) {
	for hook, entity := range map[string]fiberjwt.AnyEntity{
		"BeforeSelect":  fiberjwt.Entity[BeforeSelectUser]{},
		"AfterSelect":   fiberjwt.Entity[AfterSelectUser]{},
		"BeforeScanRow": fiberjwt.Entity[BeforeScanRowUser]{},
		"AfterScanRow":  fiberjwt.Entity[AfterScanRowUser]{},
	} {
		t.Run(hook, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.CacheTTL, cfg.Entities[0] = time.Hour, entity })
			t.Cleanup(func() { require.NoError(t, w.auth.Close()) })
			w.add(&User{Email: "ann@example.com", FullName: "a", PasswordHash: hashOfTestPassword})
			tenant := "a"
			app := fiber.New()
			app.Use(func(c fiber.Ctx) error {
				c.SetContext(context.WithValue(c.Context(), tenantKey{}, tenant))
				return c.Next()
			})
			w.auth.Mount(app.Group("/auth"))
			app.Get("/me", w.auth.Handler(), fiberjwt.Require("users"), func(c fiber.Ctx) error { return c.SendString("in") })
			w.app = app
			held := w.login("users", "ann@example.com")
			counted, teacher := &selectCounter{}, w.register("teachers", "tom").Access
			w.db.AddQueryHook(counted)
			require.Eventually(t, func() bool { // nothing is cached before the first poll has answered
				before := counted.teachers.Load()
				require.Equal(t, 200, w.get("/auth/teachers/me", teacher).Status)
				return counted.teachers.Load() == before
			}, patience, time.Millisecond)
			trustCache(w.auth)
			require.Equal(t, 200, w.get("/me", held.Access).Status)
			tenant = "b"
			require.NotEqual(t, 200, w.get("/me", held.Access).Status, "a session of tenant a is accepted at tenant b")
			tenant = "a"
			require.Equal(t, 200, w.get("/me", held.Access).Status)
			require.Contains(t, w.log.String(), hook)
			require.Contains(t, w.log.String(), "kind=users")
			require.NotContains(t, w.log.String(), "kind=teachers")
		})
	}
}

func TestFullCacheEvictsLeastRecentlyUsed(t *testing.T) {
	w, counted, ann := cachedWorld(t)
	trustCache(w.auth)
	shrinkCache(w.auth, 2)
	bob, cat := w.register("users", "bob@example.com"), w.register("users", "cat@example.com")
	cost := func(pair tokens) int64 {
		before := counted.users.Load()
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
		return counted.users.Load() - before
	}
	cost(bob)
	cost(ann) // now the last used
	require.EqualValues(t, 1, cost(cat))
	require.Zero(t, cost(ann)+cost(cat))
	require.EqualValues(t, 1, cost(bob), "the least recently used entry must have been evicted")
}

// The session ends after its account was read and before the account is cached.
func TestSessionRevokedWhileLoadingIsNotCached(t *testing.T) {
	w, counted, ann := cachedWorld(t)
	trustCache(w.auth)
	shrinkCache(w.auth, 2)
	bob, cat := w.register("users", "bob@example.com"), w.register("users", "cat@example.com")
	for _, pair := range []tokens{ann, bob} {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	counted.afterUser = func() { require.NoError(t, fiberjwt.RevokeAll(t.Context(), w.auth, &User{ID: 3})) }
	w.get("/users/me", cat.Access) // either status is right: the session was alive when the request came
	require.Nil(t, counted.afterUser)
	require.Equal(t, 401, w.get("/users/me", cat.Access).Status)

	counted.users.Store(0)
	for _, pair := range []tokens{ann, bob} {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	require.Zero(t, counted.users.Load(), "the revoked session evicted the entry of another")
}

// silentStore reports no revocations, so caches know only those of their own process.
type silentStore struct{ *session.SQL }

func (silentStore) RevokedSince(context.Context, int64) ([][]byte, error) { return nil, nil }

func TestLocalRevocationReachesCacheWithoutPolling(t *testing.T) {
	for name, end := range map[string]func(w *world, first, second tokens){
		"a password change": func(w *world, first, _ tokens) {
			a := w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+first.Access)
			require.Equal(w.t, 204, a.Status, a.Body)
		},
		"a password reset": func(w *world, _, _ tokens) {
			ann := &User{}
			require.NoError(w.t, w.db.NewSelect().Model(ann).Where("id = 1").Scan(w.t.Context()))
			token, err := fiberjwt.ResetToken(w.auth, ann, 0)
			require.NoError(w.t, err)
			_, err = fiberjwt.ResetPassword[User](w.t.Context(), w.auth, token, newPassword)
			require.NoError(w.t, err)
		},
		"reuse found by a refresh": func(w *world, _, second tokens) {
			requireRefusal(w.t, w.refresh("users", second.Refresh), 401, "session_revoked")
		},
		"reuse found by an exchange": func(w *world, _, second tokens) {
			requireRefusal(w.t, w.exchange("users", second.Refresh), 401, "session_revoked")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, first := cachedWorld(t, withPages, func(cfg *fiberjwt.Config) { cfg.Store = silentStore{session.NewSQL(cfg.DB)} })
			trustCache(w.auth)
			second := w.login("users", "ann@example.com")
			newest := second
			for range 2 {
				w.clock.Advance(6 * time.Minute)
				newest = w.tokensOf(w.refresh("users", newest.Refresh))
			}
			first.Access = w.tokensOf(w.refresh("users", first.Refresh)).Access
			require.Equal(t, 200, w.get("/users/me", newest.Access).Status)
			end(w, first, second)
			require.Equal(t, 401, w.get("/users/me", newest.Access).Status)
		})
	}
}
