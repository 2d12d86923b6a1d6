package fiberjwt

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

const (
	// maxTokenBytes bounds what is read, before anything else is done with
	// it, and what is issued: a cookie's name and value share 4096 bytes
	// (RFC 6265bis §5.6), as does Fiber's default header buffer.
	maxTokenBytes = 3900
	// maxTokenLife is the longest exp - iat that is believed.
	maxTokenLife = 24 * time.Hour
	// clockSkew is how far the clocks of the servers and of the store may differ.
	clockSkew = time.Minute
)

// The errors that a token can end in also match golang-jwt's words for them.
var (
	errMalformed  = because(ErrTokenMalformed, jwt.ErrTokenMalformed)
	errForeignKey = because(ErrTokenMalformed, jwt.ErrTokenMalformed) // the header is of our make, and names a key that is not here
	errSignature  = because(ErrTokenMalformed, jwt.ErrTokenSignatureInvalid)
	errMissing    = because(ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing)
	errWrong      = because(ErrTokenClaims, jwt.ErrTokenInvalidClaims)
	errIssuer     = because(ErrTokenClaims, jwt.ErrTokenInvalidIssuer)
	errAudience   = because(ErrTokenClaims, jwt.ErrTokenInvalidAudience)
	errExpired    = because(ErrTokenExpired, jwt.ErrTokenExpired)
	errIssued     = because(ErrTokenClaims, jwt.ErrTokenUsedBeforeIssued)
	errNotBefore  = because(ErrTokenClaims, jwt.ErrTokenNotValidYet)
)

// claims of an access token (RFC 7519 §4.1, RFC 9068 §2.2). Times are Unix seconds.
type claims struct {
	issuer    string
	audience  strictjson.Value // one string or several
	subject   string
	kind      string
	sessionID string
	id        string
	issuedAt  int64
	expiresAt int64
	notBefore int64
	authTime  int64
	granted   bool   // by a Grant that made it special
	payload   []byte // the whole object, for the application's own claims
	foreign   bool   // of one of Config.Issuers
}

// reserved claim names are the library's, or have a registered meaning that an
// application's value would bend.
var reserved = map[string]bool{
	"iss": true, "aud": true, "sub": true, "kind": true, "sid": true, "jti": true, "iat": true,
	"exp": true, "nbf": true, "auth_time": true, "cnf": true, "act": true, "typ": true, "granted": true,
}

// base64url without padding and without spare bits, RFC 7515 §2.
var base64url = jws.Base64url

// tokens issues and verifies access tokens. It is immutable and knows no HTTP.
type tokens struct {
	signatures *signatures
	issuer     string
	clientID   string              // "" for none
	audience   []string            // all are written, one is demanded
	audiences  map[string][]string // in place of audience, by kind
	required   []string            // further claims that must be there
	issuers    []Issuer            // others whose tokens are taken
	leeway     int64               // seconds
	now        func() time.Time
}

// issue signs c, joined by the application's own claims.
func (t *tokens) issue(c claims, g Grant, custom map[string]any) (string, error) {
	payload, err := t.encode(c, g, custom)
	if err != nil {
		return "", err
	}
	token, err := t.signatures.sign(c.kind, payload)
	if err != nil {
		return "", err
	}
	if len(token) > maxTokenBytes {
		// A browser would drop such a cookie without a word.
		return "", fault.Setupf("the access token of kind %s has %d bytes, %d is the most: let Entity.Claims return less", c.kind, len(token), maxTokenBytes)
	}
	return token, nil
}

func (t *tokens) encode(c claims, g Grant, custom map[string]any) ([]byte, error) {
	all := make(map[string]any, len(custom)+len(g.Claims)+10)
	maps.Copy(all, custom)
	maps.Copy(all, g.Claims)
	for name := range all {
		if reserved[name] || name == "client_id" && t.clientID != "" {
			return nil, fault.Setupf("%s returns the reserved claim %q: choose another name", claimSource(c.kind, g), name)
		}
	}
	maps.Copy(all, map[string]any{
		"iss": t.issuer, "aud": oneOrMany(t.audienceOf(c.kind), g.Audience), "sub": c.subject, "kind": c.kind, "sid": c.sessionID, "jti": c.id,
		"iat": c.issuedAt, "exp": c.expiresAt, "auth_time": c.authTime,
	})
	if t.clientID != "" {
		all["client_id"] = t.clientID
	}
	if !g.NotBefore.IsZero() {
		all["nbf"] = g.NotBefore.Unix()
	}
	if g.special() {
		all["granted"] = true
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return nil, fault.Setupf("%s: %v", claimSource(c.kind, g), err)
	}
	if strictjson.Object(payload, nil) != nil {
		return nil, fault.Setupf("%s returns more names or deeper values than a token may have", claimSource(c.kind, g))
	}
	return payload, nil
}

// claimSource names where claims come from.
func claimSource(kind string, g Grant) string {
	if len(g.Claims) > 0 {
		return "Grant.Claims or Entity.Claims of kind " + kind
	}
	return "Entity.Claims of kind " + kind
}

func (t *tokens) audienceOf(kind string) []string {
	if own := t.audiences[kind]; len(own) > 0 {
		return own
	}
	return t.audience
}

