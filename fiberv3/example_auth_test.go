// Code generated from ../example_auth_test.go by internal/twin; DO NOT EDIT.

package fiberjwt_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// The shortest application: users register, sign in and read a route that needs a token.
func ExampleNew() {
	db, app := exampleDB(), fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB:       db,
		Secret:   secret,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
		Routes:   app.Group("/auth"),
	}))
	app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString("hello " + u.Email) }))

	ann := post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`)
	fmt.Println(ask(app, "GET", "/me", ann.AccessToken))
	fmt.Println(ask(app, "GET", "/me", ""))
	// Output:
	// 200 hello ann@example.com
	// 401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}
}

// Without DB and Entities, the middleware verifies tokens and loads no account. This is
// for a service that shares the secret with the service where users sign in.
func ExampleNew_verifyOnly() {
	signsIn, _ := exampleApp()
	ann := signUp(signsIn, "users", "ann@example.com")

	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{Secret: secret}))
	app.Get("/", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(s.Kind + " " + s.Subject)
	})
	fmt.Println(ask(app, "GET", "/", ann))
	// Output: 200 users 1
}

// A route that is registered above the middleware is open. This is a mistake if the route
// needs an account. With a guard such as As, the mistake is answered 500, and the log
// says why.
func ExampleNew_incorrect() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // a guard without a middleware logs to the default
	app := fiber.New()
	app.Get("/open", func(c fiber.Ctx) error { return c.SendString("no guard, no middleware") })
	app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.JSON(u) }))
	app.Use(fiberjwt.New(exampleConfig(app))) // too late

	fmt.Println(ask(app, "GET", "/open", ""))
	fmt.Println(ask(app, "GET", "/me", ""))
	// Output:
	// 200 no guard, no middleware
	// 500 {"error":"server_error","error_description":"The server is not set up for this request."}
}

// Open returns an error where New panics. It is for programs that handle this error, or
// that need the Auth later, for example to close it.
func ExampleOpen() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	defer func() { _ = auth.Close() }()
	app.Use(auth.Handler())

	fmt.Println(ask(app, "GET", "/", ""))
	// Output: 401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}
}

// The error lists all problems of the Config, each with the fix.
func ExampleOpen_incorrect() {
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB:       exampleDB(),
		Secret:   []byte("hunter2"),
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[Teacher]{}}, // teachers have no column "email"
		Public:   []string{"/health"},
	})
	fmt.Println(err)
	// Output:
	// fiberjwt: the Config has 3 problems:
	//   - Config.Secret has 7 bytes: give 32 random bytes or more, for instance from: openssl rand -base64 48
	//   - Config.Entities[0] (Teacher, table teachers): Identity: the model has no column "email": set Identity to one of its columns, which are id, login, password_hash
	//   - Config.Public[0]: "/health" is not a route: write it like "GET /assets/*", the method in capitals
}

// A tool that starts applications shows what is wrong, and how to fix it.
func ExampleConfigError() {
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB:       exampleDB(),
		Secret:   secret,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
		Leeway:   5 * time.Minute,
		Public:   []string{"/health"},
	})
	var wrong *fiberjwt.ConfigError
	if errors.As(err, &wrong) {
		for _, p := range wrong.Problems {
			fmt.Printf("%s\n\tproblem: %s\n\tfix: %s\n", p.Field, p.Reason, p.Hint)
		}
	}
	// Output:
	// Config.Leeway
	// 	problem: 5m0s is not between 0 and 60 s
	// 	fix: give a time in this range, or leave it out for the default of 5 s
	// Config.Public[0]
	// 	problem: "/health" is not a route
	// 	fix: write it like "GET /assets/*", the method in capitals
}

// Public names the routes that need no token.
func ExampleConfig_public() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"GET /health", "POST /hooks/:id"}
	app.Use(fiberjwt.New(cfg))
	app.Get("/health", func(c fiber.Ctx) error { return c.SendString("ok") })
	app.Post("/hooks/:id", func(c fiber.Ctx) error { return c.SendString("hook " + c.Params("id")) })

	fmt.Println(ask(app, "GET", "/health", ""))
	fmt.Println(ask(app, "POST", "/hooks/7", ""))
	fmt.Println(ask(app, "GET", "/hooks/7", "")[:3])
	// Output:
	// 200 ok
	// 200 hook 7
	// 401
}

// With Optional, requests without a token pass as anonymous. An invalid token is still
// answered 401, so that the client refreshes it.
func ExampleConfig_optional() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Optional = true
	app.Use(fiberjwt.New(cfg))
	app.Get("/", func(c fiber.Ctx) error {
		if u, ok := fiberjwt.Current[User](c); ok {
			return c.SendString("hello " + u.Email)
		}
		return c.SendString("hello guest")
	})

	fmt.Println(ask(app, "GET", "/", ""))
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/", "nonsense"))
	// Output:
	// 200 hello guest
	// 200 hello ann@example.com
	// 401 {"error":"invalid_token","error_description":"The access token is not valid."}
}

// ErrorHandler writes errors in the format of the application. The status and
// the headers of the response are already set.
func ExampleConfig_errorHandler() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.ErrorHandler = func(c fiber.Ctx, err error) error {
		var e *fiberjwt.Error
		errors.As(err, &e)
		return c.Status(e.Status).JSON(fiber.Map{"msg": e.Description})
	}
	app.Use(fiberjwt.New(cfg))
	fmt.Println(ask(app, "GET", "/", ""))
	// Output: 401 {"msg":"Sign in first: the request carries no access token."}
}

// Fillable names the columns that a registration may set, in addition to the identity and
// the password. Other members, such as admin here, are ignored.
func ExampleEntity() {
	var kind fiberjwt.AnyEntity = fiberjwt.Entity[User]{
		Register: fiberjwt.Anyone[User],
		Fillable: []string{"full_name"}, // a registration sets no other columns
		IdleTTL:  7 * 24 * time.Hour,
	}
	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{DB: exampleDB(), Secret: secret, Entities: []fiberjwt.AnyEntity{kind}, Routes: app.Group("/auth")}))
	app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(fmt.Sprint(u.FullName, " ", u.Admin)) }))

	ann := post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip","full_name":"Ann","admin":true}`)
	fmt.Println(ask(app, "GET", "/me", ann.AccessToken))
	// Output: 200 Ann false
}

