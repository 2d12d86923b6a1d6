package fiberjwt

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Error is a refusal as a client sees it. Every error that this package
// answers or hands to [Config].ErrorHandler is, or wraps, an *Error; match it
// with errors.Is and the Err… values below.
//
// It is also a *fiber.Error to errors.As, so Fiber's own error handler gives
// it the right status. Its text is safe to send; the cause, such as what the
// database said, is shown by slog and found by errors.Is and errors.As.
type Error struct {
	Status      int               // HTTP status
	Code        string            // the JSON member "error"
	Description string            // the JSON member "error_description": a fixed sentence, never a client's text
	Fields      map[string]string // what is wrong with each member of the body, for 422
	RetryAfter  time.Duration     // how long a client should wait, for 429 and 503

	logged    bool   // it is in the log already
	kind      string // of account, for the log; "" if not known
	challenge string // parameters of WWW-Authenticate: Bearer, RFC 6750 §3
	of        *Error // the Err… value this is an instance of, nil in those themselves
	class     error  // of package fault, for ErrSetup and ErrUnavailable
	cause     error  // for the application's log, never for the client
}

// The table of refusals. It alone decides status, code and challenge.
var (
	// ErrNoToken: the request carries no credential, or cookies of other kinds only.
	// RFC 6750 §3.1 wants the challenge bare then. A refresh has a sentence of its own.
	ErrNoToken = &Error{Status: 401, Code: "no_token", Description: "Sign in first: the request carries no access token."}
	// ErrTokenMalformed: not a token of ours, or its signature does not hold.
	// The two are not told apart, nothing is before a signature is verified.
	ErrTokenMalformed = &Error{Status: 401, Code: "invalid_token", Description: "The access token is not valid.", challenge: invalidToken}
	// ErrTokenClaims: the signature holds, but a claim is missing or wrong.
	ErrTokenClaims = &Error{Status: 401, Code: "invalid_token", Description: "The access token is not meant for this use.", challenge: invalidToken}
	// ErrTokenExpired: a good token past its time; refresh.
	ErrTokenExpired = &Error{Status: 401, Code: "invalid_token", Description: "The access token has expired.", challenge: invalidToken}
	// ErrTokenRevoked: a good token whose session has ended or whose account
	// is gone or no longer allowed.
	ErrTokenRevoked = &Error{Status: 401, Code: "invalid_token", Description: "The session of this access token has ended.", challenge: invalidToken}
	// ErrNotFresh: the password was proved too long ago (RFC 9470 §3).
	ErrNotFresh = &Error{Status: 401, Code: "insufficient_user_authentication", Description: "Prove the password again.", challenge: `error="insufficient_user_authentication"`}

	// ErrSessionEnded: the refresh token belongs to no living session.
	ErrSessionEnded = &Error{Status: 401, Code: "session_ended", Description: "The session has ended. Sign in again."}
	// ErrTokenReused: a refresh token came back long after its successor was
	// used. The session is ended, since one of the two holders is an attacker.
	ErrTokenReused = &Error{Status: 401, Code: "session_revoked", Description: "The refresh token was used before. For safety the session has been ended."}
	// ErrTokenReplaced: the refresh token has a successor. That is told by
	// POST /{kind}/token only, which cannot hand it out; a refresh can.
	ErrTokenReplaced = &Error{Status: 401, Code: "refresh_required", Description: "The refresh token has a successor. Refresh first."}
	// ErrBadCredentials: no such account, a wrong password or an account that
	// [Entity].Allow refuses; deliberately the same for all three.
	ErrBadCredentials = &Error{Status: 401, Code: "invalid_credentials", Description: "Incorrect email or password."}

	// ErrOneTimeToken: a one-time token that is not valid, has expired or was
	// used before; deliberately the same for all three.
	ErrOneTimeToken = &Error{Status: 400, Code: "invalid_one_time_token", Description: "The link is not valid, has expired or was used before."}

	// ErrWrongKind: signed in, but not as the kind that the route is for. Where the
	// middleware reads a cookie for each kind, a missing one is ErrNoToken instead.
	ErrWrongKind = &Error{Status: 403, Code: "wrong_kind", Description: "This account is of another kind than the route is for."}
	// ErrCSRF: a cookie carried the credential and another site sent the request.
	ErrCSRF = &Error{Status: 403, Code: "csrf", Description: "The request comes from another origin."}
	// ErrForbidden: the application refused, by its Register hook or by a guard of
	// its own that returns this. So do [Ticket], /logout-all and /password where a
	// token of [TrustedIssuer] or [Config].OldTokens has no session for them.
	ErrForbidden = &Error{Status: 403, Code: "forbidden", Description: "The application refused the request."}

	// ErrInvalidRequest: the request cannot be understood, or carries two
	// different credentials (RFC 6750 §3.1).
	ErrInvalidRequest = &Error{Status: 400, Code: "invalid_request", Description: "The request is malformed."}
	// ErrNotFound: no such route for this kind, or no such session.
	ErrNotFound = &Error{Status: 404, Code: "not_found", Description: "Not found."}
	// ErrMethod: a built-in route under another method.
	ErrMethod = &Error{Status: 405, Code: "method_not_allowed", Description: "Method not allowed."}
	// ErrTaken: an account with this identity exists.
	ErrTaken = &Error{Status: 409, Code: "taken", Description: "An account with these details exists."}
	// ErrTooLarge: the body is larger than the built-in routes read.
	ErrTooLarge = &Error{Status: 413, Code: "too_large", Description: "The body is too large."}
	// ErrMediaType: the body is not plain application/json.
	ErrMediaType = &Error{Status: 415, Code: "unsupported_media_type", Description: "The body must be application/json."}
	// ErrFields: members of the body are missing or wrong; see Error.Fields, which
	// is nil where the table refused the row: the log says why.
	ErrFields = &Error{Status: 422, Code: "invalid_fields", Description: "Some fields are missing or wrong."}
	// ErrRateLimited: too many failed attempts; see Error.RetryAfter.
	ErrRateLimited = &Error{Status: 429, Code: "rate_limited", Description: "Too many attempts. Wait before the next."}

	// ErrSetup: the application is set up wrongly; the log says how to fix it.
	ErrSetup = &Error{Status: 500, Code: "server_error", Description: "The server is not set up for this request.", class: fault.ErrSetup}
	// ErrUnavailable: the store did not answer. Nothing was decided: no token
	// was refused, no session ended, no cookie touched.
	ErrUnavailable = &Error{Status: 503, Code: "temporarily_unavailable", Description: "The service cannot answer at the moment.", RetryAfter: time.Second, class: fault.ErrUnavailable}
)

