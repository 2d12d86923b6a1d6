package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

func TestCanonicalIdentityHasOneForm(t *testing.T) {
	for identity, want := range map[string]string{
		"Ann@Example.COM":   "ann@example.com",
		"ＡＮＮ":               "ann",
		"a\u0308nn":         "änn",
		"Ο ΔΙΟΓΕΝΗΣ":        "ο διογενησ",
		"ann@example。com":   "ann@example.com",
		"аnn":               "аnn", // Cyrillic а
		"\u212a@example.io": "k@example.io",
	} {
		got, err := accounts.CanonicalIdentity(identity)
		require.NoError(t, err, identity)
		require.Equal(t, want, got)
		again, err := accounts.CanonicalIdentity(got)
		require.NoError(t, err)
		require.Equal(t, got, again, "not idempotent")
	}
}

func TestCanonicalIdentityRefusesInvisibleText(t *testing.T) {
	for identity, want := range map[string]error{
		"":                       accounts.ErrIdentityEmpty,
		" ann":                   accounts.ErrIdentitySpace,
		"ann\u00a0":              accounts.ErrIdentitySpace,
		strings.Repeat("a", 321): accounts.ErrIdentityLong,
		"a\x00nn":                accounts.ErrIdentityCharacters,
		"a\u200bnn":              accounts.ErrIdentityCharacters,
		"a\u202enn":              accounts.ErrIdentityCharacters,
		"a\u2800nn":              accounts.ErrIdentityCharacters,
		"a\ufe0fnn":              accounts.ErrIdentityCharacters,
		"a\xffnn":                accounts.ErrIdentityCharacters,
	} {
		_, err := accounts.CanonicalIdentity(identity)
		require.ErrorIs(t, err, want, "%q", identity)
		require.NotEmpty(t, want.Error())
	}
}

func TestProblemOfAnIdentityIsReportedByField(t *testing.T) {
	k := users(t)
	for identity, want := range map[string]string{
		"":                       "is empty",
		"ann ":                   "begins or ends with white space",
		strings.Repeat("a", 321): "is too long",
		"a\x7fnn":                "has characters that are not allowed",
		"a\u200bnn":              "has characters that are not allowed",
	} {
		fields := map[string]string{}
		_, err := k.NewIdentity(identity, fields)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"email": want}, fields, "%q", identity)
	}
	fields := map[string]string{}
	identity, err := k.NewIdentity("Ann", fields)
	require.NoError(t, err)
	require.Empty(t, fields)
	require.Equal(t, "ann", identity)
}

func TestCanonicalOfTheApplicationIsChecked(t *testing.T) {
	unavailable := fault.Unavailable(errors.New("no directory"))
	for name, test := range map[string]struct {
		canonical func(string) (string, error)
		want      error
	}{
		"empty":       {func(string) (string, error) { return "", nil }, accounts.ErrIdentityEmpty},
		"too long":    {func(s string) (string, error) { return strings.Repeat(s, 400), nil }, accounts.ErrIdentityLong},
		"NUL":         {func(s string) (string, error) { return s + "\x00", nil }, accounts.ErrIdentityCharacters},
		"a panic":     {func(string) (string, error) { panic("oops") }, fault.ErrSetup},
		"unavailable": {func(string) (string, error) { return "", unavailable }, fault.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			k := open[User](t, newDB(t), accounts.Declaration{Canonical: test.canonical})
			_, err := k.Canonical("ann")
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestRefusedIdentityIsLookedUpUnchanged(t *testing.T) {
	k := users(t)
	name, err := k.NameOf("a\u200bnn")
	require.NoError(t, err)
	require.Equal(t, "a\u200bnn", name, "a row from before the rule may have it")
	insert(t, k, &User{Email: "a\u200bnn"})
	found, err := k.FindByIdentity(t.Context(), k.DB, "a\u200bnn")
	require.NoError(t, err)
	require.NotNil(t, found)
}

func TestHookMayChooseTheAnswer(t *testing.T) {
	refused := errors.New("not a staff number")
	answer := &fault.Answer{Err: refused, Decided: true}
	k := open[User](t, newDB(t), accounts.Declaration{
		Canonical: func(string) (string, error) { return "", refused },
		Answer: func(err error) *fault.Answer {
			if errors.Is(err, refused) {
				return answer
			}
			return nil
		},
	})
	_, err := k.NameOf("ann")
	require.Same(t, answer, err)
}

func TestIdentityIsFoundInAnySpelling(t *testing.T) {
	k := users(t)
	insert(t, k, &User{Email: "ann@example.com"})
	insert(t, k, &User{Email: "Old@Example.com"})
	for identity, want := range map[string]string{
		"ann@example.com": "ann@example.com",
		"ANN@EXAMPLE.COM": "ann@example.com",
		"Old@Example.com": "Old@Example.com",
		"old@example.com": "",
		"bob@example.com": "",
	} {
		found, err := k.FindByIdentity(t.Context(), k.DB, identity)
		require.NoError(t, err)
		if want == "" {
			require.Nil(t, found, identity)
			continue
		}
		require.Equal(t, want, found.(*User).Email)
	}
}

func TestTwoAccountsWithOneIdentityAreASetupError(t *testing.T) {
	k := users(t)
	insert(t, k, &User{Email: "ann@example.com"})
	insert(t, k, &User{Email: "ANN@example.com"})
	found, err := k.FindByIdentity(t.Context(), k.DB, "ANN@example.com")
	require.NoError(t, err)
	require.Equal(t, "ANN@example.com", found.(*User).Email, "the exact spelling decides")
	_, err = k.DB.ExecContext(t.Context(), "DROP TABLE users")
	require.NoError(t, err)
	_, err = k.DB.ExecContext(t.Context(), "CREATE TABLE users (id INTEGER PRIMARY KEY, email, name, admin, password_hash)")
	require.NoError(t, err)
	insert(t, k, &User{Email: "ann@example.com"})
	insert(t, k, &User{Email: "ann@example.com"})
	_, err = k.FindByIdentity(t.Context(), k.DB, "ann@example.com")
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorContains(t, err, `two accounts have the same "email"`)
}

func TestLocalPartIsTheTextBeforeTheAt(t *testing.T) {
	require.Equal(t, "ann", accounts.LocalPart("ann@example.com"))
	require.Empty(t, accounts.LocalPart("ann"))
}
