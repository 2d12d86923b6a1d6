package auth

import (
	"context"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

// newThrottle counts failed sign-ins in the store of sessions, if it can. An attempt asks
// the database once to read and twice to write.
func newThrottle(cfg Config) *throttle.Throttle {
	life := cfg.ReadTimeout + 4*cfg.WriteTimeout + time.Minute
	return throttle.New(cfg.Sessions.Store(), cfg.Ring[0].Derive(labelAttempts), cfg.WriteTimeout, life, cfg.Now)
}

// Attempted is what the throttle counts failures of, whether the account exists or not.
// Kinds of a table in which an account has one password have one count for it. The look-up
// reports a Canonical that fails.
func Attempted(k *Kind, identity string) string {
	name, _ := k.NameOf(identity)
	return k.Counted + "\x00" + name
}

// Client is where a request comes from.
type Client struct {
	Address string
	Agent   string         // what the client says of itself
	Network throttle.Place // with Network and Site
	Device  seal.Device    // that the device cookie marks
}

// Device opens the cookie that marks a browser.
func (k *Kind) Device(value string) (seal.Device, bool) { return seal.OpenDevice(k.devices, value) }

// Mark is the device cookie after a sign-in to the account of a name.
func (k *Kind) Mark(d seal.Device, name string, now time.Time) string {
	return d.Mark(k.devices, name, now)
}

// placeOf is where a request to sign in to an account comes from.
func (a *Service) placeOf(k *Kind, from Client, name, unlock string) throttle.Place {
	p := from.Network
	p.Account, p.Link = name, a.unlocked(k, name, unlock)
	p.Device, p.Since = from.Device.SignedIn(name)
	return p
}

// turn is an attempt that is under way. Until leave is called, it has a place among those
// whose passwords are hashed.
type turn struct {
	*throttle.Attempt
	leave func()
}

// begin lets an attempt in. What was refused a moment ago is refused without a look at the
// store, and no attempt asks the store before it has a place. The error is a
// throttle.Refusal if it has to wait.
func (a *Service) begin(ctx context.Context, p throttle.Place) (turn, error) {
	if err := a.attempts.Refused(p); err != nil {
		return turn{}, throttled(err)
	}
	leave, err := a.Hasher.Enter(ctx, a.attempts.Standing(p))
	if err != nil {
		return turn{}, err
	}
	var attempt *throttle.Attempt
	err = fault.Recover(func() (err error) {
		attempt, err = a.attempts.Charge(ctx, p)
		return throttled(err)
	})
	a.Sessions.Grown()
	if err != nil {
		leave()
		return turn{}, err
	}
	return turn{attempt, leave}, nil
}

// throttled leaves a refusal of the throttle as it is, and classifies other errors as
// failures of the store.
func throttled(err error) error {
	if _, refused := err.(throttle.Refusal); err == nil || refused { //nolint:errorlint // the throttle returns it as it is
		return err
	}
	return fault.Unavailable(err)
}

// settle tells the throttle how the attempt ended. It never fails a request: an outcome
// that the store does not take is not a failure of the user.
func (t turn) settle(ctx context.Context, owner string, weight int, outcome error) {
	failed := outcome != nil && !undecided(outcome)
	err := fault.Recover(func() error {
		switch {
		case failed:
			return t.Fail(ctx)
		case outcome != nil: // nothing was decided
			return t.Forgive(ctx)
		}
		return t.Succeed(ctx, owner, weight)
	})
	if err != nil && !failed {
		t.Owe()
	}
}

// passwordChanged gives one shared counter to the browsers and networks that have signed in
// to the account before, since one of them may belong to someone who knew the old
// password. If the store fails, each keeps its own: it is a counter of failures, no more.
func (a *Service) passwordChanged(ctx context.Context, name, network string) {
	_ = fault.Recover(func() error { return a.attempts.Changed(ctx, name, network) })
}
