package fiberjwt

import (
	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

const labelAttempts = "fiberjwt/v1/attempts" // see package secret

// newThrottle counts failed sign-ins in store, if it can. An attempt asks the
// database once to read and twice to write.
func newThrottle(cfg Config, store session.Store, ring secret.Ring) *throttle.Throttle {
	life := cfg.ReadTimeout + 4*cfg.WriteTimeout + time.Minute
	return throttle.New(store, ring[0].Derive(labelAttempts), cfg.WriteTimeout, life, cfg.Now)
}

// attempted is what the throttle counts failures of, whether it exists or not. Kinds
// of a table in which an account has one password have one count for it. The look-up
// tells of a Canonical that fails.
func attempted(k *kind, identity string) string {
	name, _ := k.NameOf(identity)
	return k.Counted + "\x00" + name
}

// placeOf is where a request to sign in to an account comes from.
func (a *Auth) placeOf(c *fiber.Ctx, k *kind, account, unlock string) throttle.Place {
	p := a.networkOf(c)
	p.Account, p.Link = account, a.unlocked(k, account, unlock)
	p.Device, p.Since = k.device(c).SignedIn(account)
	return p
}

// turn is an attempt that is under way. Until leave is called, it has a place
// among those whose passwords are hashed.
type turn struct {
	*throttle.Attempt
	leave func()
}

// begin lets an attempt in. What was refused a moment ago is refused without a
// look at the store, and no attempt asks the store before it has a place.
func (a *Auth) begin(ctx context.Context, p throttle.Place) (turn, error) {
	if err := throttled(a.attempts.Refused(p)); err != nil {
		return turn{}, err
	}
	leave, err := a.hasher.Enter(ctx, a.attempts.Standing(p))
	if err != nil {
		return turn{}, err
	}
	var attempt *throttle.Attempt
	err = fault.Recover(func() (err error) {
		attempt, err = a.attempts.Charge(ctx, p)
		return throttled(err)
	})
	a.store.Grown()
	if err != nil {
		leave()
		return turn{}, err
	}
	return turn{attempt, leave}, nil
}

// throttled is the refusal for an error of the throttle.
func throttled(err error) error {
	var wait throttle.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wait):
		return retryAfter(ErrRateLimited, wait.Wait)
	}
	return fault.Unavailable(err)
}

// settle tells the throttle how the attempt ended. It never fails a request: an
// outcome that the store does not take is not a failure of the person.
func (t turn) settle(ctx context.Context, owner string, weight int, outcome error) {
	failed := outcome != nil && refusal(outcome).Status < 500
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

// passwordChanged gives browsers and networks one counter together that have signed
// in to the account before, since one who knew the old password may be among them.
// If the store fails, each keeps its own: a counter of failures, no more.
func (a *Auth) passwordChanged(ctx context.Context, account, network string) {
	_ = fault.Recover(func() error { return a.attempts.Changed(ctx, account, network) })
}
