// Code generated from ../../../test/api/simulator_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// The simulator runs browsers with several tabs on a bad network for months of
// simulated time, on the real routes with a clock that it moves. No user may be signed
// out. A life is 200 refreshes of one browser with one cookie jar and one or two
// kinds. The number of a life is its random seed.

const (
	lifeRefreshes = 200
	tabPatience   = 10 * time.Second // Config.Refresh.Timeout
	serverDelay   = 20 * time.Second // Rearm - Grace - Timeout: the server handles no request later
	longestPause  = 10 * 24 * time.Hour
	sessionTTL    = 90 * 24 * time.Hour // Entity.SessionTTL
)

// refreshesToSimulate returns FIBERJWT_REFRESHES. The default is 20,000, or 4,000 with
// the race detector.
func refreshesToSimulate(t *testing.T) int {
	t.Helper()
	text := os.Getenv("FIBERJWT_REFRESHES")
	if text == "" {
		info, ok := debug.ReadBuildInfo()
		if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
			return 4000 // with the race detector, SQLite takes thirty times as long
		}
		return 20_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "FIBERJWT_REFRESHES must be a number")
	return n
}

func TestSimulatedTabsAreNeverSignedOut(t *testing.T) {
	n := refreshesToSimulate(t)
	oneToEight := func(number int) int { return 1 + number%8 }
	for _, test := range []struct {
		name     string
		n        int
		scenario scenario
	}{
		{"in memory", n / 2, scenario{rule: session.Decide, tabs: oneToEight, clocks: []time.Duration{0, 60 * time.Second, 30 * time.Second}}},
		{"in memory, with pages that a server renders", n - n/2 - n/10, scenario{rule: session.Decide, tabs: oneToEight, pages: true, seed: 1, clocks: []time.Duration{0, -60 * time.Second, -30 * time.Second}}},
		{"in SQLite", n / 10, scenario{tabs: oneToEight, seed: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			total := simulate(t, test.n, test.scenario)
			t.Logf("%v, in %v", total, time.Since(start).Round(time.Second/10))
			require.Zero(t, total.refused, "a refresh was refused; the last events of that browser:\n%s", total.history)
		})
	}
}

// The usual rule accepts each refresh token once. The simulator must be hard enough to
// show that it signs users out.
func TestSimulatedTabsAreSignedOutByStrictRotation(t *testing.T) {
	n := min(max(refreshesToSimulate(t)/20, 400), 50_000)
	for _, calm := range []bool{true, false} {
		for _, tabs := range []int{1, 2, 4, 8} {
			of := func(rule rule) scenario {
				return scenario{rule: rule, tabs: func(int) int { return tabs }, calm: calm}
			}
			ours, strict := simulate(t, n, of(session.Decide)), simulate(t, n, of(strictRotation))
			t.Logf("tabs=%d calm=%v: of %d refreshes, %d sign the user out, and %d under strict rotation", tabs, calm, n, ours.signedOut, strict.signedOut)
			require.Zero(t, ours.refused, ours.history)
			if calm && tabs == 1 {
				require.Zero(t, strict.refused, "a single tab on a good network must not be signed out under any rule:\n%s", strict.history)
			} else {
				require.Positive(t, strict.signedOut, "the simulated network is too good to find a fault of strict rotation")
			}
		}
	}
}

// rule decides about a refresh, like session.Decide.
type rule func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome)

// strictRotation accepts the current generation once, and ends the session for any
// other.
func strictRotation(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
	switch {
	case !row.Alive(now):
		return row, session.Gone
	case g != row.Gen:
		row.Revoked = now
		return row, session.Reuse
	}
	row.Gen, row.Prev, row.Issued, row.IdleUntil = g+1, g, now, min(now+t.Idle.Milliseconds(), row.Ends)
	return row, session.Rotate
}

// scenario describes what is simulated.
type scenario struct {
	seed  uint64               // of all lives
	rule  rule                 // of a store in memory; nil for the store in SQLite
	tabs  func(number int) int // the number of tabs, by the number of the life
	calm  bool                 // the network is fast and loses nothing, and no page is reloaded
	pages bool                 // a server renders pages, and exchanges the refresh token of the request

	clocks []time.Duration // one server for each: how far its clock is ahead of the store's; empty for one server with a correct clock
}

