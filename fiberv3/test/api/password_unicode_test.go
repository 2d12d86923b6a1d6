// Code generated from ../../../test/api/password_unicode_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/fiberjwt/fiberjwt/internal/password"
)

func TestPasswordIsUnicodeNormalized(t *testing.T) {
	const composed, decomposed = "crème brûlée à la carte", "cre\u0300me bru\u0302le\u0301e a\u0300 la carte"
	spaced := strings.ReplaceAll(composed, " ", "\u00A0")
	forms := []string{composed, decomposed, spaced}
	w := newWorld(t)
	for i, chosen := range forms {
		email := fmt.Sprintf("ann%d@example.com", i)
		require.Equal(t, 201, w.do("POST", "/auth/users/register", credentials("users", email, chosen)).Status)
		for _, typed := range forms {
			a := w.do("POST", "/auth/users/login", credentials("users", email, typed))
			require.Equal(t, 200, a.Status, "chosen %+q, typed %+q", chosen, typed)
			changed := w.do("POST", "/auth/users/password", passwords(typed, chosen), "Authorization", "Bearer "+w.tokensOf(a).Access)
			require.Equal(t, 204, changed.Status, changed.Body)
		}
		requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", email, "creme brulee a la carte")), 401, "invalid_credentials")
	}
}

func passwords(current, password string) string {
	return strings.Replace(credentials("users", "", password), `"email":""`, fmt.Sprintf(`"current_password":%q`, current), 1)
}

// These hashes were stored before passwords were normalized.
func TestUnnormalizedHashVerifiesAndIsReplaced(t *testing.T) {
	const decomposed = "cre\u0300me bru\u0302le\u0301e a\u0300 la carte"
	w := newWorld(t)
	w.register("users", "ann@example.com")
	login := func(password string) int {
		return w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", password)).Status
	}
	bcrypted, err := bcrypt.GenerateFromPassword([]byte(decomposed), bcrypt.MinCost)
	require.NoError(t, err)
	for name, hash := range map[string]string{"argon2id": password.HashAsTyped(decomposed), "bcrypt": string(bcrypted)} {
		w.sql(`UPDATE users SET password_hash = '` + hash + `'`)
		require.Equal(t, 401, login("cre\u0300me bru\u0302le\u0301e"), name)
		require.Equal(t, 401, login(norm.NFC.String(decomposed)), "%s: the hash is of the decomposed form", name)
		require.Equal(t, hash, w.text("SELECT password_hash FROM users"), name)
		require.Equal(t, 200, login(decomposed), name)
		require.NotEqual(t, hash, w.text("SELECT password_hash FROM users"), "%s: the login must replace the hash", name)
		require.Equal(t, 200, login(norm.NFC.String(decomposed)), name)
		require.Equal(t, 200, login(decomposed), name)
	}
}

// The limits apply to the normalized password, which is hashed.
func TestPasswordLengthCountsComposedForm(t *testing.T) {
	w := newWorld(t)
	register := func(email, password string) answer {
		return w.do("POST", "/auth/users/register", credentials("users", email, password))
	}
	short := strings.Repeat("e\u0301", 4)
	require.Equal(t, 8, utf8.RuneCountInString(short))
	requireRefusal(t, register("short@example.com", short), 422, "invalid_fields")
	long := strings.Repeat("e\u0301", 256)
	require.Equal(t, 201, register("long@example.com", long).Status)
	require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "long@example.com", long)).Status)
	requireRefusal(t, register("longer@example.com", long+"x"), 422, "invalid_fields")
}
