package fiberjwt

// MaxTokenBytes is the longest token that is read.
const MaxTokenBytes = maxTokenBytes

// ShrinkCache bounds the cache to n accounts.
func ShrinkCache(a *Auth, n int) { a.store.cache.room = n }
