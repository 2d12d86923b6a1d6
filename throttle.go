package fiberjwt

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/admission"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

// newThrottle counts failed sign-ins in store, if it can. An attempt asks the
// database once to read and twice to write.
func newThrottle(cfg Config, store session.Store) *throttle.Throttle {
	life := cfg.ReadTimeout + 4*cfg.WriteTimeout + time.Minute
	return throttle.New(store, derive(cfg.Secret, labelAttempts, sha256.Size), cfg.WriteTimeout, life, cfg.Now)
}

// attempted is what the throttle counts failures of, whether it exists or not.
func attempted(k *kind, identity string) string { return k.name + "\x00" + canonical(identity) }

// placeOf is where a request to sign in to an account comes from.
func (a *Auth) placeOf(c *fiber.Ctx, k *kind, account, unlock string) throttle.Place {
	p := a.networkOf(c)
	p.Account, p.Device = account, k.deviceOf(c, account)
	p.Link = a.unlocked(k, account, unlock)
	return p
}

// turn is an attempt that is under way. It has a place among those whose
// passwords are hashed.
type turn struct {
	auth    *Auth
	attempt *throttle.Attempt
}

// begin lets an attempt in: what was refused a moment ago is refused without a
// look at the store, and no attempt asks the store before it has a place. Call
// leave after it.
func (a *Auth) begin(ctx context.Context, p throttle.Place) (turn, error) {
	if err := throttled(a.attempts.Refused(p)); err != nil {
		return turn{}, err
	}
	// A flood of strangers must not keep out those who hold a proof.
	if err := a.hasher.enter(ctx, p.Device != "" || p.Link != "" || p.Session); err != nil {
		return turn{}, err
	}
	attempt, err := a.attempts.Charge(ctx, p)
	if err != nil {
		a.hasher.leave()
		return turn{}, throttled(err)
	}
	return turn{a, attempt}, nil
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
	return unavailable(err)
}

// settle tells the throttle how the attempt ended. It never fails a request: an
// outcome that the store does not take is not a failure of the person.
func (t turn) settle(ctx context.Context, owner string, weight int, outcome error) {
	failed := outcome != nil && refusal(outcome).Status < 500
	err := shielded(func() error {
		switch {
		case failed:
			return t.attempt.Fail(ctx)
		case outcome != nil: // nothing was decided
			return t.attempt.Forgive(ctx)
		}
		return t.attempt.Succeed(ctx, owner, weight)
	})
	if err != nil && !failed {
		t.attempt.Owe()
	}
}

// enter waits for a place among those whose passwords are hashed. Call leave
// after it. The error is ErrUnavailable.
func (h *hasher) enter(ctx context.Context, urgent bool) error {
	if err := h.gate.Enter(ctx, urgent); err != nil {
		return because(ErrUnavailable, err)
	}
	return nil
}

func (h *hasher) leave() { h.gate.Leave() }

var errHashBusy = admission.ErrBusy
