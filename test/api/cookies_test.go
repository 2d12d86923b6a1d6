package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

const (
	userCookie     = "__Host-Http-users"
	refreshCookie  = "__Secure-users-refresh"
	teacherCookie  = "__Host-Http-teachers"
	evilOrigin     = "https://evil.example"
	trusted        = "https://app.example.net"
	fortnightInSec = 14 * 24 * 3600
)

// setCookies returns the cookies that a response sets, by name, without the device cookie. It fails if a name is set twice.
func setCookies(t *testing.T, a answer) map[string]*http.Cookie {
	t.Helper()
	cookies := map[string]*http.Cookie{}
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		require.NotContains(t, cookies, cookie.Name, "the response sets a cookie twice")
		cookies[cookie.Name] = cookie
	}
	maps.DeleteFunc(cookies, func(name string, _ *http.Cookie) bool { return strings.HasSuffix(name, "-device") })
	return cookies
}

func TestCookiesAreSecureHttpOnlyAndSameSite(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	cookies := setCookies(t, w.do("POST", "/door/users/1?via=cookie", ""))
	require.Len(t, cookies, 2)

	access := cookies[userCookie]
	require.NotNil(t, access)
	require.True(t, access.Secure)
	require.True(t, access.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, access.SameSite)
	require.Equal(t, "/", access.Path)
	require.Empty(t, access.Domain)
	require.Equal(t, fortnightInSec, access.MaxAge, "the cookie must outlive its token: with an expired token, the client refreshes; without one, the request would be anonymous")

	refresh := cookies[refreshCookie]
	require.NotNil(t, refresh)
	require.True(t, refresh.Secure)
	require.True(t, refresh.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, refresh.SameSite)
	require.Equal(t, "/auth/users", refresh.Path)
	require.Empty(t, refresh.Domain)
	require.Equal(t, fortnightInSec, refresh.MaxAge)
}

func TestInsecureCookiesUseDistinctNames(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Insecure = true })
	w.addUser("ann@example.com")
	b := w.browser()
	cookies := setCookies(t, b.do("POST", "/door/users/1?via=cookie", ""))
	require.Len(t, cookies, 2)
	for name, sameSite := range map[string]http.SameSite{"users": http.SameSiteLaxMode, "users-refresh": http.SameSiteStrictMode} {
		cookie := cookies[name]
		require.NotNil(t, cookie, name)
		require.False(t, cookie.Secure, "browsers drop Secure cookies over plain http")
		require.True(t, cookie.HttpOnly)
		require.Equal(t, sameSite, cookie.SameSite)
	}
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)

	a := w.do("GET", "/users/me", "", "Cookie", userCookie+"="+cookies["users"].Value)
	require.Equal(t, 401, a.Status, "the server must not read the name of the secure cookie")
}

func TestSecureServerReadsOnlyHostHttpCookie(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, name := range []string{"users", "__Host-users", "__Http-users", "__host-http-users", "__Secure-users", refreshCookie} {
		a := w.do("GET", "/users/me", "", "Cookie", name+"="+pair.Access)
		require.Equal(t, 401, a.Status, name)
		require.Equal(t, "no_token", a.Code(t), name)
	}
	require.Equal(t, 200, w.do("GET", "/users/me", "", "Cookie", userCookie+"="+pair.Access).Status)
}

func TestLogoutExpiresCookiesWithSameAttributes(t *testing.T) {
	for name, insecure := range map[string]bool{"secure": false, "insecure": true} {
		t.Run(name, func(t *testing.T) {
			w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Insecure = insecure })
			w.addUser("ann@example.com")
			b := w.browser()
			set := setCookies(t, b.do("POST", "/door/users/1?via=cookie", ""))
			a := b.do("POST", "/auth/users/logout", "")
			require.Equal(t, 204, a.Status, a.Body)
			cleared := setCookies(t, a)
			require.Len(t, cleared, 2)
			for name, before := range set {
				after := cleared[name]
				require.NotNil(t, after, name)
				require.Empty(t, after.Value)
				require.False(t, after.Expires.IsZero(), "old versions of fasthttp omit Max-Age, so Expires must be set")
				require.True(t, after.Expires.Before(w.clock.Now().Add(-24*time.Hour)), after.Expires)
				require.LessOrEqual(t, after.MaxAge, 0, "a positive Max-Age would override Expires, RFC 6265 §5.3")
				require.Equal(t, []any{before.Path, before.Domain, before.Secure, before.HttpOnly, before.SameSite},
					[]any{after.Path, after.Domain, after.Secure, after.HttpOnly, after.SameSite}, name)
			}
			require.Empty(t, b.jar)
		})
	}
}

func TestRefreshCookieIsScopedToRoutesOfItsKind(t *testing.T) {
	for name, test := range map[string]struct {
		routes func(*fiber.App) fiber.Router
		path   string // Config.Cookie.Path
		want   string
	}{
		"a group":                  {func(app *fiber.App) fiber.Router { return app.Group("/auth") }, "", "/auth/users"},
		"a group in a group":       {func(app *fiber.App) fiber.Router { return app.Group("/api").Group("/v1/auth") }, "", "/api/v1/auth/users"},
		"a group with a slash":     {func(app *fiber.App) fiber.Router { return app.Group("/auth/") }, "", "/auth/users"},
		"a group without a prefix": {func(app *fiber.App) fiber.Router { return app.Group("") }, "", "/users"},
		"the app itself":           {func(app *fiber.App) fiber.Router { return app }, "", "/users"},
		"a proxy strips a prefix":  {func(app *fiber.App) fiber.Router { return app.Group("/auth") }, "/backend/auth", "/backend/auth/users"},
		"the path is the root":     {func(app *fiber.App) fiber.Router { return app.Group("/auth") }, "/", "/users"},
		"the path ends in a slash": {func(app *fiber.App) fiber.Router { return app.Group("/auth") }, "/x/", "/x/users"},
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New()
			w := quickWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Routes, cfg.Cookie.Path = test.routes(app), test.path
			})
			w.addUser("ann@example.com")
			cookies := setCookies(t, w.do("POST", "/door/users/1?via=cookie", ""))
			require.Equal(t, test.want, cookies[refreshCookie].Path)
			require.Equal(t, "/", cookies[userCookie].Path)
		})
	}
}

