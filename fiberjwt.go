package fiberjwt

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/origin"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// New is the middleware for cfg; it mounts the built-in routes if cfg.Routes
// is set. It panics on a wrong Config, as Fiber's own middleware does, with
// the text of the error that [Open] gives.
//
//	app.Use(fiberjwt.New(fiberjwt.Config{…}))
//
// It gives no [Auth], so what that has, such as Prune, Close, Revoke, Verify and
// OpenAPI, and [Link] need Open:
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

// Auth is an opened [Config]: the middleware, the built-in routes and what
// jobs and WebSockets need. It is safe for concurrent use once its routes are
// mounted; two of them never meet.
type Auth struct {
	service *auth.Service
	kinds   []*kind
	models  map[reflect.Type]string // T → kind

	extractor Extractor
	vary      []string // headers that the token may come in
	public    []publicRoute
	optional  bool
	skip      func(*fiber.Ctx) bool
	transport []Transport
	cookie    Cookie
	client    bool
	origins   origin.Trusted

	refreshTimeout time.Duration // of the request as a whole
	errorHandler   fiber.ErrorHandler
	onEvent        func(context.Context, event.Event) // nil: nothing is told
	logs           logs
	prefix         string          // in front of /{kind} of the built-in routes, as the router has it
	mounted        map[string]bool // paths of the built-in routes; true where no token is needed
	apps           *sync.Map       // *fiber.App → neighbours
	now            func() time.Time
}

// Open checks cfg and freezes it. It does no I/O. Its error names every
// mistake at once, with field, model, table and the columns that exist.
func Open(cfg Config) (*Auth, error) {
	machineClock := cfg.Now == nil
	cfg = cfg.withDefaults()
	problems := cfg.problems()
	kinds, wrong := cfg.openKinds()
	problems = append(problems, wrong...)
	problems = append(problems, cfg.issuerProblems(kinds)...)
	problems = append(problems, cfg.oldTokenProblems(kinds)...)
	public, wrong := newPublicRoutes(cfg.Public)
	problems = append(problems, wrong...)
	trusted, wrong := origin.New(cfg.TrustedOrigins)
	problems = append(problems, wrong...)
	_, wrong = cfg.Cookie.pathOf(cfg.Routes)
	problems = append(problems, wrong...)
	if err := joinProblems(problems); err != nil {
		return nil, err
	}

	a := &Auth{
		kinds: kinds, models: map[reflect.Type]string{},
		extractor: cfg.Extractor, vary: cfg.Extractor.headers(), public: public, optional: cfg.Optional, skip: cfg.Next,
		transport: cfg.Transports, cookie: cfg.Cookie, client: cfg.ServeClient, origins: trusted, refreshTimeout: cfg.Refresh.Timeout,
		errorHandler: cfg.ErrorHandler, onEvent: cfg.OnEvent, logs: logs{journal.New(cfg.Logger, cfg.Now)}, mounted: map[string]bool{}, apps: &sync.Map{}, now: cfg.Now,
	}
	for _, k := range kinds {
		a.models[k.Model] = k.Name
		k.cookies = newCookieNames(k.Name, cmp.Or(cfg.Cookie.Path, "/"), cfg.Cookie)
	}
	a.service = newService(cfg, kinds, a.logs.Journal, machineClock)
	a.service.LogUncached()
	if cfg.Routes != nil {
		a.Mount(cfg.Routes)
	}
	return a, nil
}

