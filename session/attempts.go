package session

import (
	"context"
	"time"
)

// Attempts is what a [Store] may offer besides: it counts failed sign-ins for
// all processes that share it. fiberjwt finds it by a type assertion on
// Config.Sessions; with a store that lacks it, each process counts for itself.
//
// As with a Store, an error means that the store could not answer, all methods
// are safe for concurrent use by several processes, and end when ctx does. But
// a Charge that is called again charges again.
type Attempts interface {
	// Charge charges an attempt to both counters, as [Limit.Charge] says; but if
	// one of them has to wait, [Failures.Wait], it charges neither and gives the
	// longer wait. Of many calls at once, in whatever process, each sees what the
	// ones before it charged: a burst gets no more through than one by one. A
	// call that loses a race may be refused although the winner is refunded after.
	Charge(ctx context.Context, a Attempt, now int64) (wait time.Duration, err error)

	// Refund takes the charge of an attempt back from both counters, as
	// [Limit.Refund] says. A counter that is not there stays so.
	Refund(ctx context.Context, a Attempt) error

	// Succeed forgets the failures of the account, and refunds the address.
	Succeed(ctx context.Context, a Attempt) error
}

// Attempt is one sign-in, of some account from some address.
type Attempt struct{ Account, Address Counter }

// Counter counts failures of a key. The key is a keyed hash of 32 bytes that
// tells nobody whose it is; those of accounts and of addresses never meet.
type Counter struct {
	Key   []byte
	Limit Limit
}

// Limit says how many failures are free and how fast they fade.
type Limit struct {
	Free int           // so many attempts need no wait; at least 1
	Fade time.Duration // of the failures, one fades in each such time; more than ClockSkew
}

// ClockSkew is how far the clocks of the processes may differ without a failure
// being counted as two: by so much a failure fades early.
const ClockSkew = 5 * time.Second

// LongestWait is how long anyone has to wait at most.
const LongestWait = 15 * time.Minute

// Failures of a key, in Unix milliseconds. A store may forget them once both
// times are past.
type Failures struct {
	Clear int64 // when the last one has faded: there are as many as periods until then
	Until int64 // no attempt before
}

// Wait is how many milliseconds the key has to wait, 0 if it need not. An Until
// that is too far off was set before the clock was put back, and does not count.
func (f Failures) Wait(now int64) int64 {
	if wait := f.Until - now; wait > 0 && wait <= LongestWait.Milliseconds() {
		return wait
	}
	return 0
}

// Most is how many failures are counted: with them the wait is LongestWait.
func (l Limit) Most() int { return l.Free + 10 } // 2^10 s

// Charge adds a failure, and sets the wait that follows it: none for those that
// are free, then 1 s, 2 s, 4 s and so on. It is pure, and every store must
// equal it.
func (l Limit) Charge(f Failures, now int64) Failures {
	fade := l.Fade.Milliseconds()
	left := min(max(f.Clear-now, 0)+fade, int64(l.Most())*fade)
	f = Failures{Clear: now + left}
	if n := int((left - ClockSkew.Milliseconds() + fade - 1) / fade); n >= l.Free {
		f.Until = now + min(1000<<(n-l.Free), LongestWait.Milliseconds())
	}
	return f
}

// Refund takes a failure back, with the wait that it set: there was none before,
// or the attempt would have been refused. When the attempt took longer than that
// wait, the wait of the next one goes instead; its failure still counts.
func (l Limit) Refund(f Failures) Failures {
	return Failures{Clear: f.Clear - l.Fade.Milliseconds()}
}
