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

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// The simulator lets people with several tabs live through months of a bad
// network, on the real routes with a clock that is moved; nobody may be signed
// out. A life is 200 refreshes of one browser: one cookie jar, one or two
// kinds. The same number gives the same life.

const (
	lifeRefreshes = 200
	tabPatience   = 10 * time.Second // Config.Refresh.Timeout
	serverDelay   = 20 * time.Second // Rearm - Grace - Timeout: the server handles no request later
	longestPause  = 10 * 24 * time.Hour
	sessionTTL    = 90 * 24 * time.Hour // Entity.SessionTTL
)

// simulated is how many refreshes to simulate: FIBERJWT_REFRESHES or 20,000,
// less for the race detector.
func simulated(t *testing.T) int {
	t.Helper()
	text := os.Getenv("FIBERJWT_REFRESHES")
	if text == "" {
		info, ok := debug.ReadBuildInfo()
		if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
			return 4000 // SQLite takes thirty times as long then
		}
		return 20_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "FIBERJWT_REFRESHES is not a number")
	return n
}

func TestSimulatedTabsAreNeverSignedOut(t *testing.T) {
	n := simulated(t)
	oneToEight := func(number int) int { return 1 + number%8 }
	for _, test := range []struct {
		name   string
		n      int
		people people
	}{
		{"in memory", n / 2, people{rule: session.Decide, tabs: oneToEight, clocks: []time.Duration{0, 60 * time.Second, 30 * time.Second}}},
		{"in memory, with pages that a server renders", n - n/2 - n/10, people{rule: session.Decide, tabs: oneToEight, pages: true, seed: 1, clocks: []time.Duration{0, -60 * time.Second, -30 * time.Second}}},
		{"in SQLite", n / 10, people{tabs: oneToEight, seed: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			total := simulate(t, test.n, test.people)
			t.Logf("%v, in %v", total, time.Since(start).Round(time.Second/10))
			require.Zero(t, total.refused, "the end of a life with a refusal:\n%s", total.story)
		})
	}
}

// The usual rule is that a refresh token is good once.
func TestSimulatedTabsAreSignedOutByStrictRotation(t *testing.T) {
	n := min(max(simulated(t)/20, 400), 50_000)
	for _, calm := range []bool{true, false} {
		for _, tabs := range []int{1, 2, 4, 8} {
			of := func(rule rule) people {
				return people{rule: rule, tabs: func(int) int { return tabs }, calm: calm}
			}
			ours, strict := simulate(t, n, of(session.Decide)), simulate(t, n, of(strictRotation))
			t.Logf("tabs=%d calm=%v: of %d refreshes, %d sign people out, and %d under strict rotation", tabs, calm, n, ours.signedOut, strict.signedOut)
			require.Zero(t, ours.refused, ours.story)
			if calm && tabs == 1 {
				require.Zero(t, strict.refused, "a single tab on a good network is fine under any rule:\n%s", strict.story)
			} else {
				require.Positive(t, strict.signedOut, "the simulator is too kind")
			}
		}
	}
}

// rule is session.Decide or another.
type rule func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome)

// strictRotation takes the current generation, once, and ends the session for
// any other.
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

// people are who is simulated.
type people struct {
	seed  uint64 // of their lives
	rule  rule   // of a store in memory; nil for the store in SQLite
	tabs  func(number int) int
	calm  bool // the network loses nothing and is quick, and nobody reloads a page
	pages bool // a server renders some, and exchanges the refresh token that it is sent

	clocks []time.Duration // a server for each, whose clock is so far ahead of that of the store; empty for one whose clock is right
}

// tally of what happened.
type tally struct {
	refreshes int // handled by the server
	unheard   int // their answers were lost, or came too late
	exchanged int // by a server of pages
	refused   int // answered 401
	signedOut int // and a tab heard it
	outcomes  [session.Reuse + 1]int
	story     string // of a life in which one was refused
	fault     string // an answer that is none to a refresh
}

