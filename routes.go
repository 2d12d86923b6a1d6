package fiberjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/client"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/openapi"
)

// builtIn is one of the built-in routes, which every kind has unless contract.offered says
// otherwise.
type builtIn struct {
	method  string
	path    string // below "/{kind}"
	handler func(*Auth, *fiber.Ctx, *kind) error
	contract
	opened string // hint of the log on how to open a route that the kind does not offer
}

// contract describes a built-in route. The OpenAPI document of the route is made from it.
type contract struct {
	id       string
	summary  string
	detail   string                                    // further description
	offered  func(*kind) bool                          // whether a kind has the route; nil if every kind has it
	security func(*Auth, *kind) []openapi.Object       // nil if the route requires no token
	body     func(*Auth, *kind) (openapi.Object, bool) // schema of the request, and whether a body is required; nil if there is no body
	status   int                                       // of a successful response
	answer   func(*kind) openapi.Object                // schema of a successful response; nil if it has no body
	cookies  bool                                      // the route sets or clears cookies
	ours     bool                                      // the route refuses tokens that have no session in the store
	hooked   bool                                      // a hook of the application may refuse with its own error
	refusals []*Error                                  // in addition to those that follow from the other fields
}

func (r contract) offeredBy(k *kind) bool { return r.offered == nil || r.offered(k) }

func (k *kind) opensRegistration() bool { return k.register != nil }

func (k *kind) hasPageServers() bool { return k.cookies.everywhere }

func (k *kind) hasPasswords() bool { return k.Password != nil }

// builtIns are the built-in routes of each kind.
var builtIns = []builtIn{
	{fiber.MethodPost, "/register", (*Auth).handleRegister, contract{
		id: "register", summary: "Create an account and sign in",
		detail:  "The member transport chooses whether the tokens are in the body or in cookies. There are no tokens if the application requires another step first, such as a confirmation of the email address.",
		offered: (*kind).opensRegistration, body: registrationForm, status: 201, answer: registered, cookies: true, hooked: true,
		refusals: []*Error{ErrForbidden, ErrTaken, ErrRateLimited},
	}, "set Entity.Register to open registration; fiberjwt.Anyone lets every client register"},
	{fiber.MethodPost, "/login", (*Auth).handleLogin, contract{
		id: "login", summary: "Sign in with a password",
		detail:  "The member transport chooses whether the tokens are in the body or in cookies. The unlock_token is the token of a link that the application sent to the owner of the account.",
		offered: (*kind).hasPasswords, body: loginForm, status: 200, answer: theTokens, cookies: true,
		refusals: []*Error{ErrBadCredentials, ErrRateLimited},
	}, "remove Password \"-\" from the Entity, so that the kind has passwords"},
	{fiber.MethodPost, "/refresh", (*Auth).handleRefresh, contract{
		id: "refresh", summary: "Get a new access token, and sometimes a new refresh token",
		detail:   "The refresh token is sent in the body or in the cookie. If the response has no refresh token, keep the one you have.",
		security: byRefreshToken, body: refreshForm, status: 200, answer: theTokens, cookies: true,
		refusals: []*Error{errNoRefreshToken, errLoneRefresh, ErrSessionEnded, ErrTokenReused},
	}, ""},
	{fiber.MethodPost, "/token", (*Auth).handleExchange, contract{
		id: "token", summary: "Get an access token without rotating the refresh token",
		detail:  "This is for servers that render pages and cannot give the browser a new refresh token.",
		offered: (*kind).hasPageServers, body: exchangeForm, status: 200, answer: theTokens,
		refusals: []*Error{ErrSessionEnded, ErrTokenReused, ErrTokenReplaced},
	}, "set Config.Cookie.RefreshEverywhere"},
	{fiber.MethodPost, "/logout", (*Auth).handleLogout, contract{
		id: "logout", summary: "End the session",
		detail:   "Clears the cookies of this kind. An expired token is accepted. A repeated request succeeds too.",
		security: byEitherToken, body: refreshForm, status: 204, cookies: true,
	}, ""},
	{fiber.MethodPost, "/logout-all", (*Auth).handleLogoutAll, contract{
		id: "logout-all", summary: "End every session of the account",
		detail: "From then on, all access tokens of the account that were issued before are refused.",
		ours:   true, security: byEitherToken, body: refreshForm, status: 204, cookies: true,
	}, ""},
	{fiber.MethodGet, "/me", (*Auth).handleMe, contract{
		id: "me", summary: "Get the account",
		detail:   "The response has the columns that the application shows.",
		security: byAccessToken, status: 200, answer: theAccount,
	}, ""},
	{fiber.MethodGet, "/sessions", (*Auth).handleSessions, contract{
		id: "sessions", summary: "List the active sessions of the account, newest first",
		detail:   "The list has at most 100 sessions. The session of this request is marked as current.",
		security: byAccessToken,
		status:   200, answer: theSessions,
	}, ""},
	{fiber.MethodDelete, "/sessions/:id", (*Auth).handleEndSession, contract{
		id: "end-session", summary: "End one session of the account",
		detail:   "The id is from the list of sessions.",
		security: byAccessToken, status: 204, cookies: true,
		refusals: []*Error{ErrNotFound},
	}, ""},
	{fiber.MethodPost, "/password", (*Auth).handlePassword, contract{
		id: "password", summary: "Change the password and end every other session of the account",
		detail:  "The session of this request stays active.",
		offered: (*kind).hasPasswords, ours: true, security: byAccessToken, body: passwordForm, status: 204,
		refusals: []*Error{ErrBadCredentials, ErrRateLimited},
	}, "remove Password \"-\" from the Entity, so that the kind has passwords"},
}