// tally counts what happened.
type tally struct {
	refreshes   int // handled by the server
	lostAnswers int // lost, or too late for the tab
	exchanged   int // by a server that renders pages
	refused     int // answered 401
	signedOut   int // refused, and the tab received the response
	outcomes    [session.Reuse + 1]int
	history     string // the last events of a life with a refusal
	problem     string // a response that a refresh must never get
}

func (a *tally) add(b tally) {
	a.refreshes += b.refreshes
	a.lostAnswers += b.lostAnswers
	a.exchanged += b.exchanged
	a.refused += b.refused
	a.signedOut += b.signedOut
	for o, n := range b.outcomes {
		a.outcomes[o] += n
	}
	a.history = cmp.Or(a.history, b.history)
	a.problem = cmp.Or(a.problem, b.problem)
}

func (a tally) String() string {
	text := fmt.Sprintf("%d refreshes, %d answers lost, %d exchanges, %d refused, %d users signed out",
		a.refreshes, a.lostAnswers, a.exchanged, a.refused, a.signedOut)
	for o, n := range a.outcomes {
		if n > 0 {
			text += fmt.Sprintf(", %d %v", n, session.Outcome(o))
		}
	}
	return text
}

// simulate runs lives until there are n refreshes, with one application for each processor.
func simulate(t *testing.T, n int, in scenario) (total tally) {
	t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		s := newServer(t, in)
		group.Go(func() {
			for number := worker; number*lifeRefreshes < n; number += workers {
				l := newLife(s, number, in)
				l.run()
				mu.Lock()
				total.add(l.tally)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Empty(t, total.problem)
	return total
}

// server is an application with an account of each kind, on one or more machines.
type server struct {
	machines []fasthttp.RequestHandler
	clock    *clock     // of the store and the browsers
	begin    time.Time  // of every life
	seen     *tally     // counts the outcomes
	random   *rand.Rand // chooses the machine for a request
}

func newServer(t *testing.T, in scenario) *server {
	t.Helper()
	s := &server{seen: &tally{}}
	var sessions *ruleStore
	if in.rule != nil {
		sessions = &ruleStore{rows: map[string]session.Row{}, rule: func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			after, o := in.rule(row, g, now, t)
			s.seen.outcomes[o]++
			return after, o
		}}
	}
	first := s.machine(t, in, nil, sessions, 0)
	first.addUser("ann@example.com")
	first.addTeacher("ann")
	for _, ahead := range in.clocks {
		s.machine(t, in, first, sessions, ahead)
	}
	if len(in.clocks) > 0 {
		s.machines = s.machines[1:]
	}
	return s
}

// machine adds a machine that handles requests. It uses the database of first, unless
// first is nil, and the store sessions; nil is the SQL store in that database.
func (s *server) machine(t *testing.T, in scenario, first *world, sessions *ruleStore, ahead time.Duration) *world {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Cookie.RefreshEverywhere = in.pages
		if sessions != nil {
			cfg.Store = sessions
		}
		if first != nil {
			cfg.DB, cfg.Now = first.db, func() time.Time { return first.clock.Now().Add(ahead) }
		}
	})
	if first != nil {
		w.db = first.db
		useStoreClock(w.auth)
	} else {
		s.clock, s.begin = w.clock, w.clock.Now()
		if sessions != nil {
			sessions.now = w.clock.Now
		}
	}
	s.machines = append(s.machines, w.app.Handler())
	return w
}

// reply is the part of a response that a browser needs.
type reply struct {
	status  int
	body    string
	cookies []*fasthttp.Cookie
}

