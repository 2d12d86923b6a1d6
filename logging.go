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

// logs writes lines for the operator, with details that clients must not see. Package journal
// limits how often a line is written.
type logs struct{ *journal.Journal }

// failed logs a 5xx response. If a cause occurs repeatedly, a line has its latest error.
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
		// Outages have a separate topic, so that a flood of different panics cannot hide them.
		// Their cause is not the text of the error, because the text may contain data that
		// clients sent, and clients could then create any number of causes.
		line.Topic, line.Cause = "unavailable", typeOf(rootCause(e))+" "+line.Hint
	}
	l.Log(c.UserContext(), line)
}

// whereabouts returns the method, route and kind of a request as attributes. They contain no
// text from the client.
func whereabouts(c *fiber.Ctx, kind string) (attributes []slog.Attr) {
	for _, known := range [...]struct{ name, value string }{{"method", strings.Clone(c.Method())}, {"route", routeOf(c)}, {"kind", kind}} {
		if known.value != "" {
			attributes = append(attributes, slog.String(known.name, known.value))
		}
	}
	return attributes
}

// routeOf returns the pattern of the route that takes the request, or "" if no route does.
// c.Route() has it only when that route runs. routeOf returns a pattern that takes every
// path only if no other route takes the request: it belongs to a middleware, or to a handler
// that answers when no route does.
func routeOf(c *fiber.Ctx) (pattern string) {
	rules := c.App().Config()
	path := routedPath(c.Path(), rules)
	method := slices.Index(rules.RequestMethods, c.Method())
	if method < 0 {
		return ""
	}
	for _, route := range c.App().Stack()[method] {
		if !takes(route.Path, path, rules) {
			continue
		}
		if pattern = route.Path; pattern != "*" && pattern != "/*" {
			break
		}
	}
	return pattern
}

// typeOf returns the type of the innermost error that err wraps.
func typeOf(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}

// hashBusy warns of sign-ins that were refused because too many passwords were being hashed.
func (l logs) hashBusy(c *fiber.Ctx, e *Error) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "too many passwords are being hashed; sign-ins are answered 503", Attrs: whereabouts(c, e.kind),
		Hint: "if this is not an attack, give the process more processors or lower the cost in Config.Password; if it is an attack, register a rate limiter above the built-in routes",
	})
}

// noAddress warns that clients without a known address share one limit.
func (l logs) noAddress(c *fiber.Ctx) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "the address of clients is not known; they share one limit of failed sign-ins",
		Hint: "configure the proxy to set a header to the address of the client; name this header in fiber.Config.ProxyHeader, and set " + proxySettings,
	})
}

// eventPanicked logs a panic of Config.OnEvent. The number of lines is limited, because clients
// can cause events with invalid tokens.
func (l logs) eventPanicked(ctx context.Context, err error) {
	l.Log(ctx, journal.Line{Level: slog.LevelError, Message: "Config.OnEvent panicked", Attrs: []slog.Attr{slog.Any("error", err)}})
}

// plainHTTP warns once that a browser will drop Secure cookies. Browsers send Sec-Fetch-Site
// only over https and to localhost, where they store such cookies.
func (l logs) plainHTTP(c *fiber.Ctx) {
	if isHTTPS(c) || len(c.Request().Header.Peek("Sec-Fetch-Site")) > 0 ||
		strings.HasPrefix(borrow(c.Request().Header.Peek(fiber.HeaderOrigin)), "https://") {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "browsers refuse Secure cookies that come over plain http",
		Hint: "for development set Config.Cookie.Insecure; in production serve https, and if TLS ends at a proxy let it send X-Forwarded-Proto: https",
	})
}

// insecure warns once that cookies without Secure are sent over https.
func (l logs) insecure(c *fiber.Ctx) {
	if !isHTTPS(c) && !strings.HasPrefix(borrow(c.Request().Header.Peek(fiber.HeaderOrigin)), "https://") {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "Config.Cookie.Insecure is set, but requests come over https",
		Hint: "do not set Cookie.Insecure if you serve https: without Secure, an attacker on the network of a client can take over its session",
	})
}

