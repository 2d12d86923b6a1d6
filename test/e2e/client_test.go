package e2e_test

import (
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

const refreshRoute = "POST /auth/users/refresh"

func TestUserSignsInAndOutInBrowser(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	require.Empty(t, b.who())
	require.Zero(t, w.count(refreshRoute, 401), "the client refreshed without a session")
	b.signUp("users", "ann@example.com")
	require.Equal(t, "ann@example.com", b.who())
	require.Equal(t, []string{"users session"}, eval[[]string](b, "events"))
	b.run("users.logout()")
	require.Empty(t, b.who())
	require.Equal(t, []string{"users session", "users ended"}, eval[[]string](b, "events"))
	require.Empty(t, p.cookies())
	t.Log(b.version())
}

// tenAtOnce sends ten requests, half of them with a body, and returns those that
// failed.
const tenAtOnce = `Promise.all(Array.from({ length: 10 }, async (_, i) => {
  const body = 'note ' + i;
  const response = await users.fetch('/data/users', i %% 2 ? { method: 'POST', body } : {});
  const text = await response.text();
  return response.ok && (i %% 2 ? text === body : text.includes('ann')) ? '' : response.status + ' ' + text;
})).then(answers => answers.filter(Boolean))`

func TestTwoTabsSurviveTokenExpiries(t *testing.T) {
	const expiries = 5
	withoutLocks := `delete Navigator.prototype.locks;`
	withoutChannel := `delete globalThis.BroadcastChannel;`
	for name, test := range map[string]struct {
		before []string
		frozen bool
		shared bool // the tabs usually share a refresh
	}{
		"with locks":                        {shared: true},
		"without locks":                     {before: []string{withoutLocks}},
		"without BroadcastChannel":          {before: []string{withoutChannel}},
		"without either":                    {before: []string{withoutLocks, withoutChannel}},
		"with a frozen tab that has a lock": {frozen: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(t), newProfile(t)
			tabs := []*tab{w.home(p, test.before...), w.home(p, test.before...)}
			tabs[0].signUp("users", "ann@example.com")
			if test.frozen {
				w.freezeWithLock(p)
			}
			began := time.Now()
			for range expiries {
				w.expire()
				var all sync.WaitGroup
				for _, b := range tabs {
					all.Go(func() {
						failed, err := try[[]string](b, tenAtOnce)
						if err != nil || len(failed) > 0 {
							t.Errorf("failed: %v %v", failed, err)
						}
					})
				}
				all.Wait()
			}
			refreshes := w.count(refreshRoute, 200)
			took := time.Since(began)
			t.Logf("%s: %d requests, %d refreshes in %v", name, expiries*20, refreshes, took.Round(time.Millisecond))
			if test.frozen {
				require.Greater(t, took, expiries*2*time.Second, "no tab waited for the lock, so this test proves nothing")
			}
			require.Zero(t, w.count(refreshRoute, 401), "the refresh of a tab was treated as a replay")
			require.GreaterOrEqual(t, refreshes, expiries)
			require.LessOrEqual(t, refreshes, expiries*len(tabs), "a tab refreshed more than once")
			if test.shared {
				require.Less(t, refreshes, expiries*len(tabs), "the tabs did not share a refresh")
			}
			for _, b := range tabs {
				require.NotContains(t, eval[[]string](b, "events"), "users ended")
			}
		})
	}
}

// holdLock opens a tab that holds the lock for refreshes until release().
func (w *world) holdLock(p *profile) *tab {
	w.t.Helper()
	b := p.tab().visit(w.url("a.test", "/blank"))
	b.run(`new Promise(held => navigator.locks.request('fiberjwt %s', () => {
		held();
		return new Promise(done => { window.release = done; });
	}))`, w.url("a.test", "/auth/users/"))
	return b
}

// freezeWithLock freezes a tab that holds the lock.
func (w *world) freezeWithLock(p *profile) {
	w.t.Helper()
	b := w.holdLock(p)
	call(b, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
}

func TestSignOutInOneTabReachesOtherTabs(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	one, other := w.home(p), w.home(p)
	one.signUp("users", "ann@example.com")
	other.wait(`events.join() === 'users session'`)
	one.run("users.logout()")
	other.wait(`events.join() === 'users session,users ended'`)
	one.signIn("ann@example.com")
	other.wait(`events.at(-1) === 'users session'`)
	require.Equal(t, "ann@example.com", other.who())
	one.run("users.logout({ everywhere: true })")
	other.wait(`events.at(-1) === 'users ended'`)
	require.Equal(t, 1, w.count("POST /auth/users/logout-all", 204))
}

func TestPageLoadSignInReachesSignedOutTabs(t *testing.T) {
	for name, before := range map[string]func(w *world){
		"at once":                     func(*world) {},
		"and has to be renewed first": (*world).expire,
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			w.home(newProfile(t)).signUp("users", "ann@example.com")
			listening := w.home(p)
			require.Empty(t, listening.who())
			listening.run(`void users.on('session', async () => { window.shown = (await users.me())?.email; })`)

			entering := p.tab()
			w.enterByForm(entering)
			before(w)
			require.Equal(t, "ann@example.com", entering.who())
			listening.wait(`window.shown === 'ann@example.com'`)
			require.Equal(t, []string{"users session"}, eval[[]string](listening, "events"))
			require.Empty(t, eval[[]string](entering, "events"))
			listening.run("users.logout()")
			entering.wait(`events.join() === 'users ended'`)
		})
	}
}

