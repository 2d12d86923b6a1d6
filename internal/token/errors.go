package token

import "github.com/golang-jwt/jwt/v5"

// The reasons for which a token is refused. Each also matches the error of golang-jwt for
// the same reason. They are returned unwrapped, so that refusing the token of an attacker
// allocates nothing.
var (
	// ErrMalformed: the text is not an own token, or its signature does not verify. Both
	// cases match one error on purpose: nothing in a token is trusted before its signature
	// is verified.
	ErrMalformed error = &refused{"the token is malformed", []error{jwt.ErrTokenMalformed}}
	// ErrUnknownKey: the header has the form of an own token, but its kid is unknown. It
	// matches ErrMalformed.
	ErrUnknownKey error = &refused{"the token names an unknown key", []error{ErrMalformed, jwt.ErrTokenMalformed}}
	// ErrSignature: the signature does not verify. It matches ErrMalformed.
	ErrSignature error = &refused{"the signature does not verify", []error{ErrMalformed, jwt.ErrTokenSignatureInvalid}}

	// ErrClaims: the signature verifies, but a claim is missing or has a wrong value. The
	// next six errors match it.
	ErrClaims error = &refused{"the claims are not valid", []error{jwt.ErrTokenInvalidClaims}}
	// ErrMissing: a required claim is missing.
	ErrMissing error = &refused{"a required claim is missing", []error{ErrClaims, jwt.ErrTokenRequiredClaimMissing}}
	// ErrWrong: a claim has the wrong type or a value that is not allowed.
	ErrWrong error = &refused{"a claim has a wrong value", []error{ErrClaims, jwt.ErrTokenInvalidClaims}}
	// ErrIssuer: the claim iss is not the configured issuer.
	ErrIssuer error = &refused{"the token has another issuer", []error{ErrClaims, jwt.ErrTokenInvalidIssuer}}
	// ErrAudience: the claim aud contains no accepted audience.
	ErrAudience error = &refused{"the token is for another audience", []error{ErrClaims, jwt.ErrTokenInvalidAudience}}
	// ErrIssued: the claim iat or auth_time is in the future.
	ErrIssued error = &refused{"the token was issued in the future", []error{ErrClaims, jwt.ErrTokenUsedBeforeIssued}}
	// ErrNotBefore: the claim nbf is in the future.
	ErrNotBefore error = &refused{"the token is not valid yet", []error{ErrClaims, jwt.ErrTokenNotValidYet}}

	// ErrExpired: the token has expired. It does not match ErrClaims.
	ErrExpired error = &refused{"the token has expired", []error{jwt.ErrTokenExpired}}
)

type refused struct {
	text    string
	matches []error
}

func (e *refused) Error() string { return e.text }

func (e *refused) Unwrap() []error { return e.matches }
