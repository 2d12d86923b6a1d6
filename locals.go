package fiberjwt

import (
	"encoding/json"
	"iter"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// Session is what a verified access token says, with the account that it
// names. It holds no memory of the request and may outlive it. Treat it as
// read-only.
type Session struct {
	Kind      string    // kind of the account
	Subject   string    // its primary key, as text; without Config.Entities a name that Issuer gave: look at both
	ID        string    // the session: one login, from then to logout (claim sid); "" if another issuer signed it in
	TokenID   string    // this access token (claim jti)
	Issuer    string    // who signed the token: Config.Issuer, or one of Config.TrustedIssuers
	IssuedAt  time.Time // of this access token
	ExpiresAt time.Time // of this access token
	AuthTime  time.Time // when the password was last proved, or Login called
	Source    string    // where the token was found: "auth header", "header", "cookie", "query", "form", "param", "custom" or "ticket"; "" from [Auth.Verify]
	Account   any       // the loaded row, a *T; nil if Config has no Entities

	sid     []byte
	payload []byte
	own     bool // it came in the access cookie of its kind
	granted bool // the token is special, by a Grant
}

// Claim decodes one of the application's own claims, put there by
// [Entity].Claims, into target. It gives false and leaves target alone if the
// token has no such claim or one that does not fit.
func (s *Session) Claim(name string, target any) bool {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return false
	}
	claim, ok := strictjson.Member(s.payload, name)
	// Into a value of its own first: one that does not fit is written in part.
	whole := reflect.New(pointer.Type().Elem())
	if !ok || json.Unmarshal(claim, whole.Interface()) != nil {
		return false
	}
	pointer.Elem().Set(whole.Elem())
	return true
}

// sessionOf what a token says, nil if it says nothing.
func sessionOf(v auth.Verified) *Session {
	if v.Kind == "" {
		return nil
	}
	return &Session{
		Kind: v.Kind, Subject: v.Subject, ID: v.ID, TokenID: v.TokenID, Issuer: v.Issuer, IssuedAt: v.IssuedAt, ExpiresAt: v.ExpiresAt, AuthTime: v.AuthTime,
		Account: v.Account, sid: v.SID, payload: v.Payload, granted: v.Shaped,
	}
}

// verified is what the service knows the session by.
func (s *Session) verified() auth.Verified {
	return auth.Verified{
		Kind: s.Kind, Subject: s.Subject, ID: s.ID, TokenID: s.TokenID, Issuer: s.Issuer, IssuedAt: s.IssuedAt, ExpiresAt: s.ExpiresAt, AuthTime: s.AuthTime,
		Account: s.Account, SID: s.sid, Payload: s.payload, Shaped: s.granted,
	}
}

// event about the session, which may be nil.
func (s *Session) event(what event.Type) event.Event {
	if s == nil {
		return event.Event{Type: what}
	}
	return event.Event{Type: what, Kind: s.Kind, Subject: s.Subject, SessionID: s.ID}
}

// requestKey is where the middleware leaves what it found, apart from the
// slots by kind that applications read.
type requestKey struct{}

// request is what one middleware found out about one request.
type request struct {
	auth     *Auth
	outer    *request         // of a middleware further out, with another Config
	sessions []*Session       // at most one of each kind, in the order of Config.Entities
	problems map[string]error // by kind: its cookie was presented and is no good
	problem  error            // the first problem of all
	byCookie bool             // a cookie was presented
}

// blame notes a credential that is no good.
func (r *request) setFault(k *kind, problem error) {
	if r.problem == nil {
		r.problem = problem
	}
	if k == nil {
		return
	}
	if r.problems == nil {
		r.problems = map[string]error{}
	}
	r.problems[k.Name] = problem
}

func requestOf(c *fiber.Ctx) *request {
	r, _ := c.Locals(requestKey{}).(*request)
	return r
}

// store fills the slots of the request, and empties those of kinds that are
// not signed in, whatever was in them.
func (r *request) store(c *fiber.Ctx) {
	r.outer = requestOf(c)
	c.Locals(requestKey{}, r)
	for _, k := range r.auth.kinds {
		c.Context().RemoveUserValue(k.Name)
	}
	for _, s := range r.sessions {
		if s.Account != nil {
			c.Locals(s.Kind, s.Account)
		}
	}
}

// session of a kind, nil if it is not signed in.
func (r *request) session(kind string) *Session {
	for _, s := range r.sessions {
		if s.Kind == kind {
			return s
		}
	}
	return nil
}

// missing says why kind is not signed in.
func (r *request) missing(kind string) error {
	if problem := r.problems[kind]; problem != nil {
		return problem // 401: refresh, then come again
	}
	for _, s := range r.sessions {
		if !s.own {
			return ErrWrongKind
		}
	}
	if len(r.sessions) > 0 {
		// The cookies of other kinds say nothing about this one, which would have
		// its own: a sign-in adds that.
		return ErrNoToken
	}
	if r.problem != nil {
		return r.problem
	}
	return ErrNoToken
}

