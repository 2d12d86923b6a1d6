package keys_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/keys"
)

// factorable is a modulus of a chip with CVE-2017-15361. The researchers who found the
// vulnerability publish it for tests.
const factorable = "9dcd7420e420c270a68060eb8b5aa7457a9f6648f86fafed2775cc1f79ae962f1e63f1b9e51c55f9ea6fdc7332e9b005" +
	"8c9ff2eb1fc89855029cf6aafe21e689feb38ac9ffb12f1ce371bb5d0e9aae64161abce74b4244bf68f1edb4411f756a097c8929c1474024" +
	"5ea355f8332d1aa36bb50c7dcb4505da8de02e4e53d38f8df06097da7524df0df93db48eac8cc4af2d3a16257eb2b2adca6ba464e5974fa9" +
	"2550d31b1babf161e7692d00b86e3dd886ecab4abfbe1a8f8cc263ff4af55cdb45f4249a5193925f5e983d762f0b6800943eb0267b08f42e" +
	"d311ce1f5c86eacbc8ce4d3cb7a2fee1ef5641423a1cf4114e5ecf50034a60a412523af9e6f4aa11"

func TestROCAKeyIsRefusedFromEverySource(t *testing.T) {
	n, ok := new(big.Int).SetString(factorable, 16)
	require.True(t, ok)
	public := &rsa.PublicKey{N: n, E: 65537}
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	for door, read := range map[string]func() (keys.Key, error){
		"Go type": func() (keys.Key, error) { return keys.RSA(keys.PS256, public) },
		"PEM": func() (keys.Key, error) {
			return keys.ParsePEM(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), keys.RS256)
		},
		"JWK": func() (keys.Key, error) {
			return keys.ParseJWK([]byte(`{"kty":"RSA","alg":"RS256","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(n.Bytes()) + `"}`))
		},
	} {
		_, err := read()
		require.ErrorContains(t, err, "CVE-2017-15361", door)
	}

	// The next modulus does not have the mark.
	_, err = keys.RSA(keys.PS256, &rsa.PublicKey{N: new(big.Int).Add(n, big.NewInt(2)), E: 65537})
	require.NoError(t, err)
}
