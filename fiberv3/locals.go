// Code generated from ../locals.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"bytes"
	"encoding/json"
	"iter"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// Session is what a verified access token says, and the account that it names. It
// does not refer to memory of the request, so it may be kept after the request. Treat it
// as read-only.
type Session struct {
	Kind      string    // the kind of the account
	Subject   string    // the primary key of the account, as text; without Config.Entities a name that is unique only together with Issuer
	ID        string    // the session, from login to logout (claim sid); "" for a token of another issuer or of Config.OldTokens
	TokenID   string    // this access token (claim jti)
	Issuer    string    // who signed the token: Config.Issuer, or one of Config.TrustedIssuers; "" for a token of Config.OldTokens
	IssuedAt  time.Time // when this access token was issued
	ExpiresAt time.Time // when this access token expires
	AuthTime  time.Time // when the password was last proved, or Login was called
	// Source is where the token was found: exactly "auth header", "header", "cookie",
	// "query", "form", "param", "custom" or "ticket". It is "" from [Auth.Verify] and in
	// [Entity].FromIssuer.
	Source  string
	Account any // the loaded row, a *T; nil if Config has no Entities

	sid     []byte
	payload []byte
	own     bool // whether the token was in the access cookie of its kind
	granted bool // whether a LoginOptions has changed the token
}

// Claim decodes a claim of the token, such as one of [Entity].Claims, into target, a
// pointer. If the token has no such claim, or if its value does not fit into target,
// Claim returns false and target is unchanged.
func (s *Session) Claim(name string, target any) bool {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return false
	}
	claim, ok := strictjson.Member(s.payload, name)
	// Unmarshal writes a part of a value that does not fit, so it does not get target. The
	// application's UnmarshalJSON may write to its argument, and sessions may share payload.
	whole := reflect.New(pointer.Type().Elem())
	if !ok || json.Unmarshal(bytes.Clone(claim), whole.Interface()) != nil {
		return false
	}
	pointer.Elem().Set(whole.Elem())
	return true
}

// set stores v in s, which is zero.
func (s *Session) set(v *auth.Verified) {
	s.Kind, s.Subject, s.ID, s.TokenID, s.Issuer = v.Kind, v.Subject, v.ID, v.TokenID, v.Issuer
	s.IssuedAt, s.ExpiresAt, s.AuthTime = v.IssuedAt, v.ExpiresAt, v.AuthTime
	s.Account, s.sid, s.payload, s.granted = v.Account, v.SID, v.Payload, v.Shaped
}

// verified returns the session in the form that the service takes.
func (s *Session) verified() auth.Verified {
	return auth.Verified{
		Kind: s.Kind, Subject: s.Subject, ID: s.ID, TokenID: s.TokenID, Issuer: s.Issuer, IssuedAt: s.IssuedAt, ExpiresAt: s.ExpiresAt, AuthTime: s.AuthTime,
		Account: s.Account, SID: s.sid, Payload: s.payload, Shaped: s.granted,
	}
}

// event returns an event about s, which may be zero.
func (s *Session) event(what event.Type) event.Event {
	return event.Event{Type: what, Kind: s.Kind, Subject: s.Subject, SessionID: s.ID}
}

// requestKey is the key in c.Locals of the *request. Applications read the accounts, which
// are stored under the names of the kinds.
type requestKey struct{}

// request is what one middleware knows about one request. A Session that the application keeps
// after the request keeps it too, so it must not refer to a fiber.Ctx.
type request struct {
	auth     *Auth
	outer    *request         // of a middleware above this one, with another Config
	sessions []*Session       // at most one of each kind, in the order of Config.Entities
	problems map[string]error // by kind: why the token in its cookie is not valid
	problem  error            // the first problem of any credential
	byCookie bool             // whether a token was in a cookie
	beside   neighbours       // of the application that serves the request
	stored   *request         // where store puts a copy; nil without a session
}

// add adds a session. The first one, which is usually the only one, and all that a request with
// a session needs are one allocation. A request that is refused needs none.
func (r *request) add(s *Session) {
	if len(r.sessions) > 0 {
		further := *s // not s, which would then be allocated in each call
		r.sessions = append(r.sessions, &further)
		return
	}
	memory := &struct {
		request
		first Session
		one   [1]*Session
	}{first: *s}
	r.stored, r.sessions = &memory.request, append(memory.one[:0], &memory.first)
}