// Register may refuse a registration. Allow is called with each request and may refuse
// the account. Claims adds claims to the access token. Load changes the query that loads
// an account.
func ExampleEntity_hooks() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
		Register: func(_ fiber.Ctx, u *User) error {
			if !strings.HasSuffix(u.Email, "@example.com") {
				return errors.New("not an address of the company") // 403
			}
			return nil
		},
		Allow: func(_ context.Context, u *User) error {
			if u.Disabled {
				return errors.New("disabled") // 401
			}
			return nil
		},
		Claims: func(u *User) map[string]any { return map[string]any{"admin": u.Admin} },
		Load:   func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("?TableAlias.disabled = ?", false) },
	}}
	app.Use(fiberjwt.New(cfg))

	fmt.Println(post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`).TokenType)
	fmt.Printf("%q\n", post(app, "/auth/users/register", `{"email":"eve@example.org","password":"a pony for the trip"}`).TokenType)
	// Output:
	// Bearer
	// ""
}

// The zero Entity needs the columns email and password_hash, and the JSON of the model
// must not contain the hash.
func ExampleEntity_incorrect() {
	type Account struct {
		ID           int64  `bun:",pk,autoincrement"`
		Email        string `bun:",unique,notnull"`
		PasswordHash string `bun:",notnull"` // no json:"-"
	}
	_, err := fiberjwt.Open(fiberjwt.Config{DB: exampleDB(), Secret: secret, Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[Account]{}}})
	fmt.Println(err)
	// Output: fiberjwt: Config.Entities[0] (Account, table accounts): Password: the JSON of the model shows PasswordHash: tag the field `json:"-"`
}

// Registration is open for a kind with Anyone, and closed for a kind without Register.
func ExampleAnyone() {
	fiberjwt.New(fiberjwt.Config{
		DB:     exampleDB(),
		Secret: secret,
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}, // POST /users/register is open
			fiberjwt.Entity[Teacher]{Identity: "login"},            // the application stores teachers itself
		},
	})
	// Output:
}

// Migrate creates and updates the tables of the library. Call it at every start.
func ExampleMigrate() {
	db := exampleDB()
	fmt.Println(fiberjwt.Migrate(context.Background(), db))
	// Output: <nil>
}

// If the table of sessions is missing, every sign-in is answered 503, and the log says
// how to fix it.
func ExampleMigrate_incorrect() {
	app, db := fiber.New(), exampleDB()
	if _, err := db.NewDropTable().Table("fiberjwt_sessions").Exec(context.Background()); err != nil {
		panic(err)
	}
	cfg := exampleConfig(app)
	cfg.DB = db
	app.Use(fiberjwt.New(cfg))
	fmt.Printf("%q\n", post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`).AccessToken)
	// Output: ""
}

