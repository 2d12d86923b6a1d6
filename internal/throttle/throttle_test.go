package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

const (
	timeout = 5 * time.Second
	life    = time.Minute
)

// door is a throttle with a clock that only the test moves.
type door struct {
	*throttle.Throttle
	t     *testing.T
	store *watched
	mu    sync.Mutex
	clock time.Time
}

func newDoor(t *testing.T) *door { return doorTo(t, &watched{}) }

// doorTo returns a door of another process with the same store.
func doorTo(t *testing.T, store *watched) *door {
	d := &door{t: t, store: store, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	if store.Attempts == nil {
		store.Attempts = throttle.NewMemory()
	}
	d.Throttle = throttle.New(struct {
		session.Store
		session.Attempts
	}{Attempts: store}, []byte("a key of the tests"), timeout, life, d.now)
	return d
}

func (d *door) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock
}

func (d *door) sleep(wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(wait)
}

// watched counts the calls of the store, and can be made to fail.
type watched struct {
	session.Attempts
	loads, swaps atomic.Int64
	before       func() error // its error prevents the swap
	after        func() error // its error replaces the result of the swap
}

func (w *watched) LoadAttempts(ctx context.Context, keys [][]byte) ([]session.AttemptRecord, error) {
	w.loads.Add(1)
	return w.Attempts.LoadAttempts(ctx, keys)
}

func (w *watched) SwapAttempts(ctx context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	w.swaps.Add(1)
	if w.before != nil {
		if err := w.before(); err != nil {
			return nil, err
		}
	}
	stored, err := w.Attempts.SwapAttempts(ctx, swaps)
	if w.after != nil && err == nil {
		err = w.after()
	}
	return stored, err
}

// try charges an attempt. If the attempt is refused, try returns nil and the wait.
func (d *door) try(p throttle.Place) (*throttle.Attempt, time.Duration) {
	d.t.Helper()
	err := d.Refused(p)
	var attempt *throttle.Attempt
	if err == nil {
		attempt, err = d.Charge(d.t.Context(), p)
	}
	var refused throttle.Refusal
	if errors.As(err, &refused) {
		require.Positive(d.t, refused.Wait)
		return nil, refused.Wait
	}
	require.NoError(d.t, err)
	return attempt, 0
}

// fail tries a wrong password. It returns the wait if the attempt is refused.
func (d *door) fail(p throttle.Place) time.Duration {
	d.t.Helper()
	attempt, wait := d.try(p)
	if attempt != nil {
		require.NoError(d.t, attempt.Fail(d.t.Context()))
	}
	return wait
}

// enter tries the right password. It returns the wait if the attempt is refused.
func (d *door) enter(p throttle.Place) time.Duration {
	d.t.Helper()
	attempt, wait := d.try(p)
	if attempt != nil {
		require.NoError(d.t, attempt.Succeed(d.t.Context(), p.Account, 1))
	}
	return wait
}

// guesses returns how many wrong passwords are compared until the first refusal.
func (d *door) guesses(p throttle.Place) (n int) {
	d.t.Helper()
	for ; n < 1000 && d.fail(p) == 0; n++ {
	}
	return n
}

// ada returns the place of a sign-in of ada from a network.
func ada(network string) throttle.Place {
	return throttle.Place{Account: "users\x00ada", Network: network}
}

// from returns a different network for each i.
func from(i int) string { return fmt.Sprintf("192.%d.%d.%d", i>>16, i>>8&0xff, i&0xff) }

// within requires that a wait is the wait of the rule, rounded up and with jitter.
func within(t *testing.T, rule, wait time.Duration, why ...any) {
	t.Helper()
	require.GreaterOrEqual(t, wait, rule, why...)
	require.LessOrEqual(t, wait, max(3*rule, 2*time.Second), why...)
}

func TestFiveFailuresPerPlaceAreFree(t *testing.T) {
	d := newDoor(t)
	require.Equal(t, 5, d.guesses(ada("192.0.2.1")))
	within(t, time.Second, d.fail(ada("192.0.2.1")))
}

