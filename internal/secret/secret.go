// Package secret derives the library's keys from the secrets of an application.
package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"

	"github.com/fiberjwt/fiberjwt/keys"
)

// The labels of derived keys are part of the wire format: another program that knows
// the secret derives the same keys.
const labelID = "fiberjwt/v1/id"

// Root is a secret with the two names by which tokens refer to it.
type Root struct {
	KeyID string // in the header of an access token
	ID    byte   // in all other tokens

	// derive holds the secret. A function prints as an address, whatever struct it is in.
	derive func(label string, length int) []byte
}

// NewRoot copies secret. Its names are derived, not counted, so that a secret keeps
// them when it moves from Config.Secret to OldSecrets.
func NewRoot(secret keys.Secret) Root {
	secret = bytes.Clone(secret)
	derive := func(label string, length int) []byte {
		key, err := hkdf.Key(sha256.New, secret, nil, label, length)
		if err != nil {
			panic(err) // unreachable: only a length over 8,160 fails
		}
		return key
	}
	id := derive(labelID, 6)
	return Root{KeyID: base64.RawURLEncoding.EncodeToString(id), ID: id[0], derive: derive}
}

// Derive returns the key of 32 bytes that label names: HKDF-SHA256 (RFC 5869) without
// salt.
func (r Root) Derive(label string) []byte { return r.derive(label, sha256.Size) }

// Ring holds the secrets of an application. The first signs, all verify.
type Ring []Root

// NewRing returns a ring of current and old. It is empty if current is.
func NewRing(current keys.Secret, old []keys.Secret) Ring {
	if len(current) == 0 {
		return nil
	}
	ring := Ring{NewRoot(current)}
	for _, secret := range old {
		ring = append(ring, NewRoot(secret))
	}
	return ring
}
