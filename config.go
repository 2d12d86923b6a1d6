package fiberjwt

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/statement"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
	"github.com/fiberjwt/fiberjwt/session"
)

// Config configures [New] and [Open]. The zero value of every optional field is
// the safe choice. Open reports all problems of a Config in one error, which
// names the fields; New panics with the same text. A Config is copied: changes
// after Open or New have no effect.
//
// # Required fields
//
// An application that signs accounts in needs three fields:
//
//	fiberjwt.Config{
//		DB:       db,     // *bun.DB
//		Secret:   secret, // 32 random bytes or more
//		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
//	}
//
// A service that only verifies tokens sets neither DB nor Entities. Its requests
// have a [Session], but no account is loaded. Such a service needs Keys or
// TrustedIssuers. Without both, it needs Secret. DB without Entities, or Entities
// without DB, is refused.
//
// # Who gets in
//
// Every request below the middleware needs a valid access token of one of the
// kinds. There are four exceptions:
//
//   - A route that is registered above app.Use does not pass through the
//     middleware.
//   - Public lists routes that are open to all requests. A valid token signs the
//     request in, and an invalid token is ignored.
//   - With Optional, requests without a token pass as anonymous. An invalid token
//     is still answered 401, so that the client refreshes.
//   - If Next returns true, the request skips the middleware.
//
// Which kind a route is for is declared at the route, by [As] or [Require].
//
// The middleware answers CORS preflight requests with 204, except on public
// routes, because browsers send them without credentials. A CORS middleware
// that is registered above answers them first.
//
// # Signing keys
//
// All keys of the library are derived from Secret. To replace it, move the
// former value to OldSecrets, keep it there for the longest SessionTTL, and then
// remove it. If other services have to verify access tokens, set Keys to a
// [keys.Set] with a private key: it then signs the access tokens, and Secret
// remains the root of all other keys, such as those of refresh tokens.
//
// # Other issuers
//
// TrustedIssuers and OldTokens accept access tokens that fiberjwt did not issue
// here: those of an identity provider or another service, and those of the
// system that the application used before. Such tokens have no session here. A
// logout does not end them, and they cannot be refreshed here.
//
// # Clocks
//
// The clocks of the application's servers and of the session store may differ by
// 60 s. Leeway is for the clocks of other issuers. Refresh tokens rotate by the
// clock of the store if it has one, as PostgreSQL, MariaDB, MySQL and Redis do.
//
// # Cache
//
// By default every request sees the database as it is. CacheTTL keeps the
// accounts of active sessions in the memory of the process, at most 10,000 of
// them, and these rules then hold:
//
//   - This process sees a logout at once, other processes after about a second.
//   - Changes of the row, such as a new name or a column that [Entity].Allow
//     reads, take effect after CacheTTL.
//   - Each request gets a copy of the account. Values that the copy points to are
//     shared between requests.
//   - [Entity].Load must select the same rows for every request. Relations that it
//     joins are cached.
//   - A kind is not cached if its model has a Bun hook that runs on SELECT, such
//     as BeforeSelect, because the hook may select by the context of the request.
//   - A store in Config.Store must implement [session.Revocations].
//
// # Events
//
// OnEvent receives one [event.Event] for each outcome: who signed in, what was
// refused and why. It is for counters, audit logs and warnings to the owner of
// an account.
//
// OnEvent runs inside the request, after the outcome is decided and before the
// response is sent. It cannot change the outcome: if it panics, the panic is
// logged and the response is sent. Its context is c.UserContext(). It must be
// safe for concurrent use.
//
// The client waits for OnEvent, and an attacker can cause as many events as it
// sends requests. OnEvent should therefore only count, or pass the event to a
// channel without blocking.
//
// [Auth.Issue], [Link] and [ResetPassword] emit events without an address. Other
// calls that the application makes outside of a request, such as [Auth.Revoke],
// emit none.
type Config struct {
	// DB contains the accounts and, unless Store is set, the sessions. Call
	// [Migrate] with it at every start.
	DB *bun.DB
	// Secret is the root of all keys: 32 random bytes or more.
	Secret keys.Secret
	// OldSecrets are former values of Secret. They verify what they signed, and
	// sign nothing new. Default: none.
	OldSecrets []keys.Secret
	// Keys sign access tokens in place of the keys that are derived from Secret,
	// so that other services can verify them. A *keys.Set with a private key
	// signs. A set without one, or [keys.FromURL], only verifies, and is for a
	// service without Entities. Default: keys that are derived from Secret.
	Keys keys.Source
	// Entities are the kinds of account, see [Entity].
	Entities []AnyEntity

	// Routes is the router for the built-in routes, for example
	// app.Group("/auth"). They are registered below it as "/{kind}/login" and so
	// on. A Config is made before app.Use is called, so these routes are above
	// the middleware. Default nil: no built-in routes.
	Routes fiber.Router
	// ServeClient serves the client for browsers below Routes, as "/client.js".
	// It is an ES module without dependencies that signs in, renews cookies and
	// informs the other tabs; see docs/how-to/single-page-app.md. It requires
	// TransportCookie, and an Extractor that reads the cookies of the kinds.
	ServeClient bool
	// Extractor finds the token of a request. Default:
	// Chain(FromAuthHeader("Bearer"), FromCookie("")).
	Extractor Extractor

	// Public lists open routes as "METHOD /path", for example "POST /hooks/:id"
	// or "GET /assets/*". The path is a pattern of Fiber's router and is matched
	// by its rules, but it cannot have constraints such as <int>. It is the whole
	// path, including the prefixes of groups, and opens every path that it
	// matches. GET includes HEAD. If a request has a token and the store does not
	// answer, the response is 503 here too. Default: none.
	Public []string
	// Optional lets requests without a token pass as anonymous.
	Optional bool
	// Next skips the middleware for a request if it returns true. If it panics,
	// the response is 500.
	Next func(c *fiber.Ctx) bool

	// Issuer is the iss claim. Issued tokens carry it, and a presented token must
	// have it. Default "fiberjwt".
	Issuer string
	// Audience is the aud claim. Issued tokens carry it, and a presented token
	// must contain at least one of these values. [Entity].Audience replaces it
	// for one kind. Default: Issuer.
	Audience []string
	// ClientID is the client_id claim of issued access tokens. It names the
	// application that the tokens are issued to, for verifiers that require it as
	// RFC 9068 §2.2 does. It is not checked in presented tokens. If it is set,
	// Entity.Claims cannot return client_id. Default: no such claim, unless
	// Entity.Claims returns one.
	ClientID string
	// RequiredClaims are claims that every access token must have, besides those
	// of the library. Tokens of OldTokens must have them too; each of
	// TrustedIssuers has a separate list. They do not apply to a [Ticket], which
	// has no claims. Default: none.
	RequiredClaims []string
	// TrustedIssuers are other issuers whose access tokens are accepted too.
	// Default: none.
	TrustedIssuers []TrustedIssuer
	// OldTokens accepts the access tokens of the system that the application used
	// before, for the days of a migration. Default: none are accepted.
	OldTokens legacy.Tokens
	// Leeway is how long an access token stays valid after its exp. It also limits
	// how far the clocks of TrustedIssuers and of the system of OldTokens may be
	// ahead, and how early a token with [LoginOptions].NotBefore is accepted.
	// Default 5 s, at most 60 s.
	Leeway time.Duration

	// Transports lists how the built-in routes may return tokens. The first is for
	// clients that do not choose. Default: TransportBody, TransportCookie.
	Transports []Transport
	// Cookie sets how cookies are written.
	Cookie Cookie
	// TrustedOrigins lists other origins that may send requests with the cookies
	// of the application: "https://app.example.com", or those of apps in a web
	// view and of browser extensions, such as "capacitor://localhost" or
	// "chrome-extension://<id>". "null" and wildcards are refused. Default: the
	// application's own origin only.
	TrustedOrigins []string

	// Store keeps the sessions. Default: a table in DB. This is the fastest store,
	// because one SELECT reads the session and the account. To wrap it, embed the
	// *session.SQL that session.NewSQL returns, not the interface: a *session.SQL
	// takes part in the transactions of the accounts.
	Store session.Store
	// Unprepared sends every SQL statement with its values in the text, as Bun does.
	// By default those that requests repeat are prepared once for each connection of
	// DB, unless the driver or the server does not support that, which is detected.
	// Set it for a proxy between this process and the database that mishandles
	// prepared statements. A bun.ConnResolver has the same effect. Default: false.
	Unprepared bool
	// CacheTTL keeps accounts of active sessions in memory for this time, at most
	// 1 h. See "Cache" above. Default 0: no cache.
	CacheTTL time.Duration
	// ManualPrune leaves it to [Auth.Prune] to delete rows of ended sessions and of
	// failed sign-ins that no longer count. By default, sign-ins start the
	// deletion: in the background, in batches of some hundred rows, about once an
	// hour in each process.
	ManualPrune bool
	// Refresh sets the times of refresh token rotation.
	Refresh Refresh
	// Password sets the cost of hashing and the least length.
	Password Password

	// ReadTimeout limits each query that reads. Default 2 s, at most
	// Refresh.Rearm.
	ReadTimeout time.Duration
	// WriteTimeout limits each query that writes. A refresh as a whole is limited
	// by Refresh.Timeout. Default 5 s, at most Refresh.Rearm.
	WriteTimeout time.Duration

	// ErrorHandler writes the body of refusals. The headers WWW-Authenticate,
	// Retry-After and Cache-Control are already set, and err is an *[Error]. The
	// handler sets the status. Default: JSON {"error", "error_description"} with
	// the status of the error.
	ErrorHandler fiber.ErrorHandler
	// OnEvent receives what happened; the section "Events" has its rules. Default
	// nil, which costs nothing.
	OnEvent func(ctx context.Context, e event.Event)
	// Logger receives what a client must not see: why a response is 5xx, and hints
	// about mistakes in the set-up. Default slog.Default().
	Logger *slog.Logger
	// Now is the clock, for tests. If it is set, it also counts for the rotation
	// of refresh tokens, in place of the clock of the store. Default time.Now.
	Now func() time.Time
}

