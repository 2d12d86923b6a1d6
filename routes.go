package fiberjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/client"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/openapi"
)

// builtIn is a built-in route of a kind, with what its OpenAPI document says.
type builtIn struct {
	method  string
	path    string // below "/{kind}"
	handler func(*Auth, *fiber.Ctx, *kind) error
	contract
	opened string // what a kind must have to offer it, where some do not
}

// contract is what a built-in route promises.
type contract struct {
	id       string
	summary  string
	detail   string                                    // what the summary leaves out
	offered  func(*kind) bool                          // nil: every kind offers the route
	security func(*Auth, *kind) []openapi.Object       // nil: the route is open
	body     func(*Auth, *kind) (openapi.Object, bool) // schema of the request, and whether a body is required; nil: no body
	status   int                                       // of success
	answer   func(*kind) openapi.Object                // schema of success; nil: no body
	cookies  bool                                      // sets or clears cookies
	ours     bool                                      // refuses tokens that have no session here
	hooked   bool                                      // a hook of the application may refuse with an error of its own
	refusals []*Error                                  // besides those that follow from the other fields
}

func (r contract) offeredBy(k *kind) bool { return r.offered == nil || r.offered(k) }

func (k *kind) opensRegistration() bool { return k.register != nil }

func (k *kind) hasPageServers() bool { return k.cookies.everywhere }

func (k *kind) hasPasswords() bool { return k.Password != nil }

// builtIns is the table of built-in routes.
var builtIns = []builtIn{
	{fiber.MethodPost, "/register", (*Auth).handleRegister, contract{
		id: "register", summary: "Create an account and sign in",
		detail:  "Tokens come in the body or in cookies, as transport says. There are none if the application lets a new account wait, for a confirmation for example.",
		offered: (*kind).opensRegistration, body: registrationForm, status: 201, answer: registered, cookies: true, hooked: true,
		refusals: []*Error{ErrForbidden, ErrTaken, ErrRateLimited},
	}, "set Entity.Register, which opens registration; fiberjwt.Anyone opens it to everybody"},
	{fiber.MethodPost, "/login", (*Auth).handleLogin, contract{
		id: "login", summary: "Sign in by password",
		detail:  "Tokens come in the body or in cookies, as transport says. An unlock_token comes from a link that the owner got from the application.",
		offered: (*kind).hasPasswords, body: loginForm, status: 200, answer: theTokens, cookies: true,
		refusals: []*Error{ErrBadCredentials, ErrRateLimited},
	}, "remove Password \"-\" from the Entity, so that the kind has passwords"},
	{fiber.MethodPost, "/refresh", (*Auth).handleRefresh, contract{
		id: "refresh", summary: "Get another access token, now and then with another refresh token",
		detail:   "The refresh token comes in the body or in the cookie. Keep it if the answer brings no other.",
		security: byRefreshToken, body: refreshForm, status: 200, answer: theTokens, cookies: true,
		refusals: []*Error{errNoRefreshToken, errLoneRefresh, ErrSessionEnded, ErrTokenReused},
	}, ""},
	{fiber.MethodPost, "/token", (*Auth).handleExchange, contract{
		id: "token", summary: "Get an access token for a refresh token that stays as it is",
		detail:  "For servers that render pages and cannot store another refresh token for the browser.",
		offered: (*kind).hasPageServers, body: exchangeForm, status: 200, answer: theTokens,
		refusals: []*Error{ErrSessionEnded, ErrTokenReused, ErrTokenReplaced},
	}, "set Config.Cookie.RefreshEverywhere"},
	{fiber.MethodPost, "/logout", (*Auth).handleLogout, contract{
		id: "logout", summary: "End the session; also with an expired token, also twice",
		detail:   "Clears the cookies of this kind.",
		security: byEitherToken, body: refreshForm, status: 204, cookies: true,
	}, ""},
	{fiber.MethodPost, "/logout-all", (*Auth).handleLogoutAll, contract{
		id: "logout-all", summary: "End every session of the account",
		detail: "Access tokens of the account are refused from then on, wherever they are.",
		ours:   true, security: byEitherToken, body: refreshForm, status: 204, cookies: true,
	}, ""},
	{fiber.MethodGet, "/me", (*Auth).handleMe, contract{
		id: "me", summary: "The account",
		detail:   "With the columns that the application shows.",
		security: byAccessToken, status: 200, answer: theAccount,
	}, ""},
	{fiber.MethodGet, "/sessions", (*Auth).handleSessions, contract{
		id: "sessions", summary: "The living sessions of the account, the newest first",
		detail:   "At most a hundred. The session of this request is marked as current.",
		security: byAccessToken,
		status:   200, answer: theSessions,
	}, ""},
	{fiber.MethodDelete, "/sessions/:id", (*Auth).handleEndSession, contract{
		id: "end-session", summary: "End one session of the account",
		detail:   "The id is one of the list of sessions.",
		security: byAccessToken, status: 204, cookies: true,
		refusals: []*Error{ErrNotFound},
	}, ""},
	{fiber.MethodPost, "/password", (*Auth).handlePassword, contract{
		id: "password", summary: "Change the password; every other session of the account ends",
		detail:  "The session of this request goes on.",
		offered: (*kind).hasPasswords, ours: true, security: byAccessToken, body: passwordForm, status: 204,
		refusals: []*Error{ErrBadCredentials, ErrRateLimited},
	}, "remove Password \"-\" from the Entity, so that the kind has passwords"},
}