func TestWaitsDoubleUpToAnHour(t *testing.T) {
	d := newDoor(t)
	d.guesses(ada("192.0.2.1"))
	for i := range 11 {
		wait := time.Second << i
		d.sleep(wait - time.Millisecond)
		require.NotZero(t, d.fail(ada("192.0.2.2")), "the last moment of %v", wait)
		d.sleep(time.Millisecond)
		require.Zero(t, d.fail(ada(from(i))), "the end of %v", wait)
	}
	for i := range 20 {
		within(t, 34*time.Minute, d.fail(ada(from(100+i))))
		d.sleep(time.Hour)
		require.Zero(t, d.fail(ada(from(100+i))))
	}
}

func TestUnknownPlacesShare30DayBudget(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("198.51.100.1")))
	compared, longest := 0, time.Duration(0)
	for i := 0; d.clock.Before(time.Date(2026, 12, 22, 12, 0, 0, 0, time.UTC)); i++ {
		for waited := time.Duration(0); ; waited += time.Minute {
			if d.fail(ada(from(i))) == 0 {
				break
			}
			d.sleep(time.Minute)
			longest = max(longest, waited)
		}
		compared++
		if compared == 50 {
			require.LessOrEqual(t, longest, time.Hour, "the wait is bounded as long as the budget lasts")
		}
	}
	require.LessOrEqual(t, compared, 100, "NIST SP 800-63B-4 §3.2.2")
	require.Greater(t, compared, 90)
	require.LessOrEqual(t, longest, 15*time.Hour)
	within(t, time.Hour, d.fail(ada("203.0.113.1")), "a long wait is reported like a wait of an hour")

	require.Zero(t, d.enter(ada("198.51.100.1")), "the known network")
	link := ada("203.0.113.1")
	link.Link = "a link"
	require.Zero(t, d.enter(link), "a link from a mail lets the new place in")
	require.Zero(t, d.enter(ada("203.0.113.1")), "the sign-in by link has made the network known")
}

func TestKnownPlaceForgetsOneFailurePerHour(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("192.0.2.1")))
	d.guesses(ada("192.0.2.1"))
	d.sleep(3 * time.Hour)
	require.Equal(t, 3, d.guesses(ada("192.0.2.1")))
	d.sleep(24 * time.Hour)
	require.Equal(t, 5, d.guesses(ada("192.0.2.1")))
}

func TestSuccessResetsFailuresOfThePlace(t *testing.T) {
	d := newDoor(t)
	for range 3 {
		for range 4 {
			require.Zero(t, d.fail(ada("192.0.2.1")))
		}
		require.Zero(t, d.enter(ada("192.0.2.1")))
		d.sleep(24 * time.Hour)
	}
}

func TestRefundKeepsWaitOfLaterFailure(t *testing.T) {
	for name, end := range map[string]func(*throttle.Attempt, context.Context) error{
		"forgiven": (*throttle.Attempt).Forgive,
		"a success": func(a *throttle.Attempt, ctx context.Context) error {
			return a.Succeed(ctx, "users\x00ada", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			require.Zero(t, d.enter(ada("192.0.2.1"))) // makes the network known, so that only one counter decides
			early, _ := d.try(ada("192.0.2.1"))
			d.sleep(life) // the attempt has no outcome, so it counts as a failure
			for range 4 {
				require.Zero(t, d.fail(ada("192.0.2.1")))
			}
			require.NotZero(t, d.fail(ada("192.0.2.1")))
			require.NoError(t, end(early, t.Context()))
			require.NotZero(t, d.fail(ada("192.0.2.1")))
		})
	}
}

func TestOutcomeCountsOnce(t *testing.T) {
	d := newDoor(t)
	attempt, _ := d.try(ada("192.0.2.1"))
	for range 20 {
		require.NoError(t, attempt.Fail(t.Context()))
	}
	for range 20 {
		require.NoError(t, attempt.Forgive(t.Context()))
		require.NoError(t, attempt.Succeed(t.Context(), "users\x00ada", 1))
	}
	require.Equal(t, 4, d.guesses(ada("203.0.113.1")))
}

var errStore = errors.New("the store does not answer")

func TestFailedChargeGivesNoGuess(t *testing.T) {
	for name, set := range map[string]func(*watched, func() error){
		"before it was stored": func(w *watched, f func() error) { w.before = f },
		"after it was stored":  func(w *watched, f func() error) { w.after = f },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			other := doorTo(t, d.store)
			compared := 0
			for range 20 {
				set(d.store, func() error { return errStore })
				for range 6 {
					_, err := d.Charge(t.Context(), ada("192.0.2.1"))
					var refused throttle.Refusal
					require.True(t, errors.Is(err, errStore) || errors.As(err, &refused))
				}
				set(d.store, nil)
				compared += d.guesses(ada("192.0.2.1")) + other.guesses(ada("192.0.2.1"))
			}
			require.LessOrEqual(t, compared, 5)
		})
	}
}

