package fiberjwt

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
)

// A refresh token is 44 bytes in base64url behind a prefix that secret
// scanners can look for:
//
//	version 1 · key 1 · kind 1 · flags 1 · generation 4 · rid 20 · tag 16
//
// rid is random and stays for the life of the session; the table has only a
// hash of it. So the token of the next generation is a pure function of this
// one, and neither the table nor the key alone is enough to make one.
//
// The flag 1 is for kinds with Password "-": the last 4 bytes of rid are the
// fingerprint of the account, and of the ID of the session too.
const (
	refreshPrefix  = "fjr_"
	refreshVersion = 1
	refreshLength  = 59 // of the base64url text

	ridLength  = 20
	tagOffset  = 28
	tokenBytes = 44

	fingerprintBytes = 4
	hasFingerprint   = 1
)

// refreshToken is what a client presents, after its tag was verified.
type refreshToken struct {
	flags      byte
	generation uint32
	rid        [ridLength]byte
}

// newRefreshToken is one of a new session. fingerprint is nil or that of the account.
func newRefreshToken(fingerprint []byte) refreshToken {
	var t refreshToken
	_, _ = rand.Read(t.rid[:]) // never fails: the process ends instead
	if fingerprint != nil {
		t.flags = hasFingerprint
		copy(t.rid[ridLength-fingerprintBytes:], fingerprint)
	}
	return t
}

// sessionID is the key of the session's row and the sid of its access tokens.
func (t refreshToken) sessionID() []byte {
	sum := sha256.Sum256(t.rid[:])
	sid := sum[:16]
	if t.flags == hasFingerprint {
		copy(fingerprintOf(sid), t.rid[ridLength-fingerprintBytes:])
	}
	return sid
}

// fingerprintOf the account, in the ID of a session that has one.
func fingerprintOf(sid []byte) []byte { return sid[len(sid)-fingerprintBytes:] }

// child is the token of another generation of the same session.
func (t refreshToken) child(generation int64) refreshToken {
	t.generation = uint32(generation)
	return t
}

// encode tags the token under the signing key of a kind.
func (t refreshToken) encode(kind string, key refreshKey) string {
	var b [tokenBytes]byte
	b[0], b[1], b[2], b[3] = refreshVersion, key.id, kindByte(kind), t.flags
	binary.BigEndian.PutUint32(b[4:], t.generation)
	copy(b[8:], t.rid[:])
	copy(b[tagOffset:], key.tag(b[:tagOffset]))
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// parseRefreshToken verifies the tag; a forged token, one of another kind or
// of another secret ends here, without a query.
func (k *kind) parseRefreshToken(raw string) (refreshToken, bool) {
	b, ok := k.refreshTokenBytes(raw)
	if !ok {
		return refreshToken{}, false
	}
	for _, key := range k.refresh {
		// Two secrets share an id once in 256: try every key of that id.
		if key.id == b[1] && subtle.ConstantTimeCompare(key.tag(b[:tagOffset]), b[tagOffset:]) == 1 {
			t := refreshToken{flags: b[3], generation: binary.BigEndian.Uint32(b[4:])}
			copy(t.rid[:], b[8:])
			return t, true
		}
	}
	return refreshToken{}, false
}

// refreshTokenBytes decodes what looks like a refresh token of the kind.
func (k *kind) refreshTokenBytes(raw string) ([]byte, bool) {
	text, ok := strings.CutPrefix(raw, refreshPrefix)
	if !ok || len(text) != refreshLength || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64url.DecodeString(text)
	return b, err == nil && len(b) == tokenBytes && b[0] == refreshVersion && b[2] == kindByte(k.name) && b[3] == k.flags()
}

// refreshTokenOfAnother: raw names a secret that is not here.
func (k *kind) refreshTokenOfAnother(raw string) bool {
	b, ok := k.refreshTokenBytes(raw)
	return ok && !slices.ContainsFunc(k.refresh, func(key refreshKey) bool { return key.id == b[1] })
}

// flags of the refresh tokens of a kind.
func (k *kind) flags() byte {
	if len(k.telling) > 0 {
		return hasFingerprint
	}
	return 0
}

func (k refreshKey) tag(b []byte) []byte {
	mac := hmac.New(sha256.New, k.key)
	mac.Write(b)
	return mac.Sum(nil)[:tokenBytes-tagOffset]
}

// kindByte lets a token of another kind be refused before its tag is computed.
func kindByte(kind string) byte {
	sum := sha256.Sum256([]byte("fiberjwt/v1/kind/" + kind))
	return sum[0]
}
