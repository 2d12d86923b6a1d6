package fiberjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/keys"
)

// Secret is the root of all keys: 32 random bytes or more. Formatting, logging
// and marshalling it give "[secret]". A []byte is assignable to it.
type Secret = keys.Secret

// Labels of keys that are derived from a secret; see package secret.
const (
	labelAccess   = "fiberjwt/v1/access/" // + kind
	labelAttempts = "fiberjwt/v1/attempts"
)

// accessKey signs or verifies the access tokens of one kind under one secret.
type accessKey struct {
	kind   string
	header string // the base64url header segment of every token it signs
	key    []byte
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

// accessKeyOf derives the key of a kind.
func accessKeyOf(r secret.Root, kind string) accessKey {
	header := headerStart + "HS256" + headerMiddle + r.KeyID + "." + kind + headerEnd
	return accessKey{
		kind:   kind,
		header: base64.RawURLEncoding.EncodeToString([]byte(header)),
		key:    r.Derive(labelAccess + kind),
	}
}

// keyring holds the secrets: the first signs, all verify.
type keyring struct {
	roots  secret.Ring
	access map[string]accessKey // by header segment, for the declared kinds
	// signers are those of the first root, by kind: each derivation is four
	// HMACs, and every sign-in and refresh needs the key.
	signers map[string]accessKey

	// Without declared kinds any kind is accepted; its key is kept once a
	// token has proved that the holder of the secret uses the kind, so that
	// an attacker cannot grow the map.
	open   bool
	proved sync.Map // header segment → accessKey
}

// newKeyring derives the access keys of kinds, which none means all. Without
// a secret it has no keys.
func newKeyring(ring secret.Ring, kinds []string) *keyring {
	k := &keyring{roots: ring, access: map[string]accessKey{}, signers: map[string]accessKey{}, open: len(kinds) == 0}
	for i, r := range k.roots {
		for _, kind := range kinds {
			key := accessKeyOf(r, kind)
			k.access[key.header] = key
			if i == 0 {
				k.signers[kind] = key
			}
		}
	}
	return k
}

// signing is the key for new access tokens of kind.
func (k *keyring) signing(kind string) accessKey { return k.signers[kind] }

// find is the key for a header segment. The segment is only compared, never
// interpreted: alg, kid, typ and everything else an attacker may write into a
// header (RFC 8725 §2.1, §3.1) is refused by not being equal.
func (k *keyring) find(header string) (accessKey, bool) {
	if key, ok := k.access[header]; ok || !k.open {
		return key, ok
	}
	if key, ok := k.proved.Load(header); ok {
		return key.(accessKey), true
	}
	return k.derived(header)
}

// derived makes the key for a kind that was not declared, if header is byte
// for byte the one we would write for it.
func (k *keyring) derived(header string) (accessKey, bool) {
	algorithm, kid, ok := ownHeader(header)
	if !ok || algorithm != "HS256" {
		return accessKey{}, false
	}
	for _, r := range k.roots {
		kind, ours := strings.CutPrefix(kid, r.KeyID+".")
		if ours && validKind(kind) {
			return accessKeyOf(r, kind), true
		}
	}
	return accessKey{}, false
}

// prove remembers a key that find derived and a signature proved.
func (k *keyring) prove(key accessKey) {
	if k.open {
		k.proved.LoadOrStore(key.header, key)
	}
}

// validKind: a kind is a path segment, part of a cookie name and of a kid.
func validKind(name string) bool {
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
