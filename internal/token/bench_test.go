package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
)

// measured changes a configuration to that of the benchmarks, and returns the claims of a
// token of 355 bytes.
func measured(cfg *token.Config) token.Claims {
	cfg.Issuer, cfg.Audience, cfg.Now = "fiberjwt", []string{"fiberjwt"}, time.Now
	now := time.Now().Unix()
	return token.Claims{
		Subject: "7", Kind: "users", SessionID: "q83vEjRWeJCrze8SNFZ4kA", ID: "AZrM0xJ3dXq8oGzS4Yl0Rg",
		IssuedAt: now, ExpiresAt: now + 600, AuthTime: now,
	}
}

// BenchmarkVerify compares Verify with the parser of golang-jwt, which makes the same
// checks, and with what no implementation can avoid: the MAC and strict base64.
func BenchmarkVerify(b *testing.B) {
	var claims token.Claims
	tokens, _ := newTokens(func(cfg *token.Config) { claims = measured(cfg) })
	open, _ := newTokens(func(cfg *token.Config) { measured(cfg); cfg.Kinds = nil })
	key := secret.NewRoot(current).Derive("fiberjwt/v1/access/users")
	good, err := tokens.Issue(claims, token.Shape{}, nil)
	require.NoError(b, err)
	require.Len(b, good, 355)
	forge := func(raw string) string { return raw[:len(raw)-5] + "AAAAA" }
	for _, test := range []struct {
		name, raw string
		tokens    *token.Tokens
	}{
		{"good", good, tokens},
		{"good/kinds=any", good, open},
		{"forged", forge(good), tokens},
		{"forged_longest", forge(signHS256(key, headerOf(current, "users"), strings.Repeat("x", 2837))), tokens},
		{"forged_kind/kinds=any", segment(headerOf(current, "invented")) + good[strings.IndexByte(good, '.'):], open},
		{"garbage", strings.Repeat("a", token.MaxBytes), tokens},
	} {
		b.Run("lib=fiberjwt/token="+test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = test.tokens.Verify(b.Context(), test.raw)
			}
			require.Equal(b, test.raw == good, err == nil)
		})
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("fiberjwt"), jwt.WithAudience("fiberjwt"),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding())
	for name, raw := range map[string]string{"good": good, "forged": forge(good)} {
		b.Run("lib=golang-jwt/token="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = parser.Parse(raw, func(*jwt.Token) (any, error) { return key, nil })
			}
			require.Equal(b, raw == good, err == nil)
		})
	}
	b.Run("lib=floor/token=good", func(b *testing.B) {
		mac, sum, strict := hmac.New(sha256.New, key), make([]byte, 0, sha256.Size), base64.RawURLEncoding.Strict()
		signature, payload, ok := make([]byte, sha256.Size), make([]byte, len(good)), false
		b.ReportAllocs()
		for b.Loop() {
			end := strings.LastIndexByte(good, '.')
			mac.Reset()
			mac.Write(unsafeBytes(good[:end]))
			sum = mac.Sum(sum[:0])
			_, _ = strict.Decode(signature, unsafeBytes(good[end+1:]))
			_, err = strict.Decode(payload, unsafeBytes(good[strings.IndexByte(good, '.')+1:end]))
			ok = hmac.Equal(signature, sum) && err == nil
		}
		require.True(b, ok)
	})
}

// BenchmarkVerifyAsymmetric compares Verify with the standard library, which only verifies
// the signature.
func BenchmarkVerifyAsymmetric(b *testing.B) {
	for _, algorithm := range []keys.Algorithm{keys.EdDSA, keys.ES256, keys.RS256} {
		key := newKey(b, algorithm)
		var claims token.Claims
		tokens, _ := newTokens(withKeys(newSet(b, key)), func(cfg *token.Config) { claims = measured(cfg) })
		raw, err := tokens.Issue(claims, token.Shape{}, nil)
		require.NoError(b, err)
		b.Run("lib=fiberjwt/alg="+string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = tokens.Verify(b.Context(), raw)
			}
			require.NoError(b, err)
		})
		end := strings.LastIndexByte(raw, '.')
		text := []byte(raw[:end])
		signature, err := base64.RawURLEncoding.DecodeString(raw[end+1:])
		require.NoError(b, err)
		b.Run("lib=crypto/alg="+string(algorithm), func(b *testing.B) {
			public, ok := key.Crypto(), false
			b.ReportAllocs()
			for b.Loop() {
				switch public := public.(type) {
				case ed25519.PublicKey:
					ok = ed25519.Verify(public, text, signature)
				case *ecdsa.PublicKey:
					digest := sha256.Sum256(text)
					ok = ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
				case *rsa.PublicKey:
					digest := sha256.Sum256(text)
					ok = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
				}
			}
			require.True(b, ok)
		})
	}
}

// BenchmarkIssue compares Issue with golang-jwt, which signs a struct of the same claims.
func BenchmarkIssue(b *testing.B) {
	var claims token.Claims
	tokens, _ := newTokens(func(cfg *token.Config) { claims = measured(cfg) })
	for name, custom := range map[string]map[string]any{"none": nil, "two": {"role": "admin", "groups": []string{"a", "b"}}} {
		b.Run("lib=fiberjwt/custom="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := tokens.Issue(claims, token.Shape{}, custom)
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	key := secret.NewRoot(current).Derive("fiberjwt/v1/access/users")
	type all struct {
		jwt.RegisteredClaims
		Kind      string           `json:"kind"`
		SessionID string           `json:"sid"`
		AuthTime  *jwt.NumericDate `json:"auth_time"`
	}
	b.Run("lib=golang-jwt/custom=none", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			at := jwt.NewNumericDate(time.Unix(claims.IssuedAt, 0))
			made := jwt.NewWithClaims(jwt.SigningMethodHS256, all{
				jwt.RegisteredClaims{
					Issuer: "fiberjwt", Audience: jwt.ClaimStrings{"fiberjwt"}, Subject: claims.Subject, ID: claims.ID,
					IssuedAt: at, ExpiresAt: jwt.NewNumericDate(time.Unix(claims.ExpiresAt, 0)),
				},
				claims.Kind, claims.SessionID, at,
			})
			made.Header["kid"] = "D1AXU1Yy.users"
			if _, err := made.SignedString(key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