func TestMountScopesRefreshCookieLikeRoutes(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Routes = nil })
	w.auth.Mount(w.app.Group("/late/auth"))
	w.addUser("ann@example.com")
	cookies := setCookies(t, w.do("POST", "/door/users/1?via=cookie", ""))
	require.Equal(t, "/late/auth/users", cookies[refreshCookie].Path)
	require.Panics(t, func() { w.auth.Mount(fiber.New().Group("/:tenant")) })
}

func TestParameterizedRoutesNeedCookiePath(t *testing.T) {
	app := fiber.New()
	cfg := goodConfig(t)
	cfg.Routes = app.Group("/:tenant/auth")
	_, err := fiberjwt.Open(cfg)
	require.ErrorContains(t, err, "Config.Routes")
	require.ErrorContains(t, err, "Config.Cookie.Path")

	cfg.Cookie.Path = "/"
	_, err = fiberjwt.Open(cfg)
	require.NoError(t, err)
}

func TestUnsafeCookiePathIsRejected(t *testing.T) {
	for _, path := range []string{"auth", "/auth; Domain=evil.example", "/a,b", "/a\r\nSet-Cookie: x=y", "/a\x00", "/ä", `/a"b`, "/a b", "/:tenant", "/*"} {
		cfg := goodConfig(t)
		cfg.Cookie.Path = path
		_, err := fiberjwt.Open(cfg)
		require.ErrorContains(t, err, "Config.Cookie.Path", "%q", path)
	}
}

func TestCookieTransportKeepsTokensOutOfEveryBody(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	body := `{"email":"ann@example.com","password":"` + testPassword + `","transport":"cookie"}`
	for _, path := range []string{"/auth/users/register", "/auth/users/login"} {
		a := b.do("POST", path, body)
		require.Less(t, a.Status, 300, a.Body)
		requireNoTokens(t, b, a)
	}
	w.clock.Advance(6 * time.Minute)
	a := b.do("POST", "/auth/users/refresh", `{"transport":"body"}`) // a script that wants to read the tokens
	require.Equal(t, 200, a.Status, a.Body)
	requireNoTokens(t, b, a)
	w.clock.Advance(6 * time.Minute)
	requireNoTokens(t, b, b.do("POST", "/auth/users/refresh", `{}`))
	requireNoTokens(t, b, b.do("GET", "/auth/users/me", ""))
	requireNoTokens(t, b, b.do("GET", "/auth/users/sessions", ""))
}

// requireNoTokens fails if a body has members for tokens, or the value of a cookie.
func requireNoTokens(t *testing.T, b *browser, a answer) {
	t.Helper()
	require.NotContains(t, a.Body, "access_token")
	require.NotContains(t, a.Body, "refresh_token")
	require.NotRegexp(t, `fjr_[A-Za-z0-9_-]{59}`, a.Body)
	require.NotEmpty(t, b.jar)
	for _, cookie := range b.jar {
		require.NotContains(t, a.Body, cookie.Value)
	}
}

func TestRefreshResponseUsesTransportOfToken(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	other := w.enter("users", 1)

	for name, age := range map[string]time.Duration{"too early to rotate": 0, "rotating": 20 * time.Minute} {
		w.clock.Advance(age)
		a := b.do("POST", "/auth/users/refresh", `{"refresh_token":"`+other.Refresh+`"}`)
		require.Equal(t, 200, a.Status, a.Body)
		require.NotEmpty(t, w.tokensOf(a).Access, name)
		require.Empty(t, a.Header.Values("Set-Cookie"), "a refresh by a token in the body must set no cookies: %s", name)
		if next := w.tokensOf(a).Refresh; next != "" {
			other.Refresh = next
		}
	}
	a := b.do("POST", "/auth/users/refresh", "")
	require.Equal(t, 200, a.Status, a.Body)
	require.Len(t, setCookies(t, a), 2)
	requireNoTokens(t, b, a)
}

func TestTransportNotOfferedGets422(t *testing.T) {
	for name, test := range map[string]struct {
		offered   []fiberjwt.Transport
		requested string
		want      int
	}{
		"only bodies offered, cookie requested":  {[]fiberjwt.Transport{fiberjwt.TransportBody}, `"cookie"`, 422},
		"only cookies offered, body requested":   {[]fiberjwt.Transport{fiberjwt.TransportCookie}, `"body"`, 422},
		"both offered, unknown transport":        {nil, `"pigeon"`, 422},
		"both offered, another case":             {nil, `"Cookie"`, 422},
		"both offered, a number":                 {nil, `7`, 422},
		"both offered, null":                     {nil, `null`, 422},
		"both offered, an empty string":          {nil, `""`, 422},
		"both offered, an array of both":         {nil, `["body","cookie"]`, 422},
		"only cookies offered, cookie requested": {[]fiberjwt.Transport{fiberjwt.TransportCookie}, `"cookie"`, 401},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Transports = test.offered })
			a := w.do("POST", "/auth/users/login", `{"email":"unknown@example.com","password":"`+testPassword+`","transport":`+test.requested+`}`)
			require.Equal(t, test.want, a.Status, a.Body)
			if test.want == 422 {
				require.Contains(t, a.JSON(t)["fields"], "transport")
			}
			require.Empty(t, a.Header.Values("Set-Cookie"))
		})
	}
}

