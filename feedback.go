package fiberjwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/admission"
	"github.com/fiberjwt/fiberjwt/session"
)

// journal logs what a client must not see, for the operator, with a hint how to
// fix it where one is known. What a client or an outage can repeat with every
// request is logged at most once a minute for each cause; the attribute count is
// the number of times since the last such line. Safe for concurrent use.
type journal struct {
	logger *slog.Logger
	now    func() time.Time

	// unavailable is apart from broken, so that a flood of different panics
	// cannot hide an outage.
	unavailable rarelyEach // responses with ErrUnavailable
	broken      rarelyEach // all other 5xx responses
	rows        rarelyEach // registrations that a table refused
	hashes      rarelyEach // hashes that a table does not keep, by kind
	asserts     rarelyEach // handlers that assert a wrong account, by kind
	replacing   rarelyEach // sessions of another account with the same key, by kind
	hints       rarelyEach // what may be mistakes of the application, by message

	cookies sync.Once
	naked   sync.Once
	mounted sync.Once
	paths   sync.Once

	busy  rarely // sign-ins that were refused
	hooks rarely // panics of Config.OnEvent
	apart rarely // refreshes and tokens that show clocks which differ

	unknown rarely // sign-ins from an address that is not known
	left    rarely // sessions that could not be ended
	none    rarely // registrations without a session
	unswept rarely // rounds of the pruner that failed
}

// rarely bounds how often a flood is written down, to once a minute: the lines
// themselves would be the next flood.
type rarely struct {
	mu     sync.Mutex
	count  int       // since the last line
	nextAt time.Time // when the next may be written
}

// another says how many there were since the last line, if it is time for one.
func (r *rarely) another(now time.Time) (count int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	// A time that is too far off was set before the clock was put back.
	if now.Before(r.nextAt) && r.nextAt.Sub(now) <= time.Minute {
		return 0, false
	}
	count, r.count, r.nextAt = r.count, 0, now.Add(time.Minute)
	return count, true
}

// causesApart is how many causes a rarelyEach tells apart.
const causesApart = 16

// rarelyEach is a rarely for each cause. Its size is bounded, because the text
// of an error may be different in every request: when it is full, all further
// causes share one rarely. The zero value is ready to use.
type rarelyEach struct {
	mu     sync.Mutex
	causes map[string]*rarely // at most causesApart
	others rarely             // shared
}

// another counts one occurrence of cause. If it is time for the next line about
// cause, it returns the number of occurrences since the last one.
func (r *rarelyEach) another(cause string, now time.Time) (count int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limit(cause, now).another(now)
}

func (r *rarelyEach) limit(cause string, now time.Time) *rarely {
	if known := r.causes[cause]; known != nil {
		return known
	}
	if len(r.causes) == causesApart {
		r.makeRoom(now)
	}
	if len(r.causes) == causesApart {
		return &r.others
	}
	if r.causes == nil {
		r.causes = map[string]*rarely{}
	}
	r.causes[cause] = &rarely{}
	return r.causes[cause]
}

// makeRoom forgets the causes whose minute is over; if it forgot others too, a
// flood of different causes could log more lines than there is room for.
// Occurrences that are in no line yet are counted with the others.
func (r *rarelyEach) makeRoom(now time.Time) {
	maps.DeleteFunc(r.causes, func(_ string, old *rarely) bool {
		over := !now.Before(old.nextAt)
		if over {
			r.others.count += old.count
		}
		return over
	})
}

// clocksApart is how far clocks may differ at a refresh before that is logged. It is
// far below token.ClockSkew, so that there is time to do something.
const clocksApart = 5 * time.Second

// failed logs a 5xx response. The line has the latest error of its cause.
func (j *journal) failed(c *fiber.Ctx, e *Error) {
	if errors.Is(e, admission.ErrBusy) {
		j.hashBusy(c, e)
		return
	}
	mend := remedy(e)
	limits, cause := &j.broken, brief(rootCause(e).Error())
	if errors.Is(e, ErrUnavailable) {
		// Not by the text of the error: it may contain what clients sent.
		limits, cause = &j.unavailable, typeOf(rootCause(e))+" "+mend
	}
	count, due := limits.another(fmt.Sprint(e.Status, " ", cause), j.now())
	if !due {
		return
	}
	attributes := append([]slog.Attr{slog.Int("status", e.Status), slog.Int("count", count)}, whereabouts(c, e.kind)...)
	attributes = append(attributes, slog.Any("error", e))
	if mend != "" {
		attributes = append(attributes, slog.String("mend", mend))
	}
	j.logger.LogAttrs(c.UserContext(), slog.LevelError, "fiberjwt: request failed", attributes...)
}

