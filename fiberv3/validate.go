// Code generated from ../validate.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/origin"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/session"
)

// parts are what [Open] makes of fields of a Config.
type parts struct {
	kinds   []*kind
	public  []publicRoute
	origins origin.Trusted
}

// validate returns all problems of a Config that has its defaults, and its parts if there
// are none.
func (cfg Config) validate() (p parts, problems []fault.Problem) {
	var wrong []fault.Problem
	problems = cfg.problems()
	p.kinds, wrong = cfg.openKinds()
	problems = append(problems, wrong...)
	problems = append(problems, cfg.issuerProblems(p.kinds)...)
	problems = append(problems, cfg.oldTokenProblems(p.kinds)...)
	p.public, wrong = newPublicRoutes(cfg.Public)
	problems = append(problems, wrong...)
	p.origins, wrong = origin.New(cfg.TrustedOrigins)
	problems = append(problems, wrong...)
	_, wrong = cfg.Cookie.pathOf(cfg.Routes)
	return p, append(problems, wrong...)
}

// problems returns the problems of single fields that need no kinds.
func (cfg Config) problems() (problems []fault.Problem) {
	problems = append(problems, cfg.secretProblems()...)
	problems = append(problems, cfg.keyProblems()...)
	problems = append(problems, cfg.storeProblems()...)
	problems = append(problems, cfg.sessionProblems()...)
	problems = append(problems, cfg.Extractor.problems()...)
	problems = append(problems, cfg.transportProblems()...)
	problems = append(problems, cfg.Refresh.problems()...)
	problems = append(problems, password.Settings(cfg.Password).Problems()...)
	if cfg.Leeway < 0 || cfg.Leeway > time.Minute {
		problems = append(problems, fault.NewProblem("Config.Leeway", fmt.Sprintf("%v is not between 0 and 60 s", cfg.Leeway), "give a time in this range, or leave it out for the default of 5 s"))
	}
	if slices.Contains(cfg.Audience, "") {
		problems = append(problems, fault.NewProblem("Config.Audience", "has an empty name", "remove it"))
	}
	if slices.Contains(cfg.RequiredClaims, "") {
		problems = append(problems, fault.NewProblem("Config.RequiredClaims", "has an empty name, which no token has", "remove it"))
	}
	return append(problems, cfg.timeoutProblems()...)
}

// leastTimeout is far below the time of any query. A shorter timeout is one that was set
// without a unit.
const leastTimeout = 100 * time.Microsecond

// timeoutProblems refuses timeouts without a unit, and timeouts above Refresh.Rearm: a
// client that has waited for that long has given up and does not read the response.
func (cfg Config) timeoutProblems() (problems []fault.Problem) {
	for _, timeout := range []struct {
		name, usual string
		set         time.Duration
	}{{"ReadTimeout", "2 s", cfg.ReadTimeout}, {"WriteTimeout", "5 s", cfg.WriteTimeout}} {
		if timeout.set < leastTimeout {
			problems = append(problems, fault.NewProblem("Config."+timeout.name, fmt.Sprintf("%v is too short for any query", timeout.set), "give a unit, as in 2 * time.Second, or leave it out for the default of "+timeout.usual))
		}
		if timeout.set > cfg.Refresh.Rearm {
			problems = append(problems, fault.NewProblem("Config."+timeout.name, fmt.Sprintf("%v is longer than Refresh.Rearm, %v, and clients do not wait that long", timeout.set, cfg.Refresh.Rearm),
				"lower it, or leave it out for the default of "+timeout.usual))
		}
	}
	return problems
}

