package keys

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
)

// Secret is random bytes, 32 or more, for instance from
//
//	openssl rand -base64 48
//
// Formatting, logging and marshalling it give "[secret]". A []byte is
// assignable to it.
type Secret []byte

// Format keeps the secret out of every fmt verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalJSON keeps the secret out of JSON.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// MarshalText keeps the secret out of logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Check says why s must not be used, nil if it may. The text is made to follow
// the name of the secret and shows nothing of it.
func (s Secret) Check() error {
	if fault := s.fault(); fault != "" {
		return errors.New(fault)
	}
	return nil
}

func (s Secret) fault() string {
	switch {
	case len(s) == 0:
		return "is empty; give 32 random bytes or more, for instance from: openssl rand -base64 48"
	case len(s) < 32:
		// RFC 7518 §3.2: a key at least as long as the hash.
		return fmt.Sprintf("has %d bytes; give 32 random bytes or more, for instance from: openssl rand -base64 48", len(s))
	case bytes.Contains(s, []byte("---- BEGIN")), bytes.Contains(s, []byte("-----BEGIN")), s.ssh(), s.der():
		// A public key taken for an HMAC secret would let anybody sign.
		return "looks like a PEM, DER or SSH key; a secret is random bytes"
	case s.repetitive():
		return "repeats itself and can be guessed; give random bytes"
	case published[string(bytes.TrimSpace(s))]:
		return "is a published example that everybody knows; give random bytes"
	}
	return ""
}

// ssh: a line of an authorized_keys file.
func (s Secret) ssh() bool {
	for _, start := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if bytes.HasPrefix(s, []byte(start)) {
			return true
		}
	}
	return false
}

// der: one ASN.1 SEQUENCE of elements from the first byte to the last, as keys
// in DER are. The first bytes alone one random secret in 65,536 has too.
func (s Secret) der() bool {
	var sequence asn1.RawValue
	rest, err := asn1.Unmarshal(s, &sequence)
	if err != nil || len(rest) > 0 || sequence.Tag != asn1.TagSequence || !sequence.IsCompound {
		return false
	}
	for rest = sequence.Bytes; len(rest) > 0; {
		if rest, err = asn1.Unmarshal(rest, &asn1.RawValue{}); err != nil {
			return false
		}
	}
	return true
}

// repetitive: fewer than eight different bytes, or one short piece over and over.
func (s Secret) repetitive() bool {
	seen := map[byte]bool{}
	for _, b := range s {
		seen[b] = true
	}
	if len(seen) < 8 {
		return true
	}
	for period := 1; period <= len(s)/2 && period <= 16; period++ {
		if bytes.Equal(s[period:], s[:len(s)-period]) {
			return true
		}
	}
	return false
}

// published secrets of 32 bytes or more that tutorials and debuggers show.
var published = map[string]bool{
	"a-string-secret-at-least-256-bits-long":                                  true,
	"your-256-bit-secret-your-256-bit-secret":                                 true,
	"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long": true,
	"this-is-a-very-secure-secret-key-please-change":                          true,
	"your-super-secret-jwt-token-with-at-least-32-characters-long":            true,
	"super-secret-jwt-token-with-at-least-32-characters-long":                 true,
	"abcdefghijklmnopqrstuvwxyz0123456789":                                    true,
	"0123456789abcdef0123456789abcdef":                                        true,
	"abcdefghijklmnopqrstuvwxyz123456":                                        true,
}