// newService puts the layers below together.
func newService(cfg Config, kinds []*kind, log *journal.Journal, machineClock bool) *auth.Service {
	inner, names, audiences := make([]*auth.Kind, len(kinds)), make([]string, len(kinds)), map[string][]string{}
	tables := make([]*accounts.Kind, len(kinds))
	for i, k := range kinds {
		inner[i], tables[i], names[i], audiences[k.Name] = k.Kind, k.Kind.Kind, k.Name, k.audience
		k.Times = cfg.Refresh.times(k.AccessTTL, k.IdleTTL)
	}
	accounts.JoinTables(tables)
	issuers := make([]token.Issuer, len(cfg.TrustedIssuers))
	for i, issuer := range cfg.TrustedIssuers {
		issuers[i] = issuer.inner()
	}
	ring := secret.NewRing(cfg.Secret, cfg.OldSecrets)
	service := auth.Config{
		DB: cfg.DB, Kinds: inner, Ring: ring, Hasher: newHasher(cfg), Old: auth.OldTokens(cfg.OldTokens), Journal: log,
		Tokens: token.New(token.Config{
			Ring: ring, Keys: cfg.Keys, KeyWait: cfg.ReadTimeout, Kinds: names, Issuer: cfg.Issuer, ClientID: cfg.ClientID,
			Audience: cfg.Audience, Audiences: audiences, Required: cfg.RequiredClaims, Issuers: issuers, Leeway: cfg.Leeway, Now: cfg.Now,
		}),
		Sliding: cfg.Cookie.Sliding, ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, Now: cfg.Now, MachineClock: machineClock,
	}
	if cfg.DB != nil {
		service.Sessions = sessions.New(sessions.Config{Store: cfg.Store, DB: cfg.DB, CacheTTL: cfg.CacheTTL, Read: cfg.ReadTimeout, Write: cfg.WriteTimeout, Now: cfg.Now})
		service.Guard = newGuard(cfg.DB, service.Sessions, cfg.ReadTimeout)
	}
	s := auth.New(service)
	if cfg.DB != nil && !cfg.ManualPrune {
		s.Sessions.PruneInBackground(s.PruneSafely, s.LogNotPruned, cfg.Now)
	}
	return s
}

// newGuard keeps text of clients out of statements; see [dbcheck.Guard]. A store of
// sessions in another database is looked at too.
func newGuard(db *bun.DB, s *sessions.Sessions, wait time.Duration) *dbcheck.Guard {
	var elsewhere dbcheck.GuardedStore
	if !s.BesideAccounts() {
		elsewhere, _ = s.Store().(dbcheck.GuardedStore)
	}
	return dbcheck.NewGuard(db, elsewhere, wait)
}

// Handler is the middleware.
func (a *Auth) Handler() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if a.skip != nil {
			skip := false
			if err := fault.Recover(func() error { skip = a.skip(c); return nil }); err != nil {
				return a.answer(c, err)
			}
			if skip {
				return c.Next()
			}
		}
		public := slices.ContainsFunc(a.public, func(p publicRoute) bool { return p.matches(c) })
		if !public && preflight(c) {
			// It never carries a credential, so 401 would only hide the
			// answer from the page, and it must not reach a handler. A CORS
			// middleware above answers it before.
			return c.SendStatus(fiber.StatusNoContent)
		}
		r, err := a.authenticate(c, a.kinds)
		if err == nil {
			err = a.admit(r, public)
		}
		if err != nil {
			return a.answer(c, a.explain(c, err))
		}
		r.store(c)
		if err := r.run(c); err != nil || !a.cookie.Sliding {
			a.explainMissing(c, err)
			return err
		}
		a.renewCookies(c, r)
		return nil
	}
}

// preflight: a browser asks on behalf of another origin (Fetch §4.8).
func preflight(c *fiber.Ctx) bool {
	return c.Method() == fiber.MethodOptions && len(c.Request().Header.Peek(fiber.HeaderAccessControlRequestMethod)) > 0
}

// admit decides on what authenticate found.
func (a *Auth) admit(r *request, public bool) error {
	switch {
	case len(r.sessions) > 0, public:
		return nil
	case r.problem != nil:
		return r.problem
	case a.optional:
		return nil
	}
	return ErrNoToken
}

