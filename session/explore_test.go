package session_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

// The explorer runs every interleaving of tabs that share a cookie jar, with the
// rule alone, breadth first, until there is no new state. So the stories that it
// finds are the shortest ones, and a story that it does not find cannot happen under
// these assumptions:
//
//   - a tab sends a request with the token that is in the jar; it has one request
//     at a time and may give it up after [timeout];
//   - servers with one store handle the requests in any order, one at a time, each
//     within walk.handled of its sending or never, also if it was given up;
//   - answers reach the jar in any order while their tab waits, or are lost, also
//     because the server crashes between commit and answer;
//   - ages are measured by the clock of the store, whatever the clocks of the servers
//     say, but a session starts by the clock of the server of the sign-in;
//   - the store may lose its last commit;
//   - an attacker may copy the token in the jar once, and use the tokens that this
//     gives access to.
//
// Time moves in steps, and the deadlines of the session are far away.

// timeout is how long a tab waits for an answer: Config.Refresh.Timeout.
const timeout = 10 * time.Second

// rule is Decide or a wrong variant of it.
type rule func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome)

// walk has the assumptions of the explorer.
type walk struct {
	rule    rule
	tabs    int           // at most maxTabs
	age     time.Duration // Times.Age
	step    time.Duration
	handled time.Duration
	skew    time.Duration // the store has two nodes, and the clock of one is ahead by this
	login   time.Duration // the clock of the server of the sign-in is ahead of the store by this

	lost   []session.Outcome // commits that a failover may lose
	outage time.Duration     // how long nothing is handled then; messages on their way are lost

	attacker bool
	meet     bool // attacker and victim may get the same generation within the grace period
}

const maxTabs = 3

// sound returns a walk on which Decide must hold. Tabs send the parent until timeout
// after the last Converge, and all these requests must be handled before Replace
// invalidates the child. The field handled follows from that.
func sound(tabs int, age, step time.Duration) walk {
	w := walk{rule: session.Decide, tabs: tabs, age: age, step: step, handled: times.Rearm - times.Grace - timeout}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		w.step = 5 * time.Second // the race detector is slow, and the explorer has one goroutine
	}
	if d, err := time.ParseDuration(os.Getenv("FIBERJWT_STEP")); err == nil {
		w.step = d // a divisor of 5s; at 1s two tabs take a minute
	}
	return w
}

// The least age that Open allows, with which generations follow each other fastest,
// and the one for the default access token.
const (
	leastAge   = time.Minute
	defaultAge = 5 * time.Minute
)

func TestNoTabIsEverSignedOut(t *testing.T) {
	for i, step := range []time.Duration{time.Second, 2 * time.Second, 2500 * time.Millisecond} {
		tabs := i + 1
		for _, age := range []time.Duration{leastAge, defaultAge} {
			t.Run(fmt.Sprintf("tabs=%d/age=%v", tabs, age), func(t *testing.T) {
				requireNone(t, sound(tabs, age, step))
			})
		}
	}
}

// The clocks of the servers differ from that of the store, and from each other.
// An age is negative if the server is ahead.
func TestNoTabIsSignedOutByServerClockSkew(t *testing.T) {
	for _, age := range []time.Duration{leastAge, defaultAge} {
		for _, login := range []time.Duration{-60 * time.Second, -30 * time.Second, 30 * time.Second, 60 * time.Second} {
			t.Run(fmt.Sprintf("age=%v/login=%v", age, login), func(t *testing.T) {
				w := sound(2, age, 2500*time.Millisecond)
				w.login = login
				requireNone(t, w)
			})
			t.Run(fmt.Sprintf("age=%v/login=%v/failover", age, login), func(t *testing.T) {
				w := sound(2, age, 5*time.Second)
				w.login, w.lost = login, []session.Outcome{session.Rotate, session.Heal}
				requireNone(t, w)
			})
		}
	}
}

// The remaining premise: two nodes of one store, as of Galera, that both decide.
func TestNoTabIsSignedOutByStoreClockSkew(t *testing.T) {
	for _, age := range []time.Duration{leastAge, defaultAge} {
		for _, skew := range []time.Duration{5 * time.Second, 20 * time.Second} { // of the 20 s that the rule tolerates
			t.Run(fmt.Sprintf("age=%v/skew=%v", age, skew), func(t *testing.T) {
				w := sound(2, age, 2500*time.Millisecond)
				w.skew = skew
				w.handled -= w.skew
				requireNone(t, w)
			})
		}
	}
}

