package seal

import "crypto/subtle"

// Fingerprint returns the fingerprint of an account, [FingerprintBytes] long. text
// identifies the account and is not recognizable in the result.
func (k Keys) Fingerprint(text string) []byte { return k[0].bind(text)[:FingerprintBytes] }

// HasFingerprint reports whether one of the keys made fingerprint from text. The
// comparison takes constant time.
func (k Keys) HasFingerprint(fingerprint []byte, text string) bool {
	for _, key := range k {
		if subtle.ConstantTimeCompare(key.bind(text)[:FingerprintBytes], fingerprint) == 1 {
			return true
		}
	}
	return false
}