func (cfg Config) secretProblems() (problems []fault.Problem) {
	if others := cfg.Keys != nil || len(cfg.TrustedIssuers) > 0; len(cfg.Secret) == 0 && others && len(cfg.Entities) == 0 && len(cfg.OldSecrets) == 0 {
		return nil // the service only verifies tokens
	}
	if err := cfg.Secret.Check(); err != nil {
		problems = append(problems, fault.ParseProblem("Config.Secret", err.Error()))
	}
	for i, old := range cfg.OldSecrets {
		// A text that was used together with the newline of its file still verifies with
		// it. Bytes that are not text, such as a key in DER, may end in a byte that is
		// white space in a text.
		trimmed := keys.Secret(bytes.TrimSpace(old))
		text := !bytes.ContainsFunc(trimmed, func(r rune) bool { return r < ' ' || r > '~' })
		if len(trimmed) < len(old) && text && trimmed.Check() == nil {
			continue
		}
		if err := old.Check(); err != nil {
			problems = append(problems, fault.ParseProblem(fmt.Sprintf("Config.OldSecrets[%d]", i), err.Error()))
		}
	}
	return problems
}

func (cfg Config) keyProblems() []fault.Problem {
	if cfg.Keys == nil {
		return nil
	}
	if problems := sourceProblems("Config.Keys", cfg.Keys); len(problems) > 0 {
		return problems
	}
	if source, ok := cfg.Keys.(interface{ Symmetric() bool }); ok && source.Symmetric() {
		return []fault.Problem{fault.NewProblem("Config.Keys", "gives shared secrets", "give yours as Config.Secret, and no Keys, or those of others in TrustedIssuers")}
	}
	set, ok := cfg.Keys.(*keys.Set)
	if !ok {
		if len(cfg.Entities) > 0 {
			return []fault.Problem{fault.NewProblem("Config.Keys", "only verifies, but Entities sign", "give a *keys.Set with a private key")}
		}
		return nil
	}
	for _, k := range set.All() {
		if k.Symmetric() {
			return []fault.Problem{fault.NewProblem("Config.Keys", "has a shared secret", "give that as Config.Secret, and no Keys")}
		}
	}
	if _, signs := set.Signer(); !signs && len(cfg.Entities) > 0 {
		return []fault.Problem{fault.NewProblem("Config.Keys", "has only public keys, but Entities sign", "give keys.NewSet a private key")}
	}
	return nil
}

// sourceProblems returns why source cannot supply keys; field names the setting.
func sourceProblems(field string, source keys.Source) []fault.Problem {
	if v := reflect.ValueOf(source); v.Kind() == reflect.Pointer && v.IsNil() {
		return []fault.Problem{fault.NewProblem(field, "is nil", "look at the error of the function that made it")}
	}
	if source, ok := source.(interface{ Check() error }); ok {
		if err := source.Check(); err != nil {
			return []fault.Problem{fault.ParseProblem(field, strings.TrimPrefix(err.Error(), "keys: "))}
		}
	}
	return nil
}

func (cfg Config) storeProblems() (problems []fault.Problem) {
	if cfg.DB == nil && len(cfg.Entities) > 0 {
		problems = append(problems, fault.NewProblem("Config.DB", "is nil, but Entities need it", "give the *bun.DB with their tables"))
	}
	if cfg.DB != nil && len(cfg.Entities) == 0 {
		problems = append(problems, fault.NewProblem("Config.Entities", "is empty", "declare a kind of account, such as fiberjwt.Entity[User]{}"))
	}
	if cfg.Routes != nil && len(cfg.Entities) == 0 {
		problems = append(problems, fault.NewProblem("Config.Routes", "is set, but without Entities no account can sign in", "declare a kind of account, such as fiberjwt.Entity[User]{}, or remove Routes"))
	}
	const sessionless, remedy = "is set, but without DB and Entities there are no sessions", "remove it, or give DB and Entities"
	if cfg.DB == nil && len(cfg.Entities) == 0 && cfg.Store != nil {
		problems = append(problems, fault.NewProblem("Config.Store", sessionless, remedy))
	}
	if cfg.DB == nil && len(cfg.Entities) == 0 && cfg.CacheTTL != 0 {
		problems = append(problems, fault.NewProblem("Config.CacheTTL", sessionless, remedy))
	}
	return problems
}

