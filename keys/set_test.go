package keys_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/keys"
)

func newSet(t testing.TB, k ...keys.Key) *keys.Set {
	t.Helper()
	s, err := keys.NewSet(k...)
	require.NoError(t, err)
	return s
}

func find(s keys.Source, kid string, algorithm keys.Algorithm) error {
	_, err := s.Find(context.Background(), kid, algorithm)
	return err
}

func secretKey(t testing.TB, secret string) keys.Key {
	t.Helper()
	k, err := keys.HMAC(keys.HS256, []byte(secret))
	require.NoError(t, err)
	return k
}

const sharedSecret = "kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"

func TestSetRefusesMixedOrRepeatedKeys(t *testing.T) {
	k := generate(t, keys.ES256)
	for fault, members := range map[string][]keys.Key{
		"none":                          {},
		"the same key twice":            {k, k.Public()},
		"two keys with one name":        {k.Named("a"), generate(t, keys.ES256).Named("a")},
		"a shared secret among them":    {k, secretKey(t, sharedSecret)},
		"a name with a quote":           {k.Named(`a"b`)},
		"a name with a backslash":       {k.Named(`a\b`)},
		"a name with a space":           {k.Named("a b")},
		"a name that is not ASCII":      {k.Named("ä")},
		"a name of 129 bytes":           {k.Named(strings.Repeat("a", 129))},
		"no name":                       {k.Named("")},
		"the zero key after a good one": {k, {}},
	} {
		t.Run(fault, func(t *testing.T) {
			_, err := keys.NewSet(members...)
			require.ErrorContains(t, err, "keys: ")
		})
	}
	s := newSet(t, k)
	require.Error(t, s.Add(k))
	require.Error(t, s.Add(keys.Key{}))
	require.Error(t, s.Add(secretKey(t, sharedSecret)))
	require.Len(t, s.All(), 1)
}

func TestSetFindsKeyByIDAndAlgorithm(t *testing.T) {
	a, b := generate(t, keys.ES256), generate(t, keys.EdDSA)
	s := newSet(t, a, b)
	require.NoError(t, find(s, a.ID(), keys.ES256))
	require.NoError(t, find(s, b.ID(), keys.EdDSA))
	for _, tc := range [][2]string{
		{a.ID(), "EdDSA"}, {a.ID(), "none"}, {a.ID(), "HS256"}, {a.ID(), ""}, {a.ID(), "es256"}, {strings.ToLower(a.ID()), "ES256"}, {"", "ES256"}, {"x", "ES256"},
	} {
		require.ErrorIs(t, find(s, tc[0], keys.Algorithm(tc[1])), keys.ErrNoKey, tc)
	}
	require.NoError(t, find(newSet(t, a), "", keys.ES256), "a set with one key needs no kid")
	require.ErrorIs(t, find(newSet(t, a), "x", keys.ES256), keys.ErrNoKey)
}

func TestSigningKeyCannotBeRemoved(t *testing.T) {
	a, b := generate(t, keys.ES256), generate(t, keys.ES256)
	s := newSet(t, a, b.Public())
	require.ErrorContains(t, s.Remove(a.ID()), "promote another first")
	require.ErrorContains(t, s.Retire(a.ID()), "promote another first")
	require.ErrorContains(t, s.Promote(b.ID()), "no private half")
	for _, change := range []func(string) error{s.Promote, s.Retire, s.Remove} {
		require.ErrorContains(t, change("x"), "no key with the ID")
	}
	require.NoError(t, s.Remove(b.ID()))
	only := newSet(t, b.Public())
	require.ErrorContains(t, only.Remove(b.ID()), "the last")
	_, signs := only.Signer()
	require.False(t, signs)
}

