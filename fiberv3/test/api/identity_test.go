// Code generated from ../../../test/api/identity_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// A name that looks like a registered name, or is another form of it, does not
// create a second account.
func TestUnicodeVariantsOfIdentityAreRefused(t *testing.T) {
	w := quickWorld(t)
	register := func(identity string) answer {
		return w.do("POST", "/auth/users/register", credentials("users", identity, testPassword))
	}
	for _, identity := range []string{"ann@example.com", "rené@example.com", "k@example.com", "ann lee@example.com"} {
		require.Equal(t, 201, register(identity).Status, identity)
	}
	for _, identity := range []string{
		"rene\u0301@example.com", "RENÉ@EXAMPLE.COM", "René@example.com", "RENE\u0301@example.com",
		"\u212A@example.com", // Kelvin
		"ａｎｎ@example.com", "ann＠example.com", "𝐚𝐧𝐧@example.com", "ⓐⓝⓝ@example.com", "ann@example․com", "ANN@example.com",
		"ann\u00A0lee@example.com", "ann\u3000lee@example.com", "ann\u2009lee@example.com",
	} {
		requireRefusal(t, register(identity), 409, "taken", fmt.Sprintf("%+q", identity))
	}
	for name, invisible := range map[string]string{
		"zero width space": "\u200B", "soft hyphen": "\u00AD", "direction override": "\u202E", "byte order mark": "\uFEFF", "zero width joiner": "\u200D",
		"zero width non-joiner": "\u200C", "word joiner": "\u2060", "left-to-right mark": "\u200E", "isolate": "\u2066", "invisible times": "\u2062",
		"combining grapheme joiner": "\u034F", "Hangul filler": "\u3164", "halfwidth Hangul filler": "\uFFA0", "Hangul choseong filler": "\u115F",
		"variation selector": "\uFE0F", "variation selector 17": "\U000E0100", "Mongolian variation selector": "\u180B", "Mongolian vowel separator": "\u180E",
		"tag": "\U000E0061", "line separator": "\u2028", "paragraph separator": "\u2029", "braille blank": "\u2800", "object replacement": "\uFFFC",
		"private use": "\uE000", "unassigned": "\u0378", "noncharacter": "\uFDD0", "noncharacter at the end": "\U0010FFFF", "musical null": "\U0001D159",
		"Khmer inherent vowel": "\u17B4", "next line": "\u0085", "control": "\u0090", "delete": "\u007F", "annotation": "\uFFF9", "replacement": "\uFFFD",
		"shorthand": "\U0001BCA0", "ogham space": "\u1680",
	} {
		a := register("an" + invisible + "n@example.com")
		requireRefusal(t, a, 422, "invalid_fields", name)
		require.Equal(t, map[string]any{"email": "has characters that are not allowed"}, a.JSON(t)["fields"], name)
	}
	require.Equal(t, 4, w.count("users"))
}

// Login finds the account in every form of its name. A refused name and an unknown
// name get the same response.
func TestLoginNormalizesIdentity(t *testing.T) {
	w := newWorld(t)
	w.register("users", "Rene\u0301@example.com")
	require.Equal(t, "rené@example.com", stored[User](w).Email)
	login := func(identity string) answer {
		return w.do("POST", "/auth/users/login", credentials("users", identity, testPassword))
	}
	for _, identity := range []string{"rené@example.com", "rene\u0301@example.com", "RENÉ@example.com", "ｒｅｎé@example.com"} {
		require.Equal(t, 200, login(identity).Status, identity)
	}
	unknown := login("nobody@example.com")
	for _, identity := range []string{"re\u200Bné@example.com", "rene@example.com", "re\uE000né@example.com"} {
		a := login(identity)
		require.Equal(t, 401, a.Status, identity)
		require.Equal(t, unknown.Body, a.Body, identity)
	}
}

// Rows that were stored before names were normalized keep their names.
func TestLegacyNonCanonicalIdentitySignsIn(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	for _, name := range []string{"a\u00ADnn@example.com", "Rene\u0301@example.com"} {
		w.sql(`UPDATE users SET email = '` + name + `'`)
		require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", name, testPassword)).Status, "%+q", name)
	}
}

// staffNumber is an application's Canonical hook, with one input for each way to fail.
func staffNumber(typed string) (string, error) {
	digits := strings.TrimPrefix(strings.ToUpper(typed), "T-")
	switch {
	case strings.Trim(digits, "0123456789") != "":
		return "", errors.New("is no staff number")
	case digits == "500":
		return "", fiberjwt.ErrForbidden
	case digits == "501":
		panic("the hook panicked")
	case digits == "502":
		return "", nil
	case digits == "503":
		return "T\x00", nil
	}
	return "T-" + digits, nil
}