// Transport is how the built-in routes return tokens to a client.
type Transport string

const (
	// TransportBody returns tokens in the JSON body, for apps and servers.
	TransportBody Transport = "body"
	// TransportCookie sets tokens as cookies that scripts cannot read, for browsers.
	TransportCookie Transport = "cookie"
)

// Refresh sets the times of refresh token rotation. They depend on each other,
// and [Open] checks that they fit. Change them only if clients need more than
// ten seconds for a refresh.
//
// The parent of a refresh token is the token that was exchanged for it. While
// the parent is accepted, every tab that presents it gets the same successor, bit
// for bit, so that tabs that refresh at the same time and clients whose response
// was lost stay signed in. docs/reference/rotation.md has the whole rule.
type Refresh struct {
	// Timeout is how long a client waits for the response to one refresh, and how
	// long the server tries. A refresh that completes later can sign the client
	// out. Default 10 s, at most 1 h.
	Timeout time.Duration
	// Grace is the age of a refresh token up to which its parent returns it again.
	// Default 30 s, at least 2 Timeout.
	Grace time.Duration
	// Rearm is for responses that were lost: until a refresh token is this old, its
	// parent still returns it. After Grace, this also restarts the token's age. A
	// refresh token does not rotate before this age, and not before half the life of an access token. Default 60 s, at
	// least Grace + 2 Timeout, at most 24 h.
	Rearm time.Duration
}