func (a *tally) add(b tally) {
	a.refreshes += b.refreshes
	a.unheard += b.unheard
	a.exchanged += b.exchanged
	a.refused += b.refused
	a.signedOut += b.signedOut
	for o, n := range b.outcomes {
		a.outcomes[o] += n
	}
	a.story = cmp.Or(a.story, b.story)
	a.fault = cmp.Or(a.fault, b.fault)
}

func (a tally) String() string {
	text := fmt.Sprintf("%d refreshes, %d answers unheard, %d exchanges, %d refused, %d people signed out",
		a.refreshes, a.unheard, a.exchanged, a.refused, a.signedOut)
	for o, n := range a.outcomes {
		if n > 0 {
			text += fmt.Sprintf(", %d %v", n, session.Outcome(o))
		}
	}
	return text
}

// simulate lives of n refreshes in all, on an application for each processor.
func simulate(t *testing.T, n int, who people) (total tally) {
	t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		s := newServer(t, who)
		group.Go(func() {
			for number := worker; number*lifeRefreshes < n; number += workers {
				l := newLife(s, number, who)
				l.run()
				mu.Lock()
				total.add(l.tally)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Empty(t, total.fault)
	return total
}

// server is an application with an account of each kind, on one machine or more.
type server struct {
	machines []fasthttp.RequestHandler
	clock    *clock     // of the store, and of the browsers
	begin    time.Time  // of every life
	seen     *tally     // the outcomes are counted there
	random   *rand.Rand // chooses the machine that handles a request
}

func newServer(t *testing.T, who people) *server {
	t.Helper()
	s := &server{seen: &tally{}}
	var sessions *shelf
	if who.rule != nil {
		sessions = &shelf{rows: map[string]session.Row{}, rule: func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			after, o := who.rule(row, g, now, t)
			s.seen.outcomes[o]++
			return after, o
		}}
	}
	first := s.machine(t, who, nil, sessions, 0)
	first.addUser("ann@example.com")
	first.addTeacher("ann")
	for _, ahead := range who.clocks {
		s.machine(t, who, first, sessions, ahead)
	}
	if len(who.clocks) > 0 {
		s.machines = s.machines[1:]
	}
	return s
}

// machine adds one that handles requests, on the database of the first and on
// sessions, which are nil for those of that database.
func (s *server) machine(t *testing.T, who people, first *world, sessions *shelf, ahead time.Duration) *world {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Cookie.RefreshEverywhere = who.pages
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

// reply is what of an answer matters to a browser.
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
		if cookie.ParseBytes(value) == nil { // else it is missed soon
			r.cookies = append(r.cookies, cookie)
		}
	})
	return r
}

// life of one browser.
type life struct {
	tally
	server  *server
	random  *rand.Rand
	calm    bool
	pages   bool
	kinds   []string
	loss    float64   // of requests, and of answers
	offline time.Time // until then everything is lost
	jar     map[string]jarCookie
	tabs    []map[string]*trip   // the last one of each kind
	logins  map[string]int       // how often, by kind
	since   map[string]time.Time // the last login
	begin   time.Time
	queue   agenda
	lines   []string
}

// jarCookie is a cookie in the jar.
type jarCookie struct {
	value, path string
	expires     time.Time
}

// trip is a request of a tab.
type trip struct {
	tab, login int
	kind       string
	over       bool // the tab does not wait any more
}

func newLife(s *server, number int, who people) *life {
	random := rand.New(rand.NewPCG(uint64(number), who.seed))
	s.clock.Advance(s.begin.Sub(s.clock.Now()))
	l := &life{
		server: s, random: random, calm: who.calm, pages: who.pages,
		kinds: [][]string{{"users"}, {"teachers"}, {"users", "teachers"}}[random.IntN(3)],
		jar:   map[string]jarCookie{}, logins: map[string]int{}, since: map[string]time.Time{}, begin: s.begin,
	}
	if !who.calm {
		l.loss = []float64{0, 0.01, 0.05, 0.3}[random.IntN(4)]
	}
	for range who.tabs(number) {
		l.tabs = append(l.tabs, map[string]*trip{})
	}
	s.seen, s.random = &l.tally, random
	return l
}

