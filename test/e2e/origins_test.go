package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// attackers are pages, with the status of the response to their requests without a
// body.
var attackers = map[string]struct {
	host    string
	refused map[string]int
}{
	// SameSite withholds the cookies, so the request is anonymous. A logout without a
	// session is not an error.
	"another site": {"evil.test", map[string]int{
		"/data/users": 401, "/auth/users/refresh": 401, "/auth/users/password": 401, "/auth/users/logout": 204, "/auth/users/logout-all": 204,
	}},
	// SameSite does not apply within a site: the browser sends the cookies, and the
	// check of the origin refuses the request.
	"a sibling origin": {"b.a.test", map[string]int{
		"/data/users": 403, "/auth/users/refresh": 403, "/auth/users/password": 403, "/auth/users/logout": 403, "/auth/users/logout-all": 403,
	}},
}

func TestCrossOriginFetchIsRefused(t *testing.T) {
	for name, attacker := range attackers {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			home := w.home(p)
			home.signUp("users", "ann@example.com")
			evil := p.tab().visit(w.url(attacker.host, "/blank"))
			for path, status := range attacker.refused {
				// Requests that a page can send to another origin without a preflight.
				evil.run(`fetch(%q, { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => {})`, w.url("a.test", path))
				require.Equal(t, 1, w.count("POST "+path, status), path)
			}
			// Requests that need a preflight do not reach the server.
			_, err := try[string](evil, `fetch(%q, { method: 'DELETE', credentials: 'include' }).then(r => r.text())`, w.url("a.test", "/auth/users/sessions/x"))
			require.Error(t, err)
			_, err = try[string](evil, `fetch(%q, { credentials: 'include' }).then(r => r.text())`, w.url("a.test", "/data/users"))
			require.Error(t, err, "the page could read the response")
			evil.requireBlocked(2)
			require.Equal(t, "ann@example.com", home.who(), "the session has changed")
		})
	}
}

func TestCrossOriginFormIsRefused(t *testing.T) {
	for name, attacker := range attackers {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			home := w.home(p)
			home.signUp("users", "ann@example.com")
			for _, path := range []string{"/data/users", "/auth/users/logout"} {
				evil := p.tab().visit(w.url(attacker.host, "/blank"))
				evil.run(`{
					const form = document.createElement('form');
					Object.assign(form, { method: 'post', enctype: 'text/plain', action: %q });
					document.body.append(form);
					void setTimeout(() => form.submit());
				}`, w.url("a.test", path))
				require.Eventually(t, func() bool { return w.count("POST "+path, attacker.refused[path]) == 1 }, patience, 10*time.Millisecond, path)
			}
			require.Equal(t, "ann@example.com", home.who())
		})
	}
}

func TestCrossOriginPageCannotSignVisitorIn(t *testing.T) {
	for name, attacker := range attackers {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			w.home(newProfile(t)).signUp("users", "mallory@example.com")
			evil := p.tab().visit(w.url(attacker.host, "/blank"))
			for _, form := range []string{"text/plain", "application/x-www-form-urlencoded"} {
				evil.run(`fetch(%q, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': %q },
					body: JSON.stringify({ email: 'mallory@example.com', password: %q, transport: 'cookie' }) }).catch(() => {})`,
					w.url("a.test", "/auth/users/login"), form, password)
			}
			require.Zero(t, w.count("POST /auth/users/login", 200))
			require.Empty(t, p.cookies())
		})
	}
}

func TestChromiumStoresCookieAttributes(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	w.home(p).signUp("users", "ann@example.com")
	cookies := p.allCookies()
	require.Len(t, cookies, 3)
	const day = 24 * 3600
	for name, want := range map[string]network.Cookie{
		"__Host-Http-users":      {Path: "/", SameSite: network.CookieSameSiteLax, Expires: 14 * day},
		"__Secure-users-refresh": {Path: "/auth/users", SameSite: network.CookieSameSiteStrict, Expires: 14 * day},
		"__Secure-users-device":  {Path: "/auth/users", SameSite: network.CookieSameSiteStrict, Expires: 180 * day},
	} {
		cookie := cookies[name]
		require.NotNil(t, cookie, name)
		require.Equal(t, "a.test", cookie.Domain, "%s: the cookie is not limited to this host", name)
		require.Equal(t, want.Path, cookie.Path)
		require.Equal(t, want.SameSite, cookie.SameSite)
		require.True(t, cookie.Secure)
		require.True(t, cookie.HTTPOnly)
		require.False(t, cookie.Session)
		require.WithinDuration(t, time.Now().Add(time.Duration(want.Expires)*time.Second), time.Unix(int64(cookie.Expires), 0), time.Minute)
	}
}

