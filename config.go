package fiberjwt

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
	"github.com/fiberjwt/fiberjwt/session"
)

// Config is all that [New] and [Open] take. Secret is needed by all who sign; DB
// and Entities come together, and without them tokens are verified but no
// account is loaded. Every mistake is reported at once, by Open as an error
// and by New as a panic. A Config is copied: changing it later changes nothing.
//
// # Who gets in
//
// Every request below the middleware needs a good token of one of the kinds,
// unless it is let in:
//
//   - register the route above app.Use, where no middleware sees it;
//   - Public lists routes that are open to all: a good token there signs in,
//     a bad one is ignored;
//   - Optional lets requests without a token pass as anonymous; a bad token
//     is still answered 401, so that the client refreshes;
//   - Next skips the middleware altogether.
//
// Which kind a route is for is said on the route, by [As] or [Require].
type Config struct {
	// DB has the accounts and the sessions; call [Migrate] at every start.
	DB *bun.DB
	// Secret is the root of all keys: 32 random bytes or more.
	Secret keys.Secret
	// OldSecrets verify what they signed but sign nothing new: move Secret
	// here when it is replaced, and drop it when the sessions of that time
	// have ended.
	OldSecrets []keys.Secret
	// Keys sign access tokens so that others can verify them, in place of the keys
	// that come from Secret; the rest stays with Secret. A *keys.Set with a
	// private key signs; one without, or [keys.FromURL], only verifies, for a
	// service without Entities, which then needs no Secret. Default: Secret.
	Keys keys.Source
	// Entities are the kinds of account, see [Entity].
	Entities []AnyEntity

	// Routes is where the built-in routes go, as "/{kind}/login" and so on
	// below it, for instance app.Group("/auth"). Since a Config is made before
	// app.Use is called, they stand above the middleware. nil mounts none.
	Routes fiber.Router
	// ServeClient serves the client for browsers below Routes, as "/client.js": an ES
	// module without dependencies that signs in, renews cookies and tells tabs of
	// each other; see docs/how-to/single-page-app.md.
	ServeClient bool
	// Extractor finds the token of a request. Default:
	// Chain(FromAuthHeader("Bearer"), FromCookie("")).
	Extractor Extractor

	// Public lists open routes as "METHOD /path", in the router's own patterns
	// and by its rules ("POST /hooks/:id", "GET /assets/*"), but without
	// constraints such as <int>. The path is the whole one, prefixes of groups included; a pattern opens every path that it
	// matches. GET includes HEAD. A token there is used if it is good; with one,
	// a store that does not answer is 503 here too.
	Public []string
	// Optional lets requests without a token pass as anonymous.
	Optional bool
	// Next skips the middleware when it returns true.
	Next func(c *fiber.Ctx) bool

	// Issuer is written to and demanded of the iss claim. Default "fiberjwt".
	Issuer string
	// Audience is written to the aud claim; a token must have at least one of these
	// there. Default: Issuer.
	Audience []string
	// ClientID is written to the client_id claim of access tokens, for verifiers that
	// follow RFC 9068 to the letter (§2.2 requires it). It names the application that
	// the tokens are issued to, and is not looked at here. Entity.Claims cannot return
	// client_id then. Default: no such claim, unless Entity.Claims returns one.
	ClientID string
	// RequiredClaims must be in every access token, besides those of the library,
	// and in those of OldTokens; each of TrustedIssuers has its own. A [Ticket] has no
	// claims.
	RequiredClaims []string
	// TrustedIssuers are others whose tokens are accepted too.
	TrustedIssuers []TrustedIssuer
	// OldTokens lets in what the system before this one has issued, for the days
	// of a migration.
	OldTokens legacy.Tokens
	// Leeway is how long an access token is good after its exp, and how far the clocks
	// of others may be ahead: of TrustedIssuers, of the system of OldTokens, and for a
	// [LoginOptions] with NotBefore. The application's own servers, and the store of their
	// sessions, may differ by 60 s. Default 5 s, at most 60 s.
	Leeway time.Duration

	// Transports lists how the built-in routes may hand tokens out; the first is
	// for clients that do not say. Default: TransportBody, TransportCookie.
	Transports []Transport
	// Cookie sets how cookies are written.
	Cookie Cookie
	// TrustedOrigins may send requests with our cookies besides the
	// application's own origin: "https://app.example.com", and those of apps in a
	// web view and of extensions, as "capacitor://localhost" or
	// "chrome-extension://<id>". Neither "null" nor a wildcard can be trusted.
	TrustedOrigins []string

	// Store is where sessions are kept. Default: a table beside the
	// accounts, in DB, which is the fastest: session and account are one SELECT.
	// To wrap that one, embed the *session.SQL that session.NewSQL gives, not
	// the interface: it works in the transactions of the accounts.
	Store session.Store
	// CacheTTL keeps accounts of living sessions in memory for so long, at most
	// 10,000 of them; at most an hour. A store in Sessions must be a
	// session.Revocations. A logout is then seen by other processes
	// after about a second (by this one at once), and changes of the row, such
	// as a new name or what Allow looks at, after CacheTTL. Clocks of processes
	// may differ by 60 s. Each request gets a
	// copy of the account; what it points to is shared. A kind whose model has a hook
	// of Bun's that runs on SELECT, such as BeforeSelect, is not cached, because the hook
	// may select by the context of the request; relations that Load joins are.
	// [Entity].Load must select the same rows for every request. Default 0: off, every
	// request sees the database as it is.
	CacheTTL time.Duration
	// ManualPrune leaves it to [Auth.Prune] to delete sessions and failed sign-ins
	// that are over. By default sign-ins start that: in the background, in batches of
	// some hundred rows, about once an hour in each process.
	ManualPrune bool
	// Refresh sets the times of refresh token rotation.
	Refresh Refresh
	// Password sets the cost of hashing and the least length.
	Password Password

	// ReadTimeout bounds each query that reads. Default 2 s, at most Refresh.Rearm.
	ReadTimeout time.Duration
	// WriteTimeout bounds each query that writes. Default 5 s, at most Refresh.Rearm.
	// A refresh as a whole is given up after Refresh.Timeout.
	WriteTimeout time.Duration

	// ErrorHandler writes the body of refusals in place of the JSON one. The
	// headers WWW-Authenticate, Retry-After and Cache-Control are set already;
	// err is an *Error. Default: JSON {"error", "error_description"}.
	ErrorHandler fiber.ErrorHandler
	// OnEvent is told what happened: who signed in, what was refused and why,
	// for counters, audit logs and warnings to the account. It runs inside the
	// request, after the outcome is decided and before it is answered,
	// concurrently, and cannot change it: a panic is logged and the answer goes
	// out. The client waits for it, and an attacker can make it run as often as
	// he sends requests, so count, or hand over to a channel without blocking.
	// ctx is c.UserContext(). Outside of a request [Auth.Issue], [Link]
	// and [ResetPassword] tell, without an address; other calls of an application's
	// own, such as Revoke, do not. Default nil, which costs nothing.
	OnEvent func(ctx context.Context, e event.Event)
	// Logger gets what a client must not see: why a request ended in 5xx.
	// Default slog.Default().
	Logger *slog.Logger
	// Now is the clock, for tests. Default: time.Now, and for the rotation of refresh
	// tokens the clock of the store, if that has one (PostgreSQL, MariaDB, MySQL and
	// Redis do), so that the clocks of several servers may differ by 60 s.
	Now func() time.Time
}

