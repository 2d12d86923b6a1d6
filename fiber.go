package fiberjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/clientip"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/origin"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

// borrow reads bytes of a request as a string without a copy. It is valid as
// long as the request: clone what outlives the handler.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// clientAddress is the address of the client. Behind a proxy that Fiber trusts,
// it stands in fiber.Config.ProxyHeader; c.IP() would take the first address of
// a list, which is the client's to write.
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

// address of the client, "" if it is not known.
func address(c *fiber.Ctx) string {
	if ip, ok := clientAddress(c); ok {
		return ip.String()
	}
	return ""
}

// networkOf is the part of a Place that the connection tells. Clients whose
// address is not known share one limit, and never become known by it.
func (a *Auth) networkOf(c *fiber.Ctx) throttle.Place {
	ip, ok := clientAddress(c)
	if !ok {
		a.logs.noAddress(c)
		return throttle.Place{}
	}
	return throttle.Place{Network: clientip.Network(ip), Site: clientip.Site(ip)}
}

// clientOf is where a request to sign in as a kind comes from.
func (a *Auth) clientOf(c *fiber.Ctx, k *kind) auth.Client {
	return auth.Client{Address: address(c), Agent: agent(c), Network: a.networkOf(c), Device: k.device(c)}
}

// forwardedMethods are the headers in which proxies name the method of a request that they
// ask about.
var forwardedMethods = [...]string{"X-Forwarded-Method", "X-Original-Method"}

// isForwardAuth reports whether a proxy asks about a request of a client.
func isForwardAuth(c *fiber.Ctx) bool {
	for _, header := range forwardedMethods {
		if len(c.Request().Header.Peek(header)) > 0 {
			return true
		}
	}
	return false
}

// originOf is what the cross-origin rule looks at. Its strings are borrowed.
func originOf(c *fiber.Ctx) origin.Request {
	header := &c.Request().Header
	r := origin.Request{
		Method: c.Method(), Host: borrow(c.Request().Host()), Origin: borrow(header.Peek(fiber.HeaderOrigin)), FetchSite: borrow(header.Peek("Sec-Fetch-Site")),
		// A proxy that asks may have taken Upgrade away, which is for the next hop alone, but
		// not the rest.
		Opens: len(header.Peek(fiber.HeaderUpgrade)) > 0 || isForwardAuth(c) && len(header.Peek(fiber.HeaderSecWebSocketVersion)) > 0,
	}
	for _, name := range forwardedMethods {
		for _, method := range header.PeekAll(name) {
			r.Asked = append(r.Asked, borrow(method))
		}
	}
	return r
}

// checkOrigin is for a request whose credential came from a cookie.
func (a *Auth) checkOrigin(c *fiber.Ctx) error {
	r := originOf(c)
	if origin.IsSafe(r) && !c.App().Config().DisableHeaderNormalizing {
		return nil
	}
	return a.checkOriginOf(c, r)
}

// checkUnsafeOrigin is for a request that sets or clears cookies, whatever its method.
func (a *Auth) checkUnsafeOrigin(c *fiber.Ctx) error { return a.checkOriginOf(c, originOf(c)) }

func (a *Auth) checkOriginOf(c *fiber.Ctx, r origin.Request) error {
	if c.App().Config().DisableHeaderNormalizing {
		return fault.Setup("fiber.Config.DisableHeaderNormalizing hides the headers by which a browser says where a request comes from: leave it off where cookies are used")
	}
	if !a.origins.AllowsUnsafe(r) {
		return ErrCSRF
	}
	return nil
}

// publicRoute is an entry of Config.Public.
type publicRoute struct {
	method  string
	pattern string
	fixed   string // what stands before the first parameter, in lower case
}

func newPublicRoutes(entries []string) (routes []publicRoute, problems []string) {
	for i, entry := range entries {
		method, pattern, _ := strings.Cut(entry, " ")
		if !slices.Contains(fiber.DefaultMethods, method) || !strings.HasPrefix(pattern, "/") {
			problems = append(problems, fmt.Sprintf(`Config.Public[%d]: %q is not a route: write it like "GET /assets/*", the method in capitals`, i, entry))
			continue
		}
		if strings.ContainsAny(pattern, "<>") {
			// Fiber's matching by pattern folds the case of values, its router does
			// not: a constraint would open more than the route.
			problems = append(problems, fmt.Sprintf("Config.Public[%d]: %q has a constraint, which cannot be matched here as the router does: use Config.Next, or register the route above the middleware", i, entry))
			continue
		}
		// The router panics on a pattern that it cannot read.
		if err := fault.Recover(func() error { fiber.RoutePatternMatch("/", pattern); return nil }); err != nil {
			problems = append(problems, fmt.Sprintf("Config.Public[%d]: %q has a pattern that Fiber's router cannot read", i, entry))
			continue
		}
		routes = append(routes, publicRoute{method, pattern, strings.ToLower(fixedPart(pattern))})
	}
	return routes, problems
}

// fixedPart is what stands before the first parameter of a pattern, without slashes
// at its end.
func fixedPart(pattern string) string {
	if end := strings.IndexAny(pattern, ":*+\\"); end >= 0 {
		pattern = pattern[:end]
	}
	return strings.TrimRight(pattern, "/")
}

// matches by the rules of the application's own router.
func (p publicRoute) matches(c *fiber.Ctx) bool {
	method := c.Method()
	if method != p.method && (method != fiber.MethodHead || p.method != fiber.MethodGet) {
		return false
	}
	path := c.Path()
	if len(path) < len(p.fixed) || !strings.EqualFold(path[:len(p.fixed)], p.fixed) {
		return false // what the router says at last, but cheaper
	}
	rules := c.App().Config()
	if !rules.StrictRouting && len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	// The router takes neither "" nor "//" for "/".
	return path != "" && !dotted(path) && fiber.RoutePatternMatch(path, p.pattern, rules)
}

