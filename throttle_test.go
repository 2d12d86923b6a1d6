package fiberjwt

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

// door is a throttle with a clock that only the test moves.
type door struct {
	*throttle
	t     *testing.T
	clock time.Time
}

func newDoor(t *testing.T) *door {
	d := &door{t: t, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	d.throttle = newThrottle(nil, Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), time.Second, func() time.Time { return d.clock })
	return d
}

// take gives the wait, 0 for an attempt that was let through.
func (d *door) take(account, address string) time.Duration {
	d.t.Helper()
	err := d.throttle.take(d.t.Context(), account, address)
	if err != nil {
		require.ErrorIs(d.t, err, ErrRateLimited)
		return refusal(err).RetryAfter
	}
	return 0
}

func (d *door) succeed(account, address string) { d.throttle.succeed(d.t.Context(), account, address) }

func (d *door) refund(account, address string) { d.throttle.refund(d.t.Context(), account, address) }

// fail n times in a row, at once.
func (d *door) fail(n int, account, address string) {
	d.t.Helper()
	for i := range n {
		require.Zero(d.t, d.take(account, address), "failure %d", i+1)
	}
}

// failAfterWaits fails once more after having waited as told, and gives the wait.
func (d *door) failAfterWaits(account, address string) time.Duration {
	d.t.Helper()
	wait := d.take(account, address)
	if wait > 0 {
		d.clock = d.clock.Add(wait)
		d.fail(1, account, address)
	}
	return wait
}

// from is another address each time.
func from(i int) string { return fmt.Sprintf("192.0.%d.%d", i>>8, i&0xff) }

func TestFiveFailuresOfAnAccountAreFree(t *testing.T) {
	d := newDoor(t)
	for i := range 5 {
		d.fail(1, "users\x00ada", from(i))
	}
	require.Equal(t, time.Second, d.take("users\x00ada", from(5)))
}

func TestWaitsOfAnAccountDoubleUpToAQuarterOfAnHour(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "ada", "192.0.2.1")
	for i := range 10 {
		require.Equal(t, time.Second<<i, d.failAfterWaits("ada", from(i)))
	}
	for i := range 200 {
		require.Equal(t, 15*time.Minute, d.failAfterWaits("ada", from(i)))
	}
}

func TestAttemptIsRefusedUntilTheLastMomentOfTheWait(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "ada", "192.0.2.1")
	d.clock = d.clock.Add(time.Second - time.Millisecond)
	require.Equal(t, time.Millisecond, d.take("ada", "192.0.2.1"))
	d.clock = d.clock.Add(time.Millisecond)
	require.Zero(t, d.take("ada", "192.0.2.1"))
}

func TestRefusedAttemptIsChargedToNobody(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "ada", "192.0.2.1")
	for range 100 {
		require.Equal(t, time.Second, d.take("ada", "192.0.2.2"), "asking again must not lengthen the wait")
	}
	for i := range 50 {
		d.fail(1, "account "+strconv.Itoa(i), "192.0.2.2")
	}
}

func TestAnAddressInWaitChargesNoAccount(t *testing.T) {
	d := newDoor(t)
	for i := range 50 {
		d.fail(1, "account "+strconv.Itoa(i), "192.0.2.1")
	}
	for range 100 {
		require.Equal(t, time.Second, d.take("ada", "192.0.2.1"))
	}
	d.fail(5, "ada", "192.0.2.2")
}

func TestFailuresOfAnAccountFadeOneAnHour(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "ada", "192.0.2.1")
	d.clock = d.clock.Add(3 * time.Hour)
	d.fail(3, "ada", "192.0.2.1")
	require.Equal(t, time.Second, d.take("ada", "192.0.2.1"))
}

func TestWorstAttackIsForgottenWithinADay(t *testing.T) {
	d := newDoor(t)
	for i := range 500 {
		d.failAfterWaits("ada", from(i))
	}
	d.clock = d.clock.Add(24 * time.Hour)
	d.fail(5, "ada", "192.0.2.1")
}

func TestGuessesAtAnAccountAreFewADay(t *testing.T) {
	d := newDoor(t)
	guesses := 0
	for begin, i := d.clock, 0; d.clock.Sub(begin) < 24*time.Hour; i++ {
		d.failAfterWaits("ada", from(i))
		guesses++
	}
	require.Less(t, guesses, 15+4*24)
}

func TestSuccessForgetsTheFailuresOfTheAccount(t *testing.T) {
	d := newDoor(t)
	d.fail(4, "ada", "192.0.2.1")
	d.fail(1, "ada", "192.0.2.1")
	d.succeed("ada", "192.0.2.1")
	d.fail(5, "ada", "192.0.2.1")
}

