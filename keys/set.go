package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// ErrNoKey is the error of [Source].Find if there is no such key.
var ErrNoKey = errors.New("keys: there is no key of this ID and algorithm")

// Source finds the keys that verify tokens: a [Set], a [Remote], or what [Func]
// returns.
//
// fiberjwt.Open calls the method Check() error of a source that has one, and
// Auth.Close the method Close() error. A source that wraps another one should
// forward both.
type Source interface {
	// Find returns the key that verifies tokens with the header members kid and alg
	// (RFC 7515 §4.1). kid is "" if the token has none. Both strings come from the
	// token and are only valid during the call: clone what you keep. If there is no
	// such key, the error must be ErrNoKey, and the token is refused. Any other error
	// means that the source could not find out, and the response is 503. Find must be
	// safe for concurrent use.
	Find(ctx context.Context, kid string, algorithm Algorithm) (Key, error)
}

// retiredFor is how long a retired key verifies: the longest life of a token, 24 h,
// plus twice the largest difference between two clocks.
const retiredFor = 24*time.Hour + 2*time.Minute

// Set is a set of keys that can change while it is used: a request sees the set
// before or after a change, never a mixture. It is safe for concurrent use. Make
// one with [NewSet] or [ParseSet].
//
// To rotate so that no verifier refuses a token, first [Set.Add] the new key. Wait
// an hour until the verifiers have fetched [Set.Document]: other libraries keep
// keys for 15 minutes to an hour, whatever Cache-Control says. Then [Set.Promote]
// it. The old key is removed automatically. If there are several processes, all of
// them add the key before any of them promotes it.
type Set struct {
	// Now is the clock by which retired keys are removed. [NewSet] sets it to
	// time.Now. Change it only before the set is used.
	Now func() time.Time

	change sync.Mutex
	state  atomic.Pointer[state]
}

// state of a Set. It is immutable.
type state struct {
	keys     []Key
	ends     map[string]time.Time // of the retired keys, by ID
	next     time.Time            // the earliest of ends, zero if there is none
	signing  int                  // index of the key that signs, -1 if none does
	document []byte
	etag     string
}

// NewSet makes a set of keys, which must have different IDs. The first private key
// signs; all keys verify. A set without a private key only verifies. Shared secrets
// are only for Issuer.Keys, and cannot be in one set with asymmetric keys.
func NewSet(keys ...Key) (*Set, error) {
	s := &Set{Now: time.Now}
	if len(keys) == 0 {
		return nil, errors.New("keys: a set needs a key")
	}
	for i, k := range keys {
		if fault := k.fault(); fault != "" {
			return nil, fmt.Errorf("keys: the key at %d %s", i, fault)
		}
		if slices.ContainsFunc(keys[:i], func(other Key) bool { return other.id == k.id }) {
			return nil, fmt.Errorf("keys: two keys have the ID %q", k.id)
		}
		if k.Symmetric() != keys[0].Symmetric() {
			return nil, errMixed
		}
	}
	s.state.Store(newState(slices.Clone(keys), nil, slices.IndexFunc(keys, Key.Private)))
	return s, nil
}

var errMixed = errors.New("keys: shared secrets and asymmetric keys in one set: make two")

func newState(keys []Key, ends map[string]time.Time, signing int) *state {
	st := &state{keys: keys, ends: ends, signing: signing, document: document(keys)}
	for _, end := range ends {
		if st.next.IsZero() || end.Before(st.next) {
			st.next = end
		}
	}
	sum := sha256.Sum256(st.document)
	st.etag = `"` + base64url.EncodeToString(sum[:12]) + `"`
	return st
}

