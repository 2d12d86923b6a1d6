// Code generated from ../refusals.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// ErrorHandler sends the errors of an application's handlers in the same shape as the
// library's own refusals, so that clients need to know only one:
//
//	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
//
// An [Error] gets the response that the middleware would send, with all headers, and with the
// body of Config.ErrorHandler if that is set. A guard of the application can therefore just
// return [ErrForbidden]. An error of a store that does not answer becomes [ErrUnavailable].
//
// A *fiber.Error below 500 keeps its status and message, except for 400 and for paths without a
// route: Fiber's texts for these contain what the client sent, so the description of
// [ErrInvalidRequest] or [ErrNotFound] replaces them. The response to any other error is 500
// with a fixed text. The log has the cause of a 5xx, which the client must not see.
func ErrorHandler(c fiber.Ctx, err error) error {
	var fibers *fiber.Error
	var ours *Error
	if !errors.As(err, &ours) && !fault.IsUnavailable(err) && !errors.Is(err, ErrSetup) {
		ours = &Error{Status: fiber.StatusInternalServerError, Code: "server_error", Description: "The server could not answer the request.", cause: err}
		if errors.As(err, &fibers) && fibers.Code < fiber.StatusInternalServerError {
			ours = fromFiber(fibers)
		}
		err = ours
	}
	if r := requestOf(c); r != nil {
		return recovered(func() error { return answer(c, err, r.auth.logs, r.auth.errorHandler) })
	}
	return answer(c, err, logsOf(c), nil)
}

// fromFiber converts an error of Fiber with a status below 500.
func fromFiber(e *fiber.Error) *Error {
	switch {
	case e.Code == fiber.StatusBadRequest:
		return ErrInvalidRequest
	case isNoRoute(e):
		return ErrNotFound
	}
	code := strings.ToLower(strings.NewReplacer(" ", "_", "'", "_", "-", "_").Replace(http.StatusText(e.Code)))
	return &Error{Status: e.Code, Code: cmp.Or(code, "refused"), Description: e.Message}
}

// How an error becomes a response: an inner package returns one of its own errors, and a
// hook any error. allowError and registerError classify those of hooks. refusal finds the
// row of the table in errors.go for all of them, and answer writes it. publicError does the
// same for functions that the application calls, without a response.

// publicError converts an error of an inner package for the application. The result is an
// *Error or, if the application is set up wrongly, an error that matches ErrSetup and keeps its
// text.
func publicError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // a wrapped one is handled below; errors.Is would allocate for every request of an attacker
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

// hookAnswer wraps an error of a hook that contains an *Error, so that this becomes the
// response. It returns nil if err contains none.
func hookAnswer(err error) *fault.Answer {
	var known *Error
	if !errors.As(err, &known) {
		return nil
	}
	return &fault.Answer{Err: err, Decided: known == nil || known.Status < 500}
}

// allowError classifies an error of Entity.Allow. A refusal gets the same response as a wrong
// password or an ended session. An error that means that Allow could not decide does not.
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

// registerError classifies an error of Entity.Register. An *Error or a *fiber.Error becomes
// the response. Any other error becomes ErrForbidden.
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

// innerRefusal maps an error of an inner package to the refusal that clients see.
type innerRefusal struct {
	inner   error
	refusal *Error
}

// refusals maps the errors of inner packages, also wrapped ones.
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

// prepared has the refusals for errors that inner packages return unwrapped. An attacker can
// cause these errors by every request, so the refusals are allocated only once.
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

// preparedRefusal returns the prepared refusal for err, or nil if there is none. prepared is
// not a map, because looking up an application's error of an uncomparable type would panic.
func preparedRefusal(err error) *Error {
	for _, row := range prepared {
		if err == row.inner { //nolint:errorlint // a wrapped error has another cause
			return row.refusal
		}
	}
	return nil
}

// refusalOf returns the refusal for an error of an inner package, or nil if err is not one.
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

// refusal returns the *Error for any error, also of a store or a hook. An unknown error becomes
// ErrSetup.
func refusal(err error) *Error {
	if e, ok := err.(*Error); ok && e != nil && e.Status >= 400 { //nolint:errorlint // a wrapped one is handled below
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

// recovered calls f and returns its error, which Fiber handles. A panic becomes an *Error,
// because Fiber would send the text of any other error to the client.
func recovered(f func() error) error {
	err := fault.Recover(f)
	if errors.Is(err, fault.ErrSetup) {
		return refusal(err)
	}
	return err
}

// answer sends err as a response: the headers, the status, and the JSON body unless handler
// writes another.
func answer(c fiber.Ctx, err error, logs logs, handler fiber.ErrorHandler) error {
	e := refusal(err)
	e.announce(c, logs)
	if handler != nil {
		return handler(c, copyError(e)) // a copy: all requests share the Err… values
	}
	c.Status(e.Status)
	if text := e.preparedJSON(c); text != "" {
		c.Response().Header.SetContentType(jsonType)
		c.Response().SetBodyString(text) // a copy: a handler above may change the body
		return nil
	}
	return c.JSON(e.body())
}

// refusalBody is the JSON body of a refusal.
type refusalBody struct {
	Error       string            `json:"error"`
	Description string            `json:"error_description"`
	Fields      map[string]string `json:"fields,omitempty"`
}

func (e *Error) body() refusalBody { return refusalBody{e.Code, e.Description, e.Fields} }

// refusalText is what the body of a refusal without Fields depends on.
type refusalText struct{ code, description string }

// preparedBodies has the JSON of the Err… values. An attacker can cause most of them by every
// request. An error whose texts the application has changed is not found here.
var preparedBodies = func() map[refusalText]string {
	bodies := map[refusalText]string{}
	for _, e := range sentinels {
		body, _ := json.Marshal(e.body()) // cannot fail: the texts are constants
		bodies[refusalText{e.Code, e.Description}] = string(body)
	}
	return bodies
}()

// preparedJSON returns the JSON of the refusal, or "" if it is not prepared, or if the
// application has another encoder, which may write other bytes.
func (e *Error) preparedJSON(c fiber.Ctx) string {
	if len(e.Fields) > 0 || reflect.ValueOf(c.App().Config().JSONEncoder).Pointer() != encodingJSON {
		return ""
	}
	return preparedBodies[refusalText{e.Code, e.Description}]
}

// encodingJSON identifies Fiber's default encoder.
var encodingJSON = reflect.ValueOf(json.Marshal).Pointer()

// announce sets the headers of a refusal, which are the same for every body, and logs what the
// client must not see.
func (e *Error) announce(c fiber.Ctx, logs logs) {
	if e.Status >= 500 && !e.logged {
		logs.failed(c, e)
	}
	if e.is(ErrCSRF) {
		logs.crossOrigin(c)
	}
	header := &c.Response().Header
	header.SetCanonical(headerCacheControl, noStore)
	if e.Status == fiber.StatusUnauthorized {
		// Every 401 must have a challenge (RFC 9110 §15.5.2).
		header.SetBytesKV(headerWWWAuthenticate, lend(cmp.Or(e.challenge, "Bearer")))
	}
	if e.RetryAfter > 0 {
		seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
		c.Set(fiber.HeaderRetryAfter, strconv.FormatInt(seconds, 10))
	}
}