func (l *life) run() {
	for _, kind := range l.kinds {
		l.signIn(kind)
	}
	l.after(0, l.moment)
	for l.refreshes < lifeRefreshes && l.fault == "" {
		next := heap.Pop(&l.queue).(simEvent)
		l.server.clock.Advance(next.at.Sub(l.now()))
		next.do()
	}
	if l.refused > 0 {
		l.story = l.end()
	}
}

// end of what was told.
func (l *life) end() string { return strings.Join(l.lines[max(0, len(l.lines)-40):], "\n") }

func (l *life) now() time.Time { return l.server.clock.Now() }

func (l *life) after(d time.Duration, do func()) {
	heap.Push(&l.queue, simEvent{l.now().Add(d), do})
}

func (l *life) tell(trip *trip, format string, args ...any) {
	if l.refused == 0 { // what comes after does not matter
		at := l.now().Sub(l.begin).Round(time.Millisecond)
		l.lines = append(l.lines, fmt.Sprintf("%14v  %s of tab %d: ", at, trip.kind, trip.tab)+fmt.Sprintf(format, args...))
	}
}

// signIn starts another session; what is on the way of the one before is over.
func (l *life) signIn(kind string) {
	l.logins[kind]++
	l.since[kind] = l.now()
	r := l.server.do("POST", "/door/"+kind+"/1?via=cookie", nil)
	l.expect(r, 200)
	l.take(r)
}

// take puts the cookies of an answer into the jar, over those that are there.
func (l *life) take(r reply) {
	for _, c := range r.cookies {
		l.jar[string(c.Key())] = jarCookie{string(c.Value()), string(c.Path()), l.now().Add(time.Duration(c.MaxAge()) * time.Second)}
	}
}

// give the cookies for path.
func (l *life) give(path string) (cookies []string) {
	for name, c := range l.jar {
		if strings.HasPrefix(path, c.path) && l.now().Before(c.expires) {
			cookies = append(cookies, name+"="+c.value)
		}
	}
	return cookies
}

// moment: the person comes back, some tabs wake up, often all at once, and
// then there is a pause of seconds or days.
func (l *life) moment() {
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
	l.after(l.upTo(pauses[l.random.IntN(len(pauses))]), l.moment)
}

func (l *life) upTo(d time.Duration) time.Duration {
	return time.Duration(l.random.Int64N(int64(d) + 1))
}

func (l *life) lost() bool {
	return l.random.Float64() < l.loss || l.now().Before(l.offline)
}

// delay on the way: mostly short, at times as long as can be.
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

// refresh sends the request of a tab, unless it waits for one; but one in ten
// has reloaded its page by then.
func (l *life) refresh(tab int, kind string) {
	if before := l.tabs[tab][kind]; before != nil && !before.over {
		if l.calm || l.random.IntN(10) > 0 {
			return
		}
		before.over = true
	}
	if l.over(kind) {
		l.signIn(kind)
	}
	mine := &trip{tab: tab, kind: kind, login: l.logins[kind]}
	l.tabs[tab][kind] = mine
	l.after(tabPatience, func() { l.giveUp(mine) })
	cookies := l.give("/auth/" + kind)
	l.tell(mine, "sends %s", generation(mine.kind, cookies))
	if l.lost() {
		l.tell(mine, "the request is lost")
		return
	}
	l.after(l.delay(serverDelay), func() { l.handle(mine, cookies) })
}

