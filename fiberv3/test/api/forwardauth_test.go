// Code generated from ../../../test/api/forwardauth_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// The proxy asks by GET whether to pass a request of another method.
func TestForwardAuthChecksForwardedMethod(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.TrustedOrigins = []string{"https://front.example"} })
	w.app.Get("/check", fiberjwt.Require("users"), func(c fiber.Ctx) error { return c.SendStatus(204) })
	access := w.register("users", "ann@example.com").Access
	cookie := []string{"Cookie", "__Host-Http-users=" + access}
	const own, trusted, other = "https://example.com", "https://front.example", "https://evil.example"
	for name, test := range map[string]struct {
		headers []string
		status  int
	}{
		"Caddy, a POST of another site":                 {[]string{"X-Forwarded-Method", "POST", "X-Forwarded-Uri", "/notes", "Origin", other}, 403},
		"Traefik, a DELETE of another site":             {[]string{"X-Forwarded-Method", "DELETE", "X-Forwarded-Host", "evil.example", "Origin", other}, 403},
		"ingress-nginx, a PUT of another site":          {[]string{"X-Original-Method", "PUT", "X-Original-Url", "https://example.com/", "Origin", other}, 403},
		"a POST of a sibling domain, by Sec-Fetch-Site": {[]string{"X-Forwarded-Method", "POST", "Sec-Fetch-Site", "same-site"}, 403},
		"an unknown method":                             {[]string{"X-Forwarded-Method", "PURGE", "Origin", other}, 403},
		"a method in lower case":                        {[]string{"X-Forwarded-Method", "post", "Origin", other}, 403},
		"both headers, one with a safe method":          {[]string{"X-Forwarded-Method", "GET", "X-Original-Method", "POST", "Origin", other}, 403},
		"two lines, one with a safe method":             {[]string{"X-Forwarded-Method", "GET", "X-Forwarded-Method", "POST", "Origin", other}, 403},
		"a GET of another site":                         {[]string{"X-Forwarded-Method", "GET", "Origin", other}, 204},
		"a HEAD of another site":                        {[]string{"X-Original-Method", "HEAD", "Sec-Fetch-Site", "cross-site"}, 204},
		"a POST of the same origin":                     {[]string{"X-Forwarded-Method", "POST", "Origin", own}, 204},
		"a POST of a trusted origin":                    {[]string{"X-Forwarded-Method", "POST", "Origin", trusted, "Sec-Fetch-Site", "cross-site"}, 204},
		"a POST without browser headers":                {[]string{"X-Forwarded-Method", "POST"}, 204},
		"Traefik, a WebSocket without Upgrade":          {[]string{"X-Forwarded-Method", "GET", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version", "13", "Origin", other}, 403},
		"a WebSocket over HTTP/2":                       {[]string{"X-Forwarded-Method", "CONNECT", "Sec-Websocket-Version", "13", "Origin", other}, 403},
		"Traefik, a WebSocket of the same origin":       {[]string{"X-Forwarded-Method", "GET", "Sec-Websocket-Version", "13", "Origin", own}, 204},
	} {
		require.Equal(t, test.status, w.do("GET", "/check", "", append(test.headers, cookie...)...).Status, name)
		bearer := append(test.headers, "Authorization", "Bearer "+access)
		require.Equal(t, 204, w.do("GET", "/check", "", bearer...).Status, "browsers do not send Authorization automatically, so it needs no CSRF check: %s", name)
	}
}

// The proxy would drop the new cookie.
func TestForwardAuthDoesNotSlideSession(t *testing.T) {
	for _, header := range []string{"X-Forwarded-Method", "X-Original-Method"} {
		w := slidingWorld(t)
		b := w.page()
		w.clock.Advance(6 * time.Minute)
		require.Empty(t, setCookies(t, b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document", header, "GET")))
		require.NotEmpty(t, setCookies(t, b.do("GET", "/users/me", "", "Sec-Fetch-Dest", "document")))
	}
}
