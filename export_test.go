package fiberjwt

import "time"

// MaxTokenBytes is the longest token that is read.
const MaxTokenBytes = maxTokenBytes

// ShrinkCache bounds the cache to n accounts.
func ShrinkCache(a *Auth, n int) { a.store.cache.room = n }

// TrustCache believes the cache for an hour without its feed.
func TrustCache(a *Auth) {
	c := a.store.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh, c.gap = time.Hour, time.Hour
}
