package fiberjwt

import (
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/clientip"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// This file has what differs between Fiber v2 and v3. Its counterpart is fiberv3/fiber.go.
// The other files of that package are made from those of this one, see fiberv3/README.md.

// jsonType is the Content-Type of JSON, as c.JSON sets it.
const jsonType = fiber.MIMEApplicationJSON

// proxySettings names the settings by which Fiber knows its proxies.
const proxySettings = "EnableTrustedProxyCheck and TrustedProxies"

// holder is what the functions that read from a request take.
type holder = *fiber.Ctx

// Current returns the account of the kind of T that the request is signed in as, the same
// pointer as in c.Locals. It returns nil and false if the request is not signed in as that
// kind.
func Current[T any](c *fiber.Ctx) (*T, bool) {
	account, err := accountOf[T](c)
	return account, err == nil
}

// SessionOf returns the session of the request: that of one of the given kinds, or without
// kind that of any. If the request has several, it returns the first in the order of
// Config.Entities. It returns nil and false if the request is not signed in.
func SessionOf(c *fiber.Ctx, kind ...string) (*Session, bool) {
	for _, s := range visible(c) {
		if len(kind) == 0 || slices.Contains(kind, s.Kind) {
			return s, true
		}
	}
	return nil, false
}

// requestOf returns what the innermost middleware stored, or nil without a middleware.
func requestOf(c holder) *request {
	r, _ := c.Locals(requestKey{}).(*request)
	return r
}

// keep stores r for requestOf.
func (r *request) keep(c *fiber.Ctx) { c.Locals(requestKey{}, r) }

// answerHead answers a HEAD request for a route that is open to GET, where Fiber would not find
// that route. Fiber v2 does: it registers HEAD together with GET.
func (*Auth) answerHead(*fiber.Ctx) (answered bool, err error) { return false, nil }

// addRoute registers a handler for one method.
func addRoute(router fiber.Router, method, path string, handler fiber.Handler) {
	router.Add(method, path, handler)
}

// prefixOf returns the path in front of the routes of router; ok is false if router does not
// tell.
func prefixOf(router fiber.Router) (prefix string, ok bool) { //nolint:unparam // ok is false for some routers of Fiber v3
	if group, isGroup := router.(*fiber.Group); isGroup {
		return group.Prefix, true
	}
	return "", true
}

// checkPattern returns an error if Fiber's router cannot read the pattern. Fiber panics then.
func checkPattern(pattern string) error {
	return fault.Recover(func() error { fiber.RoutePatternMatch("/", pattern); return nil })
}

// isNoRoute reports whether e says that no route takes the request, as in "Cannot GET /path".
func isNoRoute(e *fiber.Error) bool {
	return e.Code == fiber.StatusNotFound && strings.HasPrefix(e.Message, "Cannot ")
}

// isHTTPS reports whether the client uses https, as far as Fiber or a proxy says. It is for the
// log only.
func isHTTPS(c *fiber.Ctx) bool { return c.Protocol() == "https" }

// clientAddress returns the address of the client, and false if it is not known, such as on a
// Unix socket. Behind a proxy that Fiber trusts, the address is in the header
// fiber.Config.ProxyHeader. c.IP() is not safe for this: it takes the first address of the
// header, which any client can choose.
func clientAddress(c *fiber.Ctx) (netip.Addr, bool) {
	config := c.App().Config()
	if header := config.ProxyHeader; header != "" && c.IsProxyTrusted() {
		if lines := c.Request().Header.PeekAll(header); len(lines) > 0 {
			texts := make([]string, len(lines))
			for i, line := range lines {
				texts[i] = borrow(line)
			}
			return clientip.Parse(strings.Join(texts, ","), clientip.ParseTrusted(config.TrustedProxies))
		}
	}
	if _, local := c.Context().RemoteAddr().(*net.UnixAddr); local {
		return netip.Addr{}, false
	}
	address, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	return address.Unmap(), ok
}

// Some of Fiber's own middlewares store a response and send it to later clients without
// checking which account they belong to. If one of them stands above fiberjwt, the account of one client
// would be sent to another. The table in docs/operate/deployment.md says which order is
// right; but a wrong order shows no error and leaks data, so it is detected here.
//
// Fiber does not say which handlers a request has passed. The names of the handlers'
// functions and the call stack do. The search runs once for each application; a request
// to an application without such a middleware costs one lookup. A middleware that the
// application wraps in a handler of its own is not detected.

// The prefixes of the names of these middlewares' handlers. A handler is a closure in the
// function New of its package, so its name begins with the name of that function.
const (
	fibersCache       = "github.com/gofiber/fiber/v2/middleware/cache.New."
	fibersIdempotency = "github.com/gofiber/fiber/v2/middleware/idempotency.New."
	fibersCSRF        = "github.com/gofiber/fiber/v2/middleware/csrf.New."
)

// neighbours says which of these middlewares an application has. A middleware that is
// wrapped in another handler is not found.
type neighbours struct {
	app                      *fiber.App
	handlers                 uint32 // number of handlers of the application when it was searched
	cache, idempotency, csrf bool
}

// neighbours returns the middlewares of the application that serves c. It remembers them, and
// searches again if routes were added.
func (a *Auth) neighbours(c *fiber.Ctx) neighbours {
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
		a.logs.Hint(c.UserContext(), "Fiber's csrf middleware is above the built-in routes and answers 403 to every sign-in without its token",
			"remove it, because fiberjwt checks the origin of requests with cookies itself; or register it below the middleware, for routes whose pages send its token")
	}
	return n
}

