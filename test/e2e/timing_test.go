package e2e_test

import (
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
)

// stopwatch stops the clock of the page. pass(milliseconds) moves it and fires the
// timeouts of requests. Timers of more than 100 ms never fire. The script also
// records the paths of the requests.
const stopwatch = `{
	const begin = Date.now(), waits = [], ask = fetch, set = setTimeout;
	let passed = 0;
	Date.now = () => begin + passed;
	window.setTimeout = (f, wait = 0, ...rest) => wait > 100 ? 0 : set(f, wait, ...rest);
	AbortSignal.timeout = wait => {
		const controller = new AbortController();
		waits.push({ until: passed + wait, controller });
		return controller.signal;
	};
	window.pass = wait => {
		passed += wait;
		for (const { until, controller } of waits) if (until <= passed) controller.abort(new DOMException('', 'TimeoutError'));
	};
	window.asked = [];
	window.fetch = (input, init) => {
		asked.push(new URL(input.url ?? input, location).pathname);
		return ask(input, init);
	};
}`

// waiting is the number of tabs that wait for the lock.
const waiting = `navigator.locks.query().then(({ pending }) => pending.length)`

// A busy tab does not notice the sign-in at once and may have sent a refresh. Its
// response would overwrite the cookies of the sign-in.
func TestSignInAndOutWaitForPendingRefresh(t *testing.T) {
	for name, test := range map[string]struct{ call, path string }{
		"login":    {`users.login({ email: 'ann@example.com', password: '` + password + `' })`, "/auth/users/login"},
		"register": {`users.register({ email: 'bob@example.com', password: '` + password + `' })`, "/auth/users/register"},
		"logout":   {`users.logout()`, "/auth/users/logout"},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			w.home(newProfile(t)).signUp("users", "ann@example.com")
			b := w.home(p, stopwatch)
			b.signIn("ann@example.com")
			start := func() {
				b.run(`asked.length = 0, window.late = %s.then(() => 'done'), void 0`, test.call)
				b.wait(waiting)
			}

			busy := w.holdLock(p)
			start()
			b.run(`pass(10_999)`)
			require.Empty(t, eval[[]string](b, `asked`), "the client did not wait for the refresh")
			require.Equal(t, 1, eval[int](b, waiting))
			busy.run(`release()`)
			require.Equal(t, "done", eval[string](b, `late`))
			require.Equal(t, []string{test.path}, eval[[]string](b, `asked`))

			if name == "register" {
				return // the second part uses the same code for all three
			}
			w.freezeWithLock(p)
			start()
			b.run(`pass(11_000)`)
			require.Equal(t, "done", eval[string](b, `late`), "a frozen tab blocks it forever")
		})
	}
}

func TestRefreshWaitsTwoSecondsForOtherTabs(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, stopwatch)
	b.signUp("users", "ann@example.com")
	w.holdLock(p)
	b.run(`asked.length = 0, window.late = users.refresh(), void 0`)
	b.wait(waiting)
	b.run(`pass(1_999)`)
	require.Equal(t, 1, eval[int](b, waiting))
	require.Empty(t, eval[[]string](b, `asked`))
	b.run(`pass(1)`)
	require.True(t, eval[bool](b, `late`))
}

func TestHangingRefreshIsAborted(t *testing.T) {
	w, p := newWorld(t), newProfile(t)
	b := w.home(p, stopwatch)
	b.signUp("users", "ann@example.com")
	held, release := w.holdRefreshes()
	defer close(release)
	b.run(`window.late = users.refresh().catch(error => error.name + ' ' + error.status).finally(() => { window.over = true; }), void 0`)
	<-held
	b.run(`pass(9_999)`)
	require.False(t, eval[bool](b, `!!window.over`), "the client aborted too early")
	b.run(`pass(1)`)
	require.Equal(t, "AuthError 0", eval[string](b, `late`))
	require.Equal(t, []string{"users session"}, eval[[]string](b, "events"))
}

func TestClientBacksOffByRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		header      string
		retryAfter  float64
		least, most time.Duration
	}{
		"nothing":       {"", 0, 500 * time.Millisecond, 750 * time.Millisecond},
		"forty seconds": {"40", 40, 40 * time.Second, time.Minute},
		"a day":         {"86400", 86400, time.Minute, 90 * time.Second},
		"a date":        {"Wed, 21 Oct 2065 07:28:00 GMT", 0, 500 * time.Millisecond, 750 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), newProfile(t)
			b := w.home(p, stopwatch)
			b.signUp("users", "ann@example.com")
			w.expire()
			w.setDetour(func(c *fiber.Ctx) (bool, error) {
				if c.Path() != "/auth/users/refresh" {
					return false, nil
				}
				if test.header != "" {
					c.Set("Retry-After", test.header)
				}
				return true, c.SendStatus(503)
			})
			refused := func(times int) {
				t.Helper()
				require.EqualValues(t, -503, eval[float64](b, `users.fetch('/data/users').then(r => r.status, error => (window.fault = error, -error.status))`))
				require.Equal(t, times, w.count(refreshRoute, 503))
			}
			refused(1)
			require.Equal(t, test.retryAfter, eval[float64](b, `fault.retryAfter`))
			b.run(`pass(%d)`, test.least.Milliseconds()-1)
			refused(1)
			b.run(`pass(%d)`, (test.most-test.least).Milliseconds()+1)
			refused(2)
		})
	}
}
