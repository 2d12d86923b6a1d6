package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// phc is an argon2id hash, as text in the PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>
type phc struct {
	memory, time uint32
	threads      uint8
	salt, tag    []byte
}

// parsePHC accepts only what encode writes, and only parameters within the limits.
func parsePHC(encoded string) (phc, bool) {
	if len(encoded) > maxPHC {
		return phc{}, false
	}
	var p phc
	var text string
	if _, err := fmt.Sscanf(encoded, "$argon2id$v=19$m=%d,t=%d,p=%d$%s", &p.memory, &p.time, &p.threads, &text); err != nil {
		return phc{}, false
	}
	salt, tag, _ := strings.Cut(text, "$")
	var errSalt, errTag error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(salt)
	p.tag, errTag = base64.RawStdEncoding.DecodeString(tag)
	// The last comparison refuses what the parsers tolerate: signs, leading zeros, blanks,
	// line breaks in base64, spare bits at its end.
	if errSalt != nil || errTag != nil || !p.bounded() || p.encode() != encoded {
		return phc{}, false
	}
	return p, true
}

// bounded reports whether the parameters are within the limits: at least those of RFC 9106
// §3.1, and at most our own.
func (p phc) bounded() bool {
	return p.time >= 1 && p.time <= maxTime &&
		p.threads >= 1 && p.threads <= maxThreads &&
		p.memory >= 8*uint32(p.threads) && p.memory <= maxMemory &&
		len(p.salt) >= 8 && len(p.salt) <= 64 &&
		len(p.tag) >= 16 && len(p.tag) <= 64
}

func (p phc) encode() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.tag))
}

// derive returns the tag of a password.
func (p phc) derive(password string) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.tag)))
}

func (p phc) matches(password string) bool {
	return subtle.ConstantTimeCompare(p.derive(password), p.tag) == 1
}

// weakerThan reports whether any parameter of p is weaker than that of q. Threads do not
// count, because an attacker can use any number of them.
func (p phc) weakerThan(q phc) bool {
	return p.memory < q.memory || p.time < q.time || len(p.salt) < len(q.salt) || len(p.tag) < len(q.tag)
}
