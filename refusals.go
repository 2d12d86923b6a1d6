package fiberjwt

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// ErrorHandler answers the errors of an application's handlers in the shape of
// the library's own refusals, so that clients know one:
//
//	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
//
// An [Error] is answered as the middleware would, by Config.ErrorHandler if
// there is one, with all headers: a guard of the application's own just returns
// [ErrForbidden]. A *fiber.Error keeps its status and message, except for 400,
// for paths that no route takes and for 5xx: Fiber's own texts repeat there what
// the client sent. Anything else is 500. What a client must not see of a 5xx is
// logged.
func ErrorHandler(c *fiber.Ctx, err error) error {
	var fibers *fiber.Error
	var ours *Error
	if !errors.As(err, &ours) && !fault.IsUnavailable(err) && !errors.Is(err, ErrSetup) {
		ours = &Error{Status: fiber.StatusInternalServerError, Code: "server_error", Description: "The server could not answer the request.", cause: err}
		if errors.As(err, &fibers) && fibers.Code < fiber.StatusInternalServerError {
			ours = ofFiber(fibers)
		}
		err = ours
	}
	if r := requestOf(c); r != nil {
		return recovered(func() error { return answer(c, err, r.auth.logs, r.auth.errorHandler) })
	}
	return answer(c, err, logsOf(c), nil)
}

// ofFiber is an error of Fiber's kind below 500.
func ofFiber(e *fiber.Error) *Error {
	switch {
	case e.Code == fiber.StatusBadRequest:
		return ErrInvalidRequest
	case e.Code == fiber.StatusNotFound && strings.HasPrefix(e.Message, "Cannot "): // "Cannot GET /path"
		return ErrNotFound
	}
	code := strings.ToLower(strings.NewReplacer(" ", "_", "'", "_", "-", "_").Replace(http.StatusText(e.Code)))
	return &Error{Status: e.Code, Code: cmp.Or(code, "refused"), Description: e.Message}
}

// publicError is err as applications see it: every error of an inner package becomes an
// *Error or, if it is about how the application is set up, an error with its text
// that is ErrSetup.
func publicError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // a wrapped one goes on below, and errors.Is costs memory that anyone can ask for
		return e
	}
	if e := preparedRefusal(err); e != nil {
		return e
	}
	var known *Error
	switch {
	case errors.Is(err, ErrSetup), errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, fault.ErrSetup) && !errors.Is(err, fault.ErrBroken):
		return &setupError{err}
	case errors.As(err, &known) && !fault.IsUnavailable(err):
		return err
	}
	return refusal(err)
}

// hookAnswer is an *Error that a hook of the application returned, nil if err has none.
func hookAnswer(err error) *fault.Answer {
	var known *Error
	if !errors.As(err, &known) {
		return nil
	}
	return &fault.Answer{Err: err, Decided: known == nil || known.Status < 500}
}

// allowError classifies what Entity.Allow returned. Any refusal of it is answered like a
// wrong password or an ended session; what could not be decided is not.
func allowError(err error) error {
	if err == nil {
		return nil
	}
	if fault.IsUnavailable(err) {
		return fault.Unavailable(err)
	}
	if answer := hookAnswer(err); answer != nil && !answer.Decided {
		return answer
	}
	var fibers *fiber.Error
	if errors.As(err, &fibers) && fibers.Code >= 500 {
		return fault.Unavailable(err)
	}
	return err
}

// registerError classifies what Entity.Register returned: its own *Error or *fiber.Error is
// the answer, any other is 403.
func registerError(err error) error {
	if err == nil || errors.Is(err, fault.ErrSetup) && !errors.Is(err, ErrSetup) {
		return err
	}
	if fault.IsUnavailable(err) {
		return fault.Unavailable(err)
	}
	if answer := hookAnswer(err); answer != nil {
		return answer
	}
	var fibers *fiber.Error
	if errors.As(err, &fibers) {
		return hookAnswer(&Error{Status: fibers.Code, Code: "refused", Description: fibers.Message, cause: err})
	}
	return hookAnswer(withCause(ErrForbidden, err))
}

type innerRefusal struct {
	inner   error
	refusal *Error
}