func TestNoTabIsSignedOutByFailover(t *testing.T) {
	rotation := []session.Outcome{session.Rotate, session.Heal}
	for _, test := range []struct {
		tabs int
		age  time.Duration
	}{{1, leastAge}, {1, defaultAge}, {2, leastAge}, {2, defaultAge}, {3, leastAge}} {
		w := sound(test.tabs, test.age, 5*time.Second)
		t.Run(fmt.Sprintf("tabs=%d/age=%v/that loses a rotation", w.tabs, w.age), func(t *testing.T) {
			w.lost = rotation
			requireNone(t, w)
		})
		// Rearm and Replace repair lost answers. Losing these commits too needs a
		// pause as long as tabs wait, see TestRefreshRuleHasKnownLimits.
		t.Run(fmt.Sprintf("tabs=%d/age=%v/that loses any commit and takes a while", w.tabs, w.age), func(t *testing.T) {
			w.lost, w.outage = append(rotation, session.Rearm, session.Replace), timeout
			requireNone(t, w)
		})
	}
}

// Attacker and victim never get the same generation within the grace period here. What
// the attacker gets between two refreshes of the victim, or from one generation,
// counts once: while the victim is away, the attacker cannot be detected. A third
// access must not happen.
func TestAttackerGetsAtMostTwoAccesses(t *testing.T) {
	for _, tabs := range []int{1, 2} {
		for _, age := range []time.Duration{leastAge, defaultAge} {
			t.Run(fmt.Sprintf("tabs=%d/age=%v", tabs, age), func(t *testing.T) {
				for _, login := range []time.Duration{0, -60 * time.Second, 60 * time.Second} {
					w := sound(tabs, age, 5*time.Second)
					w.attacker, w.login = true, login
					requireNone(t, w)
				}
			})
		}
	}
}

// These are the limits of the rule, each with the shortest story that leads to it. The
// test documents that they are possible, and shows when a better rule removes one.
func TestRefreshRuleHasKnownLimits(t *testing.T) {
	for name, change := range map[string]func(*walk){
		"the server handles a request late":                            func(w *walk) { w.handled += w.step },
		"a node of the store handles a request late, by another clock": func(w *walk) { w.skew = 5 * time.Second },
		"requests are judged by the clocks of servers 30 s apart":      func(w *walk) { w.skew, w.handled = 30*time.Second, w.step },
		"a failover in no time loses a Rearm":                          func(w *walk) { w.lost = []session.Outcome{session.Rearm} },
		"a failover in no time loses a Replace":                        func(w *walk) { w.lost = []session.Outcome{session.Replace} },
		"an attacker asks for the victim's child within the grace":     func(w *walk) { w.attacker, w.meet = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			w := sound(2, defaultAge, 5*time.Second)
			change(&w)
			requireOne(t, w)
		})
	}
}

// An attacker who presents the parent all the time keeps its grace period open, so the
// victim always gets the same child, and the theft is not detected.
func TestAttackerWhoNeverPausesSharesTheSession(t *testing.T) {
	const minute = int64(60_000)
	row := aRow()
	stolen, victims := row.Gen, row.Gen
	for now := base; now < base+24*60*minute; now += minute / 2 {
		var o session.Outcome
		row, o = session.Decide(row, stolen, now, times)
		require.NotContains(t, []session.Outcome{session.Gone, session.Reuse}, o, "the attacker was detected")
		if now%(10*minute) == 0 {
			row, o = session.Decide(row, victims, now+1, times)
			require.NotContains(t, []session.Outcome{session.Gone, session.Reuse}, o, "the victim was signed out")
			if o.Rotates() {
				victims = row.Gen
			}
		}
	}
}

func TestExplorerFindsBrokenRules(t *testing.T) {
	for name, broken := range map[string]rule{
		"strict rotation": func(row session.Row, g, now int64, _ session.Times) (session.Row, session.Outcome) {
			if g != row.Gen {
				return row, session.Reuse
			}
			return moved(row, g+1, now), session.Rotate
		},
		"another successor for every tab": func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			after, o := session.Decide(row, g, now, t)
			if o == session.Converge {
				return moved(row, row.Gen+1, now), session.Replace
			}
			return after, o
		},
		"rotation at any age": func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			t.Age = 0
			return session.Decide(row, g, now, t)
		},
		"Converge does for Rearm": func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			t.Grace = t.Rearm
			return session.Decide(row, g, now, t)
		},
		"Replace does for Rearm": func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			t.Rearm = t.Grace
			return session.Decide(row, g, now, t)
		},
		"no Replace": func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			after, o := session.Decide(row, g, now, t)
			if o == session.Replace {
				return row, session.Reuse
			}
			return after, o
		},
		"no Heal": func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
			if g > row.Gen {
				return row, session.Reuse
			}
			return session.Decide(row, g, now, t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := sound(2, defaultAge, 5*time.Second)
			w.rule = broken
			w.lost = []session.Outcome{session.Rotate}
			requireOne(t, w)
		})
	}
}

