package fiberjwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/origin"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
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
// OpenAPI, and [Purpose] need Open:
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
	kinds  []*kind
	models map[reflect.Type]string // T → kind
	tokens *token.Tokens
	old    OldTokens
	store  *sessions.Sessions // nil without Entities
	hasher *password.Hasher

	extractor Extractor
	vary      []string // headers that the token may come in
	public    []publicRoute
	optional  bool
	skip      func(*fiber.Ctx) bool
	transport []Transport
	cookie    Cookie
	client    bool
	origins   origin.Trusted
	attempts  *throttle.Throttle // nil without Entities
	quoting   *dbcheck.Guard     // nil without Entities

	ring           secret.Ring
	db             *bun.DB
	readTimeout    time.Duration
	writeTimeout   time.Duration
	refreshTimeout time.Duration // of the request as a whole
	errorHandler   fiber.ErrorHandler
	onEvent        func(context.Context, Event) // nil: nobody listens
	logs           logs
	prefix         string          // in front of /{kind} of the built-in routes, as the router has it
	mounted        map[string]bool // paths of the built-in routes; true where no token is needed
	apps           *sync.Map       // *fiber.App → neighbours
	now            func() time.Time
	machineClock   bool // now is time.Now
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
	problems = append(problems, cfg.OldTokens.problems(cfg, kinds)...)
	public, wrong := newPublicRoutes(cfg.Public)
	problems = append(problems, wrong...)
	trusted, wrong := origin.New(cfg.TrustedOrigins)
	problems = append(problems, wrong...)
	_, wrong = cfg.Cookie.pathOf(cfg.Routes)
	problems = append(problems, wrong...)
	if err := joinProblems(problems); err != nil {
		return nil, err
	}

	ring := secret.NewRing(cfg.Secret, cfg.OldSecrets)
	a := &Auth{
		kinds: kinds, models: map[reflect.Type]string{}, hasher: newHasher(cfg),
		extractor: cfg.Extractor, vary: cfg.Extractor.headers(), public: public, optional: cfg.Optional, skip: cfg.Next,
		transport: cfg.Transport, cookie: cfg.Cookie, client: cfg.Client, origins: trusted,
		ring: ring, db: cfg.DB, readTimeout: cfg.ReadTimeout, writeTimeout: cfg.WriteTimeout, refreshTimeout: cfg.Refresh.Timeout,
		errorHandler: cfg.ErrorHandler, onEvent: cfg.OnEvent, logs: logs{journal.New(cfg.Logger, cfg.Now)}, mounted: map[string]bool{}, apps: &sync.Map{}, now: cfg.Now, machineClock: machineClock,
	}
	audiences := map[string][]string{}
	for _, k := range kinds {
		audiences[k.Name] = k.audience
	}
	issuers := make([]token.Issuer, len(cfg.Issuers))
	for i, issuer := range cfg.Issuers {
		issuers[i] = issuer.inner()
	}
	a.tokens = token.New(token.Config{
		Ring: ring, Keys: cfg.Keys, KeyWait: cfg.ReadTimeout, Kinds: a.kindNames(),
		Issuer: cfg.Issuer, ClientID: cfg.ClientID, Audience: cfg.Audience, Audiences: audiences, Required: cfg.RequiredClaims, Issuers: issuers, Leeway: cfg.Leeway, Now: cfg.Now,
	})
	a.old = cfg.OldTokens
	if cfg.DB != nil {
		a.store = sessions.New(sessions.Config{Store: cfg.Sessions, DB: cfg.DB, CacheTTL: cfg.CacheTTL, Read: cfg.ReadTimeout, Write: cfg.WriteTimeout, Now: cfg.Now})
		a.attempts = newThrottle(cfg, a.store.Store(), ring)
		a.quoting = newQuoting(cfg.DB, a.store, cfg.ReadTimeout)
		if !cfg.ManualPrune {
			a.store.PruneInBackground(a.pruneAll, a.logs.notPruned, cfg.Now)
		}
	}
	inner := make([]*accounts.Kind, len(kinds))
	for i, k := range kinds {
		inner[i] = k.Kind
	}
	accounts.JoinTables(inner)
	for _, k := range kinds {
		a.models[k.Model] = k.Name
		k.Ready = a.quoting.Check
		k.refresh = seal.NewRefreshCodec(ring, k.Name, len(k.Telling) > 0)
		k.tickets = seal.NewKeys(ring, labelTicket+k.Name+"/"+cfg.Issuer)
		k.devices = seal.NewKeys(ring, labelDevice+k.Name+"/"+cfg.Issuer)
		k.unlocks = seal.NewKeys(ring, labelUnlock+k.Name+"/"+cfg.Issuer)
		k.prints = seal.NewKeys(ring, labelAccount+k.Name)
		k.times = cfg.Refresh.times(k.accessTTL, k.idleTTL)
		k.times.StoreClock = machineClock
		k.cookies = newCookieNames(k.Name, cmp.Or(cfg.Cookie.Path, "/"), cfg.Cookie)
	}
	a.tellUncached()
	if cfg.Routes != nil {
		a.Mount(cfg.Routes)
	}
	return a, nil
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
		a.slide(c, r)
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
		a.tellRefused(c, Event{Type: EventTokenRefused}, err)
		return r, a.blameOrFail(r, nil, err)
	}
	if len(found) > 0 {
		if err := keptAbove(c, beside); err != nil {
			return r, err
		}
	}
	for _, presented := range found {
		if presented.source == SourceCookie {
			r.byCookie = true
			r.vary(c)
		}
		s, err := a.accept(c, presented)
		if err == nil {
			r.sessions = append(r.sessions, s)
			continue
		}
		a.tellToken(c, s.event(EventTokenRefused), presented.token, err)
		if err := a.blameOrFail(r, presented.kind, err); err != nil {
			return r, ofKind(err, s.event(EventTokenRefused).Kind)
		}
	}
	return r, nil
}