func TestChargeWithLostAnswerIsRefunded(t *testing.T) {
	d := newDoor(t)
	d.store.after = func() error { return errStore }
	for range 20 {
		_, err := d.Charge(t.Context(), ada("192.0.2.1"))
		require.ErrorIs(t, err, errStore)
	}
	d.store.after = nil
	require.Zero(t, d.enter(ada("192.0.2.1")), "a failing store does not cost the owner attempts")
	require.Equal(t, 5, d.guesses(ada("192.0.2.1")))
}

func TestFailureWithLostOutcomeCounts(t *testing.T) {
	d := newDoor(t)
	for range 5 {
		attempt, _ := d.try(ada("192.0.2.1"))
		d.store.before = func() error { return errStore }
		require.ErrorIs(t, attempt.Fail(t.Context()), errStore)
		d.store.before = nil
	}
	d.sleep(life)
	require.Zero(t, d.guesses(ada("192.0.2.1")))
}

func TestAttemptsOfDeadProcessCountAsFailures(t *testing.T) {
	d := newDoor(t)
	for range 3 {
		d.try(ada("192.0.2.1"))
	}
	alive := doorTo(t, d.store)
	require.Equal(t, 2, alive.guesses(ada("192.0.2.1")), "the three pending attempts may still fail")
	alive.sleep(life)
	require.Zero(t, alive.guesses(ada("192.0.2.1")), "the pending attempts count as failures")
	alive.sleep(24 * time.Hour)
	require.Equal(t, 5, alive.guesses(ada("192.0.2.1")))
}

func TestBurstGetsNoMoreGuessesThanOneByOne(t *testing.T) {
	for name, place := range map[string]func(i int) throttle.Place{
		"one account":             func(i int) throttle.Place { return ada(from(i)) },
		"one account and network": func(int) throttle.Place { return ada("192.0.2.1") },
		"one browser": func(i int) throttle.Place {
			p := ada(from(i))
			p.Device = "a browser"
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			compared := burst(d, place)
			require.GreaterOrEqual(t, compared, int32(5))
			// A browser whose own counter is used up tries as an unknown place.
			require.LessOrEqual(t, compared, max(map[string]int32{"one browser": 10}[name], 5))
		})
	}
	d := newDoor(t)
	require.EqualValues(t, 50, burst(d, func(i int) throttle.Place {
		return throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"}
	}))
}

// burst tries 100 wrong passwords at the same time, in two processes, and returns how many
// are compared.
func burst(d *door, place func(i int) throttle.Place) int32 {
	doors := []*door{d, doorTo(d.t, d.store)}
	var compared atomic.Int32
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range 100 {
		all.Go(func() {
			<-start
			if attempt, _ := doors[i%2].try(place(i)); attempt != nil {
				compared.Add(1)
				_ = attempt.Fail(d.t.Context())
			}
		})
	}
	close(start)
	all.Wait()
	return compared.Load()
}

func TestConcurrentRightPasswordsAllSucceed(t *testing.T) {
	for name, known := range map[string]bool{"a known network": true, "a new network": false} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			if known {
				require.Zero(t, d.enter(ada("192.0.2.1")))
			}
			var all sync.WaitGroup
			for range 9 {
				all.Go(func() {
					attempt, wait := d.try(ada("192.0.2.1"))
					if attempt == nil {
						t.Errorf("refused for %v", wait)
						return
					}
					time.Sleep(time.Millisecond) // the time of the password hash
					_ = attempt.Succeed(t.Context(), "users\x00ada", 1)
				})
			}
			all.Wait()
		})
	}
}

// Attempts on the account from other places do not lock a known place out.
func TestKnownPlacesHaveSeparateCounters(t *testing.T) {
	places := map[string]throttle.Place{
		"a browser": {Account: "users\x00ada", Device: "a browser", Network: "203.0.113.77"},
		"a network": ada("198.51.100.1"),
		"a link":    {Account: "users\x00ada", Link: "a link", Network: "203.0.113.78"},
		"a session": {Account: "users\x00ada", Session: "a session"},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			require.Zero(t, d.enter(ada("198.51.100.1")))
			for i := range 300 {
				d.fail(ada(from(i)))
				d.sleep(time.Minute)
			}
			require.NotZero(t, d.fail(ada("203.0.113.79")))
			for range 1440 {
				require.Zero(t, d.enter(place))
				d.sleep(time.Minute)
			}
			require.GreaterOrEqual(t, 10, d.guesses(place), "an attacker with a stolen one gets only the guesses of its counter")
			for other, p := range places {
				if other != name {
					require.Zero(t, d.enter(p), other)
				}
			}
		})
	}
}

