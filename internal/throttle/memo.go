package throttle

import (
	"sync"
	"time"
)

// memo is a cache of facts about places: what this process has just refused, so that a
// flood is refused without the store, or which places have signed in. A missing entry
// costs no more than a statement. The zero value is empty.
type memo struct {
	mu      sync.Mutex
	entries map[string]memoEntry
}

type memoEntry struct {
	until int64 // the end of the wait
	stale int64 // when to look at the store again
}

const (
	maxMemo = 1 << 14
	// memoLife is short, because the place may sign in through another process meanwhile.
	memoLife = 5 * time.Second
	// recentLife is how long a place has priority after a sign-in.
	recentLife = 24 * time.Hour
)

// memoKeys returns the keys of an attempt in a memo: one for the place at the account, and
// one for the network, "" for a place with a proof. Both are hashes, because the strings
// of p may be borrowed.
func (t *Throttle) memoKeys(p Place) (place, network string) {
	place = string(t.digest("memo", p.Account, p.Proof(), p.Network))
	if p.Proof() == "" {
		network = string(t.digest("network", p.Network))
	}
	return place, network
}

// wait returns how long the place must wait, or 0 if there is no current entry. An entry
// whose time is too far ahead was made before the clock was set back, and is ignored.
func (m *memo) wait(key string, now int64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok || e.stale <= now || e.stale > now+memoLife.Milliseconds() {
		return 0
	}
	return time.Duration(max(e.until-now, 1)) * time.Millisecond
}

// has reports whether there is an entry that has not expired.
func (m *memo) has(key string, now int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[key].until > now
}

func (m *memo) add(key string, now int64, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil || len(m.entries) >= maxMemo {
		m.entries = map[string]memoEntry{}
	}
	until := now + wait.Milliseconds()
	m.entries[key] = memoEntry{until: until, stale: min(until, now+memoLife.Milliseconds())}
}

func (m *memo) forget(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.entries, key)
	}
}

// polls counts how often networks ask again before they may, by the rule for their
// failures. It counts in this process only, so that a refusal writes nothing to the
// store. The zero value is empty.
type polls struct {
	mu       sync.Mutex
	networks map[string]*counter
}

// add counts a refusal of a network, if key is not "".
func (p *polls) add(key string, now int64) {
	if key == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.networks == nil || len(p.networks) >= maxMemo {
		p.networks = map[string]*counter{}
	}
	c := p.networks[key]
	if c == nil {
		c = &counter{}
		p.networks[key] = c
	}
	ofNetwork.add(c, 1, now)
}

// wait returns how long the network must wait.
func (p *polls) wait(key string, now int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.networks[key]
	if c == nil {
		return 0
	}
	wait, _ := ofNetwork.verdict(c, now, now)
	return wait
}

// debts are attempts that could not be taken back because the store did not answer. Each
// failed call adds at most one. The zero value has none.
type debts struct {
	mu    sync.Mutex
	byKey map[string][]debt
	count int
}

type debt struct {
	id       [8]byte
	deadline int64 // from then on the stored attempt counts as a failure
}

const maxDebts = 1 << 12

func (d *debts) owe(a *Attempt) {
	deadline := a.t.now().Add(a.t.life).UnixMilli()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byKey == nil || d.count >= maxDebts {
		d.byKey, d.count = map[string][]debt{}, 0 // the attempts that are dropped count as failures
	}
	for _, s := range a.slots {
		if s.role != site && s.role != work && s.role != siteWork && s.role != proofWork {
			d.byKey[string(s.key)] = append(d.byKey[string(s.key)], debt{a.id, deadline})
			d.count++
		}
	}
}

// pay takes back the owed attempts of a slot that was just loaded. A debt stays until its
// deadline, because the slot may not be stored, or the store may execute the charge
// later.
func (d *debts) pay(s *slot, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count == 0 {
		return
	}
	owed := d.byKey[string(s.key)]
	left := owed[:0]
	for _, debt := range owed {
		if debt.deadline > now {
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
