package throttle

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// Rule says how many failures of one counter cause no wait, how long the waits after
// further failures are, and how many failures there can be in the long run.
type Rule struct {
	Free    int           // this many failures cause no wait; at least 1
	Fade    time.Duration // one failure is forgotten each time this much time has passed
	Longest time.Duration // the wait doubles from 1 s up to this
	// Budget limits the failures in the long run: their number is at most Budget, plus one
	// for each Spread that has passed. 0 means no limit.
	Budget int
	Spread time.Duration
}

// skew is by how much the clocks of processes may differ without one failure being
// counted as two. A failure is forgotten earlier by this time.
func (r Rule) skew() int64 { return min(5*time.Second, r.Fade/2).Milliseconds() }

// most is the maximum of the counted failures: with so many the wait is Longest.
func (r Rule) most() int64 {
	return int64(r.Free + bits.Len64(uint64((r.Longest-1)/time.Second)))
}

// counter is the state of one key. Times are Unix milliseconds. The methods of Rule depend
// on their arguments only.
type counter struct {
	clear int64 // when the last failure is forgotten; each Fade until then is one failure
	until int64 // no attempt is allowed before this time
	spent int64 // like clear, but in steps of Spread, for the budget

	settled uint64 // number of all failures so far; separates those after a charge from those before it
	pending []pending
	known   []known // networks that have signed in; only in the counter of an account
	since   int64   // when the password was last changed
}

// pending is an attempt that was charged and has no outcome yet.
type pending struct {
	id       [8]byte
	deadline int64  // from then on the attempt counts as a failure: its process has died, or the store lost the outcome
	settled  uint64 // counter.settled at the charge
}

// known is a network from which the owner has signed in to an account.
type known struct {
	tag [8]byte
	day int64 // of the last sign-in, in days since 1970; negative if the password has changed since then
}

// failures returns the number of failures that count at now.
func (r Rule) failures(c *counter, now int64) int {
	fade := r.Fade.Milliseconds()
	return int(max(r.ahead(c, now)-r.skew()+fade-1, 0) / fade)
}

// ahead returns how far clear is in the future. If it is further than the maximum of
// failures allows, it was set before the clock was set back, and is ignored.
func (r Rule) ahead(c *counter, now int64) int64 {
	left, _ := future(c.clear-now, time.Duration(r.most())*r.Fade)
	if left <= 0 || c.clear-now > r.most()*r.Fade.Milliseconds()+tolerance.Milliseconds() {
		return 0
	}
	return left.Milliseconds()
}

// verdict says when another attempt may be made: at once (0, false), after a wait, or when
// the pending attempts have an outcome (busy). It expects no outcome of an attempt whose
// deadline is old or earlier.
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
	first := c.pending[0].deadline
	for _, p := range c.pending {
		if p.deadline > old {
			return 0, true
		}
		first = min(first, p.deadline)
	}
	return time.Duration(max(first-now, 1000)) * time.Millisecond, false
}

// future reports whether a time that is ms ahead is in the future, by longest at most. If
// it is a little further ahead, a process with a fast clock has set it, and it counts as
// longest. If it is much further ahead, it was set before the clock was set back, and is
// ignored.
func future(ms int64, longest time.Duration) (left time.Duration, set bool) {
	set = ms > 0 && ms <= (longest+tolerance).Milliseconds()
	return time.Duration(min(ms, longest.Milliseconds())) * time.Millisecond, set
}

// tolerance is for the clocks of processes, which may differ.
const tolerance = 2 * time.Minute

// settleOverdue counts the pending attempts whose deadline has passed as failures. It also
// counts those whose deadline is more than a day ahead, because they were charged by a
// clock that was far ahead.
func (r Rule) settleOverdue(c *counter, now int64) {
	for i := 0; i < len(c.pending); {
		deadline := c.pending[i].deadline
		if deadline > now && deadline <= now+day {
			i++
			continue
		}
		c.pending = slices.Delete(c.pending, i, i+1)
		r.add(c, 1, min(deadline, now))
	}
}

// add counts n failures, and sets the wait after the last one. It never shortens a wait
// that is already set.
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
func (c *counter) charge(id [8]byte, deadline int64) {
	c.pending = append(c.pending, pending{id, deadline, c.settled})
}

// has reports whether the attempt is pending.
func (c *counter) has(id [8]byte) bool { return c.find(id) >= 0 }

func (c *counter) find(id [8]byte) int {
	return slices.IndexFunc(c.pending, func(p pending) bool { return p.id == id })
}

// forgive takes the attempt back, as if it had not been made. If the attempt is not
// pending, forgive changes nothing.
func (c *counter) forgive(id [8]byte) (was pending, changed bool) {
	i := c.find(id)
	if i < 0 {
		return pending{}, false
	}
	was = c.pending[i]
	c.pending = slices.Delete(c.pending, i, i+1)
	return was, true
}

// fail counts the attempt as a failure. If the attempt is not pending, it already has an
// outcome, and fail changes nothing.
func (r Rule) fail(c *counter, id [8]byte, now int64) (changed bool) {
	_, changed = c.forgive(id)
	if changed {
		r.add(c, 1, now)
	}
	return changed
}

// succeed takes back the attempt and the failures before its charge. Failures that were
// counted after its charge remain, and so does their wait.
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
	end := *c // the counter when the deadlines of all pending attempts have passed
	end.pending = slices.Clone(c.pending)
	slices.SortFunc(end.pending, func(a, b pending) int { return cmp.Compare(a.deadline, b.deadline) })
	for len(end.pending) > 0 {
		r.settleOverdue(&end, end.pending[0].deadline)
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
	// maxKnown is the maximum of known networks of an account: home, work, phone and others.
	maxKnown = 12
)

// knows reports whether the network has signed in to the account in the last
// knownDays, and whether that was before the password was changed.
func (c *counter) knows(tag [8]byte, now int64) (known, former bool) {
	i := c.indexOf(tag)
	if i < 0 || max(c.known[i].day, -c.known[i].day) <= now/day-knownDays {
		return false, false
	}
	return true, c.known[i].day < 0
}

func (c *counter) indexOf(tag [8]byte) int {
	return slices.IndexFunc(c.known, func(k known) bool { return k.tag == tag })
}

// change records that the password was changed. All known networks become former ones.
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
	i := c.indexOf(tag)
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
