package fiberjwt

import (
	"cmp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/cookiename"
	"github.com/fiberjwt/fiberjwt/internal/seal"
)

// Cookie sets how cookies are written. The zero value is right behind TLS.
type Cookie struct {
	// Insecure drops the Secure attribute and the __Host- and __Secure- name
	// prefixes, for development over plain http. An attacker who can read or write the
	// network can then take sessions over: never set it in production.
	Insecure bool
	// Namespace keeps the cookies of several applications on one host apart: give
	// each its own. Browsers keep one jar for all ports of a host, so it is needed
	// for http://localhost:3000 beside http://localhost:4000, and for two
	// applications on two paths. Letters, digits and "-", at most 32: with "shop",
	// the access cookie of users is __Host-Http-shop~users. People who are signed in
	// by cookie when this is changed sign in again. Default: none.
	Namespace string
	// Sliding has the middleware renew an access cookie by itself when less than
	// half of its token's life is left: for sites without a script that
	// refreshes. It does so with the answer to a navigation or fetch of a page of
	// the application's own, of browsers that tell these (over https or on
	// localhost), if the handler succeeded, the answer is not for shared caches
	// and the session is alive; the idle deadline moves along, SessionTTL stands.
	// The token of a [LoginOptions] that differs from what Entity says is left to expire.
	//
	// Who pauses for longer than a token lives is signed out unless a client
	// refreshes: give AccessTTL half an hour or more. And an attacker who copies
	// a cookie keeps the session alive with it, like that of any cookie session,
	// until SessionTTL or a logout; without Sliding he has it for AccessTTL. Where
	// no client refreshes, that holds for the refresh cookie too: what does not
	// rotate cannot show a copy.
	Sliding bool
	// RefreshEverywhere is for a server that renders pages ahead of the client and
	// wants to know who is signed in when the access token has expired. It has
	// browsers send the refresh cookies with every request to this host, not to the
	// routes of their kind alone, and opens POST /{kind}/token, where such a server
	// exchanges one for an access token.
	//
	// Every handler and log below this host sees refresh tokens then. And an attacker with a copy of
	// one can exchange it too, until the owner's next rotation; unlike a refresh that
	// leaves no trace but [event.Exchange]. Exchange the token of the request at hand
	// and keep none: an old one is taken for a stolen one. The cookies have names of
	// their own: users who are signed in by cookie when this is switched sign in again.
	RefreshEverywhere bool
	// Path is what browsers see in front of "/{kind}" of the built-in routes.
	// The refresh cookies are limited to it. Default: the prefix of the router
	// that the routes are on; set it behind a proxy that strips a prefix, or if
	// the routes are in a mounted app.
	Path string
}

// pathOf is the path in front of "/{kind}" of the routes that are mounted on router.
func (s Cookie) pathOf(router fiber.Router) (string, []string) {
	group, ok := router.(*fiber.Group)
	switch {
	case s.Path != "":
		return s.Path, nil
	case !ok || group.Prefix == "":
		return "/", nil
	case !plainPath(group.Prefix):
		return "", []string{"Config.Routes: the prefix " + group.Prefix + " has parameters: set Config.Cookie.Path to the path that the refresh cookies are for"}
	}
	return group.Prefix, nil
}

// cookieNames of a kind.
type cookieNames struct {
	access  string
	refresh string
	device  string
	path    string // of the refresh cookie
	routes  string // of the kind, as browsers see them

	everywhere bool // Cookie.RefreshEverywhere
	sliding    bool // Cookie.Sliding
	secure     bool
}

func newCookieNames(kind, path string, s Cookie) cookieNames {
	access, refresh := cookiename.Of(s.Namespace, kind, s.Insecure, s.RefreshEverywhere)
	routes := strings.TrimSuffix(path, "/") + "/" + kind
	names := cookieNames{
		access:  access,
		refresh: refresh,
		device:  cookiename.Device(s.Namespace, kind, s.Insecure),
		path:    routes,
		routes:  routes,
		secure:  !s.Insecure,

		everywhere: s.RefreshEverywhere,
		sliding:    s.Sliding,
	}
	if s.RefreshEverywhere {
		names.path = "/"
	}
	return names
}

// set hands both tokens to the browser; an empty refresh token leaves that
// cookie as it is. The access cookie outlives its token: an expired token is
// answered 401 and refreshed, a missing one would be anonymous. Where sessions
// slide, the refresh cookie stays while the access cookie is prolonged.
func (n cookieNames) set(c *fiber.Ctx, p auth.Pair) {
	setPrivate(c)
	n.write(c, n.access, p.Access, "/", fiber.CookieSameSiteLaxMode, p.Idle)
	if p.Refresh == "" {
		return
	}
	life := p.Idle
	if n.sliding {
		life = p.Ends
	}
	n.write(c, n.refresh, p.Refresh, n.path, fiber.CookieSameSiteStrictMode, life)
}

