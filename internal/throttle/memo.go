package throttle

import (
	"sync"
	"time"
)

// memo remembers what this process has refused a moment ago, so that a flood is
// refused without a look at the store. Its zero value is empty.
type memo struct {
	mu      sync.Mutex
	entries map[string]refused
}

type refused struct {
	until int64 // the end of the wait
	stale int64 // when to look at the store again
	hits  int
}

const (
	maxMemo = 1 << 14
	// memoLife is short: another process may have let the place in since then.
	memoLife = 5 * time.Second
	// politeHits refusals of a network within memoLife are looked at one by one;
	// more are a flood.
	politeHits = 50
)

// memoKeys of an attempt: the place at the account, and the network, "" for a
// place that has a proof. Both are hashes, because the strings are borrowed.
func (t *Throttle) memoKeys(p Place) (place, network string) {
	place = string(t.digest("memo", p.Account, p.Proof(), p.Network))
	if p.Proof() == "" {
		network = string(t.digest("network", p.Network))
	}
	return place, network
}

// refused gives the error for what was refused before, nil if it was not.
func (m *memo) refused(place, network string, now int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, there := m.entries[place]
	if !there || e.stale <= now {
		if e = m.entries[network]; network == "" || e.stale <= now || e.hits < politeHits {
			return nil
		}
		m.hit(network, now, e.until)
	}
	return Refusal{coarse(time.Duration(max(e.until-now, 1)) * time.Millisecond)}
}

// hit counts a refusal of a network.
func (m *memo) hit(network string, now, until int64) {
	e := m.entries[network]
	if e.stale <= now {
		e = refused{stale: now + memoLife.Milliseconds()}
	}
	e.hits++
	e.until = max(e.until, min(until, e.stale))
	m.entries[network] = e
}

// add notes a refusal by a counter.
func (m *memo) add(place, networkKey string, by role, now int64, wait time.Duration) {
	until := now + wait.Milliseconds()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil || len(m.entries) >= maxMemo {
		m.entries = map[string]refused{} // a cache: what it forgets costs a statement
	}
	if networkKey != "" && (by == network || by == site || by == work) {
		m.hit(networkKey, now, until)
		return
	}
	m.entries[place] = refused{until: until, stale: min(until, now+memoLife.Milliseconds())}
}

// forget is for places of an attempt that has had an outcome.
func (m *memo) forget(places ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, place := range places {
		delete(m.entries, place)
	}
}

// debts are attempts that are to be taken back, and that the store could not be
// told about. They are few: one for each answer that the store owes. The zero
// value is none.
type debts struct {
	mu    sync.Mutex
	byKey map[string][]debt
	count int
}

type debt struct {
	id   [8]byte
	dies int64 // the store has counted it as a failure by then
}

const maxDebts = 1 << 12

func (d *debts) owe(a *Attempt) {
	dies := a.t.now().Add(a.t.life).UnixMilli()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byKey == nil || d.count >= maxDebts {
		d.byKey, d.count = map[string][]debt{}, 0 // those that are dropped count as failures
	}
	for _, s := range a.slots {
		if s.role != site && s.role != work && s.role != proofWork {
			d.byKey[string(s.key)] = append(d.byKey[string(s.key)], debt{a.id, dies})
			d.count++
		}
	}
}

// pay takes back what is owed to a slot that was loaded. The debt stays until it
// dies: the slot may not be stored, or the charge may still be under way.
func (d *debts) pay(s *slot, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count == 0 {
		return
	}
	owed := d.byKey[string(s.key)]
	left := owed[:0]
	for _, debt := range owed {
		if debt.dies > now {
			left = append(left, debt)
			s.forgive(debt.id)
		}
	}
	d.count -= len(owed) - len(left)
	if len(left) == 0 {
		delete(d.byKey, string(s.key))
		return
	}
	d.byKey[string(s.key)] = left
}
