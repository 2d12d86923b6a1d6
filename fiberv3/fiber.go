package fiberjwt

//go:generate go run ./internal/twin

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/clientip"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// This file has what differs between Fiber v2 and v3. Its counterpart is ../fiber.go. The other
// files of this package are made from those of the root module, see README.md.

// jsonType is the Content-Type of JSON, as c.JSON sets it.
const jsonType = fiber.MIMEApplicationJSONCharsetUTF8

// proxySettings names the settings by which Fiber knows its proxies.
const proxySettings = "TrustProxy and TrustProxyConfig"

// holder is what the functions that read from a request take. A fiber.Ctx is one.
type holder = context.Context

// Current returns the account of the kind of T that the request is signed in as, the same
// pointer as in c.Locals. It returns nil and false if the request is not signed in as that
// kind.
//
// ctx is the fiber.Ctx, and in code below the handler c.Context(), if
// fiber.Config.PassLocalsToContext is set. The account may be kept after the request.
func Current[T any](ctx context.Context) (*T, bool) {
	account, err := accountOf[T](ctx)
	return account, err == nil
}

// SessionOf returns the session of the request: that of one of the given kinds, or without
// kind that of any. If the request has several, it returns the first in the order of
// Config.Entities. It returns nil and false if the request is not signed in. ctx is as for [Current].
func SessionOf(ctx context.Context, kind ...string) (*Session, bool) {
	for _, s := range visible(ctx) {
		if len(kind) == 0 || slices.Contains(kind, s.Kind) {
			return s, true
		}
	}
	return nil, false
}

// requestOf returns what the innermost middleware stored, or nil without a middleware.
func requestOf(ctx holder) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// keep stores r for requestOf as fiber.StoreInContext does, which allocates: also in c.Context()
// if the application has fiber.Config.PassLocalsToContext.
func (r *request) keep(c fiber.Ctx) {
	c.RequestCtx().SetUserValue(requestKey{}, r)
	if c.App().Config().PassLocalsToContext {
		c.SetContext(context.WithValue(c.Context(), requestKey{}, r))
	}
}

// answerHead answers a HEAD request for a GET route that is open, because it is registered above
// the middleware or listed in Config.Public, as the router answers the GET request.
//
// Fiber v3 makes a HEAD route of each GET route when the server starts. It adds them below all
// other routes, so a HEAD request gets to the middleware and to the handlers below it first,
// although the GET request does not. If the middleware let it pass, one of these handlers would
// take it as a request that may be anonymous. The method is restored for the handlers above.
func (a *Auth) answerHead(c fiber.Ctx) (answered bool, err error) {
	if c.Method() != fiber.MethodHead {
		return false, nil
	}
	above := a.isOpenToGet(c)
	defer c.Method(fiber.MethodHead)
	known := c.Method(fiber.MethodGet) == fiber.MethodGet // false without GET in fiber.Config.RequestMethods
	if !known || !above && !a.isPublic(c) {
		return false, nil
	}
	return true, c.RestartRouting()
}

// isOpenToGet reports whether a HEAD route takes the request, and the GET route that it was made of
// is above the middleware.
func (a *Auth) isOpenToGet(c fiber.Ctx) bool {
	rules, heads, gets := c.App().Config(), routesFor(c.App(), fiber.MethodHead), routesFor(c.App(), fiber.MethodGet)
	above := gets[:min(a.neighbours(c).guards[c.Route().Path], len(gets))] // the application may remove routes
	path := routedPath(c.Path(), rules)
	for _, route := range heads {
		if takes(route.Path, path, rules) && slices.ContainsFunc(above, func(get *fiber.Route) bool { return isCopy(route, get) }) {
			return true
		}
	}
	return false
}

// routesFor returns the routes for a method, in the order in which the router tries them.
func routesFor(app *fiber.App, method string) []*fiber.Route {
	if i := slices.Index(app.Config().RequestMethods, method); i >= 0 {
		return app.Stack()[i]
	}
	return nil
}

// isCopy reports whether one route was made of the other for another method.
func isCopy(route, other *fiber.Route) bool {
	return route.Path == other.Path && unsafe.SliceData(route.Handlers) == unsafe.SliceData(other.Handlers)
}

// addRoute registers a handler for one method.
func addRoute(router fiber.Router, method, path string, handler fiber.Handler) {
	router.Add([]string{method}, path, handler)
}

// prefixOf returns the path in front of the routes of router; ok is false if router does not
// tell, such as one that App.Domain returns.
func prefixOf(router fiber.Router) (prefix string, ok bool) {
	switch router := router.(type) {
	case nil, *fiber.App:
		return "", true
	case *fiber.Group:
		return router.Prefix, true
	}
	return "", false
}

