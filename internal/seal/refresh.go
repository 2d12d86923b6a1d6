package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/secret"
)

// A refresh token is base64url of 44 bytes, after a prefix that secret scanners can look
// for (lengths in bytes):
//
//	version 1 · key 1 · kind 1 · flags 1 · generation 4 · rid 20 · tag 16
//
// rid is random and stays the same for the life of the session. The table of sessions
// contains only a hash of it. The key and one token are enough to compute the token of
// the next generation. The table alone or the key alone is not enough.
//
// Flag 1 is set for kinds whose accounts have a fingerprint. The last 4 bytes of rid, and
// of the ID of the session, are then that fingerprint.
const (
	labelRefresh   = "fiberjwt/v1/refresh/" // + kind
	refreshPrefix  = "fjr_"
	refreshVersion = 1
	refreshBytes   = 44
	ridBytes       = 20
	hasFingerprint = 1

	// FingerprintBytes is the length of an account's fingerprint.
	FingerprintBytes = 4
	sessionIDBytes   = 16
)

// Refresh is a refresh token whose tag was verified, or a new one.
type Refresh struct {
	flags      byte
	Generation uint32
	rid        [ridBytes]byte
}

// NewRefresh returns the first token of a new session, of generation 0. fingerprint is
// the fingerprint of the account, or nil for a kind without fingerprints.
func NewRefresh(fingerprint []byte) Refresh {
	var t Refresh
	_, _ = rand.Read(t.rid[:]) // returns no error: if it fails, the process ends
	if fingerprint != nil {
		t.flags = hasFingerprint
		copy(t.rid[ridBytes-FingerprintBytes:], fingerprint)
	}
	return t
}

// SessionID returns the 16 bytes that identify the session: the key of its row and the
// claim sid of its access tokens.
func (t Refresh) SessionID() []byte {
	sum := sha256.Sum256(t.rid[:])
	sid := sum[:sessionIDBytes]
	if t.flags == hasFingerprint {
		copy(FingerprintOf(sid), t.rid[ridBytes-FingerprintBytes:])
	}
	return sid
}

// FingerprintOf returns the part of a session's ID that is the fingerprint of the
// account, for kinds with fingerprints. The result shares memory with sid.
func FingerprintOf(sid []byte) []byte { return sid[len(sid)-FingerprintBytes:] }

// At returns the token of another generation of the same session.
func (t Refresh) At(generation int64) Refresh {
	t.Generation = uint32(generation)
	return t
}

// RefreshCodec encodes and parses the refresh tokens of a kind.
type RefreshCodec struct {
	keys  Keys
	kind  byte
	flags byte
}

// NewRefreshCodec returns the codec for tokens of kind. If fingerprints is true, it
// accepts only tokens with the fingerprint of an account, otherwise only tokens without.
func NewRefreshCodec(ring secret.Ring, kind string, fingerprints bool) RefreshCodec {
	// The kind byte lets Parse refuse most tokens of other kinds before it computes a MAC.
	c := RefreshCodec{keys: NewKeys(ring, labelRefresh+kind), kind: sha256.Sum256([]byte("fiberjwt/v1/kind/" + kind))[0]}
	if fingerprints {
		c.flags = hasFingerprint
	}
	return c
}

// Encode returns the text of t, made with the first key.
func (c RefreshCodec) Encode(t Refresh) string {
	var b [refreshBytes]byte
	key := c.keys[0]
	b[0], b[1], b[2], b[3] = refreshVersion, key.id, c.kind, t.flags
	binary.BigEndian.PutUint32(b[4:], t.Generation)
	copy(b[8:], t.rid[:])
	copy(b[refreshBytes-tagBytes:], key.tag(b[:refreshBytes-tagBytes]))
	return refreshPrefix + encode(b[:])
}

// Parse reads a token and verifies its tag. ok is false for a token that is malformed,
// forged, of another kind or of an unknown secret.
func (c RefreshCodec) Parse(raw string) (t Refresh, ok bool) {
	b, ok := c.decode(raw)
	if !ok {
		return Refresh{}, false
	}
	if _, ok = c.keys.verify(b); !ok {
		return Refresh{}, false
	}
	t = Refresh{flags: b[3], Generation: binary.BigEndian.Uint32(b[4:])}
	copy(t.rid[:], b[8:])
	return t, true
}

// decode decodes a token and checks its form, but not its tag.
func (c RefreshCodec) decode(raw string) ([]byte, bool) {
	text, ok := strings.CutPrefix(raw, refreshPrefix)
	if !ok {
		return nil, false
	}
	b, ok := decode(text, refreshBytes)
	return b, ok && len(b) == refreshBytes && b[0] == refreshVersion && b[2] == c.kind && b[3] == c.flags
}

// NamesUnknownSecret reports whether raw has the form of a token of this kind that was
// made with a secret outside the ring. The token may be forged.
func (c RefreshCodec) NamesUnknownSecret(raw string) bool {
	b, ok := c.decode(raw)
	return ok && !slices.ContainsFunc(c.keys, func(key Key) bool { return key.id == b[1] })
}
