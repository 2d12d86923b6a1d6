package fiberjwt

import (
	"bytes"
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

// borrow returns bytes of a request as a string without a copy. The string is valid until the
// request ends: clone it if it has to live longer.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

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

// address returns the address of the client, or "" if it is not known.
func address(c *fiber.Ctx) string {
	if ip, ok := clientAddress(c); ok {
		return ip.String()
	}
	return ""
}

// networkOf returns the Place of a request with the fields that follow from the address of
// the client. It is empty if the address is not known. All such clients then share one limit
// of failed sign-ins, and none is recognized by its network.
func (a *Auth) networkOf(c *fiber.Ctx) throttle.Place {
	ip, ok := clientAddress(c)
	if !ok {
		a.logs.noAddress(c)
		return throttle.Place{}
	}
	return throttle.Place{Network: clientip.Network(ip), Site: clientip.Site(ip)}
}

// clientOf returns what is known about the client that sent a sign-in request.
func (a *Auth) clientOf(c *fiber.Ctx, k *kind) auth.Client {
	return auth.Client{Address: address(c), Agent: agent(c), Network: a.networkOf(c), Device: k.device(c)}
}

// forwardedMethods are the headers of forward authentication: the proxy sends a subrequest
// to ask whether it may forward the client's request, and names the method of that request
// in one of them.
var forwardedMethods = [...]string{"X-Forwarded-Method", "X-Original-Method"}

// isForwardAuth reports whether a proxy asks whether a client's request may pass.
func isForwardAuth(c *fiber.Ctx) bool {
	for _, header := range forwardedMethods {
		if len(c.Request().Header.Peek(header)) > 0 {
			return true
		}
	}
	return false
}

// originOf returns what the cross-origin rule reads from a request. Its strings are borrowed.
func originOf(c *fiber.Ctx) origin.Request {
	header := &c.Request().Header
	r := origin.Request{
		Method: c.Method(), Host: borrow(c.Request().Host()), Origin: borrow(header.Peek(fiber.HeaderOrigin)), FetchSite: borrow(header.Peek("Sec-Fetch-Site")),
		// A proxy that asks may have removed Upgrade, which is a hop-by-hop header. It keeps
		// the other headers of a WebSocket.
		Opens: len(header.Peek(fiber.HeaderUpgrade)) > 0 || isForwardAuth(c) && len(header.Peek(fiber.HeaderSecWebSocketVersion)) > 0,
	}
	for _, name := range forwardedMethods {
		for _, method := range header.PeekAll(name) {
			r.Asked = append(r.Asked, borrow(method))
		}
	}
	return r
}

// checkOrigin applies the cross-origin rule to a request whose credential came from a cookie.
// The error is ErrCSRF or a setup error.
func (a *Auth) checkOrigin(c *fiber.Ctx) error {
	r := originOf(c)
	if origin.IsSafe(r) && !c.App().Config().DisableHeaderNormalizing {
		return nil
	}
	return a.checkOriginOf(c, r)
}

// checkUnsafeOrigin applies the cross-origin rule to a request that sets or clears cookies. It
// does not exempt safe methods.
func (a *Auth) checkUnsafeOrigin(c *fiber.Ctx) error { return a.checkOriginOf(c, originOf(c)) }

func (a *Auth) checkOriginOf(c *fiber.Ctx, r origin.Request) error {
	if c.App().Config().DisableHeaderNormalizing {
		return fault.Setup("fiber.Config.DisableHeaderNormalizing hides the headers in which a browser names the origin of a request: leave it off if you use cookies")
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
	fixed   string // the part before the first parameter, in lower case
}

func newPublicRoutes(entries []string) (routes []publicRoute, problems []fault.Problem) {
	for i, entry := range entries {
		refuse := func(reason, hint string) {
			problems = append(problems, fault.NewProblem(fmt.Sprintf("Config.Public[%d]", i), fmt.Sprintf("%q %s", entry, reason), hint))
		}
		method, pattern, _ := strings.Cut(entry, " ")
		if !slices.Contains(fiber.DefaultMethods, method) || !strings.HasPrefix(pattern, "/") {
			refuse("is not a route", `write it like "GET /assets/*", the method in capitals`)
			continue
		}
		if strings.ContainsAny(pattern, "<>") {
			// fiber.RoutePatternMatch ignores the case of values and Fiber's router does
			// not. With a constraint, the entry would open more than the route.
			refuse("has a constraint, which cannot be matched here as the router does", "use Config.Next, or register the route above the middleware")
			continue
		}
		// Fiber panics on a pattern that it cannot parse.
		if err := fault.Recover(func() error { fiber.RoutePatternMatch("/", pattern); return nil }); err != nil {
			refuse("has a pattern that Fiber's router cannot read", "correct the pattern, or use Config.Next")
			continue
		}
		routes = append(routes, publicRoute{method, pattern, strings.ToLower(fixedPart(pattern))})
	}
	return routes, problems
}

// fixedPart returns the part of a pattern before its first parameter, without slashes at the
// end.
func fixedPart(pattern string) string {
	if end := strings.IndexAny(pattern, ":*+\\"); end >= 0 {
		pattern = pattern[:end]
	}
	return strings.TrimRight(pattern, "/")
}

// isPublic reports whether an entry of Config.Public takes the request.
func (a *Auth) isPublic(c *fiber.Ctx) bool {
	for i := range a.public {
		if a.public[i].matches(c) {
			return true
		}
	}
	return false
}

// matches reports whether the route takes the request. It follows the settings of the
// application's router.
func (p publicRoute) matches(c *fiber.Ctx) bool {
	method := c.Method()
	if method != p.method && (method != fiber.MethodHead || p.method != fiber.MethodGet) {
		return false
	}
	path := c.Path()
	if len(path) < len(p.fixed) || !strings.EqualFold(path[:len(p.fixed)], p.fixed) {
		return false // RoutePatternMatch would say the same, but is slower
	}
	rules := c.App().Config()
	if !rules.StrictRouting && len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	// The router does not treat "" or "//" as "/".
	return path != "" && !dotted(path) && fiber.RoutePatternMatch(path, p.pattern, rules)
}

// dotted reports whether a segment of path is "." or "..", in any spelling. Such a path may
// match a pattern and still lead out of it: a handler that uses the path as a file name
// resolves these segments, as Fiber's Static does.
func dotted(path string) bool {
	for segment := range strings.SplitSeq(unescaped.Replace(path), "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

var unescaped = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", `\`, "/")

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

// ownerHeader has the owner of a response while the handlers below run. If Fiber's
// idempotency middleware repeats a stored response, the header says which account it was
// for. It is removed before the response is sent.
const ownerHeader = "X-Fiberjwt-Owner"

// run calls the handlers below and makes sure that only the right accounts get the
// response.
func (r *request) run(c *fiber.Ctx) error {
	if r.beside.cache && len(r.sessions) > 0 {
		// Fiber's cache middleware reads no header of the response. This header of the
		// request is the only way to keep the response out of the cache.
		c.Request().Header.Set(fiber.HeaderCacheControl, "no-store")
	}
	if !r.beside.idempotency {
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
		err = r.auth.answer(c, fault.Setup("Fiber's idempotency middleware repeats a response that was for another account, or for an unknown one: if KeepResponseHeaders is set, add "+ownerHeader+" to it; clients do not see this header"))
	}
	r.label(c)
	return err
}

// label sets the headers that caches need. It runs after the handlers, because some of them,
// such as proxy.Do, replace all headers.
func (r *request) label(c *fiber.Ctx) {
	r.vary(c)
	if len(r.sessions) > 0 && len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Response().Header.SetCanonical(headerCacheControl, private)
	}
}

// Names and values of headers as bytes, which fasthttp takes without a copy. Only Vary and
// Cache-Control are in its canonical form, so only they may be set by SetCanonical.
var (
	headerVary            = []byte(fiber.HeaderVary)
	headerCacheControl    = []byte(fiber.HeaderCacheControl)
	headerWWWAuthenticate = []byte(fiber.HeaderWWWAuthenticate)
	private               = []byte("private")
	noStore               = []byte("no-store")
)

func (r *request) vary(c *fiber.Ctx) {
	if r.byCookie {
		r.auth.varyByCookie.add(c)
	} else {
		r.auth.vary.add(c)
	}
}

// vary is a list of names for the header Vary.
type vary struct {
	names []string
	text  []byte // the names as the value of the header
}

func newVary(names ...string) vary {
	var unique []string
	for _, name := range names {
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	return vary{unique, []byte(strings.Join(unique, ", "))}
}

// add adds the names to the header of the response, as c.Vary does. It joins them only if
// another middleware or the handler has set the header.
func (v vary) add(c *fiber.Ctx) {
	switch present := c.Response().Header.Peek(fiber.HeaderVary); {
	case len(present) == 0:
		c.Response().Header.SetCanonical(headerVary, v.text)
	case !bytes.Equal(present, v.text):
		c.Vary(v.names...)
	}
}

// owner returns a hash of the accounts that the response is for.
func (r *request) owner() string {
	hash := sha256.New()
	for _, s := range r.sessions {
		hash.Write([]byte(s.Kind + "\x00" + s.Issuer + "\x00" + s.Subject + "\x00"))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
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