// authenticate finds out who sent the request, as one of kinds. Its error is for requests that
// nobody can answer for: two credentials in one source, a store that does not
// answer. What is wrong with a single credential stands in the request.
func (a *Auth) authenticate(c *fiber.Ctx, kinds []*kind) (*request, error) {
	r, beside := &request{auth: a}, a.neighbours(c)
	r.vary(c)
	found, err := a.extractor.find(c, kinds)
	if err != nil {
		a.emitRefused(c, event.Event{Type: event.TokenRefused}, err)
		return r, a.setFaultOrFail(r, nil, err)
	}
	if len(found) > 0 {
		if err := refuseBelowCache(c, beside); err != nil {
			return r, err
		}
	}
	for _, presented := range found {
		if presented.source == sourceCookie {
			r.byCookie = true
			r.vary(c)
		}
		s, err := a.accept(c, presented)
		if err == nil {
			r.sessions = append(r.sessions, s)
			continue
		}
		a.emitTokenRefused(c, s.event(event.TokenRefused), presented.token, err)
		if err := a.setFaultOrFail(r, presented.kind, err); err != nil {
			return r, withKind(err, s.event(event.TokenRefused).Kind)
		}
	}
	return r, nil
}

// setFaultOrFail keeps problems of a credential apart from problems that end the
// request: those of the server, and a request that cannot be understood, unless
// that is about the cookie of one kind.
func (a *Auth) setFaultOrFail(r *request, k *kind, err error) error {
	status := refusal(err).Status
	if status >= 500 || k == nil && status != fiber.StatusUnauthorized && status != fiber.StatusForbidden {
		return err
	}
	r.setFault(k, err)
	return nil
}

// accept verifies one credential and loads its account. With an error, the
// session is what the token says, as far as its signature holds, or nil.
func (a *Auth) accept(c *fiber.Ctx, presented credential) (*Session, error) {
	if presented.problem != nil {
		return nil, presented.problem
	}
	if presented.source == sourceCookie {
		if err := a.checkOrigin(c); err != nil {
			return nil, err
		}
	}
	var v auth.Verified
	var err error
	if presented.source == sourceTicket {
		v, err = a.service.VerifyTicket(c.UserContext(), presented.token, borrow(c.Request().URI().PathOriginal()))
	} else {
		v, err = a.service.Verify(c.UserContext(), presented.token)
	}
	s := sessionOf(v)
	switch {
	case err != nil:
		return s, err
	case presented.kind != nil && presented.kind.Name != s.Kind:
		return s, token.ErrWrong // the cookie of one kind with the token of another
	}
	s.Source, s.own = presented.source, presented.kind != nil
	return s, nil
}

// Verify is for tokens that come some other way than with a request, as to
// WebSockets and jobs: it verifies an access token, loads its account and
// checks that the session is alive, all as the middleware does. Its errors are
// ErrToken… (401), ErrUnavailable, ErrSetup, and an *Error that FromIssuer returns.
func (a *Auth) Verify(ctx context.Context, token string) (*Session, error) {
	v, err := a.service.Verify(ctx, token)
	if err != nil {
		return nil, publicError(err) // a caller that overlooks the error must not hold a session
	}
	return sessionOf(v), nil
}

// Alive says whether s may go on, for connections that outlive the request which
// opened them, such as WebSockets. It asks what the middleware asks: the session is
// alive, the account is there, and [Entity].Allow lets it. It does not ask for the
// token, so a session that is refreshed elsewhere stays alive when the token that s
// came with has expired. A token of [TrustedIssuer] or [Config].OldTokens has no session: it ends
// when it expires.
//
// nil means yes. The error is ErrTokenRevoked, or ErrTokenExpired for a token
// without a session; or ErrUnavailable or ErrSetup if that could not be decided,
// and then the connection should stay open. It costs what a request does, so ask
// every few seconds at most. Safe for concurrent use; s is not changed.
func (a *Auth) Alive(ctx context.Context, s *Session) error {
	if s == nil {
		s = &Session{}
	}
	return publicError(a.service.Alive(ctx, s.verified()))
}

// Revoke ends a session by its ID, [Session].ID; ending an unknown or an ended
// one is no error. The error is ErrUnavailable, or ErrSetup without Entities.
func (a *Auth) Revoke(ctx context.Context, sessionID string) error {
	return publicError(a.service.Revoke(ctx, sessionID))
}

