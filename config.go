package fiberjwt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/keys"
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
	Secret Secret
	// OldSecrets verify what they signed but sign nothing new: move Secret
	// here when it is replaced, and drop it when the sessions of that time
	// have ended.
	OldSecrets []Secret
	// Keys sign access tokens so that others can verify them, in place of the keys
	// that come from Secret; the rest stays with Secret. A *keys.Set with a
	// private key signs; one without, or [keys.FromURL], only verifies, for a
	// service without Entities, which then needs no Secret. Default: Secret.
	Keys keys.Source
	// Entities are the kinds of account, see [Entity].
	Entities []Kind

	// Routes is where the built-in routes go, as "/{kind}/login" and so on
	// below it, for instance app.Group("/auth"). Since a Config is made before
	// app.Use is called, they stand above the middleware. nil mounts none.
	Routes fiber.Router
	// Client serves the client for browsers below Routes, as "/client.js": an ES
	// module without dependencies that signs in, renews cookies and tells tabs of
	// each other; see docs/how-to/single-page-app.md.
	Client bool
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
	// and in those of OldTokens; each of Issuers has its own. A [Ticket] has no
	// claims.
	RequiredClaims []string
	// Issuers are others whose tokens are accepted too.
	Issuers []Issuer
	// OldTokens lets in what the system before this one has issued, for the days
	// of a migration.
	OldTokens OldTokens
	// Leeway is how long an access token is good after its exp, and how far the clocks
	// of others may be ahead: of Issuers, of the system of OldTokens, and for a
	// [Grant] with NotBefore. The application's own servers, and the store of their
	// sessions, may differ by 60 s. Default 5 s, at most 60 s.
	Leeway time.Duration

	// Transport lists how the built-in routes may hand tokens out; the first is
	// for clients that do not say. Default: TransportBody, TransportCookie.
	Transport []Transport
	// Cookie sets how cookies are written.
	Cookie Cookie
	// TrustedOrigins may send requests with our cookies besides the
	// application's own origin: "https://app.example.com", and those of apps in a
	// web view and of extensions, as "capacitor://localhost" or
	// "chrome-extension://<id>". Neither "null" nor a wildcard can be trusted.
	TrustedOrigins []string

	// Sessions is where sessions are kept. Default: a table beside the
	// accounts, in DB, which is the fastest: session and account are one SELECT.
	// To wrap that one, embed the *session.SQL that session.NewSQL gives, not
	// the interface: it works in the transactions of the accounts.
	Sessions session.Store
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
	// ctx is c.UserContext(). Outside of a request [Auth.Issue], [Purpose]
	// and [ResetPassword] tell, without an address; other calls of an application's
	// own, such as Revoke, do not. Default nil, which costs nothing.
	OnEvent func(ctx context.Context, e Event)
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

// withDefaults is a copy that shares no slice with cfg.
func (cfg Config) withDefaults() Config {
	cfg.OldSecrets = slices.Clone(cfg.OldSecrets)
	cfg.Public = slices.Clone(cfg.Public)
	cfg.Transport = slices.Clone(cfg.Transport)
	if len(cfg.Transport) == 0 {
		cfg.Transport = []Transport{TransportBody, TransportCookie}
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
	cfg.Issuers = slices.Clone(cfg.Issuers)
	for i, issuer := range cfg.Issuers {
		cfg.Issuers[i] = issuer.withDefaults()
	}
	cfg.OldTokens = cfg.OldTokens.withDefaults()
	cfg.Leeway = cmp.Or(cfg.Leeway, 5*time.Second)
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, 2*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 5*time.Second)
	cfg.Refresh = cfg.Refresh.withDefaults()
	return cfg
}

// problems of a Config that has its defaults, apart from those of its parts.
func (cfg Config) problems() (problems []string) {
	problems = append(problems, cfg.secretProblems()...)
	problems = append(problems, cfg.keyProblems()...)
	problems = append(problems, cfg.storeProblems()...)
	problems = append(problems, cfg.sessionProblems()...)
	problems = append(problems, cfg.Extractor.problems()...)
	problems = append(problems, cfg.transportProblems()...)
	problems = append(problems, cfg.Refresh.problems()...)
	problems = append(problems, password.Settings(cfg.Password).Problems()...)
	if cfg.Leeway < 0 || cfg.Leeway > time.Minute {
		problems = append(problems, fmt.Sprintf("Config.Leeway: %v is not between 0, which is the default of 5 s, and 60 s", cfg.Leeway))
	}
	if slices.Contains(cfg.Audience, "") {
		problems = append(problems, "Config.Audience has an empty name: remove it")
	}
	if slices.Contains(cfg.RequiredClaims, "") {
		problems = append(problems, "Config.RequiredClaims has an empty name, which no token has: remove it")
	}
	return append(problems, cfg.timeoutProblems()...)
}

