package sessions

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/elapsed"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

const (
	// cacheEntries bounds the cache: the least recently used make room.
	cacheEntries = 10_000
	// feedEvery is how often revocations of other processes are looked for.
	feedEvery = time.Second
	// feedFresh is how long after the last answer of the feed the cache is
	// believed; later every request asks the store, as without a cache.
	feedFresh = 3 * time.Second
)

// cache keeps accounts of living sessions for a while. A session that is
// revoked leaves it at once in this process, and within about feedEvery in the
// others; what else changes in a row is seen after the lifetime of the entry.
type cache struct {
	ttl  time.Duration
	feed session.Revocations
	now  func() time.Time
	read time.Duration
	gap  time.Duration // between two looks of the feed that together miss nothing
	back time.Duration // how far each look goes back

	// feedFresh, cacheEntries and time.Now; tests have others.
	fresh   time.Duration
	room    int
	machine func() time.Time

	start     sync.Once // of the feed, with the first request
	listening sync.WaitGroup
	stop      context.CancelFunc
	ended     context.Context

	mu      sync.Mutex
	entries map[string]*cached // by sid, also those that are being loaded
	recent  *list.List         // of *cached, the last used first
	heard   time.Time          // when the feed last answered; by the machine's clock
}

// cached is an account, or the wait for one.
type cached struct {
	sid     string
	kind    string
	subject string
	loaded  time.Time
	place   *list.Element // in recent; nil until it is loaded
	done    chan struct{} // closed when account and err are set
	account any
	err     error
}

func newCache(cfg Config, feed session.Revocations) *cache {
	c := &cache{ttl: cfg.CacheTTL, feed: feed, now: cfg.Now, read: cfg.Read, fresh: feedFresh, room: cacheEntries, machine: time.Now, entries: map[string]*cached{}, recent: list.New()}
	// A look that fails takes ReadTimeout. An end is stamped by another clock,
	// before its statement begins, and committed up to WriteTimeout later.
	c.gap = feedFresh + cfg.Read
	c.back = c.gap + token.ClockSkew + cfg.Write
	c.ended, c.stop = context.WithCancel(context.Background())
	return c
}

// Key is what a cached account belongs to.
type Key struct {
	SID           []byte
	Kind, Subject string
}

// Account gives a copy of the account of a session, which load fetches if the cache has
// none; one load serves all that wait for the same. Without a cache it is load.
func (s *Sessions) Account(k Key, load func() (any, error)) (any, error) {
	return s.cache.account(k, load)
}

// account gives a copy of the account of a session, which load fetches if the
// cache has none; one load serves all that wait for the same. On a nil cache
// it is load, and the other methods do nothing.
func (c *cache) account(k Key, load func() (any, error)) (any, error) {
	if c == nil {
		return load()
	}
	c.start.Do(func() { c.listening.Go(c.listen) })
	entry, mine := c.claim(k)
	if entry == nil {
		return load()
	}
	if mine {
		c.fill(entry, load)
	}
	<-entry.done
	if entry.err != nil || entry.account == nil {
		return nil, entry.err
	}
	return accounts.Copy(entry.account), nil
}

// Claim finds the entry of a session, or makes one that the caller must fill;
// nil if the cache is not to be believed.
func (c *cache) claim(k Key) (entry *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if elapsed.Between(c.heard, c.machine()) > c.fresh {
		return nil, false
	}
	if entry, ok := c.entries[string(k.SID)]; ok {
		if entry.kind == k.Kind && entry.subject == k.Subject && elapsed.Between(entry.loaded, c.now()) < c.ttl {
			if entry.place != nil {
				c.recent.MoveToFront(entry.place)
			}
			return entry, false
		}
		c.drop(entry)
	}
	entry = &cached{sid: string(k.SID), kind: k.Kind, subject: k.Subject, loaded: c.now(), done: make(chan struct{})}
	c.entries[entry.sid] = entry
	return entry, true
}

// fill loads the account. What could not be loaded is not kept, and takes no place of
// others: a client with the token of an ended session can ask without end.
func (c *cache) fill(entry *cached, load func() (any, error)) {
	defer close(entry.done)
	entry.err = fault.Recover(func() (err error) {
		entry.account, err = load()
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.entries[entry.sid] != entry: // ended while it was loaded
	case entry.err != nil || entry.account == nil:
		c.drop(entry)
	default:
		entry.place = c.recent.PushFront(entry)
		if c.recent.Len() > c.room {
			c.drop(c.recent.Back().Value.(*cached))
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

// drop wants the lock held, and an entry of the cache or nil.
func (c *cache) drop(entry *cached) {
	if entry == nil {
		return
	}
	delete(c.entries, entry.sid)
	if entry.place != nil {
		c.recent.Remove(entry.place)
	}
}

func (c *cache) close() {
	if c == nil {
		return
	}
	c.stop()
	c.start.Do(func() {}) // so that no feed begins after this
	c.listening.Wait()
}

// listen asks for revocations until the cache is closed.
func (c *cache) listen() {
	ticker := time.NewTicker(feedEvery)
	defer ticker.Stop()
	for {
		c.hear()
		select {
		case <-c.ended.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *cache) hear() {
	ctx, cancel := context.WithTimeout(c.ended, c.read)
	defer cancel()
	asked := c.machine()
	revoked, err := c.feed.RevokedSince(ctx, c.now().Add(-c.back).UnixMilli())
	if err != nil {
		return // the cache is not believed for long
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if elapsed.Between(c.heard, asked) > c.gap { // something may have been missed
		clear(c.entries)
		c.recent.Init()
	}
	c.heard = asked
	for _, sid := range revoked {
		c.drop(c.entries[string(sid)])
	}
}
