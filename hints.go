package fiberjwt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun/schema"
)

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
		a.logs.below(c)
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
		return k.cookies.present(c) || looksLikeToken(c.Request().Header.Cookie(k.Name)) || looksLikeToken(c.Request().Header.Cookie("__Host-Http-"+k.Name))
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
