package fiberjwttest

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

// attemptsTests are for stores that are session.Attempts.
var attemptsTests = map[string]func(*testing.T, *suite){
	"ChargeEqualsTheRule":                     testChargeEqualsTheRule,
	"ABurstGetsNoMoreThroughThanOneByOne":     testBurst,
	"ARefusedAttemptIsChargedToNobody":        testRefusedCharge,
	"SuccessForgetsTheAccountButNotTheOrigin": testSucceed,
	"PruneForgetsNoFailureThatCounts":         testPruneAttempts,
	"ADoneContextChargesNobody":               testDoneContextOfAttempts,
}

// attempts is the store as what it is besides.
func (s *suite) attempts() session.Attempts { return s.store.(session.Attempts) }

func (s *suite) charge(a session.Attempt, now int64) time.Duration {
	s.t.Helper()
	wait, err := s.attempts().Charge(s.t.Context(), a, now)
	require.NoError(s.t, err)
	return wait
}

// counter of a key of its own, with every byte that a key may have.
func counter(free int, fade time.Duration) session.Counter {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return session.Counter{Key: key, Limit: session.Limit{Free: free, Fade: fade}}
}

func attempt() session.Attempt {
	return session.Attempt{Account: counter(5, time.Hour), Address: counter(50, time.Minute)}
}

// ledger is what the pure rule makes of the same calls.
type ledger map[string]session.Failures

func (l ledger) charge(a session.Attempt, now int64) time.Duration {
	account, address := string(a.Account.Key), string(a.Address.Key)
	if wait := max(l[account].Wait(now), l[address].Wait(now)); wait > 0 {
		return time.Duration(wait) * time.Millisecond
	}
	l[account] = a.Account.Limit.Charge(l[account], now)
	l[address] = a.Address.Limit.Charge(l[address], now)
	return 0
}

func (l ledger) refund(c session.Counter) {
	if f, ok := l[string(c.Key)]; ok {
		l[string(c.Key)] = c.Limit.Refund(f)
	}
}

func testChargeEqualsTheRule(t *testing.T, s *suite) {
	seed := time.Now().UnixNano()
	random := mathrand.New(mathrand.NewPCG(uint64(seed), 0))
	var accounts, addresses []session.Counter
	for range 3 {
		accounts = append(accounts, counter(1+random.IntN(6), time.Hour))
		addresses = append(addresses, counter(4+random.IntN(10), time.Minute))
	}
	rule, now := ledger{}, time.Now().UnixMilli()
	refused, through := 0, 0
	for step := range cases() {
		a := session.Attempt{Account: accounts[random.IntN(3)], Address: addresses[random.IntN(3)]}
		switch random.IntN(12) {
		case 0:
			now += random.Int64N(9 * 3600 * second)
		case 1:
			now -= random.Int64N(3600 * second) // the clock is put back
		case 2, 3:
			if wait := rule.charge(a, now); wait > 0 {
				require.Equal(t, wait, s.charge(a, now), "seed %d, step %d", seed, step)
				now += wait.Milliseconds() - random.Int64N(2) // the last moment of the wait, or the first after it
			} else {
				require.Zero(t, s.charge(a, now), "seed %d, step %d", seed, step)
			}
		case 4:
			require.NoError(t, s.attempts().Refund(t.Context(), a))
			rule.refund(a.Account)
			rule.refund(a.Address)
		case 5:
			require.NoError(t, s.attempts().Succeed(t.Context(), a))
			delete(rule, string(a.Account.Key))
			rule.refund(a.Address)
		default:
			want := rule.charge(a, now)
			require.Equal(t, want, s.charge(a, now), "seed %d, step %d", seed, step)
			if want > 0 {
				refused++
			} else {
				through++
			}
		}
	}
	require.NotZero(t, refused, "seed %d", seed)
	require.NotZero(t, through, "seed %d", seed)
}

