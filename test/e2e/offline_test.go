package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// gate puts a proxy before the example. While shut is true, it closes every connection
// without an answer.
func (x *example) gate() (shut *atomic.Bool) {
	x.t.Helper()
	server, err := url.Parse(x.base)
	require.NoError(x.t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		r.Out.Host = r.In.Host
	}}
	shut = new(atomic.Bool)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shut.Load() {
			panic(http.ErrAbortHandler) // closes the connection
		}
		proxy.ServeHTTP(w, r)
	}))
	x.t.Cleanup(front.Close)
	x.base = front.URL
	return shut
}

// requireNothingOf fails the test if one of the secrets is on the page, also in hidden
// elements and fields, or was there when the page came back.
func (b *tab) requireNothingOf(secrets ...string) {
	b.t.Helper()
	for _, secret := range secrets {
		for _, where := range []string{
			`window.shown ?? ''`, `document.body.innerText`, `document.documentElement.outerHTML`,
			`[...document.querySelectorAll('input, textarea')].map(input => input.value).join(' ')`,
		} {
			require.NotContains(b.t, eval[string](b, "%s", where), secret, where)
		}
	}
}

// remember marks the page, so that the test can distinguish it from a newly loaded one,
// and records what the page shows at the moment of its return.
const remember = `window.mark = 'the same page';
	addEventListener('pageshow', () => { window.shown = document.body.innerText + document.documentElement.outerHTML; });`

func (b *tab) requireTheSamePage() {
	b.t.Helper()
	require.Equal(b.t, "the same page", eval[string](b, `window.mark ?? 'a new one'`), "the cache was not used, so this test proves nothing")
}

// hit clicks at the coordinates of the element. chromedp's own click does not work
// after the back/forward cache, which invalidates its nodes.
func (b *tab) hit(selector string) {
	b.t.Helper()
	at := eval[[]float64](b, `(({ x, y, width, height }) => [x + width / 2, y + height / 2])(document.querySelector(%q).getBoundingClientRect())`, selector)
	b.must(chromedp.MouseClickXY(at[0], at[1]))
}

const notKnown = `document.querySelector(%q).textContent === 'Not known'`

func TestBackShowsNothingPrivateWhileServerIsDown(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	shut := x.gate()
	b := x.page(p)
	b.createUser("ann@example.com")
	b.createTeacher("toby")
	b.writeNote("users", "Buy hay")
	b.writeNote("teachers", "Mark the essays")
	b.enter(`#notes textarea`, "not sent yet")
	x.openProof(b)
	require.Contains(t, b.text("#proof"), "ann@example.com")
	b.run(remember)

	b.visit(x.base + "/api/public")
	b.run(`fetch('/auth/users/logout', { method: 'POST' })`)
	shut.Store(true)
	b.back()
	b.wait(notKnown+` && `+notKnown, user+".state", teacher+".state")
	b.settled()
	b.requireTheSamePage()
	b.requireNothingOf("ann@example.com", "Ann Archer", "Buy hay", "not sent yet", "toby", "Toby Teach", "Mark the essays")
	require.False(t, eval[bool](b, `document.querySelector('#proof').open`))
	require.Contains(t, b.text(user+"> .message"), "cannot be reached")
	b.shoot("1-not-known")

	b.hit(user + ".retry")
	b.settled()
	b.says(user, "cannot be reached")
	b.requireNothingOf("ann@example.com", "Buy hay", "Toby Teach")

	shut.Store(false)
	b.hit(user + ".retry")
	b.wait(`document.querySelector(%q).textContent === 'Signed out'`, user+".state")
	b.says(user, "This session has ended. Sign in again.")
	b.hit(teacher + ".retry")
	b.wait(`document.querySelector('#notes .list').textContent.includes('Mark the essays')`)
	require.Equal(t, "Toby Teach", b.text(teacher+"h2"), "the session of the other kind ended")
	require.Empty(t, b.text(teacher+"> .message"))
	b.requireTheSamePage()
	b.requireNothingOf("ann@example.com", "Ann Archer", "Buy hay", "not sent yet")
	b.shoot("2-recovered")
}

func TestPageRecoversWhenNetworkReturns(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createUser("ann@example.com")
	b.writeNote("", "Buy hay")
	b.run(remember)
	b.visit(x.base + "/api/public")
	b.offline(true)
	b.back()
	b.wait(notKnown, user+".state")
	b.requireTheSamePage()
	b.requireNothingOf("ann@example.com", "Buy hay")
	b.offline(false)
	b.wait(`document.querySelector('#notes .list').textContent.includes('Buy hay')`)
	b.settled()
	require.Contains(t, b.text(user+".account"), "ann@example.com")
	require.Empty(t, b.text(user+"> .message"))
	b.requireTheSamePage()
}

func TestAnswerFromBeforeLeavingIsNotShownOnReturn(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	shut := x.gate()
	x.page(p).createUser("ann@example.com")
	b := p.tab(`const get = globalThis.fetch; globalThis.fetch = async (input, init) => {
		const response = await get(input, init);
		if (!window.release && String(input).endsWith('/users/me')) await new Promise(done => { window.release = done; });
		return response;
	};`).visit(x.base + "/")
	b.wait(`window.release`)
	b.run(remember)
	b.visit(x.base + "/api/public")
	b.run(`fetch('/auth/users/logout', { method: 'POST' })`)
	shut.Store(true)
	b.back()
	b.run(`release()`)
	b.wait(notKnown, user+".state")
	b.settled()
	b.requireTheSamePage()
	b.requireNothingOf("ann@example.com")
}

// offline disconnects the tab from the network, or connects it again.
func (b *tab) offline(yes bool) {
	b.t.Helper()
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: yes, DownloadThroughput: -1, UploadThroughput: -1}},
	})
	call(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: yes, DownloadThroughput: -1, UploadThroughput: -1})
}
