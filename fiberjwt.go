package fiberjwt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/origin"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// New returns the middleware for cfg. If cfg.Routes is set, it also registers the
// built-in routes. It panics if cfg has problems, as Fiber's own middleware does, with
// the text of the error that [Open] returns.
//
//	app.Use(fiberjwt.New(fiberjwt.Config{…}))
//
// New returns no [Auth]. Use Open if the application needs one: for its methods, such as
// Prune, Close, Revoke, Verify and OpenAPI, or for [Link], [RevokeAll] and [Sessions].
//
//	auth, err := fiberjwt.Open(fiberjwt.Config{…})
//	…
//	app.Use(auth.Handler())
func New(cfg Config) fiber.Handler {
	auth, err := Open(cfg)
	if err != nil {
		panic(err)
	}
	return auth.Handler()
}

// Auth is an opened [Config]. It has the middleware and the built-in routes, and
// methods for jobs and WebSockets. It is safe for concurrent use once its routes are
// mounted. Two Auths share no state except values that both Configs contain, such
// as a DB, a Store or a keys.Remote.
type Auth struct {
	service *auth.Service
	kinds   []*kind
	models  map[reflect.Type]string // names of the kinds by their models

	extractor    Extractor
	vary         vary // headers that a token may be in
	varyByCookie vary // the same, and those that checkOrigin reads
	public       []publicRoute
	optional     bool
	skip         func(*fiber.Ctx) bool // Config.Next
	transport    []Transport
	cookie       Cookie
	client       bool // Config.ServeClient
	origins      origin.Trusted

	refreshTimeout time.Duration // of the request as a whole
	errorHandler   fiber.ErrorHandler
	onEvent        func(context.Context, event.Event) // nil: no events
	logs           logs
	prefix         string                        // in front of /{kind} of the built-in routes, as the router has it
	mounted        map[string]bool               // paths of the built-in routes; true for those that need no token
	apps           *atomic.Pointer[[]neighbours] // of each application that serves requests
	now            func() time.Time
}

// Open checks cfg and returns an [Auth] for it. It does no I/O. Its error is a
// *[ConfigError] with all problems, which name the field, the model, the table and the
// columns that exist.
func Open(cfg Config) (*Auth, error) {
	machineClock := cfg.Now == nil
	cfg = cfg.withDefaults()
	parts, problems := cfg.validate()
	if err := configError("the Config", problems); err != nil {
		return nil, err
	}
	a := newAuth(cfg, parts)
	a.service = newService(cfg, parts.kinds, a.logs.Journal, machineClock)
	a.service.LogUncached()
	if cfg.Routes != nil {
		a.Mount(cfg.Routes)
	}
	return a, nil
}

// Handler returns the middleware. For each request it extracts the tokens, verifies
// them, loads their accounts and decides whether the request may pass. If so, it stores
// the accounts in c.Locals and calls c.Next. Otherwise it writes the refusal.
func (a *Auth) Handler() fiber.Handler { return a.guard }

func (a *Auth) guard(c *fiber.Ctx) error {
	skip, err := a.skips(c)
	if err != nil {
		return a.answer(c, err)
	}
	if skip {
		return c.Next()
	}
	if answered, err := a.answerHead(c); answered {
		return err
	}
	public := a.isPublic(c)
	if !public && isPreflight(c) {
		// A preflight request never has credentials. A 401 would only hide the answer
		// from the page, and the request must not reach a handler. A CORS middleware
		// above this one answers it first.
		return c.SendStatus(fiber.StatusNoContent)
	}
	r := request{auth: a}
	err = r.authenticate(c, a.kinds)
	if err == nil {
		err = r.admit(public)
	}
	if err != nil {
		return a.answer(c, a.explain(c, err))
	}
	stored := r.store(c)
	if err := stored.run(c); err != nil { // run calls c.Next
		a.explainMissing(c, err)
		return err
	}
	if a.cookie.Sliding {
		a.renewCookies(c, stored)
	}
	return nil
}

// authenticate extracts the tokens of a request, verifies them as tokens of kinds, and
// loads their accounts. A token that is not valid is a problem of r, and admit decides
// whether it matters. An error ends the request: two different credentials in one source,
// or a store that does not answer.
func (r *request) authenticate(c *fiber.Ctx, kinds []*kind) error {
	a := r.auth
	r.beside = a.neighbours(c)
	var one [1]credential
	found, err := a.extractor.find(one[:0], c, kinds)
	r.byCookie = len(found) > 0 && found[0].source == sourceCookie // all are of one source
	r.vary(c)
	if err != nil {
		a.emitRefused(c, event.Event{Type: event.TokenRefused}, err)
		return r.addProblem(nil, err)
	}
	if len(found) > 0 {
		if err := refuseBelowCache(c, r.beside); err != nil {
			return err
		}
	}
	for _, presented := range found {
		var s Session
		err := a.verifyCredential(c, presented, &s)
		if err == nil {
			r.add(&s)
			continue
		}
		a.emitTokenRefused(c, s.event(event.TokenRefused), presented.token, err)
		if err := r.addProblem(presented.kind, err); err != nil {
			return withKind(err, s.Kind)
		}
	}
	return nil
}

