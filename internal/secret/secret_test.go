package secret_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/keys"
)

var (
	current = keys.Secret("0123456789abcdef0123456789abcdef")
	older   = keys.Secret("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	oldest  = keys.Secret("abcdefghijklmnopqrstuvwxyz234567")
)

// The values come from another implementation of RFC 5869, in Python. Another program
// that knows the secret must derive the same keys.
func TestDerivedKeysAreHKDFOfTheSecret(t *testing.T) {
	root := secret.NewRoot(current)
	require.Equal(t, "D1AXU1Yy", root.KeyID)
	require.EqualValues(t, 15, root.ID)
	require.Equal(t, "46c1cfba6dea4047a514e17c690d08a1ab471259b5af70aeac6872dddb64a0aa", hex.EncodeToString(root.Derive("fiberjwt/v1/access/users")))
}

func TestKeysDifferByLabelAndBySecret(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []keys.Secret{current, older, oldest} {
		root := secret.NewRoot(s)
		for _, label := range []string{"", "a", "b", "fiberjwt/v1/access/users", "fiberjwt/v1/access/user"} {
			key := root.Derive(label)
			require.Len(t, key, 32)
			require.Empty(t, seen[string(key)], "a second key for %q", label)
			seen[string(key)] = "seen"
		}
	}
}

func TestDeriveReturnsTheSameKeyEachTime(t *testing.T) {
	root := secret.NewRoot(current)
	first := root.Derive("a")
	want := bytes.Clone(first)
	clear(first)
	require.Equal(t, want, root.Derive("a"), "a caller may overwrite the key that it got")
	require.Equal(t, want, secret.NewRoot(current).Derive("a"), "another process derives the same key")
}

func TestWipingTheSecretDoesNotChangeTheRoot(t *testing.T) {
	mine := bytes.Clone(current)
	root := secret.NewRoot(mine)
	clear(mine)
	require.Equal(t, secret.NewRoot(current).Derive("a"), root.Derive("a"))
}

func TestRingHasTheCurrentSecretFirst(t *testing.T) {
	ring := secret.NewRing(current, []keys.Secret{older, oldest})
	require.Len(t, ring, 3)
	for i, s := range []keys.Secret{current, older, oldest} {
		require.Equal(t, secret.NewRoot(s).KeyID, ring[i].KeyID)
		require.Equal(t, secret.NewRoot(s).ID, ring[i].ID)
		require.Equal(t, secret.NewRoot(s).Derive("a"), ring[i].Derive("a"))
	}
}

func TestIdentifiersDoNotDependOnThePositionInTheRing(t *testing.T) {
	before := secret.NewRing(older, nil)
	after := secret.NewRing(current, []keys.Secret{older})
	require.Equal(t, before[0].KeyID, after[1].KeyID)
	require.Equal(t, before[0].ID, after[1].ID)
}

func TestRingWithoutCurrentSecretIsEmpty(t *testing.T) {
	require.Empty(t, secret.NewRing(nil, nil))
	require.Empty(t, secret.NewRing(nil, []keys.Secret{older}), "old secrets alone cannot sign")
}

func TestFormattedRootDoesNotRevealTheSecret(t *testing.T) {
	nested := struct{ Ring secret.Ring }{secret.NewRing(current, nil)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb, nested) + fmt.Sprintf(verb, nested.Ring[0])
		require.NotContains(t, text, string(current), verb)
		require.NotContains(t, text, hex.EncodeToString(current), verb)
		require.NotContains(t, text, fmt.Sprint([]byte(current)), verb)
	}
}