// A secret is not printed when a Config is formatted or logged.
func ExampleConfig_secret() {
	cfg := fiberjwt.Config{Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0")}
	fmt.Println(cfg.Secret)
	fmt.Printf("%x\n", cfg.Secret)
	// Output:
	// [secret]
	// [secret]
}

// Insecure lets cookies work over plain http during development.
func ExampleCookie() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Cookie = fiberjwt.Cookie{Insecure: true} // never in production
	app.Use(fiberjwt.New(cfg))
	fmt.Println(ask(app, "GET", "/", "")[:3])
	// Output: 401
}

// With TransportCookie only, the tokens are sent in cookies and never in the body, so
// scripts cannot read them.
func ExampleTransport() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie}
	app.Use(fiberjwt.New(cfg))
	tokens := post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`)
	fmt.Printf("%q %q\n", tokens.AccessToken, tokens.RefreshToken)
	// Output: "" ""
}

// Identities that look the same become the same text, or are refused.
func ExampleCanonicalIdentity() {
	for _, typed := range []string{"Ann@Example.com", "ａｎｎ@example.com", "rene\u0301@example.com", "ann\u200b@example.com"} {
		name, err := fiberjwt.CanonicalIdentity(typed)
		fmt.Println(name, err)
	}
	// Output:
	// ann@example.com <nil>
	// ann@example.com <nil>
	// rené@example.com <nil>
	//  has characters that are not allowed
}

// A Canonical function adds a rule of the application: staff may type their number with
// or without the letter in front.
func ExampleCanonicalIdentity_ownRule() {
	staff := fiberjwt.Entity[Teacher]{Identity: "login", Canonical: func(typed string) (string, error) {
		name, err := fiberjwt.CanonicalIdentity(typed)
		if err == nil && strings.Trim(name, "t0123456789") != "" {
			err = errors.New("is not a staff number")
		}
		return strings.TrimPrefix(name, "t"), err
	}}
	name, err := staff.Canonical("T17")
	fmt.Println(name, err)
	// Output: 17 <nil>
}

// Argon2id with 64 MiB and three iterations, and passwords of at least 15 characters.
func ExamplePassword() {
	fiberjwt.New(fiberjwt.Config{
		Secret:   secret,
		Password: fiberjwt.Password{Memory: 64 << 10, Iterations: 3, MinLength: 15}, // 64 MiB
	})
	// Output:
}

// A longer Timeout, for clients that wait longer for a response, requires longer values
// of Grace and Rearm.
func ExampleRefresh() {
	_, err := fiberjwt.Open(fiberjwt.Config{
		Secret:  secret,
		Refresh: fiberjwt.Refresh{Timeout: 20 * time.Second},
	})
	fmt.Println(err != nil, "Grace and Rearm have to follow")
	_, err = fiberjwt.Open(fiberjwt.Config{
		Secret:  secret,
		Refresh: fiberjwt.Refresh{Timeout: 20 * time.Second, Grace: 40 * time.Second, Rearm: 80 * time.Second},
	})
	fmt.Println(err)
	// Output:
	// true Grace and Rearm have to follow
	// <nil>
}

// listen serves app on a free port of this machine.
func listen(app *fiber.App) (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	return "http://" + listener.Addr().String(), func() { _ = app.ShutdownWithTimeout(time.Second) }
}

// Other services verify access tokens with the public keys of the set.
func ExampleJWKS() {
	set, _ := keys.ParseSet([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	app := fiber.New()
	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set)) // above the middleware

	fmt.Println(ask(app, "GET", "/.well-known/jwks.json", ""))
	// Output:
	// 200 {"keys":[{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"2026","alg":"EdDSA","use":"sig"}]}
}

// One service signs users in and publishes its public keys. The other service verifies
// tokens with these keys and shares no secret with the first one. Neither service has to
// restart for a new key.
func ExampleConfig_twoServices() {
	key, _ := keys.Generate(keys.ES256) // or keys.ParsePEM
	set, _ := keys.NewSet(key)
	signsIn := fiber.New(fiber.Config{})
	signsIn.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
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
	shop.Get("/", fiberjwt.Require("users"), func(c fiber.Ctx) error {
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

// An identity provider signs its own tokens. FromIssuer finds the account that the
// application has linked to the subject of the token.
func ExampleTrustedIssuer() {
	providersKey, _ := keys.Generate(keys.ES256)
	published, _ := keys.NewSet(providersKey.Public()) // usually keys.FromURL(…)
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.TrustedIssuers = []fiberjwt.TrustedIssuer{{
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
	app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
	signUp(app, "users", "p-17@linked.example")

	fmt.Println(ask(app, "GET", "/me", providerToken(providersKey, "p-17")))
	fmt.Println(ask(app, "GET", "/me", providerToken(providersKey, "p-18")))
	// Output:
	// 200 p-17@linked.example
	// 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

// providerToken returns a token as the identity provider issues it.
func providerToken(key keys.Key, subject string) string {
	now := time.Now().Unix()
	segment := base64.RawURLEncoding.EncodeToString
	text := segment([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+key.ID()+`"}`)) + "." +
		segment(fmt.Appendf(nil, `{"iss":"https://id.example.com","aud":"shop","sub":"%s","iat":%d,"exp":%d}`, subject, now, now+60))
	signature, err := key.Sign(text)
	if err != nil {
		panic(err)
	}
	return text + "." + segment(signature)
}

