package fiberjwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

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
	asserts     rarelyEach // handlers that assert a wrong account, by kind

	cookies sync.Once
	mounted sync.Once
	paths   sync.Once

	busy   rarely // sign-ins that were refused
	hooks  rarely // panics of Config.OnEvent
	behind rarely // refreshes and new tokens that a clock is behind of

	unknown rarely // sign-ins from an address that is not known
	left    rarely // sessions that could not be ended
	none    rarely // registrations without a session
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

// clocksApart is how far clocks differ at a refresh without a word.
const clocksApart = 5 * time.Second

// failed logs a 5xx response. The line has the latest error of its cause.
func (j *journal) failed(c *fiber.Ctx, e *Error) {
	if errors.Is(e, errHashBusy) {
		j.hashBusy(c)
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
	attributes := []slog.Attr{slog.Int("status", e.Status), slog.Int("count", count), slog.Any("error", e)}
	if mend != "" {
		attributes = append(attributes, slog.String("mend", mend))
	}
	j.logger.LogAttrs(c.UserContext(), slog.LevelError, "fiberjwt: request failed", attributes...)
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
// say which member is wrong, if one is. What clients sent stays out of the log.
func (j *journal) refusedRow(ctx context.Context, k *kind, err error) {
	cause := rootCause(err)
	reason := cause.Error()
	switch broken := constraintOf(cause); {
	case !errors.Is(err, ErrFields) || broken == noConstraint:
		return
	case broken == refusedValue:
		reason = "a value is not of its column's type, or too long"
	}
	count, due := j.rows.another(k.name+" "+brief(reason), j.now())
	if !due {
		return
	}
	j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the table refuses the row of a registration; it is answered 422 without fields",
		slog.String("kind", k.name), slog.Int("count", count), slog.String("error", reason),
		slog.String("mend", "if a column that Fillable or Register does not set breaks a constraint, set it there or give it a default; if it is one that clients fill, check it in Register"))
}

// hashBusy warns of sign-ins that were refused because the hasher is full.
func (j *journal) hashBusy(c *fiber.Ctx) {
	if count, due := j.busy.another(j.now()); due {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: too many passwords are being hashed; sign-ins are answered 503",
			slog.Int("count", count), slog.String("mend", "if this is no attack, give the process more processors or lower Config.Password; if it is, put a limiter above the built-in routes"))
	}
}

// clocks warns that a session was refreshed in the future, by another process,
// or that a token was issued there: see docs/sessions.md for what clocks that differ by more than 20 s do.
func (j *journal) clocks(ctx context.Context, ahead time.Duration) {
	if count, due := j.behind.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the clock of this process is behind that of another, or was put back",
			slog.Int("count", count), slog.Duration("by", ahead), slog.String("mend", "keep the clocks of all servers together by NTP; when they are further apart than Config.Leeway, new access tokens are refused, and from 20 s people are signed out"))
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

// remedy says how to mend the cause of a failure, "" if that is not known.
func remedy(err error) string {
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
