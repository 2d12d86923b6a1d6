package fiberjwt_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

// listen serves app on a free port of this machine.
func listen(app *fiber.App) (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = app.Listener(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = app.ShutdownWithTimeout(time.Second) }
}

// One service signs people in and publishes its keys, the other verifies by
// them and shares no secret. A new key needs no restart of either.
func ExampleConfig_twoServices() {
	key, _ := keys.Generate(keys.ES256) // or keys.ParsePEM
	set, _ := keys.NewSet(key)
	signsIn := fiber.New(fiber.Config{DisableStartupMessage: true})
	signsIn.Get("/.well-known/jwks.json", set.JWKS())
	cfg := exampleConfig(signsIn)
	cfg.Keys, cfg.Issuer, cfg.Audience = set, "https://auth.example.com", []string{"https://shop.example.com"}
	signsIn.Use(fiberjwt.New(cfg))
	address, stop := listen(signsIn)
	defer stop()

	shop := fiber.New()
	shop.Use(fiberjwt.New(fiberjwt.Config{
		Keys:     keys.FromURL(address + "/.well-known/jwks.json"),
		Issuer:   "https://auth.example.com",
		Audience: []string{"https://shop.example.com"},
	}))
	shop.Get("/", fiberjwt.Require("users"), func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString("for " + s.Kind + " " + s.Subject)
	})

	ann := signUp(signsIn, "users", "ann@example.com")
	fmt.Println(ask(shop, "GET", "/", ann))
	eve := signUp(signsIn, "teachers", "eve")
	fmt.Println(ask(shop, "GET", "/", eve))
	// Output:
	// 200 for users 1
	// 403 {"error":"wrong_kind","error_description":"This account is of another kind than the route is for."}
}

// A provider signs its own tokens; here they are for accounts that were linked
// to it before.
func ExampleIssuer() {
	providersKey, _ := keys.Generate(keys.ES256)
	published, _ := keys.NewSet(providersKey.Public()) // usually keys.FromURL(…)
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Issuers = []fiberjwt.Issuer{{
		Name: "https://id.example.com", Keys: published, Audience: []string{"shop"}, Kind: "users",
	}}
	cfg.Entities[0] = fiberjwt.Entity[User]{
		Register: fiberjwt.Anyone[User],
		FromIssuer: func(ctx context.Context, s *fiberjwt.Session) (*User, error) {
			u := &User{}
			return u, cfg.DB.NewSelect().Model(u).Where("email = ?", s.Subject+"@linked.example").Scan(ctx)
		},
	}
	app.Use(fiberjwt.New(cfg))
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
	signUp(app, "users", "p-17@linked.example")

	fmt.Println(ask(app, "GET", "/me", providerToken(providersKey, "p-17")))
	fmt.Println(ask(app, "GET", "/me", providerToken(providersKey, "p-18")))
	// Output:
	// 200 p-17@linked.example
	// 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

// providerToken is one as the provider makes it.
func providerToken(key keys.Key, subject string) string {
	now := time.Now().Unix()
	text := segment(`{"alg":"ES256","typ":"at+jwt","kid":"`+key.ID()+`"}`) + "." +
		segment(fmt.Sprintf(`{"iss":"https://id.example.com","aud":"shop","sub":"%s","iat":%d,"exp":%d}`, subject, now, now+60))
	signature, err := key.Sign(text)
	if err != nil {
		panic(err)
	}
	return text + "." + segment(string(signature))
}

// A grant is for one sign-in: here a token for a television, for an hour, with
// a claim of its own.
func ExampleAuth_Issue() {
	app := fiber.New()
	cfg := exampleConfig(app)
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	signUp(app, "users", "ann@example.com")
	ann := &User{}
	if err := cfg.DB.NewSelect().Model(ann).Where("email = ?", "ann@example.com").Scan(context.Background()); err != nil {
		panic(err)
	}
	tokens, err := auth.Issue(context.Background(), ann, fiberjwt.Grant{TTL: time.Hour, Claims: map[string]any{"device": "tv"}})
	if err != nil {
		panic(err)
	}
	s, _ := auth.Verify(context.Background(), tokens.AccessToken)
	var device string
	s.Claim("device", &device)
	fmt.Println(tokens.ExpiresIn, device)
	// Output: 3600 tv
}

// A verifier that is told the issuer alone looks for the keys here.
func ExampleAuth_Discovery() {
	key, _ := keys.Generate(keys.ES256) // or keys.ParsePEM
	set, _ := keys.NewSet(key)
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Keys, cfg.Issuer = set, "https://auth.example.com"
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	const published = "https://auth.example.com/.well-known/jwks.json"
	app.Get("/.well-known/jwks.json", set.JWKS())
	app.Get("/.well-known/oauth-authorization-server", auth.Discovery(published))
	app.Use(auth.Handler())

	fmt.Println(ask(app, "GET", "/.well-known/oauth-authorization-server", ""))
	// Output:
	// 200 {"issuer":"https://auth.example.com","jwks_uri":"https://auth.example.com/.well-known/jwks.json","response_types_supported":["none"],"grant_types_supported":[],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}
}
