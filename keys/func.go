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

// Func makes a [Source] of a key function for golang-jwt, such as the packages
// for JWK Sets give. Tokens are verified for algorithms only, which must be
// given: a function usually leaves that to the parser. It is called with a token
// that has the header members alg, kid if it has one, and typ, which is always
// "JWT", and no claims. It must give one key: an ECDSA, Ed25519 or RSA public
// key, or a []byte as shared secret. An error refuses the token; that of a
// network or a context, or what is no key for any of algorithms, is answered 503.
func Func(find jwt.Keyfunc, algorithms ...Algorithm) Source {
	return keyfunc{find, slices.Clone(algorithms)}
}

type keyfunc struct {
	find       jwt.Keyfunc
	algorithms []Algorithm
}

// Check says what is wrong with the source; fiberjwt.Open asks for it.
func (f keyfunc) Check() error {
	if f.find == nil {
		return errors.New("keys: Func has no function")
	}
	if len(f.algorithms) == 0 {
		return errors.New("keys: Func has no algorithms: name those that the issuer uses, such as keys.RS256")
	}
	return checkAlgorithms(f.algorithms)
}

// Symmetric says whether it gives shared secrets; fiberjwt.Open asks for it.
func (f keyfunc) Symmetric() bool { return slices.Contains(hmacAlgorithms, f.algorithms[0]) }

// checkAlgorithms: they exist, and shared secrets are not among public keys,
// or a public key could be taken for a secret (RFC 8725 §2.1).
func checkAlgorithms(algorithms []Algorithm) error {
	for _, a := range algorithms {
		if methods[a] == nil {
			return fmt.Errorf("keys: %q is no algorithm that is known", a)
		}
		if slices.Contains(hmacAlgorithms, a) != slices.Contains(hmacAlgorithms, algorithms[0]) {
			return errMixed
		}
	}
	return nil
}

// Find asks the function.
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
		return Key{}, fmt.Errorf("keys: the key function did not reach its keys: %w", err)
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
	case f.fits(found): // the token names another algorithm than its key has
		return Key{}, errors.Join(ErrNoKey, err)
	}
	return Key{}, fmt.Errorf("keys: what the key function gives fits none of its algorithms: %w", err)
}

// unreachable: the function could not find out.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func (f keyfunc) fits(found any) bool {
	return slices.ContainsFunc(f.algorithms, func(a Algorithm) bool {
		_, err := fromCrypto(found, a, f.algorithms)
		return err == nil
	})
}
