package api_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

const (
	selfIssuer = "https://auth.example.com"
	selfJWKS   = "https://auth.example.com/.well-known/jwks.json"
)

// The members are those of RFC 8414 §2 and OpenID Connect Discovery 1.0 §3 that apply to this library.
func TestDiscoveryDocumentNamesIssuerAndKeys(t *testing.T) {
	es, ed := newKey(t, keys.ES256), newKey(t, keys.EdDSA)
	set := newSet(t, es)
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Issuer, cfg.Keys = selfIssuer, set })
	w.app = fiber.New()
	w.app.Get("/.well-known/openid-configuration", w.auth.Discovery(selfJWKS))
	read := func() (document map[string]any) {
		a := w.do("GET", "/.well-known/openid-configuration", "")
		require.Equal(t, 200, a.Status)
		require.Equal(t, jsonType, a.Header.Get("Content-Type"))
		require.Equal(t, "public, max-age=300", a.Header.Get("Cache-Control"))
		require.NoError(t, json.Unmarshal([]byte(a.Body), &document))
		return document
	}
	require.Equal(t, map[string]any{
		"issuer": selfIssuer, "jwks_uri": selfJWKS, "response_types_supported": []any{"none"}, "grant_types_supported": []any{},
		"subject_types_supported": []any{"public"}, "id_token_signing_alg_values_supported": []any{"ES256"},
	}, read())
	require.NoError(t, set.Add(ed))
	require.NoError(t, set.Promote(ed.ID()))
	require.Equal(t, []any{"ES256", "EdDSA"}, read()["id_token_signing_alg_values_supported"], "tokens of the retired key are still valid")
}

func TestDiscoveryPanicsOnInvalidSettings(t *testing.T) {
	set := newSet(t, newKey(t, keys.ES256))
	for name, tc := range map[string]struct {
		issuer, jwks string
		keys         keys.Source
		want         string
	}{
		"the default issuer":             {"", selfJWKS, set, "Config.Issuer"},
		"an issuer over http":            {"http://auth.example.com", selfJWKS, set, "Config.Issuer"},
		"an issuer with a query":         {selfIssuer + "?a=b", selfJWKS, set, "Config.Issuer"},
		"a relative address of the keys": {selfIssuer, "/.well-known/jwks.json", set, "jwksURL"},
		"no keys":                        {selfIssuer, selfJWKS, nil, "Config.Keys"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Issuer, cfg.Keys = tc.issuer, tc.keys })
			defer func() { require.ErrorContains(t, fmt.Errorf("%v", recover()), tc.want) }()
			w.auth.Discovery(tc.jwks)
		})
	}
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Issuer, cfg.Keys = "http://localhost:3000", set })
	require.NotPanics(t, func() { w.auth.Discovery("http://127.0.0.1:3000/jwks.json") }, "http must be allowed on localhost")
}

// RFC 9068 §2.2 requires client_id.
func TestClientIDClaimIsIssuedIfConfigured(t *testing.T) {
	w, good := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.ClientID = "shop" })
	require.Equal(t, `"shop"`, claimsOf(t, good.Access).value("client_id"))
	require.Equal(t, 200, w.get("/users/me", good.Access).Status)
	_, good = newSignedInWorld(t)
	require.Empty(t, claimsOf(t, good.Access).value("client_id"))
	own := func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Claims: func(*User) map[string]any { return map[string]any{"client_id": "mine"} }}
	}
	_, good = newSignedInWorld(t, own)
	require.Equal(t, `"mine"`, claimsOf(t, good.Access).value("client_id"), "without Config.ClientID the application may set the claim")
	w = newWorld(t, own, func(cfg *fiberjwt.Config) { cfg.ClientID = "shop" })
	require.Equal(t, 500, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)).Status)
	require.Contains(t, w.log.String(), `reserved claim`)
}

func TestJWKSServesPublicKeysWithETag(t *testing.T) {
	set := newSet(t, newKey(t, keys.ES256))
	w := newWorld(t)
	w.app = fiber.New()
	w.app.Get("/jwks.json", fiberjwt.JWKS(set))
	first := w.do("GET", "/jwks.json", "")
	require.Equal(t, 200, first.Status)
	require.Equal(t, "application/jwk-set+json", first.Header.Get("Content-Type"))
	require.Equal(t, "public, max-age=300", first.Header.Get("Cache-Control"))
	document, etag := set.Document()
	require.Equal(t, string(document), first.Body)
	require.Equal(t, etag, first.Header.Get("Etag"))

	kept := w.do("GET", "/jwks.json", "", "If-None-Match", `"other", W/`+etag)
	require.Equal(t, 304, kept.Status)
	require.Empty(t, kept.Body)
	require.NoError(t, set.Add(newKey(t, keys.ES256)))
	require.Equal(t, 200, w.do("GET", "/jwks.json", "", "If-None-Match", etag).Status)
}

// Verifiers that do not check the claim kind can separate the kinds by audience.
func TestAudienceOfKindIsIssuedAndRequired(t *testing.T) {
	set := newSet(t, newKey(t, keys.ES256))
	for name, configure := range map[string]func(*fiberjwt.Config){
		"a secret": func(*fiberjwt.Config) {},
		"keys":     func(cfg *fiberjwt.Config) { cfg.Keys = set },
	} {
		t.Run(name, func(t *testing.T) {
			own := []string{"staff", "shop"}
			w := newWorld(t, configure, func(cfg *fiberjwt.Config) {
				cfg.Audience = []string{"shop"}
				cfg.Entities[1] = fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher], Audience: own}
			})
			own[0] = "changed"
			user, teacher := w.register("users", "ann@example.com").Access, w.register("teachers", "tom").Access
			require.Equal(t, `"shop"`, claimsOf(t, user).value("aud"))
			require.Equal(t, `["staff","shop"]`, claimsOf(t, teacher).value("aud"))
			require.Equal(t, 200, w.get("/users/me", user).Status)
			require.Equal(t, 200, w.get("/teachers/me", teacher).Status)

			later := newWorld(t, configure, func(cfg *fiberjwt.Config) {
				cfg.DB, cfg.Now, cfg.Audience = w.db, w.clock.Now, []string{"shop"}
				cfg.Entities[0] = fiberjwt.Entity[User]{Audience: []string{"customers"}}
				cfg.Entities[1] = fiberjwt.Entity[Teacher]{Identity: "login", Audience: []string{"staff"}}
			})
			requireVerifyError(t, later.auth, user, fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidAudience)
			require.Equal(t, 200, later.get("/teachers/me", teacher).Status)
		})
	}
	_, err := fiberjwt.Open(fiberjwt.Config{DB: newDB(t), Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Audience: []string{""}}}})
	require.ErrorContains(t, err, "Config.Entities[0] (User, table users): Audience has an empty name")
}