// whereabouts of a request in the application's own words: not one byte is the client's.
func whereabouts(c *fiber.Ctx, kind string) (attributes []slog.Attr) {
	for _, known := range [...]struct{ name, value string }{{"method", strings.Clone(c.Method())}, {"route", routeOf(c)}, {"kind", kind}} {
		if known.value != "" {
			attributes = append(attributes, slog.String(known.name, known.value))
		}
	}
	return attributes
}

// routeOf is the pattern of the route that takes the request, "" if none does.
// c.Route() does not say it before that route runs. A pattern that takes every
// path comes last: it is a middleware, or what answers when nothing else does.
func routeOf(c *fiber.Ctx) (pattern string) {
	rules, path := c.App().Config(), c.Path()
	if !rules.StrictRouting && len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	method := slices.Index(rules.RequestMethods, c.Method())
	if method < 0 {
		return ""
	}
	for _, route := range c.App().Stack()[method] {
		fixed := fixedPart(route.Path) // to compare it is cheap, and clients can ask for paths that no route takes
		if len(path) < len(fixed) || !strings.EqualFold(path[:len(fixed)], fixed) || !fiber.RoutePatternMatch(path, route.Path, rules) {
			continue
		}
		if pattern = route.Path; pattern != "*" && pattern != "/*" {
			break
		}
	}
	return pattern
}

// brief is the first line of the text of an error, at most 200 bytes of it. After
// the first line of a panic comes its stack, which is different for each goroutine.
func brief(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 200)]
}

// typeOf is the type of the innermost error that err wraps.
func typeOf(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}

// refusedRow warns of a registration that the table does not take: its 422 cannot
// say which member is wrong, if one is. It also warns of one that the table takes
// though it should not. What clients sent stays out of the log.
func (j *journal) refusedRow(ctx context.Context, k *kind, err error) {
	cause := rootCause(err)
	reason := cause.Error()
	var changed *notKept
	switch broken := constraintOf(cause); {
	case errors.Is(err, ErrTaken) && errors.As(err, &changed):
		j.hint(ctx, "a registration is refused because another account has its identity, which no unique index keeps apart; it is answered 409",
			"give the column a unique index, as Auth.Check says: without one, two registrations at once are both stored, and neither account can sign in", slog.String("kind", k.name))
		return
	case !errors.Is(err, ErrFields):
		return
	case errors.As(err, &changed):
	case broken == noConstraint:
		return
	case broken == raised:
		reason = "a trigger raised an error"
	case broken == refusedValue:
		reason = "a value is not of its column's type, or too long"
	}
	count, due := j.rows.another(k.name+" "+brief(reason), j.now())
	if !due {
		return
	}
	j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the table refuses the row of a registration; it is answered 422",
		slog.String("kind", k.name), slog.Int("count", count), slog.String("error", reason),
		slog.String("mend", "if a column that Fillable or Register does not set breaks a constraint, set it there or give it a default; if it is one that clients fill, check it in Register; the column of the hash needs VARCHAR(255) or TEXT"))
}

// oldHash warns that a sign-in could not replace the hash of an old kind, which
// still works. If the database is away, the lines of refused requests say so.
func (j *journal) oldHash(ctx context.Context, k *kind, err error) {
	if refusal(err).Status == ErrUnavailable.Status {
		return
	}
	if count, due := j.hashes.another(k.name, j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the hash of a password could not be replaced by a stronger one; the old one stays",
			slog.String("kind", k.name), slog.Int("count", count), slog.Any("error", refusal(err)))
	}
}

// leftAccount logs that the row of a registration that failed could not be
// deleted. Each is named, since only the operator can delete it.
func (j *journal) leftAccount(ctx context.Context, k *kind, row any, err error) {
	subject, _ := k.subject(row)
	j.logger.LogAttrs(ctx, slog.LevelError, "fiberjwt: the row of a registration that failed could not be deleted",
		slog.String("kind", k.name), slog.String("subject", subject), slog.Any("error", refusal(err)),
		slog.String("mend", "delete the row; until then another registration with its identity is 409"))
}