// With DisableHeaderNormalizing, Fiber finds cookies in any case, but Sec-Fetch-Site and Origin only in their usual case.
// Proxies that speak HTTP/2 send lower case, so the CSRF check would miss these headers.
func TestCookiesRequireHeaderNormalizing(t *testing.T) {
	for _, disable := range []bool{false, true} {
		app := fiber.New(fiber.Config{DisableHeaderNormalizing: disable})
		w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Routes = app.Group("/auth") })
		app.Use(w.auth.Handler())
		app.All("/any", reached)
		w.addUser("ann@example.com")
		send := func(method, path, body string, headers ...string) answer {
			headers = append(headers, "sec-fetch-site: same-site", "origin: https://evil.example.com", "content-type: application/json", "content-length: "+strconv.Itoa(len(body)))
			return raw(t, app, request(method, path, headers...)+body)[0]
		}
		pair := w.tokensOf(send("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)))
		cookie := "cookie: " + userCookie + "=" + pair.Access
		login := `{"email":"ann@example.com","password":"` + testPassword + `","transport":"cookie"}`
		want := 403
		if disable {
			want = 500
		}
		require.Equal(t, want, send("POST", "/any", "", cookie).Status)
		require.Equal(t, want, send("GET", "/any", "", cookie, "upgrade: websocket").Status)
		a := send("POST", "/auth/users/login", login)
		require.Equal(t, want, a.Status)
		require.Empty(t, a.Header.Values("Set-Cookie"))
		require.Equal(t, disable, strings.Contains(w.log.String(), "DisableHeaderNormalizing"))
	}
}

func TestFirstTransportIsTheDefault(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie, fiberjwt.TransportBody}
	})
	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword), "Sec-Fetch-Site", "cross-site")
	require.Equal(t, 403, a.Status, "the CSRF check must also apply if cookies are the default and not requested")
	require.Equal(t, 0, w.count("users"))
	b := w.browser()
	a = b.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	require.Equal(t, 201, a.Status, a.Body)
	requireNoTokens(t, b, a)
	require.Len(t, setCookies(t, a), 2)
}

// The expected results come from CrossOriginProtection of net/http.
func TestCSRFCheckMatchesCrossOriginProtection(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.TrustedOrigins = []string{trusted, "http://localhost:5173"} })
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	oracle := http.NewCrossOriginProtection()
	require.NoError(t, oracle.AddTrustedOrigin(trusted))
	require.NoError(t, oracle.AddTrustedOrigin("http://localhost:5173"))

	const absent = "(absent)"
	allowed, refused := 0, 0
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
		for _, site := range []string{absent, "same-origin", "none", "same-site", "cross-site", "garbage", "Same-Origin"} {
			for _, origin := range []string{
				absent, "https://example.com", "http://example.com", "https://example.com:8443", "https://sub.example.com", evilOrigin,
				"null", trusted, "http://app.example.net", trusted + ":443", trusted + ".evil.example", "http://localhost:5173", "http://localhost",
				"%", "://", "example.com", "https://example.com@evil.example", "https://evil.example/example.com", "https://", "*",
			} {
				request := httptest.NewRequest(method, "/any", nil)
				if method == "PUT" {
					request.Host = "example.com:8443"
				}
				if site != absent {
					request.Header.Set("Sec-Fetch-Site", site)
				}
				if origin != absent {
					request.Header.Set("Origin", origin)
				}
				want := 200
				if oracle.Check(request) != nil {
					want = 403
				}
				text := fmt.Sprintf("%s, Sec-Fetch-Site %s, Origin %s, Host %s", method, site, origin, request.Host)
				byHeader := request.Clone(t.Context())

				request.Header.Set("Cookie", userCookie+"="+pair.Access)
				a := w.send(request)
				require.Equal(t, want, a.Status, "with a cookie: %s", text)
				if want == 403 {
					refused++
					require.Equal(t, "csrf", a.Code(t), text)
					require.NotContains(t, a.Body, "evil")
				} else {
					allowed++
				}
				require.Subset(t, vary(a), []string{"authorization", "cookie", "sec-fetch-site", "origin"}, text)

				byHeader.Header.Set("Authorization", "Bearer "+pair.Access)
				require.Equal(t, 200, w.send(byHeader).Status, "with an Authorization header, which other sites cannot send: %s", text)
			}
		}
	}
	require.Greater(t, allowed, 300)
	require.Greater(t, refused, 300)
}

