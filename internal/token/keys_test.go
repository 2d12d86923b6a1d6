package token_test

import (
	"context"
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
)

func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func newKey(t testing.TB, algorithm keys.Algorithm) keys.Key {
	t.Helper()
	key, err := keys.Generate(algorithm)
	require.NoError(t, err)
	return key
}

func newSet(t testing.TB, all ...keys.Key) *keys.Set {
	t.Helper()
	set, err := keys.NewSet(all...)
	require.NoError(t, err)
	return set
}

func withKeys(source keys.Source) func(*token.Config) {
	return func(cfg *token.Config) { cfg.Ring, cfg.Keys = nil, source }
}

// signed signs any header and payload with a key.
func signed(t *testing.T, key keys.Key, header, payload string) string {
	t.Helper()
	text := segment(header) + "." + segment(payload)
	signature, err := key.Sign(text)
	require.NoError(t, err)
	return text + "." + segment(string(signature))
}

func ownHeader(algorithm, kid string) string {
	return `{"alg":"` + algorithm + `","kid":"` + kid + `","typ":"at+jwt"}`
}

// find is a source of keys that is a function.
type find func(ctx context.Context, kid string, algorithm keys.Algorithm) (keys.Key, error)

func (f find) Find(ctx context.Context, kid string, algorithm keys.Algorithm) (keys.Key, error) {
	return f(ctx, kid, algorithm)
}

func TestEveryAsymmetricAlgorithmSignsAndVerifies(t *testing.T) {
	for _, algorithm := range []keys.Algorithm{
		keys.ES256, keys.ES384, keys.ES512, keys.EdDSA,
		keys.RS256, keys.RS384, keys.RS512, keys.PS256, keys.PS384, keys.PS512,
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			key := newKey(t, algorithm)
			signer, _ := newTokens(withKeys(newSet(t, key)))
			raw := issue(t, signer, usual())
			require.Contains(t, raw, segment(ownHeader(string(algorithm), key.ID()))+".")
			verifier, _ := newTokens(withKeys(newSet(t, key.Public())))
			got, err := verifier.Verify(t.Context(), raw)
			require.NoError(t, err)
			require.Equal(t, "42", got.Subject)
		})
	}
}

func TestKeysVerifyOnlyWhatTheySigned(t *testing.T) {
	key, other := newKey(t, keys.ES256), newKey(t, keys.ES256)
	tokens, _ := newTokens(withKeys(newSet(t, key)))
	payload := usualObject().String()
	for name, test := range map[string]struct {
		raw  string
		want error
	}{
		"a good token":               {signed(t, key, ownHeader("ES256", key.ID()), payload), nil},
		"an unknown kid":             {signed(t, other, ownHeader("ES256", other.ID()), payload), token.ErrUnknownKey},
		"another key with the kid":   {signed(t, other, ownHeader("ES256", key.ID()), payload), token.ErrSignature},
		"another algorithm":          {signed(t, key, ownHeader("ES384", key.ID()), payload), token.ErrUnknownKey},
		"HS256":                      {signed(t, key, ownHeader("HS256", key.ID()), payload), token.ErrUnknownKey},
		"none":                       {signed(t, key, ownHeader("none", key.ID()), payload), token.ErrUnknownKey},
		"typ JWT":                    {signed(t, key, `{"alg":"ES256","kid":"`+key.ID()+`","typ":"JWT"}`, payload), token.ErrMalformed},
		"no kid":                     {signed(t, key, `{"alg":"ES256","typ":"at+jwt"}`, payload), token.ErrMalformed},
		"a header of an own secret":  {mint(current, "users", headerOf(current, "users"), payload), token.ErrUnknownKey},
		"a kind that is undeclared":  {signed(t, key, ownHeader("ES256", key.ID()), usualObject().with(object{"kind": "admins"}).String()), token.ErrWrong},
		"a signature of other bytes": {segment(ownHeader("ES256", key.ID())) + "." + segment(payload) + ".AAAA", token.ErrSignature},
		"a signature of no base64":   {segment(ownHeader("ES256", key.ID())) + "." + segment(payload) + ".A", token.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.Verify(t.Context(), test.raw)
			require.Equal(t, test.want, err)
		})
	}
}

