// Code generated from ../../../test/api/signature_bench_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

// BenchmarkVerifyToken compares Auth.Verify of a verify-only service with golang-jwt's
// parser with the same checks, on a valid and on a forged token.
func BenchmarkVerifyToken(b *testing.B) {
	for _, algorithm := range append([]keys.Algorithm{keys.HS256}, keys.ES256, keys.EdDSA, keys.RS256, keys.PS256) {
		v := newVerification(b, algorithm)
		for _, token := range []struct{ name, text string }{{"good", v.good}, {"forged", v.forged}} {
			b.Run("lib=fiberjwt/alg="+string(algorithm)+"/token="+token.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, err := v.auth.Verify(context.Background(), token.text)
					if (err == nil) != (token.name == "good") {
						b.Fatal(err)
					}
				}
			})
			b.Run("lib=golang-jwt/alg="+string(algorithm)+"/token="+token.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, err := v.parser.Parse(token.text, v.find)
					if (err == nil) != (token.name == "good") {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

type verification struct {
	auth         *fiberjwt.Auth
	parser       *jwt.Parser
	find         jwt.Keyfunc
	good, forged string
}

func newVerification(b *testing.B, algorithm keys.Algorithm) verification {
	b.Helper()
	at := clock{now: time.Unix(noon, 0)}
	cfg := fiberjwt.Config{Now: at.Now}
	mint := outsider{testSecret}
	header := mint.header("users")
	sign := func(text string) []byte { return digest(sha256.New, mint.key("users"), text) }
	var public any = mint.key("users")
	if algorithm == keys.HS256 {
		cfg.Secret = []byte(testSecret)
	} else {
		k := newKey(b, algorithm)
		cfg.Keys, public = newSet(b, k.Public()), k.Crypto()
		header = `{"alg":"` + string(algorithm) + `","kid":"` + k.ID() + `","typ":"at+jwt"}`
		sign = func(text string) []byte { signature, _ := k.Sign(text); return signature }
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(b, err)
	text := segment(header) + "." + segment(plainClaims("users", "1").String())
	signature := sign(text)
	good := text + "." + segment(string(signature))
	signature[len(signature)/2] ^= 1
	return verification{
		auth: auth, good: good, forged: text + "." + segment(string(signature)), find: func(*jwt.Token) (any, error) { return public, nil },
		parser: jwt.NewParser(jwt.WithValidMethods([]string{string(algorithm)}), jwt.WithIssuer("fiberjwt"), jwt.WithAudience("fiberjwt"),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(at.Now)),
	}
}
