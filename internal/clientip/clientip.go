// Package clientip finds the address of the client in the text of a proxy header or of a
// socket, and the networks by which a sign-in throttle counts that address. It does not
// depend on HTTP.
//
// A client can send any X-Forwarded-For or Forwarded header. A proxy appends the address
// that it saw at the right of what the client sent. So [Parse] reads from the right and
// stops at the first address that does not belong to a proxy.
package clientip

import (
	"net/netip"
	"strings"
)

const (
	// maxElements limits the cost of a long header. Real chains of proxies are
	// far shorter.
	maxElements = 32

	blanks = " \t" // optional whitespace, RFC 9110 §5.6.3
)

// carrierNAT is the shared address space of RFC 6598. Cloud networks and VPNs
// use it like a private network.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// Parse returns the address of the client in text. ok is false if there is none
// that can be trusted. The address is not IPv4-mapped and has no zone. It
// shares no memory with text, so text may be a string borrowed from Fiber.
//
// The text is one address, or a comma-separated list in the form of
// X-Forwarded-For or of Forwarded (RFC 7239). An address may have a port,
// brackets, quotes and a zone. A list is read from the right:
//
//   - If trusted is not empty, the client is the first address that is not in
//     trusted. If all are in trusted, it is the leftmost.
//   - If trusted is empty, the client is the first public address. If none is
//     public, it is the rightmost.
//
// An element without an address, such as "unknown", ends the list, because
// nothing to the left of it can be trusted. If trusted is not empty and only
// addresses in trusted stand to the right of such an element, ok is false.
// Empty elements are skipped. Parse reads at most 32 elements, empty ones
// included.
//
// If a request has several lines of the header, the caller must join them with
// commas in the order received. Otherwise an attacker can send another line of the
// header, which is read instead of the line of the proxy.
//
// Known limits: a client with an address in trusted can choose any other address. If
// trusted is empty, a client in a private network can do this too, and all clients
// behind a proxy with a public address share the address of that proxy.
//
// The prefixes in trusted must come from [ParseTrusted]. Parse is safe for concurrent
// use.
func Parse(text string, trusted []netip.Prefix) (addr netip.Addr, ok bool) {
	var proxy netip.Addr // the result if all addresses are proxies
	for range maxElements {
		comma := strings.LastIndexByte(text, ',')
		if element := strings.Trim(text[comma+1:], blanks); element != "" {
			addr, ok = parseElement(element)
			switch {
			case !ok && len(trusted) > 0:
				return netip.Addr{}, false
			case !ok:
				return proxy, proxy.IsValid()
			case !isProxy(addr, trusted):
				return addr, true
			case len(trusted) > 0 || !proxy.IsValid():
				proxy = addr // the leftmost, or the rightmost if trusted is empty
			}
		}
		if comma < 0 {
			break
		}
		text = text[:comma]
	}
	return proxy, proxy.IsValid()
}