// Password sets the cost of hashing a password and the least length of a new
// one. The zero value is right for most applications.
//
// Hashes are argon2id. Set the cost as high as the time of a login permits.
// Weaker argon2id hashes and bcrypt hashes still verify, and are replaced at the
// next login. Settings that are weaker than those that OWASP regards as equally
// strong are refused: 47104 KiB with 1 pass, 19456 with 2, 12288 with 3, 9216
// with 4, 7168 with 5 or more.
//
// At most GOMAXPROCS - 1 passwords are hashed at once, and at least one. Logins
// use Memory for each of these hashes, and as much again until the garbage is
// collected. A request waits for its turn at most as long as ReadTimeout and
// WriteTimeout together. A request that would have to wait longer is answered
// 503 at once.
type Password struct {
	Memory     uint32 // KiB; default 19456, at most 1048576
	Iterations uint32 // passes over the memory; default 2, at most 16
	Threads    uint8  // default 1, at most 16; more threads make a login shorter and leave fewer processors for other requests
	MinLength  int    // code points, 8 to 64; default 8. Set 15 if the password is the only protection (NIST SP 800-63B)
}

// withDefaults returns cfg with its defaults. The copy shares no slice with cfg, because
// the application may change its slices later.
func (cfg Config) withDefaults() Config {
	cfg.OldSecrets = slices.Clone(cfg.OldSecrets)
	cfg.Public = slices.Clone(cfg.Public)
	cfg.Transports = slices.Clone(cfg.Transports)
	if len(cfg.Transports) == 0 {
		cfg.Transports = []Transport{TransportBody, TransportCookie}
	}
	if reflect.ValueOf(cfg.Extractor).IsZero() {
		cfg.Extractor = Chain(FromAuthHeader("Bearer"), FromCookie(""))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Issuer = cmp.Or(cfg.Issuer, "fiberjwt")
	cfg.Audience = slices.Clone(cfg.Audience)
	if len(cfg.Audience) == 0 {
		cfg.Audience = []string{cfg.Issuer}
	}
	cfg.RequiredClaims = slices.Compact(slices.Sorted(slices.Values(cfg.RequiredClaims)))
	cfg.TrustedIssuers = slices.Clone(cfg.TrustedIssuers)
	for i, issuer := range cfg.TrustedIssuers {
		cfg.TrustedIssuers[i] = issuer.withDefaults()
	}
	cfg.OldTokens = withOldTokenDefaults(cfg.OldTokens)
	cfg.Leeway = cmp.Or(cfg.Leeway, 5*time.Second)
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, 2*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 5*time.Second)
	cfg.Refresh = cfg.Refresh.withDefaults()
	return cfg
}