// over says that the session is about to end by a deadline, which is right: the
// absolute one, or the idle one, with which the cookie expires.
func (l *life) over(kind string) bool {
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

// giveUp after a while, and mostly try again.
func (l *life) giveUp(mine *trip) {
	if mine.over {
		return
	}
	mine.over = true
	if l.random.IntN(3) > 0 {
		l.after(l.upTo(time.Minute), func() { l.refresh(mine.tab, mine.kind) })
	}
}

func (l *life) handle(mine *trip, cookies []string) {
	if mine.login != l.logins[mine.kind] || l.refreshes == lifeRefreshes {
		return
	}
	if l.pages && l.random.IntN(8) == 0 {
		l.exchange(mine, cookies)
	}
	r := l.server.do("POST", "/auth/"+mine.kind+"/refresh", cookies)
	l.refreshes++
	l.tell(mine, "the server answers %d %s to %s", r.status, generation(mine.kind, written(r)), generation(mine.kind, cookies))
	if r.status == 401 {
		l.refused++
	} else {
		l.expect(r, 200)
	}
	if l.lost() {
		l.unheard++
		return
	}
	l.after(l.delay(2*tabPatience), func() { l.hear(mine, r) })
}

// exchange: the page was rendered by a server that was sent the same cookies. It
// does without an access token where it is told to leave it to the client.
func (l *life) exchange(mine *trip, cookies []string) {
	r := l.server.exchange(mine.kind, refreshOf(mine.kind, cookies))
	l.exchanged++
	l.tell(mine, "an exchange of %s is answered %d", generation(mine.kind, cookies), r.status)
	if r.status == 401 && !strings.Contains(r.body, "refresh_required") {
		l.refused++
	} else if r.status != 401 {
		l.expect(r, 200)
	}
}

// hear an answer, if the tab is still there for it.
func (l *life) hear(mine *trip, r reply) {
	switch {
	case mine.login != l.logins[mine.kind]:
		return
	case mine.over:
		l.unheard++
		return
	}
	mine.over = true
	if r.status == 401 {
		l.signedOut++
		l.signIn(mine.kind)
		return
	}
	l.take(r)
	l.tell(mine, "the jar has %s", generation(mine.kind, l.give("/auth/"+mine.kind)))
	switch l.random.IntN(20) {
	case 0:
		if l.refused == 0 {
			l.look(mine.kind)
		}
	case 1, 2:
		l.after(l.upTo(time.Second), func() { l.refresh(mine.tab, mine.kind) })
	}
}

// look at a page: what a refresh gave must open it.
func (l *life) look(kind string) {
	l.expect(l.server.do("GET", "/"+kind+"/me", l.give("/")), 200)
}

func (l *life) expect(r reply, status int) {
	if r.status != status {
		l.fault = fmt.Sprintf("%d %s after\n%s", r.status, r.body, l.end())
	}
}

// written are the cookies of an answer as a browser would send them.
func written(r reply) (cookies []string) {
	for _, c := range r.cookies {
		cookies = append(cookies, string(c.Key())+"="+string(c.Value()))
	}
	return cookies
}

// isRefresh: the cookie is the refresh cookie of a kind.
func isRefresh(name, kind string) bool {
	return name == "__Secure-"+kind+"-refresh" || name == "__Host-Http-"+kind+".refresh"
}

// refreshOf is the refresh token of a kind among cookies, "" without one.
func refreshOf(kind string, cookies []string) string {
	for _, cookie := range cookies {
		if name, token, _ := strings.Cut(cookie, "="); isRefresh(name, kind) {
			return token
		}
	}
	return ""
}

// generation of the refresh token of a kind among cookies.
func generation(kind string, cookies []string) string {
	text, ok := strings.CutPrefix(refreshOf(kind, cookies), "fjr_")
	if !ok {
		return "no refresh token"
	}
	b, _ := base64.RawURLEncoding.DecodeString(text)
	return fmt.Sprint("token ", binary.BigEndian.Uint32(b[4:]))
}

// agenda is a heap of what will happen.
type agenda []simEvent

type simEvent struct {
	at time.Time
	do func()
}

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)        { *a = append(*a, e.(simEvent)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}

// shelf keeps sessions in memory by a rule. It has the methods that the
// simulator needs.
type shelf struct {
	session.Store
	mu   sync.Mutex
	rule rule
	rows map[string]session.Row
	now  func() time.Time // of the store
}

func (s *shelf) Clock(context.Context, int64) (int64, error) { return s.now().UnixMilli(), nil }

func (s *shelf) Create(_ context.Context, row session.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[string(row.SID)] = row
	return nil
}

func (s *shelf) Refresh(_ context.Context, kind string, sid []byte, g, now int64, t session.Times) (row session.Row, o session.Outcome, err error) {
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

func (s *shelf) Find(_ context.Context, kind string, sid []byte) (session.Row, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, there := s.rows[string(sid)]
	return row, there && row.Kind == kind, nil
}