func TestLateAnswerDoesNotEndPageLoadSignIn(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	w.home(newProfile(t)).signUp("users", "ann@example.com")
	listening := w.home(p, `
		const ask = fetch;
		globalThis.answers = 0;
		globalThis.fetch = async (...request) => {
			const answer = await ask(...request);
			answers++;
			await window.gate;
			return answer;
		};`)
	require.Empty(t, listening.who())
	listening.run(`
		window.gate = new Promise(open => { window.open = open; });
		window.late = users.me().then(account => account?.email);
		void 0`)
	listening.wait("answers === 2")
	entering := p.tab()
	w.enterByForm(entering)
	require.Equal(t, "ann@example.com", entering.who())
	listening.wait(`events.join() === 'users session'`)
	require.Equal(t, "ann@example.com", eval[string](listening, "(open(), late)"), "the late answer returned no account")
	require.Equal(t, []string{"users session"}, eval[[]string](listening, "events"))
}

func TestNewTabDoesNotDisturbSignedInTab(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, stopwatch) // so that the client does not abort the held refresh
	b.signUp("users", "ann@example.com")
	require.Equal(t, "ann@example.com", b.who())
	b.run(`void (new BroadcastChannel('fiberjwt %s').onmessage = ({ data: [word] }) => { window.heard = word; })`, w.url("a.test", "/auth/users/"))
	held, release := w.holdRefreshes()
	b.run(`void (window.late = users.refresh())`)
	<-held
	require.Equal(t, "ann@example.com", w.home(p).who())
	b.wait(`window.heard === 'found'`)
	close(release)
	require.True(t, eval[bool](b, "late"), "the running refresh was aborted")
	require.Equal(t, 1, w.count(refreshRoute, 200))
	require.Equal(t, []string{"users session"}, eval[[]string](b, "events"), "the client fired the event again")
}

func TestClosedClientStillReturnsTheAccount(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	w.home(p).signUp("users", "ann@example.com")
	b := w.home(p)
	require.Equal(t, "ann@example.com", eval[string](b, `(() => {
		const asked = users.me();
		users.close();
		return asked.then(account => account.email);
	})()`))
	require.Equal(t, "ann@example.com", b.who())
}

func TestEndingOneKindKeepsTheOther(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	b.signUp("teachers", "toby")
	w.expire()
	require.Equal(t, []float64{200, 200}, eval[[]float64](b, `Promise.all([users.fetch('/data/users'), teachers.fetch('/data/teachers')]).then(all => all.map(r => r.status))`))
	b.run("users.logout()")
	require.Equal(t, []float64{401, 200}, eval[[]float64](b, `Promise.all([users.fetch('/data/users'), teachers.fetch('/data/teachers')]).then(all => all.map(r => r.status))`))
	require.Equal(t, "toby", eval[string](b, `teachers.me().then(account => account.login)`))
	require.Empty(t, b.who())
	require.Equal(t, []string{"users session", "teachers session", "users ended"}, eval[[]string](b, "events"))
}

func TestSessionEndedElsewhereFiresOneEvent(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	elsewhere := w.home(newProfile(t))
	elsewhere.signIn("ann@example.com")
	require.Equal(t, []bool{true, false}, eval[[]bool](elsewhere, `users.sessions().then(all => all.map(s => s.current))`))
	elsewhere.run(`users.sessions().then(all => users.endSession(all.find(s => !s.current)))`)
	require.Equal(t, []float64{401, 401}, eval[[]float64](b, `Promise.all([users.fetch('/data/users'), users.fetch('/data/users')]).then(all => all.map(r => r.status))`))
	require.Equal(t, 1, w.count(refreshRoute, 401))
	b.run(`users.fetch('/data/users')`)
	require.Equal(t, []string{"users session", "users ended"}, eval[[]string](b, "events"))
	require.Empty(t, b.who())

	elsewhere.run(`users.sessions().then(([own]) => users.endSession(own))`)
	require.Equal(t, []string{"users session", "users ended"}, eval[[]string](elsewhere, "events"))
}