// blameOrFail keeps problems of a credential apart from problems that end the
// request: those of the server, and a request that cannot be understood, unless
// that is about the cookie of one kind.
func (a *Auth) blameOrFail(r *request, k *kind, err error) error {
	status := refusal(err).Status
	if status >= 500 || k == nil && status != fiber.StatusUnauthorized && status != fiber.StatusForbidden {
		return err
	}
	r.blame(k, err)
	return nil
}

// accept verifies one credential and loads its account. With an error, the
// session is what the token says, as far as its signature holds, or nil.
func (a *Auth) accept(c *fiber.Ctx, presented credential) (*Session, error) {
	if presented.problem != nil {
		return nil, presented.problem
	}
	if presented.source == SourceCookie {
		if err := a.checkOrigin(c); err != nil {
			return nil, err
		}
	}
	if presented.source == SourceTicket {
		return a.admitTicket(c, presented.token)
	}
	s, err := a.verify(c.UserContext(), presented.token)
	if err != nil {
		return s, err
	}
	if presented.kind != nil && presented.kind.Name != s.Kind {
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
	s, err := a.verify(ctx, token)
	if err != nil {
		return nil, face(err) // a caller that overlooks the error must not hold a session
	}
	return s, nil
}

func (a *Auth) verify(ctx context.Context, raw string) (*Session, error) {
	claims, err := a.tokens.Verify(ctx, raw)
	if err == token.ErrUnknownKey { //nolint:errorlint // it is this very value, and errors.Is costs memory that anyone can ask for
		a.logs.foreignKey(ctx, "an access token")
	}
	if err != nil && a.old.inUse() && errors.Is(err, token.ErrMalformed) {
		return a.verifyOld(ctx, raw)
	}
	if err != nil && claims.Kind == "" {
		return nil, err
	}
	if errors.Is(err, token.ErrIssued) && !claims.Foreign {
		a.logs.clocks(ctx, at(max(claims.IssuedAt, claims.AuthTime)).Sub(a.now()))
	}
	s := &Session{
		Kind: claims.Kind, Subject: claims.Subject, ID: claims.SessionID, TokenID: claims.ID,
		IssuedAt: at(claims.IssuedAt), ExpiresAt: at(claims.ExpiresAt), AuthTime: at(claims.AuthTime),
		Issuer: claims.Issuer, payload: claims.Payload, granted: claims.Shaped,
	}
	if err != nil && claims.Foreign {
		s.Subject = "" // the subject is the issuer's, and no account was found by it
	}
	if err != nil || a.store == nil {
		return s, err
	}
	if claims.Foreign {
		s.Account, err = a.foreignAccount(ctx, s)
		return s, err
	}
	if s.sid, _ = session.ParseID(s.ID); s.sid == nil {
		return s, token.ErrWrong
	}
	s.Account, err = a.account(ctx, s)
	return s, err
}

// Alive says whether s may go on, for connections that outlive the request which
// opened them, such as WebSockets. It asks what the middleware asks: the session is
// alive, the account is there, and [Entity].Allow lets it. It does not ask for the
// token, so a session that is refreshed elsewhere stays alive when the token that s
// came with has expired. A token of [Issuer] or [OldTokens] has no session: it ends
// when it expires.
//
// nil means yes. The error is ErrTokenRevoked, or ErrTokenExpired for a token
// without a session; or ErrUnavailable or ErrSetup if that could not be decided,
// and then the connection should stay open. It costs what a request does, so ask
// every few seconds at most. Safe for concurrent use; s is not changed.
func (a *Auth) Alive(ctx context.Context, s *Session) error { return face(a.alive(ctx, s)) }

func (a *Auth) alive(ctx context.Context, s *Session) error {
	if a.store == nil {
		return errNoStore
	}
	if s == nil || a.kind(s.Kind) == nil {
		return fault.Setup("Alive: the session is nil or not of this Auth: give it what SessionOf returns")
	}
	if s.sid != nil {
		_, err := a.account(ctx, s)
		return err
	}
	return a.aliveWithoutSession(ctx, *s)
}

// aliveWithoutSession is about a token of another issuer, or of the system before.
func (a *Auth) aliveWithoutSession(ctx context.Context, s Session) error {
	now, old := a.now(), s.Issuer == ""
	switch {
	case !now.Before(s.ExpiresAt.Add(a.tokens.Leeway)), old && !now.Before(a.old.Until):
		return token.ErrExpired
	case !old:
		s.Claim("sub", &s.Subject) // the name that FromIssuer knows, not the primary key
		_, err := a.foreignAccount(ctx, &s)
		return err
	}
	_, err := a.refreshed(ctx, a.kind(s.Kind), s.Subject, nil)
	if errors.Is(err, ErrSessionEnded) {
		return ErrTokenRevoked
	}
	return err
}

// account of a verified session, both alive.
func (a *Auth) account(ctx context.Context, s *Session) (any, error) {
	k := a.kind(s.Kind)
	load := func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
		defer cancel()
		return a.loadAlive(ctx, k, s)
	}
	var account any
	var err error
	if !a.store.Caches() || k.SelectHook != "" { // what a hook selects for one request may not be what it selects for another
		account, err = load(ctx)
	} else {
		account, err = a.store.Account(sessions.Key{SID: s.sid, Kind: s.Kind, Subject: s.Subject}, func() (any, error) {
			return load(context.WithoutCancel(ctx)) // others may wait for this answer too
		})
	}
	if err == nil {
		account, err = a.ofSession(ctx, k, account, s.sid)
	}
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrTokenRevoked
	}
	return account, a.allowed(ctx, k, account, ErrTokenRevoked)
}

