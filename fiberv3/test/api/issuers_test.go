// Code generated from ../../../test/api/issuers_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

const provider = "https://id.example.com"

// federation is a world that also accepts tokens of a provider.
type federation struct {
	*world
	key keys.Key // of the provider
}

// newFederation finds users by the email address that the provider's token contains.
func newFederation(t *testing.T, configure ...func(*fiberjwt.Config)) federation {
	t.Helper()
	key := newKey(t, keys.ES256)
	f := federation{key: key}
	f.world = newWorld(t, append([]func(*fiberjwt.Config){func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			FromIssuer: func(ctx context.Context, s *fiberjwt.Session) (*User, error) {
				var email string
				s.Claim("email", &email)
				account := &User{}
				err := cfg.DB.NewSelect().Model(account).Where("email = ?", email).Scan(ctx)
				return account, err
			},
			Allow: func(_ context.Context, u *User) error {
				if u.Disabled {
					return errors.New("disabled")
				}
				return nil
			},
		}
		cfg.TrustedIssuers = []fiberjwt.TrustedIssuer{{Name: provider, Keys: newSet(t, key.Public()), Audience: []string{"shop"}, Kind: "users"}}
	}}, configure...)...)
	f.register("users", "bob@example.com")
	f.register("users", "ann@example.com")
	return f
}

func (f federation) header() string {
	return `{"alg":"ES256","typ":"at+jwt","kid":"` + f.key.ID() + `"}`
}

// claims returns the claims of a valid token of the provider, for the second user.
func (f federation) claims() claimSet {
	now := f.clock.Now().Unix()
	return claimSet{}.add("iss", `"`+provider+`"`).add("aud", `["shop","other"]`).add("sub", `"auth0|1"`).add("sid", `"AAAAAAAAAAAAAAAAAAAAAA"`).
		add("iat", number(now)).add("exp", number(now+86400)).add("email", `"ann@example.com"`)
}

func (f federation) token() string { return signed(f.t, f.key, f.header(), f.claims().String()) }

func TestExternalTokenSignsInAccountFoundByHook(t *testing.T) {
	f := newFederation(t)
	a := f.get("/users/me", f.token())
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, "ann@example.com", a.JSON(t)["email"])
	require.Equal(t, "users:2", f.get("/any", f.token()).Body, "the subject is the primary key")
	require.Equal(t, 200, f.get("/auth/users/me", f.token()).Status)
	require.Equal(t, 403, f.get("/teachers/me", f.token()).Status)

	s, err := f.auth.Verify(context.Background(), f.token())
	require.NoError(t, err)
	require.Equal(t, provider, s.Issuer)
	require.Empty(t, s.ID)
	require.Empty(t, s.TokenID)
	require.True(t, s.AuthTime.IsZero())
	var sub string
	require.True(t, s.Claim("sub", &sub))
	require.Equal(t, "auth0|1", sub)
}

func TestExternalTokenMayOmitKidIfIssuerHasOneKey(t *testing.T) {
	f := newFederation(t)
	require.Equal(t, 200, f.get("/users/me", signed(t, f.key, `{"alg":"ES256","typ":"at+jwt"}`, f.claims().String())).Status)
}

