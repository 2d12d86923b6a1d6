package keys_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/keys"
)

// For development and tests: a key that exists only in this process.
func ExampleGenerate() {
	key, err := keys.Generate(keys.ES256)
	fmt.Println(key.Algorithm(), key.Private(), err)
	// Output: ES256 true <nil>
}

// The curve determines the algorithm.
func ExampleECDSA() {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	key, err := keys.ECDSA(private)
	fmt.Println(key.Algorithm(), err)
	// Output: ES384 <nil>
}

// A public key only verifies.
func ExampleEd25519() {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	key, err := keys.Ed25519(public)
	fmt.Println(key.Algorithm(), key.Private(), err)
	// Output: EdDSA false <nil>
}

// An RSA key fits several algorithms, so you must name one.
func ExampleRSA() {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	key, err := keys.RSA(keys.PS256, private)
	fmt.Println(key.Algorithm(), err)
	// Output: PS256 <nil>
}

// The secret of another service that signs tokens, for [fiberjwt.TrustedIssuer].
func ExampleHMAC() {
	_, err := keys.HMAC(keys.HS256, keys.Secret("too short"))
	fmt.Println(err != nil)
	key, err := keys.HMAC(keys.HS256, keys.Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"))
	fmt.Println(key.Named("billing-1").ID(), err)
	// Output:
	// true
	// billing-1 <nil>
}

// A JWK from a file. The key of RFC 8037, whose kid is its thumbprint.
func ExampleParseJWK() {
	key, err := keys.ParseJWK([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	fmt.Println(key.Algorithm(), key.ID(), err)
	// Output: EdDSA kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k <nil>
}

// The published keys of another issuer, from a local file.
func ExampleParseSet() {
	set, err := keys.ParseSet([]byte(`{"keys":[
		{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		{"kty":"OKP","crv":"X25519","use":"enc","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}
	]}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(len(set.All()), "key for signatures")
	_, err = set.Find(context.Background(), "unknown", keys.EdDSA)
	fmt.Println(errors.Is(err, keys.ErrNoKey))
	// Output:
	// 1 key for signatures
	// true
}

// The published keys of another issuer, fetched when they are needed.
func ExampleFromURL() {
	remote := keys.FromURL("https://auth.example.com/.well-known/jwks.json", keys.ES256)
	fmt.Println(remote.Check()) // as fiberjwt.Open does
	// Output: <nil>
}

// An attacker in the network can replace keys that are fetched over plain http.
func ExampleFromURL_incorrect() {
	fmt.Println(keys.FromURL("http://auth.example.com/.well-known/jwks.json").Check() != nil)
	// Output: true
}

// A key function for golang-jwt can still be used. You must name the algorithms, because
// the function alone would let the token choose one.
func ExampleFunc() {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	source := keys.Func(func(*jwt.Token) (any, error) { return public, nil }, keys.EdDSA)
	key, err := source.Find(context.Background(), "any", keys.EdDSA)
	fmt.Println(key.Algorithm(), err)
	_, err = source.Find(context.Background(), "any", keys.HS256)
	fmt.Println(errors.Is(err, keys.ErrNoKey))
	// Output:
	// EdDSA <nil>
	// true
}

// Secrets do not print.
func ExampleSecret() {
	fmt.Printf("%s %v %x\n", keys.Secret("kV9s0bQ2"), keys.Secret("kV9s0bQ2"), keys.Secret("kV9s0bQ2"))
	// Output: [secret] [secret] [secret]
}