func (r Refresh) withDefaults() Refresh {
	return Refresh{
		Timeout: cmp.Or(r.Timeout, 10*time.Second),
		Grace:   cmp.Or(r.Grace, 30*time.Second),
		Rearm:   cmp.Or(r.Rearm, 60*time.Second),
	}
}

// times returns the times of rotation of a kind, whose access tokens live for access and
// whose sessions end when they are idle for longer than idle.
func (r Refresh) times(access, idle time.Duration) session.Times {
	return session.Times{Grace: r.Grace, Rearm: r.Rearm, Age: max(r.Rearm, access/2), Idle: idle}
}

// newAuth returns an Auth that lacks its service.
func newAuth(cfg Config, parts parts) *Auth {
	a := &Auth{
		kinds:          parts.kinds,
		models:         map[reflect.Type]string{},
		extractor:      cfg.Extractor,
		vary:           newVary(cfg.Extractor.headers()...),
		varyByCookie:   newVary(append(cfg.Extractor.headers(), "Sec-Fetch-Site", fiber.HeaderOrigin)...),
		public:         parts.public,
		optional:       cfg.Optional,
		skip:           cfg.Next,
		transport:      cfg.Transports,
		cookie:         cfg.Cookie,
		client:         cfg.ServeClient,
		origins:        parts.origins,
		refreshTimeout: cfg.Refresh.Timeout,
		errorHandler:   cfg.ErrorHandler,
		onEvent:        cfg.OnEvent,
		logs:           logs{journal.New(cfg.Logger, cfg.Now)},
		mounted:        map[string]bool{},
		apps:           &atomic.Pointer[[]neighbours]{},
		now:            cfg.Now,
	}
	a.apps.Store(&[]neighbours{})
	for _, k := range parts.kinds {
		a.models[k.Model] = k.Name
		k.cookies = newCookieNames(k.Name, cmp.Or(cfg.Cookie.Path, "/"), cfg.Cookie)
	}
	return a
}