func TestInvalidExternalTokenIsRefused(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.TrustedIssuers[0].Type = "application/at+JWT"
		cfg.TrustedIssuers[0].RequiredClaims = []string{"email"}
	})
	start := `{"alg":"ES256","kid":"` + f.key.ID() + `","typ":"at+jwt"`
	require.Equal(t, 200, f.get("/users/me", signed(t, f.key, start+`}`, f.claims().String())).Status)
	mint := outsider{testSecret}
	der, armored := publicKey(t, f.key.Crypto())
	confused := func(secret []byte) string {
		text := segment(`{"alg":"HS256","kid":"`+f.key.ID()+`","typ":"at+jwt"}`) + "." + segment(f.claims().String())
		mac, err := jwt.SigningMethodHS256.Sign(text, secret)
		require.NoError(t, err)
		return text + "." + segment(string(mac))
	}
	for attack, token := range map[string]string{
		"HS256 with the PEM": confused(armored), "HS256 with the DER": confused(der), "HS256 with our secret": confused([]byte(testSecret)),
		"our own key": mint.token("users", f.claims().set("kind", `"users"`).String()),
		"none":        segment(`{"alg":"none","typ":"at+jwt"}`) + "." + segment(f.claims().String()) + ".",
		"another key": signed(t, newKey(t, keys.ES256), start+`}`, f.claims().String()),
	} {
		t.Run(attack, func(t *testing.T) { requireRefused(t, f.get("/users/me", token), token) })
	}
	for attack, header := range map[string]string{
		"typ JWT": `{"alg":"ES256","typ":"JWT"}`, "no typ": `{"alg":"ES256"}`, "typ a number": `{"alg":"ES256","typ":1}`, "no alg": `{"typ":"at+jwt"}`,
		"another alg": `{"alg":"ES384","typ":"at+jwt"}`, "alg of another case": `{"alg":"es256","typ":"at+jwt"}`, "alg twice": start + `,"alg":"ES256"}`,
		"ALG": `{"ALG":"ES256","typ":"at+jwt"}`, "an unknown kid": `{"alg":"ES256","kid":"x","typ":"at+jwt"}`, "an empty kid": `{"alg":"ES256","kid":"","typ":"at+jwt"}`,
		"kid a number": `{"alg":"ES256","kid":1,"typ":"at+jwt"}`, "a kid that is an address": `{"alg":"ES256","kid":"https://evil.example/k","typ":"at+jwt"}`,
		"crit": start + `,"crit":["exp"]}`, "an empty crit": start + `,"crit":[]}`, "b64": start + `,"b64":true}`, "zip": start + `,"zip":"DEF"}`, "cty": start + `,"cty":"JWT"}`,
		"jwk": start + `,"jwk":{}}`, "jku": start + `,"jku":"https://evil.example"}`, "x5u": start + `,"x5u":"https://evil.example"}`, "x5c": start + `,"x5c":[]}`,
		"not an object": `"ES256"`, "trailing data": start + `}{}`, "nothing": ``,
	} {
		t.Run(attack, func(t *testing.T) {
			token := signed(t, f.key, header, f.claims().String())
			requireRefused(t, f.get("/users/me", token), token)
		})
	}
	at := func(d time.Duration) string { return number(f.clock.Now().Add(d).Unix()) }
	for attack, payload := range map[string]claimSet{
		"another issuer": f.claims().set("iss", `"https://id.example.com/"`), "no issuer": f.claims().drop("iss"), "two issuers": f.claims().set("iss", `["`+provider+`"]`),
		"issuer twice": f.claims().add("iss", `"`+provider+`"`), "our issuer": f.claims().set("iss", `"fiberjwt"`),
		"another audience": f.claims().set("aud", `"fiberjwt"`), "no audience": f.claims().drop("aud"), "aud a number": f.claims().set("aud", "1"),
		"no sub": f.claims().drop("sub"), "an empty sub": f.claims().set("sub", `""`), "sub a number": f.claims().set("sub", "1"), "sub twice": f.claims().add("sub", `"2"`),
		"no exp": f.claims().drop("exp"), "exp of zero": f.claims().set("exp", "0"), "expired": f.claims().set("exp", at(-5*time.Second)), "exp a string": f.claims().set("exp", `"9999999999"`),
		"nbf in the future": f.claims().add("nbf", at(6*time.Second)), "issued in the future": f.claims().set("iat", at(6*time.Second)), "auth_time in the future": f.claims().add("auth_time", at(6*time.Second)),
		"for longer than a day": f.claims().set("exp", at(24*time.Hour+6*time.Second)), "until the year 9999": f.claims().set("exp", "253402300799"),
		"without the claim": f.claims().drop("email"), "of an unknown account": f.claims().set("email", `"eve@example.com"`),
	} {
		t.Run(attack, func(t *testing.T) {
			token := signed(t, f.key, start+`}`, payload.String())
			requireRefused(t, f.get("/users/me", token), token)
		})
	}
}