// ParseSet reads a JWK Set (RFC 7517 §5), public or private, of at most 64 KiB: the
// keys of another issuer, or your own from a file. It ignores keys that are not for
// signatures, of an unknown kind, or, if algorithms are given, for another one; at
// least one key must remain. A damaged key is an error. RSA keys that do not name
// their algorithm use the one RSA algorithm in algorithms.
func ParseSet(text []byte, algorithms ...Algorithm) (*Set, error) {
	members, err := documentMembers(text)
	if err != nil {
		return nil, err
	}
	keys, faults := parseMembers(members, algorithms)
	for _, fault := range faults {
		var other unfit
		if !errors.As(fault, &other) {
			return nil, fault
		}
	}
	if len(keys) == 0 {
		return nil, noneFits(faults)
	}
	return NewSet(keys...)
}

// noneFits returns an error with the reasons of the first five keys.
func noneFits(faults []error) error {
	none := errors.New("keys: the JWK Set has no key that can be used here")
	return errors.Join(append([]error{none}, faults[:min(len(faults), 5)]...)...)
}

// documentMembers returns the JWKs of a JWK Set. They share memory with text.
func documentMembers(text []byte) (members [][]byte, err error) {
	if len(text) > maxDocumentBytes {
		return nil, errors.New("keys: the JWK Set is longer than 64 KiB")
	}
	found := false
	err = strictjson.Object(text, func(name string, value strictjson.Value) error {
		if name == "keys" {
			found = value.Each(func(member strictjson.Value) bool {
				members = append(members, member)
				return true
			})
		}
		return nil
	})
	if err != nil || !found {
		return nil, errors.New(`keys: the text is not a JWK Set: it must be a JSON object with an array "keys"`)
	}
	return members, nil
}

// parseMembers returns the keys of JWKs, and why others cannot be used.
func parseMembers(members [][]byte, algorithms []Algorithm) (keys []Key, faults []error) {
	for _, member := range members {
		k, err := ParseJWK(member, algorithms...)
		if err == nil {
			keys = append(keys, k)
		} else {
			faults = append(faults, err)
		}
	}
	return keys, faults
}

// distinct removes keys that cannot be distinguished because they have the same ID
// and algorithm. It keeps one of several equal keys.
func distinct(keys []Key) (kept []Key) {
	for i, k := range keys {
		alike := func(other Key) bool { return other.id == k.id && other.algorithm == k.algorithm }
		same := func(other Key) bool { return alike(other) && other.members() == k.members() }
		if !slices.ContainsFunc(keys[:i], same) && !slices.ContainsFunc(keys, func(other Key) bool { return alike(other) && !same(other) }) {
			kept = append(kept, k)
		}
	}
	return kept
}

// Check returns an error if the set was not made by NewSet or ParseSet.
// fiberjwt.Open calls it.
func (s *Set) Check() error {
	if s.state.Load() == nil || s.Now == nil {
		return errors.New("keys: the set is empty: make it by NewSet or ParseSet")
	}
	return nil
}

// now returns the present state, without retired keys whose time is over.
func (s *Set) now() *state {
	st := s.state.Load()
	if st.next.IsZero() || s.Now().Before(st.next) {
		return st
	}
	_ = s.mutate(func(*state) error { return nil })
	return s.state.Load()
}

// mutate replaces the state by a copy that change has modified.
func (s *Set) mutate(change func(*state) error) error {
	s.change.Lock()
	defer s.change.Unlock()
	old := s.state.Load()
	signer, signs := old.signer()
	draft := &state{ends: map[string]time.Time{}, signing: -1}
	for _, k := range old.keys {
		end, retired := old.ends[k.id]
		if retired && !s.Now().Before(end) {
			continue
		}
		if retired {
			draft.ends[k.id] = end
		}
		if signs && k.id == signer.id {
			draft.signing = len(draft.keys)
		}
		draft.keys = append(draft.keys, k)
	}
	if err := change(draft); err != nil {
		return err
	}
	s.state.Store(newState(draft.keys, draft.ends, draft.signing))
	return nil
}

func (st *state) index(id string) int {
	return slices.IndexFunc(st.keys, func(k Key) bool { return k.id == id })
}

func (st *state) signer() (Key, bool) {
	if st.signing < 0 {
		return Key{}, false
	}
	return st.keys[st.signing], true
}