func TestBrowserSignInEndsPreviousSession(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	b.signIn("ann@example.com")
	require.Equal(t, 1, eval[int](b, `users.sessions().then(all => all.length)`))
}

func TestOutageKeepsBrowserSession(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, stopwatch)
	b.signUp("users", "ann@example.com")
	status := func() float64 {
		return eval[float64](b, `users.fetch('/data/users').then(r => r.status, error => error.name === 'AuthError' ? -error.status : -1)`)
	}
	w.expire()
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() != "/auth/users/refresh" {
			return false, nil
		}
		c.Set("Retry-After", "1")
		return true, c.Status(503).JSON(fiber.Map{"error": "temporarily_unavailable", "error_description": "Later."})
	})
	require.EqualValues(t, -503, status())
	require.EqualValues(t, -503, status())
	require.EqualValues(t, -503, status())
	require.Equal(t, 1, w.count(refreshRoute, 503), "the client sent another refresh at once")
	require.Equal(t, "Later.", eval[string](b, `users.refresh().catch(error => error.message)`), "an explicit refresh does not wait for the back-off")
	require.Equal(t, 2, w.count(refreshRoute, 503))
	w.setDetour(nil)
	b.run(`pass(60_000)`)
	b.wait(`users.fetch('/data/users').then(r => r.ok, () => false)`)
	require.Equal(t, []string{"users session"}, eval[[]string](b, "events"))
}

func TestDeadNetworkKeepsBrowserSession(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	w.expire()
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() == "/auth/users/refresh" {
			_ = c.Context().Conn().Close() // no answer
			return true, nil
		}
		return false, nil
	})
	require.EqualValues(t, 0, eval[float64](b, `users.refresh().catch(error => error.status)`))
	require.Equal(t, "AuthError", eval[string](b, `users.fetch('/data/users').catch(error => error.name)`))
	w.setDetour(nil)
	require.True(t, eval[bool](b, `users.refresh()`))
	require.Equal(t, "ann@example.com", b.who())
	require.Equal(t, []string{"users session"}, eval[[]string](b, "events"))
}

func TestApplication401IsNotRetried(t *testing.T) {
	w, p := newWorld(t, func(_ *world, app *fiber.App, _ *fiberjwt.Config) {
		app.Post("/pin", func(c *fiber.Ctx) error { return c.Status(401).SendString("wrong") })
	}), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	require.EqualValues(t, 401, eval[float64](b, `users.fetch('/pin', { method: 'POST', body: '1234' }).then(r => r.status)`))
	require.Equal(t, 1, w.count("POST /pin", 401), "the client repeated the request")
	require.Zero(t, w.count(refreshRoute, 200))
}

func TestRefusedSignInFailsNoOtherRequest(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	w.expire()
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() == "/data/users" {
			once.Do(func() {
				close(held)
				<-release
			})
		}
		return false, nil
	})
	b.run(`void (window.late = users.fetch('/data/users').then(r => r.status))`)
	<-held
	b.run(`users.login({ email: 'ann@example.com', password: 'another one' }).catch(() => {})`)
	close(release)
	require.EqualValues(t, 200, eval[float64](b, `late`))
}

func TestSignedOutVisitorGetsNoEndEvent(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	require.False(t, eval[bool](b, `users.refresh()`))
	require.EqualValues(t, 401, eval[float64](b, `users.fetch(new Request('/data/users', { method: 'POST', body: 'once' })).then(r => r.status)`))
	require.Empty(t, b.who())
	require.Empty(t, eval[[]string](b, "events"))
}

func TestOneTimeBodyIsSentOnce(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	const post = `users.fetch(new Request('/data/users', { method: 'POST', body: 'once' })).then(r => r.status)`

	w.expire() // the client does not notice it
	require.EqualValues(t, 401, eval[float64](b, post))
	require.Equal(t, 1, w.count("POST /data/users", 401), "the client sent the body again")
	require.Equal(t, 1, w.count(refreshRoute, 200), "the client did not refresh for the next request")
	require.EqualValues(t, 200, eval[float64](b, post))

	b.visit(w.url("a.test", "/")).wait("window.ready")
	w.expire()
	require.EqualValues(t, 200, eval[float64](b, post), "a page that knows no expiry refreshes first")
	require.Equal(t, 1, w.count("POST /data/users", 401))
}