// checkPattern returns an error if Fiber's router cannot read the pattern, for example because it
// has more than 30 parameters. RoutePatternMatch accepts such a pattern and panics when a request
// matches it, so it is registered on an application that serves nothing.
func checkPattern(pattern string) error {
	return fault.Recover(func() error {
		fiber.New().Get(pattern, func(fiber.Ctx) error { return nil })
		return nil
	})
}

// isNoRoute reports whether e says that no route takes the request.
func isNoRoute(e *fiber.Error) bool { return e == fiber.ErrNotFound }

// isHTTPS reports whether the client uses https, as far as Fiber or a proxy says. It is for the
// log only, so it believes a proxy that Fiber does not trust.
func isHTTPS(c fiber.Ctx) bool {
	return c.Scheme() == "https" || string(c.Request().Header.Peek(fiber.HeaderXForwardedProto)) == "https"
}

// clientAddress returns the address of the client, and false if it is not known, such as on a
// Unix socket. Behind a proxy that fiber.Config.TrustProxyConfig trusts, the address is in the
// header fiber.Config.ProxyHeader. c.IP() is not used, because it ignores the RFC 7239 form of
// the header and all but one of its lines.
func clientAddress(c fiber.Ctx) (netip.Addr, bool) {
	config := c.App().Config()
	if header := config.ProxyHeader; header != "" && c.IsProxyTrusted() {
		if lines := c.Request().Header.PeekAll(header); len(lines) > 0 {
			texts := make([]string, len(lines))
			for i, line := range lines {
				texts[i] = borrow(line)
			}
			return clientip.Parse(strings.Join(texts, ","), clientip.ParseTrusted(proxies(config.TrustProxyConfig)))
		}
	}
	if _, local := c.RequestCtx().RemoteAddr().(*net.UnixAddr); local {
		return netip.Addr{}, false
	}
	address, ok := netip.AddrFromSlice(c.RequestCtx().RemoteIP())
	return address.Unmap(), ok
}