func TestPromoteRetiresOldKeyAndIsReversible(t *testing.T) {
	a, b := generate(t, keys.ES256), generate(t, keys.ES256)
	s := newSet(t, a)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { return at }
	require.NoError(t, s.Add(b))
	require.NoError(t, s.Promote(b.ID()))
	at = at.Add(24 * time.Hour)
	require.NoError(t, s.Promote(a.ID()), "promote the old key again")
	signer, _ := s.Signer()
	require.Equal(t, a.ID(), signer.ID())
	at = at.Add(time.Hour)
	require.NoError(t, find(s, a.ID(), keys.ES256), "the key was promoted again and must not expire")
	require.NoError(t, s.Retire(b.ID()), "retiring a retired key must not restart its time")
	at = at.Add(23*time.Hour + 2*time.Minute)
	require.ErrorIs(t, find(s, b.ID(), keys.ES256), keys.ErrNoKey)
	require.Len(t, s.All(), 1)
	require.NotContains(t, documentOf(s), b.ID())
}

func documentOf(s *keys.Set) string {
	document, _ := s.Document()
	return string(document)
}

func TestPublishedSetHasOnlyPublicMembers(t *testing.T) {
	var all []keys.Key
	for _, algorithm := range asymmetric {
		all = append(all, generate(t, algorithm))
	}
	s := newSet(t, all...)
	text := documentOf(s)
	var document struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	require.Len(t, document.Keys, len(asymmetric))
	public := map[string][]string{"EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}, "RSA": {"kty", "n", "e"}}
	for i, k := range document.Keys {
		want := append([]string{"kid", "alg", "use"}, public[k["kty"].(string)]...)
		var got []string
		for member := range k {
			got = append(got, member)
		}
		require.ElementsMatch(t, want, got)
		require.Equal(t, all[i].ID(), k["kid"])
		require.Equal(t, string(all[i].Algorithm()), k["alg"])
	}
	again, err := keys.ParseSet([]byte(text))
	require.NoError(t, err)
	for _, k := range all {
		found, err := again.Find(context.Background(), k.ID(), k.Algorithm())
		require.NoError(t, err)
		signature, err := k.Sign("text")
		require.NoError(t, err)
		require.True(t, found.Verify("text", signature))
	}
}

func TestPublishedSetETagFollowsTheSet(t *testing.T) {
	s := newSet(t, generate(t, keys.ES256))
	_, first := s.Document()
	_, same := s.Document()
	require.Equal(t, first, same)
	require.NoError(t, s.Add(generate(t, keys.ES256)))
	_, changed := s.Document()
	require.NotEqual(t, first, changed)
}

func TestSharedSecretIsNotPublished(t *testing.T) {
	require.JSONEq(t, `{"keys":[]}`, documentOf(newSet(t, secretKey(t, sharedSecret))))
}

func TestSetSharesNoSliceWithCaller(t *testing.T) {
	given := []keys.Key{generate(t, keys.ES256)}
	s := newSet(t, given...)
	given[0] = keys.Key{}
	s.All()[0] = keys.Key{}
	_, ok := s.Signer()
	require.True(t, ok)
}

func TestSetIsSafeForConcurrentUse(t *testing.T) {
	s := newSet(t, generate(t, keys.EdDSA))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				k, err := keys.Generate(keys.EdDSA)
				if err == nil && s.Add(k) == nil {
					_ = s.Promote(k.ID())
					_ = find(s, k.ID(), keys.EdDSA)
					_ = s.Remove(k.ID())
				}
				if _, ok := s.Signer(); !ok {
					t.Error("a moment without a key that signs")
				}
			}
		})
	}
	all.Wait()
}

func TestSetRefusesToRetireItsLastKey(t *testing.T) {
	a, b := generate(t, keys.ES256).Public(), generate(t, keys.ES256).Public()
	s := newSet(t, a, b)
	require.NoError(t, s.Retire(a.ID()))
	require.NoError(t, s.Retire(a.ID()))
	for _, change := range []func(string) error{s.Retire, s.Remove} {
		require.ErrorContains(t, change(b.ID()), "is the last of the set", "after a day no token would verify")
	}
	s.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	require.Len(t, s.All(), 1)
}
