package throttle

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// Rule says how many failures of one counter are free, how long the waits after the
// others are, and how many failures there can be in the long run.
type Rule struct {
	Free    int           // this many failures cause no wait; at least 1
	Fade    time.Duration // one failure is forgotten each time this much time has passed
	Longest time.Duration // the wait doubles from 1 s up to this
	// Budget limits the failures in the long run: there are never more than Budget,
	// plus one for each Spread that has passed. 0 means no limit.
	Budget int
	Spread time.Duration
}

// skew is how far the clocks of processes may differ so that one failure is not
// counted as two: a failure is forgotten earlier by this time.
func (r Rule) skew() int64 { return min(5*time.Second, r.Fade/2).Milliseconds() }

// most is how many failures are counted: after them the wait is the longest.
func (r Rule) most() int64 {
	return int64(r.Free + bits.Len64(uint64((r.Longest-1)/time.Second)))
}

// counter is the state of one key, in Unix milliseconds. The methods of Rule that
// take one are pure.
type counter struct {
	clear int64 // when the last failure is forgotten; each Fade until then is one failure
	until int64 // no attempt is allowed before
	spent int64 // like clear, with Spread, for the budget

	settled uint64 // all failures ever counted; distinguishes those after a charge from those before it
	pending []pending
	known   []known // networks that have signed in; only in the counter of an account
	since   int64   // when the password was last changed
}

// pending is an attempt that was charged and has no outcome yet.
type pending struct {
	id      [8]byte
	dies    int64  // from then on it counts as a failure: its process died, or the store lost the outcome
	settled uint64 // counter.settled at the charge
}

// known is a network that has signed in to an account.
type known struct {
	tag [8]byte
	day int64 // of the last sign-in, in days since 1970; negative if the password has changed since then
}

// failures returns the number of failures that count at now.
func (r Rule) failures(c *counter, now int64) int {
	fade := r.Fade.Milliseconds()
	return int(max(r.ahead(c, now)-r.skew()+fade-1, 0) / fade)
}

// ahead returns how far clear is in the future. If that is longer than for all
// failures, it was set before the clock was set back, and is ignored.
func (r Rule) ahead(c *counter, now int64) int64 {
	left, _ := future(c.clear-now, time.Duration(r.most())*r.Fade)
	if left <= 0 || c.clear-now > r.most()*r.Fade.Milliseconds()+tolerance.Milliseconds() {
		return 0
	}
	return left.Milliseconds()
}

// verdict says whether another attempt may be made at now: at once (0, false),
// after a wait, or when the pending ones have an outcome (busy). No outcome is
// expected from an attempt that dies at old or before.
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

// future reports whether a time is in the future, at most by longest. If it is a
// little later than that, it is from a process whose clock is ahead, and counts. If
// it is much later, it was set before the clock was set back, and is ignored.
func future(ms int64, longest time.Duration) (left time.Duration, set bool) {
	set = ms > 0 && ms <= (longest+tolerance).Milliseconds()
	return time.Duration(min(ms, longest.Milliseconds())) * time.Millisecond, set
}

// tolerance for clocks that differ.
const tolerance = 2 * time.Minute

// settleDead counts attempts that were pending for too long as failures. An attempt
// that would die in more than a day was charged by a clock that was far ahead.
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

// add counts n failures, and sets the wait after the last one. It never shortens a
// wait.
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

// charge adds an attempt that has no outcome yet.
func (c *counter) charge(id [8]byte, dies int64) {
	c.pending = append(c.pending, pending{id, dies, c.settled})
}

// has reports whether the attempt is pending.
func (c *counter) has(id [8]byte) bool { return c.find(id) >= 0 }

func (c *counter) find(id [8]byte) int {
	return slices.IndexFunc(c.pending, func(p pending) bool { return p.id == id })
}

// forgive takes the attempt back, as if it had not been made. It changes nothing if
// the attempt is not pending.
func (c *counter) forgive(id [8]byte) (was pending, changed bool) {
	i := c.find(id)
	if i < 0 {
		return pending{}, false
	}
	was = c.pending[i]
	c.pending = slices.Delete(c.pending, i, i+1)
	return was, true
}

// fail counts the attempt as a failure. An attempt that is not pending was counted
// before.
func (r Rule) fail(c *counter, id [8]byte, now int64) (changed bool) {
	_, changed = c.forgive(id)
	if changed {
		r.add(c, 1, now)
	}
	return changed
}

// succeed takes back the attempt and the failures before it. Failures that were
// counted after its charge stay, with the wait that they caused.
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

// expires returns when the counter has no effect any more.
func (r Rule) expires(c *counter) int64 {
	end := *c // as it will be when all pending attempts have died
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
	// maxKnown is how many networks of an account are remembered: home, work, phone and others.
	maxKnown = 12
)

// knows reports whether the network has signed in to the account in the last
// knownDays, and whether that was before the password was changed.
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

// change records that the password was changed: all known networks are former ones
// now.
func (c *counter) change(now int64) {
	c.since = now
	for i := range c.known {
		c.known[i].day = min(c.known[i].day, -c.known[i].day)
	}
}

// learn records that the network has signed in. If there are more than maxKnown
// networks, the least recently used one is forgotten.
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