// Chromium stores Secure cookies on http://localhost, but not on another plain http
// address. Safari does not store them on either.
func TestPlainHTTPNeedsInsecureCookies(t *testing.T) {
	insecure := func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.Insecure = true }
	for name, test := range map[string]struct {
		host      string
		configure []configure
		want      []string
	}{
		"secure, localhost":   {"localhost", nil, []string{"__Host-Http-users", "__Secure-users-refresh"}},
		"secure, elsewhere":   {"a.test", nil, nil},
		"insecure, localhost": {"localhost", []configure{insecure}, []string{"users", "users-refresh"}},
		"insecure, elsewhere": {"a.test", []configure{insecure}, []string{"users", "users-refresh"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newPlainWorld(t, test.configure...), newProfile(t)
			b := p.tab().visit("http://" + test.host + ":" + w.port + "/")
			b.wait("window.ready")
			b.signUp("users", "ann@example.com")
			names := []string{}
			for name := range p.cookies() {
				names = append(names, name)
			}
			require.ElementsMatch(t, test.want, names)
			require.Equal(t, len(names) > 0, b.who() != "")
		})
	}
}

func TestScriptCannotReadOrPlantCookies(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	plant := func(b *tab) {
		b.run(`(async () => {
			for (const name of ['__Host-Http-users', '__Secure-users-refresh']) {
				for (const path of ['/', '/auth/users', '/auth/users/refresh']) {
					document.cookie = name + '=planted; Secure; SameSite=Lax; Path=' + path;
					document.cookie = name + '=planted; Secure; SameSite=Lax; Domain=a.test; Path=' + path;
					await cookieStore.set({ name, value: 'planted', path }).catch(() => {});
				}
			}
		})()`)
	}
	plant(b)
	require.NotContains(t, p.cookies(), "__Host-Http-users", "a script planted an access cookie")

	p = newProfile(t)
	b = w.home(p)
	b.signUp("users", "ann@example.com")
	require.Empty(t, eval[string](b, "document.cookie"))
	require.Empty(t, eval[[]string](b, "cookieStore.getAll().then(all => all.map(c => c.name))"))
	before := p.cookies()["__Host-Http-users"].Value

	plant(b)                                          // an injected script in the page's origin
	plant(p.tab().visit(w.url("b.a.test", "/blank"))) // a script of a sibling, with Domain
	require.Equal(t, before, p.cookies()["__Host-Http-users"].Value)
	require.Equal(t, "ann@example.com", b.who())
	w.expire()
	require.EqualValues(t, 200, eval[float64](b, `users.fetch('/data/users').then(r => r.status)`), "a planted cookie locks the user out")
	b.run("users.logout()")
	require.Empty(t, b.who())
}

// A sibling host can set a cookie with the name of the refresh cookie for the whole
// domain. The attacker puts a valid token of their own account into it.
func TestPlantedRefreshTokenHasNoEffect(t *testing.T) {
	w, other, p := newWorld(t), newProfile(t), newProfile(t)
	w.home(other).signUp("users", "mallory@example.com")
	plant := func() {
		p.tab().visit(w.url("b.a.test", "/blank")).run(`document.cookie = '__Secure-users-refresh=%s; Secure; Domain=a.test; Path=/auth/users'`,
			other.cookies()["__Secure-users-refresh"].Value)
	}
	b := w.home(p)
	plant()
	require.NotEmpty(t, p.cookies(), "the browser did not store the cookie, so this test proves nothing")
	require.False(t, eval[bool](b, "users.refresh()"))
	require.Empty(t, b.who(), "signed in as the attacker")

	b.signUp("users", "ann@example.com")
	plant()
	for range 3 {
		w.expire()
		require.Empty(t, eval[[]string](b, tenAtOnce), "the user is locked out")
		require.Equal(t, "ann@example.com", b.who())
	}
	b.run("users.logout()")
	require.False(t, eval[bool](b, "users.refresh()"))
	require.Empty(t, b.who())
}

// trustingSibling configures b.a.test as a trusted origin.
func trustingSibling(w *world, app *fiber.App, cfg *fiberjwt.Config) {
	front := w.url("b.a.test", "")
	cfg.TrustedOrigins = []string{front}
	app.Use(cors.New(cors.Config{AllowOrigins: front, AllowCredentials: true, AllowHeaders: "Content-Type", ExposeHeaders: "WWW-Authenticate, Retry-After"}))
}

// sibling opens a page of b.a.test that loads the client from a.test.
func (w *world) sibling(p *profile) *tab {
	w.t.Helper()
	b := p.tab().visit(w.url("b.a.test", "/blank"))
	b.run(`import(%q).then(({ createAuth }) => { window.users = createAuth('users'); })`, w.url("a.test", "/auth/client.js"))
	return b
}

func TestTrustedOriginFrontEndSignsIn(t *testing.T) {
	w, p := newWorld(t, trustingSibling), newProfile(t)
	b := w.sibling(p)
	b.signUp("users", "ann@example.com")
	require.Equal(t, "ann@example.com", b.who())
	w.expire()
	require.EqualValues(t, 200, eval[float64](b, `users.fetch(%q).then(r => r.status)`, w.url("a.test", "/data/users")))
	require.Equal(t, 1, w.count(refreshRoute, 200))
	b.run("users.logout()")
	require.Empty(t, p.cookies())
}
