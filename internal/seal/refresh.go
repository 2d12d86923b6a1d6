package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/secret"
)

// A refresh token is 44 bytes in base64url behind a prefix that secret scanners can
// look for:
//
//	version 1 · key 1 · kind 1 · flags 1 · generation 4 · rid 20 · tag 16
//
// rid is random and stays for the life of the session. The table of sessions has only
// a hash of it. The token of the next generation is a pure function of this one, and
// neither the table nor the key alone is enough to make one.
//
// Flag 1 is for kinds whose accounts have a fingerprint: the last 4 bytes of rid, and
// of the ID of the session, are that fingerprint.
const (
	labelRefresh   = "fiberjwt/v1/refresh/" // + kind
	refreshPrefix  = "fjr_"
	refreshVersion = 1
	refreshBytes   = 44
	ridBytes       = 20
	hasFingerprint = 1

	// FingerprintBytes is the length of the fingerprint of an account.
	FingerprintBytes = 4
	sessionIDBytes   = 16
)

// Refresh is a refresh token whose tag was verified, or a new one.
type Refresh struct {
	flags      byte
	Generation uint32
	rid        [ridBytes]byte
}

// NewRefresh returns the first token of a new session. fingerprint is that of the
// account, or nil.
func NewRefresh(fingerprint []byte) Refresh {
	var t Refresh
	_, _ = rand.Read(t.rid[:]) // never fails: the process ends instead
	if fingerprint != nil {
		t.flags = hasFingerprint
		copy(t.rid[ridBytes-FingerprintBytes:], fingerprint)
	}
	return t
}

// SessionID is the key of the session's row and the sid of its access tokens.
func (t Refresh) SessionID() []byte {
	sum := sha256.Sum256(t.rid[:])
	sid := sum[:sessionIDBytes]
	if t.flags == hasFingerprint {
		copy(FingerprintOf(sid), t.rid[ridBytes-FingerprintBytes:])
	}
	return sid
}

// FingerprintOf returns the part of a session's ID that is the fingerprint of the
// account, for kinds whose accounts have one.
func FingerprintOf(sid []byte) []byte { return sid[len(sid)-FingerprintBytes:] }

// At is the token of another generation of the same session.
func (t Refresh) At(generation int64) Refresh {
	t.Generation = uint32(generation)
	return t
}

// RefreshCodec makes and reads the refresh tokens of a kind.
type RefreshCodec struct {
	keys  Keys
	kind  byte
	flags byte
}

// NewRefreshCodec is for tokens of kind. With fingerprints, its tokens and none others
// have the fingerprint of an account.
func NewRefreshCodec(ring secret.Ring, kind string, fingerprints bool) RefreshCodec {
	// This byte lets a token of another kind be refused before its tag is computed.
	c := RefreshCodec{keys: NewKeys(ring, labelRefresh+kind), kind: sha256.Sum256([]byte("fiberjwt/v1/kind/" + kind))[0]}
	if fingerprints {
		c.flags = hasFingerprint
	}
	return c
}

// Encode returns the text of t.
func (c RefreshCodec) Encode(t Refresh) string {
	var b [refreshBytes]byte
	key := c.keys[0]
	b[0], b[1], b[2], b[3] = refreshVersion, key.id, c.kind, t.flags
	binary.BigEndian.PutUint32(b[4:], t.Generation)
	copy(b[8:], t.rid[:])
	copy(b[refreshBytes-tagBytes:], key.tag(b[:refreshBytes-tagBytes]))
	return refreshPrefix + encode(b[:])
}

// Parse reads a token and verifies its tag. A token that is forged, of another kind or
// of an unknown secret is not ok.
func (c RefreshCodec) Parse(raw string) (t Refresh, ok bool) {
	b, ok := c.bytes(raw)
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

// bytes decodes what looks like a token of the kind.
func (c RefreshCodec) bytes(raw string) ([]byte, bool) {
	text, ok := strings.CutPrefix(raw, refreshPrefix)
	if !ok {
		return nil, false
	}
	b, ok := decode(text, refreshBytes)
	return b, ok && len(b) == refreshBytes && b[0] == refreshVersion && b[2] == c.kind && b[3] == c.flags
}

// NamesUnknownSecret reports whether raw looks like a token of the kind that was made
// with a secret which is not in the ring.
func (c RefreshCodec) NamesUnknownSecret(raw string) bool {
	b, ok := c.bytes(raw)
	return ok && !slices.ContainsFunc(c.keys, func(key Key) bool { return key.id == b[1] })
}
