// Code generated from ../errors.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Error is a refusal as the client sees it. Every error that this package sends as a response
// or passes to [Config].ErrorHandler is an *Error or wraps one. Compare it with the Err… values
// below by errors.Is.
//
// errors.As also finds a *fiber.Error in it, so Fiber's own error handler sends the right
// status. The text of an Error is safe to send to clients. The cause, such as the error of the
// database, is not part of the text: log the Error by slog, or use errors.Is and errors.As.
//
// Errors are shared by requests. They may be kept and read concurrently, but only the copy that
// Config.ErrorHandler gets may be changed.
type Error struct {
	Status      int               // HTTP status
	Code        string            // the JSON member "error"
	Description string            // the JSON member "error_description": a fixed sentence without text of the client
	Fields      map[string]string // what is wrong with each member of the body; only for 422
	RetryAfter  time.Duration     // how long the client should wait; only for 429 and 503

	logged    bool   // the error is in the log already
	kind      string // the kind of account, for the log; "" if it is not known
	challenge string // the header WWW-Authenticate of a 401 (RFC 6750 §3); "" for a bare Bearer
	of        *Error // the Err… value that this error is a copy of; nil in the Err… values
	class     error  // the class of package fault; only for ErrSetup and ErrUnavailable
	cause     error  // for the log only; it must not be sent to the client
}

// The table of refusals. Status, code and challenge of a response are set here only.
var (
	// ErrNoToken: the request carries no credential, or only cookies of other kinds. The
	// challenge then has no error parameter (RFC 6750 §3.1). A refresh without a refresh
	// token has its own description.
	ErrNoToken = &Error{Status: 401, Code: "no_token", Description: "Sign in first: the request carries no access token."}
	// ErrTokenMalformed: the text is not a token of this application, or its signature does
	// not verify. Both cases give the same error on purpose: nothing in a token is trusted
	// before its signature is verified.
	ErrTokenMalformed = &Error{Status: 401, Code: "invalid_token", Description: "The access token is not valid.", challenge: invalidToken}
	// ErrTokenClaims: the signature verifies, but a claim is missing or has a wrong value.
	ErrTokenClaims = &Error{Status: 401, Code: "invalid_token", Description: "The access token is not meant for this use.", challenge: invalidToken}
	// ErrTokenExpired: the token is valid but has expired. The client should refresh.
	ErrTokenExpired = &Error{Status: 401, Code: "invalid_token", Description: "The access token has expired.", challenge: invalidToken}
	// ErrTokenRevoked: the token is valid, but its session has ended, its account was
	// deleted, or [Entity].Allow refuses the account.
	ErrTokenRevoked = &Error{Status: 401, Code: "invalid_token", Description: "The session of this access token has ended.", challenge: invalidToken}
	// ErrNotFresh: the user proved the password too long ago for this route (RFC 9470 §3).
	// See [Fresh].
	ErrNotFresh = &Error{Status: 401, Code: "insufficient_user_authentication", Description: "Prove the password again.", challenge: `Bearer error="insufficient_user_authentication"`}

	// ErrSessionEnded: the refresh token belongs to no active session.
	ErrSessionEnded = &Error{Status: 401, Code: "session_ended", Description: "The session has ended. Sign in again."}
	// ErrTokenReused: a refresh token was presented again, long after its successor was
	// used. One of the two holders of the token may be an attacker, so the session was
	// ended.
	ErrTokenReused = &Error{Status: 401, Code: "session_revoked", Description: "The refresh token was used before. For safety the session has been ended."}
	// ErrTokenReplaced: the refresh token has a successor. Only POST /{kind}/token returns
	// this error, because it cannot return the successor. POST /{kind}/refresh can.
	ErrTokenReplaced = &Error{Status: 401, Code: "refresh_required", Description: "The refresh token has a successor. Refresh first."}
	// ErrBadCredentials: the account does not exist, the password is wrong, or
	// [Entity].Allow refuses the account. The three cases give the same error on purpose,
	// so that an attacker cannot find out which accounts exist.
	ErrBadCredentials = &Error{Status: 401, Code: "invalid_credentials", Description: "Incorrect email or password."}

	// ErrOneTimeToken: a one-time token is not valid, has expired or was used before. The
	// three cases give the same error on purpose.
	ErrOneTimeToken = &Error{Status: 400, Code: "invalid_one_time_token", Description: "The link is not valid, has expired or was used before."}

	// ErrWrongKind: the request is signed in, but not as the kind that the route requires.
	// If the middleware reads a cookie for each kind and the cookie of that kind is
	// missing, the error is ErrNoToken instead.
	ErrWrongKind = &Error{Status: 403, Code: "wrong_kind", Description: "This account is of another kind than the route is for."}
	// ErrCSRF: the credential came in a cookie, and another site sent the request.
	ErrCSRF = &Error{Status: 403, Code: "csrf", Description: "The request comes from another origin."}
	// ErrForbidden: the application refused the request, by its Register hook or by its own
	// guard that returns this error. [Ticket] and the routes /logout-all and /password give
	// it for a token of [TrustedIssuer] or [Config].OldTokens, which has no session here.
	ErrForbidden = &Error{Status: 403, Code: "forbidden", Description: "The application refused the request."}

	// ErrInvalidRequest: the request is malformed, or carries two different credentials
	// (RFC 6750 §3.1).
	ErrInvalidRequest = &Error{Status: 400, Code: "invalid_request", Description: "The request is malformed."}
	// ErrNotFound: the kind does not offer this route, or the account has no such session.
	ErrNotFound = &Error{Status: 404, Code: "not_found", Description: "Not found."}
	// ErrMethod: a built-in route was called with another method. The header Allow names
	// the right one.
	ErrMethod = &Error{Status: 405, Code: "method_not_allowed", Description: "Method not allowed."}
	// ErrTaken: an account with this identity exists.
	ErrTaken = &Error{Status: 409, Code: "taken", Description: "An account with these details exists."}
	// ErrTooLarge: the body is larger than 16 KiB, the limit of the built-in routes.
	ErrTooLarge = &Error{Status: 413, Code: "too_large", Description: "The body is too large."}
	// ErrMediaType: the body is not plain application/json.
	ErrMediaType = &Error{Status: 415, Code: "unsupported_media_type", Description: "The body must be application/json."}
	// ErrFields: members of the body are missing or wrong. Error.Fields says what is wrong
	// with each. If Error.Fields is nil, the database refused the row; the log says why.
	ErrFields = &Error{Status: 422, Code: "invalid_fields", Description: "Some fields are missing or wrong."}
	// ErrRateLimited: there were too many failed attempts. Error.RetryAfter says how long
	// the client should wait.
	ErrRateLimited = &Error{Status: 429, Code: "rate_limited", Description: "Too many attempts. Wait before the next."}

	// ErrSetup: the application is set up wrongly. The log says how to fix it.
	ErrSetup = &Error{Status: 500, Code: "server_error", Description: "The server is not set up for this request.", class: fault.ErrSetup}
	// ErrUnavailable: the store did not answer. Nothing was decided: no token was refused,
	// no session was ended and no cookie was changed. The client should try again.
	ErrUnavailable = &Error{Status: 503, Code: "temporarily_unavailable", Description: "The service cannot answer at the moment.", RetryAfter: time.Second, class: fault.ErrUnavailable}
)