// leastTimeout is far below what a query takes: a shorter time lacks its unit.
const leastTimeout = 100 * time.Microsecond

// timeoutProblems refuses times that lack their unit, and those above Refresh.Rearm: a
// client that has waited for so long has given up, and does not hear the answer.
func (cfg Config) timeoutProblems() (problems []string) {
	for _, timeout := range []struct {
		name, usual string
		set         time.Duration
	}{{"ReadTimeout", "2 s", cfg.ReadTimeout}, {"WriteTimeout", "5 s", cfg.WriteTimeout}} {
		if timeout.set < leastTimeout {
			problems = append(problems, fmt.Sprintf("Config.%s: %v is too short for any query: give a unit, as in 2 * time.Second, or leave it out for the default of %s", timeout.name, timeout.set, timeout.usual))
		}
		if timeout.set > cfg.Refresh.Rearm {
			problems = append(problems, fmt.Sprintf("Config.%s: %v is longer than Refresh.Rearm, %v, and clients do not wait that long: lower it, or leave it out for the default of %s",
				timeout.name, timeout.set, cfg.Refresh.Rearm, timeout.usual))
		}
	}
	return problems
}

func (cfg Config) secretProblems() (problems []string) {
	if others := cfg.Keys != nil || len(cfg.Issuers) > 0; len(cfg.Secret) == 0 && others && len(cfg.Entities) == 0 && len(cfg.OldSecrets) == 0 {
		return nil // it only verifies
	}
	if err := cfg.Secret.Check(); err != nil {
		problems = append(problems, "Config.Secret "+err.Error())
	}
	for i, old := range cfg.OldSecrets {
		// A text that was in use with the newline of its file goes on verifying with it.
		// Bytes that end like white space, as those of a key in DER may, are no text.
		trimmed := Secret(bytes.TrimSpace(old))
		text := !bytes.ContainsFunc(trimmed, func(r rune) bool { return r < ' ' || r > '~' })
		if len(trimmed) < len(old) && text && trimmed.Check() == nil {
			continue
		}
		if err := old.Check(); err != nil {
			problems = append(problems, fmt.Sprintf("Config.OldSecrets[%d] %v", i, err))
		}
	}
	return problems
}

func (cfg Config) keyProblems() (problems []string) {
	if cfg.Keys == nil {
		return nil
	}
	if problem := sourceProblem(cfg.Keys); problem != "" {
		return []string{"Config.Keys " + problem}
	}
	if source, ok := cfg.Keys.(interface{ Symmetric() bool }); ok && source.Symmetric() {
		return []string{"Config.Keys gives shared secrets: give yours as Config.Secret, and no Keys, or those of others in Issuers"}
	}
	set, ok := cfg.Keys.(*keys.Set)
	if !ok {
		if len(cfg.Entities) > 0 {
			problems = append(problems, "Config.Keys only verifies, but Entities sign: give a *keys.Set with a private key")
		}
		return problems
	}
	for _, k := range set.All() {
		if k.Symmetric() {
			return []string{"Config.Keys has a shared secret: give that as Config.Secret, and no Keys"}
		}
	}
	if _, signs := set.Signer(); !signs && len(cfg.Entities) > 0 {
		problems = append(problems, "Config.Keys has only public keys, but Entities sign: give keys.NewSet a private key")
	}
	return problems
}

// sourceProblem says why keys cannot come from source, "" if they can.
func sourceProblem(source keys.Source) string {
	if v := reflect.ValueOf(source); v.Kind() == reflect.Pointer && v.IsNil() {
		return "is nil: look at the error of what made it"
	}
	if source, ok := source.(interface{ Check() error }); ok {
		if err := source.Check(); err != nil {
			return strings.TrimPrefix(err.Error(), "keys: ")
		}
	}
	return ""
}