// vary returns the names in the Vary header, sorted and in lower case.
func vary(a answer) []string {
	names := strings.Split(strings.ToLower(strings.Join(a.Header.Values("Vary"), ",")), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestCrossSiteWebSocketHandshakeIsRefused(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	cookie := []string{"Cookie", userCookie + "=" + pair.Access, "Connection", "Upgrade", "Upgrade", "WebSocket"}
	require.Equal(t, 200, w.do("GET", "/any", "", append(cookie, "Origin", "https://example.com")...).Status)
	require.Equal(t, 403, w.do("GET", "/any", "", append(cookie, "Origin", evilOrigin)...).Status)
	require.Equal(t, 403, w.do("GET", "/any", "", append(cookie, "Sec-Fetch-Site", "cross-site")...).Status)
}

func TestCSRFCheckIgnoresForwardedHost(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, header := range []string{"X-Forwarded-Host", "X-Original-Host", "Forwarded", "X-Host"} {
		a := w.do("POST", "/any", "", "Cookie", userCookie+"="+pair.Access, "Origin", evilOrigin, header, "evil.example")
		require.Equal(t, 403, a.Status, header)
		a = w.do("POST", "/any", "", "Cookie", userCookie+"="+pair.Access, "Origin", "https://example.com", header, "evil.example")
		require.Equal(t, 200, a.Status, header)
	}
	a := w.do("POST", "/door/users/1?via=cookie", "", "X-Forwarded-Proto", "http")
	require.True(t, setCookies(t, a)[userCookie].Secure, "X-Forwarded-Proto must not change the attribute Secure")
}

func TestCrossSiteSignInByCookieIsRefused(t *testing.T) {
	w := newWorld(t)
	ann := w.register("users", "ann@example.com")
	sessions := w.count("fiberjwt_sessions")
	cookie := func(identity string) string {
		return `{"email":"` + identity + `","password":"` + testPassword + `","transport":"cookie"}`
	}
	for name, headers := range map[string][]string{
		"cross-site":                         {"Sec-Fetch-Site", "cross-site", "Origin", evilOrigin},
		"a sibling domain":                   {"Sec-Fetch-Site", "same-site"},
		"an old browser":                     {"Origin", evilOrigin},
		"a sandboxed frame":                  {"Origin", "null"},
		"with a forwarded host that matches": {"Origin", evilOrigin, "X-Forwarded-Host", "evil.example"},
		"with a header token":                {"Sec-Fetch-Site", "cross-site", "Authorization", "Bearer " + ann.Access},
	} {
		for _, route := range []string{"login", "register"} {
			identity := map[string]string{"login": "ann@example.com", "register": "mallory@example.com"}[route]
			a := w.do("POST", "/auth/users/"+route, cookie(identity), headers...)
			require.Equal(t, 403, a.Status, "%s, %s", name, route)
			require.Equal(t, "csrf", a.Code(t))
			require.Empty(t, a.Header.Values("Set-Cookie"))
		}
	}
	require.Equal(t, 1, w.count("users"))
	require.Equal(t, sessions, w.count("fiberjwt_sessions"))

	a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword), "Sec-Fetch-Site", "cross-site", "Origin", evilOrigin)
	require.Equal(t, 200, a.Status, "a sign-in with tokens in the body needs no CSRF check: %s", a.Body)
	require.NotEmpty(t, w.tokensOf(a).Refresh)
	require.Empty(t, a.Header.Values("Set-Cookie"))
}

func TestCrossSiteCookieIsRefusedByBuiltInRoutes(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	b.site = "cross-site"
	id := w.onlySession("users", "1").ID
	w.clock.Advance(20 * time.Minute) // old enough to rotate
	before := w.onlySession("users", "1")
	for _, request := range [][3]string{
		{"POST", "/auth/users/refresh", ""},
		{"POST", "/auth/users/refresh", "{}"},
		{"POST", "/auth/users/logout", ""},
		{"POST", "/auth/users/logout-all", ""},
		{"DELETE", "/auth/users/sessions/" + id, ""},
		{"POST", "/auth/users/password", `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`},
	} {
		a := b.do(request[0], request[1], request[2])
		require.Equal(t, 403, a.Status, "%v: %s", request, a.Body)
		require.Equal(t, "csrf", a.Code(t), "%v", request)
		require.Empty(t, a.Header.Values("Set-Cookie"), "%v", request)
	}
	require.Equal(t, before, w.onlySession("users", "1"))

	b.site = "same-origin"
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
}

func TestCrossSiteLogoutClearsNoCookies(t *testing.T) {
	// The browser sends no SameSite cookies here, so the response must not delete them either.
	w := quickWorld(t)
	for _, route := range []string{"logout", "logout-all"} {
		a := w.do("POST", "/auth/users/"+route, "", "Sec-Fetch-Site", "cross-site", "Origin", evilOrigin)
		require.Empty(t, a.Header.Values("Set-Cookie"), route)
		require.Less(t, a.Status, 500, route)
	}
}

func TestTrustedOriginMayUseCookies(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.TrustedOrigins = []string{trusted} })
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	b.site = "cross-site"
	w.clock.Advance(20 * time.Minute)
	require.Equal(t, 403, b.do("POST", "/auth/users/refresh", "", "Origin", "http://app.example.net").Status, "the scheme of the origin must match")
	require.Equal(t, 403, b.do("POST", "/auth/users/refresh", "", "Origin", trusted+":8443").Status)
	require.Equal(t, 403, b.do("POST", "/auth/users/refresh", "", "Origin", strings.ToUpper(trusted)).Status)
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "", "Origin", trusted).Status)
	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "", "Origin", trusted).Status)
	require.Empty(t, b.jar)
}

func TestHostWithDefaultPortMatchesItsOrigin(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, test := range []struct {
		name, host, origin string
		want               int
	}{
		{"the default port of https", "example.com:443", "https://example.com", 200},
		{"the default port of http", "example.com:80", "http://example.com", 200},
		{"the default port in the origin", "example.com", "https://example.com:443", 200},
		{"capitals and the default port", "EXAMPLE.com:443", "https://example.com", 200},
		{"capitals", "Example.COM", "https://example.com", 200},
		{"an empty port", "example.com:", "https://example.com", 200},
		{"an IPv6 address", "[::1]:443", "https://[::1]", 200},
		{"an IPv4 address", "127.0.0.1:80", "http://127.0.0.1", 200},
		{"the same port", "localhost:3000", "http://localhost:3000", 200},
		{"a final dot in both", "example.com.:443", "https://example.com.", 200},

		{"http on the port of https", "example.com:443", "http://example.com", 403},
		{"https on the port of http", "example.com:80", "https://example.com", 403},
		{"another port in the host", "example.com:8443", "https://example.com", 403},
		{"another port in the origin", "example.com", "https://example.com:8443", 403},
		{"the port of http in an https origin", "example.com", "https://example.com:80", 403},
		{"a port that begins like the default", "example.com:4430", "https://example.com:443", 403},
		{"a final dot in the host only", "example.com.", "https://example.com", 403},
		{"a subdomain", "sub.example.com:443", "https://example.com", 403},
		{"an origin that begins like the host", "example.com:443", "https://example.com.evil.example", 403},
		{"an IPv6 address with another port", "[::1]:443", "https://[::1]:8443", 403},
		{"an app on the same host", "localhost", "capacitor://localhost", 403},
		{"a scheme that begins like https", "localhost:443", "https+x://localhost", 403},
		{"an opaque origin", "example.com:443", "null", 403},
	} {
		request := httptest.NewRequest("POST", "/any", nil)
		request.Host = test.host
		request.Header.Set("Origin", test.origin)
		request.Header.Set("Cookie", userCookie+"="+pair.Access)
		require.Equal(t, test.want, w.send(request).Status, "%s: Host %s, Origin %s", test.name, test.host, test.origin)
	}
	twoPorts := raw(t, w.app, "POST /any HTTP/1.1\r\nHost: example.com:443:443\r\nOrigin: https://example.com\r\nCookie: "+userCookie+"="+pair.Access+"\r\nContent-Length: 0\r\n\r\n")
	require.Len(t, twoPorts, 1)
	require.Equal(t, statusOfTwoPorts, twoPorts[0].Status)
}