// verifyCredential verifies one token, loads its account, and stores its session in s; for a
// token in a cookie it first checks the origin of the request. With an error, s is what the
// token says if its signature is valid, or zero.
func (a *Auth) verifyCredential(c *fiber.Ctx, presented credential, s *Session) error {
	if presented.problem != nil {
		return presented.problem
	}
	if presented.source == sourceCookie {
		if err := a.checkOrigin(c); err != nil {
			return err
		}
	}
	var v auth.Verified
	var err error
	if presented.source == sourceTicket {
		v, err = a.service.VerifyTicket(c.UserContext(), presented.token, borrow(c.Request().URI().PathOriginal()))
	} else {
		err = a.service.Verify(c.UserContext(), presented.token, &v)
	}
	s.set(&v)
	switch {
	case err != nil:
		return err
	case presented.kind != nil && presented.kind.Name != s.Kind:
		return token.ErrWrong // the cookie of one kind with a token of another
	}
	s.Source, s.own = presented.source, presented.kind != nil
	return nil
}

// admit decides whether the request may pass, by what authenticate found.
func (r *request) admit(public bool) error {
	switch {
	case len(r.sessions) > 0, public:
		return nil
	case r.problem != nil:
		return r.problem
	case r.auth.optional:
		return nil
	}
	return ErrNoToken
}

// store stores a copy of the request, which it returns, and the accounts in c.Locals. It
// removes what is stored under the name of a kind that is not signed in, so that a handler
// never takes it for an account.
func (r *request) store(c *fiber.Ctx) *request {
	stored := r.stored
	if stored == nil {
		stored = new(request)
	}
	*stored = *r
	stored.outer = requestOf(c)
	stored.keep(c)
	for _, k := range r.auth.kinds {
		if s := r.session(k.Name); s != nil {
			c.Context().SetUserValue(k.local, s.Account)
		} else {
			c.Context().RemoveUserValue(k.local)
		}
	}
	return stored
}

// ownerHeader has the owner of a response while the handlers below run. If Fiber's
// idempotency middleware repeats a stored response, the header says which account it was
// for. It is removed before the response is sent.
const ownerHeader = "X-Fiberjwt-Owner"

// run calls the handlers below and makes sure that only the right accounts get the
// response.
func (r *request) run(c *fiber.Ctx) error {
	if len(r.sessions) > 0 {
		r.beside.bypassCache(c)
	}
	if !r.beside.idempotency {
		err := r.next(c)
		r.label(c)
		return err
	}
	owner := r.owner()
	c.Response().Header.Set(ownerHeader, owner)
	err := r.next(c)
	foreign := isForAnother(c, owner)
	c.Response().Header.Del(ownerHeader)
	if foreign {
		c.Response().Reset()
		err = r.auth.answer(c, fault.Setup("Fiber's idempotency middleware repeats a response that was for another account, or for an unknown one: if KeepResponseHeaders is set, add "+ownerHeader+" to it; clients do not see this header"))
	}
	r.label(c)
	return err
}

// label sets the headers that caches need. It runs after the handlers, because some of them,
// such as proxy.Do, replace all headers.
func (r *request) label(c *fiber.Ctx) {
	r.vary(c)
	if len(r.sessions) > 0 && len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Response().Header.SetCanonical(headerCacheControl, private)
	}
}

// Names and values of headers as bytes, which fasthttp takes without a copy. Only Vary and
// Cache-Control are spelled as fasthttp stores them, so only they may be set by SetCanonical.
var (
	headerVary            = []byte(fiber.HeaderVary)
	headerCacheControl    = []byte(fiber.HeaderCacheControl)
	headerWWWAuthenticate = []byte(fiber.HeaderWWWAuthenticate)
	private               = []byte("private")
	noStore               = []byte("no-store")
)

func (r *request) vary(c *fiber.Ctx) {
	if r.byCookie {
		r.auth.varyByCookie.add(c)
	} else {
		r.auth.vary.add(c)
	}
}

// vary is a list of names for the header Vary.
type vary struct {
	names []string
	text  []byte // the names as the value of the header
}