func (cfg Config) storeProblems() (problems []string) {
	if cfg.DB == nil && len(cfg.Entities) > 0 {
		problems = append(problems, "Config.DB is nil, but Entities need it: give the *bun.DB with their tables")
	}
	if cfg.DB != nil && len(cfg.Entities) == 0 {
		problems = append(problems, "Config.Entities is empty: declare a kind of account, such as fiberjwt.Entity[User]{}")
	}
	if cfg.Routes != nil && len(cfg.Entities) == 0 {
		problems = append(problems, "Config.Routes is set, but without Entities there is nobody to sign in: declare a kind of account, such as fiberjwt.Entity[User]{}, or remove Routes")
	}
	if cfg.DB == nil && len(cfg.Entities) == 0 && (cfg.Sessions != nil || cfg.CacheTTL != 0) {
		problems = append(problems, "Config.Sessions or CacheTTL is set, but without DB and Entities there are no sessions: give these, or remove those")
	}
	return problems
}

func (cfg Config) sessionProblems() (problems []string) {
	if v := reflect.ValueOf(cfg.Sessions); v.Kind() == reflect.Pointer && v.IsNil() {
		problems = append(problems, "Config.Sessions is a nil pointer: look at the error of what made it, or leave it out")
	}
	if cfg.CacheTTL < 0 || cfg.CacheTTL > time.Hour {
		problems = append(problems, fmt.Sprintf("Config.CacheTTL: %v is not between 0 and 1 h", cfg.CacheTTL))
	}
	if _, ok := cfg.Sessions.(session.Revocations); cfg.CacheTTL > 0 && cfg.Sessions != nil && !ok {
		problems = append(problems, "Config.CacheTTL: the store in Config.Sessions does not tell revocations (RevokedSince), so nothing can be cached")
	}
	if _, ok := cfg.Sessions.(session.Slider); cfg.Cookie.Sliding && (cfg.Sessions != nil && !ok || cfg.DB == nil) {
		problems = append(problems, "Config.Cookie.Sliding: there is no store of sessions that can prolong them (Slide)")
	}
	if cfg.CacheTTL > 0 && cfg.ReadTimeout+cfg.WriteTimeout > 3*time.Minute {
		// session.Revocations are kept for ten minutes.
		problems = append(problems, "Config.ReadTimeout and WriteTimeout are above 3 min together, which Config.CacheTTL does not bear")
	}
	return problems
}

func (cfg Config) transportProblems() (problems []string) {
	for i, transport := range cfg.Transport {
		if transport != TransportBody && transport != TransportCookie {
			problems = append(problems, fmt.Sprintf("Config.Transport[%d]: %q is neither TransportBody nor TransportCookie", i, transport))
		}
	}
	setsCookies := slices.Contains(cfg.Transport, TransportCookie)
	if cfg.Client && !setsCookies {
		problems = append(problems, "Config.Client: the client keeps its tokens in cookies: add TransportCookie to Config.Transport")
	}
	const unread = ": the tokens are in the kinds' own cookies: add FromCookie(\"\"), which reads those of every kind, to the Chain of Config.Extractor"
	if cfg.Client && !cfg.Extractor.readsOwnCookies() {
		problems = append(problems, "Config.Client"+unread)
	}
	if cfg.Cookie.Sliding && !cfg.Extractor.readsOwnCookies() {
		problems = append(problems, "Config.Cookie.Sliding"+unread)
	}
	if cfg.Cookie.RefreshEverywhere && !setsCookies {
		problems = append(problems, "Config.Cookie.RefreshEverywhere: there are no cookies: add TransportCookie to Config.Transport")
	}
	return append(problems, cfg.Cookie.problems()...)
}

func (s Cookie) problems() (problems []string) {
	if !validNamespace(s.Namespace) {
		problems = append(problems, fmt.Sprintf("Config.Cookie.Namespace: %q cannot stand in a cookie's name: take letters, digits and \"-\", at most 32", s.Namespace))
	}
	if s.Path != "" && (!strings.HasPrefix(s.Path, "/") || !plainPath(s.Path)) {
		problems = append(problems, fmt.Sprintf("Config.Cookie.Path: %q is not a path: write it like /auth, without parameters", s.Path))
	}
	return problems
}

func validNamespace(name string) bool {
	const plain = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return len(name) <= 32 && strings.Trim(name, plain) == ""
}