func testBurst(t *testing.T, s *suite) {
	for name, next := range map[string]func() func() session.Attempt{
		"of one account": func() func() session.Attempt {
			account := counter(5, time.Hour)
			return func() session.Attempt { return session.Attempt{Account: account, Address: counter(50, time.Minute)} }
		},
		"from one address": func() func() session.Attempt {
			address := counter(5, time.Minute)
			return func() session.Attempt { return session.Attempt{Account: counter(50, time.Hour), Address: address} }
		},
		"of one account from one address": func() func() session.Attempt {
			a := session.Attempt{Account: counter(5, time.Hour), Address: counter(5, time.Minute)}
			return func() session.Attempt { return a }
		},
	} {
		for range 5 {
			attempt, now := next(), time.Now().UnixMilli()
			var attempts [40]session.Attempt
			for i := range attempts {
				attempts[i] = attempt()
			}
			var through atomic.Int32
			s.race(len(attempts), func(i int, store session.Store) {
				wait, err := store.(session.Attempts).Charge(context.Background(), attempts[i], now-int64(i%7)) // by clocks that differ
				require.NoError(t, err)
				if wait == 0 {
					through.Add(1)
				}
			})
			require.EqualValues(t, 5, through.Load(), name)
		}
	}
}

func testRefusedCharge(t *testing.T, s *suite) {
	now := time.Now().UnixMilli()
	waits, free := attempt(), attempt()
	for range 5 {
		require.Zero(t, s.charge(waits, now))
	}
	require.Zero(t, s.charge(session.Attempt{Account: counter(5, time.Hour), Address: free.Address}, now))
	for _, a := range []session.Attempt{
		{Account: waits.Account, Address: free.Address}, {Account: waits.Account, Address: counter(1, time.Minute)},
	} {
		for range 60 {
			require.Equal(t, time.Second, s.charge(a, now), "asking again must not lengthen the wait")
		}
	}
	for range 48 {
		require.Zero(t, s.charge(session.Attempt{Account: counter(5, time.Hour), Address: free.Address}, now))
	}
	busy := session.Attempt{Account: free.Account, Address: counter(1, time.Minute)}
	require.Zero(t, s.charge(busy, now))
	for range 60 {
		require.Equal(t, time.Second, s.charge(busy, now))
	}
	for range 4 {
		require.Zero(t, s.charge(session.Attempt{Account: free.Account, Address: counter(5, time.Minute)}, now))
	}
	require.Equal(t, time.Second, s.charge(free, now), "one charge of busy, and four")
}

func testSucceed(t *testing.T, s *suite) {
	now := time.Now().UnixMilli()
	a := session.Attempt{Account: counter(3, time.Hour), Address: counter(6, time.Minute)}
	for range 3 {
		require.Zero(t, s.charge(a, now))
	}
	other, ok := s.open(t).(session.Attempts)
	require.True(t, ok)
	require.NoError(t, other.Succeed(t.Context(), a))
	for range 3 {
		require.Zero(t, s.charge(a, now), "the account has none any more")
	}
	require.NoError(t, s.attempts().Refund(t.Context(), a))
	require.Zero(t, s.charge(a, now), "the last one was taken back")
	require.Equal(t, time.Second, s.charge(a, now))
	fresh := session.Attempt{Account: counter(3, time.Hour), Address: a.Address}
	require.Zero(t, s.charge(fresh, now), "the address has five")
	require.Equal(t, time.Second, s.charge(session.Attempt{Account: counter(3, time.Hour), Address: a.Address}, now), "the address has six")

	unknown := attempt()
	require.NoError(t, s.attempts().Refund(t.Context(), unknown))
	require.NoError(t, s.attempts().Succeed(t.Context(), unknown))
	require.Zero(t, s.charge(unknown, now))
}

func testPruneAttempts(t *testing.T, s *suite) {
	now := time.Now().UnixMilli()
	a := attempt()
	for range 5 {
		require.Zero(t, s.charge(a, now))
	}
	s.race(3, func(_ int, store session.Store) {
		for n := int64(1); n > 0; {
			var err error
			n, err = store.Prune(context.Background(), now+4*3600*second)
			require.NoError(t, err)
		}
	})
	require.Equal(t, time.Second, s.charge(a, now))
}

func testDoneContextOfAttempts(t *testing.T, s *suite) {
	a, now := attempt(), time.Now().UnixMilli()
	for range 4 {
		require.Zero(t, s.charge(a, now))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.attempts().Charge(ctx, a, now)
	require.Error(t, err)
	require.Error(t, s.attempts().Refund(ctx, a))
	require.Error(t, s.attempts().Succeed(ctx, a))
	require.Zero(t, s.charge(a, now), "the fifth")
	require.Equal(t, time.Second, s.charge(a, now))
}
