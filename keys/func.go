package keys

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Func makes a [Source] from a key function for golang-jwt, such as packages for
// JWK Sets provide. Name the algorithms that the issuer uses: tokens of other
// algorithms are refused.
//
// The function is called with a token that has no claims, and the header members
// alg, typ, which is always "JWT", and kid if the token has one. It must return one
// key: an ECDSA, Ed25519 or RSA public key, or a []byte as a shared secret. It must
// be safe for concurrent use.
//
// If the function returns an error, the token is refused. If that is an error of
// the network or of a context, or if the key fits no algorithm in algorithms, the
// response is 503.
func Func(find jwt.Keyfunc, algorithms ...Algorithm) Source {
	return keyfunc{find, slices.Clone(algorithms)}
}

type keyfunc struct {
	find       jwt.Keyfunc
	algorithms []Algorithm
}

// Check returns the problem of the source, nil if there is none. fiberjwt.Open
// calls it.
func (f keyfunc) Check() error {
	if f.find == nil {
		return errors.New("keys: Func has no function: give it one that finds the key")
	}
	if len(f.algorithms) == 0 {
		return errors.New("keys: Func has no algorithms: name those that the issuer uses, such as keys.RS256")
	}
	return checkAlgorithms(f.algorithms)
}

// Symmetric reports whether the source has shared secrets. fiberjwt.Open calls it.
func (f keyfunc) Symmetric() bool { return slices.Contains(hmacAlgorithms, f.algorithms[0]) }

// checkAlgorithms refuses unknown algorithms, and shared secrets beside public
// keys: otherwise a public key could be used as a secret (RFC 8725 §2.1).
func checkAlgorithms(algorithms []Algorithm) error {
	for _, a := range algorithms {
		if methods[a] == nil {
			return fmt.Errorf("keys: %q is not a known algorithm: use a constant of this package, such as keys.RS256", a)
		}
		if slices.Contains(hmacAlgorithms, a) != slices.Contains(hmacAlgorithms, algorithms[0]) {
			return errMixed
		}
	}
	return nil
}

// Find calls the function.
func (f keyfunc) Find(_ context.Context, kid string, algorithm Algorithm) (Key, error) {
	if !slices.Contains(f.algorithms, algorithm) {
		return Key{}, ErrNoKey
	}
	header := map[string]any{"alg": string(algorithm), "typ": "JWT"}
	if kid != "" {
		header["kid"] = strings.Clone(kid)
	}
	found, err := f.find(&jwt.Token{Method: methods[algorithm], Header: header, Claims: jwt.MapClaims{}})
	if unreachable(err) {
		return Key{}, fmt.Errorf("keys: the key function could not reach its keys: %w", err)
	}
	if err != nil {
		return Key{}, errors.Join(ErrNoKey, err)
	}
	if secret, ok := found.([]byte); ok {
		found = Secret(secret)
	}
	k, err := fromCrypto(found, algorithm, f.algorithms)
	switch {
	case err == nil:
		return k, nil
	case f.fits(found): // the token names another algorithm than that of its key
		return Key{}, errors.Join(ErrNoKey, err)
	}
	return Key{}, fmt.Errorf("keys: the key from the key function fits no algorithm of the source: %w", err)
}

// unreachable reports whether err says that the function could not reach its keys.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// fits reports whether found is a key for any of the algorithms.
func (f keyfunc) fits(found any) bool {
	return slices.ContainsFunc(f.algorithms, func(a Algorithm) bool {
		_, err := fromCrypto(found, a, f.algorithms)
		return err == nil
	})
}