// Mount adds the built-in routes of every kind to router, as "/{kind}/login"
// and so on. [Config].Routes does the same when [New] or [Open] is called. Without
// Config.Entities, Mount adds no route for a kind. Call Mount once, before the first
// request, and before the middleware: below the middleware, a sign-in would need a token.
//
// Mount panics if the prefix of router has parameters and Config.Cookie.Path is not set,
// because the path of the refresh cookies is then unknown.
func (a *Auth) Mount(router fiber.Router) {
	path, problems := a.cookie.pathOf(router)
	if err := configError("the Config", problems); err != nil {
		panic(err)
	}
	if a.client {
		router.Get("/client.js", serveClient())
	}
	if prefix, _ := prefixOf(router); prefix != "" {
		a.prefix = strings.TrimSuffix(prefix, "/")
	}
	for _, k := range a.kinds {
		k.cookies = newCookieNames(k.Name, path, a.cookie)
		for _, route := range builtIns {
			path := "/" + k.Name + route.path
			addRoute(router, route.method, path, a.handle(route, k))
			a.mounted[a.prefix+path] = route.method == fiber.MethodPost
			if route.method == fiber.MethodGet {
				addRoute(router, fiber.MethodHead, path, a.handle(route, k))
			}
			router.All(path, a.otherMethod(route.method))
		}
	}
}

// handle returns the handler of a built-in route of k. Responses must not be stored by
// caches (RFC 6749 §5.1).
func (a *Auth) handle(route builtIn, k *kind) fiber.Handler {
	return func(c *fiber.Ctx) error {
		endStream(c)
		c.Set(fiber.HeaderCacheControl, "no-store")
		c.Set(fiber.HeaderPragma, "no-cache")
		a.vary.add(c)
		// Other methods are refused by authenticate, as on the application's routes.
		if route.method == fiber.MethodPost {
			if err := refuseBelowCache(c, a.neighbours(c)); err != nil {
				return a.answer(c, err)
			}
		}
		if !route.offeredBy(k) {
			a.logs.closedRoute(c, route, k)
			return a.answer(c, ErrNotFound)
		}
		if err := a.service.Ready(c.UserContext()); err != nil {
			return a.answer(c, err)
		}
		// The handler runs code of the application: hooks, and MarshalJSON of the model.
		if err := fault.Recover(func() error { return route.handler(a, c, k) }); err != nil {
			return a.answer(c, withKind(err, k.Name))
		}
		if a.cookie.Path == "" {
			a.logs.cookiePathDiffers(c, k.cookies)
		}
		return nil
	}
}

// otherMethod returns a handler that answers 405 to all methods except OPTIONS, which it
// passes to the next handler.
func (a *Auth) otherMethod(allowed string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if c.Method() == fiber.MethodOptions {
			return c.Next()
		}
		c.Set(fiber.HeaderAllow, allowed)
		if allowed == fiber.MethodGet {
			c.Set(fiber.HeaderAllow, "GET, HEAD")
		}
		return a.answer(c, ErrMethod)
	}
}

// serveClient returns the handler for client.js, see [Config].ServeClient. Browsers ask on
// each page load whether the module has changed, so client and server always have the same
// version.
func serveClient() fiber.Handler {
	module := client.Module()
	sum := sha256.Sum256([]byte(module))
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderETag, tag)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
			return c.SendStatus(fiber.StatusNotModified)
		}
		c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
		return c.SendString(module)
	}
}

// matches reports whether the header If-None-Match contains tag. The comparison is weak, as
// RFC 9110 §13.1.2 requires.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
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
		if checkPattern(pattern) != nil {
			refuse("has a pattern that Fiber's router cannot read", "correct the pattern, or use Config.Next")
			continue
		}
		routes = append(routes, publicRoute{method, pattern, strings.ToLower(fixedPart(pattern))})
	}
	return routes, problems
}

// routedPath returns path as the router compares it with patterns.
func routedPath(path string, rules fiber.Config) string {
	if !rules.StrictRouting && len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	return path
}

// takes reports whether a route with the pattern takes path. Clients can send any number of
// unknown paths, so the cheap test comes first.
func takes(pattern, path string, rules fiber.Config) bool {
	fixed := fixedPart(pattern)
	return len(path) >= len(fixed) && strings.EqualFold(path[:len(fixed)], fixed) && fiber.RoutePatternMatch(path, pattern, rules)
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
	path = routedPath(path, rules)
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