func TestAppAndExtensionOriginsCanBeTrusted(t *testing.T) {
	origins := []string{
		"capacitor://localhost", "ionic://localhost", "tauri://localhost", "https://tauri.localhost", "app://.", "app://com.example.desk",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop", "moz-extension://0f6a0f1e-2f5c-4b59-9d3a-6a9f1f7e2c11",
		"safari-web-extension://0F6A0F1E-2F5C-4B59-9D3A-6A9F1F7E2C11", "https://app.example.net:443", "http://app.example.net:80",
	}
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.TrustedOrigins = origins })
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	post := func(origin string) int {
		return w.do("POST", "/any", "", "Cookie", userCookie+"="+pair.Access, "Sec-Fetch-Site", "cross-site", "Origin", origin).Status
	}
	for _, origin := range origins {
		origin = strings.TrimSuffix(strings.TrimSuffix(origin, ":443"), ":80") // as browsers send it
		require.Equal(t, 200, post(origin), origin)
	}
	for _, origin := range []string{
		"null", "", "capacitor://localhost.evil.example", "capacitor://localhost:443", "capacitor://", "capacitor", "https://localhost", "http://tauri.localhost",
		"chrome-extension://bbcdefghijklmnopabcdefghijklmnop", "moz-extension://abcdefghijklmnopabcdefghijklmnop", "http://app.example.net:443", "file://",
	} {
		require.Equal(t, 403, post(origin), origin)
	}
}

func TestOpenRejectsInvalidTrustedOrigins(t *testing.T) {
	for name, origin := range map[string]string{
		"empty":                                "",
		"null, which any sandboxed page sends": "null",
		"a wildcard alone":                     "*",
		"a host":                               "app.example.net",
		"a host and port":                      "app.example.net:8443",
		"without a scheme":                     "//app.example.net",
		"another scheme":                       "ftp://app.example.net",
		"with a slash":                         "https://app.example.net/",
		"with a path":                          "https://app.example.net/path",
		"with a query":                         "https://app.example.net?x",
		"with a fragment":                      "https://app.example.net#x",
		"with user information":                "https://me@app.example.net",
		"in capitals":                          "https://App.example.net",
		"a scheme in capitals":                 "HTTPS://app.example.net",
		"with white space":                     " https://app.example.net",
		"with a line break":                    "https://app.example.net\n",
		"without a host":                       "https://",
		"only a port":                          "https://:8443",
		"a wildcard":                           "https://*.example.net",
		"an app with a path":                   "capacitor://localhost/",
		"an app with a wildcard":               "chrome-extension://*",
		"an app without a host":                "capacitor://",
		"a scheme alone":                       "capacitor:",
		"a misspelt scheme":                    "htps://app.example.net",
		"every file":                           "file://",
		"files of a host":                      "file://localhost",
		"an app in capitals":                   "Capacitor://localhost",
		"an app with user information":         "capacitor://me@localhost",
		"a WebSocket URL":                      "wss://app.example.net",
		"an empty port":                        "https://app.example.net:",
		"not in punycode":                      "https://bücher.example",
		"two origins":                          "https://a.example,https://b.example",
		"two origins with a space":             "https://a.example https://b.example",
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.TrustedOrigins = []string{trusted, origin}
			_, err := fiberjwt.Open(cfg)
			require.ErrorContains(t, err, "Config.TrustedOrigins[1]")
			require.NotContains(t, err.Error(), "Config.TrustedOrigins[0]")
		})
	}
	cfg := goodConfig(t)
	cfg.TrustedOrigins = []string{trusted, "http://localhost:5173", "https://127.0.0.1:8443", "http://[::1]:3000", "https://xn--bcher-kva.example"}
	_, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
}

func TestLogoutOfOneKindKeepsOtherKindSignedIn(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	b := w.browser()
	b.enter("users", 1)
	b.enter("teachers", 1)
	require.Len(t, b.jar, 4)
	require.Equal(t, "users:1 teachers:1", b.do("GET", "/any", "").Body)

	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").Status)
	require.Len(t, b.jar, 2)
	require.Equal(t, "teachers:1", b.do("GET", "/any", "").Body)
	require.Equal(t, 200, b.do("GET", "/teachers/me", "").Status)
	require.Equal(t, 200, b.do("POST", "/auth/teachers/refresh", "").Status)
	// The teacher is signed in, but a guard for users must ask for a sign-in and not answer 403.
	for _, path := range []string{"/users/me", "/locals/users", "/auth/users/me", "/auth/users/sessions"} {
		a := b.do("GET", path, "")
		requireRefusal(t, a, 401, "no_token", path)
		require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"), path)
	}
	token := b.jar[teacherCookie].Value
	requireRefusal(t, w.do("GET", "/users/me", "", "Authorization", "Bearer "+token), 403, "wrong_kind", "a token of another kind in the header")
}

