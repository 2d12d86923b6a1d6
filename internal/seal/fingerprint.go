package seal

import "crypto/subtle"

// Fingerprint returns the fingerprint of an account that text tells from others.
func (k Keys) Fingerprint(text string) []byte { return k[0].bind(text)[:FingerprintBytes] }

// HasFingerprint reports, in constant time, whether fingerprint is one of text.
func (k Keys) HasFingerprint(fingerprint []byte, text string) bool {
	for _, key := range k {
		if subtle.ConstantTimeCompare(key.bind(text)[:FingerprintBytes], fingerprint) == 1 {
			return true
		}
	}
	return false
}