func TestBrowserIsKnownOnlyAtItsAccount(t *testing.T) {
	d := newDoor(t)
	d.guesses(throttle.Place{Account: "bob", Network: "192.0.2.1"})
	require.NotZero(t, d.enter(throttle.Place{Account: "bob", Network: "192.0.2.9"}))
	require.Zero(t, d.enter(throttle.Place{Account: "ada", Network: "192.0.2.1", Device: "ada's browser"}))
	require.NotZero(t, d.enter(throttle.Place{Account: "bob", Network: "192.0.2.1"}))
}

func TestNetworksStayKnownForHalfAYear(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("198.51.100.1")))
	for _, step := range []struct {
		days  int
		known bool
	}{{179, true}, {179, true}, {180, false}} {
		d.sleep(time.Duration(step.days) * 24 * time.Hour)
		d.guesses(ada("192.0.2.1"))
		require.Equal(t, step.known, d.enter(ada("198.51.100.1")) == 0, "after %d days", step.days)
	}
}

// If a closed network let known names pass, it would reveal these names.
func TestClosedNetworkIsClosedForEveryName(t *testing.T) {
	d := newDoor(t)
	for i := range 20 {
		require.Zero(t, d.enter(throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"}))
	}
	compared := 0
	for i := range 20 {
		compared += d.guesses(throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"})
	}
	require.InDelta(t, 45, compared, 5, "refusals count too")
	for i := range 40 {
		require.NotZero(t, d.enter(throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"}))
	}
	browser := throttle.Place{Account: "1", Network: "192.0.2.1", Device: "a browser"}
	require.Zero(t, d.enter(browser), "guesses of others in the network do not slow down a known browser")
	link := throttle.Place{Account: "2", Network: "192.0.2.1", Link: "a link"}
	require.Zero(t, d.enter(link))
	d.sleep(64 * time.Second)
	require.Zero(t, d.enter(throttle.Place{Account: "3", Network: "192.0.2.1"}), "the network is open again after about a minute")
}

func TestPollingOneAccountDoesNotCloseTheNetwork(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("192.0.2.1")))
	own := throttle.Place{Account: "users\x00neighbour", Network: "192.0.2.1"}
	d.guesses(own)
	for range 30 {
		for range 60 {
			require.NotZero(t, d.fail(own))
		}
		require.Zero(t, d.enter(ada("192.0.2.1")))
		d.sleep(time.Second / 30)
	}
}

// Two processes whose clocks differ do not allow more guesses than one process.
func TestClockSkewGivesNoExtraGuess(t *testing.T) {
	for _, apart := range []time.Duration{time.Second, 5 * time.Second, time.Minute} {
		d := newDoor(t)
		d.siege(20)
		behind := doorTo(t, d.store)
		behind.clock = d.clock.Add(-apart)
		for compared, i := 0, 0; compared < 20; i++ {
			if d.fail(ada(from(1000+i))) == 0 {
				compared++
			}
			require.NotZero(t, behind.fail(ada(from(100_000+i))), "%v apart, after %d guesses", apart, compared)
			d.sleep(2 * time.Minute)
			behind.sleep(2 * time.Minute)
		}
	}
}

// An attacker who knew the old password may use a known place.
func TestPasswordChangeMergesKnownPlaceCounters(t *testing.T) {
	d := newDoor(t)
	browser := ada("203.0.113.2")
	browser.Device, browser.Since = "a browser", d.now()
	other := browser
	other.Device = "another browser"
	require.Zero(t, d.enter(ada("198.51.100.1")))
	require.Zero(t, d.enter(browser))
	d.siege(20)
	d.sleep(time.Second)
	require.NoError(t, d.Changed(t.Context(), "users\x00ada", "198.51.100.7"))
	require.Zero(t, d.enter(browser), "guesses from unknown places do not slow it down")
	compared := d.guesses(other)
	for range 3 {
		compared += d.guesses(browser) + d.guesses(ada("198.51.100.1"))
	}
	require.LessOrEqual(t, compared, 5)
	require.Zero(t, d.enter(ada("198.51.100.7")), "the network in which the password was changed")
	link := ada("198.51.100.1")
	link.Link = "a link"
	require.Zero(t, d.enter(link))
	require.Zero(t, d.enter(ada("198.51.100.1")), "it has signed in again")
	d.sleep(5 * time.Second)
	browser.Since = d.now()
	require.Zero(t, d.enter(browser), "it has signed in again")
}

func TestLeastUsedNetworkIsForgotten(t *testing.T) {
	d := newDoor(t)
	for i := range 12 {
		require.Zero(t, d.enter(ada(from(1000+i))))
	}
	require.Zero(t, d.enter(ada(from(1000))), "on the same day")
	moving := ada("")
	moving.Device = "a browser that moves"
	for i := range 30 {
		moving.Network = from(2000 + i)
		require.Zero(t, d.enter(moving))
	}
	require.Zero(t, d.enter(ada(from(3000))))
	d.siege(15)
	require.Zero(t, d.enter(ada(from(1000))))
	require.NotZero(t, d.enter(ada(from(1001))), "the thirteenth network has displaced it")
	require.Zero(t, d.enter(ada(from(1002))))
}

func TestClientsWithoutAddressAreUnknown(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("")))
	require.Empty(t, d.Standing(ada("")))
	d.siege(15)
	require.NotZero(t, d.enter(ada("")))

	d = newDoor(t)
	require.Empty(t, d.Standing(ada("198.51.100.1")))
	require.Zero(t, d.enter(ada("198.51.100.1")))
	require.NotEmpty(t, d.Standing(ada("198.51.100.1")), "a known place has priority over unknown ones")
}

func TestRefusalsWriteNoRows(t *testing.T) {
	d := newDoor(t)
	d.siege(15)
	swaps := d.store.swaps.Load()
	for i := range 1000 {
		p := ada(fmt.Sprintf("2001:db8:1:%x::/64", i))
		p.Site = "2001:db8:1::/48"
		require.NotZero(t, d.fail(p))
	}
	require.Equal(t, swaps, d.store.swaps.Load())
}

// A program that keeps trying an old password does not close its whole network.
func TestStaleClientDoesNotCloseItsNetwork(t *testing.T) {
	d := newDoor(t)
	bob := throttle.Place{Account: "users\x00bob", Network: "198.51.100.1"}
	require.Zero(t, d.enter(ada("198.51.100.1")))
	require.Zero(t, d.enter(bob))
	for range 8 * 60 {
		for range 6 {
			d.fail(ada("198.51.100.1"))
			d.sleep(10 * time.Second)
		}
		require.Zero(t, d.enter(bob))
	}
}

func TestLinkWorksWhileItsNetworkMustWait(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("198.51.100.1")))
	d.guesses(ada("198.51.100.1"))
	link := ada("198.51.100.1")
	link.Link = "a link"
	require.Zero(t, d.enter(link))
}

