package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
)

// federation is a Tokens that accepts tokens of the issuer "https://id.example", and the
// key of that issuer.
type federation struct {
	*token.Tokens
	*clock
	key keys.Key
}

func newFederation(t *testing.T, change ...func(*token.Issuer)) federation {
	t.Helper()
	key := newKey(t, keys.ES256)
	issuer := token.Issuer{Name: "https://id.example", Keys: newSet(t, key.Public()), Audience: []string{"api"}, Type: "at+jwt", Kind: "users"}
	for _, f := range change {
		f(&issuer)
	}
	tokens, c := newTokens(func(cfg *token.Config) { cfg.Issuers = []token.Issuer{{Name: "https://other.example"}, issuer} })
	return federation{tokens, c, key}
}

func foreignObject() object {
	return object{"iss": "https://id.example", "aud": []string{"other", "api"}, "sub": "auth0|1", "sid": "theirs", "iat": noon, "exp": noon + 3600}
}

func (f federation) sign(t *testing.T, header string, payload object) string {
	t.Helper()
	return signed(t, f.key, header, payload.String())
}

const es256 = `{"alg":"ES256","typ":"at+jwt"}`

func TestTokenOfAnotherIssuerIsVerified(t *testing.T) {
	f := newFederation(t)
	got, err := f.Verify(t.Context(), f.sign(t, es256, foreignObject()))
	require.NoError(t, err)
	require.True(t, got.Foreign)
	require.Equal(t, "https://id.example", got.Issuer)
	require.Equal(t, "auth0|1", got.Subject)
	require.Equal(t, "users", got.Kind)
	require.Empty(t, got.SessionID, "its sid refers to a session of the issuer")
	require.Empty(t, got.ID)
	require.Equal(t, []int64{noon, noon + 3600, -1, -1}, []int64{got.IssuedAt, got.ExpiresAt, got.NotBefore, got.AuthTime})
}

func TestOwnTokensAreVerifiedBesideOtherIssuers(t *testing.T) {
	f := newFederation(t)
	got, err := f.Verify(t.Context(), issue(t, f.Tokens, usual()))
	require.NoError(t, err)
	require.False(t, got.Foreign)
	_, err = f.Verify(t.Context(), mint(current, "users", headerOf(current, "users"), usualObject().with(object{"iss": "https://id.example"}).String()))
	require.Equal(t, token.ErrIssuer, err, "an own header is never verified with the keys of another issuer")
	_, err = f.Verify(t.Context(), mint(current, "users", headerOf(current, "users"), usualObject().with(object{"x": strings.Repeat("x", token.MaxBytes)}).String()))
	require.Equal(t, token.ErrMalformed, err, "an own token has at most MaxBytes")
}

func TestOwnSetMayShareItsHeaderWithAnIssuer(t *testing.T) {
	own, theirs := newKey(t, keys.ES256), newKey(t, keys.ES256)
	tokens, _ := newTokens(withKeys(newSet(t, own)), func(cfg *token.Config) {
		cfg.Issuers = []token.Issuer{{Name: "https://id.example", Keys: newSet(t, theirs), Audience: []string{"api"}, Type: "at+jwt", Kind: "users"}}
	})
	_, err := tokens.Verify(t.Context(), issue(t, tokens, usual()))
	require.NoError(t, err)
	got, err := tokens.Verify(t.Context(), signed(t, theirs, ownHeader("ES256", theirs.ID()), foreignObject().String()))
	require.NoError(t, err)
	require.True(t, got.Foreign)
}

func TestIssuerMayHaveTheSecretOfThisApplication(t *testing.T) {
	root := secret.NewRoot(current)
	theirs, err := keys.HMAC(keys.HS256, root.Derive("fiberjwt/v1/access/users"))
	require.NoError(t, err)
	tokens, _ := newTokens(func(cfg *token.Config) {
		cfg.Keys = newSet(t, newKey(t, keys.ES256))
		cfg.Issuers = []token.Issuer{{
			Name: "https://id.example", Keys: newSet(t, theirs.Named(root.KeyID+".users")), Audience: []string{"api"}, Type: "at+jwt", Kind: "users",
		}}
	})
	got, err := tokens.Verify(t.Context(), mint(current, "users", headerOf(current, "users"), foreignObject().String()))
	require.NoError(t, err)
	require.True(t, got.Foreign)
}

