package seal_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/keys"
)

const label = "fiberjwt/v1/test"

// The first bytes of the identifiers of current and older differ. Those of current and
// twin are the same, which happens with one pair of secrets in 256.
var (
	current = keys.Secret("0123456789abcdef0123456789abcdef")
	older   = keys.Secret("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	twin    = keys.Secret("a secret of the same identifier 110")
)

func ring(secrets ...keys.Secret) secret.Ring { return secret.NewRing(secrets[0], secrets[1:]) }

func TestTwinHasTheIdentifierOfCurrent(t *testing.T) {
	require.Equal(t, secret.NewRoot(current).ID, secret.NewRoot(twin).ID)
	require.NotEqual(t, secret.NewRoot(current).ID, secret.NewRoot(older).ID)
}

// requireTamperProof requires that accepts refuses text with any bit changed, with
// another spelling, and with anything before or after it.
func requireTamperProof(t *testing.T, prefix, text string, accepts func(string) bool) {
	t.Helper()
	require.True(t, accepts(text))
	encoded, ok := strings.CutPrefix(text, prefix)
	require.True(t, ok)
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	require.NoError(t, err)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			require.False(t, accepts(prefix+base64.RawURLEncoding.EncodeToString(b)), "byte %d, bit %d", i, bit)
			b[i] ^= 1 << bit
		}
	}
	for length := range b {
		require.False(t, accepts(prefix+base64.RawURLEncoding.EncodeToString(b[:length])), "the first %d bytes", length)
	}
	for name, other := range map[string]string{
		"nothing":                  "",
		"the prefix alone":         prefix,
		"no prefix":                "x" + encoded,
		"a byte more":              prefix + base64.RawURLEncoding.EncodeToString(append(b, 0)),
		"a long text":              text + strings.Repeat("A", 1<<16),
		"padding":                  text + "=",
		"a line feed at the end":   text + "\n",
		"a line feed inside":       text[:10] + "\n" + text[10:],
		"a carriage return inside": text[:10] + "\r" + text[10:],
		"a space before":           " " + text,
		"the other alphabet":       prefix + "+" + encoded[1:],
	} {
		require.False(t, accepts(other), name)
	}
}

func TestFingerprintIsFoundByEveryKeyOfTheRing(t *testing.T) {
	before := seal.NewKeys(ring(older), label)
	after := seal.NewKeys(ring(current, older), label)
	fingerprint := before.Fingerprint("ada@example.com")
	require.Len(t, fingerprint, seal.FingerprintBytes)
	require.True(t, before.HasFingerprint(fingerprint, "ada@example.com"))
	require.True(t, after.HasFingerprint(fingerprint, "ada@example.com"), "after a rotation of the secret")
	require.NotEqual(t, fingerprint, after.Fingerprint("ada@example.com"), "the first key makes new ones")
}

func TestFingerprintDependsOnTextLabelAndSecret(t *testing.T) {
	made := seal.NewKeys(ring(current), label)
	fingerprint := made.Fingerprint("ada@example.com")
	require.False(t, made.HasFingerprint(fingerprint, "bob@example.com"))
	require.False(t, made.HasFingerprint(fingerprint[:3], "ada@example.com"))
	require.False(t, made.HasFingerprint(nil, "ada@example.com"))
	require.False(t, seal.NewKeys(ring(current), "another label").HasFingerprint(fingerprint, "ada@example.com"))
	require.False(t, seal.NewKeys(ring(older), label).HasFingerprint(fingerprint, "ada@example.com"))
}
