package seal_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/seal"
)

var noon = time.Unix(1_790_000_000, 0)

// open requires that keys verify the cookie.
func open(t *testing.T, keys seal.Keys, value string) seal.Device {
	t.Helper()
	d, ok := seal.OpenDevice(keys, value)
	require.True(t, ok)
	return d
}

func TestDeviceKnowsItsAccountsAndTheirTimes(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	d := open(t, keys, seal.Device{}.Mark(keys, "ada", noon))
	d = open(t, keys, d.Mark(keys, "bob", noon.Add(time.Hour)))
	ada, last := d.SignedIn("ada")
	require.Len(t, ada, 16)
	require.True(t, noon.Equal(last))
	bob, last := d.SignedIn("bob")
	require.Equal(t, ada, bob, "it is one browser")
	require.True(t, noon.Add(time.Hour).Equal(last))
	other, last := d.SignedIn("carol")
	require.Empty(t, other)
	require.True(t, last.IsZero())
}

func TestDeviceTakesTheTimeOfTheLastSignIn(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	first := open(t, keys, seal.Device{}.Mark(keys, "ada", noon))
	value := first.Mark(keys, "ada", noon.Add(time.Hour))
	_, last := open(t, keys, value).SignedIn("ada")
	require.True(t, noon.Add(time.Hour).Equal(last))
	require.Len(t, value, len(seal.Device{}.Mark(keys, "ada", noon)), "an account has one entry")
}

func TestBrowserWithoutACookieIsUnknown(t *testing.T) {
	id, last := seal.Device{}.SignedIn("ada")
	require.Empty(t, id)
	require.True(t, last.IsZero())
	keys := seal.NewKeys(ring(current), label)
	first, _ := open(t, keys, seal.Device{}.Mark(keys, "ada", noon)).SignedIn("ada")
	second, _ := open(t, keys, seal.Device{}.Mark(keys, "ada", noon)).SignedIn("ada")
	require.NotEqual(t, first, second, "each new browser has a random identifier")
}

func TestSeventhAccountDisplacesTheOldest(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	var d seal.Device
	for i := range 7 {
		d = open(t, keys, d.Mark(keys, strconv.Itoa(i), noon.Add(time.Duration(i)*time.Hour)))
		if i == 5 {
			d = open(t, keys, d.Mark(keys, "0", noon.Add(5*time.Hour)))
		}
	}
	for i := range 7 {
		id, _ := d.SignedIn(strconv.Itoa(i))
		require.Equal(t, i != 1, id != "", "account %d", i)
	}
}

func TestDeviceCookieDoesNotRevealTheAccount(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	value := seal.Device{}.Mark(keys, "ada@example.com", noon)
	b, err := base64.RawURLEncoding.DecodeString(value)
	require.NoError(t, err)
	require.NotContains(t, string(b), "ada")
	mark := func(value string) string {
		b, err := base64.RawURLEncoding.DecodeString(value)
		require.NoError(t, err)
		return string(b[18+5 : 18+13])
	}
	require.NotEqual(t, mark(value), mark(seal.Device{}.Mark(keys, "ada@example.com", noon)), "marks of two browsers cannot be compared")
}

func TestChangedDeviceCookieIsRefused(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	for _, accounts := range []int{1, 6} {
		var d seal.Device
		var value string
		for i := range accounts {
			value = d.Mark(keys, strconv.Itoa(i), noon)
			d = open(t, keys, value)
		}
		requireTamperProof(t, "", value, func(raw string) bool {
			_, ok := seal.OpenDevice(keys, raw)
			return ok
		})
	}
}

func TestDeviceCookieIsForOneUseAndSecret(t *testing.T) {
	value := seal.Device{}.Mark(seal.NewKeys(ring(current), label), "ada", noon)
	for name, keys := range map[string]seal.Keys{
		"another use":                        seal.NewKeys(ring(current), "another label"),
		"another secret":                     seal.NewKeys(ring(older), label),
		"another secret with the identifier": seal.NewKeys(ring(twin), label),
		"no secret":                          nil,
	} {
		t.Run(name, func(t *testing.T) {
			d, ok := seal.OpenDevice(keys, value)
			require.False(t, ok)
			require.Zero(t, d)
		})
	}
}

func TestDeviceCookieOfAnOldSecretIsAccepted(t *testing.T) {
	before, after := seal.NewKeys(ring(older), label), seal.NewKeys(ring(current, older), label)
	d := open(t, after, seal.Device{}.Mark(before, "ada", noon))
	id, last := d.SignedIn("ada")
	require.NotEmpty(t, id)
	require.True(t, noon.Equal(last))

	renewed := open(t, after, d.Mark(after, "bob", noon))
	other, _ := renewed.SignedIn("bob")
	require.NotEqual(t, id, other, "the current secret makes a new identifier")
	gone, _ := renewed.SignedIn("ada")
	require.Empty(t, gone, "marks of the old secret are dropped")
	_, ok := seal.OpenDevice(before, d.Mark(after, "bob", noon))
	require.False(t, ok)
}

func TestLongAccountNamesDoNotLengthenTheCookie(t *testing.T) {
	keys := seal.NewKeys(ring(current), label)
	short := seal.Device{}.Mark(keys, "a", noon)
	long := seal.Device{}.Mark(keys, strings.Repeat("a", 1000), noon)
	require.Len(t, long, len(short))
}

func FuzzOpenDevice(f *testing.F) {
	keys := seal.NewKeys(ring(current), label)
	f.Add(seal.Device{}.Mark(keys, "ada", noon))
	f.Add("")
	f.Fuzz(func(_ *testing.T, raw string) {
		if d, ok := seal.OpenDevice(keys, raw); ok {
			d.SignedIn("ada")
			d.Mark(keys, "ada", noon)
		}
	})
}