func TestIssuerCannotSignForAnotherIssuer(t *testing.T) {
	other := newKey(t, keys.ES256)
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.TrustedIssuers = append(cfg.TrustedIssuers, fiberjwt.TrustedIssuer{Name: "https://other.example.com", Keys: newSet(t, other), Audience: []string{"shop"}, Kind: "users"})
	})
	token := signed(t, other, `{"alg":"ES256","typ":"at+jwt","kid":"`+other.ID()+`"}`, f.claims().String())
	requireRefused(t, f.get("/users/me", token), token)
	theirs := signed(t, other, `{"alg":"ES256","typ":"at+jwt","kid":"`+other.ID()+`"}`, f.claims().set("iss", `"https://other.example.com"`).String())
	require.Equal(t, 200, f.get("/users/me", theirs).Status)
}

func TestExternalTokenHasNoSession(t *testing.T) {
	f := newFederation(t)
	own := f.login("users", "ann@example.com")
	theirs := f.token()
	before := f.count("fiberjwt_sessions")
	require.Equal(t, 401, f.get("/fresh", theirs).Status, "the token has no auth_time, so no password was proved")
	require.Equal(t, 403, f.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+theirs).Status)
	require.Equal(t, 204, f.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+theirs).Status)
	require.Equal(t, 403, f.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+theirs).Status, "logout-all cannot end sessions of the issuer, so it must not answer 204")
	require.Equal(t, 200, f.get("/users/me", theirs).Status, "only the issuer can end its token")
	require.Equal(t, 200, f.get("/users/me", own.Access).Status, "a logout with an external token must not end a local session")
	require.Equal(t, before, f.count("fiberjwt_sessions"))

	recent := signed(t, f.key, f.header(), f.claims().add("auth_time", number(f.clock.Now().Unix()-60)).String())
	require.Equal(t, 200, f.get("/fresh", recent).Status, "auth_time of the issuer counts")
}

func TestLogoutEndsSessionDespiteExternalToken(t *testing.T) {
	for _, route := range []string{"logout", "logout-all"} {
		f := newFederation(t)
		own, other := f.login("users", "ann@example.com"), f.login("users", "ann@example.com")
		a := f.do("POST", "/auth/users/"+route, `{"refresh_token":"`+own.Refresh+`"}`, "Authorization", "Bearer "+f.token())
		require.Equal(t, 204, a.Status, a.Body)
		require.Equal(t, 401, f.get("/users/me", own.Access).Status, route)
		require.Equal(t, map[string]int{"logout": 200, "logout-all": 401}[route], f.get("/users/me", other.Access).Status, route)
	}
}

// The subject of a provider's token is not a primary key: the subject "2" is not
// the account 2.
func TestEventNamesExternalAccountOnlyIfFound(t *testing.T) {
	var seen eventRecorder
	f := newFederation(t, seen.listen)
	_, err := f.db.NewUpdate().Model((*User)(nil)).Set("disabled = ?", true).Where("id = 1").Exec(context.Background())
	require.NoError(t, err)
	seen.take()
	for who, tc := range map[string]struct {
		claims claimSet
		want   string
	}{
		"expired":  {f.claims().set("exp", number(f.clock.Now().Unix()-60)), ""},
		"unknown":  {f.claims().set("email", `"eve@example.com"`), ""},
		"disabled": {f.claims().set("email", `"bob@example.com"`), "1"},
	} {
		a := f.get("/users/me", signed(t, f.key, f.header(), tc.claims.set("sub", `"2"`).String()))
		require.Equal(t, 401, a.Status, who)
		require.Equal(t, tc.want, seen.one(t, a).Subject, who)
	}
}

func TestFromIssuerAccountWithoutKeyGets500(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register:   fiberjwt.Anyone[User],
			FromIssuer: func(context.Context, *fiberjwt.Session) (*User, error) { return &User{}, nil }, // as a hook does that ignores the error of Scan
		}
	})
	require.Equal(t, 500, f.get("/users/me", f.token()).Status)
	require.Contains(t, f.log.String(), "returns an account without a primary key")
}

