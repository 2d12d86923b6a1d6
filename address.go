package fiberjwt

import (
	"net"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/clientip"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

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