func (a *Auth) neighboursIn(app *fiber.App) neighbours {
	n := neighbours{app: app, handlers: app.HandlersCount()}
	for _, routes := range app.Stack() {
		guarded := []string{} // prefixes of csrf middlewares that are registered before route
		for _, route := range routes {
			for _, handler := range route.Handlers {
				name := runtime.FuncForPC(reflect.ValueOf(handler).Pointer()).Name()
				n.cache = n.cache || strings.HasPrefix(name, fibersCache)
				n.idempotency = n.idempotency || strings.HasPrefix(name, fibersIdempotency)
				if strings.HasPrefix(name, fibersCSRF) {
					guarded = append(guarded, route.Path)
				}
			}
			n.csrf = n.csrf || a.mounted[route.Path] && slices.ContainsFunc(guarded, func(above string) bool {
				return strings.HasPrefix(route.Path, above)
			})
		}
	}
	return n
}

// bypassCache keeps the response to a signed-in request out of Fiber's cache middleware. This
// header of the request is the only way, because the middleware reads no header of the response.
func (n neighbours) bypassCache(c *fiber.Ctx) {
	if n.cache {
		c.Request().Header.Set(fiber.HeaderCacheControl, "no-store")
	}
}

// refuseBelowCache returns a setup error if a middleware above would store the response and
// send it to clients without a check of their tokens.
func refuseBelowCache(c *fiber.Ctx, n neighbours) error {
	switch {
	case n.cache && !bypassesCache(c) && isCalledBy(fibersCache):
		return fault.Setup("Fiber's cache middleware is above fiberjwt and would send the response for one account to every client: register it below, or above only for requests without credentials, as docs/operate/deployment.md shows")
	case n.idempotency && !fiber.IsMethodSafe(c.Method()) && isCalledBy(fibersIdempotency):
		return fault.Setup("Fiber's idempotency middleware is above fiberjwt and would send the response for one account to every client that sends the same key: register it below")
	}
	return nil
}

// isUnderCache reports whether Fiber's cache middleware is above and would store the
// response. Every client would then get a stored refusal.
func (a *Auth) isUnderCache(c *fiber.Ctx) bool {
	return a.neighbours(c).cache && !bypassesCache(c) && isCalledBy(fibersCache)
}

// bypassesCache reports whether Fiber's cache middleware neither reads nor stores the
// response. This is the case if the request has no-store, or if the middleware has marked
// the response as unreachable because it does not cache this method.
func bypassesCache(c *fiber.Ctx) bool {
	passes := strings.Contains(borrow(c.Request().Header.Peek(fiber.HeaderCacheControl)), "no-store")
	c.Response().Header.VisitAll(func(_, value []byte) {
		passes = passes || string(value) == "unreachable"
	})
	return passes
}

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
func isForAnother(c *fiber.Ctx, owner string) bool {
	again := false
	c.Context().VisitUserValuesAll(func(key, _ any) {
		again = again || reflect.TypeOf(key).PkgPath() == strings.TrimSuffix(fibersIdempotency, ".New.") && reflect.ValueOf(key).String() == "idempotency_isfromcache"
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
