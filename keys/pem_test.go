package keys_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/keys"
)

func armor(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func certificate(t testing.TB, public, signer any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	return armor("CERTIFICATE", der, err)
}

func TestParsePEMReadsEveryForm(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	ed, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return armor("PRIVATE KEY", der, err)
	}
	pkix := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		return armor("PUBLIC KEY", der, err)
	}
	sec1 := func(key *ecdsa.PrivateKey) []byte {
		der, err := x509.MarshalECPrivateKey(key)
		return armor("EC PRIVATE KEY", der, err)
	}
	chain := append(certificate(t, &ec.PublicKey, ec), certificate(t, ed, edKey)...)
	for form, tc := range map[string]struct {
		text      []byte
		algorithm keys.Algorithm
		private   bool
	}{
		"PKCS #8 EC":              {pkcs8(ec), keys.ES384, true},
		"PKCS #8 Ed25519":         {pkcs8(edKey), keys.EdDSA, true},
		"PKCS #8 RSA":             {pkcs8(rs), keys.PS256, true},
		"PKCS #1 private":         {armor("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs), nil), keys.RS256, true},
		"PKCS #1 public":          {armor("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rs.PublicKey), nil), keys.RS512, false},
		"SEC 1":                   {sec1(ec), keys.ES384, true},
		"SEC 1 with parameters":   {append(armor("EC PARAMETERS", []byte{6, 5, 43, 129, 4, 0, 34}, nil), sec1(ec)...), keys.ES384, true},
		"PKIX EC":                 {pkix(&ec.PublicKey), keys.ES384, false},
		"PKIX Ed25519":            {pkix(ed), keys.EdDSA, false},
		"PKIX RSA":                {pkix(&rs.PublicKey), keys.RS256, false},
		"a certificate":           {certificate(t, &ec.PublicKey, ec), keys.ES384, false},
		"a chain of certificates": {chain, keys.ES384, false},
		"text around":             {append([]byte("Bag Attributes\n\n"), append(pkcs8(ec), "\n\n"...)...), keys.ES384, true},
	} {
		t.Run(form, func(t *testing.T) {
			k, err := keys.ParsePEM(tc.text, tc.algorithm)
			require.NoError(t, err)
			require.Equal(t, tc.algorithm, k.Algorithm())
			require.Equal(t, tc.private, k.Private())
		})
	}
}

func TestParsePEMRefusesWithoutRepeatingInput(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	good, err := x509.MarshalPKCS8PrivateKey(ec)
	require.NoError(t, err)
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return armor("PRIVATE KEY", der, err)
	}
	encrypted, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", good, []byte("x"), x509.PEMCipherAES256)
	require.NoError(t, err)
	for fault, tc := range map[string]struct {
		text       []byte
		algorithms []keys.Algorithm
		want       string
	}{
		"nothing":                {nil, nil, "no PEM block"},
		"DER":                    {good, nil, "no PEM block"},
		"a secret":               {[]byte(sharedSecret), nil, "no PEM block"},
		"a JWK":                  {[]byte(`{"kty":"oct","k":"AAAA"}`), nil, "no PEM block"},
		"garbage in PEM":         {armor("PRIVATE KEY", []byte("secret garbage"), nil), nil, "cannot be read"},
		"a public key mislabel":  {armor("PUBLIC KEY", good, nil), nil, "cannot be read"},
		"another block":          {armor("X509 CRL", good, nil), nil, "neither a key nor a certificate"},
		"encrypted PKCS #8":      {armor("ENCRYPTED PRIVATE KEY", good, nil), nil, "is encrypted"},
		"encrypted":              {pem.EncodeToMemory(encrypted), nil, "is encrypted"},
		"two keys":               {append(pkcs8(ec), pkcs8(ec)...), nil, "several keys"},
		"a key and certificate":  {append(pkcs8(ec), certificate(t, &ec.PublicKey, ec)...), nil, "several keys"},
		"certificates and a key": {append(append(certificate(t, &ec.PublicKey, ec), certificate(t, &ec.PublicKey, ec)...), pkcs8(ec)...), nil, "several keys"},
		"RSA without algorithm":  {pkcs8(rs), nil, "does not name its algorithm"},
		"RSA for two":            {pkcs8(rs), []keys.Algorithm{keys.RS256, keys.PS256}, "does not name its algorithm"},
		"RSA for ES256":          {pkcs8(rs), []keys.Algorithm{keys.ES256}, "does not name its algorithm"},
		"RSA of 1024 bits":       {pkcs8(small), []keys.Algorithm{keys.RS256}, "1024 bits"},
		"EC for EdDSA":           {pkcs8(ec), []keys.Algorithm{keys.EdDSA}, "is for ES256"},
		"EC for HS256":           {pkcs8(ec), []keys.Algorithm{keys.HS256}, "is for ES256"},
		"X25519":                 {pkcs8(exchange), nil, "signs no tokens"},
	} {
		t.Run(fault, func(t *testing.T) {
			_, err := keys.ParsePEM(tc.text, tc.algorithms...)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "secret garbage")
		})
	}
}

func FuzzParsePEM(f *testing.F) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	f.Add(armor("PRIVATE KEY", der, err))
	der, err = x509.MarshalPKIXPublicKey(&k.PublicKey)
	f.Add(armor("PUBLIC KEY", der, err))
	f.Add(certificate(f, &k.PublicKey, k))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := keys.ParsePEM(text, keys.ES256, keys.EdDSA, keys.RS256)
		if err == nil {
			requireUsable(t, k)
		}
	})
}