func TestRefreshWithoutTokenSaysWhatIsMissing(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	for _, body := range []string{"", "{}", "null"} {
		a := w.do("POST", "/auth/users/refresh", body)
		requireRefusal(t, a, 401, "no_token", body)
		require.Contains(t, a.JSON(t)["error_description"], "no refresh token", body)
	}
	b := w.browser()
	b.enter("users", 1)
	for _, body := range []string{"null", " null\r\n", "{}", ""} {
		require.Equal(t, 200, b.do("POST", "/auth/users/refresh", body).Status, body)
	}
	require.Equal(t, 400, b.do("POST", "/auth/users/refresh", "nul").Status)
	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "null").Status)
	require.Empty(t, b.jar)
}

func TestRefreshCookieNeedsAccessCookie(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	first, second, third := w.enter("users", 1), w.enter("users", 1), w.enter("users", 1)
	refresh := func(access string, refreshes ...string) answer {
		headers := []string{"Sec-Fetch-Site", "same-origin"}
		if access != "" {
			headers = append(headers, "Cookie", userCookie+"="+access)
		}
		for _, value := range refreshes {
			headers = append(headers, "Cookie", refreshCookie+"="+value)
		}
		return w.do("POST", "/auth/users/refresh", "", headers...)
	}
	for _, access := range []string{"", "nonsense", "a.b.c", "e30.e30.e30", "e30.W10.e30"} {
		a := refresh(access, first.Refresh)
		requireRefusal(t, a, 401, "no_token", access)
		require.Contains(t, a.JSON(t)["error_description"], "refresh cookie", access)
	}
	requireRefusal(t, refresh(first.Access, second.Refresh, third.Refresh), 400, "invalid_request", "the server cannot know which of two unrelated refresh cookies to use")
	require.Equal(t, 200, refresh(first.Access, second.Refresh, first.Refresh).Status)
}

// In browsers without SameSite, another site can send a request with only the refresh cookie.
func TestCrossSiteLogoutByRefreshCookieIsRefused(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	lone := []string{"Cookie", refreshCookie + "=" + b.jar[refreshCookie].Value}
	for _, route := range []string{"logout", "logout-all"} {
		for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", evilOrigin}, {"Origin", "null"}} {
			a := w.do("POST", "/auth/users/"+route, "", append(from, lone...)...)
			requireRefusal(t, a, 403, "csrf", route, from)
			require.Empty(t, a.Header.Values("Set-Cookie"))
			require.Equal(t, 200, b.do("GET", "/users/me", "").Status, "%s %s ended the session", route, from)
		}
	}
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", append(lone, "Sec-Fetch-Site", "same-origin")...).Status)
	require.Equal(t, 401, b.do("GET", "/users/me", "").Status)
}

func TestInvalidCookieKeepsOtherKindSignedIn(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	b := w.browser()
	b.enter("users", 1)
	b.enter("teachers", 1)
	good := b.jar[userCookie].Value
	b.jar[userCookie].Value = good[:len(good)-8] + "AAAAAAAA"
	require.Equal(t, "teachers:1", b.do("GET", "/any", "").Body)
	require.Equal(t, 401, b.do("GET", "/users/me", "").Status, "the page must learn that it has to refresh")

	b.jar[userCookie].Value = b.jar[teacherCookie].Value
	require.Equal(t, "teachers:1", b.do("GET", "/any", "").Body, "a teacher's token in the cookie of users must be ignored")
	require.Equal(t, 401, b.do("GET", "/users/me", "").Status)
}

func TestAccessAndRefreshCookiesAreNotInterchangeable(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	require.Equal(t, 401, w.do("GET", "/any", "", "Cookie", userCookie+"="+pair.Refresh).Status)
	a := w.do("POST", "/auth/users/refresh", "", "Cookie", userCookie+"="+pair.Access+"; "+refreshCookie+"="+pair.Access)
	require.Equal(t, 401, a.Status)
	require.Equal(t, "session_ended", a.Code(t))
	a = w.do("POST", "/auth/users/refresh", "", "Cookie", userCookie+"="+pair.Refresh)
	require.Equal(t, 401, a.Status)
	require.Equal(t, "no_token", a.Code(t))
}

func TestExpiredCookieIsNotTreatedAsAnonymous(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	w.clock.Advance(time.Hour)
	a := b.do("GET", "/any", "")
	requireRefusal(t, a, 401, "invalid_token")
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	require.Equal(t, "users:1", b.do("GET", "/any", "").Body)
	require.Equal(t, "", w.browser().do("GET", "/any", "").Body)
}

// A sibling domain can plant a refresh cookie, even a valid one of the attacker's account, but no access cookie.
func TestRefreshCookieOfAnotherAccountIsRefused(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("mallory@example.com")
	ann, mallory := w.enter("users", 1), w.enter("users", 2)
	refresh := func(cookies ...string) answer {
		return w.do("POST", "/auth/users/refresh", "", "Cookie", strings.Join(cookies, "; "), "Sec-Fetch-Site", "same-origin")
	}
	access, own, planted := userCookie+"="+ann.Access, refreshCookie+"="+ann.Refresh, refreshCookie+"="+mallory.Refresh

	requireRefusal(t, refresh(planted), 401, "no_token", "ann is signed out and must not be signed in as mallory")
	requireRefusal(t, refresh(userCookie+"=garbage", planted), 401, "no_token")
	requireRefusal(t, refresh(access, planted), 401, "no_token", "ann is signed in and must not become mallory")
	require.Contains(t, refresh(own).Body, "together with the access cookie", "the response must say that the access cookie is missing")
	require.Equal(t, 200, refresh(access, own, own).Status, "the same value twice counts as one")
	require.Empty(t, refresh(userCookie+"=garbage", planted).Header.Values("Set-Cookie"))

	w.clock.Advance(20 * time.Minute)
	a := refresh(planted, access, own)
	require.Equal(t, 200, a.Status, a.Body)
	next := setCookies(t, a)
	s, err := w.auth.Verify(t.Context(), next[userCookie].Value)
	require.NoError(t, err)
	require.Equal(t, "1", s.Subject)

	// Her former refresh cookie comes along, which may be stored under another path.
	w.clock.Advance(20 * time.Minute)
	later := refresh(own, userCookie+"="+next[userCookie].Value, refreshCookie+"="+next[refreshCookie].Value)
	require.Equal(t, 200, later.Status, later.Body)
	require.Contains(t, setCookies(t, later), refreshCookie)
	w.clock.Advance(20 * time.Minute)
	requireRefusal(t, refresh(access, own), 401, "session_revoked", "without the current one, the former refresh cookie is a reused token")
}

