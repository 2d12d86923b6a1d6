package token

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
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
}

// Shape describes how a token differs from the tokens that a refresh issues. The zero
// value changes nothing.
type Shape struct {
	NotBefore time.Time      // the claim nbf
	Audience  []string       // instead of the configured audience
	Claims    map[string]any // added to the claims of the kind; replace claims of the same name
	Shaped    bool           // adds the claim granted, which marks such a token
}

// reserved contains the claim names that the library sets, or whose registered meaning a
// value of the application would contradict.
var reserved = map[string]bool{
	"iss": true, "aud": true, "sub": true, "kind": true, "sid": true, "jti": true, "iat": true,
	"exp": true, "nbf": true, "auth_time": true, "cnf": true, "act": true, "typ": true, "granted": true,
}

// encode returns the payload of a token.
func (t *Tokens) encode(c Claims, shape Shape, custom map[string]any) ([]byte, error) {
	all := make(map[string]any, len(custom)+len(shape.Claims)+10)
	maps.Copy(all, custom)
	maps.Copy(all, shape.Claims)
	for name := range all {
		if reserved[name] || name == "client_id" && t.ClientID != "" {
			return nil, fault.Setupf("%s returns the reserved claim %q: choose another name", sourceOf(c.Kind, shape), name)
		}
	}
	maps.Copy(all, map[string]any{
		"iss": t.Issuer, "aud": audienceClaim(t.audienceOf(c.Kind), shape.Audience), "sub": c.Subject, "kind": c.Kind, "sid": c.SessionID, "jti": c.ID,
		"iat": c.IssuedAt, "exp": c.ExpiresAt, "auth_time": c.AuthTime,
	})
	if t.ClientID != "" {
		all["client_id"] = t.ClientID
	}
	if !shape.NotBefore.IsZero() {
		all["nbf"] = shape.NotBefore.Unix()
	}
	if shape.Shaped {
		all["granted"] = true
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return nil, fault.Setupf("%s: %v", sourceOf(c.Kind, shape), err)
	}
	if strictjson.Object(payload, nil) != nil {
		return nil, fault.Setupf("%s returns more claims, or more deeply nested values, than a token may have", sourceOf(c.Kind, shape))
	}
	return payload, nil
}

// sourceOf returns which setting of the application returned the claims, for errors.
func sourceOf(kind string, shape Shape) string {
	if len(shape.Claims) > 0 {
		return "LoginOptions.Claims or Entity.Claims of kind " + kind
	}
	return "Entity.Claims of kind " + kind
}

// audienceClaim returns the claim aud: a string, or an array of several (RFC 7519
// §4.1.3).
func audienceClaim(configured, override []string) any {
	audience := configured
	if len(override) > 0 {
		audience = override
	}
	if len(audience) == 1 {
		return audience[0]
	}
	return audience
}

// Read returns the claims of a token without verifying its signature. The caller must not
// trust them. The error matches [ErrMalformed] or [ErrClaims].
func Read(raw string) (Claims, error) {
	parts, ok := jws.Split(raw, MaxBytes)
	if !ok {
		return Claims{}, ErrMalformed
	}
	return readClaims(parts)
}

func readClaims(p jws.Parts) (Claims, error) {
	text, err := base64url.DecodeString(p.Payload)
	if err != nil {
		return Claims{}, ErrMalformed
	}
	return parseClaims(text)
}

// parseClaims parses a claims set strictly: RFC 7519 §4 lets a parser refuse duplicate
// names, and §7.3 requires that names are compared without any transformation. The
// claims share memory with text.
func parseClaims(text []byte) (Claims, error) {
	c := Claims{Payload: text, IssuedAt: -1, ExpiresAt: -1, NotBefore: -1, AuthTime: -1}
	err := strictjson.Object(text, func(name string, value strictjson.Value) error {
		if !c.set(name, value) {
			return ErrWrong
		}
		return nil
	})
	if errors.Is(err, strictjson.ErrMalformed) {
		return Claims{}, ErrMalformed
	}
	if err != nil {
		return Claims{}, err
	}
	return c, nil
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
