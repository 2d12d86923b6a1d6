package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// maxDocumentBytes limits the length of a JWK and of a JWK Set.
const maxDocumentBytes = 64 << 10

// base64url is without padding and without spare bits (RFC 7515 §2).
var base64url = jws.Base64url

var errJWK = errors.New("keys: the JWK is malformed")

// ParseJWK reads a JWK (RFC 7517 §4) of at most 64 KiB, private or public, of kty
// EC, OKP with Ed25519, RSA or oct. Its members use, key_ops and alg must allow
// signatures. An RSA key without alg needs exactly one RSA algorithm in algorithms.
// If algorithms are given, the key must be for one of them. If the JWK has a kid,
// that is the ID. Certificates in the JWK are ignored.
//
// Errors contain nothing of text.
func ParseJWK(text []byte, algorithms ...Algorithm) (Key, error) {
	if len(text) > maxDocumentBytes {
		return Key{}, errors.New("keys: the JWK is longer than 64 KiB")
	}
	j, err := readJWK(text)
	if err != nil {
		return Key{}, err
	}
	return j.key(algorithms)
}

// jwk contains the members that are read; absent members are nil.
type jwk struct {
	kty, use, crv, kid string
	alg                Algorithm
	ops                []string
	hasUse, hasOps     bool
	// Numbers, with the names of RFC 7518 §6. d is always private.
	x, y, d, n, e, p, q, dp, dq, qi, k []byte
	many                               bool // an RSA key with more than two primes
}

func readJWK(text []byte) (*jwk, error) {
	j := &jwk{}
	texts := map[string]*string{"kty": &j.kty, "use": &j.use, "crv": &j.crv, "kid": &j.kid, "alg": (*string)(&j.alg)}
	numbers := map[string]*[]byte{
		"x": &j.x, "y": &j.y, "d": &j.d, "n": &j.n, "e": &j.e, "p": &j.p, "q": &j.q, "dp": &j.dp, "dq": &j.dq, "qi": &j.qi, "k": &j.k,
	}
	err := strictjson.Object(text, func(name string, value strictjson.Value) (err error) {
		ok := true
		if member := texts[name]; member != nil {
			*member, ok = value.Text()
			j.hasUse = j.hasUse || name == "use"
			ok = ok && (*member != "" || name == "use")
		}
		if member := numbers[name]; member != nil {
			*member, ok = decode(value)
		}
		switch name {
		case "oth":
			j.many = true
		case "key_ops":
			j.hasOps = true
			ok = value.Each(func(op strictjson.Value) bool {
				text, ok := op.Text()
				repeated := slices.Contains(j.ops, text) // RFC 7517 §4.3 forbids it
				j.ops = append(j.ops, text)
				return ok && !repeated
			})
		}
		if !ok {
			return errJWK
		}
		return nil
	})
	if err != nil {
		return nil, errJWK
	}
	return j, nil
}

// decode returns the bytes of a number. It refuses a number without bytes.
func decode(value strictjson.Value) ([]byte, bool) {
	text, ok := value.Text()
	if !ok {
		return nil, false
	}
	b, err := base64url.DecodeString(text)
	return b, err == nil && len(b) > 0 && base64url.EncodedLen(len(b)) == len(text) // the length shows that there are no line breaks
}

// secretMembers must not be published (RFC 7518 §6).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// showsSecret reports whether a JWK has a secret member, also if the JWK cannot be
// used.
func showsSecret(jwk []byte) (shows bool) {
	_ = strictjson.Object(jwk, func(name string, _ strictjson.Value) error {
		shows = shows || slices.Contains(secretMembers, name)
		return nil
	})
	return shows
}

// isSecret reports whether a JWK is a shared secret. Published sets must not be
// verified with one.
func isSecret(jwk []byte) (secret bool) {
	_ = strictjson.Object(jwk, func(name string, value strictjson.Value) error {
		if kty, ok := value.Text(); ok && name == "kty" {
			secret = kty == "oct"
		}
		return nil
	})
	return secret
}

// key makes the Key if the JWK may sign or verify.
func (j *jwk) key(algorithms []Algorithm) (Key, error) {
	if fault := j.misuse(); fault != "" {
		return Key{}, unfit("keys: the JWK " + fault)
	}
	alg := j.alg
	if alg == "Ed25519" { // RFC 9864 §2.2: another name of the same algorithm
		alg = EdDSA
	}
	if alg != "" && methods[alg] == nil { // such as RSA-OAEP
		return Key{}, unfit("keys: the JWK is for an algorithm that signs no tokens")
	}
	key, err := j.crypto()
	if err != nil {
		return Key{}, err
	}
	if j.kty == "oct" && alg == "" {
		return Key{}, errors.New("keys: a JWK of kty oct must name its alg")
	}
	k, err := fromCrypto(key, alg, algorithms)
	if err != nil {
		return Key{}, err
	}
	if j.kid != "" {
		k = k.Named(j.kid)
	}
	if fault := k.fault(); fault != "" {
		return Key{}, errors.New("keys: the JWK " + fault)
	}
	return k, nil
}

// misuse says why the JWK is not for signatures (RFC 7517 §4.2, §4.3), "" if it is.
func (j *jwk) misuse() string {
	if j.hasUse && j.use != "sig" {
		return `is not for signatures: its use is not "sig"`
	}
	if !j.hasOps {
		return ""
	}
	for _, op := range j.ops {
		if op != "sign" && op != "verify" {
			return "is not for signatures alone: its key_ops name something else"
		}
	}
	if !slices.Contains(j.ops, "verify") && (j.d == nil && j.k == nil || !slices.Contains(j.ops, "sign")) {
		return `is not for signatures: its key_ops do not name "verify"`
	}
	return ""
}