func TestCanonicalHookReplacesIdentityRules(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[1] = fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher], Canonical: staffNumber}
	})
	post := func(route, login string) answer {
		return w.do("POST", "/auth/teachers/"+route, credentials("teachers", login, testPassword))
	}
	require.Equal(t, 201, post("register", "17").Status)
	require.Equal(t, "T-17", stored[Teacher](w).Login)
	requireRefusal(t, post("register", "t-17"), 409, "taken")
	a := post("register", "toby")
	requireRefusal(t, a, 422, "invalid_fields")
	require.Equal(t, map[string]any{"login": "is no staff number"}, a.JSON(t)["fields"])
	require.Equal(t, 200, post("login", "t-17").Status)
	requireRefusal(t, post("login", "toby"), 401, "invalid_credentials")

	requireRefusal(t, post("register", "500"), 403, "forbidden")
	for _, route := range []string{"register", "login"} {
		requireRefusal(t, post(route, "501"), 500, "server_error", route)
	}
	require.Contains(t, w.log.String(), "the hook panicked")
	requireRefusal(t, post("register", "502"), 422, "invalid_fields")
	requireRefusal(t, post("register", "503"), 422, "invalid_fields")
	require.Equal(t, 1, w.count("teachers"))
}

func TestThrottleCountsAllFormsOfIdentityTogether(t *testing.T) {
	w := clientsWorld(t)
	w.addUser("rené@example.com")
	forms := []string{"rené@example.com", "rene\u0301@example.com", "RENÉ@example.com", "ｒené@example.com", "Rene\u0301@EXAMPLE.com"}
	compared := 0
	for i := 0; i < 30; i++ {
		if w.guess(fmt.Sprintf("192.0.2.%d", i), forms[i%len(forms)], newPassword).Status == 401 {
			compared++
		}
	}
	require.LessOrEqual(t, compared, 10)
}

func TestCanonicalIdentityIsIdempotent(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0x3400 && r < 0xD800 && r%64 != 0 || r > 0x20000 && r%1024 != 0 {
			continue // a sample of the ideographs and syllables is enough
		}
		for _, typed := range []string{"a" + string(r), "a" + string(r) + "\u0307"} {
			name, err := fiberjwt.CanonicalIdentity(typed)
			if err != nil {
				continue
			}
			again, err := fiberjwt.CanonicalIdentity(name)
			require.NoError(t, err, "%+q", typed)
			require.Equal(t, name, again, "%+q", typed)
			require.True(t, norm.NFC.IsNormalString(name), "%+q", typed)
		}
	}
	for typed, want := range map[string]string{
		"": "is empty", " ann": "begins or ends with white space", "ann\u00A0": "begins or ends with white space", "\xff": "has characters that are not allowed",
		strings.Repeat("a", 321): "is too long", strings.Repeat("\uFDFA", 20): "is too long",
	} {
		_, err := fiberjwt.CanonicalIdentity(typed)
		require.EqualError(t, err, want, "%+q", typed)
	}
}

func FuzzCanonicalIdentity(f *testing.F) {
	for _, seed := range []string{"ann@example.com", "Rene\u0301", "İ", "\uFDFA", "a\u200Bb", "\xff", "ΟΔΥΣΣΕΥΣ", "น้ำ", "\u1100\u1161\u11A8"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name, err := fiberjwt.CanonicalIdentity(typed)
		if err != nil {
			require.Empty(t, name)
			return
		}
		require.True(t, utf8.ValidString(name))
		require.LessOrEqual(t, len(name), 320)
		again, err := fiberjwt.CanonicalIdentity(name)
		require.NoError(t, err)
		require.Equal(t, name, again)
	})
}

func TestIdentityWithSurroundingSpaceIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, identity := range []string{" ann@example.com", "ann@example.com ", "\tann@example.com", "ann@example.com\n", "\u00a0ann@example.com", "ann@example.com\u2003", " "} {
		for _, route := range []string{"register", "login"} {
			a := w.do("POST", "/auth/users/"+route, credentials("users", identity, testPassword))
			requireRefusal(t, a, 422, "invalid_fields", fmt.Sprintf("%s %q", route, identity))
			require.Equal(t, []string{"email"}, keysOf(a.JSON(t)["fields"].(map[string]any)), "%s %q", route, identity)
		}
	}
	require.Equal(t, 0, w.count("users"))
}