func TestExplorerFindsMissingReuseDetection(t *testing.T) {
	w := sound(1, defaultAge, 5*time.Second)
	w.attacker = true
	w.rule = func(row session.Row, g, now int64, t session.Times) (session.Row, session.Outcome) {
		after, o := session.Decide(row, g, now, t)
		if o == session.Reuse {
			return moved(row, row.Gen+1, now), session.Rotate
		}
		return after, o
	}
	requireOne(t, w)
}

// moved returns the row with another generation, of the same parent.
func moved(row session.Row, gen, now int64) session.Row {
	row.Gen, row.Issued = gen, now
	return row
}

func requireNone(t *testing.T, w walk) {
	t.Helper()
	start := time.Now()
	states, story := w.explore()
	t.Logf("%d states in steps of %v, %v", states, w.step, time.Since(start).Round(time.Millisecond))
	require.Empty(t, story, "the shortest way to it:\n%s", strings.Join(story, "\n"))
}

func requireOne(t *testing.T, w walk) {
	t.Helper()
	states, story := w.explore()
	require.NotEmpty(t, story, "%d states and no failure", states)
	t.Logf("%d states until\n%s", states, strings.Join(story, "\n"))
}

// scene is a state of the world. Tokens are generations, ages count steps.
type scene struct {
	row    stored
	before stored // the row before the last commit, if that can be lost; else the same as row
	theft  theft
	jar    int8
	wire   [2 * maxTabs]message // sorted; a tab that gave one up may have another one
}

// stored is what the store knows about a session.
type stored struct {
	gen, prev int8
	age       int16 // of the generation, at most walk.oldest
}

// message is a request with the token that it presents, or an answer with the token
// that it returns.
type message struct {
	token  int8
	age    uint8 // since the tab sent the request
	answer bool
}

// theft is the state of the attacker.
type theft struct {
	pocket    [2]int8 // the attacker's tokens that the current row knows
	accesses  uint8   // at most 3
	copied    bool    // the theft has happened
	attackers bool    // the attacker got the current generation
	victims   bool    // the victim got the current generation
	counted   bool    // the attacker had an access with it
	visiting  bool    // the attacker had an access since the victim's last refresh
}

const (
	none  = int8(-128) // no token
	stale = int8(-100) // a token that the store has forgotten
)

// explore returns the number of states and, if a tab can be signed out, the shortest
// story that leads to it.
func (w walk) explore() (states int, story []string) {
	first := scene{row: stored{prev: -1, age: -int16(w.login / w.step)}, theft: theft{pocket: [2]int8{none, none}, victims: true}}
	first.before = first.row
	for i := range first.wire {
		first.wire[i].token = none
	}
	known := map[scene]struct{}{first: {}}
	scenes, parents := []scene{first}, []int32{-1}
	for i := 0; i < len(scenes); i++ {
		bad := false
		w.moves(scenes[i], func(m move, next scene) bool {
			bad = m.bad
			next, _ = next.canonical()
			if _, old := known[next]; !old {
				known[next] = struct{}{}
				scenes, parents = append(scenes, next), append(parents, int32(i))
			}
			return !bad
		})
		if bad {
			return len(scenes), w.describe(scenes, parents, int32(i))
		}
	}
	return len(scenes), nil
}

// move is one event: a text with TOKEN, GIVEN and OUTCOME, or the passing of time.
type move struct {
	text         string
	token, given int8
	outcome      session.Outcome
	bad          bool
}

// moves yields all events that can happen next, until yield returns false.
func (w walk) moves(s scene, yield func(move, scene) bool) {
	_ = w.send(s, yield) && w.work(s, yield) && w.failover(s, yield) && w.steal(s, yield) && w.wait(s, yield)
}

func (w walk) send(s scene, yield func(move, scene) bool) bool {
	waiting, end := 0, 0
	for ; end < 2*w.tabs && s.wire[end].token != none; end++ {
		if w.since(s.wire[end]) < timeout {
			waiting++
		}
	}
	if waiting == w.tabs || end == 2*w.tabs {
		return true
	}
	s.wire[end] = message{token: s.jar}
	return yield(move{text: "a tab sends TOKEN", token: s.jar}, s)
}

// work handles or delivers a message.
func (w walk) work(s scene, yield func(move, scene) bool) bool {
	for i, m := range s.wire {
		if m.token == none || i > 0 && m == s.wire[i-1] {
			continue
		}
		if m.answer && !w.deliver(s, i, yield) || !m.answer && !w.handle(s, i, yield) {
			return false
		}
	}
	return true
}