// Find implements [Source]. A token without kid, which is optional (RFC 7515
// §4.1.4), gets the key of a set that has only one.
func (s *Set) Find(_ context.Context, kid string, algorithm Algorithm) (Key, error) {
	st := s.now()
	for _, k := range st.keys {
		if k.algorithm == algorithm && (k.id == kid || kid == "" && len(st.keys) == 1) {
			return k, nil
		}
	}
	return Key{}, ErrNoKey
}

// Signer returns the key that signs, and false if the set only verifies.
func (s *Set) Signer() (Key, bool) { return s.now().signer() }

// All returns the keys, in no particular order.
func (s *Set) All() []Key { return slices.Clone(s.now().keys) }

// Add adds key to the keys that verify, and publishes it. The error says that the
// ID is taken, or that the key cannot be in this set.
func (s *Set) Add(key Key) error {
	if fault := key.fault(); fault != "" {
		return errors.New("keys: the key " + fault)
	}
	return s.mutate(func(st *state) error {
		if st.index(key.id) >= 0 {
			return fmt.Errorf("keys: the set has a key with the ID %q", key.id)
		}
		if len(st.keys) > 0 && st.keys[0].Symmetric() != key.Symmetric() {
			return errMixed
		}
		st.keys = append(st.keys, key)
		return nil
	})
}

// Promote makes the key with this ID the one that signs, and retires the previous
// one. It also restores a retired key. The error says that there is no such key, or
// that it has no private half.
func (s *Set) Promote(id string) error {
	return s.mutate(func(st *state) error {
		i := st.index(id)
		if i < 0 {
			return errNoSuchKey(id)
		}
		if st.keys[i].private == nil {
			return fmt.Errorf("keys: the key %q cannot sign: it has no private half", id)
		}
		if signer, ok := st.signer(); ok && signer.id != id {
			st.ends[signer.id] = s.Now().Add(retiredFor)
		}
		delete(st.ends, id)
		st.signing = i
		return nil
	})
}

// Retire lets a key verify for another 24 h and 2 min, the longest life of a token
// plus the difference of clocks, and then removes it. You cannot retire the key
// that signs, nor the last key that is not retired: promote or add another key
// before.
func (s *Set) Retire(id string) error {
	return s.mutate(func(st *state) error {
		if err := st.dispensable(id); err != nil {
			return err
		}
		if _, retired := st.ends[id]; !retired {
			st.ends[id] = s.Now().Add(retiredFor)
		}
		return nil
	})
}

// Remove removes a key at once: the next request with a token of it is refused. You
// cannot remove the key that signs, nor the last key that is not retired: promote
// or add another key before.
func (s *Set) Remove(id string) error {
	return s.mutate(func(st *state) error {
		if err := st.dispensable(id); err != nil {
			return err
		}
		signer, signs := st.signer()
		st.keys = slices.DeleteFunc(st.keys, func(k Key) bool { return k.id == id })
		delete(st.ends, id)
		if signs {
			st.signing = st.index(signer.id)
		}
		return nil
	})
}

func (st *state) dispensable(id string) error {
	if st.index(id) < 0 {
		return errNoSuchKey(id)
	}
	if signer, ok := st.signer(); ok && signer.id == id {
		return fmt.Errorf("keys: the key %q signs: promote another first", id)
	}
	stays := func(k Key) bool { return k.id != id && st.ends[k.id].IsZero() }
	if !slices.ContainsFunc(st.keys, stays) {
		return fmt.Errorf("keys: the key %q is the last of the set: add another first", id)
	}
	return nil
}

func errNoSuchKey(id string) error { return fmt.Errorf("keys: the set has no key with the ID %q", id) }

// Document returns the current public keys of the set as a JWK Set (RFC 7517 §5), and its
// ETag. fiberjwt.JWKS serves it. Do not change the bytes, because callers share them.
func (s *Set) Document() (document []byte, etag string) {
	st := s.now()
	return st.document, st.etag
}