// cookiePathDiffers warns once if the built-in route of this request is not below the path of
// its refresh cookie. This happens if the routes are in a mounted app, which does not know
// its prefix.
func (l logs) cookiePathDiffers(c *fiber.Ctx, n cookieNames) {
	at := c.Path() // may differ in case, which the router may ignore
	if len(at) >= len(n.path) && strings.EqualFold(at[:len(n.path)], n.path) || len(c.Response().Header.PeekCookie(n.refresh)) == 0 {
		return
	}
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "browsers will not send the refresh cookies to the built-in routes, because these have another path", Attrs: []slog.Attr{slog.String("path", n.path)},
		Hint: "set Config.Cookie.Path to the path that browsers see in front of /{kind}, including the prefix at which the app is mounted",
	})
}

// routesBelowMiddleware warns once that built-in routes are registered below the middleware.
func (l logs) routesBelowMiddleware(c *fiber.Ctx) {
	l.Once(c.UserContext(), journal.Line{
		Level: slog.LevelWarn, Message: "the built-in routes are registered below the middleware, so no user can sign in",
		Hint: "set Config.Routes, or call Auth.Mount before app.Use(auth.Handler())",
	})
}

// wrongAssertion logs the mistake of a handler that caused a panic. The panic is not
// recovered here. If the application recovers it, clients can cause it repeatedly.
func (l logs) wrongAssertion(c *fiber.Ctx, kind string) {
	l.Log(c.UserContext(), journal.Line{
		Level: slog.LevelError, Message: "a handler reads an account from c.Locals under the name of another kind", Cause: kind,
		Hint: `the account of this kind is c.Locals("` + kind + `"); fiberjwt.As always uses the right name`,
	})
}

// The functions below log what is likely a mistake of the application. The client gets an
// ordinary refusal.

// explain logs the likely reason for a refused request and returns the error for the client.
// This is err, except for a path that looks like a misspelled built-in route: that is
// answered 404, because a sign-in would not help.
func (a *Auth) explain(c *fiber.Ctx, err error) error {
	// otherMethod passes OPTIONS requests for the built-in routes to the middleware.
	e := refusal(err)
	if e.Status >= 500 || c.Method() == fiber.MethodOptions {
		return err
	}
	path := strings.TrimRight(c.Path(), "/")
	switch {
	case a.mounted[path]:
		a.logs.routesBelowMiddleware(c)
	case a.missesBuiltIn(c.Method(), path) && routeOf(c) == "":
		a.logs.missedRoute(c, a.service.KindNames(), len(a.mounted) > 0)
		return ErrNotFound
	case e.is(ErrNoToken):
		a.explainNoToken(c)
	}
	return err
}

// explainMissing logs the likely reason if a request passed the middleware and Fiber has no
// route for it.
func (a *Auth) explainMissing(c *fiber.Ctx, err error) {
	var fibers *fiber.Error
	if !errors.As(err, &fibers) || fibers.Code != fiber.StatusNotFound {
		return
	}
	if path := strings.TrimRight(c.Path(), "/"); a.missesBuiltIn(c.Method(), path) && routeOf(c) == "" {
		a.logs.missedRoute(c, a.service.KindNames(), len(a.mounted) > 0)
	}
}

// missesBuiltIn reports whether the path looks like a built-in route but is not one: the name
// of the kind or of the route is wrong, or no routes are mounted.
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
		return method == fiber.MethodPost && isBuiltIn("/"+name) // the kind is missing
	}
	return isBuiltIn("/"+rest) || a.kind(strings.ToLower(name)) != nil
}

// isBuiltIn reports whether path, without the kind, is that of a built-in route.
func isBuiltIn(path string) bool {
	return slices.ContainsFunc(builtIns, func(r builtIn) bool { return fiber.RoutePatternMatch(path, r.path) })
}

