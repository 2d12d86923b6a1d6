package auth

import (
	"context"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

// newThrottle returns a throttle that counts in the store of the sessions if that implements
// session.Attempts. An attempt reads from the database once and writes twice.
func newThrottle(cfg Config) *throttle.Throttle {
	life := cfg.ReadTimeout + 4*cfg.WriteTimeout + time.Minute
	return throttle.New(cfg.Sessions.Store(), cfg.Ring[0].Derive(labelAttempts), cfg.WriteTimeout, life, cfg.Now)
}

// Attempted returns the name under which the throttle counts sign-ins with an identity,
// whether the account exists or not. Kinds that share a table and a password share the name.
// It ignores an error of Canonical, which the query for the account reports.
func Attempted(k *Kind, identity string) string {
	name, _ := k.NameOf(identity)
	return k.Counted + "\x00" + name
}

// Client describes the client of a request.
type Client struct {
	Address string
	Agent   string         // its User-Agent
	Network throttle.Place // only Network and Site are set
	Device  seal.Device    // from the device cookie
}

// Device opens the cookie that marks a browser.
func (k *Kind) Device(value string) (seal.Device, bool) { return seal.OpenDevice(k.devices, value) }

// Mark returns the value of the device cookie after a sign-in under name; see [Attempted].
func (k *Kind) Mark(d seal.Device, name string, now time.Time) string {
	return d.Mark(k.devices, name, now)
}

// placeFor returns the place of an attempt to sign in under name.
func (a *Service) placeFor(k *Kind, from Client, name, unlock string) throttle.Place {
	p := from.Network
	p.Account, p.Link = name, a.unlockID(k, name, unlock)
	p.Device, p.Since = from.Device.SignedIn(name)
	return p
}

// attempt is a pending attempt. It occupies a place among the requests that hash passwords
// until release is called, which may be called more than once.
type attempt struct {
	*throttle.Attempt
	release func()
}

// beginAttempt charges an attempt, after it has waited for a place among the requests that
// hash passwords. It refuses an attempt that was just refused without asking the store. The
// error is a throttle.Refusal if the client has to wait.
func (a *Service) beginAttempt(ctx context.Context, p throttle.Place) (attempt, error) {
	if err := a.attempts.Refused(p); err != nil {
		return attempt{}, classifyRefusal(err)
	}
	release, err := a.Hasher.Enter(ctx, a.attempts.Standing(p))
	if err != nil {
		return attempt{}, err
	}
	var charged *throttle.Attempt
	err = fault.Recover(func() (err error) {
		charged, err = a.attempts.Charge(ctx, p)
		return classifyRefusal(err)
	})
	a.Sessions.Grown()
	if err != nil {
		release()
		return attempt{}, err
	}
	return attempt{charged, release}, nil
}

// classifyRefusal returns a refusal of the throttle unchanged, and classifies other errors as
// failures of the store.
func classifyRefusal(err error) error {
	if _, refused := err.(throttle.Refusal); err == nil || refused { //nolint:errorlint // the throttle does not wrap it
		return err
	}
	return fault.Unavailable(err)
}

// settle reports the outcome of the attempt to the throttle. An error of the store does not
// fail the request, because it is not a failure of the user.
func (t attempt) settle(ctx context.Context, owner string, weight int, outcome error) {
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

// passwordChanged makes the browsers and networks that have signed in to the account share
// one counter of failures, because one of them may belong to an attacker who knew the old
// password. If the store fails, each of them keeps its separate counter.
func (a *Service) passwordChanged(ctx context.Context, name, network string) {
	_ = fault.Recover(func() error { return a.attempts.Changed(ctx, name, network) })
}
