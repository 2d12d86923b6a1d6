// Package jws splits a compact JWS (RFC 7515 §7.1) and reads its header. It verifies no
// signature. It is so strict that each token has only one valid spelling.
package jws

import (
	"encoding/base64"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// Base64url refuses padding (RFC 7515 §2) and spare bits that are not zero. Its decoder
// skips CR and LF; [Split] refuses them.
var Base64url = base64.RawURLEncoding.Strict()

// Parts are the three segments of a JWS, still encoded, and Text, which is what the
// signature signs: header and payload with the dot between them (RFC 7515 §5.1).
type Parts struct {
	Header, Payload, Signature, Text string
}

// Split returns the parts of raw, which share its memory. ok is false if raw does not
// have exactly three segments, contains CR or LF, or is longer than longest bytes. A
// segment may be empty. Split does not look at the other bytes: a caller that decodes a
// segment with [Base64url], or compares it with an encoded text, refuses all that cannot
// be in a compact JWS.
func Split(raw string, longest int) (p Parts, ok bool) {
	if len(raw) > longest || strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		return Parts{}, false
	}
	header := strings.IndexByte(raw, '.')                          // its end
	payload := header + 1 + strings.IndexByte(raw[header+1:], '.') // its end, or header if there is no second dot
	if payload == header || strings.IndexByte(raw[payload+1:], '.') >= 0 {
		return Parts{}, false
	}
	return Parts{Header: raw[:header], Payload: raw[header+1 : payload], Signature: raw[payload+1:], Text: raw[:payload]}, true
}

// Header contains the header parameters that the library uses.
type Header struct {
	Algorithm string
	KeyID     string // "" if absent
	Type      string // "" if absent
}

// ReadHeader reads a header segment (RFC 7515 §4.1). ok is false if the header is
// malformed, has no alg, or has a parameter that changes how the token must be read or
// that contains or refers to a key. Unknown parameters are ignored, as §4 requires.
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
	if h.Algorithm == "Ed25519" { // RFC 9864 §2.2: the newer name of the same algorithm
		h.Algorithm = "EdDSA"
	}
	return h, err == nil && h.Algorithm != ""
}