func (n cookieNames) write(c *fiber.Ctx, name, value, path, sameSite string, life time.Duration) {
	c.Cookie(&fiber.Cookie{
		Name: name, Value: value, Path: path, Secure: n.secure, HTTPOnly: true, SameSite: sameSite,
		MaxAge: int(life / time.Second),
	})
}

// clear deletes both cookies: the same name, path and attributes, expired.
// fasthttp drops a Max-Age of zero or less, so only Expires says it.
func (n cookieNames) clear(c *fiber.Ctx) {
	setPrivate(c)
	past := time.Unix(1, 0).UTC()
	c.Cookie(&fiber.Cookie{Name: n.access, Path: "/", Secure: n.secure, HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Expires: past})
	c.Cookie(&fiber.Cookie{Name: n.refresh, Path: n.path, Secure: n.secure, HTTPOnly: true, SameSite: fiber.CookieSameSiteStrictMode, Expires: past})
}

// setPrivate keeps an answer that sets cookies out of caches, which may hand
// them on with it (RFC 9111 §7.3), unless the handler has seen to that.
func setPrivate(c *fiber.Ctx) {
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 || !isPrivate(c) {
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
}

// present: the request carries a cookie of the kind.
func (n cookieNames) sentWith(c *fiber.Ctx) bool {
	return len(c.Request().Header.Cookie(n.access)) > 0 || len(c.Request().Header.Cookie(n.refresh)) > 0
}

// deviceLife is how long a browser that has signed in is remembered.
const deviceLife = 180 * 24 * time.Hour

// device opens the device cookie of a request. A sibling host can plant a cookie of the
// same name beside ours.
func (k *kind) device(c *fiber.Ctx) seal.Device {
	for _, value := range cookieValues(c, k.cookies.device) {
		if d, ok := k.Device(borrow(value)); ok {
			return d
		}
	}
	return seal.Device{}
}

// markDevice notes in the browser that it has signed in to the account of a name.
func (k *kind) markDevice(c *fiber.Ctx, name string, now time.Time) {
	value := k.Mark(k.device(c), name, now)
	k.cookies.write(c, k.cookies.device, value, k.cookies.routes, fiber.CookieSameSiteStrictMode, deviceLife)
}

// slide renews access cookies whose tokens are in the second half of their life,
// after the handler succeeded. What fails here is tried again by the next
// request: the one at hand has been answered.
func (a *Auth) renewCookies(c *fiber.Ctx, r *request) {
	if !isPageRequest(c) || c.Response().StatusCode() >= fiber.StatusBadRequest || !isPrivate(c) {
		return
	}
	for _, s := range r.sessions {
		k := a.kind(s.Kind)
		if !s.own || s.granted || s.ExpiresAt.Sub(a.now()) > s.ExpiresAt.Sub(s.IssuedAt)/2 || len(c.Response().Header.PeekCookie(k.cookies.access)) > 0 {
			continue // the last: the handler signed in or out itself
		}
		p, err := a.service.Prolong(c.UserContext(), k.Kind, s.verified())
		if err != nil {
			continue
		}
		// Not no-store, which would keep the page out of the back/forward cache.
		c.Set(fiber.HeaderCacheControl, cmp.Or(string(c.Response().Header.Peek(fiber.HeaderCacheControl)), "private"))
		k.cookies.set(c, p)
	}
}

// ordinary: a navigation or a fetch of a page of our own, of a browser that says
// so (Fetch Metadata), and not one that it makes ahead of the person. HEAD shows
// the person nothing, and a proxy that asks drops the cookie.
func isPageRequest(c *fiber.Ctx) bool {
	header := func(name string) string { return borrow(c.Request().Header.Peek(name)) }
	site, dest := header("Sec-Fetch-Site"), header("Sec-Fetch-Dest")
	return c.Method() != fiber.MethodHead && (site == "same-origin" || site == "none") && (dest == "document" || dest == "empty") &&
		header("Sec-Purpose") == "" && header("Purpose") == "" && header("X-Moz") == "" && header(fiber.HeaderUpgrade) == "" && !isForwardAuth(c)
}

// forOne: no shared cache keeps the answer; it would keep its Set-Cookie too, RFC
// 9111 §7.3. An answer without a word on caching can still be given one.
// With a list of names, private is about those headers alone (§5.2.2.7).
func isPrivate(c *fiber.Ctx) bool {
	rule := borrow(c.Response().Header.Peek(fiber.HeaderCacheControl))
	if rule == "" {
		return true
	}
	for directive := range strings.SplitSeq(strings.ToLower(rule), ",") {
		if name := strings.TrimSpace(directive); name == "private" || name == "no-store" {
			return !strings.Contains(rule, `"`) // a comma may be in quotes
		}
	}
	return false
}