func TestClaimsOfAnotherIssuerAreChecked(t *testing.T) {
	f := newFederation(t, func(i *token.Issuer) { i.Required = []string{"email"} })
	good := foreignObject().with(object{"email": "ann@example.com"})
	for name, test := range map[string]struct {
		change object
		want   error
	}{
		"a good token":              {nil, nil},
		"a string as aud":           {object{"aud": "api"}, nil},
		"the own kind":              {object{"kind": "users"}, nil},
		"another kind":              {object{"kind": "teachers"}, token.ErrWrong},
		"an empty kind":             {object{"kind": ""}, token.ErrWrong},
		"no sub":                    {object{"sub": nil}, token.ErrMissing},
		"no exp":                    {object{"exp": nil}, token.ErrMissing},
		"no required claim":         {object{"email": nil}, token.ErrMissing},
		"a required claim of null":  {object{"email": json.RawMessage("null")}, token.ErrMissing},
		"no iat":                    {object{"iat": nil}, nil},
		"sub of the wrong type":     {object{"sub": 1}, token.ErrWrong},
		"another audience":          {object{"aud": "other"}, token.ErrAudience},
		"no audience":               {object{"aud": nil}, token.ErrAudience},
		"iat within the leeway":     {object{"iat": noon + 10}, nil},
		"iat in the future":         {object{"iat": noon + 11}, token.ErrIssued},
		"nbf in the future":         {object{"nbf": noon + 11}, token.ErrNotBefore},
		"expired":                   {object{"exp": noon - 10}, token.ErrExpired},
		"exp more than 24 h ahead":  {object{"exp": noon + 86400 + 11}, token.ErrWrong},
		"exp 24 h ahead":            {object{"exp": noon + 86400 + 10}, nil},
		"an issuer that is unknown": {object{"iss": "https://evil.example"}, token.ErrMalformed},
		"no issuer":                 {object{"iss": nil}, token.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Verify(t.Context(), f.sign(t, es256, good.with(test.change)))
			require.Equal(t, test.want, err)
		})
	}
}

func TestHeaderOfAnotherIssuerIsChecked(t *testing.T) {
	f := newFederation(t)
	hmacKey, err := keys.HMAC(keys.HS256, shared)
	require.NoError(t, err)
	payload := foreignObject().String()
	for name, test := range map[string]struct {
		raw  string
		want error
	}{
		"no kid":                   {f.sign(t, es256, foreignObject()), nil},
		"the kid":                  {f.sign(t, ownHeader("ES256", f.key.ID()), foreignObject()), nil},
		"the long media type":      {f.sign(t, `{"alg":"ES256","typ":"application/AT+JWT"}`, foreignObject()), nil},
		"typ JWT":                  {f.sign(t, `{"alg":"ES256","typ":"JWT"}`, foreignObject()), token.ErrMalformed},
		"no typ":                   {f.sign(t, `{"alg":"ES256"}`, foreignObject()), token.ErrMalformed},
		"no alg":                   {f.sign(t, `{"typ":"at+jwt"}`, foreignObject()), token.ErrMalformed},
		"another kid":              {f.sign(t, ownHeader("ES256", "k2"), foreignObject()), token.ErrMalformed},
		"another algorithm":        {f.sign(t, ownHeader("ES384", f.key.ID()), foreignObject()), token.ErrMalformed},
		"an own key in the header": {f.sign(t, `{"alg":"ES256","typ":"at+jwt","jwk":{}}`, foreignObject()), token.ErrMalformed},
		"another key":              {signed(t, newKey(t, keys.ES256), es256, payload), token.ErrSignature},
		"HS256 with a secret":      {signed(t, hmacKey, `{"alg":"HS256","typ":"at+jwt"}`, payload), token.ErrMalformed},
		"none":                     {segment(`{"alg":"none","typ":"at+jwt"}`) + "." + segment(payload) + ".", token.ErrMalformed},
		"a long header":            {f.sign(t, `{"alg":"ES256","typ":"at+jwt","x":"`+strings.Repeat("x", 1000)+`"}`, foreignObject()), token.ErrMalformed},
		"a payload of no base64":   {segment(es256) + ".A.AAAA", token.ErrMalformed},
		"a payload of no JSON":     {signed(t, f.key, es256, "x"), token.ErrMalformed},
		"two issuers":              {signed(t, f.key, es256, `{"iss":"https://id.example","iss":"shop"}`), token.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Verify(t.Context(), test.raw)
			require.Equal(t, test.want, err)
		})
	}
}