func TestNonAccessTokensOfIssuerAreRefused(t *testing.T) {
	strict := newFederation(t)
	lax := newFederation(t, func(cfg *fiberjwt.Config) { cfg.TrustedIssuers[0].SkipTypeCheck = true })
	ask := func(f federation, typ string, claims claimSet) int {
		return f.get("/users/me", signed(t, f.key, `{"alg":"ES256"`+typ+`}`, claims.String())).Status
	}
	for typ, want := range map[string][2]int{
		`,"typ":"at+jwt"`: {200, 200}, `,"typ":"application/at+JWT"`: {200, 200}, `,"typ":"JWT"`: {401, 200}, ``: {401, 200},
		`,"typ":"logout+jwt"`: {401, 401}, `,"typ":"application/SecEvent+JWT"`: {401, 401}, `,"typ":"dpop+jwt"`: {401, 401},
	} {
		require.Equal(t, want, [2]int{ask(strict, typ, strict.claims()), ask(lax, typ, lax.claims())}, typ)
	}
	for _, claim := range []string{"nonce", "at_hash", "events"} {
		require.Equal(t, 401, ask(lax, "", lax.claims().add(claim, `"x"`)), claim)
		require.Equal(t, 200, ask(strict, `,"typ":"at+jwt"`, strict.claims().add(claim, `"x"`)), claim)
	}
}

func TestUnfitHeaderCausesNoIssuerKeyLookup(t *testing.T) {
	var finds atomic.Int64
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.TrustedIssuers[0].Keys = source(func(context.Context, string) (keys.Key, error) { finds.Add(1); return keys.Key{}, keys.ErrNoKey })
	})
	own := f.login("users", "ann@example.com").Access
	head, _, _ := strings.Cut(own, ".")
	payload := segment(f.claims().String())
	require.Equal(t, 401, f.get("/any", head+"."+payload+".x").Status, "the header is that of a local token")
	require.Equal(t, 401, f.get("/any", segment(`{"alg":"ES256","typ":"at+jwt","x":"`+strings.Repeat("x", 1000)+`"}`)+"."+payload+".x").Status, "the header is too long")
	require.Zero(t, finds.Load())
	require.Equal(t, 401, f.get("/any", segment(f.header())+"."+payload+".x").Status)
	require.Equal(t, int64(1), finds.Load())

	long := func(n int) string {
		return outsider{testSecret}.token("users", claimsOf(t, own).add("x", `"`+strings.Repeat("x", n)+`"`).String())
	}
	require.Equal(t, 200, f.get("/users/me", long(2400)).Status)
	require.Equal(t, 401, f.get("/users/me", long(3000)).Status, "the larger limit for external tokens must not apply to local tokens")
}

func TestExternalAccountMustPassAllow(t *testing.T) {
	f := newFederation(t)
	_, err := f.db.NewUpdate().Model((*User)(nil)).Set("disabled = ?", true).Where("id = 2").Exec(context.Background())
	require.NoError(t, err)
	requireRefused(t, f.get("/users/me", f.token()), f.token())
}

func TestFromIssuerErrorDecidesStatus(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		panics bool
		status int
	}{
		"sql.ErrNoRows": {err: sql.ErrNoRows, status: 401}, "nil account": {status: 401}, "unknown error": {err: errors.New("no such table"), status: 503},
		"deadline": {err: context.DeadlineExceeded, status: 503}, "error of fiberjwt": {err: fiberjwt.ErrForbidden, status: 403}, "panic": {panics: true, status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t, func(cfg *fiberjwt.Config) {
				cfg.Entities[0] = fiberjwt.Entity[User]{
					Register: fiberjwt.Anyone[User],
					FromIssuer: func(context.Context, *fiberjwt.Session) (*User, error) {
						if tc.panics {
							panic("in the hook")
						}
						return nil, tc.err
					},
				}
			})
			require.Equal(t, tc.status, f.get("/users/me", f.token()).Status)
		})
	}
}

func TestIssuerWithoutKindReadsKindClaim(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) { cfg.TrustedIssuers[0].Kind = "" })
	token := func(kind string) string {
		return signed(t, f.key, f.header(), f.claims().add("kind", kind).String())
	}
	require.Equal(t, 200, f.get("/users/me", token(`"users"`)).Status)
	for _, kind := range []string{`"teachers"`, `"admins"`, `""`, `1`} { // teachers have no FromIssuer
		require.Equal(t, 401, f.get("/any", token(kind)).Status, kind)
	}
	require.Equal(t, 401, f.get("/any", f.token()).Status)
}

