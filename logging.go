package fiberjwt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/admission"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
)

// logs writes what a client must not see, for the operator; see package journal.
type logs struct{ *journal.Journal }

// failed logs a 5xx response. The line has the latest error of its cause.
func (l logs) failed(c *fiber.Ctx, e *Error) {
	if errors.Is(e, admission.ErrBusy) {
		l.hashBusy(c, e)
		return
	}
	line := journal.Line{
		Level: slog.LevelError, Message: "request failed", Hint: auth.Remedy(e.cause), Cause: fmt.Sprint(e.Status, " ", fault.Brief(rootCause(e).Error())),
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

// hashBusy warns of sign-ins that were refused because the hasher is full.
func (l logs) hashBusy(c *fiber.Ctx, e *Error) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "too many passwords are being hashed; sign-ins are answered 503", Attrs: whereabouts(c, e.kind),
		Hint: "if this is not an attack, give the process more processors or lower Config.Password; if it is, put a limiter above the built-in routes",
	})
}

// noAddress warns that clients without a known address are counted together.
func (l logs) noAddress(c *fiber.Ctx) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "the address of clients is not known; they share one limit of failed sign-ins",
		Hint: "let the proxy in front set one header to the client's address, and name it in fiber.Config.ProxyHeader, with EnableTrustedProxyCheck and TrustedProxies",
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

// cookiePathDiffers warns once that a built-in route, which this request is for, is not where its
// refresh cookie goes: a mounted app does not know its prefix.
func (l logs) cookiePathDiffers(c *fiber.Ctx, n cookieNames) {
	at := c.Path() // the router may fold its case
	if len(at) >= len(n.path) && strings.EqualFold(at[:len(n.path)], n.path) || len(c.Response().Header.PeekCookie(n.refresh)) == 0 {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "browsers will not send the refresh cookies to the built-in routes, which are at another path", Attrs: []slog.Attr{slog.String("path", n.path)},
		Hint: "set Config.Cookie.Path to what browsers see in front of the routes' /{kind}, with the prefix that their app is mounted at",
	})
}

// routesBelowMiddleware warns once that built-in routes are registered below the middleware.
func (l logs) routesBelowMiddleware(c *fiber.Ctx) {
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "the built-in routes are registered below the middleware, so nobody can sign in",
		Hint: "set Config.Routes, or call Auth.Mount before app.Use(auth.Handler())",
	})
}

// wrongAssertion logs which mistake of a handler caused a panic. The panic goes on; if the
// application recovers it, clients can repeat it.
func (l logs) wrongAssertion(c *fiber.Ctx, kind string) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelError, Message: "a handler asserts an account under the name of another kind", Cause: kind,
		Hint: `the account of this kind is c.Locals("` + kind + `"); fiberjwt.As cannot be wrong about it`,
	})
}

// What looks like a mistake of the application is told to the operator here. To
// the client it is an ordinary refusal.

// explain says in the log what may have gone wrong with a request that is refused.
// A path that misses the built-in routes by a name is answered 404, since signing
// in does not help there.
func (a *Auth) explain(c *fiber.Ctx, err error) error {
	if refusal(err).Status >= 500 || c.Method() == fiber.MethodOptions { // which goes on to here by right
		return err
	}
	path := strings.TrimRight(c.Path(), "/")
	switch {
	case a.mounted[path]:
		a.logs.routesBelowMiddleware(c)
	case a.missesBuiltIn(c.Method(), path) && routeOf(c) == "":
		a.logs.missedRoute(c, a.service.KindNames(), len(a.mounted) > 0)
		return ErrNotFound
	case errors.Is(err, ErrNoToken):
		a.explainNoToken(c)
	}
	return err
}

// explainMissing is for requests that were let in and for which Fiber has no route.
func (a *Auth) explainMissing(c *fiber.Ctx, err error) {
	var fibers *fiber.Error
	if !errors.As(err, &fibers) || fibers.Code != fiber.StatusNotFound {
		return
	}
	if path := strings.TrimRight(c.Path(), "/"); a.missesBuiltIn(c.Method(), path) && routeOf(c) == "" {
		a.logs.missedRoute(c, a.service.KindNames(), len(a.mounted) > 0)
	}
}

// missesBuiltIn: the path looks like that of a built-in route and is none, because
// of the name of the kind, or of that of the route, or because none are mounted.
func (a *Auth) missesBuiltIn(method, path string) bool {
	if len(a.kinds) == 0 {
		return false
	}
	if len(a.mounted) == 0 {
		at := strings.LastIndexByte(path, '/')
		return at >= 0 && method == fiber.MethodPost && isBuiltIn(path[at:])
	}
	if len(path) < len(a.prefix) || !strings.EqualFold(path[:len(a.prefix)], a.prefix) {
		return false
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(path[len(a.prefix):], "/"), "/")
	if rest == "" {
		return method == fiber.MethodPost && isBuiltIn("/"+name) // without any kind
	}
	return isBuiltIn("/"+rest) || a.kind(strings.ToLower(name)) != nil
}

