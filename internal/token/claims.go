package token

import (
	"errors"
	"slices"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
	"github.com/fiberjwt/fiberjwt/keys"
)

// Claims are the claims of an access token (RFC 7519 §4.1, RFC 9068 §2.2). Times are Unix
// seconds, -1 if absent. Strings share memory with Payload.
type Claims struct {
	Issuer    string
	Subject   string
	Kind      string
	SessionID string
	ID        string
	IssuedAt  int64
	ExpiresAt int64
	NotBefore int64
	AuthTime  int64
	Shaped    bool   // the token differs from what a refresh issues, see [Shape]
	Payload   []byte // the whole JSON object, for the application's own claims
	Foreign   bool   // the token is from one of [Config].Issuers

	audience strictjson.Value // a string or an array of strings
	key      *keys.Key        // that verified the token; nil for a key that is derived from a secret
}

// Shape describes how a token differs from the tokens that a refresh issues. The zero
// value changes nothing.
type Shape struct {
	NotBefore time.Time      // the claim nbf
	Audience  []string       // instead of the configured audience
	Claims    map[string]any // added to the claims of the kind; replace claims of the same name
	Shaped    bool           // adds the claim granted, which marks such a token
}

// Read returns the claims of a token without verifying its signature. The caller must not
// trust them. The error matches [ErrMalformed] or [ErrClaims].
func Read(raw string) (Claims, error) {
	parts, ok := jws.Split(raw, MaxBytes)
	if !ok {
		return Claims{}, ErrMalformed
	}
	text, err := base64url.DecodeString(parts.Payload)
	if err != nil {
		return Claims{}, ErrMalformed
	}
	var c Claims
	if err := c.parse(text); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// parse parses a claims set into c, which is zero. It is strict: RFC 7519 §4 lets a parser
// refuse duplicate names, and §7.3 requires that names are compared without any
// transformation. The claims share memory with text.
func (c *Claims) parse(text []byte) error {
	c.Payload, c.IssuedAt, c.ExpiresAt, c.NotBefore, c.AuthTime = text, -1, -1, -1, -1
	err := strictjson.Object(text, func(name string, value strictjson.Value) error {
		if !c.set(name, value) {
			return ErrWrong
		}
		return nil
	})
	if errors.Is(err, strictjson.ErrMalformed) {
		return ErrMalformed
	}
	return err
}

// set stores one claim. ok is false if the value has the wrong type. Unknown claims are
// ignored.
func (c *Claims) set(name string, value strictjson.Value) (ok bool) {
	ok = true
	switch name {
	case "iss":
		c.Issuer, ok = value.BorrowedText()
	case "aud":
		c.audience, ok = value, value.EachText(func(string) {})
	case "sub":
		c.Subject, ok = value.BorrowedText()
	case "kind":
		c.Kind, ok = value.BorrowedText()
	case "sid":
		c.SessionID, ok = value.BorrowedText()
	case "jti":
		c.ID, ok = value.BorrowedText()
	case "iat":
		c.IssuedAt, ok = value.Seconds()
	case "exp":
		c.ExpiresAt, ok = value.Seconds()
	case "nbf":
		c.NotBefore, ok = value.Seconds()
	case "auth_time":
		c.AuthTime, ok = value.Seconds()
	case "granted":
		c.Shaped = string(value) == "true"
	}
	return ok
}

// complete reports whether all claims that every own token has are present. iss and aud
// are compared later.
func (c *Claims) complete() bool {
	return c.Subject != "" && c.Kind != "" && c.SessionID != "" && c.ID != "" &&
		c.IssuedAt >= 0 && c.ExpiresAt >= 0 && c.AuthTime >= 0
}

// HasAll reports whether payload has a claim that is not null for each of names. No name
// may occur twice in names.
func HasAll(payload []byte, names []string) bool { return count(payload, names) == len(names) }

// hasAny reports whether payload has a claim that is not null for one of names.
func hasAny(payload []byte, names []string) bool { return count(payload, names) > 0 }

func count(payload []byte, names []string) (found int) {
	if len(names) == 0 {
		return 0
	}
	_ = strictjson.Object(payload, func(name string, value strictjson.Value) error {
		if slices.Contains(names, name) && string(value) != "null" {
			found++
		}
		return nil
	})
	return found
}

// isFor reports whether the claim aud, a string or an array of strings (RFC 7519
// §4.1.3), contains one of audience.
func (c *Claims) isFor(audience []string) (found bool) {
	c.audience.EachText(func(name string) { found = found || slices.Contains(audience, name) })
	return found
}

// Subject returns the claim sub of a payload, or "" if there is no such string.
func Subject(payload []byte) (subject string) {
	if value, ok := strictjson.Member(payload, "sub"); ok {
		subject, _ = value.Text()
	}
	return subject
}