// missedRoute warns of a request that seems to be for a built-in route.
func (l logs) missedRoute(c *fiber.Ctx, kinds []string, mounted bool) {
	method := slog.String("method", strings.Clone(c.Method()))
	if !mounted {
		l.Hint(c.UserContext(), "a request looks like one for a built-in route, but none is mounted; it is answered 404",
			"set Config.Routes, for instance to app.Group(\"/auth\"), or call Auth.Mount before app.Use(auth.Handler())", method)
		return
	}
	l.Hint(c.UserContext(), "a request looks like one for a built-in route, but its kind or its route does not exist; it is answered 404",
		"the client must use paths such as /{kind}/login below Config.Routes, where {kind} is one of "+strings.Join(kinds, ", "), method)
}

// explainNoToken logs if a request has a token in a place that Config.Extractor does not read.
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
	a.logs.Hint(c.UserContext(), "a refused request has a token in "+place+", but no token is read from this place",
		`clients must send "Authorization: Bearer <token>", or Config.Extractor must read what they send; the names of the cookies depend on Config.Cookie.Insecure`)
}

// looksLikeToken reports whether text contains the beginning of a JWT, which is {" in base64,
// and after it two dots.
func looksLikeToken(text []byte) bool {
	start := bytes.Index(text, []byte("eyJ"))
	return start >= 0 && bytes.Count(text[start:], []byte(".")) >= 2
}

// statementsAsText warns that no statement is prepared any more.
func (l logs) statementsAsText(cause error) {
	l.Once(context.Background(), journal.Line{
		Level: slog.LevelWarn, Message: "the database refuses or loses prepared statements, so they are sent as text from now on, which is slower",
		Hint: "see docs/operate/databases.md, or set Config.Unprepared if this is expected", Attrs: []slog.Attr{slog.String("error", cause.Error())},
	})
}

// crossOrigin warns of a refusal that may concern a page of the application.
func (l logs) crossOrigin(c *fiber.Ctx) {
	l.Hint(c.UserContext(), "a request with cookies from another origin is refused",
		"if your own front end sent it, add its origin to Config.TrustedOrigins; if the front end has the same origin, configure the proxy to pass on the header Host; otherwise it may be an attack, and you need not do anything")
}

// closedRoute warns of a request for a built-in route that its kind does not have.
func (l logs) closedRoute(c *fiber.Ctx, route builtIn, k *kind) {
	l.Hint(c.UserContext(), "a request is for a built-in route that its kind does not have; it is answered 404",
		route.opened, slog.String("kind", k.Name), slog.String("route", route.path))
}

// dropped warns of members of a registration that are ignored although they have a column.
func (l logs) dropped(ctx context.Context, k *kind, body form) {
	for _, field := range k.Table.Fields {
		switch name := jsonName(field); {
		case field == k.PK || field == k.Password || field == k.Identity || field == k.Table.SoftDeleteField:
		case slices.Contains(k.Fillable, field):
			if body.has(name) && !body.has(field.Name) {
				l.Hint(ctx, "a registration has a member with the JSON name of a column, which is ignored", "the client must send it under the name of the column",
					slog.String("kind", k.Name), slog.String("column", field.Name))
			}
		case body.has(field.Name) || body.has(name):
			l.Hint(ctx, "a registration has a member for a column that clients may not fill, which is ignored", "if clients may choose the value, add the column to Entity.Fillable; otherwise set it in Entity.Register",
				slog.String("kind", k.Name), slog.String("column", field.Name))
		}
	}
}

func (f form) has(name string) bool {
	_, ok := f[name]
	return ok
}

// jsonName returns the name of a field in JSON.
func jsonName(field *schema.Field) string {
	name, _, _ := strings.Cut(field.StructField.Tag.Get("json"), ",")
	return cmp.Or(name, field.GoName)
}
