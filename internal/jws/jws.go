// Package jws splits compact JWS (RFC 7515 §7.1). It is so strict that a token has
// only one valid spelling.
package jws

import (
	"encoding/base64"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// Base64url is without padding and without spare bits (RFC 7515 §2). Decoding skips
// CR and LF, which Split refuses.
var Base64url = base64.RawURLEncoding.Strict()

// Parts are the three segments of a JWS, and the text that is signed.
type Parts struct {
	Header, Payload, Signature, Text string
}

// Split returns the parts of raw, which share its memory. It refuses every byte
// that cannot be in a JWS, and a text longer than longest.
func Split(raw string, longest int) (p Parts, ok bool) {
	if len(raw) > longest {
		return Parts{}, false
	}
	for i := range len(raw) {
		if !tokenByte[raw[i]] {
			return Parts{}, false
		}
	}
	var rest string
	p.Header, rest, ok = strings.Cut(raw, ".")
	if !ok {
		return Parts{}, false
	}
	p.Payload, p.Signature, ok = strings.Cut(rest, ".")
	p.Text = raw[:len(p.Header)+1+len(p.Payload)]
	return p, ok && strings.IndexByte(p.Signature, '.') < 0
}

var tokenByte = func() (table [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") {
		table[b] = true
	}
	return table
}()

// Header has the members of a header that the library uses.
type Header struct {
	Algorithm string
	KeyID     string // "" if absent
	Type      string // "" if absent
}

// ReadHeader reads a header segment (RFC 7515 §4.1). It refuses members that change
// how a token must be read, or that bring a key. It ignores unknown members, as §4
// requires.
func ReadHeader(segment string) (h Header, ok bool) {
	text, err := Base64url.DecodeString(segment)
	if err != nil {
		return Header{}, false
	}
	err = strictjson.Object(text, func(name string, value strictjson.Value) error {
		ok := true
		switch name {
		case "alg":
			h.Algorithm, ok = value.BorrowedText()
		case "kid":
			h.KeyID, ok = value.BorrowedText()
			ok = ok && h.KeyID != "" && len(h.KeyID) <= 128
		case "typ":
			h.Type, ok = value.BorrowedText()
		case "crit", "b64", "zip", "cty", "enc", "jwk", "jku", "x5u", "x5c":
			ok = false
		}
		if !ok {
			return strictjson.ErrMalformed
		}
		return nil
	})
	if h.Algorithm == "Ed25519" { // RFC 9864 §2.2: another name of the same algorithm
		h.Algorithm = "EdDSA"
	}
	return h, err == nil && h.Algorithm != ""
}
