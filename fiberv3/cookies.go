// Code generated from ../cookies.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"cmp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/cookiename"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/origin"
	"github.com/fiberjwt/fiberjwt/internal/seal"
)

// Cookie configures the cookies of all kinds. The zero value is right for applications that
// browsers reach over https.
type Cookie struct {
	// Insecure removes the Secure attribute of cookies and the prefixes __Host- and
	// __Secure- of their names, for development over plain http. Never set it in
	// production: an attacker who can read or change the network traffic can then take
	// over sessions. Default: false.
	Insecure bool
	// Namespace separates the cookies of several applications on one host: give each
	// application a different value. Browsers store cookies by host and ignore the port.
	// You therefore need it for http://localhost:3000 beside http://localhost:4000, and
	// for two applications on different paths. It may have letters, digits and "-", at
	// most 32 characters. With "shop", the access cookie of users is
	// __Host-Http-shop~users. When you change it, users who are signed in by cookie have
	// to sign in again. Default: "", no namespace.
	Namespace string
	// Sliding makes the middleware renew an access cookie when less than half of the
	// lifetime of its token is left. It is for sites without a script that refreshes.
	//
	// A cookie is renewed only with the response to a navigation or a fetch of one of the
	// application's own pages, and only if the handler succeeded, shared caches may not
	// store the response, and the session is active. Browsers describe such requests in
	// the headers of Fetch Metadata, which they send over https and to localhost. The idle
	// deadline moves with each renewal; SessionTTL does not. A token that [LoginOptions]
	// made different from what [Entity] says is not renewed.
	//
	// Set AccessTTL to half an hour or more: a user who pauses for longer than a token is
	// valid is signed out, unless a client refreshes. An attacker who copies an access
	// cookie can use it to extend the session until SessionTTL or a logout, as with any
	// cookie session; without Sliding, the copy is valid for AccessTTL. If no client
	// refreshes, a copied refresh cookie is not detected either, because only rotation
	// reveals a copy. Default: false.
	Sliding bool
	// RefreshEverywhere is for a server that renders pages and has to know who is signed
	// in even if the access token has expired. Browsers then send the refresh cookies with
	// every request to this host, and not only to the built-in routes of their kind. It
	// also opens POST /{kind}/token, where such a server exchanges a refresh token for an
	// access token.
	//
	// Every handler and every log of cookies on this host then sees refresh tokens. An
	// attacker with a copy of a refresh token can exchange it too, until the owner's next
	// rotation. Rotation does not detect this; the only trace is [event.Exchange].
	// Exchange the token of the current request and do not store it: an old token is
	// treated as stolen. The cookies have different names than without this setting.
	// When you change it, users who are signed in by cookie have to sign in again.
	// Default: false.
	RefreshEverywhere bool
	// Path is the path that browsers see in front of "/{kind}" of the built-in routes,
	// such as "/auth". Browsers send the refresh cookies only to the routes below it. Set
	// it behind a proxy that strips a prefix, or if the routes are in a mounted app.
	// Default: the prefix of the router that the routes are registered on.
	Path string
}

// pathOf returns the path in front of "/{kind}" of routes that are mounted on router, as
// browsers see it.
func (s Cookie) pathOf(router fiber.Router) (string, []fault.Problem) {
	const hint = "set Config.Cookie.Path to the path that the refresh cookies are for"
	prefix, known := prefixOf(router)
	switch {
	case s.Path != "":
		return s.Path, nil
	case !known:
		return "", []fault.Problem{fault.NewProblem("Config.Routes", "is a router that does not tell its prefix", hint)}
	case prefix == "":
		return "/", nil
	case !plainPath(prefix):
		return "", []fault.Problem{fault.NewProblem("Config.Routes", "the prefix "+prefix+" has parameters", hint)}
	}
	return prefix, nil
}

