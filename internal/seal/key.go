// Package seal makes and reads the opaque tokens of the library: refresh tokens,
// tokens in links, and the cookie that marks a browser. Each is tagged with a MAC
// under a key of its own kind and use, so that a forged token is refused without a
// query.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/secret"
)

const tagBytes = 16

// Key tags the tokens of one kind and use under one secret.
type Key struct {
	id  byte // names the secret in a token
	key []byte
}

// Keys are those of one kind and use. The first makes tokens, all verify them.
type Keys []Key

// NewKeys derives the keys for a label, one for each secret.
func NewKeys(ring secret.Ring, label string) Keys {
	keys := make(Keys, len(ring))
	for i, root := range ring {
		keys[i] = Key{id: root.ID, key: root.Derive(label)}
	}
	return keys
}

// tag is a MAC of a token, whose first byte is its version.
func (k Key) tag(b []byte) []byte {
	mac := hmac.New(sha256.New, k.key)
	mac.Write(b)
	return mac.Sum(nil)[:tagBytes]
}

// bind is a MAC of what a token is about. The byte in front is not a version, which
// keeps it apart from a tag under the same key.
func (k Key) bind(what string) []byte {
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte{0})
	mac.Write([]byte(what))
	return mac.Sum(nil)[:tagBytes]
}

// verify returns the key that made the token b, which ends with its tag. Two secrets
// share an id once in 256 pairs, so every key with the id is tried.
func (k Keys) verify(b []byte) (Key, bool) {
	body, tag := b[:len(b)-tagBytes], b[len(b)-tagBytes:]
	for _, key := range k {
		if key.id == b[1] && subtle.ConstantTimeCompare(key.tag(body), tag) == 1 {
			return key, true
		}
	}
	return Key{}, false
}

// base64url has no padding and takes no spare bits, RFC 7515 §2.
var base64url = jws.Base64url

// decode reads base64url of at most longest bytes. Go's decoder skips line breaks,
// which a token does not have.
func decode(text string, longest int) ([]byte, bool) {
	if len(text) > base64url.EncodedLen(longest) || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64url.DecodeString(text)
	return b, err == nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
