package fiberjwt

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// EventType says what happened. The set is fixed, so it can be the label of a
// counter.
type EventType string

// What can happen. An outcome is one event: a sign-in that the throttle
// refuses is EventThrottled and nothing else.
const (
	EventLogin           EventType = "login"            // by password or by [Login]
	EventLoginRefused    EventType = "login_refused"    // wrong credentials, or Entity.Allow said no
	EventThrottled       EventType = "throttled"        // 429: login, register or password
	EventRegister        EventType = "register"         // SessionID is empty if the account has to wait
	EventRegisterRefused EventType = "register_refused" // the identity is taken, or Entity.Register said no
	EventRefresh         EventType = "refresh"
	EventExchange        EventType = "exchange"        // POST /{kind}/token: an access token without a rotation
	EventRefreshRefused  EventType = "refresh_refused" // a refresh token is no good, for either of the two
	EventReuse           EventType = "reuse"           // a spent refresh token came back: the session was ended, warn the account; told again for each later refresh of it
	EventLogout          EventType = "logout"          // a session ended; one that had ended before is not told again
	EventLogoutAll       EventType = "logout_all"
	EventRevoke          EventType = "revoke" // DELETE /{kind}/sessions/:id; SessionID is the one that ended
	EventPassword        EventType = "password"
	EventPasswordRefused EventType = "password_refused"
	EventLinkRefused     EventType = "link_refused"  // a token of a [Link] or of [ResetToken] is no good
	EventTokenRefused    EventType = "token_refused" // an access token that is no good, also where the route is open
	EventDenied          EventType = "denied"        // signed in, but As, Require or Fresh said no
	EventFailed          EventType = "failed"        // 5xx: the store did not answer, a hook panicked; the log says why
)

// Event is what [Config].OnEvent is told about a request. Nothing in it is a
// token, a password or what a person signs in with, and every text is of a
// bounded length. It holds no memory of the request.
type Event struct {
	Type      EventType `json:"type"`
	Kind      string    `json:"kind,omitempty"`       // of account, one of Config.Entities
	Subject   string    `json:"subject,omitempty"`    // primary key of the account; empty where nothing proved who it is
	SessionID string    `json:"session_id,omitempty"` // [Session].ID
	// Reason is why something was refused: the code of the answer, but for
	// access tokens token_malformed, token_claims, token_expired or
	// token_revoked, and "refused" for an error of a hook's own. A fixed set,
	// empty for what went well.
	Reason    string `json:"reason,omitempty"`
	Address   string `json:"address,omitempty"`    // of the client, as c.IP() has it
	UserAgent string `json:"user_agent,omitempty"` // what the client says of itself, at most 255 bytes, printable
}

// LogValue is the event as a group, for slog.
func (e Event) LogValue() slog.Value {
	attributes := []slog.Attr{slog.String("type", string(e.Type))}
	for _, part := range [...]struct{ name, value string }{
		{"kind", e.Kind}, {"subject", e.Subject}, {"session_id", e.SessionID}, {"reason", e.Reason},
		{"address", e.Address}, {"user_agent", e.UserAgent},
	} {
		if part.value != "" {
			attributes = append(attributes, slog.String(part.name, part.value))
		}
	}
	return slog.GroupValue(attributes...)
}

// toldKey is where a request keeps the credentials whose refusal was told.
type toldKey struct{}

// tellToken is tellRefused for a credential, once in a request: a route may stand
// below two middlewares, or be a built-in one below its own.
func (a *Auth) tellToken(c *fiber.Ctx, e Event, token string, err error) {
	if a.onEvent == nil {
		return
	}
	told, _ := c.Locals(toldKey{}).([]string)
	if slices.Contains(told, token) {
		return
	}
	c.Locals(toldKey{}, append(told, token))
	a.tellRefused(c, e, err)
}

// tell hands e to the hook. Without one it costs a comparison.
func (a *Auth) tell(c *fiber.Ctx, e Event) {
	if a.onEvent != nil {
		a.deliver(c, e)
	}
}

func (a *Auth) deliver(c *fiber.Ctx, e Event) {
	e.Address, e.UserAgent = address(c), agent(c)
	a.deliverIn(c.UserContext(), e)
}

// deliverIn runs the hook. What was decided is not undone by its panic.
func (a *Auth) deliverIn(ctx context.Context, e Event) {
	if a.onEvent == nil {
		return
	}
	err := fault.Recover(func() error { a.onEvent(ctx, e); return nil })
	if err != nil {
		a.logs.eventPanicked(ctx, err)
	}
}

// tellRefused is tell for what err refused. Requests that cannot be understood
// or carry nothing are no event; those that fail are told where they are
// answered.
func (a *Auth) tellRefused(c *fiber.Ctx, e Event, err error) {
	if a.onEvent == nil {
		return
	}
	refused := refusal(err)
	switch {
	case refused.Status >= 500, errors.Is(refused, ErrNoToken):
		return
	case refused.Status == fiber.StatusTooManyRequests:
		e.Type = EventThrottled
	case errors.Is(refused, ErrTokenReused):
		e.Type = EventReuse
	}
	switch refused.Status {
	case fiber.StatusBadRequest, fiber.StatusNotFound, fiber.StatusRequestEntityTooLarge,
		fiber.StatusUnsupportedMediaType, fiber.StatusUnprocessableEntity:
		return
	}
	e.Reason = refused.reason()
	a.deliver(c, e)
}

// tellDenied is for the guards; what was wrong with a token is told already.
func (a *Auth) tellDenied(c *fiber.Ctx, s *Session, err error) {
	if s == nil || !errors.Is(err, ErrWrongKind) && !errors.Is(err, ErrNotFresh) {
		return
	}
	a.tellRefused(c, s.event(EventDenied), err)
}

// tellFailed is for answers that are no decision.
func (a *Auth) tellFailed(c *fiber.Ctx, err error) {
	if a.onEvent == nil {
		return
	}
	if e := refusal(err); e.Status >= 500 {
		a.deliver(c, Event{Type: EventFailed, Reason: e.reason()})
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