// Charge does not wait for an outcome that will not come.
func TestAttemptsOfDeadProcessAreNotAwaited(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("192.0.2.1")))
	for range 5 {
		d.try(ada("192.0.2.1"))
	}
	alive := doorTo(t, d.store)
	alive.sleep(10 * time.Second)
	loads := d.store.loads.Load()
	require.NotZero(t, alive.fail(ada("192.0.2.1")))
	require.Equal(t, loads+1, d.store.loads.Load(), "a single load means that it did not wait")
}

func TestFloodWithProofIsRefusedWithoutTheStore(t *testing.T) {
	for name, p := range map[string]throttle.Place{
		"a browser": {Account: "users\x00ada", Device: "a browser", Network: "192.0.2.1"},
		"a link":    {Account: "users\x00ada", Link: "a link", Network: "192.0.2.1"},
		"a session": {Account: "users\x00ada", Session: "a session"},
	} {
		d := newDoor(t)
		d.guesses(p)
		loads := d.store.loads.Load()
		for range 100 {
			require.NotZero(t, d.fail(p))
		}
		require.Equal(t, loads, d.store.loads.Load(), name)
	}
}

func TestRefusalsCountAgainstTheNetwork(t *testing.T) {
	d := newDoor(t)
	d.siege(20)
	for range 70 { // the client polls more often than the wait allows
		require.NotZero(t, d.fail(ada("203.0.113.1")))
		d.sleep(6 * time.Second)
	}
	require.NotZero(t, d.fail(throttle.Place{Account: "users\x00bob", Network: "203.0.113.1"}))
	require.Zero(t, d.fail(throttle.Place{Account: "users\x00bob", Network: "203.0.113.2"}))
}

