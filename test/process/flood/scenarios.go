package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	stormSize     = 500             // sign-ins at once
	stormDeadline = 6 * time.Second // within which a sign-in counts
	busyClients   = 64
	togetherSize  = 9
	manySize      = 1000
	settleTime    = 2 * time.Second // between two scenarios
)

// flood is one run.
type flood struct {
	settings
	target netip.AddrPort
	own    *server // nil if -url names the server
	table  table

	addresses  *addresses
	tag        string        // makes the names of this run unique
	token      string        // access token of the probes
	quietP99   time.Duration // of /me
	registered []account     // registered for storm and busy
}

func newFlood(s settings, target netip.AddrPort, own *server) *flood {
	if own != nil {
		s.pid = own.cmd.Process.Pid
	}
	return &flood{settings: s, target: target, own: own, tag: fmt.Sprintf("%08x", rand.Uint32())}
}

func (f *flood) duration() time.Duration { return time.Duration(f.seconds) * time.Second }

// scenario is one attack, or one measurement.
type scenario struct {
	name string
	run  func(*flood, context.Context) error
}

// scenarios are in the order in which they run. The ones that need more memory
// come later, because the peak of a process only grows.
func scenarios() []scenario {
	return []scenario{
		{"quiet", (*flood).quiet},
		{"polite", (*flood).polite},
		{"together", (*flood).together},
		{"storm", (*flood).storm},
		{"busy", (*flood).busy},
		{"many", (*flood).many},
		{"guess", (*flood).guess},
	}
}

func scenarioNames() string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

func isScenario(name string) bool {
	return slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.name == name })
}

