package seal_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/seal"
)

const refreshPrefix = "fjr_"

func TestRefreshTokenIsReadAsItWasMade(t *testing.T) {
	for name, fingerprint := range map[string][]byte{"without a fingerprint": nil, "with a fingerprint": {1, 2, 3, 4}} {
		t.Run(name, func(t *testing.T) {
			codec := seal.NewRefreshCodec(ring(current), "users", fingerprint != nil)
			for _, generation := range []int64{0, 1, 1000, math.MaxUint32} {
				made := seal.NewRefresh(fingerprint).At(generation)
				text := codec.Encode(made)
				require.Len(t, text, 4+59)
				require.True(t, strings.HasPrefix(text, refreshPrefix))
				read, ok := codec.Parse(text)
				require.True(t, ok)
				require.Equal(t, made, read)
				require.EqualValues(t, generation, read.Generation)
				require.Equal(t, made.SessionID(), read.SessionID())
				require.Equal(t, text, codec.Encode(read), "a token has one spelling")
			}
		})
	}
}

func TestGenerationsOfASessionShareItsID(t *testing.T) {
	first := seal.NewRefresh(nil)
	require.Zero(t, first.Generation)
	require.Len(t, first.SessionID(), 16)
	require.Equal(t, first.SessionID(), first.At(7).SessionID())
	require.Equal(t, first.At(8), first.At(7).At(8), "the next token is a function of this one")
	require.NotEqual(t, first.SessionID(), seal.NewRefresh(nil).SessionID())
}

func TestSessionIDEndsWithTheFingerprint(t *testing.T) {
	token := seal.NewRefresh([]byte{1, 2, 3, 4})
	sid := token.SessionID()
	require.Len(t, sid, 16)
	require.Equal(t, []byte{1, 2, 3, 4}, seal.FingerprintOf(sid))
	other := seal.NewRefresh([]byte{1, 2, 3, 4})
	require.NotEqual(t, sid[:12], other.SessionID()[:12], "the rest is random")
}

func TestChangedRefreshTokenIsRefused(t *testing.T) {
	codec := seal.NewRefreshCodec(ring(current), "users", false)
	text := codec.Encode(seal.NewRefresh(nil))
	requireTamperProof(t, refreshPrefix, text, func(raw string) bool {
		_, ok := codec.Parse(raw)
		return ok
	})
}

func TestRefreshTokenIsForOneKindAndSecret(t *testing.T) {
	text := seal.NewRefreshCodec(ring(current), "users", false).Encode(seal.NewRefresh(nil))
	for name, codec := range map[string]seal.RefreshCodec{
		"another kind":                       seal.NewRefreshCodec(ring(current), "teachers", false),
		"a kind with fingerprints":           seal.NewRefreshCodec(ring(current), "users", true),
		"another secret":                     seal.NewRefreshCodec(ring(older), "users", false),
		"another secret with the identifier": seal.NewRefreshCodec(ring(twin), "users", false),
		"a ring without secrets":             seal.NewRefreshCodec(nil, "users", false),
	} {
		t.Run(name, func(t *testing.T) {
			read, ok := codec.Parse(text)
			require.False(t, ok)
			require.Zero(t, read)
		})
	}
}

func TestRefreshTokenOfAnOldSecretIsAccepted(t *testing.T) {
	before := seal.NewRefreshCodec(ring(older), "users", false)
	token := seal.NewRefresh(nil)
	for name, after := range map[string]seal.RefreshCodec{
		"one old secret":              seal.NewRefreshCodec(ring(current, older), "users", false),
		"two secrets, one identifier": seal.NewRefreshCodec(ring(twin, current, older), "users", false),
	} {
		t.Run(name, func(t *testing.T) {
			read, ok := after.Parse(before.Encode(token))
			require.True(t, ok)
			require.Equal(t, token, read)
			require.NotEqual(t, before.Encode(token), after.Encode(token), "the current secret makes new tokens")
			_, ok = before.Parse(after.Encode(token))
			require.False(t, ok)
		})
	}
	codec := seal.NewRefreshCodec(ring(twin, current), "users", false)
	_, ok := codec.Parse(seal.NewRefreshCodec(ring(current), "users", false).Encode(token))
	require.True(t, ok, "every key with the identifier is tried")
}

func TestUnknownSecretIsNamedByTheToken(t *testing.T) {
	text := seal.NewRefreshCodec(ring(older), "users", false).Encode(seal.NewRefresh(nil))
	codec := seal.NewRefreshCodec(ring(current), "users", false)
	require.True(t, codec.NamesUnknownSecret(text))
	require.False(t, seal.NewRefreshCodec(ring(current, older), "users", false).NamesUnknownSecret(text))
	require.False(t, seal.NewRefreshCodec(ring(current), "teachers", false).NamesUnknownSecret(text), "another kind")
	require.False(t, codec.NamesUnknownSecret(text[:len(text)-4]), "a text that is cut off")
	require.False(t, codec.NamesUnknownSecret(""))
	forged := codec.Encode(seal.NewRefresh(nil))
	require.False(t, codec.NamesUnknownSecret(forged[:len(forged)-1]+"A"), "a forged token with a known secret")
}

func FuzzParseRefresh(f *testing.F) {
	codec := seal.NewRefreshCodec(ring(current), "users", false)
	f.Add(codec.Encode(seal.NewRefresh(nil)))
	f.Add(refreshPrefix)
	f.Fuzz(func(t *testing.T, raw string) {
		if token, ok := codec.Parse(raw); ok {
			require.Equal(t, raw, codec.Encode(token))
		}
		codec.NamesUnknownSecret(raw)
	})
}
