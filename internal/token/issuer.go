package token

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
	"github.com/fiberjwt/fiberjwt/keys"
)

// maxForeignBytes is the maximum length of a token of another issuer. It is more than
// MaxBytes, because such tokens may contain long lists of roles. Fiber refuses headers
// over 4 KiB unless the application raises ReadBufferSize.
const (
	maxForeignBytes = 8 << 10
	maxHeaderBytes  = 1 << 10 // of the header segment
)

// Issuer is another issuer whose access tokens are accepted.
type Issuer struct {
	Name     string // its claim iss
	Keys     keys.Source
	Audience []string // the claim aud must contain one of these
	Type     string   // the required header parameter typ
	SkipType bool     // accept any typ, except those of tokens for other uses
	Required []string // further claims that a token must have; no name twice
	// Kind is the kind of account of its tokens, "" to use the claim kind of the token. A
	// token whose claim kind differs from Kind is refused.
	Kind string
	// Kinds maps the claim kind to the kind here. If it is not empty, other kinds are
	// refused.
	Kinds map[string]string
}

// kindOf returns the kind of a token here. ok is false if the token must be refused. A
// signed kind is never replaced by Kind: the accounts of another kind of the issuer, for
// instance teacher 3, must not become the account users 3 here.
func (i *Issuer) kindOf(c *Claims) (kind string, ok bool) {
	switch {
	case c.Kind == "":
		return i.Kind, !HasAll(c.Payload, []string{"kind"})
	case len(i.Kinds) > 0:
		kind, ok = i.Kinds[c.Kind]
		return kind, ok
	}
	return c.Kind, i.Kind == "" || c.Kind == i.Kind
}

// foreign returns the issuer whose keys must verify a token, and its payload; nil for an
// own token. The claim iss is not trusted yet: it only selects one of the configured
// issuers, and each has its own keys. The payload is not read if the header shows that
// the token is an own token.
func (t *Tokens) foreign(p jws.Parts) (named *Issuer, text []byte) {
	if len(t.Issuers) == 0 || len(p.Header) > maxHeaderBytes || t.isOwn(p.Header) {
		return nil, nil
	}
	text, err := base64url.DecodeString(p.Payload)
	if err != nil {
		return nil, nil
	}
	err = strictjson.Object(text, func(member string, value strictjson.Value) error {
		if name, ok := value.BorrowedText(); ok && member == "iss" {
			i := slices.IndexFunc(t.Issuers, func(i Issuer) bool { return i.Name == name })
			if i >= 0 {
				named = &t.Issuers[i]
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil
	}
	return named, text
}

// isOwn reports whether header can only belong to an own token. If Config.Keys signs,
// another application with fiberjwt may write the same header, so the result is false.
func (t *Tokens) isOwn(header string) bool {
	return t.Keys == nil && t.keyring.find(header) != nil
}

// verifyForeign verifies a token of another issuer.
func (t *Tokens) verifyForeign(ctx context.Context, i *Issuer, p jws.Parts, text []byte) (Claims, error) {
	header, ok := jws.ReadHeader(p.Header)
	if !ok || !i.acceptsType(header.Type) {
		return Claims{}, ErrMalformed
	}
	key, err := t.find(ctx, i.Keys, header.KeyID, keys.Algorithm(header.Algorithm))
	if err != nil {
		return Claims{}, err
	}
	if err := verifyBy(key, p); err != nil {
		return Claims{}, err
	}
	var c Claims
	if err := c.parse(text); err != nil {
		return Claims{}, err
	}
	c.Foreign, c.SessionID = true, "" // its sid refers to a session of the issuer
	if c.Kind, ok = i.kindOf(&c); !ok {
		return Claims{}, ErrWrong
	}
	if c.Subject == "" || c.ExpiresAt < 0 || !HasAll(c.Payload, i.Required) {
		return Claims{}, ErrMissing
	}
	if c.Issuer != i.Name || !t.accepts(c.Kind) || i.SkipType && hasAny(c.Payload, otherUses) {
		return Claims{}, ErrWrong
	}
	if c.ExpiresAt-t.Now().Unix() > int64(MaxLife/time.Second)+t.leeway {
		return Claims{}, ErrWrong
	}
	return c, t.checkUse(&c, i.Audience, t.leeway)
}

// otherUses are claims of tokens that are not access tokens: ID tokens (OpenID Connect
// Core 1.0 §2, §3.1.3.6), logout tokens and other security event tokens (RFC 8417 §2.2).
var otherUses = []string{"nonce", "at_hash", "events"}

// acceptsType reports whether a token with this typ may be an access token of i.
func (i *Issuer) acceptsType(typ string) bool {
	if !i.SkipType {
		return sameMediaType(typ, i.Type)
	}
	return !slices.ContainsFunc([]string{"logout+jwt", "secevent+jwt", "dpop+jwt"}, func(other string) bool { return sameMediaType(typ, other) })
}

// sameMediaType compares media types without case and without the prefix "application/",
// which RFC 7515 §4.1.9 recommends to omit.
func sameMediaType(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.TrimPrefix(a, "application/") == strings.TrimPrefix(b, "application/")
}