// twoServices returns service A, and service B, which trusts A as an issuer and
// finds its users by iss and sub. configure changes B's TrustedIssuer.
func twoServices(t *testing.T, configure func(*fiberjwt.TrustedIssuer)) (a, b *world) {
	t.Helper()
	const name = "https://a.example.com"
	set := newSet(t, newKey(t, keys.ES256))
	a = newWorld(t, func(cfg *fiberjwt.Config) { cfg.Issuer, cfg.Keys, cfg.Audience = name, set, []string{"b"} })
	issuer := fiberjwt.TrustedIssuer{Name: name, Keys: keys.FromURL(serveKeys(t, set)), Audience: []string{"b"}}
	configure(&issuer)
	b = newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			FromIssuer: func(ctx context.Context, s *fiberjwt.Session) (*User, error) {
				account := &User{}
				return account, cfg.DB.NewSelect().Model(account).Where("full_name = ?", s.Issuer+" "+s.Subject).Scan(ctx)
			},
		}
		cfg.Entities[1] = fiberjwt.Entity[Teacher]{
			Identity: "login", FromIssuer: func(context.Context, *fiberjwt.Session) (*Teacher, error) { return nil, nil },
		}
		cfg.TrustedIssuers = []fiberjwt.TrustedIssuer{issuer}
	})
	b.add(&User{Email: "ann@example.com", FullName: name + " 1", PasswordHash: hashOfTestPassword})
	return a, b
}

// Teacher 1 of another service must not become user 1 here.
func TestIssuerKindNeverOverridesKindClaim(t *testing.T) {
	for name, tc := range map[string]struct {
		issuer        func(*fiberjwt.TrustedIssuer)
		user, teacher int
	}{
		"Kind is set":                     {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kind = "users" }, user: 200, teacher: 401},
		"only the claim":                  {issuer: func(*fiberjwt.TrustedIssuer) {}, user: 200, teacher: 401},
		"Kinds maps users to users":       {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"users": "users"} }, user: 200, teacher: 401},
		"Kinds maps teachers to users":    {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"teachers": "users"} }, user: 401, teacher: 200},
		"Kinds swaps the kinds":           {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"teachers": "users", "users": "teachers"} }, user: 401, teacher: 200},
		"Kind is for tokens without kind": {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kind, i.Kinds = "users", map[string]string{"users": "teachers"} }, user: 401, teacher: 401},
		"Kinds in another case":           {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"Users": "users"} }, user: 401, teacher: 401},
		"Kinds of another kind":           {issuer: func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"pupils": "users"} }, user: 401, teacher: 401},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := twoServices(t, tc.issuer)
			require.Equal(t, tc.user, b.get("/users/me", a.register("users", "ann@example.com").Access).Status, "user 1")
			require.Equal(t, tc.teacher, b.get("/users/me", a.register("teachers", "tom").Access).Status, "teacher 1")
		})
	}
}

// A hook can read the kind in the token as well as the kind that it is mapped to.
func TestMappedSessionKeepsOriginalKindClaim(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.TrustedIssuers[0].Kinds = map[string]string{"people": "users"}
		cfg.TrustedIssuers[0].Kind = ""
	})
	s, err := f.auth.Verify(t.Context(), signed(t, f.key, f.header(), f.claims().add("kind", `"people"`).String()))
	require.NoError(t, err)
	var theirs string
	require.True(t, s.Claim("kind", &theirs))
	require.Equal(t, "users people", s.Kind+" "+theirs)
	requireRefused(t, f.get("/any", f.token()), f.token())
}

func TestVerifierWithoutAccountsMapsIssuerKinds(t *testing.T) {
	f := newFederation(t)
	auth, err := fiberjwt.Open(fiberjwt.Config{Now: f.clock.Now, TrustedIssuers: []fiberjwt.TrustedIssuer{
		{Name: provider, Keys: newSet(t, f.key.Public()), Audience: []string{"shop"}, Kinds: map[string]string{"people": "users"}},
	}})
	require.NoError(t, err)
	for kind, want := range map[string]error{`"people"`: nil, `"users"`: fiberjwt.ErrTokenClaims, `""`: fiberjwt.ErrTokenClaims} {
		_, err := auth.Verify(t.Context(), signed(t, f.key, f.header(), f.claims().add("kind", kind).String()))
		require.ErrorIs(t, err, want, kind)
	}
}