// oneOrMany is an aud claim (RFC 7519 §4.1.3).
func oneOrMany(audience, instead []string) any {
	if len(instead) > 0 {
		audience = instead
	}
	if len(audience) == 1 {
		return audience[0]
	}
	return audience
}

// verify gives the claims of raw, which is borrowed; nothing of it is kept.
// The order is that of cost and of trust: no byte of the claims is looked at
// before the signature holds (RFC 7519 §7.2; RFC 8725 §3.3).
func (t *tokens) verify(ctx context.Context, raw string) (claims, error) {
	parts, ok := jws.Split(raw, t.longest())
	if !ok {
		return claims{}, errMalformed
	}
	if issuer, text := t.foreign(parts); issuer != nil {
		return t.verifyForeign(ctx, issuer, parts, text)
	}
	if len(raw) > maxTokenBytes {
		return claims{}, errMalformed
	}
	kind, err := t.signatures.prove(ctx, parts)
	if err != nil {
		return claims{}, err
	}
	c, err := readClaims(parts)
	if err != nil {
		return claims{}, err
	}
	if err := c.complete(); err != nil {
		return claims{}, err
	}
	if kind != "" && c.kind != kind || !t.signatures.knows(c.kind) {
		return claims{}, errWrong
	}
	if len(t.required) > 0 && !c.have(t.required) {
		return claims{}, errMissing
	}
	return c, t.check(c)
}

// have: the claims are there, and not null.
func (c claims) have(required []string) bool { return c.count(required) == len(required) }

// haveAny: one of the claims is there, and not null.
func (c claims) haveAny(names []string) bool { return c.count(names) > 0 }

func (c claims) count(names []string) (found int) {
	_ = strictjson.Object(c.payload, func(name string, value strictjson.Value) error {
		if slices.Contains(names, name) && string(value) != "null" {
			found++
		}
		return nil
	})
	return found
}

// longest token that may be good.
func (t *tokens) longest() int {
	if len(t.issuers) > 0 {
		return maxForeignBytes
	}
	return maxTokenBytes
}

// readClaims parses the payload of a token.
func readClaims(p jws.Parts) (claims, error) {
	text, err := base64url.DecodeString(p.Payload)
	if err != nil {
		return claims{}, errMalformed
	}
	return parseClaims(text)
}

// parseClaims reads a claims set strictly: RFC 7519 §4 lets a parser refuse
// duplicate names, §7.3 wants names compared as they are.
// The strings alias text, which is the claims' own.
func parseClaims(text []byte) (claims, error) {
	c := claims{payload: text, issuedAt: -1, expiresAt: -1, notBefore: -1, authTime: -1}
	err := strictjson.Object(text, func(name string, value strictjson.Value) error {
		ok := true
		switch name {
		case "iss":
			c.issuer, ok = value.BorrowedText()
		case "aud":
			c.audience, ok = value, value.EachText(func(string) {})
		case "sub":
			c.subject, ok = value.BorrowedText()
		case "kind":
			c.kind, ok = value.BorrowedText()
		case "sid":
			c.sessionID, ok = value.BorrowedText()
		case "jti":
			c.id, ok = value.BorrowedText()
		case "iat":
			c.issuedAt, ok = value.Seconds()
		case "exp":
			c.expiresAt, ok = value.Seconds()
		case "nbf":
			c.notBefore, ok = value.Seconds()
		case "auth_time":
			c.authTime, ok = value.Seconds()
		case "granted":
			c.granted = string(value) == "true"
		}
		if !ok {
			return errWrong
		}
		return nil
	})
	if errors.Is(err, strictjson.ErrMalformed) {
		return claims{}, errMalformed
	}
	if err != nil {
		return claims{}, err
	}
	return c, nil
}

// complete: every claim of the profile is there.
func (c claims) complete() error {
	if c.subject == "" || c.kind == "" || c.sessionID == "" || c.id == "" ||
		c.issuedAt < 0 || c.expiresAt < 0 || c.authTime < 0 {
		return errMissing
	}
	return nil
}

// check compares the claims of an own token with the configuration and the clock.
// Other servers of the application have issued it by their clocks.
func (t *tokens) check(c claims) error {
	switch {
	case c.issuer != t.issuer:
		return errIssuer
	case c.expiresAt-c.issuedAt > int64(maxTokenLife/time.Second) || c.expiresAt < c.issuedAt:
		return errWrong
	}
	return t.checkUse(c, t.audienceOf(c.kind), int64(clockSkew/time.Second))
}

// checkUse is for the tokens of all issuers: they are for one of audience, and now.
// ahead is how many seconds the clock of the issuer may be ahead.
func (t *tokens) checkUse(c claims, audience []string, ahead int64) error {
	now := t.now().Unix()
	switch {
	case !names(c.audience, audience):
		return errAudience
	case c.issuedAt > now+ahead, c.authTime > now+ahead:
		return errIssued
	case c.notBefore > now+t.leeway:
		return errNotBefore
	case now >= c.expiresAt+t.leeway:
		// RFC 7519 §4.1.4: "on or after".
		return errExpired
	}
	return nil
}

// names reports whether an audience claim, one string or an array of strings (RFC 7519
// §4.1.3), has one of the wanted.
func names(aud strictjson.Value, wanted []string) (found bool) {
	aud.EachText(func(name string) { found = found || slices.Contains(wanted, name) })
	return found
}
