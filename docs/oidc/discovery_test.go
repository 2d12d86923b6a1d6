package oidc

import (
	"net"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

// go-oidc, which oauth2-proxy uses, gets only the address of the issuer. It accepts RS256
// by default, so it must read the algorithm from the discovery document.
func TestGoOIDCVerifiesByDiscovery(t *testing.T) {
	key, err := keys.Generate(keys.ES256)
	require.NoError(t, err)
	set, err := keys.NewSet(key)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "http://" + listener.Addr().String()
	w := newWorld(t)
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: w.db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Keys: set, Issuer: address,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Password: "-", Audience: []string{"shop"}}},
	})
	require.NoError(t, err)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/keys", fiberjwt.JWKS(set))
	app.Get("/.well-known/openid-configuration", auth.Discovery(address+"/keys"))
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })

	user := &User{Provider: "p", ProviderSubject: "1"}
	_, err = w.db.NewInsert().Model(user).Exec(t.Context())
	require.NoError(t, err)
	tokens, err := auth.Issue(t.Context(), user)
	require.NoError(t, err)

	provider, err := oidc.NewProvider(t.Context(), address)
	require.NoError(t, err)
	verified, err := provider.Verifier(&oidc.Config{ClientID: "shop"}).Verify(t.Context(), tokens.AccessToken)
	require.NoError(t, err)
	require.Equal(t, "1", verified.Subject)
	_, err = provider.Verifier(&oidc.Config{ClientID: "other"}).Verify(t.Context(), tokens.AccessToken)
	require.Error(t, err)
}
