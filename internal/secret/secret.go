// Package secret derives the library's keys from the secrets of an application.
// Everything in it is immutable and safe for concurrent use.
package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"

	"github.com/fiberjwt/fiberjwt/keys"
)

// The labels of derived keys are part of the wire format, because another program that
// knows the secret must be able to derive the same keys.
const labelID = "fiberjwt/v1/id"

// Root is a secret with the two identifiers by which tokens refer to it.
type Root struct {
	KeyID string // 8 characters, in the header of an access token
	ID    byte   // in all other tokens; one pair of secrets in 256 shares it

	// derive holds the secret. A function is printed as an address, so a Root that is
	// formatted or logged, also inside another struct, does not reveal the secret.
	derive func(label string, length int) []byte
}

// NewRoot returns the Root of a copy of secret. The identifiers depend on the secret
// alone, not on its position, so they stay the same when the application moves the
// secret from Config.Secret to OldSecrets.
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

// Derive returns the 32-byte key for label, by HKDF-SHA256 (RFC 5869) without a salt and
// with label as info.
func (r Root) Derive(label string) []byte { return r.derive(label, sha256.Size) }

// Ring holds the secrets of an application, the current one first. The first secret
// signs; all of them verify.
type Ring []Root

// NewRing returns a ring of current and old, in this order. If current is empty, the
// ring is empty.
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