// Issue starts a session outside of a request. The LoginOptions apply to this session
// only: here an access token for a television that is valid for an hour and has a claim.
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
	tokens, err := auth.Issue(context.Background(), ann, fiberjwt.LoginOptions{TTL: time.Hour, Claims: map[string]any{"device": "tv"}})
	if err != nil {
		panic(err)
	}
	s, _ := auth.Verify(context.Background(), tokens.AccessToken)
	var device string
	s.Claim("device", &device)
	fmt.Println(tokens.ExpiresIn, device)
	// Output: 3600 tv
}

// Verifiers that are configured with the issuer only find the keys by this document.
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
	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
	app.Get("/.well-known/oauth-authorization-server", auth.Discovery(published))
	app.Use(auth.Handler())

	fmt.Println(ask(app, "GET", "/.well-known/oauth-authorization-server", ""))
	// Output:
	// 200 {"issuer":"https://auth.example.com","jwks_uri":"https://auth.example.com/.well-known/jwks.json","response_types_supported":["none"],"grant_types_supported":[],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}
}

// Open returns an Auth, which has more than the middleware: the application can list and
// end sessions, verify tokens and prune the tables.
func ExampleAuth() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	defer func() { _ = auth.Close() }()
	app.Use(auth.Handler())

	signUp(app, "users", "ann@example.com")
	fmt.Println(fiberjwt.RevokeAll(context.Background(), auth, &User{ID: 1}))
	sessions, err := fiberjwt.Sessions(context.Background(), auth, &User{ID: 1})
	fmt.Println(len(sessions), err)
	// Output:
	// <nil>
	// 0 <nil>
}

// Check finds problems that only the database can reveal. Call it at start, after
// Migrate.
func ExampleAuth_Check() {
	cfg := exampleConfig(fiber.New())
	if _, err := cfg.DB.Exec("ALTER TABLE users DROP COLUMN full_name"); err != nil {
		panic(err)
	}
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	err = auth.Check(context.Background())
	fmt.Println(err)
	fmt.Println(errors.Is(err, fiberjwt.ErrSetup))
	// Output:
	// fiberjwt: Config.Entities[0] (User, table users): the table has no column "full_name": bring it up to the model; its columns are id, email, admin, disabled, password_hash
	// true
}

