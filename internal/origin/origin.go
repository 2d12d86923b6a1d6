// Package origin decides whether a request with cookies comes from the application's
// own pages. It is the rule of net/http's CrossOriginProtection, except that a default
// port in Host is not another host. The front end carries no token.
package origin

import (
	"fmt"
	"net/url"
	"strings"
)

// Request is what the rule looks at. Its strings are not kept.
type Request struct {
	Method    string
	Host      string // the Host header: any client can write X-Forwarded-Host
	Origin    string // the Origin header, "" if absent
	FetchSite string // the Sec-Fetch-Site header, "" if absent
	// Opens says that the request opens a WebSocket or another two-way connection.
	Opens bool
	// Asked are the methods of the requests that a proxy asks about, see [IsSafe].
	Asked []string
}

// Trusted are the origins that are trusted besides the application's own.
type Trusted map[string]bool

// New takes exact origins as browsers send them, and says what is wrong with the
// others.
func New(origins []string) (Trusted, []string) {
	t, problems := Trusted{}, []string(nil)
	for i, text := range origins {
		if !isOrigin(text) {
			problems = append(problems, fmt.Sprintf("Config.TrustedOrigins[%d]: %q is not an origin as browsers send it: write https://host, https://host:port or, for an app or extension, scheme://host, in lower case, without a path or a wildcard", i, text))
			continue
		}
		t[withoutDefaultPort(text)] = true
	}
	return t, problems
}

// AllowsUnsafe reports whether a request may set, clear or use cookies, whatever its
// method.
func (t Trusted) AllowsUnsafe(r Request) bool {
	switch r.FetchSite {
	case "same-origin", "none":
		// "none" is the user: a typed address, a bookmark.
		return true
	case "":
		// An old browser, or plain http to another host than localhost: go by Origin.
	default:
		return t[r.Origin]
	}
	// No browser that sends neither header lets a page send cookies across sites with
	// unsafe methods. A program outside a browser holds the cookies anyway.
	return r.Origin == "" || sameHost(r.Origin, r.Host) || t[r.Origin]
}

// IsSafe reports whether a request changes nothing (RFC 9110 §9.2.1). The opening of a
// WebSocket is a GET that opens a connection in both directions, so it is unsafe.
//
// A proxy can ask a guarded route whether a request may pass: auth_request of nginx,
// forward_auth of Caddy, ForwardAuth of Traefik. Most ask with GET and name the method
// of the request itself in a header. A client that sends such a header itself can only
// make the check stricter.
func IsSafe(r Request) bool {
	if r.Opens {
		return false
	}
	for _, method := range r.Asked {
		if !isSafeMethod(method) {
			return false
		}
	}
	return isSafeMethod(r.Method)
}

func isSafeMethod(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}

// isOrigin reports whether text is how a browser serialises an origin that only one
// application can have (RFC 6454 §6.2): of http or https, or of a scheme that
// belongs to web views and extensions.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme+"://"+u.Host != text || strings.HasSuffix(u.Host, ":") {
		return false
	}
	for i := range len(text) {
		if b := text[i]; b >= 0x80 || b == '*' || b == ',' {
			return false
		}
	}
	switch u.Scheme {
	case "https", "http":
		return text == strings.ToLower(text)
	case "file", "data", "blob", "about", "javascript", "ws", "wss", "ftp":
		return false // of any document, or of none
	}
	return strings.Trim(u.Scheme, "htps") != "" // or else it is http or https, misspelt
}

// withoutDefaultPort is an origin as browsers write it (RFC 6454 §6.1).
func withoutDefaultPort(origin string) string {
	scheme, host, _ := strings.Cut(origin, "://")
	return scheme + "://" + withoutPort(host, scheme)
}

// withoutPort is a host without the default port of a scheme, which proxies and
// old clients write into Host (RFC 9110 §7.2 allows it), and without a bare colon.
func withoutPort(host, scheme string) string {
	port := map[string]string{"https": ":443", "http": ":80"}[scheme]
	return strings.TrimSuffix(strings.TrimSuffix(host, port), ":")
}

// sameHost reports whether origin is that of host, a Host header. Host does not
// tell the scheme, and proxies hide it: only its port can.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	return strings.EqualFold(withoutPort(u.Host, u.Scheme), withoutPort(host, u.Scheme))
}