// The response to an early refresh sets only an access cookie. If the response is late, that cookie can meet the cookies
// of a newer sign-in, or arrive after a logout.
func TestLateAccessCookieRefreshesItsAccountOnly(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser){
		"after a sign-in that sent the cookies": func(w *world, b *browser) { b.enter("users", 1) },
		"after a sign-in that sent no cookies":  func(w *world, b *browser) { clear(b.jar); b.enter("users", 1) },
	} {
		w := quickWorld(t)
		w.addUser("ann@example.com")
		b := w.browser()
		b.enter("users", 1)
		late := setCookies(t, b.do("POST", "/auth/users/refresh", ""))
		require.NotContains(t, late, refreshCookie)
		end(w, b)
		b.jar[userCookie] = late[userCookie]
		require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status, name)
		require.Equal(t, 200, b.do("GET", "/users/me", "").Status, name)
	}
	for name, end := range map[string]func(w *world, b *browser){
		"after a logout":            func(_ *world, b *browser) { b.do("POST", "/auth/users/logout", "") },
		"after RevokeAll":           func(w *world, _ *browser) { require.NoError(t, fiberjwt.RevokeAll(t.Context(), w.auth, &User{ID: 1})) },
		"after the row was deleted": func(w *world, _ *browser) { w.sql(`DELETE FROM fiberjwt_sessions`) },
		"while the session lives":   func(*world, *browser) {},
	} {
		w := quickWorld(t)
		w.addUser("ann@example.com")
		w.addUser("mallory@example.com")
		b := w.browser()
		b.enter("users", 1)
		late := b.jar[userCookie]
		end(w, b)
		clear(b.jar)
		b.jar[userCookie] = late
		planted := []string{"Cookie", refreshCookie + "=" + w.enter("users", 2).Refresh}
		requireRefusal(t, b.do("POST", "/auth/users/refresh", "", planted...), 401, "no_token", name)
		require.Same(t, late, b.jar[userCookie], name)
		planted = append(planted, "Cookie", refreshCookie+"="+w.enter("users", 2).Refresh)
		requireRefusal(t, b.do("POST", "/auth/users/refresh", "", planted...), 400, "invalid_request", name)
		require.Equal(t, 204, b.do("POST", "/auth/users/logout", "", planted...).Status, "a logout must clear the cookies although two refresh cookies came")
		require.Empty(t, b.jar)
	}
}

func TestCrossOriginRefreshIsRefusedWithoutQuery(t *testing.T) {
	watched := &queries{}
	w := quickWorld(t, watched.watch)
	w.addUser("ann@example.com")
	one, two := w.enter("users", 1), w.enter("users", 1)
	watched.reset()
	for name, cookies := range map[string]string{
		"a matching pair":         userCookie + "=" + one.Access + "; " + refreshCookie + "=" + one.Refresh,
		"cookies of two sessions": userCookie + "=" + one.Access + "; " + refreshCookie + "=" + two.Refresh,
		"a refresh cookie alone":  refreshCookie + "=" + one.Refresh,
		"two refresh cookies":     refreshCookie + "=" + one.Refresh + "; " + refreshCookie + "=" + two.Refresh,
	} {
		a := w.do("POST", "/auth/users/refresh", "", "Cookie", cookies, "Sec-Fetch-Site", "same-site")
		requireRefusal(t, a, 403, "csrf", name)
	}
	require.Zero(t, watched.reset())
}

// Users who return after days have an access cookie that was signed by a removed key.
func TestRefreshWorksAfterSigningKeyWasRemoved(t *testing.T) {
	for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA} {
		old, err := keys.Generate(algorithm)
		require.NoError(t, err)
		set, err := keys.NewSet(old)
		require.NoError(t, err)
		w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Keys = set })
		w.addUser("ann@example.com")
		b := w.browser()
		b.enter("users", 1)
		next, err := keys.Generate(algorithm)
		require.NoError(t, err)
		require.NoError(t, set.Add(next))
		require.NoError(t, set.Promote(next.ID()))
		require.NoError(t, set.Remove(old.ID()))
		w.clock.Advance(72 * time.Hour)
		require.Equal(t, 401, b.do("GET", "/users/me", "").Status)
		require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
		require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
	}
}

func TestClaimsTooLargeForCookieFailSignIn(t *testing.T) {
	size := 0
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Claims: func(*User) map[string]any {
			return map[string]any{"pad": strings.Repeat("x", size)}
		}}
	})
	w.addUser("ann@example.com")
	for _, size = range []int{2600, 2700, 4000, 100_000} {
		sessions := w.count("fiberjwt_sessions")
		a := w.do("POST", "/door/users/1?via=cookie", "")
		if a.Status == 200 {
			for _, header := range a.Header.Values("Set-Cookie") {
				pair, _, _ := strings.Cut(header, ";")
				require.LessOrEqual(t, len(pair), 4096, "browsers silently drop larger cookies, RFC 6265bis §5.6")
			}
			continue
		}
		require.Equal(t, 500, a.Status)
		require.Empty(t, a.Header.Values("Set-Cookie"))
		require.Equal(t, sessions, w.count("fiberjwt_sessions"), "the failed sign-in left a session")
	}
	require.Equal(t, 500, w.do("POST", "/door/users/1?via=cookie", "").Status)

	a := w.do("POST", "/auth/users/register", `{"email":"bob@example.com","password":"`+testPassword+`","transport":"cookie"}`)
	require.Equal(t, 500, a.Status)
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.Equal(t, 1, w.count("users"), "the failed registration left an account")
	require.Contains(t, w.log.String(), "Entity.Claims", "the log must name the setting to fix")
}