// sentinels has all of them.
var sentinels = []*Error{
	ErrNoToken, ErrTokenMalformed, ErrTokenClaims, ErrTokenExpired, ErrTokenRevoked, ErrNotFresh, ErrSessionEnded, ErrTokenReused,
	ErrTokenReplaced, ErrBadCredentials, ErrOneTimeToken, ErrWrongKind, ErrCSRF, ErrForbidden, ErrInvalidRequest, ErrNotFound,
	ErrMethod, ErrTaken, ErrTooLarge, ErrMediaType, ErrFields, ErrRateLimited, ErrSetup, ErrUnavailable,
}

const invalidToken = `Bearer error="invalid_token"`

// Error returns the description after "fiberjwt: ". It does not contain the cause, because
// Fiber's own error handler sends this text to the client.
func (e *Error) Error() string {
	if e == nil {
		return "fiberjwt: an error that is nil"
	}
	return "fiberjwt: " + e.Description
}

// LogValue returns the text of the error with its cause, for slog.
func (e *Error) LogValue() slog.Value {
	if e.cause == nil {
		return slog.StringValue(e.Error())
	}
	return slog.StringValue(e.Error() + " (" + rootCause(e.cause).Error() + ")")
}

// rootCause returns the innermost cause that is not an *Error.
func rootCause(cause error) error {
	cause = fault.Cause(cause)
	if e, ok := cause.(*Error); ok && e != nil && e.cause != nil { //nolint:errorlint // an error that wraps an *Error adds text
		return rootCause(e.cause)
	}
	return cause
}

