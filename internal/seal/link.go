package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"strings"
	"time"
)

// MaxSubjectBytes bounds the subject of an account, here and in access tokens.
const MaxSubjectBytes = 255

// Link is a token for one use: a ticket, a one-time token, or a token that unlocks a
// sign-in. It is opaque, in base64url behind a prefix that secret scanners can look
// for:
//
//	version 1 · key 1 · expires 5 · id 16 · bound 16 · length of kind 1 · kind · subject · tag 16
//
// Programs that find links in a text leave out a "-" or "_" at the end. Only whole
// groups of three bytes can end so in base64url: a token of such a length has version
// 2 and a zero byte in front of the tag.
type Link struct {
	Expires int64    // Unix seconds
	ID      [16]byte // the session of a ticket; random in other tokens
	Kind    string
	Subject string

	bound [16]byte // a MAC of what it is bound to: a path, the state of an account
	key   Key      // that verified it
}

const (
	linkVersion  = 1
	linkPadded   = 2                       // the version with the zero byte
	linkHead     = 1 + 1 + 5 + 16 + 16 + 1 // before the kind
	maxLinkBytes = linkHead + 32 + MaxSubjectBytes + 1 + tagBytes
)

// NewLink returns a link with a random ID.
func NewLink(expires time.Time, kind, subject string) Link {
	l := Link{Expires: expires.Unix(), Kind: kind, Subject: subject}
	_, _ = rand.Read(l.ID[:])
	return l
}

// Encode returns the text of l, made with the first of keys and bound to what.
func (l Link) Encode(prefix string, keys Keys, what string) string {
	key := keys[0]
	b := make([]byte, 0, maxLinkBytes)
	b = append(b, linkVersion, key.id)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(l.Expires))[3:]...)
	b = append(b, l.ID[:]...)
	b = append(b, key.bind(what)...)
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

// OpenLink reads a link whose tag one of the keys of its kind made. A forged one ends
// here, without a query. Whether it has expired is for the caller to check.
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

// BoundTo reports, in constant time, whether the link was made for what.
func (l Link) BoundTo(what string) bool {
	return subtle.ConstantTimeCompare(l.key.bind(what), l.bound[:]) == 1
}
