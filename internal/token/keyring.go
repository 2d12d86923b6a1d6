package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/fiberjwt/fiberjwt/internal/mac"
	"github.com/fiberjwt/fiberjwt/internal/secret"
)

// labelAccess is the label, in package secret, of the key for the access tokens of a
// kind.
const labelAccess = "fiberjwt/v1/access/" // + kind

// maxUnproved limits the keys that are stored although no signature proves that their kinds
// exist: an attacker can invent kinds.
const maxUnproved = 256

// accessKey signs or verifies the access tokens of one kind under one secret.
type accessKey struct {
	kind   string
	header string // the base64url header segment of every token that the key signs
	mac    *mac.Key
	stored bool // in keyring.keys
}

func newAccessKey(r secret.Root, kind string) *accessKey {
	header := headerStart + "HS256" + headerMiddle + r.KeyID + "." + kind + headerEnd
	return &accessKey{
		kind: kind, header: base64.RawURLEncoding.EncodeToString([]byte(header)),
		mac: mac.New(r.Derive(labelAccess + kind)),
	}
}

// verify compares the MAC in constant time.
func (k *accessKey) verify(text, signature string) bool {
	var given [sha256.Size]byte
	if len(signature) != base64url.EncodedLen(len(given)) {
		return false
	}
	if n, err := base64url.Decode(given[:], bytesOf(signature)); err != nil || n < len(given) {
		return false
	}
	want := k.mac.Sum(bytesOf(text))
	return hmac.Equal(given[:], want[:])
}

// bytesOf returns the memory of text. The caller must neither change nor keep it.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// keyring holds the keys that are derived from the secrets. The first secret signs; all
// of them verify.
type keyring struct {
	ring secret.Ring
	// signers has the keys of the first secret, by kind. They are stored because every
	// sign-in and refresh needs one, and each derivation costs four HMACs.
	signers map[string]*accessKey
	// open is true if no kinds are declared, which means that any kind is accepted.
	open bool

	// keys has the keys by header segment: those of the declared kinds, or those that store
	// has added. A map in keys never changes.
	keys   atomic.Pointer[map[string]*accessKey]
	change sync.Mutex // of keys
}

// newKeyring derives the keys for kinds, empty for any kind. If ring is empty, the
// keyring has no keys.
func newKeyring(ring secret.Ring, kinds []string) *keyring {
	k := &keyring{ring: ring, signers: map[string]*accessKey{}, open: len(kinds) == 0}
	all := map[string]*accessKey{}
	for i, root := range ring {
		for _, kind := range kinds {
			key := newAccessKey(root, kind)
			key.stored, all[key.header] = true, key
			if i == 0 {
				k.signers[kind] = key
			}
		}
	}
	k.keys.Store(&all)
	return k
}

// find returns the key for a header segment, nil if there is none. The segment is compared
// as a whole and not interpreted, so any other alg, kid or typ that an attacker writes into
// a header (RFC 8725 §2.1, §3.1) does not match.
func (k *keyring) find(header string) *accessKey {
	key := (*k.keys.Load())[header]
	if key == nil && k.open {
		if key = k.derive(header); key != nil {
			k.store(key, false)
		}
	}
	return key
}

// derive returns the key for a kind that is not declared, if header has exactly the form
// that newAccessKey writes.
func (k *keyring) derive(header string) *accessKey {
	algorithm, kid, ok := readOwnHeader(header, new(headerBuffer))
	id, kind, _ := bytes.Cut(kid, []byte("."))
	if !ok || string(algorithm) != "HS256" || !ValidKind(string(kind)) {
		return nil
	}
	for _, root := range k.ring {
		if string(id) == root.KeyID {
			return newAccessKey(root, string(kind))
		}
	}
	return nil
}

// store adds a key of derive, so that the next token of its kind does not derive it again.
// If there are maxUnproved keys, it only adds a key that has verified a signature.
func (k *keyring) store(key *accessKey, proved bool) {
	k.change.Lock()
	defer k.change.Unlock()
	all := *k.keys.Load()
	if all[key.header] != nil || !proved && len(all) >= maxUnproved {
		return
	}
	all = maps.Clone(all)
	key.stored, all[key.header] = true, key
	k.keys.Store(&all)
}

// StoredKeys returns the number of keys that are stored. It is for tests.
func (t *Tokens) StoredKeys() int { return len(*t.keyring.keys.Load()) }

// ValidKind reports whether name can be the name of a kind: 1 to 32 of a-z, 0-9, "_" and
// "-", with a letter first. The name becomes a path segment and a part of cookie names
// and of a kid.
func ValidKind(name string) bool {
	if name == "" || len(name) > 32 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		b := name[i]
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '_' && b != '-' {
			return false
		}
	}
	return true
}