func TestSkippedTypeCheckRefusesTokensForOtherUses(t *testing.T) {
	f := newFederation(t, func(i *token.Issuer) { i.Type, i.SkipType = "", true })
	for name, test := range map[string]struct {
		header string
		change object
		want   error
	}{
		"typ JWT":                 {`{"alg":"ES256","typ":"JWT"}`, nil, nil},
		"no typ":                  {`{"alg":"ES256"}`, nil, nil},
		"typ at+jwt":              {es256, nil, nil},
		"a logout token":          {`{"alg":"ES256","typ":"logout+jwt"}`, nil, token.ErrMalformed},
		"a security event token":  {`{"alg":"ES256","typ":"application/secevent+jwt"}`, nil, token.ErrMalformed},
		"a DPoP proof":            {`{"alg":"ES256","typ":"DPoP+JWT"}`, nil, token.ErrMalformed},
		"an ID token with nonce":  {`{"alg":"ES256"}`, object{"nonce": "n"}, token.ErrWrong},
		"an ID token with a hash": {`{"alg":"ES256"}`, object{"at_hash": "h"}, token.ErrWrong},
		"an event":                {`{"alg":"ES256"}`, object{"events": object{}}, token.ErrWrong},
		"a nonce of null":         {`{"alg":"ES256"}`, object{"nonce": json.RawMessage("null")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Verify(t.Context(), f.sign(t, test.header, foreignObject().with(test.change)))
			require.Equal(t, test.want, err)
		})
	}
}

func TestKindOfAForeignTokenComesFromTheSettings(t *testing.T) {
	for name, test := range map[string]struct {
		kind  string
		kinds map[string]string
		claim any
		want  string // "" if the token is refused
	}{
		"the kind of the issuer":            {"users", nil, nil, "users"},
		"the same kind in the claim":        {"users", nil, "users", "users"},
		"another kind in the claim":         {"users", nil, "teachers", ""},
		"the claim alone":                   {"", nil, "teachers", "teachers"},
		"the claim names an undeclared one": {"", nil, "admins", ""},
		"neither":                           {"", nil, nil, ""},
		"a translated kind":                 {"", map[string]string{"staff": "teachers"}, "staff", "teachers"},
		"a kind without translation":        {"", map[string]string{"staff": "teachers"}, "teachers", ""},
		"translations, but no claim":        {"users", map[string]string{"staff": "teachers"}, nil, "users"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t, func(i *token.Issuer) { i.Kind, i.Kinds = test.kind, test.kinds })
			got, err := f.Verify(t.Context(), f.sign(t, es256, foreignObject().with(object{"kind": test.claim})))
			if test.want == "" {
				require.Equal(t, token.ErrWrong, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got.Kind)
		})
	}
}

func TestForeignTokensMayBeLongerThanOwnOnes(t *testing.T) {
	f := newFederation(t)
	_, err := f.Verify(t.Context(), f.sign(t, es256, foreignObject().with(object{"roles": strings.Repeat("x", 5000)})))
	require.NoError(t, err)
	_, err = f.Verify(t.Context(), f.sign(t, es256, foreignObject().with(object{"roles": strings.Repeat("x", 8000)})))
	require.Equal(t, token.ErrMalformed, err)
}

func TestFailingKeysOfAnIssuerFailTheRequest(t *testing.T) {
	f := newFederation(t, func(i *token.Issuer) {
		i.Keys = find(func(context.Context, string, keys.Algorithm) (keys.Key, error) {
			return keys.Key{}, errors.New("no answer")
		})
	})
	_, err := f.Verify(t.Context(), f.sign(t, es256, foreignObject()))
	require.ErrorIs(t, err, fault.ErrUnavailable)
	_, err = f.Verify(t.Context(), issue(t, f.Tokens, usual()))
	require.NoError(t, err, "own tokens do not need these keys")
}