// The middleware can protect a part of the application: here, only the routes below /api
// need a token.
func ExampleAuth_Handler() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	api := app.Group("/api", auth.Handler()) // only the routes below /api need a token
	api.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
	app.Get("/about", func(c fiber.Ctx) error { return c.SendString("about us") })

	fmt.Println(ask(app, "GET", "/about", ""))
	fmt.Println(ask(app, "GET", "/api/me", signUp(app, "users", "ann@example.com")))
	// Output:
	// 200 about us
	// 200 ann@example.com
}

// A WebSocket keeps the session that opened it, and asks from time to time whether the
// session is still active.
func ExampleAuth_Alive() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	var kept *fiberjwt.Session
	app.Get("/live", fiberjwt.As(func(c fiber.Ctx, _ *User) error {
		kept, _ = fiberjwt.SessionOf(c, "users") // a Session stays valid after the request
		return c.SendString("open")
	}))

	fmt.Println(ask(app, "GET", "/live", signUp(app, "users", "ann@example.com")))
	fmt.Println(auth.Alive(context.Background(), kept))
	fmt.Println(auth.Revoke(context.Background(), kept.ID))
	fmt.Println(errors.Is(auth.Alive(context.Background(), kept), fiberjwt.ErrTokenRevoked))
	// Output:
	// 200 open
	// <nil>
	// <nil>
	// true
}

// Mount adds the built-in routes after Open. It replaces Config.Routes.
func ExampleAuth_Mount() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Routes = nil
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	auth.Mount(app.Group("/v1/auth"))
	fmt.Println(post(app, "/v1/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`).TokenType)
	// Output: Bearer
}

// If the built-in routes are mounted below the middleware, even a sign-in needs a token.
func ExampleAuth_Mount_incorrect() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Routes = nil
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	auth.Mount(app.Group("/auth")) // wrong: call Mount first, or set Config.Routes
	fmt.Println(ask(app, "POST", "/auth/users/login", ""))
	// Output: 401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}
}

// Verify checks a token that does not come with a request, for example in a message of a
// WebSocket or in a job.
func ExampleAuth_Verify() {
	app, auth := exampleApp()
	token := signUp(app, "users", "ann@example.com")

	s, err := auth.Verify(context.Background(), token)
	fmt.Println(s.Account.(*User).Email, err)
	_, err = auth.Verify(context.Background(), token+"x")
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenMalformed))
	// Output:
	// ann@example.com <nil>
	// true
}

// Sessions lists the active sessions of an account.
func ExampleSessions() {
	app, auth := exampleApp()
	signUp(app, "users", "ann@example.com")
	post(app, "/auth/users/login", `{"email":"ann@example.com","password":"a pony for the trip"}`)

	sessions, err := fiberjwt.Sessions(context.Background(), auth, &User{ID: 1})
	fmt.Println(len(sessions), err)
	// Output: 2 <nil>
}

// Revoke ends one session. Its access token is then refused.
func ExampleAuth_Revoke() {
	app, auth := exampleApp()
	token := signUp(app, "users", "ann@example.com")
	s, err := auth.Verify(context.Background(), token)
	if err != nil {
		panic(err)
	}

	fmt.Println(auth.Revoke(context.Background(), s.ID))
	fmt.Println(ask(app, "GET", "/", token))
	// Output:
	// <nil>
	// 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

// RevokeAll ends every session of an account. Call it after the application has disabled
// the account or has changed its password.
func ExampleRevokeAll() {
	app, auth := exampleApp()
	token := signUp(app, "users", "ann@example.com")

	fmt.Println(fiberjwt.RevokeAll(context.Background(), auth, &User{ID: 1}))
	_, err := auth.Verify(context.Background(), token)
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenRevoked))
	// Output:
	// <nil>
	// true
}