// Unwrap lets errors.Is and errors.As find the Err… value and the cause.
func (e *Error) Unwrap() []error {
	if e == nil { // a hook may return a nil *Error as an error by mistake
		return nil
	}
	var chain []error
	if e.of != nil {
		chain = append(chain, e.of)
	}
	if e.class != nil {
		chain = append(chain, e.class)
	}
	if e.cause != nil {
		chain = append(chain, e.cause)
	}
	return chain
}

// is reports whether e is sentinel or a copy of it. For the errors of this package it says the
// same as errors.Is, but does not allocate.
func (e *Error) is(sentinel *Error) bool {
	for ; e != nil; e = e.of {
		if e == sentinel {
			return true
		}
	}
	return false
}

// As lets errors.As find a *fiber.Error with the status and the description.
func (e *Error) As(target any) bool {
	out, ok := target.(**fiber.Error)
	if ok = ok && e != nil; ok {
		*out = fiber.NewError(e.Status, e.Description)
	}
	return ok
}

// setupError says to the developer how to fix the application. It matches ErrSetup, which is
// also what clients see.
type setupError struct{ cause error }

func (e *setupError) Error() string { return e.cause.Error() }

func (e *setupError) Unwrap() []error { return []error{ErrSetup, e.cause} }

// ConfigError has all mistakes of a [Config], or of its database. [Open] and
// [Auth.Check] return a *ConfigError, which errors.As finds; [New] and [Auth.Mount]
// panic with one. It matches [ErrSetup]. Its text is for developers: it names
// tables, columns and settings, so do not send it to clients.
type ConfigError struct {
	Problems []Problem // at least one

	subject string // what has the problems, for Error; "" means the Config
}

// Problem is one mistake in a [ConfigError]. Its texts are plain sentences for
// developers, without secrets, and may change between versions.
type Problem struct {
	Field  string // path of the setting, such as "Config.Leeway" or "Config.Entities[0] (User, table users): Identity"
	Reason string // what is wrong
	Hint   string // how to fix it; may be empty for a custom Store or keys.Source
}

// String returns "Field: Reason: Hint", or "Field Reason: Hint" if the reason is a sentence
// about the field, such as "is empty".
func (p Problem) String() string { return fault.Problem(p).String() }

// Error returns the problem on one line, or the number of problems and a line for each.
func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return "fiberjwt: " + e.Problems[0].String()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "fiberjwt: %s has %d problems:", cmp.Or(e.subject, "the Config"), len(e.Problems))
	for _, p := range e.Problems {
		text.WriteString("\n  - " + p.String())
	}
	return text.String()
}

// Unwrap returns ErrSetup.
func (e *ConfigError) Unwrap() error { return ErrSetup }

// configError makes a *ConfigError of problems, nil of none.
func configError(subject string, problems []fault.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	e := &ConfigError{subject: subject}
	for _, p := range problems {
		e.Problems = append(e.Problems, Problem(p))
	}
	return e
}

// withCause returns a copy of sentinel with a cause for the log.
func withCause(sentinel *Error, cause error) error {
	e := copyError(sentinel)
	e.cause = cause
	return e
}

// wrongFields returns ErrFields with what is wrong with each member of the body, or nil if
// fields is empty.
func wrongFields(fields map[string]string) error {
	if len(fields) == 0 {
		return nil
	}
	e := copyError(ErrFields)
	e.Fields = fields
	return e
}

// markLogged returns err with a mark that it is in the log already, so that it is not logged
// again. Only errors with a status of 500 or more are logged.
func markLogged(err error) error {
	if refusal(err).Status < 500 {
		return err
	}
	e := copyError(refusal(err))
	e.logged = true
	return e
}

// withKind returns err with the kind of account of the request, for the log.
func withKind(err error, kind string) error {
	if refusal(err).Status < 500 {
		return err
	}
	e := copyError(refusal(err))
	e.kind = cmp.Or(e.kind, kind)
	return e
}

// errNoSession is for a token of TrustedIssuers or OldTokens on a route that needs a session.
var errNoSession = &Error{Status: 403, Code: "forbidden", Description: "The token has no session here.", of: ErrForbidden}

// errNoRefreshToken is for a refresh without a refresh token.
var errNoRefreshToken = &Error{Status: 401, Code: "no_token", Description: "Sign in first: the request carries no refresh token.", of: ErrNoToken}

// errLoneRefresh is for a refresh cookie that came without the access cookie of its session.
var errLoneRefresh = &Error{Status: 401, Code: "no_token", Description: "Sign in first: a refresh cookie is valid only together with the access cookie of its session.", of: ErrNoToken}

// copyError returns a copy of sentinel that the caller may change.
func copyError(sentinel *Error) *Error {
	e := *sentinel
	e.of = sentinel
	return &e
}
