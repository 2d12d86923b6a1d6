package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"strings"
	"time"
)

// MaxSubjectBytes is the maximum length of a subject, here and in access tokens.
const MaxSubjectBytes = 255

// Link is a token for one use: a ticket, a one-time token, or a token that unlocks a
// sign-in. It is base64url, after a prefix that secret scanners can look for, of (lengths
// in bytes)
//
//	version 1 · key 1 · expires 5 · id 16 · bound 16 · length of kind 1 · kind · subject · tag 16
//
// Programs that detect links in a text often drop a "-" or "_" at the end. Base64url can
// end with these only if the number of bytes is a multiple of three. Such a token
// therefore has version 2 and a zero byte before the tag.
type Link struct {
	Expires int64    // Unix seconds
	ID      [16]byte // the session of a ticket; random in other tokens
	Kind    string
	Subject string

	bound [16]byte // the MAC of the text that it is bound to: a path, the state of an account
	key   Key      // verified the token
}

const (
	linkVersion  = 1
	linkPadded   = 2                       // the version with the zero byte
	linkHead     = 1 + 1 + 5 + 16 + 16 + 1 // before the kind
	maxLinkBytes = linkHead + 32 + MaxSubjectBytes + 1 + tagBytes
)

// NewLink returns a Link with a random ID. The caller may set another ID.
func NewLink(expires time.Time, kind, subject string) Link {
	l := Link{Expires: expires.Unix(), Kind: kind, Subject: subject}
	_, _ = rand.Read(l.ID[:])
	return l
}

// Encode returns the token for l, made with the first key and bound to the text bound.
// Kind and Subject must not be longer than 32 and [MaxSubjectBytes] bytes.
func (l Link) Encode(prefix string, keys Keys, bound string) string {
	key := keys[0]
	b := make([]byte, 0, maxLinkBytes)
	b = append(b, linkVersion, key.id)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(l.Expires))[3:]...)
	b = append(b, l.ID[:]...)
	b = append(b, key.bind(bound)...)
	b = append(b, byte(len(l.Kind)))
	b = append(b, l.Kind...)
	b = append(b, l.Subject...)
	if (len(b)+tagBytes)%3 == 0 {
		b[0] = linkPadded
		b = append(b, 0)
	}
	b = append(b, key.tag(b)...)
	return prefix + encode(b)
}

// OpenLink reads a token and verifies its tag with the keys that keysOf returns for its
// kind. keysOf returns nil for an unknown kind; its argument is not verified yet. ok is
// false for a token that is malformed, forged or of an unknown secret. The caller must
// check that the link has not expired, and [Link.BoundTo].
func OpenLink(prefix, raw string, keysOf func(kind string) Keys) (Link, bool) {
	text, ok := strings.CutPrefix(raw, prefix)
	if !ok {
		return Link{}, false
	}
	b, ok := decode(text, maxLinkBytes)
	if !ok || len(b) < linkHead+1+tagBytes || b[0] != linkVersion && b[0] != linkPadded {
		return Link{}, false
	}
	rest := b[linkHead : len(b)-tagBytes]
	if b[0] == linkPadded {
		rest = rest[:len(rest)-1]
	}
	length := int(b[linkHead-1])
	if length > len(rest) {
		return Link{}, false
	}
	key, ok := keysOf(string(rest[:length])).verify(b)
	if !ok {
		return Link{}, false
	}
	l := Link{Kind: string(rest[:length]), Subject: string(rest[length:]), key: key}
	l.Expires = int64(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, b[2:7]...)))
	copy(l.ID[:], b[7:])
	copy(l.bound[:], b[7+16:])
	return l, true
}

// BoundTo reports whether the token that [OpenLink] read was bound to text. The comparison
// takes constant time.
func (l Link) BoundTo(text string) bool {
	return subtle.ConstantTimeCompare(l.key.bind(text), l.bound[:]) == 1
}
