package e2e_test

import (
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
)

// everyCall calls every method of the client except fetch, and returns how each
// call ended.
const everyCall = `(async () => {
	const person = { email: 'ann@example.com', password: 'correct horse battery' };
	const ends = {};
	for (const [name, call] of Object.entries({
		me: () => users.me(),
		sessions: () => users.sessions(),
		endSession: () => users.endSession({ id: 'x', current: true }),
		refresh: () => users.refresh(),
		login: () => users.login(person),
		register: () => users.register(person),
		logout: () => users.logout(),
		everywhere: () => users.logout({ everywhere: true }),
	})) ends[name] = await call().then(answer => 'kept: ' + JSON.stringify(answer), error => error.name + ' ' + error.status);
	return ends;
})()`

func TestInvalidResponseKeepsBrowserSession(t *testing.T) {
	says := func(status int, body string) fiber.Handler {
		return func(c *fiber.Ctx) error { return c.Status(status).SendString(body) }
	}
	for name, test := range map[string]struct {
		answer fiber.Handler
		want   string
	}{
		"a closed connection": {func(c *fiber.Ctx) error { return c.Context().Conn().Close() }, "AuthError 0"},
		"a truncated answer": {func(c *fiber.Ctx) error {
			c.Context().SetBodyStream(strings.NewReader(`{"expires_in":600`), 1000)
			return nil
		}, "AuthError 0"},
		"a proxy's page with status 200":     {says(200, "<!doctype html><title>Welcome</title>"), "AuthError 0"},
		"an empty body":                      {says(200, ""), "AuthError 0"},
		"null":                               {says(200, "null"), "AuthError 0"},
		"a JSON string":                      {says(200, `"offline"`), "AuthError 0"},
		"a proxy's error page":               {says(502, "<h1>Bad Gateway</h1>"), "AuthError 502"},
		"a proxy's error with the body null": {says(502, "null"), "AuthError 502"},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			b := w.home(p)
			b.signUp("users", "ann@example.com")
			w.setDetour(func(c *fiber.Ctx) (bool, error) {
				if !strings.HasPrefix(c.Path(), "/auth/users/") {
					return false, nil
				}
				return true, test.answer(c)
			})
			ends := eval[map[string]string](b, everyCall)
			require.Len(t, ends, 8)
			for call, end := range ends {
				require.Equal(t, test.want, end, call)
			}
			w.setDetour(nil)
			require.Equal(t, []string{"users session"}, eval[[]string](b, "events"))
			require.Equal(t, "ann@example.com", b.who())
		})
	}
}

// A closed client cannot inform the other tabs.
func TestClosedClientCannotSignInOrOut(t *testing.T) {
	for name, before := range map[string][]string{
		"with locks":    nil,
		"without locks": {`delete Navigator.prototype.locks;`},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			b := w.home(p, before...)
			b.signUp("users", "ann@example.com")
			b.run("users.close()")
			ends := eval[map[string]string](b, everyCall)
			for _, call := range []string{"login", "register", "logout", "everywhere"} {
				require.Equal(t, "AuthError 0", ends[call], call)
			}
			require.Zero(t, w.count("POST /auth/users/login", 200))
			require.Equal(t, "ann@example.com", b.who())
		})
	}
}

// stale is a 401 that the page itself constructs, so that its body can be anything.
const stale = `{ status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } }`

func TestBrokenResponseBodyDoesNotFailRetry(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, `{
		const ask = fetch;
		window.fetch = async (input, init) => {
			if (!window.breaks || input !== '/data/users') return ask(input, init);
			window.breaks = false;
			return new Response(new ReadableStream({ start: stream => stream.error(new TypeError('It broke off.')) }), `+stale+`);
		};
	}`)
	b.signUp("users", "ann@example.com")
	b.run(`window.breaks = true, void 0`)
	require.EqualValues(t, 200, eval[float64](b, `users.fetch('/data/users').then(r => r.status)`))
	require.False(t, eval[bool](b, `window.breaks`))
	b.run(`new Promise(done => setTimeout(done))`) // by then the browser has reported unhandled rejections
}

// The browser cannot send a stream over HTTP/1.1, so the page answers instead of
// the server.
func TestStreamBodyIsSentOnce(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, `{
		const ask = fetch;
		window.sent = [];
		window.fetch = async (input, init) => {
			if (input !== '/data/users') return ask(input, init);
			sent.push(await new Response(init.body).text());
			return new Response('', `+stale+`);
		};
	}`)
	b.signUp("users", "ann@example.com")
	require.EqualValues(t, 401, eval[float64](b, `users.fetch('/data/users', { method: 'POST', body: new Blob(['once']).stream(), duplex: 'half' }).then(r => r.status)`))
	require.Equal(t, []string{"once"}, eval[[]string](b, "sent"))
	require.Equal(t, 1, w.count(refreshRoute, 200), "the client did not refresh for the next request")
}

func TestUnknownChannelMessagesAreIgnored(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	one, other := w.home(p), w.home(p)
	one.signUp("users", "ann@example.com")
	other.wait(`events.join() === 'users session'`)
	one.run(`{
		const channel = new BroadcastChannel('fiberjwt %s');
		for (const word of [['dance'], ['dance', 600], [], {}, 'begin', 600, null, undefined]) channel.postMessage(word);
		void channel.postMessage(['ended']);
	}`, w.url("a.test", "/auth/users/"))
	other.wait(`events.join() === 'users session,users ended'`)
}

func TestFetchKeepsRequestSettings(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	referers := make(chan string, 2)
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() == "/data/users" {
			referers <- strings.Clone(c.Get("Referer"))
		}
		return false, nil
	})
	ask := func(init string) float64 {
		t.Helper()
		return eval[float64](b, `users.fetch(new Request('/data/users', %s)).then(r => r.status)`, init)
	}
	require.EqualValues(t, 200, ask(`{}`))
	require.NotEmpty(t, <-referers)
	require.EqualValues(t, 200, ask(`{ referrerPolicy: 'no-referrer' }`))
	require.Empty(t, <-referers)
	require.EqualValues(t, 401, ask(`{ credentials: 'omit' }`), "the request carried the cookies")
}

func TestCrossOriginFetchSendsCookiesByDefault(t *testing.T) {
	w, p := newWorld(t, trustingSibling), newProfile(t)
	b := w.sibling(p)
	b.signUp("users", "ann@example.com")
	ask := func(init string) float64 {
		t.Helper()
		return eval[float64](b, `users.fetch(new Request(%q, %s)).then(r => r.status)`, w.url("a.test", "/data/users"), init)
	}
	require.EqualValues(t, 200, ask(`{}`))
	require.EqualValues(t, 200, ask(`{ credentials: 'include' }`))
	require.EqualValues(t, 401, ask(`{ credentials: 'omit' }`), "the request carried the cookies")
}