func TestIssuerKeySetToleratesUnusableKeys(t *testing.T) {
	key, other := newKey(t, keys.ES256), newKey(t, keys.ES256).Named("twin")
	twin, err := json.Marshal([]keys.Key{other, newKey(t, keys.ES256).Named("twin"), key, key, newKey(t, keys.ES384).Named(key.ID())})
	require.NoError(t, err)
	secret := `{"kty":"oct","kid":"` + key.ID() + `","alg":"HS256","k":"` + segment(testSecret) + `"}`
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(out, `{"keys":[`+secret+`,`+string(twin[1:]))
		_, _ = io.WriteString(out, "}")
	}))
	t.Cleanup(server.Close)
	f := newFederation(t, func(cfg *fiberjwt.Config) { cfg.TrustedIssuers[0].Keys = keys.FromURL(server.URL) })
	t.Cleanup(func() { require.NoError(t, f.auth.Close()) })
	f.key = key
	require.Equal(t, 200, f.get("/users/me", f.token()).Status)
	f.key = other
	require.Equal(t, 401, f.get("/users/me", f.token()).Status, "two keys have this kid, so neither may be used")
	text := segment(`{"alg":"HS256","kid":"`+key.ID()+`","typ":"at+jwt"}`) + "." + segment(f.claims().String())
	mac, err := jwt.SigningMethodHS256.Sign(text, []byte(testSecret))
	require.NoError(t, err)
	require.Equal(t, 401, f.get("/users/me", text+"."+segment(string(mac))).Status, "the published secret must not verify")
}

func TestVerifierMayAcceptOnlyExternalTokens(t *testing.T) {
	f := newFederation(t)
	auth, err := fiberjwt.Open(fiberjwt.Config{Now: f.clock.Now, ReadTimeout: patience, TrustedIssuers: []fiberjwt.TrustedIssuer{
		{Name: provider, Keys: keys.FromURL(serveKeys(t, newSet(t, f.key))), Audience: []string{"shop"}, Kind: "people"},
	}})
	require.NoError(t, err)
	s, err := auth.Verify(context.Background(), f.token())
	require.NoError(t, err)
	require.Equal(t, "people", s.Kind)
	require.Equal(t, "auth0|1", s.Subject)
	_, err = auth.Verify(context.Background(), f.login("users", "ann@example.com").Access)
	require.ErrorIs(t, err, fiberjwt.ErrTokenMalformed)
	require.NoError(t, auth.Close())
}

func TestUnreachableIssuerKeysGet503(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) { cfg.TrustedIssuers[0].Keys = keys.FromURL("http://127.0.0.1:1/jwks.json") })
	a := f.get("/users/me", f.token())
	require.Equal(t, 503, a.Status, a.Body)
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.Equal(t, 200, f.get("/users/me", f.login("users", "ann@example.com").Access).Status, "local tokens must not need the issuer's keys")
}

func TestUnknownIssuerCausesNoKeyFetch(t *testing.T) {
	var fetches atomic.Int64
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.TrustedIssuers[0].Keys = keys.Func(func(*jwt.Token) (any, error) { fetches.Add(1); return nil, errors.New("unknown") }, keys.ES256)
	})
	for _, iss := range []string{`"https://evil.example"`, `"fiberjwt"`, `""`, `null`, `{}`, `"` + provider + `/"`, `"` + strings.ToUpper(provider) + `"`} {
		require.Equal(t, 401, f.get("/any", signed(t, f.key, f.header(), f.claims().set("iss", iss).String())).Status, iss)
	}
	require.Zero(t, fetches.Load())
	require.Equal(t, 401, f.get("/any", f.token()).Status)
	require.Equal(t, int64(1), fetches.Load())
}

// source implements keys.Source with a function.
type source func(ctx context.Context, kid string) (keys.Key, error)

func (s source) Find(ctx context.Context, kid string, _ keys.Algorithm) (keys.Key, error) {
	return s(ctx, kid)
}

var errUnknownKey = errors.New("unknown key")