// hashBusy warns of sign-ins that were refused because the hasher is full.
func (j *journal) hashBusy(c *fiber.Ctx, e *Error) {
	if count, due := j.busy.another(j.now()); due {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: too many passwords are being hashed; sign-ins are answered 503",
			append(whereabouts(c, e.kind), slog.Int("count", count), slog.String("mend", "if this is no attack, give the process more processors or lower Config.Password; if it is, put a limiter above the built-in routes"))...)
	}
}

// clocks warns that the clock of this process is behind the one that judged a
// refresh or issued a token, or ahead of it if behind is negative.
func (j *journal) clocks(ctx context.Context, behind time.Duration) {
	if count, due := j.apart.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the clock of this process differs from that of the store or of another server",
			slog.Int("count", count), slog.Duration("by", behind), slog.String("mend", "keep the clocks of all servers and of the store together by NTP; further apart than 60 s, access tokens that were issued elsewhere are refused, and Config.CacheTTL may miss the end of a session"))
	}
}

// noAddress warns that throttling by address counts strangers together.
func (j *journal) noAddress(c *fiber.Ctx) {
	if count, due := j.unknown.another(j.now()); due {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: the address of clients is not known; they share one limit of failed sign-ins",
			slog.Int("count", count), slog.String("mend", "let the proxy in front set one header to the client's address, and name it in fiber.Config.ProxyHeader, with EnableTrustedProxyCheck and TrustedProxies"))
	}
}

// leftSession logs that a session could not be ended. No client can use it.
func (j *journal) leftSession(ctx context.Context, err error) {
	if count, due := j.left.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelError, "fiberjwt: the session of an account that has to wait could not be ended; no client has its tokens",
			slog.Int("count", count), slog.Any("error", refusal(err)))
	}
}

// notPruned logs that rows which are over could not be deleted.
func (j *journal) notPruned(err error) {
	if count, due := j.unswept.another(j.now()); due {
		j.logger.LogAttrs(context.Background(), slog.LevelWarn, "fiberjwt: sessions and failed sign-ins that are over could not be deleted; the next try is in an hour",
			slog.Int("count", count), slog.Any("error", refusal(err)), slog.String("mend", cmp.Or(remedy(err), "if the database user may not delete, grant it that; or set Config.ManualPrune and call Auth.Prune in a job")))
	}
}

// noSession logs that a registration has no session, because the store elsewhere
// failed. If the sessions of a former account of the same key may go on, each such
// account is named, since only the operator can end them.
func (j *journal) noSession(ctx context.Context, row session.Row, former bool, err error) {
	attributes := []slog.Attr{slog.String("kind", row.Kind), slog.String("subject", row.Subject), slog.Any("error", refusal(err))}
	if former {
		j.logger.LogAttrs(ctx, slog.LevelError, "fiberjwt: an account is registered without a session; sessions of an earlier account with its key may go on",
			append(attributes, slog.String("mend", "call Auth.RevokeAll for it"))...)
		return
	}
	if count, due := j.none.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelError, "fiberjwt: an account is registered without a session", append(attributes, slog.Int("count", count))...)
	}
}

// uncached warns that Config.CacheTTL does nothing for a kind.
func (j *journal) uncached(k *kind) {
	j.logger.LogAttrs(context.Background(), slog.LevelWarn, "fiberjwt: accounts of this kind are not cached, because their model has a hook that gets the context of the request",
		slog.String("kind", k.name), slog.String("hook", k.selectHook),
		slog.String("mend", "if the hook must run, leave it so; what it decides can also be decided in Entity.Allow, which is asked on every request, with the cache too"))
}

// replaced logs that a session was refused because its account is another one by
// now, or has changed in a column that tells accounts apart.
func (j *journal) replaced(ctx context.Context, k *kind) {
	count, due := j.replacing.another(k.name, j.now())
	if !due {
		return
	}
	columns := make([]string, len(k.telling))
	for i, field := range k.telling {
		columns[i] = field.Name
	}
	j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: a session was refused because its account has other values in the columns that tell it from an earlier account with the same key",
		slog.String("kind", k.name), slog.String("columns", strings.Join(columns, ", ")), slog.Int("count", count),
		slog.String("mend", "this is right after an account was deleted and its key was given again; if it is the same account, name a column that never changes in Entity.Identity, or call Login again after the change"))
}

