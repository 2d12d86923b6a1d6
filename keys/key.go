// Package keys has the keys that sign and verify access tokens: single keys from Go
// types, PEM or JWK, each with one algorithm; sets of keys that change while they
// are used; and sets of other issuers, fetched from an address.
//
// A service that signs has a [Set], whose first private key signs:
//
//	key, err := keys.ParsePEM(pem)
//	set, err := keys.NewSet(key)
//	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
//	app.Use(fiberjwt.New(fiberjwt.Config{Keys: set, …}))
//
// A service that only verifies these tokens needs one line:
//
//	app.Use(fiberjwt.New(fiberjwt.Config{Keys: keys.FromURL("https://auth.example.com/.well-known/jwks.json")}))
//
// A key that is too weak, does not fit its algorithm or is damaged is refused when
// it is made, not when a token is verified.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is the name of a signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
// There is no "none".
type Algorithm string

// The algorithms. Use ES256 unless you need another one: every library supports it,
// and its keys and signatures are small.
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA" // Ed25519
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	HS256 Algorithm = "HS256" // for tokens of other issuers only, see [HMAC]
	HS384 Algorithm = "HS384"
	HS512 Algorithm = "HS512"
)

// methods are those of golang-jwt, except for PSS: its methods accept any length of
// salt, and RFC 7518 §3.5 requires that of the hash.
var methods = map[Algorithm]jwt.SigningMethod{
	ES256: jwt.SigningMethodES256, ES384: jwt.SigningMethodES384, ES512: jwt.SigningMethodES512,
	EdDSA: jwt.SigningMethodEdDSA,
	RS256: jwt.SigningMethodRS256, RS384: jwt.SigningMethodRS384, RS512: jwt.SigningMethodRS512,
	PS256: pss(jwt.SigningMethodPS256), PS384: pss(jwt.SigningMethodPS384), PS512: pss(jwt.SigningMethodPS512),
	HS256: jwt.SigningMethodHS256, HS384: jwt.SigningMethodHS384, HS512: jwt.SigningMethodHS512,
}

func pss(m *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{SigningMethodRSA: m.SigningMethodRSA, Options: &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash}}
}

var (
	rsaAlgorithms  = []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512}
	hmacAlgorithms = []Algorithm{HS256, HS384, HS512}
)

const (
	minRSABits = 2048 // RFC 7518 §3.3
	maxRSABits = 8192 // limits the cost of verifying a token
	maxIDBytes = 128
)

// Key signs and verifies, or only verifies, by one algorithm. It is an immutable
// value, safe for concurrent use. Formatting prints its algorithm and ID;
// marshalling to JSON gives its public JWK (RFC 7517).
//
// The zero value is not a key and is refused everywhere.
type Key struct {
	id        string
	algorithm Algorithm
	private   any // what golang-jwt signs with; nil if the key only verifies
	public    any // what golang-jwt verifies with
	size      int // of a signature, in bytes
}

// Ed25519 makes an EdDSA key (RFC 8037). jsonwebtoken for Node does not support
// this algorithm. The error says that the key is damaged or
// insecure.
func Ed25519[K ed25519.PrivateKey | ed25519.PublicKey](key K) (Key, error) {
	switch key := any(key).(type) {
	case ed25519.PrivateKey:
		if len(key) != ed25519.PrivateKeySize || !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
			return Key{}, errors.New("keys: the Ed25519 key is damaged: its halves do not belong together")
		}
		own := slices.Clone(key)
		return ed25519Key(own.Public().(ed25519.PublicKey), own)
	case ed25519.PublicKey:
		return ed25519Key(slices.Clone(key), nil)
	}
	return Key{}, errNotAKey // unreachable
}

func ed25519Key(public ed25519.PublicKey, private any) (Key, error) {
	if len(public) != ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("keys: an Ed25519 key has %d bytes, this one has %d", ed25519.PublicKeySize, len(public))
	}
	if !onCurve(public) {
		return Key{}, errDamaged
	}
	if smallOrder(public) {
		return Key{}, errors.New("keys: the Ed25519 key is a point of small order, for which everyone can sign")
	}
	return finish(Key{algorithm: EdDSA, public: public, private: private, size: ed25519.SignatureSize})
}

// ECDSA makes an ES256, ES384 or ES512 key: the curve of the key, P-256, P-384 or
// P-521, determines the algorithm. The error says that the key
// is damaged or has another curve.
func ECDSA[K *ecdsa.PrivateKey | *ecdsa.PublicKey](key K) (Key, error) {
	switch key := any(key).(type) {
	case *ecdsa.PrivateKey:
		if key == nil {
			return Key{}, errNotAKey
		}
		public, err := ecdsaKey(&key.PublicKey)
		if err != nil {
			return Key{}, err
		}
		exchange, err := key.ECDH() // refuses a scalar that is out of range
		if err != nil {
			return Key{}, errDamaged
		}
		if point, err := key.PublicKey.ECDH(); err != nil || !exchange.PublicKey().Equal(point) {
			return Key{}, errDamaged
		}
		own := *key
		public.private = &own
		return public, nil
	case *ecdsa.PublicKey:
		return ecdsaKey(key)
	}
	return Key{}, errNotAKey // unreachable
}

