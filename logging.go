package fiberjwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/admission"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/session"
)

// logs writes what a client must not see, for the operator; see package journal.
type logs struct{ *journal.Journal }

// clocksApart is how far clocks may differ at a refresh before that is logged. It is
// far below token.ClockSkew, so that there is time to do something.
const clocksApart = 5 * time.Second

// failed logs a 5xx response. The line has the latest error of its cause.
func (l logs) failed(c *fiber.Ctx, e *Error) {
	if errors.Is(e, admission.ErrBusy) {
		l.hashBusy(c, e)
		return
	}
	line := journal.Line{
		Level: slog.LevelError, Message: "request failed", Hint: remedy(e), Cause: fmt.Sprint(e.Status, " ", fault.Brief(rootCause(e).Error())),
		Attrs: append(append([]slog.Attr{slog.Int("status", e.Status)}, whereabouts(c, e.kind)...), slog.Any("error", e)),
	}
	if errors.Is(e, ErrUnavailable) {
		// These have a topic of their own, so that a flood of different panics cannot hide an
		// outage. The cause is not the text of the error, which may contain what clients sent.
		line.Topic, line.Cause = "unavailable", typeOf(rootCause(e))+" "+line.Hint
	}
	l.Log(c.UserContext(), line)
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

// typeOf is the type of the innermost error that err wraps.
func typeOf(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}

// refusedRow warns of a registration that the table refuses: the 422 cannot say which
// member is wrong, if one is. It also warns of one that the table should refuse and does
// not. What clients sent stays out of the log.
func (l logs) refusedRow(ctx context.Context, k *kind, err error) {
	cause := rootCause(err)
	reason := cause.Error()
	var changed *accounts.NotKept
	switch broken := dberr.ConstraintOf(cause); {
	case errors.Is(err, accounts.ErrTaken) && errors.As(err, &changed):
		l.hint(ctx, "a registration is answered 409 because another account has its identity, but no unique index keeps the two apart",
			"give the column a unique index, as Auth.Check says: without one, two registrations at the same time are both stored, and neither account can sign in", slog.String("kind", k.Name))
		return
	case !errors.Is(err, accounts.ErrRefused):
		return
	case errors.As(err, &changed):
	case broken == dberr.None:
		return
	case broken == dberr.Raised:
		reason = "a trigger raised an error"
	case broken == dberr.RefusedValue:
		reason = "a value is not of its column's type, or too long"
	}
	l.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the table refuses the row of a registration; it is answered 422", Cause: k.Name + " " + fault.Brief(reason),
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("error", reason)},
		Hint:  "if a column that Fillable or Register does not set breaks a constraint, set it there or give it a default; if clients fill it, check it in Register; the column of the hash needs VARCHAR(255) or TEXT",
	})
}

// oldHash warns that a sign-in could not replace an old hash, which still works. If the
// database does not answer, the lines of failed requests say so.
func (l logs) oldHash(ctx context.Context, k *kind, err error) {
	if refusal(err).Status == ErrUnavailable.Status {
		return
	}
	l.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the hash of a password could not be replaced by a stronger one; the old one stays", Cause: k.Name,
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.Any("error", refusal(err))},
	})
}

// leftAccount logs that the row of a failed registration could not be deleted. Each row
// is named, since only the operator can delete it.
func (l logs) leftAccount(ctx context.Context, k *kind, row any, err error) {
	subject, _ := k.Subject(row)
	l.Each(ctx, journal.Line{
		Level: slog.LevelError, Message: "the row of a failed registration could not be deleted",
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("subject", subject), slog.Any("error", refusal(err))},
		Hint:  "delete the row; until then, another registration with its identity is answered 409",
	})
}

// hashBusy warns of sign-ins that were refused because the hasher is full.
func (l logs) hashBusy(c *fiber.Ctx, e *Error) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "too many passwords are being hashed; sign-ins are answered 503", Attrs: whereabouts(c, e.kind),
		Hint: "if this is not an attack, give the process more processors or lower Config.Password; if it is, put a limiter above the built-in routes",
	})
}

// clocks warns that the clock of this process is behind the one that judged a refresh or
// issued a token, or ahead of it if behind is negative.
func (l logs) clocks(ctx context.Context, behind time.Duration) {
	l.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the clock of this process differs from that of the store or of another server", Attrs: []slog.Attr{slog.Duration("by", behind)},
		Hint: "keep the clocks of all servers and of the store together by NTP; if they differ by more than 60 s, access tokens that were issued elsewhere are refused, and Config.CacheTTL may miss the end of a session",
	})
}

// noAddress warns that clients without a known address are counted together.
func (l logs) noAddress(c *fiber.Ctx) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "the address of clients is not known; they share one limit of failed sign-ins",
		Hint: "let the proxy in front set one header to the client's address, and name it in fiber.Config.ProxyHeader, with EnableTrustedProxyCheck and TrustedProxies",
	})
}

// leftSession logs that a session could not be ended. No client can use it.
func (l logs) leftSession(ctx context.Context, err error) {
	l.Log(ctx, journal.Line{
		Level: slog.LevelError, Message: "the session of an account that has to wait could not be ended; no client has its tokens", Attrs: []slog.Attr{slog.Any("error", refusal(err))},
	})
}

// notPruned logs that rows which are over could not be deleted.
func (l logs) notPruned(err error) {
	l.Log(context.Background(), journal.Line{
		Level: slog.LevelWarn, Message: "expired sessions and failed sign-ins could not be deleted; the next try is in an hour", Attrs: []slog.Attr{slog.Any("error", refusal(err))},
		Hint: cmp.Or(remedy(err), "if the database user may not delete, grant it that; or set Config.ManualPrune and call Auth.Prune in a job"),
	})
}

