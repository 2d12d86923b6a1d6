package origin_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/origin"
)

// trusted returns a set without problems.
func trusted(t *testing.T, origins ...string) origin.Trusted {
	t.Helper()
	set, problems := origin.New(origins)
	require.Empty(t, problems)
	return set
}

func TestAllowsUnsafeFollowsTheRule(t *testing.T) {
	set := trusted(t, "https://admin.example.com", "https://port.example.com:8443", "capacitor://localhost")
	for name, test := range map[string]struct {
		request origin.Request
		want    bool
	}{
		// Sec-Fetch-Site decides if it is there.
		"same-origin":                        {origin.Request{Host: "example.com", FetchSite: "same-origin", Origin: "https://example.com"}, true},
		"same-origin without Origin":         {origin.Request{Host: "example.com", FetchSite: "same-origin"}, true},
		"same-origin through a proxy":        {origin.Request{Host: "internal:8080", FetchSite: "same-origin", Origin: "https://example.com"}, true},
		"a typed address":                    {origin.Request{Host: "example.com", FetchSite: "none"}, true},
		"same-site is another origin":        {origin.Request{Host: "example.com", FetchSite: "same-site", Origin: "https://evil.example.com"}, false},
		"same-site, trusted":                 {origin.Request{Host: "example.com", FetchSite: "same-site", Origin: "https://admin.example.com"}, true},
		"cross-site":                         {origin.Request{Host: "example.com", FetchSite: "cross-site", Origin: "https://evil.example"}, false},
		"cross-site, trusted":                {origin.Request{Host: "example.com", FetchSite: "cross-site", Origin: "capacitor://localhost"}, true},
		"cross-site without Origin":          {origin.Request{Host: "example.com", FetchSite: "cross-site"}, false},
		"cross-site with the own Origin":     {origin.Request{Host: "example.com", FetchSite: "cross-site", Origin: "https://example.com"}, false},
		"an unknown value":                   {origin.Request{Host: "example.com", FetchSite: "future-site", Origin: "https://example.com"}, false},
		"values are case-sensitive":          {origin.Request{Host: "example.com", FetchSite: "Same-Origin"}, false},
		"two values in one line":             {origin.Request{Host: "example.com", FetchSite: "same-origin, cross-site"}, false},
		"same-origin with an opaque Origin":  {origin.Request{Host: "example.com", FetchSite: "same-origin", Origin: "null"}, true},
		"cross-site with an opaque Origin":   {origin.Request{Host: "example.com", FetchSite: "cross-site", Origin: "null"}, false},
		"same-site with another trusted one": {origin.Request{Host: "example.com", FetchSite: "same-site", Origin: "https://port.example.com:8443"}, true},

		// Without it, Origin is compared with Host.
		"neither header":                   {origin.Request{Host: "example.com"}, true},
		"the own origin":                   {origin.Request{Host: "example.com", Origin: "https://example.com"}, true},
		"the own origin by http":           {origin.Request{Host: "example.com", Origin: "http://example.com"}, true},
		"the own port":                     {origin.Request{Host: "example.com:8443", Origin: "https://example.com:8443"}, true},
		"the default port in Host":         {origin.Request{Host: "example.com:443", Origin: "https://example.com"}, true},
		"the default port of http":         {origin.Request{Host: "example.com:80", Origin: "http://example.com"}, true},
		"a bare colon in Host":             {origin.Request{Host: "example.com:", Origin: "https://example.com"}, true},
		"upper case in Host":               {origin.Request{Host: "EXAMPLE.com", Origin: "https://example.com"}, true},
		"an IPv6 address":                  {origin.Request{Host: "[2001:db8::1]:443", Origin: "https://[2001:db8::1]"}, true},
		"the port of the other scheme":     {origin.Request{Host: "example.com:80", Origin: "https://example.com"}, false},
		"another port":                     {origin.Request{Host: "example.com:8443", Origin: "https://example.com"}, false},
		"another host":                     {origin.Request{Host: "example.com", Origin: "https://evil.example"}, false},
		"a subdomain":                      {origin.Request{Host: "example.com", Origin: "https://a.example.com"}, false},
		"a host that ends like the own":    {origin.Request{Host: "example.com", Origin: "https://evil-example.com"}, false},
		"a host that begins like the own":  {origin.Request{Host: "example.com", Origin: "https://example.com.evil.example"}, false},
		"the own host as a user name":      {origin.Request{Host: "example.com", Origin: "https://example.com@evil.example"}, false},
		"an opaque origin":                 {origin.Request{Host: "example.com", Origin: "null"}, false},
		"another scheme":                   {origin.Request{Host: "example.com", Origin: "ftp://example.com"}, false},
		"no scheme":                        {origin.Request{Host: "example.com", Origin: "example.com"}, false},
		"a text that is no URL":            {origin.Request{Host: "example.com", Origin: "https://example.com:port"}, false},
		"no Host":                          {origin.Request{Origin: "https://example.com"}, false},
		"a trusted origin":                 {origin.Request{Host: "example.com", Origin: "https://admin.example.com"}, true},
		"a trusted origin by http":         {origin.Request{Host: "example.com", Origin: "http://admin.example.com"}, false},
		"a trusted origin, another port":   {origin.Request{Host: "example.com", Origin: "https://admin.example.com:8443"}, false},
		"a trusted origin without port":    {origin.Request{Host: "example.com", Origin: "https://port.example.com"}, false},
		"a trusted origin in another case": {origin.Request{Host: "example.com", Origin: "https://ADMIN.example.com"}, false},
		"a trusted app":                    {origin.Request{Host: "example.com", Origin: "capacitor://localhost"}, true},

		// The method does not matter here.
		"GET is judged too": {origin.Request{Method: "GET", Host: "example.com", Origin: "https://evil.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, set.AllowsUnsafe(test.request))
		})
	}
}