// Transport is how tokens reach a client.
type Transport string

const (
	// TransportBody puts tokens into the JSON body, for apps and servers.
	TransportBody Transport = "body"
	// TransportCookie puts tokens into cookies that scripts cannot read, for browsers.
	TransportCookie Transport = "cookie"
)

// Refresh sets the times of refresh token rotation. They hang together and
// [Open] checks them against each other; change them only if clients need more
// than ten seconds for a refresh.
type Refresh struct {
	// Timeout is how long a client waits for the answer of one refresh, and how
	// long the server tries: a refresh that is done later can sign the client out.
	// Default 10 s.
	Timeout time.Duration
	// Grace is how long the parent of a refresh token still gives that token,
	// the same bits for every tab that asks. Default 30 s, at least 2 Timeout.
	Grace time.Duration
	// Rearm is how long the parent still gives that token but restarts the
	// grace, for answers that were lost on the way. Default 60 s, at least
	// Grace + 2 Timeout. A refresh token is not rotated before this age
	// either, nor before half the life of an access token.
	Rearm time.Duration
}

// Password sets what hashing a password costs and which passwords are taken.
// The zero value is right for most applications.
//
// Hashes are argon2id. Raise the cost as far as a login may take: weaker hashes
// and those of bcrypt still verify, and are replaced at the next login. At most
// GOMAXPROCS - 1 passwords are hashed at once, and at least one. Logins take that
// many times Memory, and as much again until the garbage is collected. A request
// waits for ReadTimeout and WriteTimeout together at most; one that would have to
// wait longer is answered 503 at once.
//
// Settings below those that OWASP holds to be equally strong are refused: 47104
// KiB with 1 pass, 19456 with 2, 12288 with 3, 9216 with 4, 7168 with 5 or more.
type Password struct {
	Memory     uint32 // KiB; default 19456, at most 1048576
	Iterations uint32 // passes over the memory; default 2, at most 16
	Threads    uint8  // default 1, at most 16; more shortens a login and leaves fewer processors for others
	MinLength  int    // code points, 8 to 64; default 8. Take 15 where nothing but the password protects much (NIST SP 800-63B)
}

// withDefaults is a copy that shares no slice with cfg.
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

// times of a kind.
func (r Refresh) times(access, idle time.Duration) session.Times {
	return session.Times{Grace: r.Grace, Rearm: r.Rearm, Age: max(r.Rearm, access/2), Idle: idle}
}