// plainPath: a path that can stand in a cookie: no parameter of a route, no
// character that ends an attribute (RFC 6265bis §4.1.1).
func plainPath(path string) bool {
	for i := range len(path) {
		b := path[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`;,:*+?"\`, b) >= 0 {
			return false
		}
	}
	return true
}

// openKinds resolves the declarations; two kinds must not meet in a name or in a model.
func (cfg Config) openKinds() (kinds []*kind, problems []string) {
	for i, entity := range cfg.Entities {
		if entity == nil || reflect.ValueOf(entity).Kind() == reflect.Pointer && reflect.ValueOf(entity).IsNil() {
			problems = append(problems, fmt.Sprintf("Config.Entities[%d] is nil", i))
			continue
		}
		k, wrong := entity.open(cfg.DB)
		wrong = append(wrong, k.timeProblems(cfg.Refresh)...)
		label := fmt.Sprintf("Config.Entities[%d] (%s)", i, k.Label)
		for _, problem := range wrong {
			problems = append(problems, label+": "+problem)
		}
		for _, other := range kinds {
			if k.Name != "" && other.Name == k.Name {
				problems = append(problems, fmt.Sprintf("%s: the kind %q is declared twice: give one another Name", label, k.Name))
			}
			if k.Name == other.Name+"-refresh" || other.Name == k.Name+"-refresh" {
				problems = append(problems, fmt.Sprintf("%s: the cookies of the kinds %q and %q would meet: give one another Name", label, k.Name, other.Name))
			}
			for _, problem := range k.ShareProblems(other.Kind.Kind) {
				problems = append(problems, label+": "+problem)
			}
		}
		kinds = append(kinds, k)
	}
	return kinds, problems
}

// publicRoute is an entry of Config.Public.
type publicRoute struct {
	method  string
	pattern string
	fixed   string // what stands before the first parameter, in lower case
}

func newPublicRoutes(entries []string) (routes []publicRoute, problems []string) {
	for i, entry := range entries {
		method, pattern, _ := strings.Cut(entry, " ")
		if !slices.Contains(fiber.DefaultMethods, method) || !strings.HasPrefix(pattern, "/") {
			problems = append(problems, fmt.Sprintf(`Config.Public[%d]: %q is not a route: write it like "GET /assets/*", the method in capitals`, i, entry))
			continue
		}
		if strings.ContainsAny(pattern, "<>") {
			// Fiber's matching by pattern folds the case of values, its router does
			// not: a constraint would open more than the route.
			problems = append(problems, fmt.Sprintf("Config.Public[%d]: %q has a constraint, which cannot be matched here as the router does: use Config.Next, or register the route above the middleware", i, entry))
			continue
		}
		// The router panics on a pattern that it cannot read.
		if err := fault.Recover(func() error { fiber.RoutePatternMatch("/", pattern); return nil }); err != nil {
			problems = append(problems, fmt.Sprintf("Config.Public[%d]: %q has a pattern that Fiber's router cannot read", i, entry))
			continue
		}
		routes = append(routes, publicRoute{method, pattern, strings.ToLower(fixedPart(pattern))})
	}
	return routes, problems
}

// fixedPart is what stands before the first parameter of a pattern, without slashes
// at its end.
func fixedPart(pattern string) string {
	if end := strings.IndexAny(pattern, ":*+\\"); end >= 0 {
		pattern = pattern[:end]
	}
	return strings.TrimRight(pattern, "/")
}

// matches by the rules of the application's own router.
func (p publicRoute) matches(c *fiber.Ctx) bool {
	method := c.Method()
	if method != p.method && (method != fiber.MethodHead || p.method != fiber.MethodGet) {
		return false
	}
	path := c.Path()
	if len(path) < len(p.fixed) || !strings.EqualFold(path[:len(p.fixed)], p.fixed) {
		return false // what the router says at last, but cheaper
	}
	rules := c.App().Config()
	if !rules.StrictRouting && len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	// The router takes neither "" nor "//" for "/".
	return path != "" && !dotted(path) && fiber.RoutePatternMatch(path, p.pattern, rules)
}

// dotted: a segment is "." or "..", in any spelling. A handler that takes the
// path for the name of a file resolves it, as Static does, and leaves what the
// pattern names.
func dotted(path string) bool {
	for segment := range strings.SplitSeq(unescaped.Replace(path), "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

var unescaped = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", `\`, "/")

// joinProblems makes one error of all, nil of none.
func joinProblems(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return errors.New("fiberjwt: " + inOne("the Config", problems))
}

// inOne is the text of one problem or of many.
func inOne(whose string, problems []string) string {
	if len(problems) == 1 {
		return problems[0]
	}
	return fmt.Sprintf("%s has %d problems:\n  - %s", whose, len(problems), strings.Join(problems, "\n  - "))
}
