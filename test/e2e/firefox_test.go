package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// page opens the page of the example.
func (p *fox) page(x *example) *foxTab {
	p.t.Helper()
	b := p.tab(x.base + "/")
	b.settled()
	return b
}

func (b *foxTab) settled() {
	b.t.Helper()
	b.wait(settled)
}

func (b *foxTab) requireNothingOf(secrets ...string) {
	b.t.Helper()
	for _, secret := range secrets {
		require.NotContains(b.t, foxEval[string](b, `document.documentElement.outerHTML`), secret)
	}
}

func TestPageWorksInFirefox(t *testing.T) {
	p, x := newFox(t), startExample(t)
	b := p.page(x)
	b.shoot("01-signed-out")

	b.click(user + `.tabs label:nth-of-type(2)`)
	b.enter(user+`.register [name="email"]`, "ann@example.com")
	b.enter(user+`.register [name="full_name"]`, "Ann Archer")
	b.enter(user+`.register [name="password"]`, password)
	b.click(user + `.register .main`)
	b.wait(`document.querySelector(%q)`, user+".sessions .here")
	b.settled() // the page moves the focus when it is done
	require.Contains(t, b.text(user+".sessions"), "Firefox on Linux")
	b.shoot("02-user")

	b.click(teacher + `.tabs label:nth-of-type(2)`)
	b.enter(teacher+`.register [name="login"]`, "toby")
	b.enter(teacher+`.register [name="name"]`, "Toby Teach")
	b.enter(teacher+`.register [name="password"]`, password+"\ue007") // Enter
	b.wait(`document.querySelector(%q)`, teacher+".sessions .here")
	b.settled()
	require.Equal(t, "Toby Teach", b.text(teacher+"h2"))

	b.enter(`#notes textarea`, "Buy hay")
	b.click(`#notes .main`)
	b.wait(`document.querySelector('#notes .list').textContent.includes('Buy hay')`)
	b.shoot("03-both-with-a-note")

	other := p.page(x)
	require.Contains(t, other.text(user+".account"), "ann@example.com")
	require.Contains(t, other.text("#notes .list"), "Buy hay")
	b.click(user + ".logout")
	b.wait(`document.querySelector(%q).textContent.includes('You are signed out.')`, user+"> .message")
	other.wait(`document.querySelector(%q).textContent.includes('This session has ended.')`, user+"> .message")
	other.requireNothingOf("ann@example.com", "Ann Archer", "Buy hay")
	require.Equal(t, "Toby Teach", other.text(teacher+"h2"), "the end of one kind's session ended the other's")
	other.shoot("04-ended-in-the-other-tab")

	b.command("browsingContext.reload", fields{"wait": "complete"})
	b.settled()
	require.Equal(t, "Signed out", b.text(user+".state"))
	b.requireNothingOf("ann@example.com", "Ann Archer", "Buy hay")
	b.shoot("05-reloaded")

	b.enter(user+`.login [name="email"]`, "ann@example.com")
	b.enter(user+`.login [name="password"]`, password+"\ue007")
	for _, tab := range []*foxTab{b, other} {
		tab.wait(`document.querySelector('#notes .list').textContent.includes('Buy hay')`)
		tab.settled()
	}
	require.Empty(t, other.text(user+"> .message"), "the message of the previous session")
	other.shoot("06-in-again-in-the-other-tab")
}

func TestBackInFirefoxShowsNothingPrivate(t *testing.T) {
	p, x := newFox(t), startExample(t)
	shut := x.gate()
	b := p.page(x)
	const sent = `fetch('/auth/users/%s', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(%s) }).then(r => r.text())`
	foxEval[any](b, sent, "register", `{ email: 'ann@example.com', full_name: 'Ann Archer', password: "`+password+`", transport: 'cookie' }`)
	// The browser decides whether its cache keeps a page. On a busy machine it sometimes does not.
	for try := 1; ; try++ {
		b.visit(x.base + "/")
		b.wait(`document.querySelector(%q)`, user+".sessions .here")
		b.settled() // the cache does not keep a page with a running request
		foxEval[any](b, `(() => { `+remember+` })()`)
		b.visit(x.base + "/style.css") // a page that Firefox does not show in its JSON viewer
		foxEval[any](b, `fetch('/auth/users/logout', { method: 'POST' }).then(r => r.text())`)
		shut.Store(true)
		b.command("browsingContext.traverseHistory", fields{"delta": -1})
		b.wait(notKnown, user+".state")
		b.settled()
		if foxEval[bool](b, `!!window.mark`) {
			break
		}
		require.Less(t, try, 10, "the cache was never used, so this test proves nothing")
		shut.Store(false)
		foxEval[any](b, sent, "login", `{ email: 'ann@example.com', password: "`+password+`", transport: 'cookie' }`)
	}
	require.NotContains(t, foxEval[string](b, `window.shown`), "ann@example.com")
	b.requireNothingOf("ann@example.com", "Ann Archer")
	b.shoot("1-not-known")
	shut.Store(false)
	b.click(user + ".retry")
	b.wait(`document.querySelector(%q).textContent === 'Signed out'`, user+".state")
	b.requireNothingOf("ann@example.com", "Ann Archer")
}