func (cfg Config) sessionProblems() (problems []fault.Problem) {
	if v := reflect.ValueOf(cfg.Store); v.Kind() == reflect.Pointer && v.IsNil() {
		problems = append(problems, fault.NewProblem("Config.Store", "is a nil pointer", "look at the error of the function that made it, or leave it out"))
	}
	if cfg.CacheTTL < 0 || cfg.CacheTTL > time.Hour {
		problems = append(problems, fault.NewProblem("Config.CacheTTL", fmt.Sprintf("%v is not between 0 and 1 h", cfg.CacheTTL), "give a time in this range, or leave it out for no cache"))
	}
	if _, ok := cfg.Store.(session.Revocations); cfg.CacheTTL > 0 && cfg.Store != nil && !ok {
		problems = append(problems, fault.NewProblem("Config.CacheTTL", "the store in Config.Store does not report revocations (RevokedSince), so nothing can be cached", "remove it, or use a store that implements session.Revocations"))
	}
	if _, ok := cfg.Store.(session.Slider); cfg.Cookie.Sliding && (cfg.Store != nil && !ok || cfg.DB == nil) {
		problems = append(problems, fault.NewProblem("Config.Cookie.Sliding", "there is no store of sessions that can prolong them (Slide)", "remove it, or use a store that implements session.Slider"))
	}
	if cfg.CacheTTL > 0 && cfg.ReadTimeout+cfg.WriteTimeout > 3*time.Minute {
		// A store keeps revocations for ten minutes, see session.Revocations.
		problems = append(problems, fault.NewProblem("Config.ReadTimeout", "is more than 3 min together with WriteTimeout, which is too long for Config.CacheTTL", "lower one of them, or remove CacheTTL"))
	}
	return problems
}

func (cfg Config) transportProblems() (problems []fault.Problem) {
	for i, transport := range cfg.Transports {
		if transport != TransportBody && transport != TransportCookie {
			problems = append(problems, fault.NewProblem(fmt.Sprintf("Config.Transports[%d]", i), fmt.Sprintf("%q is not a transport", transport), "use TransportBody or TransportCookie"))
		}
	}
	const addCookies = "add TransportCookie to Config.Transports"
	setsCookies := slices.Contains(cfg.Transports, TransportCookie)
	if cfg.ServeClient && !setsCookies {
		problems = append(problems, fault.NewProblem("Config.ServeClient", "the client keeps its tokens in cookies", addCookies))
	}
	const unread, addExtractor = "the tokens are in the kinds' own cookies", `add FromCookie(""), which reads those of every kind, to the Chain of Config.Extractor`
	if cfg.ServeClient && !cfg.Extractor.readsOwnCookies() {
		problems = append(problems, fault.NewProblem("Config.ServeClient", unread, addExtractor))
	}
	if cfg.Cookie.Sliding && !cfg.Extractor.readsOwnCookies() {
		problems = append(problems, fault.NewProblem("Config.Cookie.Sliding", unread, addExtractor))
	}
	if cfg.Cookie.RefreshEverywhere && !setsCookies {
		problems = append(problems, fault.NewProblem("Config.Cookie.RefreshEverywhere", "there are no cookies", addCookies))
	}
	return append(problems, cfg.Cookie.problems()...)
}

func (s Cookie) problems() (problems []fault.Problem) {
	if !validNamespace(s.Namespace) {
		problems = append(problems, fault.NewProblem("Config.Cookie.Namespace", fmt.Sprintf("%q cannot be part of a cookie's name", s.Namespace), `use letters, digits and "-", at most 32`))
	}
	if s.Path != "" && (!strings.HasPrefix(s.Path, "/") || !plainPath(s.Path)) {
		problems = append(problems, fault.NewProblem("Config.Cookie.Path", fmt.Sprintf("%q is not a path", s.Path), "write it like /auth, without parameters"))
	}
	return problems
}

func validNamespace(name string) bool {
	const plain = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return len(name) <= 32 && strings.Trim(name, plain) == ""
}