// Or an attacker would clear his address by signing in to his own account.
func TestSuccessGivesTheAddressOneChargeBackOnly(t *testing.T) {
	d := newDoor(t)
	for i := range 49 {
		d.fail(1, "account "+strconv.Itoa(i), "192.0.2.1")
	}
	for range 1000 {
		d.fail(1, "his own", "192.0.2.1")
		d.succeed("his own", "192.0.2.1")
	}
	d.fail(1, "ada", "192.0.2.1")
	require.Equal(t, time.Second, d.take("ada", "192.0.2.1"))
}

func TestSuccessAtABusyAddressLeavesNoWait(t *testing.T) {
	d := newDoor(t)
	for i := range 55 {
		d.failAfterWaits("account "+strconv.Itoa(i), "192.0.2.1")
	}
	d.clock = d.clock.Add(d.take("ada", "192.0.2.1"))
	d.fail(1, "ada", "192.0.2.1")
	d.succeed("ada", "192.0.2.1")
	require.Zero(t, d.take("bob", "192.0.2.1"), "ada's success must not make her neighbour wait")
}

func TestRefundLeavesTheAccountAsItWas(t *testing.T) {
	d := newDoor(t)
	d.fail(4, "ada", "192.0.2.1")
	for range 100 { // a store that is down
		d.fail(1, "ada", "192.0.2.1")
		d.refund("ada", "192.0.2.1")
	}
	d.fail(1, "ada", "192.0.2.1")
	require.Equal(t, time.Second, d.take("ada", "192.0.2.1"), "the four failures still count")
}

func TestGivingBackWhatWasNeverChargedIsHarmless(t *testing.T) {
	d := newDoor(t)
	d.succeed("ada", "192.0.2.1")
	d.refund("ada", "192.0.2.1")
	for range 3 {
		d.fail(1, "ada", "192.0.2.1")
		d.refund("ada", "192.0.2.1")
		d.refund("ada", "192.0.2.1")
	}
	require.Zero(t, d.take("ada", "192.0.2.1"))
}

func TestFiftyFailuresOfAnAddressAreFree(t *testing.T) {
	d := newDoor(t)
	for i := range 50 {
		d.fail(1, "account "+strconv.Itoa(i), "192.0.2.1")
	}
	for i := range 4 {
		require.Equal(t, time.Second<<i, d.failAfterWaits("next "+strconv.Itoa(i), "192.0.2.1"))
	}
}

func TestWaitsOfASharedAddressStayAboutAMinute(t *testing.T) {
	d := newDoor(t)
	longest := time.Duration(0)
	for i := range 2000 {
		longest = max(longest, d.failAfterWaits("account "+strconv.Itoa(i), "192.0.2.1"))
	}
	require.Equal(t, 64*time.Second, longest)
	d.clock = d.clock.Add(time.Hour)
	for i := range 50 {
		d.fail(1, "later "+strconv.Itoa(i), "192.0.2.1")
	}
}

func TestOneFailureAMinuteFromASharedAddressCostsNoWait(t *testing.T) {
	d := newDoor(t)
	for i := range 5000 {
		d.fail(1, "account "+strconv.Itoa(i), "192.0.2.1")
		d.clock = d.clock.Add(time.Minute)
	}
}

func TestAddressesOfOneNetworkCountTogether(t *testing.T) {
	for name, tc := range map[string]struct {
		one, other string
		together   bool
	}{
		"one IPv6 /64":         {"2001:db8:1:2::1", "2001:db8:1:2:ffff::", true},
		"two IPv6 /64":         {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"one host, two zones":  {"fe80::1%eth0", "fe80::1%eth1", true},
		"IPv4 in IPv6":         {"::ffff:192.0.2.1", "192.0.2.1", true},
		"two IPv4":             {"192.0.2.1", "192.0.2.2", false},
		"two IPv4 in IPv6":     {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		"no address":           {"", "", true},
		"garbage of a proxy":   {"unknown", "unknown", true},
		"other garbage":        {"unknown", "hidden", false},
		"another way to write": {"2001:DB8:1:2:0:0:0:1", "2001:db8:1:2::1", true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.together, network(tc.one) == network(tc.other))
		})
	}
}

func TestKindsOfAccountCountApart(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "users\x00ada", "192.0.2.1")
	d.fail(5, "teachers\x00ada", "192.0.2.1")
	require.Equal(t, time.Second, d.take("users\x00ada", "192.0.2.1"))
}