func (f *flood) run(ctx context.Context) error {
	f.table.add("run", "%d s a scenario, %d processors, %s", f.seconds, runtime.NumCPU(), f.serverName())
	f.addresses = newAddresses(ctx, f.target)
	if !f.addresses.spread {
		f.table.add("note", "this machine or the server's address allows one client address only, so all clients share it")
	}
	if err := f.registerProbe(ctx); err != nil {
		return err
	}
	for _, s := range scenarios() {
		if f.only != "" && s.name != f.only && s.name != "quiet" { // the ratios need the quiet figures
			continue
		}
		fmt.Fprintln(os.Stderr, "flood: running", s.name)
		if err := f.runOne(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	f.addMostFrequentLine()
	return nil
}

// serverName leaves the address of the database out, because it may contain a
// password.
func (f *flood) serverName() string {
	if f.own == nil {
		return "server at " + f.url
	}
	scheme, _, isURL := strings.Cut(f.db, "://")
	if !isURL {
		scheme = "sqlite"
	}
	return "example of " + f.exampleDir + " on " + scheme
}

func (f *flood) runOne(ctx context.Context, s scenario) error {
	lines := 0
	if f.own != nil {
		lines = f.own.log.count()
	}
	if err := s.run(f, ctx); err != nil {
		return cmp.Or(f.checkServer(), err)
	}
	if !waitUntil(ctx, time.Now().Add(settleTime), nil) {
		return errors.New("stopped")
	}
	if f.own != nil {
		f.table.add(s.name+": log lines", "%d", f.own.log.count()-lines)
	}
	if f.pid != 0 {
		f.addPeakMemory(s.name)
	}
	return f.checkServer()
}

func (f *flood) addPeakMemory(scenario string) {
	name := scenario + ": peak RSS of the server so far"
	mib, err := peakMemory(f.pid)
	if err != nil {
		f.table.add(name, "unknown: %v", err)
		return
	}
	f.table.add(name, "%d MiB", mib)
}

func (f *flood) checkServer() error {
	if f.own == nil {
		return nil
	}
	select {
	case <-f.own.exited:
		return f.own.exitError()
	default:
		return nil
	}
}

func (f *flood) addMostFrequentLine() {
	if f.own == nil {
		return
	}
	f.table.add("all: log lines", "%d", f.own.log.count())
	if line, times := f.own.log.mostFrequent(); times > 0 {
		f.table.add("all: most frequent log line", "%d × %s", times, line)
	}
}

// quiet measures both routes without any load.
func (f *flood) quiet(ctx context.Context) error {
	me, open := f.beside(ctx, func() { waitUntil(ctx, time.Now().Add(f.duration()), nil) })
	f.quietP99 = percentile(me.all, 99)
	f.addRoute("quiet", "/me", me)
	f.addRoute("quiet", "open route", open)
	return ctx.Err()
}

func (f *flood) addRoute(scenario, route string, d delays) {
	f.table.add(fmt.Sprintf("%s: %s p50, p99", scenario, route), "%s, %s", milliseconds(percentile(d.all, 50)), milliseconds(percentile(d.all, 99)))
	figure := fmt.Sprintf("%d of %d", len(d.all)-d.outcomes[accepted], len(d.all))
	if d.outcomes[accepted] < len(d.all) {
		figure += fmt.Sprintf(" (%s)", d.outcomes)
	}
	f.table.add(fmt.Sprintf("%s: %s not 200", scenario, route), "%s", figure)
}

// addProbes adds the figures of both routes. A goal of 0 means no goal.
func (f *flood) addProbes(scenario string, me, open delays, goal int) {
	f.addRoute(scenario, "/me", me)
	f.addRoute(scenario, "open route", open)
	figure := fmt.Sprintf("%.1f", ratio(percentile(me.all, 99), f.quietP99, percentile(open.all, 99)))
	if goal > 0 {
		figure += fmt.Sprintf(" (goal: at most %d)", goal)
	}
	f.table.add(scenario+": /me p99 / max(quiet p99, open route p99, 1 ms)", "%s", figure)
}

func (f *flood) addCounts(scenario string, c counts) {
	f.table.add(scenario+": 200, 401, 429, 503", "%d, %d, %d, %d", c[accepted], c[compared], c[limited], c[unavailable])
	f.table.add(scenario+": other status, no answer", "%d, %d", c[other], c[unanswered])
}

// polite guesses as fast as the server allows, on one connection: it waits as
// long as Retry-After says.
func (f *flood) polite(ctx context.Context) error {
	victim, err := f.registerOne(ctx, "polite-victim")
	if err != nil {
		return err
	}
	var c counts
	me, open := f.beside(ctx, func() { c = f.guessPolitely(ctx, victim.email) })
	f.table.add("polite: compared guesses", "%d in %d s", c[compared], f.seconds)
	f.addCounts("polite", c)
	f.addProbes("polite", me, open, 0)
	f.addOwner(ctx, "polite", victim)
	return ctx.Err()
}

func (f *flood) guessPolitely(ctx context.Context, email string) (total counts) {
	c := client{server: f.target, from: f.addresses.next()}
	defer c.close()
	end := time.Now().Add(f.duration())
	for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
		o := c.signIn(ctx, email, fmt.Sprintf("a polite guess %d", n))
		total[o]++
		if o == compared {
			continue
		}
		again := time.Now().Add(time.Second)
		if o == limited || o == unavailable {
			again = time.Now().Add(c.retryAfter())
		}
		if again.After(end) {
			again = end
		}
		waitUntil(ctx, again, nil)
	}
	return total
}

// addOwner lets the owner of an account sign in with the right password, from the
// address from which the account was registered, right after an attack.
func (f *flood) addOwner(ctx context.Context, scenario string, p account) {
	c := client{server: f.target, from: p.home}
	defer c.close()
	f.table.add(scenario+": sign-in of the owner afterwards", "%s", c.signIn(ctx, p.email, password))
}

// together lets one user sign in several times at the same moment from one address, and
// another user from as many addresses.
func (f *flood) together(ctx context.Context) error {
	for _, across := range []bool{false, true} {
		p, err := f.registerOne(ctx, fmt.Sprintf("together-%t", across))
		if err != nil {
			return err
		}
		logins, name := slices.Repeat([]login{p.login()}, togetherSize), "together: 200, from one place"
		if across {
			name = "together: 200, from new places"
			for i := range logins {
				logins[i].from = f.addresses.next()
			}
		}
		c := countResults(f.signInAtOnce(ctx, logins))
		f.table.add(name, "%d of %d (429: %d, 503: %d)", c[accepted], togetherSize, c[limited], c[unavailable])
	}
	return ctx.Err()
}

// storm lets many users sign in at the same moment, each from the address from which the
// account was registered.
func (f *flood) storm(ctx context.Context) error {
	if err := f.registerAccounts(ctx); err != nil {
		return err
	}
	logins := make([]login, stormSize)
	for i := range logins {
		logins[i] = f.registered[i%len(f.registered)].login()
	}
	var results []result
	me, open := f.beside(ctx, func() { results = f.signInAtOnce(ctx, logins) })
	f.table.add("storm: sign-ins, accounts", "%d, %d", stormSize, len(f.registered))
	f.addStormResults(results)
	f.addProbes("storm", me, open, 5)
	return ctx.Err()
}

func (f *flood) addStormResults(results []result) {
	in := delaysOf(results, func(o outcome) bool { return o == accepted })
	refused := delaysOf(results, func(o outcome) bool { return o == limited || o == unavailable })
	answered := delaysOf(results, func(o outcome) bool { return o != unanswered })
	early := 0
	for _, after := range in {
		if after <= stormDeadline {
			early++
		}
	}
	f.table.add(fmt.Sprintf("storm: 200 within %d s", stormDeadline/time.Second), "%d (goal: at least 200)", early)
	f.addCounts("storm", countResults(results))
	f.table.add("storm: last 200, last answer", "%s, %s", seconds(percentile(in, 100)), seconds(percentile(answered, 100)))
	f.table.add("storm: refusals p50, p99", "%s, %s", milliseconds(percentile(refused, 50)), milliseconds(percentile(refused, 99)))
}

// busy lets clients sign in with right passwords again and again.
func (f *flood) busy(ctx context.Context) error {
	if err := f.registerAccounts(ctx); err != nil {
		return err
	}
	logins := make([]login, busyClients)
	for i := range logins {
		logins[i] = f.registered[i%len(f.registered)].login()
	}
	var c counts
	var took time.Duration
	me, open := f.beside(ctx, func() {
		began := time.Now()
		c = f.keepSigningIn(ctx, logins, func(l login, _, _ int) string { return l.password })
		took = time.Since(began)
	})
	f.table.add("busy: sign-ins/s", "%.1f", float64(c[accepted])/took.Seconds())
	f.addCounts("busy", c)
	f.addProbes("busy", me, open, 3)
	return ctx.Err()
}

// many tries unknown names once, each from another address.
func (f *flood) many(ctx context.Context) error {
	logins := make([]login, manySize)
	for i := range logins {
		p := f.newAccount("unknown", i)
		logins[i] = p.login()
	}
	var results []result
	me, open := f.beside(ctx, func() { results = f.signInAtOnce(ctx, logins) })
	all := delaysOf(results, func(outcome) bool { return true })
	f.addCounts("many", countResults(results))
	f.table.add("many: last answer", "%s", seconds(percentile(all, 100)))
	f.addProbes("many", me, open, 0)
	return ctx.Err()
}

// guess guesses the password of one account, on many connections of one
// address.
func (f *flood) guess(ctx context.Context) error {
	victim, err := f.registerOne(ctx, "victim")
	if err != nil {
		return err
	}
	attacker := login{from: f.addresses.next(), email: victim.email}
	var c counts
	me, open := f.beside(ctx, func() {
		c = f.keepSigningIn(ctx, slices.Repeat([]login{attacker}, f.connections), func(_ login, client, n int) string {
			return fmt.Sprintf("a wrong guess %d-%d", client, n)
		})
	})
	f.table.add("guess: connections", "%d", f.connections)
	f.table.add("guess: compared guesses", "%d", c[compared])
	f.addCounts("guess", c)
	f.addProbes("guess", me, open, 0)
	f.addOwner(ctx, "guess", victim)
	return ctx.Err()
}