// Prune deletes sessions that are past their absolute deadline and failed sign-ins that no
// longer count. Sign-ins do this themselves, unless Config.ManualPrune is set.
func ExampleAuth_Prune() {
	_, auth := exampleApp()
	deleted, err := auth.Prune(context.Background())
	fmt.Println(deleted, err)
	// Output: 0 <nil>
}

// At the end of the program, shut the application down first and close the Auth
// afterwards.
func ExampleAuth_Close() {
	app, auth := exampleApp()
	fmt.Println(app.Shutdown())
	fmt.Println(auth.Close())
	// Output:
	// <nil>
	// <nil>
}

// OpenAPI serves the description of the built-in routes. Above the middleware, it is
// public.
func ExampleAuth_OpenAPI() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Get("/openapi.json", auth.OpenAPI())
	app.Use(auth.Handler())

	document := ask(app, "GET", "/openapi.json", "")
	fmt.Println(document[:3], len(document) > 1000)
	// Output: 200 true
}

// An application can add to the document, for example its own title and license.
func ExampleAuth_OpenAPIDocument() {
	auth, err := fiberjwt.Open(exampleConfig(fiber.New()))
	if err != nil {
		panic(err)
	}
	text, err := auth.OpenAPIDocument()
	if err != nil {
		panic(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		panic(err)
	}
	info := document["info"].(map[string]any)
	info["title"], info["license"] = "Notes", map[string]any{"name": "MIT", "identifier": "MIT"}
	_, found := document["paths"].(map[string]any)["/auth/users/login"]
	fmt.Println(info["title"], found)
	// Output: Notes true
}

// Create makes an account of a kind whose registration is closed, for example the first
// one, at the start of the program or in a separate command.
func ExampleCreate() {
	_, auth := exampleApp()
	ctx, head := context.Background(), &Teacher{Login: "head"}
	for _, password := range []string{"12345678", "a pony for the trip", "a pony for the trip"} {
		err := fiberjwt.Create(ctx, auth, head, password)
		var refused *fiberjwt.Error
		switch {
		case errors.Is(err, fiberjwt.ErrTaken):
			fmt.Println("the account exists already")
		case errors.As(err, &refused):
			fmt.Println(refused.Description, refused.Fields)
		default:
			fmt.Println(head.ID, err)
		}
		head.ID = 0
	}
	// Output:
	// Some fields are missing or wrong. map[password:is one of the most common passwords]
	// 1 <nil>
	// the account exists already
}

// HashPassword is for an import that inserts rows itself, for example in a transaction of
// the application.
func ExampleAuth_HashPassword() {
	_, auth := exampleApp()
	hash, err := auth.HashPassword(context.Background(), "a pony for the trip")
	fmt.Println(hash[:31], err)
	// Output: $argon2id$v=19$m=19456,t=2,p=1$ <nil>
}

// CheckPassword lets a command-line program ask for the password before it does something
// dangerous.
func ExampleAuth_CheckPassword() {
	app, auth := exampleApp()
	u := exampleUser(auth, app) // whose password is "a pony for the trip"
	for _, password := range []string{"a donkey for the trip", "a pony for the trip"} {
		ok, err := auth.CheckPassword(context.Background(), u.PasswordHash, password)
		fmt.Println(ok, err)
	}
	// Output:
	// false <nil>
	// true <nil>
}

// With LoginOptions.DB, the account and its first session are stored in one transaction:
// both or neither.
func ExampleLoginOptions_transaction() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"POST /join"}
	app.Use(fiberjwt.New(cfg))
	app.Post("/join", func(c fiber.Ctx) error {
		var tokens fiberjwt.Tokens
		err := cfg.DB.RunInTx(c.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			u := &User{Email: "ann@example.com"}
			_, err := tx.NewInsert().Model(u).Exec(ctx)
			if err != nil {
				return err
			}
			tokens, err = fiberjwt.Login(c, u, fiberjwt.LoginOptions{DB: tx})
			return err
		})
		if err != nil {
			return err
		}
		return c.JSON(tokens) // only after the commit
	})
	tokens := post(app, "/join", "")
	fmt.Println(ask(app, "GET", "/auth/users/me", tokens.AccessToken)[:3])
	// Output: 200
}

