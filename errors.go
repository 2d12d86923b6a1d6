package fiberjwt

import (
	"cmp"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/token"
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
	// token of [Issuer] or [OldTokens] has no session for them.
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

// face is err as applications see it: every error of an inner package becomes an
// *Error or, if it is about how the application is set up, an error with its text
// that is ErrSetup.
func face(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // a wrapped one goes on below, and errors.Is costs memory that anyone can ask for
		return e
	}
	if e := readyRefusal(err); e != nil {
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

// answerOf is an *Error that a hook of the application returned, nil if err has none.
func answerOf(err error) *fault.Answer {
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
	if answer := answerOf(err); answer != nil && !answer.Decided {
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
	if answer := answerOf(err); answer != nil {
		return answer
	}
	var fibers *fiber.Error
	if errors.As(err, &fibers) {
		return answerOf(&Error{Status: fibers.Code, Code: "refused", Description: fibers.Message, cause: err})
	}
	return answerOf(because(ErrForbidden, err))
}

// setupError tells the developer how to fix the application. It is ErrSetup to
// errors.Is and to clients.
type setupError struct{ cause error }

func (e *setupError) Error() string { return e.cause.Error() }

func (e *setupError) Unwrap() []error { return []error{ErrSetup, e.cause} }

// because is sentinel with a cause for the log.
func because(sentinel *Error, cause error) error {
	e := instance(sentinel)
	e.cause = cause
	return e
}

// wrongFields is ErrFields with what is wrong with each member of the body, nil
// if nothing is.
func wrongFields(fields map[string]string) error {
	if len(fields) == 0 {
		return nil
	}
	e := instance(ErrFields)
	e.Fields = fields
	return e
}

// logged is err with a note that it needs no second line in the log.
func logged(err error) error {
	if refusal(err).Status < 500 {
		return err
	}
	e := instance(refusal(err))
	e.logged = true
	return e
}

// ofKind is err with the kind of account that the request was about, for the log.
func ofKind(err error, kind string) error {
	if refusal(err).Status < 500 {
		return err
	}
	e := instance(refusal(err))
	e.kind = cmp.Or(e.kind, kind)
	return e
}

// errNoSession is for tokens of Issuers and OldTokens where a session is needed.
var errNoSession = &Error{Status: 403, Code: "forbidden", Description: "The token has no session here.", of: ErrForbidden}

// errNoRefreshToken is for a refresh without one.
var errNoRefreshToken = &Error{Status: 401, Code: "no_token", Description: "Sign in first: the request carries no refresh token.", of: ErrNoToken}

// errLoneRefresh is for a refresh cookie that comes without its access cookie.
var errLoneRefresh = &Error{Status: 401, Code: "no_token", Description: "Sign in first: a refresh cookie counts beside the access cookie of its session only.", of: ErrNoToken}

// instance is a copy of a sentinel that may be filled in.
func instance(sentinel *Error) *Error {
	e := *sentinel
	e.of = sentinel
	return &e
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

// ready are the refusals of errors that inner packages return as they are. An attacker
// can have them returned for every request, so they are made once.
var ready = func() (ready []innerRefusal) {
	for _, err := range []error{
		token.ErrMalformed, token.ErrUnknownKey, token.ErrSignature, token.ErrClaims, token.ErrMissing, token.ErrWrong, token.ErrIssuer,
		token.ErrAudience, token.ErrIssued, token.ErrNotBefore, token.ErrExpired,
		auth.ErrRevoked, auth.ErrSessionEnded, auth.ErrBadCredentials, auth.ErrOneTimeToken,
	} {
		ready = append(ready, innerRefusal{err, refusalOfInner(err)})
	}
	return ready
}()

// readyRefusal is nil if err is not one of them. It is no map, since a map panics if
// an error of an application cannot be compared.
func readyRefusal(err error) *Error {
	for _, row := range ready {
		if err == row.inner { //nolint:errorlint // a wrapped one has a cause of its own
			return row.refusal
		}
	}
	return nil
}

// refusalOfInner is nil if err is not an error of an inner package.
func refusalOfInner(err error) *Error {
	for _, row := range refusals {
		if errors.Is(err, row.inner) {
			e := instance(row.refusal)
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
	if e := readyRefusal(err); e != nil {
		return e
	}
	if e := refusalOfInner(err); e != nil {
		return e
	}
	var wait throttle.Refusal
	if errors.As(err, &wait) {
		e := instance(ErrRateLimited)
		e.RetryAfter = wait.Wait
		return e
	}
	e := instance(ErrSetup)
	var wrapped *Error
	if errors.As(err, &wrapped) && wrapped != nil && wrapped.Status >= 400 {
		e = instance(wrapped)
	}
	if fault.IsUnavailable(err) {
		e = instance(ErrUnavailable)
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
		return handler(c, instance(e)) // its own: the Err… values are for all requests
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
