package token

import "github.com/golang-jwt/jwt/v5"

// The reasons why a token is refused. Each also matches golang-jwt's error for it.
// They are returned as they are, so that refusing what an attacker sends costs no
// memory.
var (
	// ErrMalformed: not a token of ours, or its signature does not hold. Both are one
	// error on purpose: nothing in a token is trusted before its signature is verified.
	ErrMalformed error = &refused{"the token is malformed", []error{jwt.ErrTokenMalformed}}
	// ErrUnknownKey: the header has our form, and names a key that is not known here.
	ErrUnknownKey error = &refused{"the token names an unknown key", []error{ErrMalformed, jwt.ErrTokenMalformed}}
	// ErrSignature: the signature does not verify.
	ErrSignature error = &refused{"the signature does not verify", []error{ErrMalformed, jwt.ErrTokenSignatureInvalid}}

	// ErrClaims: the signature verifies, but a claim is missing or wrong.
	ErrClaims error = &refused{"the claims are not valid", []error{jwt.ErrTokenInvalidClaims}}
	// ErrMissing: a required claim is missing.
	ErrMissing error = &refused{"a required claim is missing", []error{ErrClaims, jwt.ErrTokenRequiredClaimMissing}}
	// ErrWrong: a claim has a value that it must not have.
	ErrWrong error = &refused{"a claim is wrong", []error{ErrClaims, jwt.ErrTokenInvalidClaims}}
	// ErrIssuer: the issuer is another one.
	ErrIssuer error = &refused{"the issuer is another one", []error{ErrClaims, jwt.ErrTokenInvalidIssuer}}
	// ErrAudience: the token is for another audience.
	ErrAudience error = &refused{"the audience is another one", []error{ErrClaims, jwt.ErrTokenInvalidAudience}}
	// ErrIssued: the token was issued in the future.
	ErrIssued error = &refused{"the token was issued in the future", []error{ErrClaims, jwt.ErrTokenUsedBeforeIssued}}
	// ErrNotBefore: the token is not valid yet.
	ErrNotBefore error = &refused{"the token is not valid yet", []error{ErrClaims, jwt.ErrTokenNotValidYet}}

	// ErrExpired: the token has expired.
	ErrExpired error = &refused{"the token has expired", []error{jwt.ErrTokenExpired}}
)

type refused struct {
	text string
	are  []error
}

func (e *refused) Error() string { return e.text }

func (e *refused) Unwrap() []error { return e.are }