// dotted: a segment is "." or "..", in any spelling. A handler that takes the
// path for the name of a file resolves it, as Static does, and leaves what the
// pattern names.
func dotted(path string) bool {
	for segment := range strings.SplitSeq(unescaped.Replace(path), "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

var unescaped = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", `\`, "/")

// Some of Fiber's own middlewares keep an answer and give it to the next client
// without asking who that is. The table in docs/operate/deployment.md says which order is
// right for each of them.

// The names of the functions that make these middlewares. A handler is a closure
// in one of them, and its name begins so.
const (
	fibersCache       = "github.com/gofiber/fiber/v2/middleware/cache.New."
	fibersIdempotency = "github.com/gofiber/fiber/v2/middleware/idempotency.New."
	fibersCSRF        = "github.com/gofiber/fiber/v2/middleware/csrf.New."
)

// neighbours are the middlewares of that sort that an application has. One that
// is wrapped in a handler of the application's own is not seen.
type neighbours struct {
	handlers                 uint32 // of the application, when it was searched
	cache, idempotency, csrf bool
}

// neighbours of the application that c is a request to. It is searched again
// after routes were added.
func (a *Auth) neighbours(c *fiber.Ctx) neighbours {
	app := c.App()
	if known, ok := a.apps.Load(app); ok && known.(neighbours).handlers == app.HandlersCount() {
		return known.(neighbours)
	}
	n := a.neighboursIn(app)
	a.apps.Store(app, n)
	if n.csrf {
		a.logs.Hint(c.UserContext(), "Fiber's csrf middleware stands above the built-in routes and answers 403 to every sign-in without its token",
			"remove it, because fiberjwt checks itself which origin a request with cookies comes from; or register it below the middleware, for routes whose pages send its token")
	}
	return n
}

func (a *Auth) neighboursIn(app *fiber.App) neighbours {
	n := neighbours{handlers: app.HandlersCount()}
	for _, routes := range app.Stack() {
		guarded := []string{} // paths that csrf stands above, as far as it was registered
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

// refuseBelowCache refuses a request below a middleware that would keep the answer and
// give it to clients that were never asked for a token.
func refuseBelowCache(c *fiber.Ctx, n neighbours) error {
	switch {
	case n.cache && !bypassesCache(c) && isCalledBy(fibersCache):
		return fault.Setup("Fiber's cache middleware stands above fiberjwt and would give the answer for one account to every client: register it below, or above only for requests without credentials, as docs/operate/deployment.md shows")
	case n.idempotency && !fiber.IsMethodSafe(c.Method()) && isCalledBy(fibersIdempotency):
		return fault.Setup("Fiber's idempotency middleware stands above fiberjwt and would give the answer for one account to every client that sends the same key: register it below")
	}
	return nil
}

// isUnderCache reports whether Fiber's cache middleware is above and would keep the
// answer: a refusal would be for every client then, as long as it is kept.
func (a *Auth) isUnderCache(c *fiber.Ctx) bool {
	return a.neighbours(c).cache && !bypassesCache(c) && isCalledBy(fibersCache)
}

// passesCache: Fiber's cache middleware neither reads nor keeps the answer. The
// request says so, or that middleware has said that it is not for this method.
func bypassesCache(c *fiber.Ctx) bool {
	passes := strings.Contains(borrow(c.Request().Header.Peek(fiber.HeaderCacheControl)), "no-store")
	c.Response().Header.VisitAll(func(_, value []byte) {
		passes = passes || string(value) == "unreachable"
	})
	return passes
}

// calledBy: one of the functions that wait for this one to return is a closure in
// the function with this name.
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

// ownerHeader marks an answer while the handlers below run, so that one that
// Fiber's idempotency middleware gives again says whose it is. It never leaves.
const ownerHeader = "X-Fiberjwt-Owner"

// run runs the handlers below and keeps the answer for those that it is for.
func (r *request) run(c *fiber.Ctx) error {
	n := r.auth.neighbours(c)
	if n.cache && len(r.sessions) > 0 {
		// Fiber's cache middleware looks at no header of an answer, only at this one.
		c.Request().Header.Set(fiber.HeaderCacheControl, "no-store")
	}
	if !n.idempotency {
		err := r.next(c)
		r.label(c)
		return err
	}
	owner := r.owner()
	c.Response().Header.Set(ownerHeader, owner)
	err := r.next(c)
	foreign := isForAnother(c, owner)
	c.Response().Header.Del(ownerHeader)
	if foreign {
		c.Response().Reset()
		err = r.auth.answer(c, fault.Setup("Fiber's idempotency middleware gives an answer again that was for another account, or does not say for which: if it has KeepResponseHeaders, add "+ownerHeader+" there, which clients do not see"))
	}
	r.label(c)
	return err
}

// label writes what a cache must know about the answer. It comes after the
// handlers, because proxy.Do and its like replace all headers.
func (r *request) label(c *fiber.Ctx) {
	r.vary(c)
	if len(r.sessions) > 0 && len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "private")
	}
}

func (r *request) vary(c *fiber.Ctx) {
	c.Vary(r.auth.vary...)
	if r.byCookie {
		c.Vary("Sec-Fetch-Site", fiber.HeaderOrigin)
	}
}

// owner is who the answer is for, as text that does not show it.
func (r *request) owner() string {
	hash := sha256.New()
	for _, s := range r.sessions {
		hash.Write([]byte(s.Kind + "\x00" + s.Issuer + "\x00" + s.Subject + "\x00"))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// ofAnother: the answer was kept, and not for this owner.
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
	return len(marks) < 2 // this request's own, and that of the kept answer
}
