package fiberjwt

import (
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"github.com/fiberjwt/fiberjwt/session"
)

// throttle slows down the guessing of passwords, per account and per address of
// the client, and knows no lock-out: after a wait, which is never longer than
// session.LongestWait, there is always a next attempt.
//
// An attempt is charged as a failure before the password is looked at, so that
// a burst in parallel gets no more guesses than one by one; success gives the
// charge back. It counts attempts on names, not on rows: nothing tells whether
// an account exists. All processes on one store count together, if the store is
// a session.Attempts; n processes on another allow n times the guesses.
//
// What stays open: whoever keeps guessing at an account also makes its owner
// wait, at worst a quarter of an hour and again. And a change of Config.Secret
// begins to count anew.
//
// Safe for concurrent use.
type throttle struct {
	store   session.Attempts
	key     []byte // of the hashes that stand for accounts and addresses
	timeout time.Duration
	now     func() time.Time
}

var (
	// Failures fade more slowly than the longest wait, so fading gives an
	// attacker nothing: 15 guesses, and 4 an hour from then on.
	accountLimit = session.Limit{Free: 5, Fade: time.Hour}
	// Many people share an address, and somebody there is always mistyping.
	// So one failure a minute costs nothing and, as failures fade while one
	// waits, no wait grows beyond 64 s.
	addressLimit = session.Limit{Free: 50, Fade: time.Minute}
)

// newThrottle counts in store, if it can.
func newThrottle(store session.Store, secret Secret, timeout time.Duration, now func() time.Time) *throttle {
	t := &throttle{key: derive(secret, labelAttempts, sha256.Size), timeout: timeout, now: now}
	if shared, ok := store.(session.Attempts); ok {
		t.store = shared
	} else {
		t.store = newMemory()
	}
	return t
}

// take charges an attempt, unless it has to wait: then nothing is charged and
// the error is ErrRateLimited. When the store does not answer, nobody gets in.
// It may have charged all the same, and a store in trouble must not use up the
// free failures of people who know their password; so the charge is given back
// behind the answer, which has waited long enough. If there was none, that is
// one guess more for each answer that the store owes.
func (t *throttle) take(ctx context.Context, account, address string) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	attempt := t.attempt(account, address)
	within, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	wait, err := t.store.Charge(within, attempt, t.now().UnixMilli())
	switch {
	case err != nil:
		go t.giveBack(ctx, t.store.Refund, attempt)
		return unavailable(err)
	case wait > 0:
		return retryAfter(ErrRateLimited, wait)
	}
	return nil
}

// succeed forgets the failures of the account. The address only gets its charge
// back, or an attacker would clear it by signing in to an account of his own.
func (t *throttle) succeed(ctx context.Context, account, address string) {
	t.giveBack(ctx, t.store.Succeed, t.attempt(account, address))
}

// refund is for an attempt in which no password was compared, say because the
// store was down: it is neither a failure nor a reason to forget the others.
func (t *throttle) refund(ctx context.Context, account, address string) {
	t.giveBack(ctx, t.store.Refund, t.attempt(account, address))
}

// giveBack is no reason to fail a request: what the store does not take back
// fades like a failure.
func (t *throttle) giveBack(ctx context.Context, do func(context.Context, session.Attempt) error, attempt session.Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
	defer cancel()
	_ = shielded(func() error { return do(ctx, attempt) })
}

// attempt keeps nothing of the strings, which Fiber only lends.
func (t *throttle) attempt(account, address string) session.Attempt {
	return session.Attempt{
		Account: session.Counter{Key: t.digest("account", account), Limit: accountLimit},
		Address: session.Counter{Key: t.digest("address", network(address)), Limit: addressLimit},
	}
}

// digest is keyed, so that a leaked table does not tell who signs in from where.
func (t *throttle) digest(label, name string) []byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(label + "\x00" + name))
	return mac.Sum(nil)
}

// network is what one client has: of IPv6 at least a /64, in which a host takes
// whatever address it likes (RFC 4291 §2.5.1).
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

// memory is the session.Attempts of one process.
type memory struct {
	mu        sync.Mutex
	accounts  failures
	addresses failures
}

func newMemory() *memory { return &memory{accounts: newFailures(), addresses: newFailures()} }

// Charge implements session.Attempts.
func (m *memory) Charge(_ context.Context, a session.Attempt, now int64) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if wait := max(m.accounts.wait(a.Account, now), m.addresses.wait(a.Address, now)); wait > 0 {
		return time.Duration(wait) * time.Millisecond, nil
	}
	m.accounts.charge(a.Account, now)
	m.addresses.charge(a.Address, now)
	return 0, nil
}

// Refund implements session.Attempts.
func (m *memory) Refund(_ context.Context, a session.Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts.refund(a.Account)
	m.addresses.refund(a.Address)
	return nil
}

// Succeed implements session.Attempts.
func (m *memory) Succeed(_ context.Context, a session.Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts.remove(string(a.Account.Key))
	m.addresses.refund(a.Address)
	return nil
}

// failures is one of the two tables of a memory.
//
// Of more than maxRecords keys the least recently used is forgotten. To get the
// failures of an account forgotten so, an attacker must charge as many other
// names, which cost him the failures of some 330 addresses and us as many
// hashes, for 15 more guesses. Were the table not to forget, he could fill it
// and lock out everybody, or fill the memory.
type failures struct {
	records map[string]*list.Element
	recent  *list.List // of *record, the last used first
}

const maxRecords = 1 << 14 // some 4 MB

type record struct {
	key string
	session.Failures
}

func newFailures() failures { return failures{map[string]*list.Element{}, list.New()} }

// find gives nil for a key without failures.
func (f *failures) find(key []byte) *record {
	element, ok := f.records[string(key)]
	if !ok {
		return nil
	}
	f.recent.MoveToFront(element)
	return element.Value.(*record)
}

// wait adds no record, so refused attempts push nobody out.
func (f *failures) wait(c session.Counter, now int64) int64 {
	if r := f.find(c.Key); r != nil {
		return r.Wait(now)
	}
	return 0
}

func (f *failures) charge(c session.Counter, now int64) {
	r := f.find(c.Key)
	if r == nil {
		r = f.add(string(c.Key))
	}
	r.Failures = c.Limit.Charge(r.Failures, now)
}

func (f *failures) add(key string) *record {
	if len(f.records) >= maxRecords {
		f.remove(f.recent.Back().Value.(*record).key)
	}
	r := &record{key: key}
	f.records[key] = f.recent.PushFront(r)
	return r
}

func (f *failures) refund(c session.Counter) {
	if r := f.find(c.Key); r != nil {
		r.Failures = c.Limit.Refund(r.Failures)
	}
}

func (f *failures) remove(key string) {
	if element, ok := f.records[key]; ok {
		f.recent.Remove(element)
		delete(f.records, key)
	}
}