// loadAlive gives the account, nil if it or the session is gone; in one SELECT
// where the sessions are in the same database.
func (a *Auth) loadAlive(ctx context.Context, k *kind, s *Session) (any, error) {
	now := a.now().UnixMilli()
	if a.store.BesideAccounts() {
		return k.LoadAlive(ctx, s.Subject, s.sid, now)
	}
	if err := a.quoting.Check(ctx); err != nil {
		return nil, err
	}
	row, alive, err := a.store.Living(ctx, k.Name, s.sid, now)
	if err != nil || !alive || row.Subject != s.Subject {
		return nil, err
	}
	return k.LoadBySubject(ctx, s.Subject)
}

// allowed asks the Allow hook; a refusal reads as refused, whatever the hook
// says, except that the store failed.
func (a *Auth) allowed(ctx context.Context, k *kind, account any, refused *Error) error {
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	err := fault.Recover(func() error { return k.allow(ctx, account) })
	if err == nil {
		return nil
	}
	if fault.IsUnavailable(err) {
		return fault.Unavailable(err)
	}
	if errors.Is(err, fault.ErrSetup) {
		return err
	}
	var known *Error
	if errors.As(err, &known) && known != nil && known.Status >= 500 {
		return because(known, err)
	}
	var fibers *fiber.Error
	if errors.As(err, &fibers) && fibers.Code >= 500 {
		return fault.Unavailable(err) // it could not be decided
	}
	return because(refused, err)
}

