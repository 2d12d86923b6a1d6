// Package mac computes HMAC-SHA256 (RFC 2104) with keys that are used often. Preparing a key
// costs more than the MAC of a usual token.
package mac

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// Key is a key for MACs. It is safe for concurrent use.
type Key struct {
	prepared sync.Pool // of *state
}

// state is a MAC with the key, and room for a result.
type state struct {
	hash.Hash
	sum [sha256.Size]byte
}

// New returns a Key. It keeps key, which must not change.
func New(key []byte) *Key {
	return &Key{prepared: sync.Pool{New: func() any { return &state{Hash: hmac.New(sha256.New, key)} }}}
}

// Sum returns the MAC of text.
func (k *Key) Sum(text []byte) [sha256.Size]byte {
	s := k.prepared.Get().(*state)
	defer k.prepared.Put(s)
	s.Reset()
	s.Write(text)
	s.Sum(s.sum[:0])
	return s.sum
}
