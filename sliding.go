package fiberjwt

import (
	"cmp"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// slide renews access cookies whose tokens are in the second half of their life,
// after the handler succeeded. What fails here is tried again by the next
// request: the one at hand has been answered.
func (a *Auth) slide(c *fiber.Ctx, r *request) {
	if !ordinary(c) || c.Response().StatusCode() >= fiber.StatusBadRequest || !forOne(c) {
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
func ordinary(c *fiber.Ctx) bool {
	header := func(name string) string { return borrow(c.Request().Header.Peek(name)) }
	site, dest := header("Sec-Fetch-Site"), header("Sec-Fetch-Dest")
	return c.Method() != fiber.MethodHead && (site == "same-origin" || site == "none") && (dest == "document" || dest == "empty") &&
		header("Sec-Purpose") == "" && header("Purpose") == "" && header("X-Moz") == "" && header(fiber.HeaderUpgrade) == "" && !byProxy(c)
}

// forOne: no shared cache keeps the answer; it would keep its Set-Cookie too, RFC
// 9111 §7.3. An answer without a word on caching can still be given one.
// With a list of names, private is about those headers alone (§5.2.2.7).
func forOne(c *fiber.Ctx) bool {
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