// deliver delivers the answer i, or loses it. After a theft, the victim's answers always
// arrive, because only the victim can detect the attacker.
func (w walk) deliver(s scene, i int, yield func(move, scene) bool) bool {
	token := s.wire[i].token
	s.wire[i] = message{token: none}
	if !s.theft.copied && !yield(move{text: "an answer with TOKEN is lost", token: token}, s) {
		return false
	}
	s.jar = token
	return yield(move{text: "an answer with TOKEN arrives", token: token}, s)
}

// handle handles the request i. A refused tab is signed out, which is a failure. After a
// theft it is a failure if no one is signed out.
func (w walk) handle(s scene, i int, yield func(move, scene) bool) bool {
	return w.handleBy(s, i, 0, yield) && (w.skew == 0 || w.handleBy(s, i, int16(w.skew/w.step), yield))
}

// handleBy handles the request i by a clock that is ahead.
func (w walk) handleBy(s scene, i int, ahead int16, yield func(move, scene) bool) bool {
	m := s.wire[i]
	s.row.age, s.before.age = s.row.age+ahead, s.before.age+ahead
	o, near := w.present(&s, m.token, false)
	s.row.age, s.before.age = s.row.age-ahead, s.before.age-ahead
	over := o == session.Gone || o == session.Reuse
	if near && !w.meet || over && s.theft.copied {
		return true
	}
	done := move{text: "the server handles TOKEN: OUTCOME", token: m.token, outcome: o, bad: over || s.theft.accesses > 2}
	s.theft.visiting = false
	s.wire[i] = message{token: none}
	if o.Rotates() {
		done.text, done.given = "the server handles TOKEN: OUTCOME, gives GIVEN", s.row.gen
		// Other answers change nothing, whenever they arrive.
		if w.since(m) <= timeout {
			s.wire[i] = message{token: s.row.gen, age: m.age, answer: true}
		}
	}
	return yield(done, s)
}

func (w walk) since(m message) time.Duration { return time.Duration(m.age) * w.step }

// present presents a token to the store. near reports that attacker and victim now have
// the same generation, which requires that one of them presents its parent within
// Rearm.
func (w walk) present(s *scene, token int8, attacker bool) (o session.Outcome, near bool) {
	old, th := s.row, &s.theft
	s.row, o = w.decide(old, token)
	switch {
	case slices.Contains(w.lost, o):
		s.before = old
	case o.Writes():
		s.before = s.row
	}
	if s.row.gen != old.gen {
		th.attackers, th.victims, th.counted = attacker, !attacker, false
		for i, held := range th.pocket {
			if held != s.row.prev && held != s.row.gen {
				th.pocket[i] = none
			}
		}
		return o, false
	}
	if o.Rotates() {
		near = th.copied && (attacker && !th.attackers || !attacker && !th.victims)
		th.attackers, th.victims = th.attackers || attacker, th.victims || !attacker
	}
	return o, near
}

// decide applies the rule to what is stored.
func (w walk) decide(r stored, token int8) (stored, session.Outcome) {
	const zero = 200 // generations are not negative
	unit := w.step.Milliseconds()
	row := session.Row{
		Gen: zero + int64(r.gen), Prev: zero + int64(r.prev), Issued: base - int64(r.age)*unit,
		IdleUntil: 2 * base, Ends: 2 * base,
	}
	t := times
	t.Age = w.age
	after, o := w.rule(row, zero+int64(token), base, t)
	return stored{int8(after.Gen - zero), int8(after.Prev - zero), int16((base - after.Issued) / unit)}, o
}

func (w walk) failover(s scene, yield func(move, scene) bool) bool {
	if s.before == s.row {
		return true
	}
	s.row = s.before
	if w.outage > 0 {
		for i := range s.wire {
			s.wire[i] = message{token: none}
		}
		s.row.age = min(s.row.age+int16(w.outage/w.step), w.oldest())
		s.before = s.row
	}
	return yield(move{text: "the store loses its last commit and is back at TOKEN", token: s.row.gen}, s)
}

