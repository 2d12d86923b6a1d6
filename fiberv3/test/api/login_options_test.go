// Code generated from ../../../test/api/login_options_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// storedUser registers a user and returns its row.
func storedUser(t *testing.T, w *world) *User {
	t.Helper()
	w.register("users", "ann@example.com")
	account := &User{}
	require.NoError(t, w.db.NewSelect().Model(account).Where("email = ?", "ann@example.com").Scan(context.Background()))
	return account
}

func TestIssueSignsInOutsideARequest(t *testing.T) {
	w := newWorld(t)
	got, err := w.auth.Issue(context.Background(), storedUser(t, w))
	require.NoError(t, err)
	require.Equal(t, "Bearer", got.TokenType)
	require.Equal(t, int64(600), got.ExpiresIn)
	require.Equal(t, 200, w.get("/users/me", got.AccessToken).Status)
	require.Equal(t, 200, w.refresh("users", got.RefreshToken).Status)
	s, err := w.auth.Verify(context.Background(), got.AccessToken)
	require.NoError(t, err)
	require.NoError(t, w.auth.Revoke(context.Background(), s.ID))
	require.Equal(t, 401, w.get("/users/me", got.AccessToken).Status)
}

func TestIssueRejectsNotBeforeBeyondExpiry(t *testing.T) {
	w := newWorld(t)
	account := storedUser(t, w)
	for after, want := range map[time.Duration]string{0: "", 10*time.Minute - time.Second: "", 10 * time.Minute: "LoginOptions.NotBefore", time.Hour: "LoginOptions.NotBefore"} {
		_, err := w.auth.Issue(context.Background(), account, fiberjwt.LoginOptions{NotBefore: w.clock.Now().Add(after)})
		if want == "" {
			require.NoError(t, err, after)
			continue
		}
		require.ErrorIs(t, err, fiberjwt.ErrSetup)
		require.ErrorContains(t, err, want)
	}
}

func TestIssueRefusesInvalidOrDisabledAccount(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			Allow: func(_ context.Context, u *User) error {
				if u.Disabled {
					return errors.New("disabled")
				}
				return nil
			},
		}}
	})
	account := storedUser(t, w)
	ctx := context.Background()
	for name, tc := range map[string]struct {
		account any
		want    error
	}{
		"disabled":                  {&User{ID: 1, Disabled: true, PasswordHash: account.PasswordHash}, fiberjwt.ErrBadCredentials},
		"another hash":              {&User{ID: 1, PasswordHash: "x"}, fiberjwt.ErrBadCredentials},
		"not stored":                {&User{ID: 7, PasswordHash: account.PasswordHash}, fiberjwt.ErrSetup},
		"not a pointer":             {*account, fiberjwt.ErrSetup},
		"nil":                       {nil, fiberjwt.ErrSetup},
		"typed nil":                 {(*User)(nil), fiberjwt.ErrSetup},
		"a model without an Entity": {&Teacher{ID: 1}, fiberjwt.ErrSetup},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.auth.Issue(ctx, tc.account)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, fiberjwt.Tokens{}, got)
		})
	}
	require.Equal(t, 1, w.count("fiberjwt_sessions"), "there must be only the session of the registration")
}

func TestGrantSettingsApplyToIssuedToken(t *testing.T) {
	w := newWorld(t)
	account := storedUser(t, w)
	at := w.clock.Now()
	got, err := w.auth.Issue(context.Background(), account, fiberjwt.LoginOptions{
		TTL: 90 * time.Second, NotBefore: at.Add(30 * time.Second), Audience: []string{"fiberjwt", "billing"},
		Claims: map[string]any{"scope": "read"}, AuthTime: at.Add(-time.Hour),
	})
	require.NoError(t, err)
	require.Equal(t, int64(90), got.ExpiresIn)
	claims := claimsOf(t, got.AccessToken)
	require.Equal(t, `["fiberjwt","billing"]`, claims.value("aud"))
	require.Equal(t, number(at.Unix()+30), claims.value("nbf"))
	require.Equal(t, number(at.Unix()+90), claims.value("exp"))

	_, err = w.auth.Verify(context.Background(), got.AccessToken)
	require.ErrorIs(t, err, fiberjwt.ErrTokenClaims, "a token must be refused before NotBefore")
	w.clock.Advance(30 * time.Second)
	s, err := w.auth.Verify(context.Background(), got.AccessToken)
	require.NoError(t, err)
	var scope string
	require.True(t, s.Claim("scope", &scope))
	require.Equal(t, "read", scope)
	require.Equal(t, at.Add(-time.Hour).Unix(), s.AuthTime.Unix())
	require.Equal(t, 401, w.get("/fresh", got.AccessToken).Status, "the password was proved an hour ago")
	w.clock.Advance(66 * time.Second)
	_, err = w.auth.Verify(context.Background(), got.AccessToken)
	require.ErrorIs(t, err, fiberjwt.ErrTokenExpired)

	w.clock.Advance(time.Hour)
	again := claimsOf(t, w.tokensOf(w.refresh("users", got.RefreshToken)).Access)
	require.Equal(t, `"fiberjwt"`, again.value("aud"), "a refresh must issue tokens without the options of the login")
	require.Equal(t, claims.value("auth_time"), again.value("auth_time"), "a refresh must keep auth_time")
}

