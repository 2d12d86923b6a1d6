package token

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/secret"
)

// labelAccess names the key of a kind's access tokens; see package secret.
const labelAccess = "fiberjwt/v1/access/" // + kind

// accessKey signs or verifies the access tokens of one kind under one secret.
type accessKey struct {
	kind   string
	header string // the base64url header segment of every token that it signs
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

// keyring holds the keys that come from the secrets: the first secret signs, all
// verify.
type keyring struct {
	ring   secret.Ring
	access map[string]accessKey // by header segment, for the declared kinds
	// signers are those of the first secret, by kind: each derivation is four HMACs, and
	// every sign-in and refresh needs the key.
	signers map[string]accessKey

	// Without declared kinds any kind is accepted. Its key is kept once a token has
	// proved that a holder of the secret uses the kind, so that an attacker cannot grow
	// the map.
	open   bool
	proved sync.Map // header segment → accessKey
}

// newKeyring derives the access keys of kinds, where none means all. Without a secret
// it has no keys.
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

// find returns the key for a header segment. The segment is only compared, never
// interpreted: alg, kid, typ and everything else that an attacker may write into a
// header (RFC 8725 §2.1, §3.1) is refused by not being equal.
func (k *keyring) find(header string) (accessKey, bool) {
	if key, ok := k.access[header]; ok || !k.open {
		return key, ok
	}
	if key, ok := k.proved.Load(header); ok {
		return key.(accessKey), true
	}
	return k.derive(header)
}

// derive makes the key for a kind that was not declared, if header is byte for byte
// the one that sign would write for it.
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

// remember keeps a key that derive made and a signature proved.
func (k *keyring) remember(key accessKey) {
	if k.open {
		k.proved.LoadOrStore(key.header, key)
	}
}

// RememberedKinds counts the kinds that were not declared and whose key was proved.
func (t *Tokens) RememberedKinds() (n int) {
	t.keyring.proved.Range(func(any, any) bool { n++; return true })
	return n
}

// ValidKind reports whether name can name a kind, which is a path segment, a part of a
// cookie's name and of a kid.
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
