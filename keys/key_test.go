package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/keys"
)

var asymmetric = []keys.Algorithm{
	keys.ES256, keys.ES384, keys.ES512, keys.EdDSA, keys.RS256, keys.RS384, keys.RS512, keys.PS256, keys.PS384, keys.PS512,
}

func generate(t testing.TB, algorithm keys.Algorithm) keys.Key {
	t.Helper()
	k, err := keys.Generate(algorithm)
	require.NoError(t, err)
	return k
}

func TestKeyVerifiesOnlyWhatItSigned(t *testing.T) {
	for _, algorithm := range asymmetric {
		t.Run(string(algorithm), func(t *testing.T) {
			k, other := generate(t, algorithm), generate(t, algorithm)
			signature, err := k.Sign("text")
			require.NoError(t, err)
			require.True(t, k.Public().Verify("text", signature))
			require.False(t, k.Verify("texts", signature))
			require.False(t, other.Verify("text", signature))
			require.False(t, k.Verify("text", append(signature, 0)), "a longer signature")
			require.False(t, k.Verify("text", signature[:len(signature)-1]), "a shorter one")
			require.False(t, k.Verify("text", nil))
			for i := range signature {
				signature[i] ^= 1
				require.False(t, k.Verify("text", signature), "bit of byte %d", i)
				signature[i] ^= 1
			}
		})
	}
}

func TestPublicKeyCannotSign(t *testing.T) {
	k := generate(t, keys.ES256).Public()
	require.False(t, k.Private())
	_, err := k.Sign("text")
	require.Error(t, err)
}

func TestZeroKeyIsUnusable(t *testing.T) {
	var k keys.Key
	require.False(t, k.Verify("", nil))
	_, err := k.Sign("")
	require.Error(t, err)
	require.Equal(t, "[no key]", fmt.Sprintf("%v", k))
	_, err = json.Marshal(k)
	require.Error(t, err)
	_, err = keys.NewSet(k)
	require.ErrorContains(t, err, "zero value")
}

func TestPSSRequiresSaltOfHashLength(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	k, err := keys.RSA(keys.PS256, private)
	require.NoError(t, err)
	for _, salt := range []int{0, 20, 31, 33, 64} {
		require.False(t, k.Verify("text", pssSignature(t, private, "text", salt)), "salt of %d bytes", salt)
	}
	require.True(t, k.Verify("text", pssSignature(t, private, "text", 32)))
}

func TestWeakOrDamagedKeyIsRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	otherEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)

	for fault, make := range map[string]func() (keys.Key, error){
		"RSA of 1024 bits":        func() (keys.Key, error) { return keys.RSA(keys.RS256, small) },
		"public RSA of 1024 bits": func() (keys.Key, error) { return keys.RSA(keys.RS256, &small.PublicKey) },
		"RSA of 9000 bits":        func() (keys.Key, error) { return keys.RSA(keys.RS256, wide(9000)) },
		"even exponent":           func() (keys.Key, error) { return keys.RSA(keys.RS256, &rsa.PublicKey{N: good.N, E: 65536}) },
		"exponent of one":         func() (keys.Key, error) { return keys.RSA(keys.RS256, &rsa.PublicKey{N: good.N, E: 1}) },
		"negative exponent":       func() (keys.Key, error) { return keys.RSA(keys.RS256, &rsa.PublicKey{N: good.N, E: -3}) },
		"even modulus": func() (keys.Key, error) {
			return keys.RSA(keys.RS256, &rsa.PublicKey{N: new(big.Int).Lsh(good.N, 1), E: 3})
		},
		"no modulus":      func() (keys.Key, error) { return keys.RSA(keys.RS256, &rsa.PublicKey{E: 3}) },
		"RSA for ES256":   func() (keys.Key, error) { return keys.RSA(keys.ES256, good) },
		"RSA for HS256":   func() (keys.Key, error) { return keys.RSA(keys.HS256, &good.PublicKey) },
		"RSA for none":    func() (keys.Key, error) { return keys.RSA("none", good) },
		"RSA for nothing": func() (keys.Key, error) { return keys.RSA("", good) },
		"nil RSA":         func() (keys.Key, error) { return keys.RSA(keys.RS256, (*rsa.PrivateKey)(nil)) },
		"RSA of foreign halves": func() (keys.Key, error) {
			return keys.RSA(keys.RS256, &rsa.PrivateKey{PublicKey: good.PublicKey, D: big.NewInt(5), Primes: good.Primes})
		},
		"P-224":       func() (keys.Key, error) { return keys.ECDSA(p224) },
		"nil ECDSA":   func() (keys.Key, error) { return keys.ECDSA((*ecdsa.PublicKey)(nil)) },
		"empty ECDSA": func() (keys.Key, error) { return keys.ECDSA(&ecdsa.PublicKey{}) },
		"ECDSA without its point": func() (keys.Key, error) {
			return keys.ECDSA(&ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)})
		},
		"a point off the curve": func() (keys.Key, error) {
			return keys.ECDSA(&ecdsa.PublicKey{Curve: elliptic.P256(), X: ec.X, Y: ec.X})
		},
		"a point of another curve": func() (keys.Key, error) {
			return keys.ECDSA(&ecdsa.PublicKey{Curve: elliptic.P384(), X: ec.X, Y: ec.Y})
		},
		"ECDSA of foreign halves": func() (keys.Key, error) { return keys.ECDSA(&ecdsa.PrivateKey{PublicKey: otherEC.PublicKey, D: ec.D}) },
		"ECDSA with D of zero": func() (keys.Key, error) {
			return keys.ECDSA(&ecdsa.PrivateKey{PublicKey: ec.PublicKey, D: new(big.Int)})
		},
		"RSA with an exponent that is never used": func() (keys.Key, error) {
			key := wide(2048)
			key.E = 1<<31 + 1
			return keys.RSA(keys.RS256, key)
		},
		"nil Ed25519":   func() (keys.Key, error) { return keys.Ed25519(ed25519.PrivateKey(nil)) },
		"short Ed25519": func() (keys.Key, error) { return keys.Ed25519(ed25519.PublicKey(ed[:31])) },
		"Ed25519 of foreign halves": func() (keys.Key, error) {
			return keys.Ed25519(ed25519.PrivateKey(append(append([]byte{}, ed[:32]...), ed[:32]...)))
		},
		"a secret of 31 bytes": func() (keys.Key, error) { return keys.HMAC(keys.HS256, []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ")) },
		"32 bytes for HS512":   func() (keys.Key, error) { return keys.HMAC(keys.HS512, []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0")) },
		"a secret for ES256":   func() (keys.Key, error) { return keys.HMAC(keys.ES256, []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0")) },
		"a PEM for a secret": func() (keys.Key, error) {
			return keys.HMAC(keys.HS256, []byte(strings.Repeat("-----BEGIN PUBLIC KEY-----", 2)))
		},
		"generating a shared secret": func() (keys.Key, error) { return keys.Generate(keys.HS256) },
	} {
		t.Run(fault, func(t *testing.T) {
			k, err := make()
			require.ErrorContains(t, err, "keys: ")
			require.Equal(t, keys.Key{}, k)
		})
	}
}

func wide(bits uint) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

func TestSmallOrderEd25519KeyIsRefused(t *testing.T) {
	for _, point := range smallPoints {
		for _, sign := range []byte{0, 0x80} {
			public := ed25519.PublicKey(hexBytes(t, point))
			public[31] |= sign
			if forged(public) {
				t.Logf("%x: forged", public)
			}
			_, err := keys.Ed25519(public)
			require.ErrorContains(t, err, "small order", "%x", public)
		}
	}
}

// forged reports whether a signature for one of several texts is found without a private
// key.
func forged(public ed25519.PublicKey) bool {
	signature := make([]byte, 64)
	signature[0] = 1 // R is the neutral point, S is 0
	for i := range 64 {
		if ed25519.Verify(public, fmt.Append(nil, i), signature) {
			return true
		}
	}
	return false
}

func TestSmallOrderEd25519KeyCanBeForged(t *testing.T) {
	for _, point := range smallPoints[:5] { // Go refuses the encodings of the others
		require.True(t, forged(hexBytes(t, point)), point)
	}
	require.False(t, forged(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)))
}

var smallPoints = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestKeyNeverPrintsItsSecret(t *testing.T) {
	for _, algorithm := range asymmetric {
		k := generate(t, algorithm)
		want := string(algorithm) + ":" + k.ID()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			require.Equal(t, want, fmt.Sprintf(verb, k), verb)
		}
		text, err := json.Marshal(k)
		require.NoError(t, err)
		for _, member := range []string{`"d"`, `"p"`, `"q"`, `"k"`} {
			require.NotContains(t, string(text), member)
		}
	}
	secret := "kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"
	k, err := keys.HMAC(keys.HS256, []byte(secret))
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k), secret)
	_, err = json.Marshal(k)
	require.Error(t, err)
}

func TestSharedSecretIDIsRandom(t *testing.T) {
	jwk := []byte(`{"kty":"oct","alg":"HS256","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`)
	one, err := keys.ParseJWK(jwk)
	require.NoError(t, err)
	again, err := keys.ParseJWK(jwk)
	require.NoError(t, err)
	require.NotEqual(t, one.ID(), again.ID())
	_, err = keys.NewSet(one, again)
	require.NoError(t, err)
}

// About half of all strings of 32 bytes, such as 2, are not the y of any point.
func TestEd25519KeyOffTheCurveIsRefused(t *testing.T) {
	for y, want := range map[byte]bool{2: false, 3: true, 4: true, 5: true, 6: true, 7: false, 8: false, 9: true} {
		public := make(ed25519.PublicKey, 32)
		public[0] = y
		_, err := keys.Ed25519(public)
		require.Equal(t, want, err == nil, "%d", y)
	}
	for range 50 {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		_, err = keys.Ed25519(private)
		require.NoError(t, err)
	}
}

func TestRSAKeySharesNoNumbersWithCaller(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	modulus := new(big.Int).Set(key.N)
	k, err := keys.RSA(keys.RS256, key)
	require.NoError(t, err)
	public, err := keys.RSA(keys.RS256, &key.PublicKey)
	require.NoError(t, err)
	for _, number := range append([]*big.Int{key.N, key.D}, key.Primes...) {
		number.SetInt64(15)
	}
	k.Crypto().(*rsa.PublicKey).N.SetInt64(15)
	require.Equal(t, modulus, k.Crypto().(*rsa.PublicKey).N)
	signature, err := k.Sign("text")
	require.NoError(t, err)
	require.True(t, k.Verify("text", signature))
	require.True(t, public.Verify("text", signature))
}

func TestEd25519KeyIsCopied(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	k, err := keys.Ed25519(private)
	require.NoError(t, err)
	clear(private)
	signature, err := k.Sign("text")
	require.NoError(t, err)
	require.True(t, k.Verify("text", signature))
}

func pssSignature(t *testing.T, key *rsa.PrivateKey, text string, salt int) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: saltLength(salt)})
	require.NoError(t, err)
	return signature
}

// saltLength converts a length: for package rsa, zero means as long as possible.
func saltLength(n int) int {
	if n == 0 {
		return rsa.PSSSaltLengthAuto
	}
	return n
}

func hexBytes(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}
