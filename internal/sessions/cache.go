package sessions

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/elapsed"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

const (
	// cacheEntries is the maximum number of entries. One that was not used lately is removed.
	cacheEntries = 10_000
	// feedEvery is how often the cache asks for revocations by other processes.
	feedEvery = time.Second
	// feedFresh is how long the cache is used after the last answer of the feed. After
	// that time every request asks the store, as without a cache.
	feedFresh = 3 * time.Second
)

// cache keeps the accounts of living sessions for a time. A revoked session is removed at
// once in this process, and within about feedEvery in other processes. Other changes of a
// row have an effect after the lifetime of the entry.
type cache struct {
	ttl      time.Duration
	feed     session.Revocations
	now      func() time.Time
	read     time.Duration
	maxGap   time.Duration // the longest time between two polls that together miss nothing
	lookBack time.Duration // how far back each poll asks

	// feedFresh and cacheEntries, except in tests.
	maxAge time.Duration
	room   int

	machine func() time.Time // the machine's clock, nil if Config.Now is that clock

	start   sync.Once // starts polling with the first request
	polling sync.WaitGroup
	stop    context.CancelFunc
	ended   context.Context

	mu       sync.Mutex
	entries  map[string]*Cached        // by sid, including those that are being loaded
	recent   *list.List                // of *Cached, the newest first; makeRoom moves those that were used to the front
	lastPoll atomic.Pointer[time.Time] // when the last poll that was answered began, by the machine's clock
}

// Cached is an account in the cache, loaded or being loaded. A caller may keep it for later
// requests of the same session.
type Cached struct {
	of      *cache
	sid     string
	kind    string
	subject string
	loaded  time.Time
	place   *list.Element       // in recent; nil until it is loaded
	done    chan struct{}       // closed when account and err are set
	account atomic.Pointer[any] // to nil if there is none; nil after it was removed from the cache
	err     error
	used    atomic.Bool // since makeRoom last moved it
	dropped atomic.Bool // the session ended, or the account was removed
}

// Account returns a copy of the account; now is the time by [Config].Now. ok is false if the
// cache must be asked again: the session has ended, or the account was loaded too long ago. It
// is safe for concurrent use.
func (e *Cached) Account(now time.Time) (account any, ok bool) {
	kept := e.account.Load()
	if kept == nil || e.dropped.Load() || !e.of.isFed(now) || !e.of.isFresh(e, now) {
		return nil, false
	}
	e.use()
	return accounts.Copy(*kept), true
}

// use records a use. It writes only once, since other processors may read the entry too.
func (e *Cached) use() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

func newCache(cfg Config, feed session.Revocations) *cache {
	c := &cache{ttl: cfg.CacheTTL, feed: feed, now: cfg.Now, read: cfg.Read, maxAge: feedFresh, room: cacheEntries, entries: map[string]*Cached{}, recent: list.New()}
	if !cfg.MachineClock {
		c.machine = time.Now
	}
	// A poll that fails takes up to ReadTimeout. The time of a revocation is that of another
	// clock before its statement began, and it commits up to WriteTimeout later.
	c.maxGap = feedFresh + cfg.Read
	c.lookBack = c.maxGap + token.ClockSkew + cfg.Write
	c.ended, c.stop = context.WithCancel(context.Background())
	return c
}

// Key identifies the session of a cached account.
type Key struct {
	SID           []byte
	Kind, Subject string
}

// Account returns a copy of the account of a session. If the cache has none, it calls load,
// once for all concurrent calls with the same key. Without a cache it returns what load
// returns. kept is nil if the account is not in the cache.
func (s *Sessions) Account(k Key, load func() (any, error)) (account any, kept *Cached, err error) {
	return s.cache.account(k, load)
}

// account is [Sessions.Account]. On a nil cache, account only calls load, and the other
// methods do nothing.
func (c *cache) account(k Key, load func() (any, error)) (account any, kept *Cached, err error) {
	if c == nil {
		account, err = load()
		return account, nil, err
	}
	c.start.Do(func() { c.polling.Go(c.pollUntilClosed) })
	entry, mine := c.entryFor(k)
	if entry == nil {
		account, err = load()
		return account, nil, err
	}
	if mine {
		c.fill(entry, load)
	}
	<-entry.done
	if entry.err != nil {
		return nil, nil, entry.err
	}
	switch loaded := entry.account.Load(); {
	case loaded == nil: // removed at this moment
		account, err = load()
		return account, nil, err
	case *loaded == nil:
		return nil, nil, nil
	default:
		return accounts.Copy(*loaded), entry, nil
	}
}