func TestKeySourcePanicFailsOnlyItsRequest(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.TrustedIssuers[0].Keys = keys.Func(func(token *jwt.Token) (any, error) {
			return nil, fmt.Errorf("%w: %s", errUnknownKey, token.Header["kid"].(string))
		}, keys.ES256)
	})
	without := segment(`{"alg":"ES256","typ":"at+jwt"}`) + "." + segment(`{"iss":"`+provider+`"}`) + ".x"
	require.Equal(t, 500, f.get("/any", without).Status, "a token without kid makes the key function panic")
	require.Equal(t, 401, f.get("/any", f.token()).Status)
	_, err := f.auth.Verify(context.Background(), f.token())
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
	require.ErrorIs(t, err, errUnknownKey, "the error of the key function must be wrapped")

	auth, err := fiberjwt.Open(fiberjwt.Config{Keys: source(func(context.Context, string) (keys.Key, error) { panic("in the source") })})
	require.NoError(t, err)
	_, err = auth.Verify(context.Background(), signed(t, f.key, `{"alg":"ES256","kid":"x","typ":"at+jwt"}`, `{}`))
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
}

func TestKeySourceIsBoundByReadTimeout(t *testing.T) {
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		cfg.ReadTimeout = 50 * time.Millisecond
		cfg.TrustedIssuers[0].Keys = source(func(ctx context.Context, _ string) (keys.Key, error) {
			<-ctx.Done()
			return keys.Key{}, ctx.Err()
		})
	})
	require.Equal(t, 503, f.get("/any", f.token()).Status)
}

func TestKeyIsUsedOnlyForItsOwnAlgorithm(t *testing.T) {
	var f federation
	any := source(func(context.Context, string) (keys.Key, error) { return f.key, nil })
	f = newFederation(t, func(cfg *fiberjwt.Config) { cfg.TrustedIssuers[0].Keys = any })
	require.Equal(t, 200, f.get("/users/me", f.token()).Status)
	for _, alg := range []string{"none", "HS256", "ES384", "RS256"} {
		token := signed(t, f.key, `{"alg":"`+alg+`","typ":"at+jwt"}`, f.claims().String())
		requireRefused(t, f.get("/users/me", token), token)
	}
	auth, err := fiberjwt.Open(fiberjwt.Config{Keys: any})
	require.NoError(t, err)
	_, err = auth.Verify(context.Background(), signed(t, f.key, `{"alg":"none","kid":"x","typ":"at+jwt"}`, `{}`))
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
}

func TestOpenRejectsInvalidIssuer(t *testing.T) {
	set := newSet(t, newKey(t, keys.ES256))
	good := fiberjwt.TrustedIssuer{Name: provider, Keys: set, Audience: []string{"shop"}, Kind: "users"}
	with := func(change func(*fiberjwt.TrustedIssuer)) []fiberjwt.TrustedIssuer {
		issuer := good
		change(&issuer)
		return []fiberjwt.TrustedIssuer{issuer}
	}
	for want, issuers := range map[string][]fiberjwt.TrustedIssuer{
		"Name is empty":                     with(func(i *fiberjwt.TrustedIssuer) { i.Name = "" }),
		"Audience is empty":                 with(func(i *fiberjwt.TrustedIssuer) { i.Audience = nil }),
		"RequiredClaims has an empty":       with(func(i *fiberjwt.TrustedIssuer) { i.RequiredClaims = []string{""} }),
		"Keys is nil: give":                 with(func(i *fiberjwt.TrustedIssuer) { i.Keys = nil }),
		"Keys is nil: look":                 with(func(i *fiberjwt.TrustedIssuer) { i.Keys = (*keys.Set)(nil) }),
		"is not https":                      with(func(i *fiberjwt.TrustedIssuer) { i.Keys = keys.FromURL("http://example.com") }),
		"has no algorithms":                 with(func(i *fiberjwt.TrustedIssuer) { i.Keys = keys.Func(func(*jwt.Token) (any, error) { return nil, nil }) }),
		"has FromIssuer":                    with(func(i *fiberjwt.TrustedIssuer) { i.Kind = "teachers" }),
		"cannot name a kind":                with(func(i *fiberjwt.TrustedIssuer) { i.Kind = "Users" }),
		"name of a kind of Config.Entities": with(func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"people": "pupils", "users": "users"} }),
		"would both be the kind \"users\"": with(func(i *fiberjwt.TrustedIssuer) {
			i.Kind, i.Kinds = "", map[string]string{"people": "users", "guests": "users"}
		}),
		"tokens without a kind would both": with(func(i *fiberjwt.TrustedIssuer) { i.Kinds = map[string]string{"people": "users"} }),
		"that of this":                     with(func(i *fiberjwt.TrustedIssuer) { i.Name = "fiberjwt" }),
		"the Name is that of another":      {good, good},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := fiberjwt.Open(fiberjwt.Config{DB: newDB(t), Secret: []byte(testSecret), TrustedIssuers: issuers, Entities: []fiberjwt.AnyEntity{
				fiberjwt.Entity[User]{FromIssuer: func(context.Context, *fiberjwt.Session) (*User, error) { return nil, nil }},
				fiberjwt.Entity[Teacher]{Identity: "login"},
			}})
			require.ErrorContains(t, err, want)
			problemsOf(t, err)
		})
	}
}