func TestLateRefreshDoesNotReachNextSession(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	// The other tab sends a request when it receives the event of the sign-in,
	// sometimes before the sign-in has the lock. It must not abort the held refresh.
	one, other := w.home(p), w.home(p, stopwatch)
	one.signUp("users", "bob@example.com")
	one.signUp("users", "ann@example.com")
	other.wait(`events.length === 2`)
	w.expire()
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() != "/auth/users/refresh" {
			return false, nil
		}
		err := c.Next() // the response with Ann's cookies is delayed
		once.Do(func() { close(held) })
		<-release
		return true, err
	})
	other.run(`void (window.late = users.fetch('/data/users').then(r => r.status))`)
	<-held
	one.signIn("bob@example.com")
	other.wait(`events.length === 3`)
	close(release)
	require.EqualValues(t, 401, eval[float64](other, `late`), "the client repeated a request of Ann as Bob")
	w.setDetour(nil)
	require.Equal(t, "bob@example.com", one.who())
	require.Equal(t, "bob@example.com", other.who())
}

func TestAbortStopsWaitingForRefresh(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	w.expire()
	held, release := w.holdRefreshes()
	b.run(`
		window.stop = new AbortController();
		window.given = users.fetch('/data/users', { signal: stop.signal }).catch(error => error.name);
		window.kept = users.fetch('/data/users').then(r => r.status);
		void 0`)
	<-held
	require.Equal(t, "AbortError", eval[string](b, `(stop.abort(), given)`))
	close(release)
	require.EqualValues(t, 200, eval[float64](b, `kept`), "one abort also aborted the other request")
}

func TestOnlyUsedTabsRenewTokensEarly(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	// The page's timers run 600 times faster: minutes become milliseconds.
	hurry := `const set = setTimeout; globalThis.setTimeout = (f, wait = 0, ...rest) => set(f, wait / 600, ...rest);`
	idle := w.home(p, hurry)
	idle.signUp("users", "ann@example.com")
	hidden := w.home(newProfile(t), hurry, `Object.defineProperty(Document.prototype, 'hidden', { get: () => true });`)
	// In one script, because otherwise the timer fires before the page is used.
	const use = `users.login({ email: 'ann@example.com', password: %q }).then(() => users.fetch('/data/users')).then(r => r.status)`
	require.EqualValues(t, 200, eval[float64](hidden, use, password))
	used := w.home(newProfile(t), hurry)
	require.EqualValues(t, 200, eval[float64](used, use, password))
	deadline := time.Now().Add(patience)
	for w.count(refreshRoute, 200) == 0 {
		require.True(t, time.Now().Before(deadline), "the client did not renew the token")
		time.Sleep(20 * time.Millisecond)
	}
	idle.run(`new Promise(done => setTimeout(done, 600_000 * 1.5))`)
	hidden.run(`new Promise(done => setTimeout(done, 600_000))`)
	require.Equal(t, 1, w.count(refreshRoute, 200), "a page that is not used or not visible renewed its token")
}

func TestTabsRenewAtDifferentTimes(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, `
		const set = setTimeout;
		globalThis.waits = new Set();
		globalThis.setTimeout = (f, wait = 0, ...rest) => {
			if (wait > 60_000) waits.add(wait);
			return set(f, wait, ...rest);
		};`)
	b.signUp("users", "ann@example.com")
	for range 9 {
		w.expire()
		require.True(t, eval[bool](b, `users.refresh()`))
	}
	waits := eval[[]float64](b, `[...waits]`)
	require.Len(t, waits, 10, "tabs that were opened together renew at the same time")
	for _, wait := range waits {
		require.InDelta(t, 0.8*accessTTL.Seconds()*1000, wait, 0.1*accessTTL.Seconds()*1000)
	}
}

func TestAuthErrorReportsStatusCodeAndFields(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	type fault struct {
		Status  int               `json:"status"`
		Code    string            `json:"code"`
		Message string            `json:"message"`
		Fields  map[string]string `json:"fields"`
	}
	faultOf := func(script string) fault {
		return eval[fault](b, `%s.then(() => null, ({ status, code, message, fields }) => ({ status, code, message, fields }))`, script)
	}
	wrong := faultOf(`users.login({ email: 'ann@example.com', password: 'another one' })`)
	require.Equal(t, 401, wrong.Status)
	require.Equal(t, "invalid_credentials", wrong.Code)
	require.Equal(t, "ann@example.com", b.who(), "a refused login ended the session")
	require.Equal(t, 409, faultOf(`users.register({ email: 'ann@example.com', password: 'correct horse battery' })`).Status)
	short := faultOf(`users.register({ email: 'bob@example.com', password: 'short' })`)
	require.Equal(t, 422, short.Status)
	require.Contains(t, short.Fields, "password")
	require.NotEmpty(t, short.Message)
}
