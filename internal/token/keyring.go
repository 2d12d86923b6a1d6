package token

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/secret"
)

// labelAccess is the label, in package secret, of the key for the access tokens of a
// kind.
const labelAccess = "fiberjwt/v1/access/" // + kind

// accessKey signs or verifies the access tokens of one kind under one secret.
type accessKey struct {
	kind   string
	header string // the base64url header segment of every token that the key signs
	key    []byte
}

func newAccessKey(r secret.Root, kind string) accessKey {
	header := headerStart + "HS256" + headerMiddle + r.KeyID + "." + kind + headerEnd
	return accessKey{kind: kind, header: base64.RawURLEncoding.EncodeToString([]byte(header)), key: r.Derive(labelAccess + kind)}
}

func (k accessKey) sign(text string) ([]byte, error) {
	return jwt.SigningMethodHS256.Sign(text, k.key)
}

// verify compares the MAC in constant time.
func (k accessKey) verify(text, signature string) bool {
	if len(signature) != base64url.EncodedLen(sha256.Size) {
		return false
	}
	mac, err := base64url.DecodeString(signature)
	return err == nil && jwt.SigningMethodHS256.Verify(text, mac, k.key) == nil
}

// keyring holds the keys that are derived from the secrets. The first secret signs; all
// of them verify.
type keyring struct {
	ring   secret.Ring
	access map[string]accessKey // by header segment, for the declared kinds
	// signers has the keys of the first secret, by kind. They are stored because every
	// sign-in and refresh needs one, and each derivation costs four HMACs.
	signers map[string]accessKey

	// open is true if no kinds are declared, which means that any kind is accepted. The key
	// of a kind is then added to verified after the first signature that it verifies, so
	// that an attacker cannot make the map grow.
	open     bool
	verified sync.Map // header segment → accessKey
}

// newKeyring derives the keys for kinds, empty for any kind. If ring is empty, the
// keyring has no keys.
func newKeyring(ring secret.Ring, kinds []string) *keyring {
	k := &keyring{ring: ring, access: map[string]accessKey{}, signers: map[string]accessKey{}, open: len(kinds) == 0}
	for i, root := range ring {
		for _, kind := range kinds {
			key := newAccessKey(root, kind)
			k.access[key.header] = key
			if i == 0 {
				k.signers[kind] = key
			}
		}
	}
	return k
}

// find returns the key for a header segment. The segment is compared as a whole and not
// interpreted, so any other alg, kid or typ that an attacker writes into a header (RFC
// 8725 §2.1, §3.1) does not match.
func (k *keyring) find(header string) (accessKey, bool) {
	if key, ok := k.access[header]; ok || !k.open {
		return key, ok
	}
	if key, ok := k.verified.Load(header); ok {
		return key.(accessKey), true
	}
	return k.derive(header)
}

// derive returns the key for a kind that is not declared, if header has exactly the form
// that newAccessKey writes.
func (k *keyring) derive(header string) (accessKey, bool) {
	algorithm, kid, ok := readOwnHeader(header)
	if !ok || algorithm != "HS256" {
		return accessKey{}, false
	}
	for _, root := range k.ring {
		kind, ours := strings.CutPrefix(kid, root.KeyID+".")
		if ours && ValidKind(kind) {
			return newAccessKey(root, kind), true
		}
	}
	return accessKey{}, false
}

// remember stores a key of derive after it has verified a signature.
func (k *keyring) remember(key accessKey) {
	if k.open {
		k.verified.LoadOrStore(key.header, key)
	}
}

// RememberedKinds returns the number of keys that are stored for kinds that were not
// declared. It is for tests.
func (t *Tokens) RememberedKinds() (n int) {
	t.keyring.verified.Range(func(any, any) bool { n++; return true })
	return n
}

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