func TestNothingIsTrustedByDefault(t *testing.T) {
	for _, set := range []origin.Trusted{nil, trusted(t)} {
		require.True(t, set.AllowsUnsafe(origin.Request{Host: "example.com", Origin: "https://example.com"}))
		require.False(t, set.AllowsUnsafe(origin.Request{Host: "example.com", Origin: "https://evil.example"}))
		require.False(t, set.AllowsUnsafe(origin.Request{Host: "example.com", FetchSite: "same-site"}))
	}
}

func TestIsSafeNeedsSafeMethodsOnly(t *testing.T) {
	for name, test := range map[string]struct {
		request origin.Request
		want    bool
	}{
		"GET":                             {origin.Request{Method: "GET"}, true},
		"HEAD":                            {origin.Request{Method: "HEAD"}, true},
		"OPTIONS":                         {origin.Request{Method: "OPTIONS"}, true},
		"TRACE":                           {origin.Request{Method: "TRACE"}, false},
		"POST":                            {origin.Request{Method: "POST"}, false},
		"PUT":                             {origin.Request{Method: "PUT"}, false},
		"PATCH":                           {origin.Request{Method: "PATCH"}, false},
		"DELETE":                          {origin.Request{Method: "DELETE"}, false},
		"an unknown method":               {origin.Request{Method: "PURGE"}, false},
		"methods are case-sensitive":      {origin.Request{Method: "get"}, false},
		"no method":                       {origin.Request{}, false},
		"a WebSocket handshake":           {origin.Request{Method: "GET", Opens: true}, false},
		"a proxy asks about GET":          {origin.Request{Method: "GET", Asked: []string{"GET"}}, true},
		"a proxy asks about POST":         {origin.Request{Method: "GET", Asked: []string{"POST"}}, false},
		"a proxy asks about several":      {origin.Request{Method: "GET", Asked: []string{"GET", "POST"}}, false},
		"a header cannot make POST safe":  {origin.Request{Method: "POST", Asked: []string{"GET"}}, false},
		"a proxy asks with an empty text": {origin.Request{Method: "GET", Asked: []string{""}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, origin.IsSafe(test.request))
		})
	}
}

func TestNewAcceptsOriginsAsBrowsersSendThem(t *testing.T) {
	for _, text := range []string{
		"https://example.com", "http://example.com", "https://example.com:8443", "http://localhost:3000",
		"https://192.0.2.1", "https://[2001:db8::1]", "https://[2001:db8::1]:8443", "https://xn--bcher-kva.example",
		"capacitor://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
		"moz-extension://11111111-2222-3333-4444-555555555555", "app://Some.App",
	} {
		t.Run(text, func(t *testing.T) {
			set := trusted(t, text)
			require.True(t, set.AllowsUnsafe(origin.Request{Host: "other.example", FetchSite: "cross-site", Origin: text}))
		})
	}
}

func TestTrustedDefaultPortMatchesTheOriginWithoutPort(t *testing.T) {
	set := trusted(t, "https://a.example:443", "http://b.example:80")
	for _, text := range []string{"https://a.example", "http://b.example"} {
		require.True(t, set.AllowsUnsafe(origin.Request{Host: "other.example", Origin: text}), text)
	}
}

func TestNewNamesEachTextThatIsNotAnOrigin(t *testing.T) {
	texts := []string{
		"", "*", "null", "example.com", "//example.com", "https://", "https://:8443", "https://example.com:",
		"https://example.com/", "https://example.com/path", "https://example.com?x", "https://example.com#x",
		"https://user@example.com", "https://*.example.com", "https://a.example,https://b.example",
		" https://example.com", "https://example.com ", "HTTPS://example.com", "https://Example.com",
		"https://bücher.example", "https://example.com:port", "htps://example.com", "http s://example.com",
		"file://localhost", "data://x", "blob://x", "about://x", "javascript://x", "ws://example.com", "wss://example.com", "ftp://example.com",
	}
	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			set, problems := origin.New([]string{"https://good.example", text})
			require.Len(t, problems, 1)
			require.Equal(t, "Config.TrustedOrigins[1]", problems[0].Field)
			require.Contains(t, problems[0].Reason, "is not an origin")
			require.Len(t, set, 1, "the others are kept")
		})
	}
}

func FuzzAllowsUnsafe(f *testing.F) {
	f.Add("example.com", "https://example.com", "")
	f.Add("example.com:443", "https://example.com", "")
	f.Add("example.com", "https://example.com@evil.example", "cross-site")
	set, _ := origin.New([]string{"https://admin.example.com"})
	f.Fuzz(func(t *testing.T, host, sent, site string) {
		r := origin.Request{Method: "POST", Host: host, Origin: sent, FetchSite: site}
		if !set.AllowsUnsafe(r) {
			return
		}
		if site != "" && site != "same-origin" && site != "none" {
			require.Equal(t, "https://admin.example.com", sent, "another site needs a trusted origin")
		}
	})
}
