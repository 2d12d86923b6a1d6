package fiberjwt

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
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
const (
	refreshPrefix  = "fjr_"
	refreshVersion = 1
	refreshLength  = 59 // of the base64url text

	ridLength  = 20
	tagOffset  = 28
	tokenBytes = 44
)

// refreshToken is what a client presents, after its tag was verified.
type refreshToken struct {
	generation uint32
	rid        [ridLength]byte
}

func newRefreshToken() refreshToken {
	var t refreshToken
	_, _ = rand.Read(t.rid[:]) // never fails: the process ends instead
	return t
}

// sessionID is the key of the session's row and the sid of its access tokens.
func (t refreshToken) sessionID() []byte {
	sum := sha256.Sum256(t.rid[:])
	return sum[:16]
}

// child is the token of another generation of the same session.
func (t refreshToken) child(generation int64) refreshToken {
	t.generation = uint32(generation)
	return t
}

// encode tags the token under the signing key of a kind.
func (t refreshToken) encode(kind string, key refreshKey) string {
	var b [tokenBytes]byte
	b[0], b[1], b[2] = refreshVersion, key.id, kindByte(kind)
	binary.BigEndian.PutUint32(b[4:], t.generation)
	copy(b[8:], t.rid[:])
	copy(b[tagOffset:], key.tag(b[:tagOffset]))
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// parseRefreshToken verifies the tag; a forged token, one of another kind or
// of another secret ends here, without a query.
func parseRefreshToken(raw, kind string, keys []refreshKey) (refreshToken, bool) {
	text, ok := strings.CutPrefix(raw, refreshPrefix)
	if !ok || len(text) != refreshLength || strings.ContainsAny(text, "\r\n") {
		return refreshToken{}, false
	}
	b, err := base64url.DecodeString(text)
	if err != nil || len(b) != tokenBytes || b[0] != refreshVersion || b[2] != kindByte(kind) || b[3] != 0 {
		return refreshToken{}, false
	}
	for _, key := range keys {
		// Two secrets share an id once in 256: try every key of that id.
		if key.id == b[1] && subtle.ConstantTimeCompare(key.tag(b[:tagOffset]), b[tagOffset:]) == 1 {
			t := refreshToken{generation: binary.BigEndian.Uint32(b[4:])}
			copy(t.rid[:], b[8:])
			return t, true
		}
	}
	return refreshToken{}, false
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
