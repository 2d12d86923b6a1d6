// Package token issues and verifies access tokens: the application's own JWTs (RFC 7519),
// and those of other issuers that it trusts. golang-jwt supplies the error values and the
// signature algorithms, except HS256 of own tokens. This package parses tokens itself,
// because no claim may be read before the signature is verified.
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
	// MaxBytes is the maximum length of an own token, when it is issued and when it is
	// verified. The name and value of a cookie have 4096 bytes together (RFC 6265bis §5.6),
	// and Fiber's default header buffer has 4096 bytes.
	MaxBytes = 3900
	// MaxLife is the longest accepted lifetime, exp - iat.
	MaxLife = 24 * time.Hour
	// ClockSkew is how much the clocks of the application's servers, and of the store, may
	// differ.
	ClockSkew = time.Minute
)

var base64url = jws.Base64url

// Config is the argument of [New]. New does not copy its slices and maps, so they must
// not change afterwards.
type Config struct {
	Ring    secret.Ring
	Keys    keys.Source   // signs and verifies the tokens of all kinds; nil for the keys of Ring
	KeyWait time.Duration // limits each call of a source of keys that is not a *keys.Set
	Kinds   []string      // the declared kinds; empty to accept any kind

	Issuer    string
	ClientID  string              // the claim client_id of issued tokens; "" for no claim
	Audience  []string            // of issued tokens; a presented token must have one of these
	Audiences map[string][]string // instead of Audience, by kind
	Required  []string            // further claims that an own token must have; no name twice
	Issuers   []Issuer            // other issuers whose tokens are accepted
	Leeway    time.Duration       // tolerance for exp and nbf, in whole seconds
	Now       func() time.Time
}

// Tokens issues and verifies access tokens. It is safe for concurrent use.
type Tokens struct {
	Config
	keyring *keyring
	leeway  int64 // seconds
}

// New returns a Tokens for cfg, which it does not check.
func New(cfg Config) *Tokens {
	return &Tokens{Config: cfg, keyring: newKeyring(cfg.Ring, cfg.Kinds), leeway: int64(cfg.Leeway / time.Second)}
}

// NewID returns a new claim jti: 128 random bits in base64url.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Issue returns a signed token with the claims c and the application's claims custom,
// changed by shape. c.Kind must be one of the declared kinds. It sets iss, aud and
// client_id from the configuration. Every error matches fault.ErrSetup: custom contains
// a reserved name or does not encode, the token is longer than [MaxBytes], or there is
// no key to sign with.
func (t *Tokens) Issue(c Claims, shape Shape, custom map[string]any) (string, error) {
	payload, err := t.encode(&c, &shape, custom)
	if err != nil {
		return "", err
	}
	token, err := t.sign(c.Kind, payload)
	if err != nil {
		return "", err
	}
	if len(token) > MaxBytes {
		// A browser would silently drop such a cookie.
		return "", fault.Setupf("the access token of kind %s has %d bytes, the maximum is %d: return fewer or shorter claims from Entity.Claims", c.Kind, len(token), MaxBytes)
	}
	return token, nil
}

// Verify returns the claims of raw if raw is a valid token. The claims share no memory
// with raw. No claim is trusted before the signature is verified (RFC 7519 §7.2; RFC 8725
// §3.3).
//
// The error is one of the sentinels of this package, or matches fault.ErrUnavailable or
// fault.ErrSetup if a source of keys failed. With an error of the last checks, which
// compare iss, aud and the times, Verify also returns the claims, whose signature is
// verified. With every other error the claims are zero.
func (t *Tokens) Verify(ctx context.Context, raw string) (c Claims, err error) {
	err = t.VerifyInto(ctx, raw, &c)
	return c, err
}

// VerifyInto is [Tokens.Verify] for a caller that has memory for the claims, c, which is zero.
// Returning so many fields takes a twentieth of a verification.
func (t *Tokens) VerifyInto(ctx context.Context, raw string, c *Claims) error {
	parts, ok := jws.Split(raw, t.longest())
	if !ok {
		return ErrMalformed
	}
	if issuer, text := t.foreign(parts); issuer != nil {
		var err error
		*c, err = t.verifyForeign(ctx, issuer, parts, text)
		return err
	}
	if len(raw) > MaxBytes {
		return ErrMalformed
	}
	kind, key, err := t.verifySignature(ctx, parts)
	if err != nil {
		return err
	}
	text, err := base64url.DecodeString(parts.Payload)
	if err != nil {
		return ErrMalformed
	}
	err = c.parse(text)
	switch {
	case err != nil:
	case !c.complete():
		err = ErrMissing
	case kind != "" && c.Kind != kind, !t.accepts(c.Kind):
		err = ErrWrong
	case !HasAll(c.Payload, t.Required):
		err = ErrMissing
	}
	if err != nil {
		*c = Claims{}
		return err
	}
	c.key = key
	return t.check(c)
}

// Recheck checks again what time and a change of keys can change for an own token that
// Verify has accepted: its times, compared with now, and that the key is still there. The
// error is one of those of Verify, or ErrUnknownKey if a source of keys cannot be asked
// without waiting.
func (t *Tokens) Recheck(ctx context.Context, c *Claims, now time.Time) error {
	if t.Keys != nil {
		set, ok := t.Keys.(*keys.Set)
		if !ok || c.key == nil {
			return ErrUnknownKey
		}
		if key, err := set.Find(ctx, c.key.ID(), c.key.Algorithm()); err != nil || !key.Equal(*c.key) {
			return ErrUnknownKey
		}
	}
	return t.checkTimes(c, now.Unix(), int64(ClockSkew/time.Second))
}

// longest returns the length of the longest token that can be valid.
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

// check compares the claims of an own token with the configuration and the clock. Another
// server of the application may have issued the token by its own clock, so check
// tolerates ClockSkew.
func (t *Tokens) check(c *Claims) error {
	switch {
	case c.Issuer != t.Issuer:
		return ErrIssuer
	case c.ExpiresAt-c.IssuedAt > int64(MaxLife/time.Second) || c.ExpiresAt < c.IssuedAt:
		return ErrWrong
	}
	return t.checkUse(c, t.audienceOf(c.Kind), int64(ClockSkew/time.Second))
}

// checkUse checks the tokens of all issuers: the token has one of audience, and is valid
// now. The clock of the issuer may be ahead by the given number of seconds.
func (t *Tokens) checkUse(c *Claims, audience []string, ahead int64) error {
	if !c.isFor(audience) {
		return ErrAudience
	}
	return t.checkTimes(c, t.Now().Unix(), ahead)
}

func (t *Tokens) checkTimes(c *Claims, now, ahead int64) error {
	switch {
	case c.IssuedAt > now+ahead, c.AuthTime > now+ahead:
		return ErrIssued
	case c.NotBefore > now+t.leeway:
		return ErrNotBefore
	case now >= c.ExpiresAt+t.leeway:
		// RFC 7519 §4.1.4: not accepted "on or after" exp.
		return ErrExpired
	}
	return nil
}

// Close closes the sources of keys that implement io.Closer, which ends their fetching.
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