func TestEveryKeyOfASetVerifiesAndTheFirstSigns(t *testing.T) {
	first, second := newKey(t, keys.ES256), newKey(t, keys.EdDSA)
	tokens, _ := newTokens(withKeys(newSet(t, first, second)))
	require.Contains(t, issue(t, tokens, usual()), segment(ownHeader("ES256", first.ID())))
	_, err := tokens.Verify(t.Context(), signed(t, second, ownHeader("EdDSA", second.ID()), usualObject().String()))
	require.NoError(t, err)
}

func TestIssueNeedsAPrivateKey(t *testing.T) {
	key := newKey(t, keys.ES256)
	for name, source := range map[string]keys.Source{
		"a set of public keys": newSet(t, key.Public()),
		"another source":       find(func(context.Context, string, keys.Algorithm) (keys.Key, error) { return key, nil }),
	} {
		tokens, _ := newTokens(withKeys(source))
		_, err := tokens.Issue(usual(), token.Shape{}, nil)
		require.ErrorIs(t, err, fault.ErrSetup, name)
	}
}

func TestErrorsOfASourceAreClassified(t *testing.T) {
	key := newKey(t, keys.ES256)
	errSource := errors.New("no answer")
	for name, test := range map[string]struct {
		source find
		want   []error
		not    error
	}{
		"no such key": {
			func(context.Context, string, keys.Algorithm) (keys.Key, error) { return keys.Key{}, keys.ErrNoKey },
			[]error{token.ErrUnknownKey}, fault.ErrUnavailable,
		},
		"no such key, with a cause": {
			func(context.Context, string, keys.Algorithm) (keys.Key, error) {
				return keys.Key{}, errors.Join(keys.ErrNoKey, errSource)
			},
			[]error{token.ErrMalformed, errSource}, fault.ErrUnavailable,
		},
		"no answer": {
			func(context.Context, string, keys.Algorithm) (keys.Key, error) { return keys.Key{}, errSource },
			[]error{fault.ErrUnavailable, errSource}, token.ErrMalformed,
		},
		"a panic": {
			func(context.Context, string, keys.Algorithm) (keys.Key, error) { panic("no map") },
			[]error{fault.ErrBroken}, token.ErrMalformed,
		},
		"a key of another algorithm": {
			func(context.Context, string, keys.Algorithm) (keys.Key, error) { return newKey(t, keys.ES384), nil },
			[]error{token.ErrMalformed}, token.ErrSignature,
		},
		"the zero key": {
			func(context.Context, string, keys.Algorithm) (keys.Key, error) { return keys.Key{}, nil },
			[]error{token.ErrMalformed}, token.ErrSignature,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, _ := newTokens(withKeys(test.source))
			got, err := tokens.Verify(t.Context(), signed(t, key, ownHeader("ES256", key.ID()), usualObject().String()))
			for _, want := range test.want {
				require.ErrorIs(t, err, want)
			}
			require.NotErrorIs(t, err, test.not)
			require.Zero(t, got)
		})
	}
}

func TestSourceHasLimitedTime(t *testing.T) {
	key := newKey(t, keys.ES256)
	source := find(func(ctx context.Context, _ string, _ keys.Algorithm) (keys.Key, error) {
		<-ctx.Done()
		return keys.Key{}, ctx.Err()
	})
	tokens, _ := newTokens(withKeys(source), func(cfg *token.Config) { cfg.KeyWait = time.Nanosecond })
	_, err := tokens.Verify(t.Context(), signed(t, key, ownHeader("ES256", key.ID()), usualObject().String()))
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A shared secret in Config.Keys would let every other verifier sign.
func TestSharedSecretVerifiesNoOwnToken(t *testing.T) {
	key, err := keys.HMAC(keys.HS256, shared)
	require.NoError(t, err)
	source := find(func(context.Context, string, keys.Algorithm) (keys.Key, error) { return key, nil })
	tokens, _ := newTokens(withKeys(source))
	_, err = tokens.Verify(t.Context(), signed(t, key, ownHeader("HS256", "k1"), usualObject().String()))
	require.Equal(t, token.ErrMalformed, err)
}