// siege tries wrong passwords from unknown places until so many have been compared.
func (d *door) siege(guesses int) {
	d.t.Helper()
	for i := 0; i < guesses; {
		if d.fail(ada(from(i))) == 0 {
			i++
			continue
		}
		d.sleep(time.Minute)
	}
}

func TestNetworkMayFailOncePerMinute(t *testing.T) {
	d := newDoor(t)
	for i := range 3000 {
		require.Zero(t, d.fail(throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"}))
		d.sleep(time.Minute)
	}
}

func TestNetworkWaitStaysAboutAMinute(t *testing.T) {
	d := newDoor(t)
	longest := time.Duration(0)
	for i := range 500 {
		for d.fail(throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"}) > 0 {
			d.sleep(time.Second)
			longest += time.Second
		}
		require.LessOrEqual(t, longest, 64*time.Second)
		longest = 0
	}
}

func TestFloodOfOneIPv6SiteIsSlowedDown(t *testing.T) {
	d := newDoor(t)
	for i := range 500 {
		require.Zero(t, d.fail(throttle.Place{Account: strconv.Itoa(i), Network: "2001:db8:1:" + strconv.Itoa(i), Site: "2001:db8:1"}))
	}
	require.NotZero(t, d.fail(throttle.Place{Account: "x", Network: "2001:db8:1:ffff", Site: "2001:db8:1"}))
	require.Zero(t, d.fail(throttle.Place{Account: "x", Network: "2001:db8:2:ffff", Site: "2001:db8:2"}))
}

func TestNetworkSuccessesAreBounded(t *testing.T) {
	for name, test := range map[string]struct {
		place  throttle.Place
		weight int
		most   int
	}{
		"sign-ins":      {ada("192.0.2.1"), 1, 500},
		"registrations": {throttle.Place{Network: "192.0.2.1"}, throttle.RegistrationWeight, 100},
		"a site":        {throttle.Place{Network: "2001:db8:1:1::/64", Site: "2001:db8:1::/48"}, throttle.RegistrationWeight, 100},
		// When the browser's own counter is used up, the counters of the network decide.
		"a browser": {throttle.Place{Account: "users\x00ada", Device: "a browser", Network: "192.0.2.1"}, 1, 520},
		"a session": {throttle.Place{Account: "users\x00ada", Session: "a session"}, 2, 10},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			succeed := func() bool {
				attempt, _ := d.try(test.place)
				if attempt == nil {
					return false
				}
				require.NoError(t, attempt.Succeed(t.Context(), "users\x00ada", test.weight))
				return true
			}
			n := 0
			for ; n < 2000 && succeed(); n++ {
			}
			require.InDelta(t, test.most, n, 2)
			for range 1000 {
				if d.sleep(time.Second); succeed() {
					n++
				}
			}
			require.Less(t, n, test.most+1100/test.weight)
		})
	}
}

func TestFailedRegistrationsCountForTheNetwork(t *testing.T) {
	d := newDoor(t)
	require.Equal(t, 50, d.guesses(throttle.Place{Network: "192.0.2.1"}))
	require.Equal(t, 5, d.guesses(ada("192.0.2.2")))
}

func TestFloodIsRefusedWithoutTheStore(t *testing.T) {
	d := newDoor(t)
	d.guesses(ada("192.0.2.1"))
	loads, swaps := d.store.loads.Load(), d.store.swaps.Load()
	for range 1000 {
		require.NotZero(t, d.fail(ada("192.0.2.1")))
	}
	require.Equal(t, []int64{loads, swaps}, []int64{d.store.loads.Load(), d.store.swaps.Load()})

	for i := range 200 { // one network tries many names
		d.fail(throttle.Place{Account: strconv.Itoa(i), Network: "192.0.2.1"})
	}
	loads, swaps = d.store.loads.Load(), d.store.swaps.Load()
	for i := range 1000 {
		require.NotZero(t, d.fail(throttle.Place{Account: strconv.Itoa(1000 + i), Network: "192.0.2.1"}))
	}
	require.Equal(t, []int64{loads, swaps}, []int64{d.store.loads.Load(), d.store.swaps.Load()})
}

