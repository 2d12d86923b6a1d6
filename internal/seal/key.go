// Package seal makes and reads the opaque tokens of the library: refresh tokens, tokens
// in links, and the device cookie that marks a browser. Each token ends with a tag, a MAC
// under a key that is only for this kind of account and this use, so a forged token is
// refused without a query. The types are immutable and safe for concurrent use.
package seal

import (
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/mac"
	"github.com/fiberjwt/fiberjwt/internal/secret"
)

const tagBytes = 16

// Key makes the tags of the tokens of one kind and use, under one secret.
type Key struct {
	id  byte // identifies the secret in a token
	mac *mac.Key
}

// Keys are the keys of one kind and use, one for each secret. The first one makes
// tokens; all of them verify tokens.
type Keys []Key

// NewKeys derives the keys for a label, one for each secret, in the order of ring.
func NewKeys(ring secret.Ring, label string) Keys {
	keys := make(Keys, len(ring))
	for i, root := range ring {
		keys[i] = Key{id: root.ID, mac: mac.New(root.Derive(label))}
	}
	return keys
}

// tag returns the MAC of a token. The first byte of a token is its version, which is
// never zero.
func (k Key) tag(b []byte) []byte {
	sum := k.mac.Sum(b)
	return sum[:tagBytes]
}

// bind returns the MAC of a text to which a token is bound. The zero byte before the text
// is not a version, so the result is never a valid tag under the same key.
func (k Key) bind(text string) []byte {
	sum := k.mac.Sum(append([]byte{0}, text...))
	return sum[:tagBytes]
}

// verify returns the key that made the token b, which ends with its tag. b must have at
// least two bytes before the tag. Two secrets have the same id in one of 256 cases, so
// verify tries every key with the id.
func (k Keys) verify(b []byte) (Key, bool) {
	body, tag := b[:len(b)-tagBytes], b[len(b)-tagBytes:]
	for _, key := range k {
		if key.id == b[1] && subtle.ConstantTimeCompare(key.tag(body), tag) == 1 {
			return key, true
		}
	}
	return Key{}, false
}

// base64url refuses padding and spare bits (RFC 7515 §2), so a token has one spelling.
var base64url = jws.Base64url

// decode decodes base64url of at most longest bytes. It refuses line breaks, which the
// decoder of encoding/base64 skips.
func decode(text string, longest int) ([]byte, bool) {
	if len(text) > base64url.EncodedLen(longest) || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64url.DecodeString(text)
	return b, err == nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