// As is a handler for requests that are signed in as T's kind; h gets the
// account, the same pointer as c.Locals has. Other requests are answered 401,
// or 403 wrong_kind if they carry a token of another kind; but 401 if that came in
// the cookie of its kind, beside which a browser may keep one of T's kind. Without
// the middleware above it, every request is answered 500 and the log says why.
//
//	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
func As[T any](h func(c *fiber.Ctx, account *T) error) fiber.Handler {
	alone := sync.OnceValue(defaultLogs)
	return func(c *fiber.Ctx) error {
		account, err := accountOf[T](c)
		if err != nil {
			return refuse(c, err, alone)
		}
		return h(c, account)
	}
}

// Current is the account of T's kind that the request is signed in as, the
// same pointer as c.Locals has; nil and false if it is not.
func Current[T any](c *fiber.Ctx) (*T, bool) {
	account, err := accountOf[T](c)
	return account, err == nil
}

func accountOf[T any](c *fiber.Ctx) (*T, error) {
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
	return nil, fault.Setupf("As or Current is used with %s, which is no model in Config.Entities", model)
}

// SessionOf is the session of the request: of the named kind, or without one
// the first in the order of Config.Entities. It gives nil and false if the
// request is not signed in so.
func SessionOf(c *fiber.Ctx, kind ...string) (*Session, bool) {
	for _, s := range visible(c) {
		if len(kind) == 0 || slices.Contains(kind, s.Kind) {
			return s, true
		}
	}
	return nil, false
}

// visible goes over the sessions of the request from the innermost middleware
// outwards. Of a kind that several declare, only the innermost counts, also
// where the request is not signed in as it there.
func visible(c *fiber.Ctx) iter.Seq2[*Auth, *Session] {
	return func(yield func(*Auth, *Session) bool) {
		hidden := map[string]bool{}
		for r := requestOf(c); r != nil; r = r.outer {
			for _, s := range r.sessions {
				if !hidden[s.Kind] && !yield(r.auth, s) {
					return
				}
			}
			for _, k := range r.auth.kinds {
				hidden[k.Name] = true
			}
		}
	}
}

// Require lets requests pass that are signed in as one of kinds, or without
// kinds as any. Others are answered like those of [As]. A kind that no
// Config.Entities declares is answered 500, never passed, and logged.
func Require(kinds ...string) fiber.Handler {
	kinds, alone := slices.Clone(kinds), sync.OnceValue(defaultLogs)
	return func(c *fiber.Ctx) error {
		if err := required(c, kinds); err != nil {
			return refuse(c, err, alone)
		}
		return c.Next()
	}
}

func required(c *fiber.Ctx, kinds []string) error {
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

// declaring finds the innermost middleware that knows the kind, nil if none
// does. Without Entities it knows any.
func (r *request) declaring(kind string) *request {
	for ; r != nil; r = r.outer {
		if len(r.auth.kinds) == 0 || r.auth.kind(kind) != nil {
			return r
		}
	}
	return nil
}

// Fresh lets requests pass whose password was proved within maxAge (RFC 9470);
// others are answered 401 insufficient_user_authentication. Without kinds
// every session that the request carries must be fresh, so that a fresh
// sign-in of one kind does not vouch for another. Put it behind a guard that
// says which kind is needed.
func Fresh(maxAge time.Duration, kinds ...string) fiber.Handler {
	kinds, alone := slices.Clone(kinds), sync.OnceValue(defaultLogs)
	return func(c *fiber.Ctx) error {
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

func (r *request) fresh(maxAge time.Duration, kinds []string) bool {
	now := r.auth.now()
	for _, s := range r.sessions {
		if (len(kinds) == 0 || slices.Contains(kinds, s.Kind)) && now.Sub(s.AuthTime) > maxAge {
			return false
		}
	}
	return true
}

// notFresh tells the client the age that would do, RFC 9470 §3.
func notFresh(maxAge time.Duration) error {
	e := copyError(ErrNotFresh)
	e.challenge += ", max_age=" + strconv.FormatInt(int64(maxAge/time.Second), 10)
	return e
}

var errNoMiddleware = fault.Setup("a guard or accessor runs without the middleware above it: register app.Use(fiberjwt.New(cfg)) before the route, on the same app or group")

// refuse answers err by the rules of the middleware above, or without one by
// the default ones; alone are the logs of the guard then.
func refuse(c *fiber.Ctx, err error, alone func() logs) error {
	if r := requestOf(c); r != nil {
		s, _ := SessionOf(c)
		r.auth.emitDenied(c, s, err)
		return r.auth.answer(c, err)
	}
	return answer(c, err, alone(), nil)
}

func logsOf(c *fiber.Ctx) logs {
	if r := requestOf(c); r != nil {
		return r.auth.logs
	}
	return defaultLogs()
}

// defaultLogs is for guards that no middleware stands above. Each keeps its own, so
// that it logs once a minute and nothing is shared between applications.
func defaultLogs() logs { return logs{journal.New(slog.Default(), time.Now)} }

// next runs the rest of the stack. A handler that asserts c.Locals("users") to
// *User on a request that is signed in as something else panics, and under
// Fiber a panic ends the process; that one panic is answered like As would.
func (r *request) next(c *fiber.Ctx) (err error) {
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

// assertedKind: p is the panic of asserting nothing to the account of a kind.
// The runtime offers no more than the text of the error to tell.
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
