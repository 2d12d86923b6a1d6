package throttle

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// Rule says how many failures of one counter are free, how long one has to wait
// after the others, and how many there can be at all.
type Rule struct {
	Free    int           // this many failures need no wait; at least 1
	Fade    time.Duration // one failure is forgotten in each such time
	Longest time.Duration // the wait doubles from 1 s up to this
	// Budget bounds the failures in the long run, 0 means no bound: there are never
	// more than Budget, plus one for each Spread that has passed.
	Budget int
	Spread time.Duration
}

// skew is how far the clocks of processes may differ without one failure being
// counted as two: by so much it is forgotten early.
func (r Rule) skew() int64 { return min(5*time.Second, r.Fade/2).Milliseconds() }

// most is how many failures are counted: with them the wait is the longest.
func (r Rule) most() int64 {
	return int64(r.Free + bits.Len64(uint64((r.Longest-1)/time.Second)))
}

// counter is the state of one key, in Unix milliseconds. The methods of Rule that
// take one are pure.
type counter struct {
	clear int64 // when the last failure is forgotten: there are as many as periods of Fade until then
	until int64 // no attempt before
	spent int64 // the same as clear, by Spread, for the budget

	settled uint64 // failures that were ever counted: tells those after a charge from those before it
	pending []pending
	known   []known // networks that have signed in; only the counter of an account has them
	since   int64   // when the password was changed last
}

// pending is an attempt that was charged and whose outcome is not known yet.
type pending struct {
	id      [8]byte
	dies    int64  // from then on it counts as a failure: its process has died, or the store has lost the outcome
	settled uint64 // counter.settled at the charge
}

// known is a network that has signed in to an account.
type known struct {
	tag [8]byte
	day int64 // of the last time, days since 1970; negative if the password has changed since then
}

// failures that count at now.
func (r Rule) failures(c *counter, now int64) int {
	fade := r.Fade.Milliseconds()
	return int(max(r.ahead(c, now)-r.skew()+fade-1, 0) / fade)
}

// ahead is how far clear is. If that is more than all failures, it was set before
// the clock was put back, and does not count.
func (r Rule) ahead(c *counter, now int64) int64 {
	left, _ := future(c.clear-now, time.Duration(r.most())*r.Fade)
	if left <= 0 || c.clear-now > r.most()*r.Fade.Milliseconds()+tolerance.Milliseconds() {
		return 0
	}
	return left.Milliseconds()
}

// verdict says whether one more attempt may be made at now: at once (0, false),
// after a wait, or when those that are pending have an outcome (busy). An attempt
// that dies at old or before is not expected to have one.
func (r Rule) verdict(c *counter, now, old int64) (wait time.Duration, busy bool) {
	if left, set := future(c.until-now, r.Longest); set {
		return left, false
	}
	open := len(c.pending)
	blocked := open > 0 && r.failures(c, now)+open >= r.Free
	if r.Budget > 0 {
		over := c.spent - now - int64(r.Budget-1)*r.Spread.Milliseconds()
		if left, set := future(over, r.Spread); set {
			return left, false
		}
		blocked = blocked || open > 0 && over <= 0 && over+int64(open)*r.Spread.Milliseconds() > 0
	}
	if !blocked {
		return 0, false
	}
	first := c.pending[0].dies
	for _, p := range c.pending {
		if p.dies > old {
			return 0, true
		}
		first = min(first, p.dies)
	}
	return time.Duration(max(first-now, 1000)) * time.Millisecond, false
}

// future reports a time that lies ahead, at most by longest. By a little more it
// is the time of a process whose clock is ahead, which counts; by much more it was
// set before the clock was put back, and does not.
func future(ms int64, longest time.Duration) (left time.Duration, set bool) {
	set = ms > 0 && ms <= (longest+tolerance).Milliseconds()
	return time.Duration(min(ms, longest.Milliseconds())) * time.Millisecond, set
}

// tolerance of clocks that differ.
const tolerance = 2 * time.Minute

// settleDead counts attempts that were pending for too long as failures. One that
// would die in more than a day was charged by a clock that was far ahead.
func (r Rule) settleDead(c *counter, now int64) {
	for i := 0; i < len(c.pending); {
		died := c.pending[i].dies
		if died > now && died <= now+day {
			i++
			continue
		}
		c.pending = slices.Delete(c.pending, i, i+1)
		r.add(c, 1, min(died, now))
	}
}