// steal lets the attacker copy the token in the jar, or use one of the copied ones. Two
// requests of the attacker at the same time gain nothing, so each is handled at once.
func (w walk) steal(s scene, yield func(move, scene) bool) bool {
	if !w.attacker {
		return true
	}
	if !s.theft.copied {
		s.theft.copied, s.theft.pocket[0] = true, s.jar
		return yield(move{text: "an attacker copies TOKEN", token: s.jar}, s)
	}
	for _, token := range s.theft.pocket {
		if token == none {
			continue
		}
		next := s
		o, near := w.present(&next, token, true)
		if near && !w.meet || o == session.Gone || o == session.Reuse {
			continue
		}
		next.theft.access()
		used := move{text: "the attacker presents TOKEN: OUTCOME", token: token, outcome: o}
		if o.Rotates() {
			used.text, used.given = "the attacker presents TOKEN: OUTCOME, gets GIVEN", next.row.gen
			next.theft.hold(next.row.gen)
		}
		if !yield(used, next) {
			return false
		}
	}
	return true
}

func (th *theft) access() {
	if !th.counted && !th.visiting {
		th.accesses = min(th.accesses+1, 3)
	}
	th.counted, th.visiting = true, true
}

// hold adds a token to the pocket. There is room, because one of the two tokens in it is
// the parent of the new one.
func (th *theft) hold(token int8) {
	if !slices.Contains(th.pocket[:], token) {
		th.pocket[slices.Index(th.pocket[:], none)] = token
	}
}

// wait lets a step pass. After a theft, it does not pass messages that must arrive.
func (w walk) wait(s scene, yield func(move, scene) bool) bool {
	s.row.age, s.before.age = min(s.row.age+1, w.oldest()), min(s.before.age+1, w.oldest())
	for i := range s.wire {
		m := &s.wire[i]
		if m.token == none {
			break
		}
		inTime := w.since(*m) <= timeout
		m.age++
		if s.theft.copied && inTime && w.since(*m) > timeout {
			return true
		}
		if w.since(*m) > w.handled || m.answer && w.since(*m) > timeout {
			*m = message{token: none}
		}
	}
	return yield(move{}, s)
}

// oldest is the age after which a larger age makes no difference.
func (w walk) oldest() int16 { return int16(max(w.age, times.Rearm) / w.step) }

// canonical returns one form for scenes that differ in names only: the current
// generation is 0, and tokens that the store has forgotten are the same, as are gaps
// between generations. shift is the previous name of 0.
func (s scene) canonical() (canonical scene, shift int8) {
	row, before := s.row, s.before
	s.rename(func(token int8) int8 {
		switch {
		case token == none || token == stale:
			return token
		case token < row.gen && token != row.prev && token < before.gen && token != before.prev:
			return stale
		}
		return token - row.gen
	})
	// Every Replace increases the distance to the parent by one.
	for parent := max(s.row.prev, s.before.prev); parent < -3; parent++ {
		s.rename(func(token int8) int8 {
			if token > stale && token <= parent {
				return token + 1
			}
			return token
		})
	}
	slices.SortFunc(s.theft.pocket[:], func(a, b int8) int { return cmp.Compare(b, a) })
	slices.SortFunc(s.wire[:], func(a, b message) int { return cmp.Compare(a.order(), b.order()) })
	return s, row.gen
}

// order sorts empty messages last.
func (m message) order() int {
	n := -512*int(m.token) + 2*int(m.age)
	if m.answer {
		n++
	}
	return n
}

func (s *scene) rename(f func(token int8) int8) {
	for _, token := range []*int8{&s.row.gen, &s.row.prev, &s.before.gen, &s.before.prev, &s.jar, &s.theft.pocket[0], &s.theft.pocket[1]} {
		*token = f(*token)
	}
	for i := range s.wire {
		s.wire[i].token = f(s.wire[i].token)
	}
}

// describe returns the moves that lead to scenes[last], and the move that fails.
func (w walk) describe(scenes []scene, parents []int32, last int32) (story []string) {
	var way []int32
	for i := last; i >= 0; i = parents[i] {
		way = append(way, i)
	}
	slices.Reverse(way)
	clock, zero := time.Duration(0), int8(1)
	for n, i := range way {
		w.moves(scenes[i], func(m move, next scene) bool {
			next, shift := next.canonical()
			if n+1 < len(way) && next != scenes[way[n+1]] || n+1 == len(way) && !m.bad {
				return true
			}
			if m.text == "" {
				clock += w.step
			} else {
				story = append(story, fmt.Sprintf("%6.1f s  %s", clock.Seconds(), m.describe(zero)))
			}
			zero += shift
			return false
		})
	}
	return story
}

// describe returns the text of the move; zero is the name of generation 0.
func (m move) describe(zero int8) string {
	name := func(token int8) string {
		if token == stale {
			return "a forgotten token"
		}
		return fmt.Sprint("token ", token+zero)
	}
	return strings.NewReplacer("TOKEN", name(m.token), "GIVEN", name(m.given), "OUTCOME", m.outcome.String()).Replace(m.text)
}
