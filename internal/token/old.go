package token

import (
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// OldPayload returns the payload of a token that an earlier system signed with secret by
// HS256. ok is false unless the token is well-formed, its signature verifies and its
// header is the usual one. The header is only read after the signature is verified.
func OldPayload(secret []byte, raw string) (payload []byte, ok bool) {
	parts, ok := jws.Split(raw, MaxBytes)
	if !ok {
		return nil, false
	}
	mac, err := base64url.DecodeString(parts.Signature)
	if err != nil || jwt.SigningMethodHS256.Verify(parts.Text, mac, secret) != nil {
		return nil, false
	}
	header, err := base64url.DecodeString(parts.Header)
	if err != nil || !isOldHeader(header) {
		return nil, false
	}
	payload, err = base64url.DecodeString(parts.Payload)
	return payload, err == nil
}

// isOldHeader reports whether text is the header that PyJWT writes, which contains
// nothing but {"alg":"HS256","typ":"JWT"}; typ is optional.
func isOldHeader(text []byte) bool {
	algorithm := ""
	err := strictjson.Object(text, func(name string, value strictjson.Value) error {
		text, ok := value.Text()
		switch {
		case ok && name == "alg":
			algorithm = text
		case ok && name == "typ" && strings.EqualFold(text, "JWT"):
		default:
			return ErrMalformed
		}
		return nil
	})
	return err == nil && algorithm == "HS256"
}

// OldClaims are the claims of a token of an earlier system. Times are Unix seconds, -1 if
// absent.
type OldClaims struct {
	Key                            string // identifies the account
	IsNumber                       bool   // the claim is a JSON number, and Key its text
	ExpiresAt, IssuedAt, NotBefore int64
}

// OldTable returns the claim table_name of a payload. ok reports whether the claim is
// present; table is "" if it is not a string.
func OldTable(payload []byte) (table string, ok bool) {
	value, ok := strictjson.Member(payload, "table_name")
	if ok {
		table, _ = value.Text()
	}
	return table, ok
}

// ReadOldClaims parses a payload in which the claim named key identifies the account. The
// error is [ErrWrong], or [ErrMissing] if there is no exp or no usable key.
func ReadOldClaims(payload []byte, key string) (OldClaims, error) {
	c := OldClaims{ExpiresAt: -1, IssuedAt: -1, NotBefore: -1}
	err := strictjson.Object(payload, func(name string, value strictjson.Value) error {
		if !c.set(name, value, key) {
			return ErrWrong
		}
		return nil
	})
	if err != nil {
		return c, ErrWrong
	}
	if c.Key == "" || len(c.Key) > seal.MaxSubjectBytes || c.ExpiresAt < 0 {
		return c, ErrMissing
	}
	return c, nil
}

func (c *OldClaims) set(name string, value strictjson.Value, key string) (ok bool) {
	ok = true
	switch name {
	case key:
		if c.Key, ok = value.Text(); !ok && (value[0] == '-' || value[0] >= '0' && value[0] <= '9') {
			c.Key, c.IsNumber, ok = string(value), true, true // the codec of the key parses the number
		}
	case "exp":
		c.ExpiresAt, ok = value.Seconds()
	case "iat":
		c.IssuedAt, ok = value.Seconds()
	case "nbf":
		c.NotBefore, ok = value.Seconds()
	case "type": // Flask-JWT-Extended; its refresh tokens are not accepted
		text, _ := value.Text()
		ok = text == "access"
	}
	return ok
}