// addProblem records why a credential was refused; k is the kind whose cookie it was in,
// nil for other sources. If the problem ends the request, addProblem returns it instead: a
// failure of the server, or a request that cannot be understood, unless that is only about
// the cookie of one kind.
func (r *request) addProblem(k *kind, problem error) error {
	status := refusal(problem).Status
	if status >= 500 || k == nil && status != fiber.StatusUnauthorized && status != fiber.StatusForbidden {
		return problem
	}
	if r.problem == nil {
		r.problem = problem
	}
	if k == nil {
		return nil
	}
	if r.problems == nil {
		r.problems = map[string]error{}
	}
	r.problems[k.Name] = problem
	return nil
}

// session returns the session of a kind, or nil if that kind is not signed in.
func (r *request) session(kind string) *Session {
	for _, s := range r.sessions {
		if s.Kind == kind {
			return s
		}
	}
	return nil
}

// missing returns the error for a request that is not signed in as kind.
func (r *request) missing(kind string) error {
	if problem := r.problems[kind]; problem != nil {
		return problem // usually 401, so that the client refreshes
	}
	for _, s := range r.sessions {
		if !s.own {
			return ErrWrongKind
		}
	}
	if len(r.sessions) > 0 {
		// All tokens were in the cookies of other kinds. This kind has a separate cookie,
		// which a sign-in would add.
		return ErrNoToken
	}
	if r.problem != nil {
		return r.problem
	}
	return ErrNoToken
}

// As returns a handler for requests that are signed in as the kind of T. It calls h with
// the account, the same pointer as in c.Locals. Other requests are answered 401, or 403
// wrong_kind if they have a token of another kind. If that token came in the cookie of its
// own kind, the response is 401 no_token: the browser can also hold a cookie of the kind of
// T, and a sign-in adds it. Without the middleware above it, every request is answered 500, and the log has the
// reason.
//
//	app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.JSON(u) }))
func As[T any](h func(c fiber.Ctx, account *T) error) fiber.Handler {
	alone := sync.OnceValue(defaultLogs)
	return func(c fiber.Ctx) error {
		account, err := accountOf[T](c)
		if err != nil {
			return refuse(c, err, alone)
		}
		return h(c, account)
	}
}

func accountOf[T any](c holder) (*T, error) {
	r := requestOf(c)
	if r == nil {
		return nil, errNoMiddleware
	}
	model := reflect.TypeFor[T]()
	for ; r != nil; r = r.outer {
		kind, known := r.auth.models[model]
		if !known {
			continue
		}
		if s := r.session(kind); s != nil {
			return s.Account.(*T), nil
		}
		return nil, r.missing(kind)
	}
	return nil, fault.Setupf("As or Current is used with %s, which is not a model in Config.Entities: declare fiberjwt.Entity[%[1]s], or use the type that is declared", model)
}

// visible returns the sessions of the request, from the innermost middleware outwards. If
// several middlewares declare a kind, only the innermost of them counts for that kind, even
// if the request is not signed in as that kind there.
func visible(c holder) iter.Seq2[*Auth, *Session] {
	return func(yield func(*Auth, *Session) bool) {
		innermost := requestOf(c)
		for r := innermost; r != nil; r = r.outer {
			for _, s := range r.sessions {
				if !innermost.hides(s.Kind, r) && !yield(r.auth, s) {
					return
				}
			}
		}
	}
}

// hides reports whether r, or a request between r and outer, declares the kind.
func (r *request) hides(kind string, outer *request) bool {
	for ; r != outer; r = r.outer {
		if r.auth.kind(kind) != nil {
			return true
		}
	}
	return false
}

// Require returns a handler that lets requests pass that are signed in as one of kinds, or
// as any kind if kinds is empty. Other requests are answered as by [As]. If no middleware
// above declares a kind in Config.Entities, every request is answered 500, and the log has
// the reason.
func Require(kinds ...string) fiber.Handler {
	kinds, alone := slices.Clone(kinds), sync.OnceValue(defaultLogs)
	return func(c fiber.Ctx) error {
		if err := required(c, kinds); err != nil {
			return refuse(c, err, alone)
		}
		return c.Next()
	}
}