func ecdsaKey(public *ecdsa.PublicKey) (Key, error) {
	if public == nil {
		return Key{}, errNotAKey
	}
	own := *public
	k := Key{public: &own}
	switch public.Curve {
	case elliptic.P256():
		k.algorithm, k.size = ES256, 64
	case elliptic.P384():
		k.algorithm, k.size = ES384, 96
	case elliptic.P521():
		k.algorithm, k.size = ES512, 132
	default:
		return Key{}, errors.New("keys: the curve of the ECDSA key is not P-256, P-384 or P-521")
	}
	if _, err := public.ECDH(); err != nil { // RFC 8725 §3.4: the point must be on the curve
		return Key{}, errDamaged
	}
	return finish(k)
}

// RSA makes a key of 2048 to 8192 bits for one of RS256, RS384, RS512, PS256, PS384
// and PS512. Use [ECDSA] unless the verifiers require RSA. The
// error says that the key is damaged, too short or too long.
func RSA[K *rsa.PrivateKey | *rsa.PublicKey](algorithm Algorithm, key K) (Key, error) {
	if !slices.Contains(rsaAlgorithms, algorithm) {
		return Key{}, errors.New("keys: an RSA key has one of the algorithms RS256, RS384, RS512, PS256, PS384 and PS512")
	}
	switch key := any(key).(type) {
	case *rsa.PrivateKey:
		if key == nil || key.N == nil {
			return Key{}, errNotAKey
		}
		public, err := rsaKey(algorithm, &key.PublicKey)
		if err != nil {
			return Key{}, err
		}
		if err := key.Validate(); err != nil {
			return Key{}, errDamaged
		}
		own := &rsa.PrivateKey{PublicKey: cloneRSA(&key.PublicKey), D: new(big.Int).Set(key.D)}
		for _, prime := range key.Primes {
			own.Primes = append(own.Primes, new(big.Int).Set(prime))
		}
		own.Precompute()
		public.private = own
		return public, nil
	case *rsa.PublicKey:
		return rsaKey(algorithm, key)
	}
	return Key{}, errNotAKey // unreachable
}

func rsaKey(algorithm Algorithm, public *rsa.PublicKey) (Key, error) {
	switch {
	case public == nil || public.N == nil:
		return Key{}, errNotAKey
	case public.N.BitLen() < minRSABits, public.N.BitLen() > maxRSABits:
		return Key{}, fmt.Errorf("keys: the RSA key has %d bits, not %d to %d", public.N.BitLen(), minRSABits, maxRSABits)
	case public.E < 3 || public.E > 1<<31-1 || public.E&1 == 0 || public.N.Bit(0) == 0:
		return Key{}, errDamaged
	}
	if roca(public.N) {
		return Key{}, errors.New("keys: the RSA key comes from a chip whose keys can be factored (CVE-2017-15361): make another")
	}
	own := cloneRSA(public)
	return finish(Key{algorithm: algorithm, public: &own, size: public.Size()})
}

// cloneRSA shares no number with public, because its owner could change them.
func cloneRSA(public *rsa.PublicKey) rsa.PublicKey {
	return rsa.PublicKey{N: new(big.Int).Set(public.N), E: public.E}
}

// HMAC makes a key from a shared secret, for tokens of other issuers that have no
// other kind of key; own tokens are signed with Config.Secret. Everyone who knows
// the secret can sign as the issuer. The secret must be at least as long as the
// hash: 32, 48 or 64 bytes (RFC 7518 §3.2).
//
// Its ID is random unless you set it by [Key.Named]. It is not a thumbprint,
// because IDs are public, and an attacker could test guesses of the secret against
// it (RFC 7638 §7).
func HMAC(algorithm Algorithm, secret Secret) (Key, error) {
	hash := map[Algorithm]crypto.Hash{HS256: crypto.SHA256, HS384: crypto.SHA384, HS512: crypto.SHA512}[algorithm]
	if hash == 0 {
		return Key{}, errors.New("keys: a shared secret has one of the algorithms HS256, HS384 and HS512")
	}
	if err := secret.Check(); err != nil {
		return Key{}, fmt.Errorf("keys: the secret %w", err)
	}
	if len(secret) < hash.Size() {
		return Key{}, fmt.Errorf("keys: the secret has %d bytes, %s needs %d (RFC 7518 §3.2)", len(secret), algorithm, hash.Size())
	}
	own := []byte(slices.Clone(secret))
	return Key{id: rand.Text(), algorithm: algorithm, public: own, private: own, size: hash.Size()}, nil
}

