package sessions_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/session"
)

// feed is a store that knows revocations and nothing else.
type feed struct {
	session.Store
	mu      sync.Mutex
	revoked [][]byte
	err     error
	polls   int
}

func (f *feed) RevokedSince(context.Context, int64) ([][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls++
	return f.revoked, f.err
}

// answer sets the next answers, and returns the number of polls so far.
func (f *feed) answer(err error, revoked ...string) (polls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.revoked = err, nil
	for _, sid := range revoked {
		f.revoked = append(f.revoked, []byte(sid))
	}
	return f.polls
}

func (*feed) Revoke(context.Context, []byte, string, string, int64) (bool, error) { return true, nil }

func (*feed) RevokeAll(context.Context, string, string, []byte, int64) error { return nil }

// user is a cached account.
type user struct{ Name string }

// pass moves the clock of the bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// cached runs a test in a bubble. The cache keeps accounts for a minute, and its feed has
// answered once.
func cached(t *testing.T, test func(t *testing.T, s *sessions.Sessions, f *feed, loads *int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, loads := &feed{}, 0
		s := sessions.New(sessions.Config{Store: f, CacheTTL: time.Minute, Read: 5 * time.Second, Write: 5 * time.Second, Now: time.Now})
		defer s.Close()
		require.True(t, s.Caches())
		_, _, err := s.Account(key("a"), func() (any, error) { return nil, nil }) // starts polling
		require.NoError(t, err)
		synctest.Wait()
		test(t, s, f, &loads)
	})
}

func key(sid string) sessions.Key { return sessions.Key{SID: []byte(sid), Kind: "users", Subject: "1"} }

// get returns the account of a session; a load counts.
func get(t *testing.T, s *sessions.Sessions, k sessions.Key, loads *int) *user {
	t.Helper()
	account, _, err := s.Account(k, func() (any, error) { *loads++; return &user{"Ann"}, nil })
	require.NoError(t, err)
	return account.(*user)
}

func TestCachedAccountIsLoadedOnce(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, _ *feed, loads *int) {
		for range 5 {
			ann := get(t, s, key("a"), loads)
			require.Equal(t, "Ann", ann.Name)
			ann.Name = "changed by a handler"
		}
		require.Equal(t, 1, *loads)
		get(t, s, key("b"), loads)
		require.Equal(t, 2, *loads, "another session")
		pass(time.Minute)
		get(t, s, key("a"), loads)
		require.Equal(t, 3, *loads, "the entry has expired")
	})
}

func TestConcurrentRequestsShareOneLoad(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, _ *feed, _ *int) {
		release := make(chan struct{})
		var loads, done atomic.Int32
		for range 8 {
			go func() {
				_, _, _ = s.Account(key("a"), func() (any, error) { loads.Add(1); <-release; return &user{}, nil })
				done.Add(1)
			}()
		}
		synctest.Wait()
		require.EqualValues(t, 1, loads.Load())
		require.Zero(t, done.Load())
		close(release)
		synctest.Wait()
		require.EqualValues(t, 8, done.Load())
	})
}

func TestFailedLoadIsNotCached(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, _ *feed, loads *int) {
		for name, load := range map[string]func() (any, error){
			"an error":   func() (any, error) { return nil, errDown },
			"no account": func() (any, error) { return nil, nil },
			"a panic":    func() (any, error) { panic("oops") },
		} {
			account, _, err := s.Account(key("a"), load)
			require.Nil(t, account, name)
			require.Equal(t, name == "no account", err == nil, name)
		}
		get(t, s, key("a"), loads)
		require.Equal(t, 1, *loads)
	})
}

func TestRevocationRemovesTheEntry(t *testing.T) {
	for name, revoke := range map[string]func(s *sessions.Sessions, f *feed) error{
		"Revoke": func(s *sessions.Sessions, _ *feed) error {
			_, err := s.Revoke(context.Background(), []byte("a"), "", "", 0)
			return err
		},
		"RevokeAll": func(s *sessions.Sessions, _ *feed) error {
			return s.RevokeAll(context.Background(), []string{"users"}, "1", 0)
		},
		"ForgetAccount": func(s *sessions.Sessions, _ *feed) error { s.ForgetAccount([]string{"users"}, "1"); return nil },
		"in another process": func(_ *sessions.Sessions, f *feed) error {
			f.answer(nil, "a")
			pass(time.Second)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			cached(t, func(t *testing.T, s *sessions.Sessions, f *feed, loads *int) {
				get(t, s, key("a"), loads)
				_, kept, err := s.Account(key("a"), nil)
				require.NoError(t, err)
				_, ok := kept.Account(time.Now())
				require.True(t, ok)
				require.NoError(t, revoke(s, f))
				_, ok = kept.Account(time.Now())
				require.False(t, ok, "an entry that a caller has kept")
				get(t, s, key("a"), loads)
				require.Equal(t, 2, *loads)
			})
		})
	}
}

func TestRevocationDuringALoadIsNotLost(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, _ *feed, loads *int) {
		_, _, err := s.Account(key("a"), func() (any, error) {
			_, err := s.Revoke(t.Context(), []byte("a"), "", "", 0)
			return &user{}, err
		})
		require.NoError(t, err)
		get(t, s, key("a"), loads)
		require.Equal(t, 1, *loads, "the entry of the revoked session is used")
	})
}

