package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/report"
	"github.com/fiberjwt/fiberjwt/keys"
)

// asymmetricTokens is how many tokens are in turn. Signing them takes long.
const asymmetricTokens = 1024

// asymmetric compares verifying a token with the standard library's verification of its
// signature, and returns the algorithm with the largest ratio.
func asymmetric(b *bench) (outcome, error) {
	var worst outcome
	var sides []report.Side
	for _, algorithm := range []keys.Algorithm{keys.EdDSA, keys.ES256, keys.RS256} {
		o, err := b.asymmetric(algorithm)
		if err != nil {
			return outcome{}, err
		}
		if o.ratio.Median > worst.ratio.Median {
			worst = o
		}
		sides = append(sides, o.sides...)
	}
	worst.sides = sides
	return worst, nil
}

func (b *bench) asymmetric(algorithm keys.Algorithm) (outcome, error) {
	key, err := keys.Generate(algorithm)
	if err != nil {
		return outcome{}, err
	}
	signer, err := keys.NewSet(key)
	if err != nil {
		return outcome{}, err
	}
	tokens, err := fixture.Tokens(asymmetricTokens, signer)
	if err != nil {
		return outcome{}, err
	}
	verifier, err := keys.NewSet(key.Public())
	if err != nil {
		return outcome{}, err
	}
	ours, err := verifyOurs(fiberjwt.Config{Keys: verifier}, tokens)
	if err != nil {
		return outcome{}, err
	}
	ours.Name = "fiberjwt " + string(algorithm)
	floor, err := verifyCrypto(algorithm, key.Crypto(), tokens)
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over(ours.Name, floor.Name), ours, floor)
}

var errSignature = errors.New("the signature is not valid")

// verifyCrypto is a case that verifies the signatures of tokens by the standard library.
func verifyCrypto(algorithm keys.Algorithm, key crypto.PublicKey, tokens []fixture.Access) (measure.Case, error) {
	texts, signatures := make([][]byte, len(tokens)), make([][]byte, len(tokens))
	for i, access := range tokens {
		end := strings.LastIndexByte(access.Token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(access.Token[end+1:])
		if err != nil {
			return measure.Case{}, err
		}
		if algorithm == keys.ES256 {
			signature = asn1Signature(signature)
		}
		texts[i], signatures[i] = []byte(access.Token[:end]), signature
	}
	valid := func(text, signature []byte) bool {
		switch key := key.(type) {
		case ed25519.PublicKey:
			return ed25519.Verify(key, text, signature)
		case *ecdsa.PublicKey:
			digest := sha256.Sum256(text)
			return ecdsa.VerifyASN1(key, digest[:], signature)
		case *rsa.PublicKey:
			digest := sha256.Sum256(text)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
		}
		return false
	}
	next := -1
	return measure.Case{Name: "crypto " + string(algorithm), Run: measure.Each(func() error {
		if next++; next == len(texts) {
			next = 0
		}
		if !valid(texts[next], signatures[next]) {
			return errSignature
		}
		return nil
	})}, nil
}

// asn1Signature converts a signature of RFC 7518 §3.4, r and s, to ASN.1.
func asn1Signature(rs []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(rs[:len(rs)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(rs[len(rs)/2:]))
	})
	return b.BytesOrPanic()
}
