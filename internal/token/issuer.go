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

// maxForeignBytes bounds tokens of other issuers, whose lists of roles are long. Fiber
// refuses headers over 4 KiB unless its ReadBufferSize is raised.
const (
	maxForeignBytes = 8 << 10
	maxHeaderBytes  = 1 << 10 // of that, the header segment
)

// Issuer is another party whose access tokens are accepted.
type Issuer struct {
	Name     string // its iss claim
	Keys     keys.Source
	Audience []string // aud must have one of these
	Type     string   // what typ must say
	SkipType bool     // accept access tokens whatever typ says
	Required []string // further claims that must be there, sorted
	Kind     string   // of account that its tokens sign in, "" for the one that they name
	Kinds    map[string]string
}

// kindOf returns the kind of a token here. It is not ok if the token is refused. A
// signed kind is never replaced: teacher 3 of another service is not its user 3.
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

// foreign says which issuer a token is to be verified by, nil for own tokens. The claim
// is not trusted yet: it only chooses among the configured issuers, each of which has
// its own keys. It is not read if the header says already that the token is an own one.
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

// isOwn reports whether only the secrets write such a header. With Config.Keys, another
// fiberjwt may write the same.
func (t *Tokens) isOwn(header string) bool {
	_, ok := t.keyring.find(header)
	return ok && t.Keys == nil
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
	c, err := parseClaims(text)
	if err != nil {
		return Claims{}, err
	}
	c.Foreign, c.SessionID = true, "" // its sid is a session of the issuer
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

// otherUses are claims of ID tokens (OpenID Connect Core 1.0 §2, §3.1.3.6) and of
// logout and other security event tokens (RFC 8417 §2.2).
var otherUses = []string{"nonce", "at_hash", "events"}

// acceptsType decides on a token by its typ.
func (i *Issuer) acceptsType(typ string) bool {
	if !i.SkipType {
		return sameMediaType(typ, i.Type)
	}
	return !slices.ContainsFunc([]string{"logout+jwt", "secevent+jwt", "dpop+jwt"}, func(other string) bool { return sameMediaType(typ, other) })
}

// sameMediaType: RFC 7515 §4.1.9 lets "application/" be left out, and case does not
// count.
func sameMediaType(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.TrimPrefix(a, "application/") == strings.TrimPrefix(b, "application/")
}