// foxHome opens the page of the application in a new tab.
func (w *world) foxHome(p *fox) *foxTab {
	w.t.Helper()
	b := p.tab(w.url("a.test", "/"))
	b.wait("window.ready")
	return b
}

func TestTwoFirefoxTabsSurviveTokenExpiries(t *testing.T) {
	const expiries = 3
	p, w := newFox(t), newWorld(t)
	tabs := []*foxTab{w.foxHome(p), w.foxHome(p)}
	foxEval[any](tabs[0], `users.register({ email: 'ann@example.com', password: %q })`, password)
	for range expiries {
		w.expire()
		for _, b := range tabs {
			foxEval[any](b, `void (window.answers = Promise.all(Array.from({ length: 16 }, async (_, i) => {
				const response = await users.fetch('/data/users', i %% 2 ? { method: 'POST', body: 'note ' + i } : {});
				const text = await response.text();
				return response.ok && text.includes(i %% 2 ? 'note ' + i : 'ann') ? '' : response.status + ' ' + text;
			})))`)
		}
		for _, b := range tabs {
			require.Empty(t, foxEval[[]string](b, `answers.then(all => all.filter(Boolean))`))
		}
	}
	refreshes := w.count(refreshRoute, 200)
	t.Logf("%d requests, %d refreshes", expiries*16*len(tabs), refreshes)
	require.Zero(t, w.count(refreshRoute, 401), "the refresh of a tab was treated as a replay")
	require.GreaterOrEqual(t, refreshes, expiries)
	require.Less(t, refreshes, expiries*len(tabs), "the tabs did not share a refresh")

	foxEval[any](tabs[0], `users.logout()`)
	tabs[1].wait(`events.at(-1) === 'users ended'`)
	require.Empty(t, p.cookies())
}

func TestFirefoxStoresCookieAttributes(t *testing.T) {
	p, w := newFox(t), newWorld(t)
	b := w.foxHome(p)
	foxEval[any](b, `users.register({ email: 'ann@example.com', password: %q })`, password)
	require.Empty(t, foxEval[string](b, `document.cookie`))
	cookies := p.allCookies()
	require.Len(t, cookies, 3)
	const day = 24 * 3600
	for name, want := range map[string]foxCookie{
		"__Host-Http-users":      {Path: "/", SameSite: "lax", Expiry: 14 * day},
		"__Secure-users-refresh": {Path: "/auth/users", SameSite: "strict", Expiry: 14 * day},
		"__Secure-users-device":  {Path: "/auth/users", SameSite: "strict", Expiry: 180 * day},
	} {
		cookie := cookies[name]
		require.Equal(t, "a.test", cookie.Domain, "%s: the cookie is not limited to this host", name)
		require.Equal(t, want.Path, cookie.Path)
		require.Equal(t, want.SameSite, cookie.SameSite)
		require.True(t, cookie.Secure)
		require.True(t, cookie.HTTPOnly)
		require.WithinDuration(t, time.Now().Add(time.Duration(want.Expiry)*time.Second), time.Unix(cookie.Expiry, 0), time.Minute)
	}
}

func TestFirefoxCrossOriginRequestIsRefused(t *testing.T) {
	for name, attacker := range attackers {
		t.Run(name, func(t *testing.T) {
			p, w := newFox(t), newWorld(t)
			home := w.foxHome(p)
			foxEval[any](home, `users.register({ email: 'ann@example.com', password: %q })`, password)
			evil := p.tab(w.url(attacker.host, "/blank"))
			for path, status := range attacker.refused {
				foxEval[any](evil, `fetch(%q, { method: 'POST', mode: 'no-cors', credentials: 'include' }).then(() => {}, () => {})`, w.url("a.test", path))
				require.Equal(t, 1, w.count("POST "+path, status), path)
			}
			require.Equal(t, "ann@example.com", foxEval[string](home, `users.me().then(account => account.email)`), "the session has changed")
		})
	}
}
