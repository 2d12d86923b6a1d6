package throttle

import (
	"sync"
	"time"
)

// memo remembers facts about places for a while: what this process has just
// refused, so that a flood is refused without the store, or which places have
// signed in. It is a cache: what it forgets costs a statement. The zero value is
// empty.
type memo struct {
	mu      sync.Mutex
	entries map[string]remark
}

type remark struct {
	until int64 // the end of the wait
	stale int64 // when to look at the store again
}

const (
	maxMemo = 1 << 14
	// memoLife is short, because another process may have let the place in meanwhile.
	memoLife = 5 * time.Second
	// friendLife is how long a place that has signed in has an advantage.
	friendLife = 24 * time.Hour
)

// memoKeys returns the keys of an attempt: for the place at the account, and for
// the network, "" for a place with a proof. Both are hashes, because the strings
// are borrowed.
func (t *Throttle) memoKeys(p Place) (place, network string) {
	place = string(t.digest("memo", p.Account, p.Proof(), p.Network))
	if p.Proof() == "" {
		network = string(t.digest("network", p.Network))
	}
	return place, network
}

// wait returns how long the place must wait, 0 if that is not known any more. A
// time too far ahead was set before the clock was set back, and is ignored.
func (m *memo) wait(key string, now int64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok || e.stale <= now || e.stale > now+memoLife.Milliseconds() {
		return 0
	}
	return time.Duration(max(e.until-now, 1)) * time.Millisecond
}

// has reports whether there is an entry that has not ended.
func (m *memo) has(key string, now int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[key].until > now
}

func (m *memo) add(key string, now int64, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil || len(m.entries) >= maxMemo {
		m.entries = map[string]remark{}
	}
	until := now + wait.Milliseconds()
	m.entries[key] = remark{until: until, stale: min(until, now+memoLife.Milliseconds())}
}

func (m *memo) forget(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.entries, key)
	}
}

// polls counts how often networks ask again before they may, by the rule for their
// failures. It counts in this process only, so that a refusal costs no write and
// makes no row. The zero value is empty.
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

// debts are attempts that must be taken back, but the store did not answer. They
// are few: one for each missing answer. The zero value has none.
type debts struct {
	mu    sync.Mutex
	byKey map[string][]debt
	count int
}

type debt struct {
	id   [8]byte
	dies int64 // from then on the store counts it as a failure
}

const maxDebts = 1 << 12

func (d *debts) owe(a *Attempt) {
	dies := a.t.now().Add(a.t.life).UnixMilli()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byKey == nil || d.count >= maxDebts {
		d.byKey, d.count = map[string][]debt{}, 0 // the attempts that are dropped count as failures
	}
	for _, s := range a.slots {
		if s.role != site && s.role != work && s.role != siteWork && s.role != proofWork {
			d.byKey[string(s.key)] = append(d.byKey[string(s.key)], debt{a.id, dies})
			d.count++
		}
	}
}

// pay takes back the attempts that are owed to a slot that was just loaded. A debt
// stays until it dies: the slot may not be stored, or the charge may still be on
// its way.
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
