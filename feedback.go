package fiberjwt

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// journal tells the operator what a client must not see: each fault in one
// line, with the way to mend it where that is known. Safe for concurrent use.
type journal struct {
	logger *slog.Logger
	now    func() time.Time

	cookies sync.Once
	mounted sync.Once
	paths   sync.Once

	busy   rarely // sign-ins that were refused
	hooks  rarely // panics of Config.OnEvent
	behind rarely // refreshes and new tokens that a clock is behind of
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
	if now.Before(r.nextAt) {
		return 0, false
	}
	count, r.count, r.nextAt = r.count, 0, now.Add(time.Minute)
	return count, true
}

// clocksApart is how far clocks differ at a refresh without a word.
const clocksApart = 5 * time.Second

// failed is for an answer of 5xx.
func (j *journal) failed(c *fiber.Ctx, e *Error) {
	if errors.Is(e, errHashBusy) {
		j.hashBusy(c)
		return
	}
	attributes := []slog.Attr{slog.Int("status", e.Status), slog.Any("error", e)}
	if mend := remedy(e); mend != "" {
		attributes = append(attributes, slog.String("mend", mend))
	}
	j.logger.LogAttrs(c.UserContext(), slog.LevelError, "fiberjwt: request failed", attributes...)
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
	j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the table refuses the row of a registration; it is answered 422 without fields",
		slog.String("kind", k.name), slog.String("error", reason),
		slog.String("mend", "if a column that Fillable or Register does not set breaks a constraint, set it there or give it a default; if it is one that clients fill, check it in Register"))
}

// hashBusy counts what is refused without a line.
func (j *journal) hashBusy(c *fiber.Ctx) {
	if refused, due := j.busy.another(j.now()); due {
		j.logger.LogAttrs(c.UserContext(), slog.LevelWarn, "fiberjwt: too many passwords are being hashed; sign-ins are answered 503",
			slog.Int("refused", refused), slog.String("mend", "if this is no attack, give the process more processors or lower Config.Password; if it is, put a limiter above the built-in routes"))
	}
}

// clocks warns that a session was refreshed in the future, by another process,
// or that a token was issued there: see docs/sessions.md for what clocks that differ by more than 20 s do.
func (j *journal) clocks(ctx context.Context, ahead time.Duration) {
	if _, due := j.behind.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelWarn, "fiberjwt: the clock of this process is behind that of another, or was put back",
			slog.Duration("by", ahead), slog.String("mend", "keep the clocks of all servers together by NTP; when they are further apart than Config.Leeway, new access tokens are refused, and from 20 s people are signed out"))
	}
}

// eventPanicked counts too: whoever sends bad tokens makes events.
func (j *journal) eventPanicked(ctx context.Context, err error) {
	if panics, due := j.hooks.another(j.now()); due {
		j.logger.LogAttrs(ctx, slog.LevelError, "fiberjwt: Config.OnEvent panicked", slog.Int("times", panics), slog.Any("error", err))
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

// asserted tells what a handler did that is about to end the process.
func (j *journal) asserted(c *fiber.Ctx, kind string) {
	j.logger.LogAttrs(c.UserContext(), slog.LevelError, "fiberjwt: a handler asserts an account that is not under the name it looks at",
		slog.String("mend", `the account of this kind is c.Locals("`+kind+`"); fiberjwt.As cannot be wrong about it`))
}

// remedy says how to mend the cause of a failure, "" if that is not known.
func remedy(err error) string {
	cause := rootCause(err)
	switch missing(cause) {
	case missingTable:
		if text := cause.Error(); strings.Contains(text, "fiberjwt_sessions") || strings.Contains(text, "fiberjwt_attempts") {
			return "a table of the library is missing: call fiberjwt.Migrate(ctx, db) at every start"
		}
		return "a table of Config.Entities is missing: create it before the first request"
	case missingColumn:
		return "a column is missing: bring the tables of Config.Entities up to their models, and call fiberjwt.Migrate(ctx, db) at start"
	}
	return ""
}