// A kind of an issuer that can never sign in is a mistake, even if other kinds can.
func TestEveryIssuerKindNeedsFromIssuer(t *testing.T) {
	issuer := fiberjwt.TrustedIssuer{
		Name: provider, Keys: newSet(t, newKey(t, keys.ES256)), Audience: []string{"shop"},
		Kind: "users", Kinds: map[string]string{"tutors": "teachers", "bosses": "admins"},
	}
	_, err := fiberjwt.Open(fiberjwt.Config{DB: newDB(t), Secret: []byte(testSecret), TrustedIssuers: []fiberjwt.TrustedIssuer{issuer}, Entities: []fiberjwt.AnyEntity{
		fiberjwt.Entity[User]{FromIssuer: func(context.Context, *fiberjwt.Session) (*User, error) { return nil, nil }},
		fiberjwt.Entity[Teacher]{Identity: "login"},
		fiberjwt.Entity[Admin]{Name: "admins", Allow: isAdmin},
	}})
	require.ErrorContains(t, err, `no Entity of the kind "teachers" has FromIssuer`)
	require.ErrorContains(t, err, `no Entity of the kind "admins" has FromIssuer`)
	require.NotContains(t, err.Error(), `"users" has FromIssuer`)
}

func TestIssuerWithoutEntitiesNeedsKind(t *testing.T) {
	issuer := fiberjwt.TrustedIssuer{Name: provider, Keys: newSet(t, newKey(t, keys.ES256)), Audience: []string{"shop"}}
	_, err := fiberjwt.Open(fiberjwt.Config{TrustedIssuers: []fiberjwt.TrustedIssuer{issuer}})
	require.ErrorContains(t, err, "Kind is empty, and without Entities")
}

func TestLongExternalTokenIsAccepted(t *testing.T) {
	f := newFederation(t)
	sized := func(n int) string {
		return signed(t, f.key, f.header(), f.claims().add("roles", `"`+strings.Repeat("r", n)+`"`).String())
	}
	require.Equal(t, 200, f.get("/users/me", sized(5600)).Status)
	require.Equal(t, 401, f.get("/users/me", sized(6000)).Status)
}

// The exchanged session is exactly as fresh as auth_time says, even if the issuer's
// clock is some seconds ahead.
func TestLoginKeepsAuthTimeOfExternalToken(t *testing.T) {
	f := newFederation(t)
	f.app.Post("/exchange", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		tokens, err := fiberjwt.Login(c, u)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}))
	now := f.clock.Now().Unix()
	for name, test := range map[string]struct {
		token  string
		status int
	}{
		"no auth_time":                {f.token(), 401},
		"auth_time of an hour ago":    {signed(t, f.key, f.header(), f.claims().add("auth_time", number(now-3600)).String()), 401},
		"auth_time of a minute ago":   {signed(t, f.key, f.header(), f.claims().add("auth_time", number(now-60)).String()), 200},
		"auth_time 3 s in the future": {signed(t, f.key, f.header(), f.claims().add("auth_time", number(now+3)).String()), 200},
	} {
		a := f.do("POST", "/exchange", "", "Authorization", "Bearer "+test.token)
		require.Equal(t, 200, a.Status, "%s: %s", name, a.Body)
		require.Equal(t, test.status, f.get("/fresh", f.tokensOf(a).Access).Status, name)
	}
}