// Generate makes a new private key of an asymmetric algorithm. An RSA key has 2048
// bits. An unknown algorithm or one for shared secrets is an error.
func Generate(algorithm Algorithm) (Key, error) {
	curve := map[Algorithm]elliptic.Curve{ES256: elliptic.P256(), ES384: elliptic.P384(), ES512: elliptic.P521()}[algorithm]
	switch {
	case curve != nil:
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return Key{}, err
		}
		return ECDSA(key)
	case algorithm == EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return Key{}, err
		}
		return Ed25519(key)
	case slices.Contains(rsaAlgorithms, algorithm):
		key, err := rsa.GenerateKey(rand.Reader, minRSABits)
		for err == nil && roca(key.N) { // one secure key in 200 million looks like a weak one
			key, err = rsa.GenerateKey(rand.Reader, minRSABits)
		}
		if err != nil {
			return Key{}, err
		}
		return RSA(algorithm, key)
	}
	return Key{}, fmt.Errorf("keys: no key can be generated for %q", algorithm)
}

var (
	errNotAKey = errors.New("keys: there is no key")
	errDamaged = errors.New("keys: the key is damaged: its numbers do not belong together")
)

// finish sets the ID to the thumbprint.
func finish(k Key) (Key, error) {
	k.id = k.thumbprint()
	return k, nil
}

// ID returns the kid of the key's tokens: its thumbprint (RFC 7638) by default, a
// random text for a shared secret, or the ID of [Key.Named] or of the JWK.
func (k Key) ID() string { return k.id }

// Algorithm returns the algorithm of the key.
func (k Key) Algorithm() Algorithm { return k.algorithm }

// Private reports whether the key can sign.
func (k Key) Private() bool { return k.private != nil }

// Symmetric reports whether the key is a shared secret.
func (k Key) Symmetric() bool { return slices.Contains(hmacAlgorithms, k.algorithm) }

// Named returns the key with another ID: 1 to 128 printable ASCII characters
// without quotes, backslashes and spaces. [NewSet] refuses other IDs.
func (k Key) Named(id string) Key {
	k.id = id
	return k
}

// Public returns the key without its private half. It returns a shared secret
// unchanged.
func (k Key) Public() Key {
	if !k.Symmetric() {
		k.private = nil
	}
	return k
}

// Crypto returns a copy of the public key as a Go type: *ecdsa.PublicKey,
// ed25519.PublicKey or *rsa.PublicKey. It returns nil for a shared secret.
func (k Key) Crypto() crypto.PublicKey {
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		own := *public
		return &own
	case *rsa.PublicKey:
		own := cloneRSA(public)
		return &own
	case ed25519.PublicKey:
		return slices.Clone(public)
	}
	return nil
}

// Equal reports whether k and other have the same ID, algorithm and public key, or shared
// secret.
func (k Key) Equal(other Key) bool {
	if k.id != other.id || k.algorithm != other.algorithm {
		return false
	}
	switch public := k.public.(type) {
	case []byte:
		secret, ok := other.public.([]byte)
		return ok && subtle.ConstantTimeCompare(public, secret) == 1
	case *ecdsa.PublicKey:
		return other.public == any(public) || public.Equal(other.public)
	case *rsa.PublicKey:
		return other.public == any(public) || public.Equal(other.public)
	case ed25519.PublicKey:
		return public.Equal(other.public)
	}
	return k.public == nil && other.public == nil
}

// Sign returns the signature of text, a JWS signing input (RFC 7515 §5.1). A key
// without a private half returns an error.
func (k Key) Sign(text string) ([]byte, error) {
	if k.private == nil {
		return nil, fmt.Errorf("keys: the key %s cannot sign", k)
	}
	return methods[k.algorithm].Sign(text, k.private)
}

// Verify reports whether signature is a signature of text by the key.
func (k Key) Verify(text string, signature []byte) bool {
	return k.public != nil && len(signature) == k.size && methods[k.algorithm].Verify(text, signature, k.public) == nil
}

// fault says why the key cannot be in a set, "" if it can.
func (k Key) fault() string {
	if k.public == nil {
		return "is no key, but the zero value"
	}
	if !validID(k.id) {
		return "has an ID that is empty, longer than 128 bytes or not plain ASCII"
	}
	return ""
}

// validID reports whether id can stand between quotes without escapes.
func validID(id string) bool {
	for i := range len(id) {
		if b := id[i]; b <= ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return false
		}
	}
	return id != "" && len(id) <= maxIDBytes
}

// Format prints algorithm and ID for every verb.
func (k Key) Format(f fmt.State, _ rune) {
	if k.public == nil {
		_, _ = f.Write([]byte("[no key]"))
		return
	}
	_, _ = fmt.Fprintf(f, "%s:%s", string(k.algorithm), k.id)
}

// String returns algorithm and ID.
func (k Key) String() string { return fmt.Sprint(k) }
