package fiberjwt

import (
	"time"

	"github.com/fiberjwt/fiberjwt/internal/admission"
)

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

// CloseGate refuses all whose passwords would be hashed, until open is called.
func CloseGate(a *Auth) (open func()) {
	gate := a.hasher.gate
	a.hasher.gate = admission.New(0, 0, func() int { return 0 })
	return func() { a.hasher.gate = gate }
}