// exampleUser registers a user and returns the stored account.
func exampleUser(auth *fiberjwt.Auth, app *fiber.App) *User {
	s, err := auth.Verify(context.Background(), signUp(app, "users", "ann@example.com"))
	if err != nil {
		panic(err)
	}
	return s.Account.(*User)
}

// LoginOptions change the tokens of one sign-in: here the lifetime of the access token
// and an additional claim.
func ExampleLoginOptions() {
	app, auth := exampleApp()
	tokens, err := auth.Issue(context.Background(), exampleUser(auth, app), fiberjwt.LoginOptions{
		TTL:    time.Minute,
		Claims: map[string]any{"device": "till 4"},
	})
	if err != nil {
		panic(err)
	}
	s, err := auth.Verify(context.Background(), tokens.AccessToken)
	if err != nil {
		panic(err)
	}
	var device string
	fmt.Println(s.Claim("device", &device), device)
	// Output: true till 4
}

// Check verifies the token of a link and does not use it up. Use it for the page that the
// link opens, and Redeem for the button on that page.
func ExampleLink_Check() {
	confirm := fiberjwt.Link[User]{Name: "confirm-email"}
	app, auth := exampleApp()
	token, err := confirm.Token(auth, exampleUser(auth, app))
	if err != nil {
		panic(err)
	}
	for range 2 { // mail scanners follow links too
		u, err := confirm.Check(context.Background(), auth, token)
		fmt.Println(u.Email, err)
	}
	// Output:
	// ann@example.com <nil>
	// ann@example.com <nil>
}

// A route for forgotten passwords. The response is the same for every address, so that
// clients cannot find out which accounts exist.
func ExampleResetToken() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"POST /forgot"}
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	signUp(app, "users", "ann@example.com")

	app.Post("/forgot", func(c fiber.Ctx) error {
		u := new(User)
		if err := cfg.DB.NewSelect().Model(u).Where("email = ?", c.Query("email")).Scan(c.Context()); err == nil {
			token, err := fiberjwt.ResetToken(auth, u, 30*time.Minute)
			if err != nil {
				return err
			}
			_ = token // queue a mail with a link; do not wait until it is sent
		}
		return c.SendString("check your mail")
	})
	fmt.Println(ask(app, "POST", "/forgot?email=ann@example.com", ""))
	fmt.Println(ask(app, "POST", "/forgot?email=unknown@example.com", ""))
	// Output:
	// 200 check your mail
	// 200 check your mail
}

// FromTicket is the last in the chain, because a client that sends an access token does
// not need a ticket.
func ExampleFromTicket() {
	app, _ := from(fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie(""), fiberjwt.FromTicket("ticket")))
	fmt.Println(ask(app, "GET", "/?ticket=nonsense", "")[:3])
	// Output: 401
}

// A link that signs a user in. Its token is valid once.
func ExampleLink() {
	app, auth := exampleApp()
	ann := exampleUser(auth, app)
	ctx := context.Background()

	magic := fiberjwt.Link[User]{Name: "magic-link", TTL: 10 * time.Minute}
	token, err := magic.Token(auth, ann) // part of a link in a mail
	if err != nil {
		panic(err)
	}
	u, err := magic.Redeem(ctx, auth, token) // then Login(c, u)
	fmt.Println(u.Email, err)
	_, err = magic.Redeem(ctx, auth, token)
	fmt.Println(err)
	// Output:
	// ann@example.com <nil>
	// fiberjwt: The link is not valid, has expired or was used before.
}

// A token is bound to the columns of the loaded row. If the account is not loaded, the
// token cannot be redeemed.
func ExampleLink_incorrect() {
	app, auth := exampleApp()
	signUp(app, "users", "ann@example.com")
	confirm := fiberjwt.Link[User]{Name: "confirm-email", Binds: func(u *User) string { return u.Email }}
	token, _ := confirm.Token(auth, &User{ID: 1}) // wrong: Email is not loaded
	_, err := confirm.Redeem(context.Background(), auth, token)
	fmt.Println(err)
	// Output: fiberjwt: The link is not valid, has expired or was used before.
}