// isBuiltIn: path is that of a built-in route below its kind.
func isBuiltIn(path string) bool {
	return slices.ContainsFunc(builtIns, func(r builtIn) bool { return fiber.RoutePatternMatch(path, r.path) })
}

// missedRoute warns of requests that seem to be for a built-in route.
func (l logs) missedRoute(c *fiber.Ctx, kinds []string, mounted bool) {
	method := slog.String("method", strings.Clone(c.Method()))
	if !mounted {
		l.Hint(c.UserContext(), "a request looks like one for a built-in route, and there are none; it is answered 404",
			"set Config.Routes, for instance to app.Group(\"/auth\"), or call Auth.Mount before app.Use(auth.Handler())", method)
		return
	}
	l.Hint(c.UserContext(), "a request looks like one for a built-in route, but its kind or its route does not exist; it is answered 404",
		"let the client use /{kind}/login and so on below Config.Routes, where {kind} is one of "+strings.Join(kinds, ", "), method)
}

// explainNoToken looks for a token where none is read.
func (a *Auth) explainNoToken(c *fiber.Ctx) {
	var place string
	authorization := c.Request().Header.Peek(fiber.HeaderAuthorization)
	switch {
	case looksLikeToken(authorization[bytes.LastIndexByte(authorization, ' ')+1:]):
		place = "the Authorization header"
	case looksLikeToken(c.Request().URI().QueryString()):
		place = "the query"
	case slices.ContainsFunc(a.kinds, func(k *kind) bool {
		return k.cookies.sentWith(c) || looksLikeToken(c.Request().Header.Cookie(k.Name)) || looksLikeToken(c.Request().Header.Cookie("__Host-Http-"+k.Name))
	}):
		place = "a cookie"
	default:
		return
	}
	a.logs.Hint(c.UserContext(), "a request is refused that has a token in "+place+", where none is read",
		`let clients send "Authorization: Bearer <token>", or let Config.Extractor read what they send; the names of the cookies change with Config.Cookie.Insecure`)
}

// looksLikeToken: text has the beginning of a JWT, {" in base64, and two dots.
func looksLikeToken(text []byte) bool {
	start := bytes.Index(text, []byte("eyJ"))
	return start >= 0 && bytes.Count(text[start:], []byte(".")) >= 2
}

// crossOrigin warns of a refusal that a page of the application may have met.
func (l logs) crossOrigin(c *fiber.Ctx) {
	l.Hint(c.UserContext(), "a request with cookies from another origin is refused",
		"if it is from a front end of yours, name its origin in Config.TrustedOrigins; if the front end has the same origin, let the proxy pass the header Host on; else it may be an attack, and there is nothing to do")
}

// closedRoute warns of a request for a built-in route that its kind does not offer.
func (l logs) closedRoute(c *fiber.Ctx, route builtIn, k *kind) {
	l.Hint(c.UserContext(), "a request is for a built-in route that its kind does not offer; it is answered 404",
		route.opened, slog.String("kind", k.Name), slog.String("route", route.path))
}

// dropped warns of members of a registration that are not stored, by their columns.
func (l logs) dropped(ctx context.Context, k *kind, body form) {
	for _, field := range k.Table.Fields {
		switch name := jsonName(field); {
		case field == k.PK || field == k.Password || field == k.Identity || field == k.Table.SoftDeleteField:
		case slices.Contains(k.Fillable, field):
			if body.has(name) && !body.has(field.Name) {
				l.Hint(ctx, "a registration has the member of a column under the name of its JSON, and loses it", "let the client send it under the name of the column",
					slog.String("kind", k.Name), slog.String("column", field.Name))
			}
		case body.has(field.Name) || body.has(name):
			l.Hint(ctx, "a registration has a member for a column that clients may not fill, and loses it", "if clients may choose it, add the column to Entity.Fillable; else set it in Register",
				slog.String("kind", k.Name), slog.String("column", field.Name))
		}
	}
}

func (f form) has(name string) bool {
	_, ok := f[name]
	return ok
}

// jsonName is the name of a field in JSON.
func jsonName(field *schema.Field) string {
	name, _, _ := strings.Cut(field.StructField.Tag.Get("json"), ",")
	return cmp.Or(name, field.GoName)
}