// required returns nil if Require lets the request pass.
func required(c fiber.Ctx, kinds []string) error {
	r := requestOf(c)
	if r == nil {
		return errNoMiddleware
	}
	for _, kind := range kinds {
		if r.declaring(kind) == nil {
			return auth.UnknownKind(kind, r.auth.service.KindNames())
		}
	}
	if _, ok := SessionOf(c, kinds...); ok {
		return nil
	}
	if len(kinds) == 0 {
		return r.missing("")
	}
	for _, kind := range kinds {
		if problem := r.declaring(kind).problems[kind]; problem != nil {
			return problem
		}
	}
	return r.declaring(kinds[0]).missing(kinds[0])
}

// declaring returns the request of the innermost middleware that declares the kind, or
// nil. A middleware without Entities accepts every kind.
func (r *request) declaring(kind string) *request {
	for ; r != nil; r = r.outer {
		if len(r.auth.kinds) == 0 || r.auth.kind(kind) != nil {
			return r
		}
	}
	return nil
}

// Fresh returns a handler that lets requests pass whose password was proved within maxAge
// (RFC 9470). Signed-in requests whose password was proved earlier are answered 401
// insufficient_user_authentication, and all others as by [Require]. Without kinds, all
// sessions of the request must be fresh, so that a fresh sign-in of one kind does not count
// for another. Register Fresh below a guard that requires the kind.
func Fresh(maxAge time.Duration, kinds ...string) fiber.Handler {
	kinds, alone := slices.Clone(kinds), sync.OnceValue(defaultLogs)
	return func(c fiber.Ctx) error {
		if err := required(c, kinds); err != nil {
			return refuse(c, err, alone)
		}
		for r := requestOf(c); r != nil; r = r.outer {
			if !r.fresh(maxAge, kinds) {
				return refuse(c, notFresh(maxAge), alone)
			}
		}
		return c.Next()
	}
}

// fresh reports whether all sessions of kinds, or of any kind without kinds, are fresh.
func (r *request) fresh(maxAge time.Duration, kinds []string) bool {
	now := r.auth.now()
	for _, s := range r.sessions {
		if (len(kinds) == 0 || slices.Contains(kinds, s.Kind)) && now.Sub(s.AuthTime) > maxAge {
			return false
		}
	}
	return true
}

// notFresh returns ErrNotFresh with the required age, as max_age (RFC 9470 §3).
func notFresh(maxAge time.Duration) error {
	e := copyError(ErrNotFresh)
	e.challenge += ", max_age=" + strconv.FormatInt(int64(maxAge/time.Second), 10)
	return e
}

var errNoMiddleware = fault.Setup("a guard runs without the middleware above it: move the route below app.Use(auth.Handler()) or app.Use(fiberjwt.New(cfg)), on the same app or group")

// refuse answers err as the middleware above does. Without a middleware it writes the
// default response, and logs to what alone returns.
func refuse(c fiber.Ctx, err error, alone func() logs) error {
	if r := requestOf(c); r != nil {
		s, _ := SessionOf(c)
		r.auth.emitDenied(c, s, err)
		return r.auth.answer(c, err)
	}
	return answer(c, err, alone(), nil)
}

// logsOf returns the logs of the middleware, or the default ones without a middleware.
func logsOf(c fiber.Ctx) logs {
	if r := requestOf(c); r != nil {
		return r.auth.logs
	}
	return defaultLogs()
}

// defaultLogs returns logs for a guard without a middleware above it. Each guard has
// separate ones, so that it logs once a minute and applications share no state.
func defaultLogs() logs { return logs{journal.New(slog.Default(), time.Now)} }

// next calls c.Next. A handler that asserts c.Locals("users").(*User) panics if the request
// is not signed in as that kind, and Fiber does not recover panics, so the process would
// end. next recovers this one panic and answers as As does. All other panics continue.
func (r *request) next(c fiber.Ctx) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		kind, ok := r.auth.assertedKind(p)
		if ok && r.session(kind) != nil {
			r.auth.logs.wrongAssertion(c, kind)
		}
		if !ok || r.session(kind) != nil {
			panic(p)
		}
		err = refuse(c, r.missing(kind), nil)
	}()
	return c.Next()
}

// assertedKind returns the kind whose account a handler expected in c.Locals, if p is the
// panic of a type assertion on nil. The runtime exports only the text of the error, so the
// text is compared.
func (a *Auth) assertedKind(p any) (string, bool) {
	assertion, ok := p.(*runtime.TypeAssertionError)
	if !ok {
		return "", false
	}
	for model, kind := range a.models {
		if assertion.Error() == "interface conversion: interface {} is nil, not *"+model.String() {
			return kind, true
		}
	}
	return "", false
}