// eventPanicked logs a panic of Config.OnEvent: clients can cause events by
// invalid tokens.
func (j *journal) eventPanicked(ctx context.Context, err error) {
	if count, due := j.hooks.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelError, "fiberjwt: Config.OnEvent panicked", slog.Int("count", count), slog.Any("error", err))
	}
}

// plainHTTP warns once that a browser will not keep our cookies. Sec-Fetch-Site
// is sent to https and to localhost only, where it does keep them.
func (j *journal) plainHTTP(c *fiber.Ctx) {
	if c.Protocol() == "https" || len(c.Request().Header.Peek("Sec-Fetch-Site")) > 0 ||
		strings.HasPrefix(borrow(c.Request().Header.Peek(fiber.HeaderOrigin)), "https://") {
		return
	}
	j.cookies.Do(func() {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: browsers refuse Secure cookies that come over plain http",
			slog.String("mend", "for development set Config.Cookie.Insecure; in production serve https, and if TLS ends at a proxy let it send X-Forwarded-Proto: https"))
	})
}

// insecure warns once that cookies go out without Secure where https is spoken.
func (j *journal) insecure(c *fiber.Ctx) {
	if c.Protocol() != "https" && !strings.HasPrefix(borrow(c.Request().Header.Peek(fiber.HeaderOrigin)), "https://") {
		return
	}
	j.naked.Do(func() {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: Config.Cookie.Insecure is set, and requests come over https",
			slog.String("mend", "leave Cookie.Insecure out where https is served: without Secure, whoever is on the network of a client can take its session over"))
	})
}

// elsewhere warns once that a built-in route, which this request is on, is not
// where its refresh cookie goes: a mounted app does not know its prefix.
func (j *journal) elsewhere(c *fiber.Ctx, n cookieNames) {
	at := c.Path() // the router may fold its case
	if len(at) >= len(n.path) && strings.EqualFold(at[:len(n.path)], n.path) || len(c.Response().Header.PeekCookie(n.refresh)) == 0 {
		return
	}
	j.paths.Do(func() {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: browsers will not send the refresh cookies to the built-in routes, which are at another path",
			slog.String("path", n.path), slog.String("mend", "set Config.Cookie.Path to what browsers see in front of the routes' /{kind}, with the prefix that their app is mounted at"))
	})
}

// below warns once that built-in routes stand below the middleware.
func (j *journal) below(c *fiber.Ctx) {
	j.mounted.Do(func() {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: the built-in routes stand below the middleware, so nobody can sign in",
			slog.String("mend", "set Config.Routes, or call Auth.Mount before app.Use(auth.Handler())"))
	})
}

// asserted logs which mistake of a handler caused a panic. The panic goes on; if
// the application recovers it, clients can repeat it.
func (j *journal) asserted(c *fiber.Ctx, kind string) {
	count, due := j.asserts.another(kind, j.now())
	if !due {
		return
	}
	j.logger.LogAttrs(c.UserContext(), slog.LevelError, "fiberjwt: a handler asserts an account that is not under the name it looks at",
		slog.Int("count", count), slog.String("mend", `the account of this kind is c.Locals("`+kind+`"); fiberjwt.As cannot be wrong about it`))
}

// hint warns of what looks like a mistake of the application, and says how to
// mend it. Clients can cause it, so neither text contains anything of theirs.
func (j *journal) hint(ctx context.Context, message, mend string, attributes ...slog.Attr) {
	if count, due := j.hints.another(fmt.Sprint(message, attributes), j.now()); due {
		attributes = append(attributes, slog.Int("count", count), slog.String("mend", mend))
		j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: "+message, attributes...)
	}
}

// remedy says how to mend the cause of a failure, "" if that is not known.
func remedy(err error) string {
	var lock *waited
	if errors.As(err, &lock) {
		return waitedHint
	}
	cause := rootCause(err)
	switch missing(cause) {
	case missingTable:
		if text := cause.Error(); strings.Contains(text, "fiberjwt_sessions") || strings.Contains(text, "fiberjwt_throttle") {
			return "a table of the library is missing: call fiberjwt.Migrate(ctx, db) at every start"
		}
		return "a table of Config.Entities is missing: create it before the first request"
	case missingColumn:
		return "a column is missing: bring the tables of Config.Entities up to their models, and call fiberjwt.Migrate(ctx, db) at start"
	}
	return ""
}