// noSession logs that a registration has no session, because the store elsewhere failed.
// If the sessions of an earlier account with the same key may go on, each such account is
// named, since only the operator can end them.
func (l logs) noSession(ctx context.Context, row session.Row, former bool, err error) {
	line := journal.Line{
		Level: slog.LevelError, Message: "an account is registered without a session",
		Attrs: []slog.Attr{slog.String("kind", row.Kind), slog.String("subject", row.Subject), slog.Any("error", refusal(err))},
	}
	if !former {
		l.Log(ctx, line)
		return
	}
	line.Message += "; sessions of an earlier account with its key may go on"
	line.Hint = "call Auth.RevokeAll for it"
	l.Each(ctx, line)
}

// uncached warns that Config.CacheTTL does nothing for a kind.
func (l logs) uncached(k *kind) {
	l.Each(context.Background(), journal.Line{
		Level: slog.LevelWarn, Message: "accounts of this kind are not cached, because their model has a hook that gets the context of the request",
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("hook", k.SelectHook)},
		Hint:  "if the hook must run, change nothing; what it decides can also be decided in Entity.Allow, which is asked on every request, with the cache too",
	})
}

// replaced logs that a session was refused because its account is another one by now, or
// has changed in a column that tells accounts apart.
func (l logs) replaced(ctx context.Context, k *kind) {
	columns := make([]string, len(k.Telling))
	for i, field := range k.Telling {
		columns[i] = field.Name
	}
	l.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "a session was refused because its account has other values in the columns that tell it from an earlier account with the same key", Cause: k.Name,
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("columns", strings.Join(columns, ", "))},
		Hint:  "this is right after an account was deleted and its key was given again; if it is the same account, name a column that never changes in Entity.Identity, or call Login again after the change",
	})
}

// eventPanicked logs a panic of Config.OnEvent: clients can cause events by invalid
// tokens.
func (l logs) eventPanicked(ctx context.Context, err error) {
	l.Log(ctx, journal.Line{Level: slog.LevelError, Message: "Config.OnEvent panicked", Attrs: []slog.Attr{slog.Any("error", err)}})
}

// plainHTTP warns once that a browser will not keep our cookies. Browsers send
// Sec-Fetch-Site to https and to localhost only, where they do keep them.
func (l logs) plainHTTP(c *fiber.Ctx) {
	if c.Protocol() == "https" || len(c.Request().Header.Peek("Sec-Fetch-Site")) > 0 ||
		strings.HasPrefix(borrow(c.Request().Header.Peek(fiber.HeaderOrigin)), "https://") {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "browsers refuse Secure cookies that come over plain http",
		Hint: "for development set Config.Cookie.Insecure; in production serve https, and if TLS ends at a proxy let it send X-Forwarded-Proto: https",
	})
}

// insecure warns once that cookies go out without Secure over https.
func (l logs) insecure(c *fiber.Ctx) {
	if c.Protocol() != "https" && !strings.HasPrefix(borrow(c.Request().Header.Peek(fiber.HeaderOrigin)), "https://") {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "Config.Cookie.Insecure is set, and requests come over https",
		Hint: "do not set Cookie.Insecure where https is served: without Secure, an attacker on the network of a client can take over its session",
	})
}

// elsewhere warns once that a built-in route, which this request is for, is not where its
// refresh cookie goes: a mounted app does not know its prefix.
func (l logs) elsewhere(c *fiber.Ctx, n cookieNames) {
	at := c.Path() // the router may fold its case
	if len(at) >= len(n.path) && strings.EqualFold(at[:len(n.path)], n.path) || len(c.Response().Header.PeekCookie(n.refresh)) == 0 {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "browsers will not send the refresh cookies to the built-in routes, which are at another path", Attrs: []slog.Attr{slog.String("path", n.path)},
		Hint: "set Config.Cookie.Path to what browsers see in front of the routes' /{kind}, with the prefix that their app is mounted at",
	})
}

// below warns once that built-in routes are registered below the middleware.
func (l logs) below(c *fiber.Ctx) {
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "the built-in routes are registered below the middleware, so nobody can sign in",
		Hint: "set Config.Routes, or call Auth.Mount before app.Use(auth.Handler())",
	})
}

// asserted logs which mistake of a handler caused a panic. The panic goes on; if the
// application recovers it, clients can repeat it.
func (l logs) asserted(c *fiber.Ctx, kind string) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelError, Message: "a handler asserts an account under the name of another kind", Cause: kind,
		Hint: `the account of this kind is c.Locals("` + kind + `"); fiberjwt.As cannot be wrong about it`,
	})
}

// hint warns of what looks like a mistake of the application.
func (l logs) hint(ctx context.Context, message, hint string, attrs ...slog.Attr) {
	l.Log(ctx, journal.Line{Level: slog.LevelWarn, Message: message, Hint: hint, Attrs: attrs, Cause: fmt.Sprint(attrs)})
}

// remedy says how to fix the cause of a failure, "" if that is not known.
func remedy(err error) string {
	var lock *waited
	if errors.As(err, &lock) {
		return waitedHint
	}
	cause := rootCause(err)
	switch dberr.Missing(cause) {
	case dberr.MissingTable:
		if text := cause.Error(); strings.Contains(text, "fiberjwt_sessions") || strings.Contains(text, "fiberjwt_throttle") {
			return "a table of the library is missing: call fiberjwt.Migrate(ctx, db) at every start"
		}
		return "a table of Config.Entities is missing: create it before the first request"
	case dberr.MissingColumn:
		return "a column is missing: bring the tables of Config.Entities up to their models, and call fiberjwt.Migrate(ctx, db) at start"
	}
	return ""
}
