// Package origin decides whether a request with cookies comes from the application's own
// pages. It follows the rule of net/http's CrossOriginProtection, except that it ignores
// a default port in the Host header. The rule needs no CSRF token in the pages.
package origin

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Request contains what the rule needs. The functions of this package keep none of its
// strings, so these may be borrowed.
type Request struct {
	Method    string
	Host      string // the Host header, never X-Forwarded-Host, which any client can send
	Origin    string // the Origin header, "" if absent
	FetchSite string // the Sec-Fetch-Site header, "" if absent
	// Opens is true if the request opens a WebSocket or another two-way connection.
	Opens bool
	// Asked are the methods of the original requests if a proxy asks whether these may
	// pass, see [IsSafe].
	Asked []string
}

// Trusted contains the origins that are trusted in addition to the application's own. It
// is read-only after [New], and then safe for concurrent use.
type Trusted map[string]bool

// New returns the set of origins, which must be written exactly as browsers send them. It
// also returns a problem for each one that is not.
func New(origins []string) (Trusted, []fault.Problem) {
	t, problems := Trusted{}, []fault.Problem(nil)
	for i, text := range origins {
		if !isOrigin(text) {
			problems = append(problems, fault.NewProblem(fmt.Sprintf("Config.TrustedOrigins[%d]", i), fmt.Sprintf("%q is not an origin as browsers send it", text),
				"write https://host, https://host:port or, for an app or extension, scheme://host, in lower case, without a path or a wildcard"))
			continue
		}
		t[withoutDefaultPort(text)] = true
	}
	return t, problems
}

// AllowsUnsafe reports whether a request may set, clear or use cookies. It does not look
// at the method: the caller applies it to requests that [IsSafe] does not allow, and to
// routes that set cookies.
func (t Trusted) AllowsUnsafe(r Request) bool {
	switch r.FetchSite {
	case "same-origin", "none":
		// "none" means that the user caused it: a typed address or a bookmark.
		return true
	case "":
		// An old browser, or plain http to a host other than localhost: Origin decides.
	default:
		return t[r.Origin]
	}
	// A request with neither header passes. A browser that sends neither does not let a page
	// send cookies across sites with an unsafe method. A program that is not a browser has
	// the cookies anyway.
	return r.Origin == "" || sameHost(r.Origin, r.Host) || t[r.Origin]
}

// IsSafe reports whether a request has a safe method (RFC 9110 §9.2.1). A WebSocket
// handshake is a GET, but it opens a connection in both directions, so it is unsafe.
//
// A proxy can ask a guarded route whether a request may pass: auth_request of nginx,
// forward_auth of Caddy, ForwardAuth of Traefik. Most of them ask with GET and send the
// method of the original request in a header. All methods in Asked must be safe too. A
// client that sends such a header itself can only make the check stricter.
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

// isOrigin reports whether text is an origin as a browser serialises it (RFC 6454 §6.2),
// and belongs to one application only: an origin of http or https, or of a scheme for web
// views and extensions.
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
		return false // shared by all documents, or never sent as an origin
	}
	return strings.Trim(u.Scheme, "htps") != "" // refuses misspellings of http and https
}

// withoutDefaultPort returns origin without a default port, as browsers write it (RFC
// 6454 §6.1).
func withoutDefaultPort(origin string) string {
	scheme, host, _ := strings.Cut(origin, "://")
	return scheme + "://" + withoutPort(host, scheme)
}

// withoutPort returns host without the default port of scheme and without a bare colon.
// Proxies and old clients write these into Host (RFC 9110 §7.2 allows it).
func withoutPort(host, scheme string) string {
	port := map[string]string{"https": ":443", "http": ":80"}[scheme]
	return strings.TrimSuffix(strings.TrimSuffix(host, port), ":")
}

// sameHost reports whether origin has the host and port of host, a Host header. It does
// not compare the scheme, because Host has none, and a proxy may have ended TLS.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	return strings.EqualFold(withoutPort(u.Host, u.Scheme), withoutPort(host, u.Scheme))
}