func TestParallelBurstGetsNoMoreThanTheFreeAttempts(t *testing.T) {
	for name, key := range map[string]func(i int) (account, address string){
		"one account":  func(i int) (string, string) { return "ada", from(i) },
		"both the one": func(int) (string, string) { return "ada", "192.0.2.1" },
	} {
		t.Run(name, func(t *testing.T) { require.EqualValues(t, 5, burst(t, key)) })
	}
	require.EqualValues(t, 50, burst(t, func(i int) (string, string) { return strconv.Itoa(i), "192.0.2.1" }))
}

// burst counts those of 100 attempts at once that get through.
func burst(t *testing.T, key func(i int) (account, address string)) int32 {
	d := newDoor(t)
	var through atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 100 {
		wg.Go(func() {
			<-start
			if d.take(key(i)) == 0 {
				through.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return through.Load()
}

func TestParallelUseIsSafe(t *testing.T) {
	d := newDoor(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				account, address := strconv.Itoa(j%7), from(i)
				if d.take(account, address) > 0 {
					continue
				}
				if j%2 == 0 {
					d.succeed(account, address)
				} else {
					d.refund(account, address)
				}
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		require.Zero(t, d.take("a new one", from(i)), "every charge was given back")
		d.refund("a new one", from(i))
	}
}

func TestTablesStayBounded(t *testing.T) {
	d := newDoor(t)
	for i := range maxRecords + 100 {
		d.fail(1, strconv.Itoa(i), "address "+strconv.Itoa(i))
	}
	m := d.store.(*memory)
	for _, table := range []*failures{&m.accounts, &m.addresses} {
		require.Len(t, table.records, maxRecords)
		require.Equal(t, maxRecords, table.recent.Len())
	}
	d.succeed(strconv.Itoa(maxRecords), "address")
	require.Len(t, m.accounts.records, maxRecords-1)
	require.Equal(t, maxRecords-1, m.accounts.recent.Len())
}

func TestLeastRecentlyUsedAccountIsForgotten(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "quiet", "192.0.2.1")
	d.fail(5, "asked for", "192.0.2.1")
	for i := range 2 * maxRecords {
		d.fail(1, strconv.Itoa(i), "address "+strconv.Itoa(i))
		require.NotZero(t, d.take("asked for", "192.0.2.1"), "an account under attack stays known")
	}
	require.Zero(t, d.take("quiet", "192.0.2.2"))
}

func TestRefusedAttemptsPushNobodyOut(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "ada", "192.0.2.1")
	for i := range 50 {
		d.fail(1, strconv.Itoa(i), "192.0.2.2")
	}
	for i := range 2 * maxRecords {
		require.NotZero(t, d.take("name "+strconv.Itoa(i), "192.0.2.2"))
	}
	require.NotZero(t, d.take("ada", "192.0.2.1"))
}

func TestClockThatIsPutBackNeverWaitsLongerThanTheLongestWait(t *testing.T) {
	for _, back := range []time.Duration{time.Second, time.Hour, 30 * 24 * time.Hour} {
		d := newDoor(t)
		d.fail(5, "ada", "192.0.2.1")
		d.clock = d.clock.Add(-back)
		wait := d.take("ada", "192.0.2.1")
		require.LessOrEqual(t, wait, session.LongestWait)
		for range 30 {
			require.LessOrEqual(t, d.failAfterWaits("ada", "192.0.2.1"), session.LongestWait)
		}
	}
}

func TestClockThatIsPutForwardForgetsAndNoMore(t *testing.T) {
	d := newDoor(t)
	d.fail(5, "ada", "192.0.2.1")
	d.clock = d.clock.AddDate(300, 0, 0) // more than a time.Duration holds
	d.fail(5, "ada", "192.0.2.1")
	require.Equal(t, time.Second, d.take("ada", "192.0.2.1"))
}

// Fiber's strings alias a buffer that the next request overwrites.
func TestBorrowedStringsAreNotKept(t *testing.T) {
	d := newDoor(t)
	account, address := []byte("users\x00ada"), []byte("192.0.2.1")
	d.fail(5, unsafe.String(&account[0], len(account)), unsafe.String(&address[0], len(address)))
	copy(account, "users\x00bob")
	copy(address, "192.0.2.9")
	require.Equal(t, time.Second, d.take("users\x00ada", "192.0.2.1"))
	require.Zero(t, d.take("users\x00bob", "192.0.2.9"))
}

func BenchmarkTake(b *testing.B) {
	t := newThrottle(nil, Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), time.Second, time.Now)
	b.Run("account=refused", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = t.take(b.Context(), "users\x00ada", "192.0.2.1")
		}
	})
	b.Run("account=new", func(b *testing.B) { // worst: each evicts another
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_ = t.take(b.Context(), strconv.Itoa(i), strconv.Itoa(i))
		}
	})
}