// cookieNames has the names and attributes of the cookies of a kind.
type cookieNames struct {
	access  string
	refresh string
	device  string
	path    string // of the refresh cookie
	routes  string // path of the built-in routes of the kind, as browsers see it

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

// set writes both tokens into cookies. If the refresh token is empty, the refresh cookie is
// not changed.
//
// The access cookie lives until the idle deadline, longer than its token: an expired token
// is answered 401, so the client refreshes, but without the cookie the request would look
// anonymous. With Cookie.Sliding, the refresh cookie lives until the end of the session,
// because renewals write only the access cookie.
func (n cookieNames) set(c fiber.Ctx, p auth.Pair) {
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

func (n cookieNames) write(c fiber.Ctx, name, value, path, sameSite string, life time.Duration) {
	c.Cookie(&fiber.Cookie{
		Name: name, Value: value, Path: path, Secure: n.secure, HTTPOnly: true, SameSite: sameSite,
		MaxAge: int(life / time.Second),
	})
}

// clear deletes both cookies. It writes them again with the same names, paths and attributes
// and an Expires in the past. Max-Age cannot be used: fasthttp drops it if it is zero or less.
func (n cookieNames) clear(c fiber.Ctx) {
	setPrivate(c)
	past := time.Unix(1, 0).UTC()
	c.Cookie(&fiber.Cookie{Name: n.access, Path: "/", Secure: n.secure, HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Expires: past})
	c.Cookie(&fiber.Cookie{Name: n.refresh, Path: n.path, Secure: n.secure, HTTPOnly: true, SameSite: fiber.CookieSameSiteStrictMode, Expires: past})
}

// setPrivate keeps a response that sets cookies out of shared caches, which may store it
// together with its cookies (RFC 9111 §7.3). It does nothing if the handler has done so.
func setPrivate(c fiber.Ctx) {
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 || !isPrivate(c) {
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
}

// sentWith reports whether the request has an access or refresh cookie of the kind.
func (n cookieNames) sentWith(c fiber.Ctx) bool {
	return len(c.Request().Header.Cookie(n.access)) > 0 || len(c.Request().Header.Cookie(n.refresh)) > 0
}

// deviceLife is the lifetime of the device cookie, which marks a browser that has signed in.
const deviceLife = 180 * 24 * time.Hour

// device returns the content of the first valid device cookie of a request. There may be
// several, because a sibling host can set a cookie with the same name.
func (k *kind) device(c fiber.Ctx) seal.Device {
	for _, value := range cookieValues(c, k.cookies.device) {
		if d, ok := k.Device(borrow(value)); ok {
			return d
		}
	}
	return seal.Device{}
}

// markDevice writes the device cookie, which says that this browser has signed in to the
// account with this name.
func (k *kind) markDevice(c fiber.Ctx, name string, now time.Time) {
	value := k.Mark(k.device(c), name, now)
	k.cookies.write(c, k.cookies.device, value, k.cookies.routes, fiber.CookieSameSiteStrictMode, deviceLife)
}

// renewCookies renews the access cookies whose tokens are in the second half of their
// lifetime, if the handler succeeded. It ignores errors, because the response is complete;
// the next request tries again.
func (a *Auth) renewCookies(c fiber.Ctx, r *request) {
	if !isPageRequest(c) || c.Response().StatusCode() >= fiber.StatusBadRequest || !isPrivate(c) {
		return
	}
	for _, s := range r.sessions {
		k := a.kind(s.Kind)
		if !s.own || s.granted || s.ExpiresAt.Sub(a.now()) > s.ExpiresAt.Sub(s.IssuedAt)/2 || len(c.Response().Header.PeekCookie(k.cookies.access)) > 0 {
			continue // the last condition: the handler signed in or out itself
		}
		p, err := a.service.Prolong(c.Context(), k.Kind, s.verified())
		if err != nil {
			continue
		}
		// The default is not no-store, because the browser would then keep the page out of
		// its back/forward cache.
		c.Set(fiber.HeaderCacheControl, cmp.Or(string(c.Response().Header.Peek(fiber.HeaderCacheControl)), "private"))
		k.cookies.set(c, p)
	}
}

// isPageRequest reports whether the request is a navigation or a fetch of one of the
// application's own pages, according to the Fetch Metadata headers of the browser. It
// excludes prefetches, because the user may never see their pages, and HEAD requests, which
// show the user nothing. It also excludes the requests of a proxy that asks whether a client
// may pass, because such a proxy drops the cookie.
func isPageRequest(c fiber.Ctx) bool {
	header := func(name string) string { return borrow(c.Request().Header.Peek(name)) }
	site, dest := header("Sec-Fetch-Site"), header("Sec-Fetch-Dest")
	return !c.Request().Header.IsHead() && (site == "same-origin" || site == "none") && (dest == "document" || dest == "empty") &&
		header("Sec-Purpose") == "" && header("Purpose") == "" && header("X-Moz") == "" && header(fiber.HeaderUpgrade) == "" && !isForwardAuth(c)
}

// isPrivate reports whether no shared cache stores the response; a cache that does may also
// store its Set-Cookie (RFC 9111 §7.3). It returns true for a response without
// Cache-Control, because the caller can still set it. It ignores private with a list of
// names, which concerns these headers only (§5.2.2.7).
func isPrivate(c fiber.Ctx) bool {
	rule := borrow(c.Response().Header.Peek(fiber.HeaderCacheControl))
	if rule == "" {
		return true
	}
	for directive := range strings.SplitSeq(strings.ToLower(rule), ",") {
		if name := strings.TrimSpace(directive); name == "private" || name == "no-store" {
			return !strings.Contains(rule, `"`) // names are in quotes, which may contain commas
		}
	}
	return false
}

// forwardedMethods are the headers of forward authentication: the proxy sends a subrequest
// to ask whether it may forward the client's request, and names the method of that request
// in one of them.
var forwardedMethods = [...]string{"X-Forwarded-Method", "X-Original-Method"}

// isForwardAuth reports whether a proxy asks whether a client's request may pass.
func isForwardAuth(c fiber.Ctx) bool {
	for _, header := range forwardedMethods {
		if len(c.Request().Header.Peek(header)) > 0 {
			return true
		}
	}
	return false
}

// originOf returns what the cross-origin rule reads from a request. Its strings are borrowed.
func originOf(c fiber.Ctx) origin.Request {
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
func (a *Auth) checkOrigin(c fiber.Ctx) error {
	r := originOf(c)
	if origin.IsSafe(r) && !c.App().Config().DisableHeaderNormalizing {
		return nil
	}
	return a.checkOriginOf(c, r)
}

// checkUnsafeOrigin applies the cross-origin rule to a request that sets or clears cookies. It
// does not exempt safe methods.
func (a *Auth) checkUnsafeOrigin(c fiber.Ctx) error { return a.checkOriginOf(c, originOf(c)) }

func (a *Auth) checkOriginOf(c fiber.Ctx, r origin.Request) error {
	if c.App().Config().DisableHeaderNormalizing {
		return fault.Setup("fiber.Config.DisableHeaderNormalizing hides the headers in which a browser names the origin of a request: leave it off if you use cookies")
	}
	if !a.origins.AllowsUnsafe(r) {
		return ErrCSRF
	}
	return nil
}
