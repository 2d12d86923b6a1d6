// Package seen remembers a value for a text that comes again, such as an access token. It is
// bounded in entries and in bytes, and reading takes no lock.
package seen

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	slots = 1 << 14
	tags  = 1 << 16
	// maxBytes is the longest text that is remembered. A usual token has 400 bytes.
	maxBytes = 1 << 10
)

// Cache has at most 16,384 values, for texts of at most 1,024 bytes. It is safe for concurrent
// use. A nil Cache remembers nothing.
type Cache[V any] struct {
	seed  maphash.Seed
	slots [slots]atomic.Pointer[entry[V]]
	// tags has a part of the hash of texts that came once, in two places each, because two
	// texts that share a place would displace each other whenever they alternate. A text that
	// comes only once costs two of these, not a slot.
	tags [tags]atomic.Uint32
}

type entry[V any] struct {
	text  string
	value V
}

// New returns an empty cache.
func New[V any]() *Cache[V] { return &Cache[V]{seed: maphash.MakeSeed()} }

// Get returns the value of a text. The caller must not change it.
func (c *Cache[V]) Get(text string) (value *V, ok bool) {
	if c == nil || len(text) > maxBytes {
		return nil, false
	}
	hash := maphash.String(c.seed, text)
	for _, slot := range c.places(hash) {
		if e := slot.Load(); e != nil && e.text == text {
			return &e.value, true
		}
	}
	return nil, false
}

// Offer remembers a value if the text has come before. It copies the text.
func (c *Cache[V]) Offer(text string, value V) {
	if c == nil || len(text) > maxBytes {
		return
	}
	hash := maphash.String(c.seed, text)
	tag := uint32(hash>>32) | 1 // never 0, which is an empty place
	first, second := c.tags[hash%tags].Swap(tag), c.tags[hash>>16%tags].Swap(tag)
	if first != tag && second != tag {
		return
	}
	place := c.places(hash)
	e := &entry[V]{strings.Clone(text), value}
	for _, slot := range place {
		if old := slot.Load(); old == nil || old.text == text {
			slot.Store(e)
			return
		}
	}
	place[hash>>63].Store(e) // either of two, so that two texts cannot always displace each other
}

// Forget removes the value of a text.
func (c *Cache[V]) Forget(text string) {
	if c == nil || len(text) > maxBytes {
		return
	}
	for _, slot := range c.places(maphash.String(c.seed, text)) {
		if e := slot.Load(); e != nil && e.text == text {
			slot.CompareAndSwap(e, nil)
		}
	}
}

// places returns the two slots in which a text may be.
func (c *Cache[V]) places(hash uint64) [2]*atomic.Pointer[entry[V]] {
	return [2]*atomic.Pointer[entry[V]]{&c.slots[hash%slots], &c.slots[hash>>20%slots]}
}
