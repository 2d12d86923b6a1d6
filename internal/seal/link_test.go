package seal_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/seal"
)

const linkPrefix = "fjt_"

var expires = time.Unix(1_790_000_000, 500)

// keysOf returns the keys of the kinds "users" and "teachers".
func keysOf(keys map[string]seal.Keys) func(string) seal.Keys {
	return func(kind string) seal.Keys { return keys[kind] }
}

func only(kind string, keys seal.Keys) func(string) seal.Keys {
	return keysOf(map[string]seal.Keys{kind: keys})
}

func TestLinkIsReadAsItWasMade(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	longKind := strings.Repeat("k", 32)
	for name, test := range map[string]struct{ kind, subject string }{
		"a usual account":     {"users", "42"},
		"one letter each":     {"u", "1"},
		"no subject":          {"users", ""},
		"the longest":         {longKind, strings.Repeat("s", seal.MaxSubjectBytes)},
		"letters of any kind": {"users", "é\x00\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			made := seal.NewLink(expires, test.kind, test.subject)
			require.EqualValues(t, 1_790_000_000, made.Expires)
			read, ok := seal.OpenLink(linkPrefix, made.Encode(linkPrefix, keys, "/path"), only(test.kind, keys))
			require.True(t, ok)
			require.Equal(t, made.Expires, read.Expires)
			require.Equal(t, made.ID, read.ID)
			require.Equal(t, test.kind, read.Kind)
			require.Equal(t, test.subject, read.Subject)
		})
	}
}

func TestLinksHaveDifferentIDs(t *testing.T) {
	require.NotEqual(t, seal.NewLink(expires, "users", "1").ID, seal.NewLink(expires, "users", "1").ID)
}

func TestCallerMayChooseTheIDOfALink(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	made := seal.NewLink(expires, "users", "1")
	made.ID = [16]byte{1, 2, 3}
	read, ok := seal.OpenLink(linkPrefix, made.Encode(linkPrefix, keys, ""), only("users", keys))
	require.True(t, ok)
	require.Equal(t, [16]byte{1, 2, 3}, read.ID)
}

func TestLinkIsBoundToItsText(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	for _, bound := range []string{"", "/path", strings.Repeat("x", 1000)} {
		link, ok := seal.OpenLink(linkPrefix, seal.NewLink(expires, "users", "1").Encode(linkPrefix, keys, bound), only("users", keys))
		require.True(t, ok)
		require.True(t, link.BoundTo(bound))
		require.False(t, link.BoundTo(bound+"x"))
	}
}

// Programs that find links in a text leave out a "-" or "_" at the end.
func TestLinkNeverEndsWithPunctuation(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	for length := range 9 {
		subject := strings.Repeat("s", length)
		for range 100 {
			text := seal.NewLink(expires, "users", subject).Encode(linkPrefix, keys, "")
			require.NotContains(t, "-_", text[len(text)-1:])
			link, ok := seal.OpenLink(linkPrefix, text, only("users", keys))
			require.True(t, ok)
			require.Equal(t, subject, link.Subject)
		}
	}
}

// A client chooses some bound texts, such as a path. If their MAC were a valid tag, the
// client could have any token tagged.
func TestMACOfABoundTextIsNoTag(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	decode := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, linkPrefix))
		require.NoError(t, err)
		return b
	}
	body := decode(seal.NewLink(expires, "users", "admin").Encode(linkPrefix, seal.NewKeys(ring(current), "another label"), ""))
	body = body[:len(body)-16]
	bound := decode(seal.NewLink(expires, "users", "1").Encode(linkPrefix, keys, string(body)))[23:39]
	_, ok := seal.OpenLink(linkPrefix, linkPrefix+base64.RawURLEncoding.EncodeToString(append(body, bound...)), only("users", keys))
	require.False(t, ok)
}

func TestChangedLinkIsRefused(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	for _, subject := range []string{"1", "12", "123"} { // one of them has a zero byte before the tag
		text := seal.NewLink(expires, "users", subject).Encode(linkPrefix, keys, "/path")
		requireTamperProof(t, linkPrefix, text, func(raw string) bool {
			_, ok := seal.OpenLink(linkPrefix, raw, func(string) seal.Keys { return keys })
			return ok
		})
	}
}

func TestLinkIsForOnePrefixKindUseAndSecret(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	text := seal.NewLink(expires, "users", "1").Encode(linkPrefix, keys, "")
	for name, test := range map[string]struct {
		prefix string
		keysOf func(string) seal.Keys
	}{
		"another prefix":                     {"fju_", only("users", keys)},
		"an unknown kind":                    {linkPrefix, only("teachers", keys)},
		"another use":                        {linkPrefix, only("users", seal.NewKeys(ring(current), "another label"))},
		"another secret":                     {linkPrefix, only("users", seal.NewKeys(ring(older), label))},
		"another secret with the identifier": {linkPrefix, only("users", seal.NewKeys(ring(twin), label))},
	} {
		t.Run(name, func(t *testing.T) {
			link, ok := seal.OpenLink(test.prefix, text, test.keysOf)
			require.False(t, ok)
			require.Zero(t, link)
		})
	}
}

func TestLinkOfAnOldSecretIsAccepted(t *testing.T) {
	before, after := seal.NewKeys(ring(older), label), seal.NewKeys(ring(current, older), label)
	link, ok := seal.OpenLink(linkPrefix, seal.NewLink(expires, "users", "1").Encode(linkPrefix, before, "/path"), only("users", after))
	require.True(t, ok)
	require.True(t, link.BoundTo("/path"), "the MAC of the text is under the same secret")
	_, ok = seal.OpenLink(linkPrefix, seal.NewLink(expires, "users", "1").Encode(linkPrefix, after, ""), only("users", before))
	require.False(t, ok, "the current secret makes new links")
}

func FuzzOpenLink(f *testing.F) {
	keys := seal.NewKeys(ring(current), label)
	for _, subject := range []string{"", "1", "12", "123"} {
		f.Add(seal.NewLink(expires, "users", subject).Encode(linkPrefix, keys, ""))
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if link, ok := seal.OpenLink(linkPrefix, raw, func(string) seal.Keys { return keys }); ok && link.BoundTo("") {
			require.Equal(t, raw, link.Encode(linkPrefix, keys, ""))
		}
	})
}
