// Code generated from ../events.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"context"
	"errors"
	"slices"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// emittedKey is the key in c.Locals of the tokens whose refusal was emitted in this request.
type emittedKey struct{}

// emitTokenRefused is emitRefused for a token. It emits at most one event for each token of a
// request, because two middlewares may verify the same token: a route may have two middlewares
// above it, or a built-in route, which verifies tokens itself, may be below its middleware.
func (a *Auth) emitTokenRefused(c fiber.Ctx, e event.Event, token string, err error) {
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

// emit calls the hook with e. Without a hook it costs one comparison.
func (a *Auth) emit(c fiber.Ctx, e event.Event) {
	if a.onEvent != nil {
		a.deliverRequest(c, e)
	}
}

// deliverRequest calls the hook with e, and with the address and user agent of the request.
func (a *Auth) deliverRequest(c fiber.Ctx, e event.Event) {
	e.Address, e.UserAgent = address(c), agent(c)
	a.deliver(c.Context(), e)
}

// deliver calls the hook. A panic of the hook is logged: it must not change an outcome that is
// already decided.
func (a *Auth) deliver(ctx context.Context, e event.Event) {
	if a.onEvent == nil {
		return
	}
	err := fault.Recover(func() error { a.onEvent(ctx, e); return nil })
	if err != nil {
		a.logs.eventPanicked(ctx, err)
	}
}

// emitRefused emits e for a request that err refused. The type of e becomes Throttled or Reuse if
// err says so. emitRefused emits nothing for requests that are malformed, have no credential or
// ask for what does not exist. Requests that failed (5xx) are left to emitFailed, which is called
// where they are answered.
func (a *Auth) emitRefused(c fiber.Ctx, e event.Event, err error) {
	if a.onEvent == nil {
		return
	}
	refused := refusal(err)
	switch {
	case refused.Status >= 500, refused.is(ErrNoToken):
		return
	case refused.Status == fiber.StatusTooManyRequests:
		e.Type = event.Throttled
	case refused.is(ErrTokenReused):
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

// emitDenied emits the refusal of a guard. If a token was not valid, that was emitted before,
// so only ErrWrongKind and ErrNotFresh count.
func (a *Auth) emitDenied(c fiber.Ctx, s *Session, err error) {
	if a.onEvent == nil || s == nil || !errors.Is(err, ErrWrongKind) && !errors.Is(err, ErrNotFresh) {
		return
	}
	a.emitRefused(c, s.event(event.Denied), err)
}

// emitFailed emits a 5xx response, which decides nothing about the user.
func (a *Auth) emitFailed(c fiber.Ctx, err error) {
	if a.onEvent == nil {
		return
	}
	if e := refusal(err); e.Status >= 500 {
		a.deliverRequest(c, event.Event{Type: event.Failed, Reason: e.reason()})
	}
}

// reason returns the name of a refusal for counters. The set of names is fixed, so errors of
// hooks get the name "refused".
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
	}
	if slices.Contains(sentinels, e) {
		return e.Code
	}
	return "refused"
}

// idOf returns the SessionID for the sid of a row, or "" if sid is nil.
func idOf(sid []byte) string {
	if sid == nil {
		return ""
	}
	return session.ID(sid)
}