// If an attacker guesses at a password, the owner of the account has to wait before a sign-in
// from a new place. With the token of a link in a mail, the owner can sign in at once.
func ExampleUnlockToken() {
	app, auth := exampleApp()
	ann := exampleUser(auth, app)
	token, err := fiberjwt.UnlockToken(auth, ann, time.Hour) // part of a link in a mail
	if err != nil {
		panic(err)
	}
	body := `{"email":"ann@example.com","password":"a pony for the trip","unlock_token":"` + token + `"}`
	request := httptest.NewRequest("POST", "/auth/users/login", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := app.Test(request, fiber.TestConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	fmt.Println(token[:4], response.Status)
	// Output: fju_ 200 OK
}

// ResetPassword stores a new password and ends every session of the account. A refused
// password does not use up the token.
func ExampleResetPassword() {
	app, auth := exampleApp()
	session := signUp(app, "users", "ann@example.com")
	ctx := context.Background()

	s, _ := auth.Verify(ctx, session)
	token, err := fiberjwt.ResetToken(auth, s.Account.(*User), time.Hour)
	if err != nil {
		panic(err)
	}
	_, err = fiberjwt.ResetPassword[User](ctx, auth, token, "password")
	var refused *fiberjwt.Error
	fmt.Println(errors.As(err, &refused), refused.Fields)
	_, err = fiberjwt.ResetPassword[User](ctx, auth, token, "a horse for the trip")
	fmt.Println(err, ask(app, "GET", "/auth/users/me", session))
	// Output:
	// true map[password:is one of the most common passwords]
	// <nil> 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

// A ticket opens one path for an element that cannot send a header, such as the src of a
// video.
func ExampleTicket() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromTicket("ticket"))
	app.Use(fiberjwt.New(cfg))
	app.Get("/films/:id", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString("a film for " + u.Email) }))
	app.Get("/player/:id", fiberjwt.As(func(c fiber.Ctx, _ *User) error {
		film := "/films/" + c.Params("id")
		ticket, err := fiberjwt.Ticket(c, film, 3*time.Hour)
		if err != nil {
			return err
		}
		return c.SendString(`<video src="` + film + `?ticket=` + ticket + `">`)
	}))

	page := ask(app, "GET", "/player/7", signUp(app, "users", "ann@example.com"))
	_, rest, _ := strings.Cut(page, `src="`)
	src, _, _ := strings.Cut(rest, `"`)
	fmt.Println(ask(app, "GET", src, ""))
	fmt.Println(ask(app, "GET", strings.Replace(src, "/7", "/8", 1), ""))
	// Output:
	// 200 a film for ann@example.com
	// 401 {"error":"invalid_token","error_description":"The access token is not meant for this use."}
}

// With this ErrorHandler, Fiber answers the errors that handlers return in the same JSON
// as fiberjwt.
func ExampleErrorHandler() {
	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
	app.Use(fiberjwt.New(exampleConfig(app)))
	app.Get("/admin", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		if !u.Admin {
			return fiberjwt.ErrForbidden
		}
		return c.SendString("the settings")
	}))
	fmt.Println(ask(app, "GET", "/admin", signUp(app, "users", "ann@example.com")))
	// Output: 403 {"error":"forbidden","error_description":"The application refused the request."}
}

// The users of an application that moves from Flask-JWT-Router stay signed in on the day
// of the move. Their clients exchange an old token for a session.
func ExampleConfig_oldTokens() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.OldTokens = legacy.Tokens{Secret: []byte("DEBUG"), Until: time.Now().AddDate(0, 0, 30)}
	app.Use(fiberjwt.New(cfg))
	app.Post("/exchange", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		if s, _ := fiberjwt.SessionOf(c, "users"); s.ID != "" {
			return fiberjwt.ErrForbidden // the token is new and has a session
		}
		tokens, err := fiberjwt.Login(c, u) // from now on, the user has a session
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}))
	signUp(app, "users", "ann@example.com")

	old, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"table_name": "users", "id": 1, "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte("DEBUG"))
	if err != nil {
		panic(err)
	}
	fmt.Println(ask(app, "POST", "/exchange", old)[:25])
	// Output: 200 {"access_token":"eyJh
}