// refusals says which refusal an error of an inner package is.
var refusals = []innerRefusal{
	{auth.ErrRevoked, ErrTokenRevoked},
	{auth.ErrSessionEnded, ErrSessionEnded},
	{auth.ErrReused, ErrTokenReused},
	{auth.ErrBadCredentials, ErrBadCredentials},
	{auth.ErrOneTimeToken, ErrOneTimeToken},
	{token.ErrMalformed, ErrTokenMalformed},
	{token.ErrClaims, ErrTokenClaims},
	{token.ErrExpired, ErrTokenExpired},
	{sessions.ErrReplaced, ErrTokenReplaced},
	{accounts.ErrTaken, ErrTaken},
	{accounts.ErrRefused, ErrFields},
}

// prepared are the refusals of errors that inner packages return as they are. An attacker
// can have them returned for every request, so they are made once.
var prepared = func() (prepared []innerRefusal) {
	for _, err := range []error{
		token.ErrMalformed, token.ErrUnknownKey, token.ErrSignature, token.ErrClaims, token.ErrMissing, token.ErrWrong, token.ErrIssuer,
		token.ErrAudience, token.ErrIssued, token.ErrNotBefore, token.ErrExpired,
		auth.ErrRevoked, auth.ErrSessionEnded, auth.ErrBadCredentials, auth.ErrOneTimeToken,
	} {
		prepared = append(prepared, innerRefusal{err, refusalOf(err)})
	}
	return prepared
}()

// preparedRefusal is nil if err is not one of them. It is no map, since a map panics if
// an error of an application cannot be compared.
func preparedRefusal(err error) *Error {
	for _, row := range prepared {
		if err == row.inner { //nolint:errorlint // a wrapped one has a cause of its own
			return row.refusal
		}
	}
	return nil
}

// refusalOf is nil if err is not an error of an inner package.
func refusalOf(err error) *Error {
	for _, row := range refusals {
		if errors.Is(err, row.inner) {
			e := copyError(row.refusal)
			e.cause = err
			var fields accounts.Fields
			if errors.As(err, &fields) {
				e.Fields = fields
			}
			return e
		}
	}
	return nil
}

// refusal finds the *Error of any error, so that whatever a store or a hook
// returned has one row of the table.
func refusal(err error) *Error {
	if e, ok := err.(*Error); ok && e != nil && e.Status >= 400 { //nolint:errorlint // a wrapped one goes on below
		return e
	}
	if e := preparedRefusal(err); e != nil {
		return e
	}
	if e := refusalOf(err); e != nil {
		return e
	}
	var wait throttle.Refusal
	if errors.As(err, &wait) {
		e := copyError(ErrRateLimited)
		e.RetryAfter = wait.Wait
		return e
	}
	e := copyError(ErrSetup)
	var wrapped *Error
	if errors.As(err, &wrapped) && wrapped != nil && wrapped.Status >= 400 {
		e = copyError(wrapped)
	}
	if fault.IsUnavailable(err) {
		e = copyError(ErrUnavailable)
	}
	e.cause = err
	return e
}

// recovered runs f, whose error goes to Fiber: a panic becomes an *Error, since Fiber
// shows the text of an error to the client.
func recovered(f func() error) error {
	err := fault.Recover(f)
	if errors.Is(err, fault.ErrSetup) {
		return refusal(err)
	}
	return err
}

// answer writes err as a response: headers, status and, unless handler
// replaces it, the JSON body.
func answer(c *fiber.Ctx, err error, logs logs, handler fiber.ErrorHandler) error {
	e := refusal(err)
	e.announce(c, logs)
	if handler != nil {
		return handler(c, copyError(e)) // its own: the Err… values are for all requests
	}
	return c.Status(e.Status).JSON(struct {
		Error       string            `json:"error"`
		Description string            `json:"error_description"`
		Fields      map[string]string `json:"fields,omitempty"`
	}{e.Code, e.Description, e.Fields})
}

// announce sets the headers that go with a refusal, whoever writes its body,
// and logs what the client must not see.
func (e *Error) announce(c *fiber.Ctx, logs logs) {
	if e.Status >= 500 && !e.logged {
		logs.failed(c, e)
	}
	if errors.Is(e, ErrCSRF) {
		logs.crossOrigin(c)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	if e.Status == fiber.StatusUnauthorized {
		// RFC 9110 §15.5.2: every 401 carries a challenge.
		c.Set(fiber.HeaderWWWAuthenticate, bearer(e.challenge))
	}
	if e.RetryAfter > 0 {
		seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
		c.Set(fiber.HeaderRetryAfter, strconv.FormatInt(seconds, 10))
	}
}

func bearer(parameters string) string {
	if parameters == "" {
		return "Bearer"
	}
	return "Bearer " + parameters
}