const invalidToken = `error="invalid_token"`

// Error gives the description, after "fiberjwt: ". It leaves the cause out, since Fiber's own error
// handler sends this text to the client.
func (e *Error) Error() string {
	if e == nil {
		return "fiberjwt: an error that is nil"
	}
	return "fiberjwt: " + e.Description
}

// LogValue is the error with its cause, for slog.
func (e *Error) LogValue() slog.Value {
	if e.cause == nil {
		return slog.StringValue(e.Error())
	}
	return slog.StringValue(e.Error() + " (" + rootCause(e.cause).Error() + ")")
}

// rootCause is the innermost cause that is not an error of the library.
func rootCause(cause error) error {
	cause = fault.Cause(cause)
	if e, ok := cause.(*Error); ok && e != nil && e.cause != nil { //nolint:errorlint // what wraps one has a text of its own
		return rootCause(e.cause)
	}
	return cause
}

// Unwrap makes errors.Is find the Err… value and the cause.
func (e *Error) Unwrap() []error {
	if e == nil { // what a hook returns as an error by mistake
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

// As lets errors.As find a *fiber.Error.
func (e *Error) As(target any) bool {
	out, ok := target.(**fiber.Error)
	if ok = ok && e != nil; ok {
		*out = fiber.NewError(e.Status, e.Description)
	}
	return ok
}

// setupError tells the developer how to fix the application. It is ErrSetup to
// errors.Is and to clients.
type setupError struct{ cause error }

func (e *setupError) Error() string { return e.cause.Error() }

func (e *setupError) Unwrap() []error { return []error{ErrSetup, e.cause} }

// withCause is sentinel with a cause for the log.
func withCause(sentinel *Error, cause error) error {
	e := copyError(sentinel)
	e.cause = cause
	return e
}

// wrongFields is ErrFields with what is wrong with each member of the body, nil
// if nothing is.
func wrongFields(fields map[string]string) error {
	if len(fields) == 0 {
		return nil
	}
	e := copyError(ErrFields)
	e.Fields = fields
	return e
}

// markLogged is err with a note that it needs no second line in the log.
func markLogged(err error) error {
	if refusal(err).Status < 500 {
		return err
	}
	e := copyError(refusal(err))
	e.logged = true
	return e
}

// withKind is err with the kind of account that the request was about, for the log.
func withKind(err error, kind string) error {
	if refusal(err).Status < 500 {
		return err
	}
	e := copyError(refusal(err))
	e.kind = cmp.Or(e.kind, kind)
	return e
}

// errNoSession is for tokens of TrustedIssuers and OldTokens where a session is needed.
var errNoSession = &Error{Status: 403, Code: "forbidden", Description: "The token has no session here.", of: ErrForbidden}

// errNoRefreshToken is for a refresh without one.
var errNoRefreshToken = &Error{Status: 401, Code: "no_token", Description: "Sign in first: the request carries no refresh token.", of: ErrNoToken}

// errLoneRefresh is for a refresh cookie that comes without its access cookie.
var errLoneRefresh = &Error{Status: 401, Code: "no_token", Description: "Sign in first: a refresh cookie counts beside the access cookie of its session only.", of: ErrNoToken}

// copyError is a copy of a sentinel that may be filled in.
func copyError(sentinel *Error) *Error {
	e := *sentinel
	e.of = sentinel
	return &e
}