// Revoke ends a session by its ID, [Session].ID; ending an unknown or an ended
// one is no error. The error is ErrUnavailable, or ErrSetup without Entities.
func (a *Auth) Revoke(ctx context.Context, sessionID string) error {
	return face(a.revoke(ctx, sessionID))
}

func (a *Auth) revoke(ctx context.Context, sessionID string) error {
	if a.store == nil {
		return errNoStore
	}
	sid, ok := session.ParseID(sessionID)
	if !ok {
		return nil
	}
	if err := a.quoting.Check(ctx); err != nil {
		return err
	}
	_, err := a.store.Revoke(ctx, sid, "", "", a.now().UnixMilli())
	return err
}

// RevokeAll ends every session of an account: after it was disabled or deleted,
// or its password was changed elsewhere. subject is its primary key as text. If
// several kinds share the table of the account, it ends the sessions of all of them.
// Tokens of [Issuer] and [OldTokens] have no session and stay good: let
// [Entity].Allow refuse the account. The error is ErrUnavailable, or ErrSetup if
// there is no such kind.
func (a *Auth) RevokeAll(ctx context.Context, kind, subject string) error {
	return face(a.revokeAll(ctx, kind, subject))
}

func (a *Auth) revokeAll(ctx context.Context, kind, subject string) error {
	k, err := a.storedKind(ctx, kind)
	if err != nil {
		return err
	}
	return a.store.RevokeAll(ctx, k.Kinds(), subject, a.now().UnixMilli())
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

// Sessions lists the living sessions of an account, the newest first, at most
// 100. subject is its primary key as text. The error is ErrUnavailable, or
// ErrSetup if there is no such kind.
func (a *Auth) Sessions(ctx context.Context, kind, subject string) ([]SessionInfo, error) {
	infos, err := a.listSessions(ctx, kind, subject)
	return infos, face(err)
}

func (a *Auth) listSessions(ctx context.Context, kind, subject string) ([]SessionInfo, error) {
	k, err := a.storedKind(ctx, kind)
	if err != nil {
		return nil, err
	}
	now := a.now().UnixMilli()
	rows, err := a.store.List(ctx, k.Name, subject, now)
	if err != nil {
		return nil, err
	}
	if rows, err = a.withoutFormer(ctx, k, subject, rows); err != nil {
		return nil, err
	}
	infos := make([]SessionInfo, len(rows))
	for i, row := range rows {
		infos[i] = SessionInfo{
			ID: session.ID(row.SID), Created: time.UnixMilli(row.Created).UTC(), LastRefresh: time.UnixMilli(a.lastRefresh(k, row, now)).UTC(),
			Expires: time.UnixMilli(min(row.IdleUntil, row.Ends)).UTC(), Address: row.Address, UserAgent: row.Agent,
		}
	}
	return infos, nil
}

// lastRefresh of a session. Sliding moves the idle deadline alone, so that says
// when: too early a time where that deadline has met Ends, and too late a one after
// IdleTTL was made shorter, until the next.
func (a *Auth) lastRefresh(k *kind, row session.Row, now int64) int64 {
	if !a.cookie.Sliding {
		return row.Issued
	}
	return max(row.Issued, min(row.IdleUntil-k.idleTTL.Milliseconds(), now))
}

// Prune deletes the rows of sessions that are past their absolute deadline, and
// of failed sign-ins that no longer count, and says how many. Sign-ins do so by
// themselves, about once an hour and in the background, so it is for jobs, and for
// a Config with ManualPrune: there, once a day is plenty. It may run beside live
// traffic and in several processes at once. The error is ErrUnavailable, and what
// was deleted before stays so, or ErrSetup without Entities.
func (a *Auth) Prune(ctx context.Context) (deleted int64, err error) {
	if a.store == nil {
		return 0, face(errNoStore)
	}
	deleted, err = a.store.Prune(ctx, a.now().UnixMilli())
	return deleted, face(err)
}

// pruneAll goes by the clock that is behind, if the store has one: a process with a
// wrong clock must not delete what others still need.
func (a *Auth) pruneAll(ctx context.Context) error {
	now := a.now().UnixMilli()
	if a.machineClock {
		clock, err := a.store.Clock(ctx, now)
		if err != nil {
			return err
		}
		now = min(now, clock)
	}
	_, err := a.store.Prune(ctx, now)
	return err
}

// Close ends what runs in the background and waits for it: the deletion of rows
// that are over; with Config.CacheTTL a goroutine that looks for revocations, and
// with it the cache; the fetching of keys that come from elsewhere, also for another
// Auth that was given the same Remote. It may be called twice. Close DB after it.
func (a *Auth) Close() error {
	if a.store != nil {
		a.store.Close()
	}
	return a.tokens.Close()
}

// answer writes err by the rules of this Config.
func (a *Auth) answer(c *fiber.Ctx, err error) error {
	endStream(c)
	a.tellFailed(c, err)
	failed := recovered(func() error { return answer(c, err, a.logs, a.errorHandler) })
	if failed == nil && a.underCache(c) {
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

// storedKind is for calls whose other arguments may be text of clients.
func (a *Auth) storedKind(ctx context.Context, name string) (*kind, error) {
	if a.store == nil {
		return nil, errNoStore
	}
	if k := a.kind(name); k != nil {
		return k, a.quoting.Check(ctx)
	}
	return nil, fault.Setup(unknownKind(name, a.kindNames()))
}

// newQuoting keeps text of clients out of statements; see [dbcheck.Guard]. A store of
// sessions in another database is looked at too.
func newQuoting(db *bun.DB, s *sessions.Sessions, wait time.Duration) *dbcheck.Guard {
	var elsewhere dbcheck.GuardedStore
	if !s.BesideAccounts() {
		elsewhere, _ = s.Store().(dbcheck.GuardedStore)
	}
	return dbcheck.NewGuard(db, elsewhere, wait)
}

// tellUncached logs which kinds Config.CacheTTL is not for.
func (a *Auth) tellUncached() {
	if a.store == nil || !a.store.Caches() {
		return
	}
	for _, k := range a.kinds {
		if k.SelectHook != "" {
			a.logs.uncached(k)
		}
	}
}

var errNoStore = fault.Setup("there are no sessions: Config has no DB and no Entities")

func unknownKind(name string, known []string) string {
	return fmt.Sprintf("there is no kind %q; the kinds are %s", name, strings.Join(known, ", "))
}

func (a *Auth) kindNames() []string {
	names := make([]string, len(a.kinds))
	for i, k := range a.kinds {
		names[i] = k.Name
	}
	return names
}