// Mount adds the built-in routes of every kind to router, as "/{kind}/login"
// and so on. [Config].Routes does the same in one go. Without Entities there
// are none. Call it once, before the first request. It panics if router has a
// prefix with parameters and Config.Cookie.Path does not say where browsers see it.
func (a *Auth) Mount(router fiber.Router) {
	path, problems := a.cookie.pathOf(router)
	if err := joinProblems(problems); err != nil {
		panic(err)
	}
	if a.client {
		router.Get("/client.js", serveClient())
	}
	if group, ok := router.(*fiber.Group); ok {
		a.prefix = strings.TrimSuffix(group.Prefix, "/")
	}
	for _, k := range a.kinds {
		k.cookies = newCookieNames(k.Name, path, a.cookie)
		for _, route := range builtIns {
			path := "/" + k.Name + route.path
			router.Add(route.method, path, a.handle(route, k))
			a.mounted[a.prefix+path] = route.method == fiber.MethodPost
			if route.method == fiber.MethodGet {
				router.Add(fiber.MethodHead, path, a.handle(route, k))
			}
			router.All(path, a.otherMethod(route.method))
		}
	}
}

// handle wraps a built-in route: its answers are never stored (RFC 6749 §5.1).
func (a *Auth) handle(route builtIn, k *kind) fiber.Handler {
	return func(c *fiber.Ctx) error {
		endStream(c)
		c.Set(fiber.HeaderCacheControl, "no-store")
		c.Set(fiber.HeaderPragma, "no-cache")
		c.Vary(a.vary...)
		if route.method == fiber.MethodPost { // the others are about who asks, as every route below
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
		// Hooks run in there, MarshalJSON of the model among them.
		if err := fault.Recover(func() error { return route.handler(a, c, k) }); err != nil {
			return a.answer(c, withKind(err, k.Name))
		}
		if a.cookie.Path == "" {
			a.logs.cookiePathDiffers(c, k.cookies)
		}
		return nil
	}
}

// otherMethod answers 405, and leaves OPTIONS to the handlers below.
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

// serveClient answers [Config].Client. Browsers ask on each page load whether the
// module has changed, so client and server always have the same version.
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

// matches compares If-None-Match with tag, weakly, as RFC 9110 §13.1.2 requires.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