// plainPath reports whether a path can be the Path attribute of a cookie: it has no
// parameter of a route, and no character that ends an attribute (RFC 6265bis §4.1.1).
func plainPath(path string) bool {
	for i := range len(path) {
		b := path[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`;,:*+?"\`, b) >= 0 {
			return false
		}
	}
	return true
}

// openKinds returns the kinds of Config.Entities. Two kinds must not have the same name,
// model or cookies.
func (cfg Config) openKinds() (kinds []*kind, problems []fault.Problem) {
	for i, entity := range cfg.Entities {
		if entity == nil || reflect.ValueOf(entity).Kind() == reflect.Pointer && reflect.ValueOf(entity).IsNil() {
			problems = append(problems, fault.NewProblem(fmt.Sprintf("Config.Entities[%d]", i), "is nil", "give an Entity, or remove it"))
			continue
		}
		k, wrong := entity.open(cfg.DB)
		wrong = append(wrong, k.timeProblems(cfg.Refresh)...)
		label := fmt.Sprintf("Config.Entities[%d] (%s)", i, k.Label)
		problems = append(problems, fault.Within(label, wrong)...)
		for _, other := range kinds {
			if k.Name != "" && other.Name == k.Name {
				problems = append(problems, fault.NewProblem(label, fmt.Sprintf("the kind %q is declared twice", k.Name), "give one of them another Name"))
			}
			if k.Name == other.Name+"-refresh" || other.Name == k.Name+"-refresh" {
				problems = append(problems, fault.NewProblem(label, fmt.Sprintf("the kinds %q and %q would have a cookie of the same name", k.Name, other.Name), "give one of them another Name"))
			}
			problems = append(problems, fault.Within(label, k.ShareProblems(other.Kind.Kind))...)
		}
		kinds = append(kinds, k)
	}
	return kinds, problems
}

// The limits of Timeout and Rearm. They also keep sums of times from overflowing.
const (
	longestRefresh = time.Hour
	longestRearm   = 24 * time.Hour
)

// problems returns what is wrong with r, which has its defaults.
func (r Refresh) problems() []fault.Problem {
	var problems []fault.Problem
	if r.Timeout < leastTimeout || r.Timeout > longestRefresh {
		return []fault.Problem{fault.NewProblem("Config.Refresh.Timeout", fmt.Sprintf("%v is not between 100 µs and 1 h", r.Timeout), "give a unit, as in 10 * time.Second, or leave it out for the default of 10 s")}
	}
	if r.Rearm > longestRearm {
		return []fault.Problem{fault.NewProblem("Config.Refresh.Rearm", fmt.Sprintf("%v is more than a day, and until then a stolen refresh token would be treated like a late one", r.Rearm), "lower it, or leave it out for the default")}
	}
	if r.Grace < 2*r.Timeout {
		problems = append(problems, fault.NewProblem("Config.Refresh.Grace", fmt.Sprintf("%v is less than twice the Timeout of %v, so a slow response would sign users out", r.Grace, r.Timeout), fmt.Sprintf("give %v or more", 2*r.Timeout)))
	}
	if r.Rearm-2*r.Timeout < r.Grace {
		problems = append(problems, fault.NewProblem("Config.Refresh.Rearm", fmt.Sprintf("%v is less than Grace and twice the Timeout together", r.Rearm), fmt.Sprintf("give %v or more", r.Grace+2*r.Timeout)))
	}
	return problems
}

// Check finds problems of the database, and of the store in Config.Store, that Open cannot
// see: in tables, columns and indexes, in settings of the server and of the connection, in
// the clock of the server, and in the library's own tables. Call it at start, after
// [Migrate]. It changes nothing and sends about a dozen statements. Reading the catalog of a
// database can be slow, so the checks of the store and of each table may take 30 s each, or
// Config.ReadTimeout if that is longer. docs/operate/databases.md lists all problems.
//
// Like Open, Check returns a *[ConfigError] with all problems. If a store did not answer, the
// error is ErrUnavailable, with the cause in its text. What the server does not allow Check
// to read is not a problem. Without Entities, Check does nothing.
func (a *Auth) Check(ctx context.Context) error { return publicError(a.checkStores(ctx)) }

func (a *Auth) checkStores(ctx context.Context) error {
	if a.service.Sessions == nil {
		return nil
	}
	var problems []fault.Problem
	for _, part := range a.checks() {
		found, err := part.within(ctx, a)
		if err != nil {
			return checkFailed{part.label, err}
		}
		problems = append(problems, fault.Within(part.label, found)...)
	}
	return configError("the database", problems)
}

// patience is how long a part of Check may take. Some servers open all their tables to read
// the catalog.
const patience = 30 * time.Second

// check is one part of Check.
type check struct {
	label string // the field of the Config
	look  func(ctx context.Context) ([]fault.Problem, error)
}

func (c check) within(ctx context.Context, a *Auth) (problems []fault.Problem, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(patience, a.service.ReadTimeout))
	defer cancel()
	err = fault.Recover(func() (err error) {
		problems, err = c.look(ctx)
		return err
	})
	return problems, err
}

func (a *Auth) checks() (checks []check) {
	checker, checked := a.service.Sessions.Store().(session.Checker)
	if !checked || !a.service.Sessions.BesideAccounts() {
		checks = append(checks, check{"Config.DB", func(ctx context.Context) ([]fault.Problem, error) {
			return dbcheck.Database(ctx, a.service.DB, a.service.MachineClock)
		}})
	}
	if checked {
		label := "Config.Store"
		if a.service.Sessions.BesideAccounts() {
			label = "Config.DB"
		}
		checks = append(checks, check{label, func(ctx context.Context) (problems []fault.Problem, err error) {
			texts, err := checker.Check(ctx, a.service.MachineClock)
			for _, text := range texts {
				problems = append(problems, fault.ParseProblem("", text))
			}
			return problems, err
		}})
	}
	for i, k := range a.kinds {
		checks = append(checks, check{fmt.Sprintf("Config.Entities[%d] (%s)", i, k.Label), func(ctx context.Context) ([]fault.Problem, error) {
			found, known, err := dbcheck.Look(ctx, a.service.DB, k.Table.Name)
			if err != nil || !known {
				return nil, err
			}
			problems := k.Wanted(a.service.Hasher.HashLength()).Faults(found)
			if !found.View {
				return problems, nil
			}
			shared, err := a.viewProblems(ctx, k)
			return append(problems, shared...), err
		}})
	}
	return checks
}

// viewProblems finds kinds that share a table with k, which reads it through a view. Open
// cannot see this, so a call that ends the sessions of a row would not end those of the
// other kind.
func (a *Auth) viewProblems(ctx context.Context, k *kind) (problems []fault.Problem, err error) {
	if len(a.kinds) == 1 {
		return nil, nil
	}
	views, err := dbcheck.ViewsOf(ctx, a.service.DB)
	if err != nil {
		return nil, err
	}
	for _, other := range a.kinds {
		if !slices.Contains(k.Sharing, other.Kind.Kind) && views.Meet(k.Table.Name, other.Table.Name) {
			problems = append(problems, fault.NewProblem("", fmt.Sprintf("the view and the table of kind %q show rows of one table, and a new password in one kind would not end the sessions in the other", other.Name),
				"declare the kind by another type on that table, as in type Admin User, and let Load say which rows are of that kind"))
		}
	}
	return problems, nil
}

// checkFailed is ErrUnavailable with the cause in its text: the developer needs it, and no
// client sees this error.
type checkFailed struct {
	label string
	cause error
}

func (u checkFailed) Error() string {
	return fmt.Sprintf("fiberjwt: %s could not be checked: %v", u.label, rootCause(u.cause))
}

func (u checkFailed) Unwrap() []error { return []error{ErrUnavailable, u.cause} }
