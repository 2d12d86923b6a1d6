package fiberjwt

import (
	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/origin"
)

// askedMethods are the headers in which proxies name the method of a request that they
// ask about.
var askedMethods = [...]string{"X-Forwarded-Method", "X-Original-Method"}

// byProxy reports whether a proxy asks about a request of a client.
func byProxy(c *fiber.Ctx) bool {
	for _, header := range askedMethods {
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
		Opens: len(header.Peek(fiber.HeaderUpgrade)) > 0 || byProxy(c) && len(header.Peek(fiber.HeaderSecWebSocketVersion)) > 0,
	}
	for _, name := range askedMethods {
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