func newVary(names ...string) vary {
	var unique []string
	for _, name := range names {
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	return vary{unique, []byte(strings.Join(unique, ", "))}
}

// add adds the names to the header of the response, as c.Vary does. It joins them only if
// another middleware or the handler has set the header.
func (v vary) add(c *fiber.Ctx) {
	switch present := c.Response().Header.Peek(fiber.HeaderVary); {
	case len(present) == 0:
		c.Response().Header.SetCanonical(headerVary, v.text)
	case !bytes.Equal(present, v.text):
		c.Vary(v.names...)
	}
}

// owner returns a hash of the accounts that the response is for.
func (r *request) owner() string {
	hash := sha256.New()
	for _, s := range r.sessions {
		hash.Write([]byte(s.Kind + "\x00" + s.Issuer + "\x00" + s.Subject + "\x00"))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// skips reports whether Config.Next excludes the request from the middleware.
func (a *Auth) skips(c *fiber.Ctx) (bool, error) {
	if a.skip == nil {
		return false, nil
	}
	skip := false
	err := fault.Recover(func() error { skip = a.skip(c); return nil })
	return skip, err
}

// isPreflight reports whether the request is a CORS preflight request (Fetch §4.8).
func isPreflight(c *fiber.Ctx) bool {
	return c.Method() == fiber.MethodOptions && len(c.Request().Header.Peek(fiber.HeaderAccessControlRequestMethod)) > 0
}

// answer writes the response to a request that failed or was refused.
func (a *Auth) answer(c *fiber.Ctx, err error) error {
	endStream(c)
	a.emitFailed(c, err)
	failed := recovered(func() error { return answer(c, err, a.logs, a.errorHandler) })
	if failed == nil && a.isUnderCache(c) {
		// Fiber's cache middleware stores responses but not errors. As an error, the
		// refusal is written by the ErrorHandler of the application.
		return refusal(err)
	}
	return failed
}

// endStream closes the connection if the handler did not read a streamed body to its end:
// fasthttp would take the rest of the body for the next request.
func endStream(c *fiber.Ctx) {
	if c.Request().IsBodyStream() {
		c.Context().SetConnectionClose()
	}
}

// kind returns the kind with this name, or nil.
func (a *Auth) kind(name string) *kind {
	for _, k := range a.kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Verify verifies an access token that did not come with a request, as for WebSockets
// and jobs. It loads the account and checks that the session is active, as the
// middleware does. The error is one of the ErrToken… values (401), ErrUnavailable,
// ErrSetup, or an *[Error] that [Entity].FromIssuer returned. Then the session is nil.
func (a *Auth) Verify(ctx context.Context, token string) (*Session, error) {
	var v auth.Verified
	if err := a.service.Verify(ctx, token, &v); err != nil {
		return nil, publicError(err) // without the session: a caller may overlook the error
	}
	s := new(Session)
	s.set(&v)
	return s, nil
}

// Alive reports whether s may continue, for connections that last longer than the request
// that opened them, such as WebSockets. Like the middleware it checks that the session is
// active, that the account exists, and that [Entity].Allow accepts it. It does not check
// the token, so a session that is refreshed elsewhere stays alive after the token of s has
// expired. A token of a [TrustedIssuer] or of [Config].OldTokens has no session here, so
// Alive checks its expiry instead.
//
// The result nil means that s is alive. The error is ErrTokenRevoked, or ErrTokenExpired
// for a token without a session. If it is ErrUnavailable or ErrSetup, the check failed, and
// the connection should stay open. Alive costs as much as a request, so call it every few
// seconds at most. It is safe for concurrent use and does not change s.
func (a *Auth) Alive(ctx context.Context, s *Session) error {
	if s == nil {
		s = &Session{}
	}
	return publicError(a.service.Alive(ctx, s.verified()))
}

// Revoke ends the session with this ID, see [Session].ID. It returns no error if the
// session is unknown or has already ended. The error is ErrUnavailable, or ErrSetup if
// there are no Entities.
func (a *Auth) Revoke(ctx context.Context, sessionID string) error {
	return publicError(a.service.Revoke(ctx, sessionID))
}

// Prune deletes the rows of sessions that are past their absolute deadline, and of failed
// sign-ins that no longer count, and returns their number. By default sign-ins start this
// in the background about once an hour. Prune is for jobs, and for a Config with
// ManualPrune, where once a day is enough. It may run while requests are served, and in
// several processes at once. The error is ErrUnavailable, and rows that were deleted before
// stay deleted; or ErrSetup if there are no Entities.
func (a *Auth) Prune(ctx context.Context) (deleted int64, err error) {
	deleted, err = a.service.Prune(ctx)
	return deleted, publicError(err)
}

// Close stops what runs in the background, and waits until it has stopped: the deletion of
// rows, the goroutine that reads revocations for Config.CacheTTL together with its cache,
// and the fetching of remote keys, also for another Auth with the same [keys.Remote]. It
// closes the prepared statements; requests that come later use none. It may be called more
// than once. Close the DB after it.
func (a *Auth) Close() error { return a.service.Close() }