func TestCookieValuesContainNoClientInput(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/auth/users/register", `{"email":"a\"; Domain=evil@example.com","password":"`+testPassword+`","transport":"cookie"}`,
		"User-Agent", "x; Domain=evil.example", "Cookie", userCookie+"=evil; "+refreshCookie+"=evil")
	require.Equal(t, 201, a.Status, a.Body)
	for _, cookie := range setCookies(t, a) {
		require.Regexp(t, `^[A-Za-z0-9_.-]+$`, cookie.Value)
		require.NotEqual(t, "evil", cookie.Value)
	}
	for _, header := range a.Header.Values("Set-Cookie") {
		_, attributes, _ := strings.Cut(header, ";")
		require.NotContains(t, attributes, "evil")
		require.NotContains(t, strings.ToLower(attributes), "domain")
	}
}

func TestCrossSiteLogoutByCustomCookieIsRefused(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromCookie("custom") })
	w.addUser("ann@example.com")
	cookie := "custom=" + w.enter("users", 1).Access
	for _, route := range []string{"/auth/users/logout", "/auth/users/logout-all"} {
		a := w.do("POST", route, "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Origin", evilOrigin)
		requireRefusal(t, a, 403, "csrf", route)
		require.Empty(t, a.Header.Values("Set-Cookie"), route)
		require.Equal(t, 200, w.do("GET", "/users/me", "", "Cookie", cookie).Status, "%s ended the session", route)
	}
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin").Status)
	require.Equal(t, 401, w.do("GET", "/users/me", "", "Cookie", cookie).Status)
}

func TestBrowserRefreshesOnRoutesBelowMountPrefix(t *testing.T) {
	w := newWorld(t, withoutRoutes)
	w.mounted(fiber.New())
	b := w.browser()
	b.register("users", "ann@example.com")
	require.Equal(t, "/auth/users", b.jar[refreshCookie].Path)
	w.clock.Advance(11 * time.Minute)
	require.Equal(t, 401, b.do("GET", "/users/me", "").Status)
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").Status)
	require.Empty(t, b.jar)
}

func TestPlantedRefreshCookieIsIgnored(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("mallory@example.com")
	w.addTeacher("bob")
	planted := map[string]string{
		"not a token":                       "junk",
		"a token of another kind":           w.enter("teachers", 1).Refresh,
		"a token with a wrong end":          w.enter("users", 1).Refresh + "x",
		"a valid token of the same account": w.enter("users", 1).Refresh,
		"a token of another account":        w.enter("users", 2).Refresh,
	}
	for name, value := range planted {
		for _, plantedFirst := range []bool{true, false} {
			b := w.browser()
			b.enter("users", 1)
			ours := userCookie + "=" + b.jar[userCookie].Value + "; " + refreshCookie + "=" + b.jar[refreshCookie].Value
			both := []string{ours, refreshCookie + "=" + value}
			if plantedFirst {
				slices.Reverse(both)
			}
			cookies := strings.Join(both, "; ")
			a := w.do("POST", "/auth/users/refresh", "", "Cookie", cookies, "Sec-Fetch-Site", "same-origin")
			require.Equal(t, 200, a.Status, "%s, planted first %v: %s", name, plantedFirst, a.Body)
			require.NotEmpty(t, setCookies(t, a)[userCookie], name)

			a = w.do("POST", "/auth/users/logout", "", "Cookie", cookies, "Sec-Fetch-Site", "same-origin")
			require.Equal(t, 204, a.Status, "%s, planted first %v: %s", name, plantedFirst, a.Body)
			a = w.do("POST", "/auth/users/refresh", "", "Cookie", ours, "Sec-Fetch-Site", "same-origin")
			requireRefusal(t, a, 401, "session_ended", name)
		}
	}
}

func TestDuplicateCookieOfOneKindDoesNotAffectAnother(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	doubled := userCookie + "=" + w.enter("users", 1).Access + "; " + userCookie + "=junk"
	cookies := doubled + "; " + teacherCookie + "=" + w.enter("teachers", 1).Access
	require.Equal(t, 200, w.do("GET", "/teachers/me", "", "Cookie", cookies).Status)
	require.Equal(t, 200, w.do("GET", "/auth/teachers/me", "", "Cookie", cookies).Status)
	require.Equal(t, "teachers:1", w.do("GET", "/any", "", "Cookie", cookies).Body)
	for _, path := range []string{"/users/me", "/auth/users/me"} {
		requireRefusal(t, w.do("GET", path, "", "Cookie", cookies), 400, "invalid_request", path)
		requireRefusal(t, w.do("GET", path, "", "Cookie", doubled), 400, "invalid_request", path)
	}
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Cookie", doubled).Status)
}

func TestCookieOnlyServerUsesNoTokensInBodies(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie} })
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	a := w.refresh("users", b.jar[refreshCookie].Value)
	requireRefusal(t, a, 422, "invalid_fields")
	require.Contains(t, a.Body, "refresh_token")
	require.Empty(t, w.tokensOf(a))

	a = w.do("POST", "/door/users/1?via=body", "")
	require.Equal(t, 500, a.Status, a.Body)
	require.Equal(t, 1, w.count("fiberjwt_sessions"), "the failed sign-in left a session")
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
}
