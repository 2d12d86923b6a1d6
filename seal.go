package fiberjwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// seal is a token that is for one thing only: a ticket or a one-time token. It
// is opaque, in base64url behind a prefix that secret scanners can look for:
//
//	version 1 · key 1 · expires 5 · id 16 · bound 16 · length of kind 1 · kind · subject · tag 16
//
// A seal goes into links, and programs that find links in a text leave a "-" or "_"
// at the end out. Only whole groups of three bytes can end so in base64url: a seal
// of such a length has version 2 and a zero byte in front of the tag.
//
// The key is derived for the one use and kind, so a seal of another use is not
// even well tagged here, and an access token has another alphabet.
type seal struct {
	expires int64    // Unix seconds
	id      [16]byte // the session of a ticket, a random number in a one-time token
	bound   [16]byte // a MAC of what it is bound to: a path, the state of an account
	kind    string
	subject string
}

const (
	sealVersion  = 1
	sealPadded   = 2                       // version with the zero byte
	sealHead     = 1 + 1 + 5 + 16 + 16 + 1 // before the kind
	sealTag      = 16
	maxSealBytes = sealHead + 32 + maxSubjectBytes + 1 + sealTag
)

// encode tags the seal under the first of keys, and binds it to what.
func (s seal) encode(prefix string, key refreshKey, what string) string {
	b := make([]byte, 0, maxSealBytes)
	b = append(b, sealVersion, key.id)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(s.expires))[3:]...)
	b = append(b, s.id[:]...)
	b = append(b, key.bind(what)...)
	b = append(b, byte(len(s.kind)))
	b = append(b, s.kind...)
	b = append(b, s.subject...)
	if (len(b)+sealTag)%3 == 0 {
		b[0] = sealPadded
		b = append(b, 0)
	}
	b = append(b, key.tag(b)...)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// openSeal reads a seal whose tag holds under one of the keys of its kind, and
// gives that key. What is forged ends here, without a query.
func openSeal(prefix, raw string, keysOf func(kind string) []refreshKey) (seal, refreshKey, bool) {
	text, ok := strings.CutPrefix(raw, prefix)
	if !ok || len(text) > base64url.EncodedLen(maxSealBytes) || strings.ContainsAny(text, "\r\n") {
		return seal{}, refreshKey{}, false
	}
	b, err := base64url.DecodeString(text)
	if err != nil || len(b) < sealHead+1+sealTag || b[0] != sealVersion && b[0] != sealPadded {
		return seal{}, refreshKey{}, false
	}
	rest := b[sealHead : len(b)-sealTag]
	if b[0] == sealPadded {
		rest = rest[:len(rest)-1]
	}
	length := int(b[sealHead-1])
	if length > len(rest) {
		return seal{}, refreshKey{}, false
	}
	for _, key := range keysOf(string(rest[:length])) {
		if key.id == b[1] && subtle.ConstantTimeCompare(key.tag(b[:len(b)-sealTag]), b[len(b)-sealTag:]) == 1 {
			s := seal{kind: string(rest[:length]), subject: string(rest[length:])}
			s.expires = int64(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, b[2:7]...)))
			copy(s.id[:], b[7:])
			copy(s.bound[:], b[7+16:])
			return s, key, true
		}
	}
	return seal{}, refreshKey{}, false
}

// boundTo says in constant time whether the seal was made for what.
func (s seal) boundTo(what string, key refreshKey) bool {
	return subtle.ConstantTimeCompare(key.bind(what), s.bound[:]) == 1
}

// bind is a MAC under the same key as the tag: the byte in front, which is no
// version, keeps the two apart.
func (k refreshKey) bind(what string) []byte {
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte{0})
	mac.Write([]byte(what))
	return mac.Sum(nil)[:16]
}

// sealing gives the keys for one use, named by label; the first signs.
func (k *keyring) sealing(label string) []refreshKey {
	keys := make([]refreshKey, len(k.roots))
	for i, r := range k.roots {
		keys[i] = refreshKey{id: r.id, key: derive(r.secret, label, sha256.Size)}
	}
	return keys
}