func TestAttemptCostsThreeStatements(t *testing.T) {
	d := newDoor(t)
	for _, end := range []func(throttle.Place) time.Duration{d.fail, d.enter, d.enter} {
		loads, swaps := d.store.loads.Load(), d.store.swaps.Load()
		require.Zero(t, end(ada("192.0.2.1")))
		require.Equal(t, []int64{loads + 1, swaps + 2}, []int64{d.store.loads.Load(), d.store.swaps.Load()})
	}
}

func TestEndedContextChargesNothing(t *testing.T) {
	d := newDoor(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Charge(ctx, ada("192.0.2.1"))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 5, d.guesses(ada("192.0.2.1")))
}

func TestClockSetBackLetsKnownPlacesIn(t *testing.T) {
	d := newDoor(t)
	require.Zero(t, d.enter(ada("198.51.100.1")))
	require.Zero(t, d.fail(ada("198.51.100.1")))
	for d.fail(ada("198.51.100.2")) == 0 {
		continue
	}
	d.sleep(-24 * time.Hour)
	require.Zero(t, d.fail(ada("198.51.100.1")))
	require.Zero(t, d.enter(ada("198.51.100.1")))
	require.Zero(t, d.enter(ada("198.51.100.2")))
}

func TestClockSetBackLocksNoUserOut(t *testing.T) {
	for _, back := range []time.Duration{time.Second, time.Hour, 30 * 24 * time.Hour} {
		d := newDoor(t)
		for i := range 200 {
			d.fail(ada(from(i)))
			d.sleep(20 * time.Minute)
		}
		d.sleep(-back)
		waited := time.Duration(0)
		for ; d.fail(ada("203.0.113.1")) > 0; waited += time.Minute {
			d.sleep(time.Minute)
			require.Less(t, waited, 16*time.Hour)
		}
	}
}

func TestThrottleCopiesBorrowedStrings(t *testing.T) {
	d := newDoor(t)
	// Fiber's strings alias a buffer that the next request overwrites.
	account, network := []byte("users\x00ada"), []byte("192.0.2.1")
	p := throttle.Place{Account: unsafe.String(&account[0], len(account)), Network: unsafe.String(&network[0], len(network))}
	require.Equal(t, 5, d.guesses(p))
	copy(account, "users\x00bob")
	copy(network, "192.0.2.9")
	require.NotZero(t, d.fail(ada("192.0.2.1")))
	require.Equal(t, 5, d.guesses(p))
}

func TestThrottleWithoutStoreCountsInProcess(t *testing.T) {
	d := &door{t: t, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	d.Throttle = throttle.New(nil, []byte("a key of the tests"), timeout, life, d.now)
	require.Equal(t, 5, d.guesses(ada("192.0.2.1")))
}

func TestStoreKeysDoNotRevealNames(t *testing.T) {
	seen := map[string]bool{}
	d := newDoor(t)
	d.store.Attempts = &listing{d.store.Attempts, seen}
	d.guesses(ada("192.0.2.1"))
	require.NotEmpty(t, seen)
	for key := range seen {
		require.Len(t, key, 32)
		require.NotContains(t, key, "ada")
	}
}

type listing struct {
	session.Attempts
	seen map[string]bool
}

func (l *listing) SwapAttempts(ctx context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	for _, swap := range swaps {
		l.seen[string(swap.Key)] = true
	}
	return l.Attempts.SwapAttempts(ctx, swaps)
}

func BenchmarkAttempt(b *testing.B) {
	t := throttle.New(nil, []byte("a key of the tests"), timeout, life, time.Now)
	b.Run("outcome=success", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			p := throttle.Place{Account: strconv.Itoa(i), Network: from(i)}
			attempt, err := t.Charge(b.Context(), p)
			if err != nil {
				b.Fatal(err)
			}
			_ = attempt.Succeed(b.Context(), p.Account, 1)
		}
	})
	b.Run("outcome=refused", func(b *testing.B) {
		b.ReportAllocs()
		p := ada("192.0.2.1")
		for range 6 {
			if attempt, err := t.Charge(b.Context(), p); err == nil {
				_ = attempt.Fail(b.Context())
			}
		}
		for b.Loop() {
			_ = t.Refused(p)
		}
	})
}