// RevokeAll ends every session of an account: after it was disabled or deleted, or
// its password was changed elsewhere. Of account it reads the primary key only, so a
// row that was deleted can be given as &User{ID: id}. If several kinds share the
// table of the account, it ends the sessions of all of them. Tokens of
// [TrustedIssuer] and of Config.OldTokens have no session and stay valid: let
// [Entity].Allow refuse the account. The error is ErrUnavailable, or ErrSetup if T is
// not the model of a kind, or account is nil or has no key.
func RevokeAll[T any](ctx context.Context, a *Auth, account *T) error {
	k, subject, err := subjectOf(a, account)
	if err != nil {
		return publicError(err)
	}
	return publicError(a.service.RevokeAll(ctx, k.Name, subject))
}

// SessionInfo describes a living session in a list.
type SessionInfo struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	LastRefresh time.Time `json:"last_refresh"` // or when Cookie.Sliding moved the idle deadline last
	Expires     time.Time `json:"expires"`      // unless it is refreshed before
	Address     string    `json:"address"`      // where it was signed in from
	UserAgent   string    `json:"user_agent"`
	Current     bool      `json:"current"` // it is the one that asks; only in the built-in route
}

// Sessions lists the active sessions of an account, the newest first, at most 100. Of
// account it reads the primary key only. The error is ErrUnavailable, or ErrSetup if T
// is not the model of a kind, or account is nil or has no key.
func Sessions[T any](ctx context.Context, a *Auth, account *T) ([]SessionInfo, error) {
	k, subject, err := subjectOf(a, account)
	if err != nil {
		return nil, publicError(err)
	}
	infos, err := a.listSessions(ctx, k.Name, subject)
	return infos, publicError(err)
}

// subjectOf returns the kind of an account, and its primary key as text.
func subjectOf[T any](a *Auth, account *T) (*kind, string, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return nil, "", err
	}
	if account == nil {
		return nil, "", fault.Setupf("the account is a nil *%s: give a row with its primary key", k.Model.Name())
	}
	subject, err := k.StoredSubject(account)
	return k, subject, err
}

func (a *Auth) listSessions(ctx context.Context, kind, subject string) ([]SessionInfo, error) {
	list, err := a.service.List(ctx, kind, subject)
	if err != nil {
		return nil, err
	}
	infos := make([]SessionInfo, len(list))
	for i, s := range list {
		infos[i] = SessionInfo{ID: session.ID(s.SID), Created: s.Created, LastRefresh: s.LastRefresh, Expires: s.Expires, Address: s.Address, UserAgent: s.Agent}
	}
	return infos, nil
}

// Prune deletes the rows of sessions that are past their absolute deadline, and
// of failed sign-ins that no longer count, and says how many. Sign-ins do so by
// themselves, about once an hour and in the background, so it is for jobs, and for
// a Config with ManualPrune: there, once a day is plenty. It may run beside live
// traffic and in several processes at once. The error is ErrUnavailable, and what
// was deleted before stays so, or ErrSetup without Entities.
func (a *Auth) Prune(ctx context.Context) (deleted int64, err error) {
	deleted, err = a.service.Prune(ctx)
	return deleted, publicError(err)
}

// Close ends what runs in the background and waits for it: the deletion of rows
// that are over; with Config.CacheTTL a goroutine that looks for revocations, and
// with it the cache; the fetching of keys that come from elsewhere, also for another
// Auth that was given the same Remote. It may be called twice. Close DB after it.
func (a *Auth) Close() error { return a.service.Close() }

// answer writes err by the rules of this Config.
func (a *Auth) answer(c *fiber.Ctx, err error) error {
	endStream(c)
	a.emitFailed(c, err)
	failed := recovered(func() error { return answer(c, err, a.logs, a.errorHandler) })
	if failed == nil && a.isUnderCache(c) {
		return refusal(err) // Fiber's cache keeps answers, but no errors; the application's ErrorHandler writes this one
	}
	return failed
}

// endStream closes the connection after an answer that did not read a streamed
// body to its end: fasthttp would take the rest for the next request.
func endStream(c *fiber.Ctx) {
	if c.Request().IsBodyStream() {
		c.Context().SetConnectionClose()
	}
}

func (a *Auth) kind(name string) *kind {
	for _, k := range a.kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}