// newService builds the layers below this package from a Config without problems.
func newService(cfg Config, kinds []*kind, log *journal.Journal, machineClock bool) *auth.Service {
	inner, names, audiences := make([]*auth.Kind, len(kinds)), make([]string, len(kinds)), map[string][]string{}
	tables := make([]*accounts.Kind, len(kinds))
	var pool *statement.Pool
	if cfg.DB != nil {
		pool = statement.NewPool(cfg.DB, logs{log}.statementsAsText)
		if cfg.Unprepared {
			pool.Close() // statements of a closed pool are text
		}
	}
	for i, k := range kinds {
		inner[i], tables[i], names[i], audiences[k.Name] = k.Kind, k.Kind.Kind, k.Name, k.audience
		k.Times = cfg.Refresh.times(k.AccessTTL, k.IdleTTL)
		if pool != nil {
			k.Prepare(pool)
		}
	}
	accounts.JoinTables(tables)
	issuers := make([]token.Issuer, len(cfg.TrustedIssuers))
	for i, issuer := range cfg.TrustedIssuers {
		issuers[i] = issuer.inner()
	}
	ring := secret.NewRing(cfg.Secret, cfg.OldSecrets)
	service := auth.Config{
		DB: cfg.DB, Pool: pool, Kinds: inner, Ring: ring, Hasher: newHasher(cfg), Old: auth.OldTokens(cfg.OldTokens), Journal: log,
		Tokens: token.New(token.Config{
			Ring: ring, Keys: cfg.Keys, KeyWait: cfg.ReadTimeout, Kinds: names, Issuer: cfg.Issuer, ClientID: cfg.ClientID,
			Audience: cfg.Audience, Audiences: audiences, Required: cfg.RequiredClaims, Issuers: issuers, Leeway: cfg.Leeway, Now: cfg.Now,
		}),
		Sliding: cfg.Cookie.Sliding, ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, Now: cfg.Now, MachineClock: machineClock,
	}
	if cfg.DB != nil {
		store := cfg.Store
		if store == nil {
			store = session.NewSQLIn(pool)
		}
		service.Sessions = sessions.New(sessions.Config{Store: store, DB: cfg.DB, CacheTTL: cfg.CacheTTL, Read: cfg.ReadTimeout, Write: cfg.WriteTimeout, Now: cfg.Now, MachineClock: machineClock})
		service.Guard = newGuard(cfg.DB, service.Sessions, cfg.ReadTimeout)
	}
	s := auth.New(service)
	if cfg.DB != nil && !cfg.ManualPrune {
		s.Sessions.PruneInBackground(s.PruneSafely, s.LogNotPruned, cfg.Now)
	}
	return s
}

// newGuard returns the check that keeps text of clients out of SQL statements; see
// [dbcheck.Guard]. If the sessions are in another database, it checks that one too.
func newGuard(db *bun.DB, s *sessions.Sessions, wait time.Duration) *dbcheck.Guard {
	var elsewhere dbcheck.GuardedStore
	if !s.BesideAccounts() {
		elsewhere, _ = s.Store().(dbcheck.GuardedStore)
	}
	return dbcheck.NewGuard(db, elsewhere, wait)
}