// isProxy reports whether addr is in trusted. If trusted is empty, it reports whether
// addr is an address that no client on the internet has.
func isProxy(addr netip.Addr, trusted []netip.Prefix) bool {
	if len(trusted) == 0 {
		return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() ||
			addr.IsUnspecified() || carrierNAT.Contains(addr)
	}
	for _, prefix := range trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseElement parses one element of X-Forwarded-For or Forwarded, without
// surrounding blanks.
//
// It rejects a part of a quoted string. A proxy may copy the Host header into host="…",
// and [Parse] also splits at commas inside the quotes. The rightmost part of such a string
// has a backslash or an odd number of quotes, so Parse never takes a part of it for an
// address that a proxy wrote.
func parseElement(element string) (addr netip.Addr, ok bool) {
	if strings.Contains(element, `\`) || strings.Count(element, `"`)%2 != 0 {
		return netip.Addr{}, false
	}
	if strings.Contains(element, "=") {
		if element, ok = forValue(element); !ok {
			return netip.Addr{}, false
		}
	}
	if n := len(element); n >= 2 && element[0] == '"' && element[n-1] == '"' {
		element = element[1 : n-1]
	}
	return parseNode(element)
}

// forValue returns the value of the parameter "for" in an element of Forwarded.
// Parameters have no fixed order: HAProxy writes proto=http;for=192.0.2.1. ok is
// false if there is no such parameter, or more than the one that RFC 7239 §4
// allows.
func forValue(element string) (value string, ok bool) {
	for element != "" {
		var parameter string
		parameter, element = cutParameter(element)
		name, v, _ := strings.Cut(strings.Trim(parameter, blanks), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if ok {
			return "", false
		}
		value, ok = v, true
	}
	return value, ok
}

// cutParameter cuts element at the first semicolon outside quotes.
func cutParameter(element string) (parameter, rest string) {
	quoted := false
	for i := range len(element) {
		switch {
		case element[i] == '"':
			quoted = !quoted
		case element[i] == ';' && !quoted:
			return element[:i], element[i+1:]
		}
	}
	return element, ""
}

// parseNode parses an address with an optional port, the node of RFC 7239 §6.
// It also accepts an IPv6 address without brackets, as X-Forwarded-For has it.
func parseNode(node string) (addr netip.Addr, ok bool) {
	inner, bracketed := strings.CutPrefix(node, "[")
	host, port, hasPort := node, "", false
	switch {
	case bracketed:
		var rest string
		if host, rest, ok = strings.Cut(inner, "]"); !ok {
			return netip.Addr{}, false
		}
		if port, hasPort = strings.CutPrefix(rest, ":"); !hasPort && rest != "" {
			return netip.Addr{}, false
		}
	case strings.Count(node, ":") == 1: // an IPv6 address has at least two
		host, port, hasPort = strings.Cut(node, ":")
	}
	if hasPort && !isPort(port) {
		return netip.Addr{}, false
	}
	// netip.ParseAddr would intern the zone, which is text of the client.
	host, zone, hasZone := strings.Cut(host, "%")
	addr, err := netip.ParseAddr(host)
	if err != nil || hasZone && zone == "" {
		return netip.Addr{}, false
	}
	if addr.Is4() && hasZone {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isPort accepts a number, an empty port, the name of a service and the hidden ports of
// RFC 7239 §6.3, such as _proxy-1. The port is not used, so isPort checks no more.
func isPort(port string) bool {
	return len(port) <= 32 && strings.Trim(port, letters+digits+"._-") == ""
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// ParseTrusted returns the prefixes in list, which holds IP addresses and CIDRs
// like Config.TrustedProxies of Fiber. Entries that are neither are skipped. If
// it returns none, [Parse] treats private addresses as proxies.
func ParseTrusted(list []string) []netip.Prefix {
	var trusted []netip.Prefix
	for _, entry := range list {
		if prefix, ok := parsePrefix(strings.TrimSpace(entry)); ok {
			trusted = append(trusted, prefix)
		}
	}
	return trusted
}

// parsePrefix converts IPv4-mapped prefixes to IPv4, because [Parse] compares
// IPv4 addresses and [netip.Prefix.Contains] does not match the two.
func parsePrefix(entry string) (prefix netip.Prefix, ok bool) {
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil {
			return netip.Prefix{}, false
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true // without the zone
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, false
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), true
}

// Network returns the addresses that one client can have, as text: an IPv4 address,
// or the /64 of an IPv6 address, in which a host can use any address (RFC 4291
// §2.5.1). It returns "" for the zero Addr.
func Network(addr netip.Addr) string {
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	return prefixText(addr, 64)
}

// Site returns the /48 of an IPv6 address, as text. One customer may get that
// many networks (RFC 6177). It returns "" for an IPv4 address and for the zero
// Addr.
func Site(addr netip.Addr) string {
	if addr = addr.Unmap(); addr.Is4() {
		return ""
	}
	return prefixText(addr, 48)
}

// prefixText returns "" for the zero Addr. Its prefix is not valid.
func prefixText(addr netip.Addr, bits int) string {
	prefix, err := addr.Prefix(bits)
	if err != nil || !prefix.IsValid() {
		return ""
	}
	return prefix.String()
}
