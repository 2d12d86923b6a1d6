// Package keys has the asymmetric keys of access tokens: one algorithm to a
// key, from Go's own types, PEM or JWK; sets of them that change while they are
// used; and other people's sets, fetched from an address.
//
// A service that signs has a [Set], whose first private key signs:
//
//	key, err := keys.ParsePEM(pem)
//	set, err := keys.NewSet(key)
//	app.Get("/.well-known/jwks.json", set.JWKS())
//	app.Use(fiberjwt.New(fiberjwt.Config{Keys: set, …}))
//
// A service that only verifies those tokens needs one line:
//
//	app.Use(fiberjwt.New(fiberjwt.Config{Keys: keys.FromURL("https://auth.example.com/.well-known/jwks.json")}))
//
// A key that is too weak, does not fit its algorithm or is damaged is refused
// where it is made, never where a token is verified.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm names how a key signs (RFC 7518 §3.1, RFC 8037 §3.1). There is no "none".
type Algorithm string

// The algorithms. Choose ES256 unless something speaks against it: every
// library knows it, and its keys and signatures are small.
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
	HS256 Algorithm = "HS256" // for tokens of others only, see [HMAC]
	HS384 Algorithm = "HS384"
	HS512 Algorithm = "HS512"
)

// methods are golang-jwt's, but for PSS: its own accept any length of salt,
// RFC 7518 §3.5 wants that of the hash.
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
	maxRSABits = 8192 // a larger one makes each token cost more than it is worth
	maxIDBytes = 128
)

// Key signs and verifies, or only verifies, by one algorithm. It is a value,
// immutable and safe for concurrent use. It prints as its algorithm and ID;
// marshalled to JSON it is its public JWK (RFC 7517).
//
// The zero value is no key and is refused wherever one is given.
type Key struct {
	id        string
	algorithm Algorithm
	private   any // what golang-jwt signs with; nil if the key only verifies
	public    any // what golang-jwt verifies with
	size      int // of a signature, in bytes
}

// Ed25519 is an EdDSA key (RFC 8037). jsonwebtoken for Node does not know it.
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
		return Key{}, errors.New("keys: the Ed25519 key is a point of small order, for which anybody can sign")
	}
	return finish(Key{algorithm: EdDSA, public: public, private: private, size: ed25519.SignatureSize})
}

// ECDSA is an ES256, ES384 or ES512 key, by its curve: P-256, P-384 or P-521.
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
		exchange, err := key.ECDH() // refuses a scalar out of range
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
	if _, err := public.ECDH(); err != nil { // RFC 8725 §3.4: a point off the curve
		return Key{}, errDamaged
	}
	return finish(k)
}

// RSA is a key of 2048 to 8192 bits for one of RS256, RS384, RS512, PS256, PS384
// and PS512. Prefer [ECDSA] where those who verify do not ask for RSA.
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

// cloneRSA shares no number, which somebody could change.
func cloneRSA(public *rsa.PublicKey) rsa.PublicKey {
	return rsa.PublicKey{N: new(big.Int).Set(public.N), E: public.E}
}

// HMAC is a shared secret, for tokens of other issuers who have no other kind
// of key; own tokens are signed with Config.Secret. Whoever knows the secret can
// sign as the issuer. It must be as long as the hash: 32, 48 or 64 bytes. Its ID
// is random unless it is named: IDs are shown, and by a thumbprint guesses at the
// secret could be tried (RFC 7638 §7).
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

// Generate makes a new private key; one for RSA has 2048 bits.
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
		for err == nil && roca(key.N) { // one good key in 200 million looks like a weak one
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

// finish names the key by its thumbprint.
func finish(k Key) (Key, error) {
	k.id = k.thumbprint()
	return k, nil
}

// ID is the kid of the key's tokens: its thumbprint (RFC 7638), unless it was
// named or is a shared secret.
func (k Key) ID() string { return k.id }

// Algorithm is the one algorithm of the key.
func (k Key) Algorithm() Algorithm { return k.algorithm }

// Private says whether the key can sign.
func (k Key) Private() bool { return k.private != nil }

// Symmetric says whether the key is a shared secret.
func (k Key) Symmetric() bool { return slices.Contains(hmacAlgorithms, k.algorithm) }

// Named is the key under an ID of your own, 1 to 128 printable ASCII characters
// without quotes and backslashes; others are refused by [NewSet].
func (k Key) Named(id string) Key {
	k.id = id
	return k
}

// Public is the key without what it signs with. A shared secret has no public half.
func (k Key) Public() Key {
	if !k.Symmetric() {
		k.private = nil
	}
	return k
}

// Crypto is the public key as Go's own type: *ecdsa.PublicKey,
// ed25519.PublicKey or *rsa.PublicKey; nil of a shared secret.
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

// Sign gives the signature of text, a JWS signing input (RFC 7515 §5.1).
func (k Key) Sign(text string) ([]byte, error) {
	if k.private == nil {
		return nil, fmt.Errorf("keys: the key %s cannot sign", k)
	}
	return methods[k.algorithm].Sign(text, k.private)
}

// Verify says whether signature is one of text by the key.
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

// validID: what can stand between quotes as it is.
func validID(id string) bool {
	for i := range len(id) {
		if b := id[i]; b <= ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return false
		}
	}
	return id != "" && len(id) <= maxIDBytes
}

// Format prints algorithm and ID whatever the verb.
func (k Key) Format(f fmt.State, _ rune) {
	if k.public == nil {
		_, _ = f.Write([]byte("[no key]"))
		return
	}
	_, _ = fmt.Fprintf(f, "%s:%s", string(k.algorithm), k.id)
}

// String is algorithm and ID.
func (k Key) String() string { return fmt.Sprint(k) }