func (s *server) do(method, path string, cookies []string) reply {
	var c fasthttp.RequestCtx
	c.Request.Header.SetMethod(method)
	c.Request.SetRequestURI(path)
	c.Request.Header.Set("Sec-Fetch-Site", "same-origin")
	if len(cookies) > 0 {
		c.Request.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return s.send(&c)
}

func (s *server) exchange(kind, token string) reply {
	var c fasthttp.RequestCtx
	c.Request.Header.SetMethod("POST")
	c.Request.SetRequestURI("/auth/" + kind + "/token")
	c.Request.Header.SetContentType("application/json")
	c.Request.SetBodyString(`{"refresh_token":"` + token + `"}`)
	return s.send(&c)
}

func (s *server) send(c *fasthttp.RequestCtx) reply {
	s.machines[s.random.IntN(len(s.machines))](c)
	r := reply{status: c.Response.StatusCode(), body: string(c.Response.Body())}
	c.Response.Header.VisitAllCookie(func(_, value []byte) {
		cookie := &fasthttp.Cookie{}
		if cookie.ParseBytes(value) == nil { // without the cookie, a later request fails
			r.cookies = append(r.cookies, cookie)
		}
	})
	return r
}

// life is the simulation of one browser.
type life struct {
	tally
	server  *server
	random  *rand.Rand
	calm    bool
	pages   bool
	kinds   []string
	loss    float64   // the probability that a request or response is lost
	offline time.Time // until then, everything is lost
	jar     map[string]jarCookie
	tabs    []map[string]*attempt // for each tab the last attempt, by kind
	logins  map[string]int        // the number of logins, by kind
	since   map[string]time.Time  // the last login, by kind
	begin   time.Time
	queue   eventQueue
	lines   []string
}

// jarCookie is a cookie in the jar.
type jarCookie struct {
	value, path string
	expires     time.Time
}

// attempt is a refresh by a tab.
type attempt struct {
	tab, login int
	kind       string
	done       bool // the tab no longer waits for the response
}

func newLife(s *server, number int, in scenario) *life {
	random := rand.New(rand.NewPCG(uint64(number), in.seed))
	s.clock.Advance(s.begin.Sub(s.clock.Now()))
	l := &life{
		server: s, random: random, calm: in.calm, pages: in.pages,
		kinds: [][]string{{"users"}, {"teachers"}, {"users", "teachers"}}[random.IntN(3)],
		jar:   map[string]jarCookie{}, logins: map[string]int{}, since: map[string]time.Time{}, begin: s.begin,
	}
	if !in.calm {
		l.loss = []float64{0, 0.01, 0.05, 0.3}[random.IntN(4)]
	}
	for range in.tabs(number) {
		l.tabs = append(l.tabs, map[string]*attempt{})
	}
	s.seen, s.random = &l.tally, random
	return l
}

func (l *life) run() {
	for _, kind := range l.kinds {
		l.signIn(kind)
	}
	l.after(0, l.wakeTabs)
	for l.refreshes < lifeRefreshes && l.problem == "" {
		next := heap.Pop(&l.queue).(simEvent)
		l.server.clock.Advance(next.at.Sub(l.now()))
		next.do()
	}
	if l.refused > 0 {
		l.history = l.lastLines()
	}
}

// lastLines returns the last events.
func (l *life) lastLines() string { return strings.Join(l.lines[max(0, len(l.lines)-40):], "\n") }

func (l *life) now() time.Time { return l.server.clock.Now() }

func (l *life) after(d time.Duration, do func()) {
	heap.Push(&l.queue, simEvent{l.now().Add(d), do})
}

// logf adds a line to the history, until a refresh is refused.
func (l *life) logf(of *attempt, format string, args ...any) {
	if l.refused == 0 {
		at := l.now().Sub(l.begin).Round(time.Millisecond)
		l.lines = append(l.lines, fmt.Sprintf("%14v  %s of tab %d: ", at, of.kind, of.tab)+fmt.Sprintf(format, args...))
	}
}

// signIn starts another session. Requests of the previous session are ignored.
func (l *life) signIn(kind string) {
	l.logins[kind]++
	l.since[kind] = l.now()
	r := l.server.do("POST", "/door/"+kind+"/1?via=cookie", nil)
	l.expect(r, 200)
	l.storeCookies(r)
}

// storeCookies stores the cookies of a response in the jar.
func (l *life) storeCookies(r reply) {
	for _, c := range r.cookies {
		l.jar[string(c.Key())] = jarCookie{string(c.Value()), string(c.Path()), l.now().Add(time.Duration(c.MaxAge()) * time.Second)}
	}
}

// cookiesFor returns the cookies that the browser sends to path.
func (l *life) cookiesFor(path string) (cookies []string) {
	for name, c := range l.jar {
		if strings.HasPrefix(path, c.path) && l.now().Before(c.expires) {
			cookies = append(cookies, name+"="+c.value)
		}
	}
	return cookies
}

// wakeTabs lets some tabs refresh, often all at the same time, and then again after a
// pause of seconds to days.
func (l *life) wakeTabs() {
	if !l.calm && l.random.IntN(20) == 0 {
		l.offline = l.now().Add(l.upTo(2 * time.Hour))
	}
	window := []time.Duration{0, 50 * time.Millisecond, 2 * time.Second, 40 * time.Second}[l.random.IntN(4)]
	awake := l.random.Perm(len(l.tabs))[:1+l.random.IntN(len(l.tabs))]
	for _, kind := range l.kinds {
		for _, tab := range awake {
			l.after(l.upTo(window), func() { l.refresh(tab, kind) })
		}
	}
	pauses := []time.Duration{time.Second, 40 * time.Second, 90 * time.Second, 10 * time.Minute, time.Hour, 12 * time.Hour, longestPause}
	l.after(l.upTo(pauses[l.random.IntN(len(pauses))]), l.wakeTabs)
}

// upTo returns a random duration from 0 to d.
func (l *life) upTo(d time.Duration) time.Duration {
	return time.Duration(l.random.Int64N(int64(d) + 1))
}

func (l *life) lost() bool {
	return l.random.Float64() < l.loss || l.now().Before(l.offline)
}

// delay returns how long a request or response takes: mostly short, sometimes up to
// longest.
func (l *life) delay(longest time.Duration) time.Duration {
	n := l.random.IntN(100)
	switch {
	case l.calm || n < 80:
		return l.upTo(300 * time.Millisecond)
	case n < 95:
		return l.upTo(5 * time.Second)
	}
	return l.upTo(longest)
}

// refresh sends a refresh of a tab. A tab that still waits for a response sends none,
// except one in ten, whose page was reloaded.
func (l *life) refresh(tab int, kind string) {
	if before := l.tabs[tab][kind]; before != nil && !before.done {
		if l.calm || l.random.IntN(10) > 0 {
			return
		}
		before.done = true
	}
	if l.nearEnd(kind) {
		l.signIn(kind)
	}
	mine := &attempt{tab: tab, kind: kind, login: l.logins[kind]}
	l.tabs[tab][kind] = mine
	l.after(tabPatience, func() { l.giveUp(mine) })
	cookies := l.cookiesFor("/auth/" + kind)
	l.logf(mine, "sends %s", generation(mine.kind, cookies))
	if l.lost() {
		l.logf(mine, "the request is lost")
		return
	}
	l.after(l.delay(serverDelay), func() { l.handle(mine, cookies) })
}

// nearEnd reports if the session is about to reach its SessionTTL, or its IdleTTL, when
// the cookie expires. A refusal would then be correct, so the browser signs in again.
func (l *life) nearEnd(kind string) bool {
	const soon = 5 * time.Minute
	if l.now().Sub(l.since[kind]) > sessionTTL-soon {
		return true
	}
	for name, c := range l.jar {
		if isRefresh(name, kind) {
			return c.expires.Sub(l.now()) < soon
		}
	}
	return true
}

// giveUp ends the waiting of a tab. Two of three tabs then try again.
func (l *life) giveUp(mine *attempt) {
	if mine.done {
		return
	}
	mine.done = true
	if l.random.IntN(3) > 0 {
		l.after(l.upTo(time.Minute), func() { l.refresh(mine.tab, mine.kind) })
	}
}

func (l *life) handle(mine *attempt, cookies []string) {
	if mine.login != l.logins[mine.kind] || l.refreshes == lifeRefreshes {
		return
	}
	if l.pages && l.random.IntN(8) == 0 {
		l.exchange(mine, cookies)
	}
	r := l.server.do("POST", "/auth/"+mine.kind+"/refresh", cookies)
	l.refreshes++
	l.logf(mine, "the server answers %d %s to %s", r.status, generation(mine.kind, setCookiesOf(r)), generation(mine.kind, cookies))
	if r.status == 401 {
		l.refused++
	} else {
		l.expect(r, 200)
	}
	if l.lost() {
		l.lostAnswers++
		return
	}
	l.after(l.delay(2*tabPatience), func() { l.receive(mine, r) })
}

// exchange is the request of a server that renders the page and got the same cookies.
// If the response is refresh_required, the server renders without an access token.
func (l *life) exchange(mine *attempt, cookies []string) {
	r := l.server.exchange(mine.kind, refreshOf(mine.kind, cookies))
	l.exchanged++
	l.logf(mine, "an exchange of %s is answered %d", generation(mine.kind, cookies), r.status)
	if r.status == 401 && !strings.Contains(r.body, "refresh_required") {
		l.refused++
	} else if r.status != 401 {
		l.expect(r, 200)
	}
}

// receive handles a response, if the tab still waits for it.
func (l *life) receive(mine *attempt, r reply) {
	switch {
	case mine.login != l.logins[mine.kind]:
		return
	case mine.done:
		l.lostAnswers++
		return
	}
	mine.done = true
	if r.status == 401 {
		l.signedOut++
		l.signIn(mine.kind)
		return
	}
	l.storeCookies(r)
	l.logf(mine, "the jar has %s", generation(mine.kind, l.cookiesFor("/auth/"+mine.kind)))
	switch l.random.IntN(20) {
	case 0:
		if l.refused == 0 {
			l.openPage(mine.kind)
		}
	case 1, 2:
		l.after(l.upTo(time.Second), func() { l.refresh(mine.tab, mine.kind) })
	}
}

// openPage requires that the refreshed cookies open a page.
func (l *life) openPage(kind string) {
	l.expect(l.server.do("GET", "/"+kind+"/me", l.cookiesFor("/")), 200)
}

func (l *life) expect(r reply, status int) {
	if r.status != status {
		l.problem = fmt.Sprintf("%d %s after\n%s", r.status, r.body, l.lastLines())
	}
}

// setCookiesOf returns the cookies of a response as a browser would send them.
func setCookiesOf(r reply) (cookies []string) {
	for _, c := range r.cookies {
		cookies = append(cookies, string(c.Key())+"="+string(c.Value()))
	}
	return cookies
}

// isRefresh reports if name is the refresh cookie of a kind.
func isRefresh(name, kind string) bool {
	return name == "__Secure-"+kind+"-refresh" || name == "__Host-Http-"+kind+".refresh"
}

// refreshOf returns the refresh token of a kind among cookies, or "".
func refreshOf(kind string, cookies []string) string {
	for _, cookie := range cookies {
		if name, token, _ := strings.Cut(cookie, "="); isRefresh(name, kind) {
			return token
		}
	}
	return ""
}

// generation describes the refresh token of a kind among cookies.
func generation(kind string, cookies []string) string {
	text, ok := strings.CutPrefix(refreshOf(kind, cookies), "fjr_")
	if !ok {
		return "no refresh token"
	}
	b, _ := base64.RawURLEncoding.DecodeString(text)
	return fmt.Sprint("token ", binary.BigEndian.Uint32(b[4:]))
}

// eventQueue is a heap of future events.
type eventQueue []simEvent

type simEvent struct {
	at time.Time
	do func()
}

func (q eventQueue) Len() int           { return len(q) }
func (q eventQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q eventQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(e any)        { *q = append(*q, e.(simEvent)) }
func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}

// ruleStore keeps sessions in memory and decides by a rule. It has only the methods
// that the simulator needs.
type ruleStore struct {
	session.Store
	mu   sync.Mutex
	rule rule
	rows map[string]session.Row
	now  func() time.Time // of the store
}

func (s *ruleStore) Clock(context.Context, int64) (int64, error) { return s.now().UnixMilli(), nil }

func (s *ruleStore) Create(_ context.Context, row session.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[string(row.SID)] = row
	return nil
}

func (s *ruleStore) Refresh(_ context.Context, kind string, sid []byte, g, now int64, t session.Times) (row session.Row, o session.Outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, there := s.rows[string(sid)]
	if !there || row.Kind != kind {
		return session.Row{}, session.Gone, nil
	}
	if t.StoreClock {
		now = s.now().UnixMilli()
	}
	row, o = s.rule(row, g, now, t)
	s.rows[string(sid)] = row
	return row, o, nil
}

func (s *ruleStore) Find(_ context.Context, kind string, sid []byte) (session.Row, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, there := s.rows[string(sid)]
	return row, there && row.Kind == kind, nil
}
