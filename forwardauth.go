package fiberjwt

import "github.com/gofiber/fiber/v2"

// A proxy can ask a guarded route whether a request may pass: auth_request of
// nginx, forward_auth of Caddy, ForwardAuth of Traefik. Most ask with GET and say
// the method of the request itself in a header.

// askedMethods are these headers. A client that sends one itself can only make
// the check stricter.
var askedMethods = [...]string{"X-Forwarded-Method", "X-Original-Method"}

// byProxy: a proxy asks about a request of a client.
func byProxy(c *fiber.Ctx) bool {
	for _, header := range askedMethods {
		if len(c.Request().Header.Peek(header)) > 0 {
			return true
		}
	}
	return false
}

// safe methods change nothing (RFC 9110 §9.2.1). The opening of a WebSocket is a
// GET that opens a door both ways, so it counts as unsafe; a proxy that asks may
// have taken Upgrade away, which is for the next hop alone, but not the rest.
func safe(c *fiber.Ctx) bool {
	header := &c.Request().Header
	if len(header.Peek(fiber.HeaderUpgrade)) > 0 || byProxy(c) && len(header.Peek(fiber.HeaderSecWebSocketVersion)) > 0 {
		return false
	}
	for _, name := range askedMethods {
		for _, method := range header.PeekAll(name) {
			if !changesNothing(string(method)) {
				return false
			}
		}
	}
	return changesNothing(c.Method())
}

func changesNothing(method string) bool {
	return method == fiber.MethodGet || method == fiber.MethodHead || method == fiber.MethodOptions
}