// crypto returns the key as a type of package crypto. The constructors of Key find
// values that do not belong together.
func (j *jwk) crypto() (any, error) {
	switch j.kty {
	case "EC":
		return j.ec()
	case "OKP":
		return j.okp()
	case "RSA":
		return j.rsa()
	case "oct":
		if j.k == nil || j.d != nil {
			return nil, errJWK
		}
		return Secret(j.k), nil
	}
	return nil, errUnknownKind
}

// unfit is the error of a key that may be valid, but cannot be used here.
type unfit string

func (u unfit) Error() string { return string(u) }

const errUnknownKind = unfit("keys: the JWK is of a kty or crv that signs no tokens: use EC with P-256, P-384 or P-521, OKP with Ed25519, or RSA")

func (j *jwk) ec() (any, error) {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[j.crv]
	if curve == nil {
		return nil, errUnknownKind
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(j.x) != size || len(j.y) != size || j.d != nil && len(j.d) != size { // RFC 7518 §6.2.1.2
		return nil, errJWK
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, j.x, j.y))
	if err != nil {
		return nil, errDamaged // the point is not on the curve
	}
	if j.d == nil {
		return public, nil
	}
	private, err := ecdsa.ParseRawPrivateKey(curve, j.d)
	if err != nil || !private.PublicKey.Equal(public) {
		return nil, errDamaged
	}
	return private, nil
}

func (j *jwk) okp() (any, error) {
	if j.crv != "Ed25519" {
		return nil, errUnknownKind
	}
	if len(j.x) != ed25519.PublicKeySize || j.y != nil {
		return nil, errJWK
	}
	if j.d == nil {
		return ed25519.PublicKey(j.x), nil
	}
	if len(j.d) != ed25519.SeedSize {
		return nil, errJWK
	}
	private := ed25519.NewKeyFromSeed(j.d)
	if !bytes.Equal(private.Public().(ed25519.PublicKey), j.x) {
		return nil, errDamaged
	}
	return private, nil
}

func (j *jwk) rsa() (any, error) {
	if j.n == nil || j.e == nil || j.many {
		return nil, errJWK
	}
	e := new(big.Int).SetBytes(j.e)
	if len(j.n) > maxRSABits/8 || e.BitLen() > 31 || j.n[0] == 0 || j.e[0] == 0 { // RFC 7518 §2 forbids leading zeros
		return nil, errDamaged
	}
	public := rsa.PublicKey{N: new(big.Int).SetBytes(j.n), E: int(e.Int64())}
	if j.d == nil || public.N.BitLen() < minRSABits { // too short: RSA refuses it with that reason
		return &public, nil
	}
	return j.private(public)
}

func (j *jwk) private(public rsa.PublicKey) (any, error) {
	if j.p == nil || j.q == nil {
		return nil, errors.New("keys: the private JWK has no p and q")
	}
	for _, number := range [][]byte{j.d, j.p, j.q, j.dp, j.dq, j.qi} {
		if len(number) > len(j.n) { // impossible in a valid key, and arithmetic with huge numbers takes hours
			return nil, errDamaged
		}
	}
	private := &rsa.PrivateKey{PublicKey: public, D: new(big.Int).SetBytes(j.d)}
	private.Primes = []*big.Int{new(big.Int).SetBytes(j.p), new(big.Int).SetBytes(j.q)}
	if private.Validate() != nil {
		return nil, errDamaged
	}
	private.Precompute()
	given := [3][]byte{j.dp, j.dq, j.qi}
	for i, own := range []*big.Int{private.Precomputed.Dp, private.Precomputed.Dq, private.Precomputed.Qinv} {
		if given[i] != nil && own.Cmp(new(big.Int).SetBytes(given[i])) != 0 {
			return nil, errDamaged
		}
	}
	return private, nil
}

// MarshalJSON returns the public JWK (RFC 7517 §4): kty, its numbers, kid, alg and
// use. A shared secret and the zero value are errors.
func (k Key) MarshalJSON() ([]byte, error) {
	if k.public == nil || k.Symmetric() {
		return nil, errors.New("keys: only a public key can be shown")
	}
	return fmt.Appendf(nil, `{%s,"kid":"%s","alg":"%s","use":"sig"}`, k.members(), k.id, k.algorithm), nil
}

// thumbprint returns the thumbprint of the public key (RFC 7638).
func (k Key) thumbprint() string {
	sum := sha256.Sum256([]byte("{" + k.members() + "}"))
	return base64url.EncodeToString(sum[:])
}

// members returns the members that define the key, in lexicographic order (RFC 7638
// §3.2).
func (k Key) members() string {
	text := base64url.EncodeToString
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		point, _ := public.Bytes() // no error: the point is on the curve
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		return fmt.Sprintf(`"crv":"%s","kty":"EC","x":"%s","y":"%s"`, public.Params().Name, text(x), text(y))
	case ed25519.PublicKey:
		return fmt.Sprintf(`"crv":"Ed25519","kty":"OKP","x":"%s"`, text(public))
	case *rsa.PublicKey:
		return fmt.Sprintf(`"e":"%s","kty":"RSA","n":"%s"`, text(big.NewInt(int64(public.E)).Bytes()), text(public.N.Bytes()))
	}
	return ""
}

// document returns a JWK Set (RFC 7517 §5) of the public halves.
func document(keys []Key) []byte {
	public := make([]Key, 0, len(keys))
	for _, k := range keys {
		if !k.Symmetric() {
			public = append(public, k.Public())
		}
	}
	text, err := json.Marshal(struct {
		Keys []Key `json:"keys"`
	}{public})
	if err != nil {
		panic(err) // unreachable: the keys are valid
	}
	return text
}
