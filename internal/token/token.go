// Package token makes and verifies access tokens: JWTs (RFC 7519) of the application's
// own, and those of issuers that it trusts. golang-jwt supplies the signature
// algorithms and the error values; this package takes tokens apart itself, because
// nothing in a token may be looked at before its signature is verified.
package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/keys"
)

const (
	// MaxBytes bounds what is read, before anything else is done with it, and what is
	// issued: a cookie's name and value share 4096 bytes (RFC 6265bis §5.6), as does
	// Fiber's default header buffer.
	MaxBytes = 3900
	// MaxLife is the longest exp - iat that is accepted.
	MaxLife = 24 * time.Hour
	// ClockSkew is how far the clocks of the servers and of the store may differ.
	ClockSkew = time.Minute
)

var base64url = jws.Base64url

// Config is what [New] takes. New does not copy it.
type Config struct {
	Ring    secret.Ring
	Keys    keys.Source   // sign in place of the secrets, for all kinds; nil: the secrets
	KeyWait time.Duration // the most that a source of keys may take
	Kinds   []string      // the declared ones; none: any

	Issuer    string
	ClientID  string // "" for none
	Audience  []string
	Audiences map[string][]string // in place of Audience, by kind
	Required  []string            // further claims that must be there, sorted
	Issuers   []Issuer            // others whose tokens are accepted
	Leeway    time.Duration
	Now       func() time.Time
}

// Tokens issues and verifies access tokens. It is immutable and safe for concurrent
// use.
type Tokens struct {
	Config
	keyring *keyring
	leeway  int64 // seconds
}

// New derives the keys.
func New(cfg Config) *Tokens {
	return &Tokens{Config: cfg, keyring: newKeyring(cfg.Ring, cfg.Kinds), leeway: int64(cfg.Leeway / time.Second)}
}

// NewID is a jti: 128 random bits.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Issue signs c together with the application's own claims. The error is about how the
// application is set up.
func (t *Tokens) Issue(c Claims, shape Shape, custom map[string]any) (string, error) {
	payload, err := t.encode(c, shape, custom)
	if err != nil {
		return "", err
	}
	token, err := t.sign(c.Kind, payload)
	if err != nil {
		return "", err
	}
	if len(token) > MaxBytes {
		// A browser would drop such a cookie without a word.
		return "", fault.Setupf("the access token of kind %s has %d bytes, %d is the most: let Entity.Claims return less", c.Kind, len(token), MaxBytes)
	}
	return token, nil
}

// Verify returns the claims of raw, of which nothing is kept. The order is that of cost
// and of trust: no byte of the claims is looked at before the signature holds (RFC 7519
// §7.2; RFC 8725 §3.3). With an error, the claims have a Kind if the signature holds.
func (t *Tokens) Verify(ctx context.Context, raw string) (Claims, error) {
	parts, ok := jws.Split(raw, t.longest())
	if !ok {
		return Claims{}, ErrMalformed
	}
	if issuer, text := t.foreign(parts); issuer != nil {
		return t.verifyForeign(ctx, issuer, parts, text)
	}
	if len(raw) > MaxBytes {
		return Claims{}, ErrMalformed
	}
	kind, err := t.prove(ctx, parts)
	if err != nil {
		return Claims{}, err
	}
	c, err := readClaims(parts)
	switch {
	case err != nil:
		return Claims{}, err
	case !c.complete():
		return Claims{}, ErrMissing
	case kind != "" && c.Kind != kind, !t.accepts(c.Kind):
		return Claims{}, ErrWrong
	case !HasAll(c.Payload, t.Required):
		return Claims{}, ErrMissing
	}
	return c, t.check(&c)
}

// longest token that may be valid.
func (t *Tokens) longest() int {
	if len(t.Issuers) > 0 {
		return maxForeignBytes
	}
	return MaxBytes
}

func (t *Tokens) audienceOf(kind string) []string {
	if own := t.Audiences[kind]; len(own) > 0 {
		return own
	}
	return t.Audience
}

// accepts reports whether tokens of kind are accepted.
func (t *Tokens) accepts(kind string) bool {
	if len(t.Kinds) == 0 {
		return ValidKind(kind)
	}
	return slices.Contains(t.Kinds, kind)
}

// check compares the claims of an own token with the configuration and the clock. The
// application's other servers have issued it by their clocks.
func (t *Tokens) check(c *Claims) error {
	switch {
	case c.Issuer != t.Issuer:
		return ErrIssuer
	case c.ExpiresAt-c.IssuedAt > int64(MaxLife/time.Second) || c.ExpiresAt < c.IssuedAt:
		return ErrWrong
	}
	return t.checkUse(c, t.audienceOf(c.Kind), int64(ClockSkew/time.Second))
}

// checkUse is for the tokens of all issuers: they are for one of audience, and valid
// now. The clock of the issuer may be ahead by so many seconds.
func (t *Tokens) checkUse(c *Claims, audience []string, ahead int64) error {
	now := t.Now().Unix()
	switch {
	case !c.isFor(audience):
		return ErrAudience
	case c.IssuedAt > now+ahead, c.AuthTime > now+ahead:
		return ErrIssued
	case c.NotBefore > now+t.leeway:
		return ErrNotBefore
	case now >= c.ExpiresAt+t.leeway:
		// RFC 7519 §4.1.4: "on or after".
		return ErrExpired
	}
	return nil
}

// Close ends the fetching of keys.
func (t *Tokens) Close() error {
	err := closeKeys(t.Keys)
	for _, issuer := range t.Issuers {
		err = errors.Join(err, closeKeys(issuer.Keys))
	}
	return err
}

func closeKeys(source keys.Source) error {
	if fetching, ok := source.(io.Closer); ok {
		return fetching.Close()
	}
	return nil
}