// add counts n failures, with the wait that follows the last one. A wait that is
// there is never shortened.
func (r Rule) add(c *counter, n int, now int64) {
	fade := r.Fade.Milliseconds()
	left := min(r.ahead(c, now)+int64(n)*fade, r.most()*fade)
	c.clear = now + left
	c.settled += uint64(n)
	if over := r.failures(c, now) - r.Free; over >= 0 {
		c.until = max(c.until, now+min(int64(1000)<<over, r.Longest.Milliseconds()))
	}
	if r.Budget > 0 {
		spread := r.Spread.Milliseconds()
		c.spent = now + min(max(c.spent-now, 0)+int64(n)*spread, int64(r.Budget)*spread)
	}
}

// charge notes an attempt whose outcome is not known yet.
func (c *counter) charge(id [8]byte, dies int64) {
	c.pending = append(c.pending, pending{id, dies, c.settled})
}

// has reports whether the attempt is pending.
func (c *counter) has(id [8]byte) bool { return c.find(id) >= 0 }

func (c *counter) find(id [8]byte) int {
	return slices.IndexFunc(c.pending, func(p pending) bool { return p.id == id })
}

// forgive takes the attempt back, as if it had not been made. An attempt that is
// not pending changes nothing.
func (c *counter) forgive(id [8]byte) (was pending, changed bool) {
	i := c.find(id)
	if i < 0 {
		return pending{}, false
	}
	was = c.pending[i]
	c.pending = slices.Delete(c.pending, i, i+1)
	return was, true
}

// fail counts the attempt as a failure. One that is not pending was counted
// before.
func (r Rule) fail(c *counter, id [8]byte, now int64) (changed bool) {
	_, changed = c.forgive(id)
	if changed {
		r.add(c, 1, now)
	}
	return changed
}

// succeed takes the attempt back, and the failures before it with it. Those that
// were counted since then stay, with the wait that they have set.
func (r Rule) succeed(c *counter, id [8]byte, now int64) (changed bool) {
	was, changed := c.forgive(id)
	if !changed {
		return false
	}
	since := int64(c.settled - was.settled)
	if since == 0 {
		c.until = 0
	}
	c.clear = min(c.clear, now+since*r.Fade.Milliseconds())
	c.spent = min(c.spent, now+since*r.Spread.Milliseconds())
	return true
}

// expires is when the counter says nothing any more.
func (r Rule) expires(c *counter) int64 {
	end := *c // as it is when all that is pending has died
	end.pending = slices.Clone(c.pending)
	slices.SortFunc(end.pending, func(a, b pending) int { return cmp.Compare(a.dies, b.dies) })
	for len(end.pending) > 0 {
		r.settleDead(&end, end.pending[0].dies)
	}
	last := max(end.clear, end.until, end.spent)
	for _, k := range c.known {
		last = max(last, (max(k.day, -k.day)+knownDays)*day)
	}
	if c.since > 0 {
		last = max(last, c.since+knownDays*day)
	}
	return last
}

const (
	day = int64(24 * time.Hour / time.Millisecond)
	// knownDays is how long a network stays known after its last sign-in.
	knownDays = 180
	// maxKnown networks of an account are remembered: home, work, phone and the like.
	maxKnown = 12
)

// knows reports whether the network has signed in to the account lately, and
// whether that was before the password was changed.
func (c *counter) knows(tag [8]byte, now int64) (known, former bool) {
	i := c.place(tag)
	if i < 0 || max(c.known[i].day, -c.known[i].day) <= now/day-knownDays {
		return false, false
	}
	return true, c.known[i].day < 0
}

func (c *counter) place(tag [8]byte) int {
	return slices.IndexFunc(c.known, func(k known) bool { return k.tag == tag })
}

// change notes that the password was changed: all that is known is former now.
func (c *counter) change(now int64) {
	c.since = now
	for i := range c.known {
		c.known[i].day = min(c.known[i].day, -c.known[i].day)
	}
}

// learn notes that the network has signed in. Of more than maxKnown networks the
// one that was used least recently is forgotten.
func (c *counter) learn(tag [8]byte, now int64) (changed bool) {
	fresh := known{tag, now / day}
	i := c.place(tag)
	switch {
	case i >= 0 && i == len(c.known)-1 && c.known[i] == fresh:
		return false
	case i >= 0:
		c.known = slices.Delete(c.known, i, i+1)
	case len(c.known) >= maxKnown:
		c.known = c.known[1:]
	}
	c.known = append(c.known, fresh)
	return true
}