func TestInvalidGrantIsRefusedAndStoresNothing(t *testing.T) {
	w := newWorld(t)
	account := storedUser(t, w)
	before := w.count("fiberjwt_sessions")
	for name, options := range map[string]fiberjwt.LoginOptions{
		"TTL of 25 hours":          {TTL: 25 * time.Hour},
		"TTL below 0":              {TTL: -time.Hour},
		"TTL of 1 ms":              {TTL: time.Millisecond},
		"empty Audience":           {Audience: []string{""}},
		"AuthTime in the future":   {AuthTime: w.clock.Now().Add(time.Minute)},
		"NotBefore below 0":        {NotBefore: time.Unix(-1, 0)},
		"the claim sub":            {Claims: map[string]any{"sub": "2"}},
		"the claim kind":           {Claims: map[string]any{"kind": "admins"}},
		"the claim exp":            {Claims: map[string]any{"exp": 1}},
		"a claim that is not JSON": {Claims: map[string]any{"f": func() {}}},
		"cookies":                  {Transport: fiberjwt.TransportCookie},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.auth.Issue(context.Background(), account, options)
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.Equal(t, before, w.count("fiberjwt_sessions"))
		})
	}
}

func TestLoginAppliesGrant(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "GET /login") })
	account := storedUser(t, w)
	w.app.Get("/login", func(c fiber.Ctx) error {
		tokens, err := fiberjwt.Login(c, account, fiberjwt.LoginOptions{TTL: time.Minute, Claims: map[string]any{"device": "tv"}})
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})
	a := w.do("GET", "/login", "")
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, float64(60), a.JSON(t)["expires_in"])
	require.Equal(t, `"tv"`, claimsOf(t, w.tokensOf(a).Access).value("device"))
}

func TestTokenMustNameOneOfTheAudiences(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Audience = []string{"shop", "billing"} })
	got := w.register("users", "ann@example.com")
	claims := claimsOf(t, got.Access)
	require.Equal(t, `["shop","billing"]`, claims.value("aud"))
	mint := outsider{testSecret}
	for aud, status := range map[string]int{
		`"shop"`: 200, `"billing"`: 200, `["other","billing"]`: 200, `"other"`: 401, `["shop,billing"]`: 401, `""`: 401, `[]`: 401, `["shop",1]`: 401,
	} {
		require.Equal(t, status, w.get("/users/me", mint.token("users", claims.set("aud", aud).String())).Status, aud)
	}
}

func TestTokenMustHaveRequiredClaims(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.RequiredClaims = []string{"tenant", "role", "role"}
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			Claims:   func(*User) map[string]any { return map[string]any{"tenant": "t1", "role": "x"} },
		}}
	})
	got := w.register("users", "ann@example.com")
	require.Equal(t, 200, w.get("/users/me", got.Access).Status)
	claims, mint := claimsOf(t, got.Access), outsider{testSecret}
	for name, payload := range map[string]claimSet{
		"one claim is missing": claims.drop("tenant"), "both claims are missing": claims.drop("tenant").drop("role"), "one claim is null": claims.set("role", "null"),
		"one claim is in another case": claims.drop("role").add("Role", `"x"`),
	} {
		t.Run(name, func(t *testing.T) {
			token := mint.token("users", payload.String())
			requireRefused(t, w.get("/users/me", token), token)
		})
	}
}