// proxies returns the addresses and networks of the proxies that the application trusts.
func proxies(trusted fiber.TrustProxyConfig) []string {
	all := slices.Clone(trusted.Proxies)
	if trusted.Loopback {
		all = append(all, "127.0.0.0/8", "::1")
	}
	if trusted.Private {
		all = append(all, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
	}
	if trusted.LinkLocal {
		all = append(all, "169.254.0.0/16", "fe80::/10")
	}
	return all
}

// Some of Fiber's own middlewares do not go together with fiberjwt if they stand above it. The
// idempotency middleware stores a response and sends it to later clients without checking which
// account they belong to. The table in docs/operate/deployment.md says which order is right; but a
// wrong order shows no error and leaks data, so it is detected here. The cache middleware of Fiber
// v3 needs no detection: it does not store responses that are private, which those for an account
// are, and keeps others apart by the headers in Vary.
//
// Fiber does not say which handlers a request has passed. The names of the handlers'
// functions and the call stack do. The search runs once for each application; a request
// to an application without such a middleware costs one lookup. A middleware that the
// application wraps in a handler of its own is not detected.

// The prefixes of the names of these middlewares' handlers. A handler is a closure in the
// function New of its package, so its name begins with the name of that function.
const (
	fibersIdempotency = "github.com/gofiber/fiber/v3/middleware/idempotency.New."
	fibersCSRF        = "github.com/gofiber/fiber/v3/middleware/csrf.New."
	ourGuard          = "github.com/fiberjwt/fiberjwt/fiberv3.(*Auth).guard-fm"
)

// neighbours says which of these middlewares an application has. A middleware that is
// wrapped in another handler is not found.
type neighbours struct {
	app               *fiber.App
	handlers          uint32 // number of handlers of the application when it was searched
	idempotency, csrf bool
	passed            bool           // a route takes paths for which Fiber does not run the middleware
	guards            map[string]int // by path, the index of the first of our middlewares among the routes for GET
}

// neighbours returns the middlewares of the application that serves c. It remembers them, and
// searches again if routes were added.
func (a *Auth) neighbours(c fiber.Ctx) neighbours {
	app, known := c.App(), a.apps.Load()
	for _, n := range *known {
		if n.app == app && n.handlers == app.HandlersCount() {
			return n
		}
	}
	n := a.neighboursIn(app)
	others := slices.DeleteFunc(slices.Clone(*known), func(n neighbours) bool { return n.app == app })
	others = append(others, n)
	a.apps.CompareAndSwap(known, &others) // if another request was first, a later one stores n
	if n.csrf {
		a.logs.Hint(c.Context(), "Fiber's csrf middleware is above the built-in routes and answers 403 to every sign-in without its token",
			"remove it, because fiberjwt checks the origin of requests with cookies itself; or register it below the middleware, for routes whose pages send its token")
	}
	if n.passed {
		a.logs.Hint(c.Context(), "Fiber v3 does not run the middleware for the paths // and *, and a route such as /* takes them",
			`write app.Use("/*", …) in place of app.Use(…), if the handlers of such routes rely on the middleware`)
	}
	return n
}

func (a *Auth) neighboursIn(app *fiber.App) neighbours {
	n := neighbours{app: app, handlers: app.HandlersCount(), guards: guardsIn(routesFor(app, fiber.MethodGet))}
	for _, routes := range app.Stack() {
		n.passed = n.passed || isPassed(routes)
		guarded := []string{} // prefixes of csrf middlewares that are registered before route
		for _, route := range routes {
			n.idempotency = n.idempotency || runs(route, fibersIdempotency)
			if runs(route, fibersCSRF) {
				guarded = append(guarded, route.Path)
			}
			n.csrf = n.csrf || a.mounted[route.Path] && slices.ContainsFunc(guarded, func(above string) bool {
				return strings.HasPrefix(route.Path, above)
			})
		}
	}
	return n
}

// runs reports whether a handler of the route has a name that begins with name.
func runs(route *fiber.Route, name string) bool {
	return slices.ContainsFunc(route.Handlers, func(handler fiber.Handler) bool {
		return strings.HasPrefix(runtime.FuncForPC(reflect.ValueOf(handler).Pointer()).Name(), name)
	})
}

// guardsIn returns by path the index of the first route that runs fiberjwt.
func guardsIn(routes []*fiber.Route) map[string]int {
	guards := map[string]int{}
	for at, route := range routes {
		if _, known := guards[route.Path]; !known && runs(route, ourGuard) {
			guards[route.Path] = at
		}
	}
	return guards
}

// isPassed reports whether a route takes paths for which Fiber does not run fiberjwt, although
// fiberjwt is above for all paths that begin with "/".
func isPassed(routes []*fiber.Route) bool {
	atRoot := false
	for _, route := range routes {
		ours := runs(route, ourGuard)
		if takesAll(route.Path) {
			return atRoot && !ours
		}
		atRoot = atRoot || ours && route.Path == "/"
	}
	return false
}

// takesAll reports whether routes with the pattern take every path, without a comparison.
func takesAll(pattern string) bool { return pattern == "/*" || pattern == "*" }

// bypassCache does nothing: label keeps the response to a signed-in request out of caches.
func (neighbours) bypassCache(fiber.Ctx) {}

// refuseBelowCache returns a setup error if a middleware above would store the response and
// send it to clients without a check of their tokens.
func refuseBelowCache(c fiber.Ctx, n neighbours) error {
	if n.idempotency && !fiber.IsMethodSafe(c.Method()) && isCalledBy(fibersIdempotency) {
		return fault.Setup("Fiber's idempotency middleware is above fiberjwt and would send the response for one account to every client that sends the same key: register it below")
	}
	return nil
}

// isUnderCache reports whether Fiber's cache middleware would store a refusal. That of Fiber v3
// does not, because refusals are marked no-store.
func (*Auth) isUnderCache(fiber.Ctx) bool { return false }

// isCalledBy reports whether the call stack has a function whose name begins with name.
func isCalledBy(name string) bool {
	var calls [512]uintptr
	frames := runtime.CallersFrames(calls[:runtime.Callers(2, calls[:])])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); strings.HasPrefix(frame.Function, name) {
			return true
		}
	}
	return false
}

// isForAnother reports whether Fiber's idempotency middleware has repeated a stored response
// that may be for an account other than owner.
func isForAnother(c fiber.Ctx, owner string) bool {
	again := false
	c.RequestCtx().VisitUserValuesAll(func(key, _ any) {
		again = again || reflect.TypeOf(key).PkgPath() == strings.TrimSuffix(fibersIdempotency, ".New.") && reflect.ValueOf(key).CanInt() && reflect.ValueOf(key).Int() == 0 // localsKeyIsFromCache
	})
	if !again {
		return false
	}
	marks := c.Response().Header.PeekAll(ownerHeader)
	for _, mark := range marks {
		if string(mark) != owner {
			return true
		}
	}
	return len(marks) < 2 // one is of this request, the other one of the stored response
}