func TestCacheIsNotUsedWithoutItsFeed(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, f *feed, loads *int) {
		get(t, s, key("a"), loads)
		f.answer(errDown)
		pass(4 * time.Second)
		get(t, s, key("a"), loads)
		get(t, s, key("a"), loads)
		require.Equal(t, 3, *loads)
		f.answer(nil)
		pass(time.Second)
		get(t, s, key("a"), loads)
		require.Equal(t, 3, *loads, "the entry is valid again")
	})
}

func TestKeptEntryIsAsOldAsTheCacheAllows(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, f *feed, loads *int) {
		_, kept, err := s.Account(key("a"), func() (any, error) { return &user{"Ann"}, nil })
		require.NoError(t, err)
		account, ok := kept.Account(time.Now())
		require.True(t, ok)
		account.(*user).Name = "changed by a handler"
		account, ok = kept.Account(time.Now())
		require.True(t, ok)
		require.Equal(t, "Ann", account.(*user).Name)

		f.answer(errDown)
		pass(4 * time.Second)
		_, ok = kept.Account(time.Now())
		require.False(t, ok, "the feed does not answer")
		f.answer(nil)
		pass(time.Second)
		_, ok = kept.Account(time.Now())
		require.True(t, ok)
		pass(time.Minute)
		_, ok = kept.Account(time.Now())
		require.False(t, ok, "the entry has expired")
	})
}

func TestCacheIsEmptiedAfterALongOutage(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, f *feed, loads *int) {
		get(t, s, key("a"), loads)
		f.answer(errDown)
		pass(20 * time.Second)
		f.answer(nil)
		pass(2 * time.Second)
		get(t, s, key("a"), loads)
		require.Equal(t, 2, *loads, "a revocation may have been missed")
	})
}

func TestCacheRemovesWhatIsNotUsed(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, _ *feed, loads *int) {
		s.ShrinkCache(2)
		for _, sid := range []string{"a", "b", "a", "c", "a"} {
			get(t, s, key(sid), loads)
		}
		require.Equal(t, 3, *loads, "a was used since it was loaded, b was not")
		get(t, s, key("b"), loads)
		require.Equal(t, 4, *loads)
	})
}

func TestCloseStopsPolling(t *testing.T) {
	cached(t, func(t *testing.T, s *sessions.Sessions, f *feed, _ *int) {
		s.Close()
		polls := f.answer(nil)
		pass(time.Hour)
		require.Equal(t, polls, f.answer(nil))
	})
}

func TestWithoutCacheEveryCallLoads(t *testing.T) {
	s := sessions.New(sessions.Config{Store: &feed{}, Now: time.Now})
	defer s.Close()
	require.False(t, s.Caches())
	loads := 0
	get(t, s, key("a"), &loads)
	get(t, s, key("a"), &loads)
	require.Equal(t, 2, loads)
}

// pruned returns Sessions whose pruning calls prune, and moves its clock by advance.
func pruned(t *testing.T, prune func(context.Context) error, failed func(error)) (s *sessions.Sessions, advance func(time.Duration)) {
	t.Helper()
	now := time.UnixMilli(base)
	s = sessions.New(sessions.Config{Store: &feed{}, Now: time.Now})
	t.Cleanup(s.Close)
	s.PruneInBackground(prune, failed, func() time.Time { return now })
	return s, func(d time.Duration) { now = now.Add(d) }
}

func TestPruningRunsOnceAnHour(t *testing.T) {
	rounds := 0
	s, advance := pruned(t, func(context.Context) error { rounds++; return nil }, nil)
	require.LessOrEqual(t, s.NextPruning().UnixMilli(), base+hour, "the first round is within an hour")
	s.PruneFrom(time.UnixMilli(base + hour))
	for _, want := range []int{0, 1, 1, 2} {
		s.Grown()
		s.AwaitPruning()
		require.Equal(t, want, rounds)
		advance(40 * time.Minute)
		if want == 0 {
			advance(20 * time.Minute)
		}
	}
}

func TestPruningContinuesAfterTheClockWasSetBack(t *testing.T) {
	rounds := 0
	s, advance := pruned(t, func(context.Context) error { rounds++; return nil }, nil)
	advance(-24 * time.Hour)
	s.Grown()
	s.AwaitPruning()
	require.Equal(t, 1, rounds)
}

func TestFailedPruningIsReported(t *testing.T) {
	var reported []error
	prune := func(context.Context) error { return errDown }
	s, advance := pruned(t, func(ctx context.Context) error { return prune(ctx) }, func(err error) {
		reported = append(reported, err)
		panic("a panic of the report is ignored")
	})
	round := func() {
		advance(2 * time.Hour)
		s.Grown()
		s.AwaitPruning()
	}
	round()
	require.ErrorIs(t, reported[0], errDown)
	prune = func(context.Context) error { panic("oops") }
	round()
	require.ErrorIs(t, reported[1], fault.ErrSetup)
	prune = func(context.Context) error { return nil }
	round()
	require.Len(t, reported, 2)
}

func TestCloseCancelsPruning(t *testing.T) {
	begun, canceled := make(chan struct{}), errors.New("not canceled")
	s, advance := pruned(t, func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		canceled = ctx.Err()
		return canceled
	}, func(error) { panic("the end of the process is not a failure") })
	advance(2 * time.Hour)
	s.Grown()
	<-begun
	s.Close()
	require.ErrorIs(t, canceled, context.Canceled)
	advance(2 * time.Hour)
	s.Grown() // starts nothing: begun would be closed twice
	s.AwaitPruning()
}