// isFed reports whether the cache knows the revocations by other processes.
func (c *cache) isFed(now time.Time) bool {
	last := c.lastPoll.Load()
	return last != nil && elapsed.Between(*last, c.machineTime(now)) <= c.maxAge
}

// machineTime returns the time by the machine's clock. If that is [Config].Now, the result is
// now, because reading the clock again would be a part of what a cached request costs.
func (c *cache) machineTime(now time.Time) time.Time {
	if c.machine == nil {
		return now
	}
	return c.machine()
}

func (c *cache) isFresh(e *Cached, now time.Time) bool { return elapsed.Between(e.loaded, now) < c.ttl }

// entryFor returns the entry of a session, or a new one that the caller must fill if mine is
// true. It returns nil if the cache must not be used.
func (c *cache) entryFor(k Key) (entry *Cached, mine bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isFed(now) {
		return nil, false
	}
	if entry, ok := c.entries[string(k.SID)]; ok {
		if entry.kind == k.Kind && entry.subject == k.Subject && c.isFresh(entry, now) {
			entry.use()
			return entry, false
		}
		c.drop(entry)
	}
	entry = &Cached{of: c, sid: string(k.SID), kind: k.Kind, subject: k.Subject, loaded: now, done: make(chan struct{})}
	c.entries[entry.sid] = entry
	return entry, true
}

// fill loads the account. A failed load is not cached and does not remove other entries,
// because a client with the token of an ended session can repeat its request without limit.
func (c *cache) fill(entry *Cached, load func() (any, error)) {
	defer close(entry.done)
	var account any
	entry.err = fault.Recover(func() (err error) {
		account, err = load()
		return err
	})
	entry.account.Store(&account)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.entries[entry.sid] != entry: // the session ended during the load
	case entry.err != nil || account == nil:
		c.drop(entry)
	default:
		c.makeRoom()
		entry.place = c.recent.PushFront(entry)
	}
}

// makeRoom removes an entry if there is no room for another: the oldest one that was not used
// since makeRoom moved it. A use sets a flag instead of moving the entry, which would need the
// lock. The caller must hold it.
func (c *cache) makeRoom() {
	for c.recent.Len() >= c.room {
		last := c.recent.Back()
		entry := last.Value.(*Cached)
		if entry.used.Swap(false) {
			c.recent.MoveToFront(last)
		} else {
			c.drop(entry)
		}
	}
}

// forgetSession and forgetAccount are for revocations in this process.
func (c *cache) forgetSession(sid []byte) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.entries[string(sid)])
}

func (c *cache) forgetAccount(kind, subject string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, entry := range c.entries {
		if entry.kind == kind && entry.subject == subject {
			c.drop(entry)
		}
	}
}

// drop removes an entry, or does nothing if it is nil. The caller must hold the lock.
func (c *cache) drop(entry *Cached) {
	if entry == nil {
		return
	}
	entry.dropped.Store(true)
	delete(c.entries, entry.sid)
	if entry.place != nil {
		c.recent.Remove(entry.place)
		entry.account.Store(nil) // a caller may have kept the entry
	}
}

func (c *cache) close() {
	if c == nil {
		return
	}
	c.stop()
	c.start.Do(func() {}) // polling must not start after this
	c.polling.Wait()
}

// pollUntilClosed polls for revocations until the cache is closed.
func (c *cache) pollUntilClosed() {
	ticker := time.NewTicker(feedEvery)
	defer ticker.Stop()
	for {
		c.pollRevocations()
		select {
		case <-c.ended.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *cache) pollRevocations() {
	ctx, cancel := context.WithTimeout(c.ended, c.read)
	defer cancel()
	now := c.now()
	asked := c.machineTime(now)
	revoked, err := c.feed.RevokedSince(ctx, now.Add(-c.lookBack).UnixMilli())
	if err != nil {
		return // without an answer the cache is soon not used any more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.lastPoll.Load(); last == nil || elapsed.Between(*last, asked) > c.maxGap { // revocations may have been missed
		for _, entry := range c.entries {
			c.drop(entry)
		}
	}
	c.lastPoll.Store(&asked)
	for _, sid := range revoked {
		c.drop(c.entries[string(sid)])
	}
}
