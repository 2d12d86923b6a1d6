package fiberjwt

import (
	"context"
	"errors"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// emittedKey is where a request keeps the credentials whose refusal was told.
type emittedKey struct{}

// emitTokenRefused is tellRefused for a credential, once in a request: a route may stand
// below two middlewares, or be a built-in one below its own.
func (a *Auth) emitTokenRefused(c *fiber.Ctx, e event.Event, token string, err error) {
	if a.onEvent == nil {
		return
	}
	emitted, _ := c.Locals(emittedKey{}).([]string)
	if slices.Contains(emitted, token) {
		return
	}
	c.Locals(emittedKey{}, append(emitted, token))
	a.emitRefused(c, e, err)
}

// emit hands e to the hook. Without one it costs a comparison.
func (a *Auth) emit(c *fiber.Ctx, e event.Event) {
	if a.onEvent != nil {
		a.deliverRequest(c, e)
	}
}

func (a *Auth) deliverRequest(c *fiber.Ctx, e event.Event) {
	e.Address, e.UserAgent = address(c), agent(c)
	a.deliver(c.UserContext(), e)
}

// deliver runs the hook. What was decided is not undone by its panic.
func (a *Auth) deliver(ctx context.Context, e event.Event) {
	if a.onEvent == nil {
		return
	}
	err := fault.Recover(func() error { a.onEvent(ctx, e); return nil })
	if err != nil {
		a.logs.eventPanicked(ctx, err)
	}
}

// emitRefused is tell for what err refused. Requests that cannot be understood
// or carry nothing are no event; those that fail are told where they are
// answered.
func (a *Auth) emitRefused(c *fiber.Ctx, e event.Event, err error) {
	if a.onEvent == nil {
		return
	}
	refused := refusal(err)
	switch {
	case refused.Status >= 500, errors.Is(refused, ErrNoToken):
		return
	case refused.Status == fiber.StatusTooManyRequests:
		e.Type = event.Throttled
	case errors.Is(refused, ErrTokenReused):
		e.Type = event.Reuse
	}
	switch refused.Status {
	case fiber.StatusBadRequest, fiber.StatusNotFound, fiber.StatusRequestEntityTooLarge,
		fiber.StatusUnsupportedMediaType, fiber.StatusUnprocessableEntity:
		return
	}
	e.Reason = refused.reason()
	a.deliverRequest(c, e)
}

// emitDenied is for the guards; what was wrong with a token is told already.
func (a *Auth) emitDenied(c *fiber.Ctx, s *Session, err error) {
	if s == nil || !errors.Is(err, ErrWrongKind) && !errors.Is(err, ErrNotFresh) {
		return
	}
	a.emitRefused(c, s.event(event.Denied), err)
}

// emitFailed is for answers that are no decision.
func (a *Auth) emitFailed(c *fiber.Ctx, err error) {
	if a.onEvent == nil {
		return
	}
	if e := refusal(err); e.Status >= 500 {
		a.deliverRequest(c, event.Event{Type: event.Failed, Reason: e.reason()})
	}
}

// reason names a refusal for counters: a fixed set, whatever hooks return.
func (e *Error) reason() string {
	for e.of != nil {
		e = e.of
	}
	switch e {
	case ErrTokenMalformed:
		return "token_malformed"
	case ErrTokenClaims:
		return "token_claims"
	case ErrTokenExpired:
		return "token_expired"
	case ErrTokenRevoked:
		return "token_revoked"
	case ErrNoToken, ErrNotFresh, ErrSessionEnded, ErrTokenReused, ErrTokenReplaced, ErrBadCredentials, ErrOneTimeToken, ErrWrongKind, ErrCSRF, ErrForbidden,
		ErrInvalidRequest, ErrNotFound, ErrMethod, ErrTaken, ErrTooLarge, ErrMediaType, ErrFields, ErrRateLimited,
		ErrSetup, ErrUnavailable:
		return e.Code
	}
	return "refused"
}

// idOf is the SessionID of a row, "" of none.
func idOf(sid []byte) string {
	if sid == nil {
		return ""
	}
	return session.ID(sid)
}
