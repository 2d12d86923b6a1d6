package fiberjwt_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

func ExampleNew() {
	db, app := exampleDB(), fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB:       db,
		Secret:   secret,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
		Routes:   app.Group("/auth"),
	}))
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString("hello " + u.Email) }))

	ann := post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`)
	fmt.Println(ask(app, "GET", "/me", ann.AccessToken))
	fmt.Println(ask(app, "GET", "/me", ""))
	// Output:
	// 200 hello ann@example.com
	// 401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}
}

// Without DB and Entities tokens are verified and no account is loaded, as in a
// service beside the one that signs people in.
func ExampleNew_verifyOnly() {
	signsIn, _ := exampleApp()
	ann := signUp(signsIn, "users", "ann@example.com")

	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{Secret: secret}))
	app.Get("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(s.Kind + " " + s.Subject)
	})
	fmt.Println(ask(app, "GET", "/", ann))
	// Output: 200 users 1
}

// A route above the middleware is open to all. One that was meant to be closed
// and stands there is open too, unless a guard is on it: then it answers 500 and
// the log says why.
func ExampleNew_incorrect() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // where a guard without a middleware writes
	app := fiber.New()
	app.Get("/open", func(c *fiber.Ctx) error { return c.SendString("no guard, no middleware") })
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
	app.Use(fiberjwt.New(exampleConfig(app))) // too late

	fmt.Println(ask(app, "GET", "/open", ""))
	fmt.Println(ask(app, "GET", "/me", ""))
	// Output:
	// 200 no guard, no middleware
	// 500 {"error":"server_error","error_description":"The server is not set up for this request."}
}

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

// Every mistake is in the one error, with what would be right.
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
	//   - Config.Secret has 7 bytes; give 32 random bytes or more, for instance from: openssl rand -base64 48
	//   - Config.Entities[0] (Teacher, table teachers): Identity: the model has no column "email"; its columns are id, login, password_hash
	//   - Config.Public[0]: "/health" is not a route: write it like "GET /assets/*", the method in capitals
}

func ExampleConfig_public() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"GET /health", "POST /hooks/:id"}
	app.Use(fiberjwt.New(cfg))
	app.Get("/health", func(c *fiber.Ctx) error { return c.SendString("well") })
	app.Post("/hooks/:id", func(c *fiber.Ctx) error { return c.SendString("hook " + c.Params("id")) })

	fmt.Println(ask(app, "GET", "/health", ""))
	fmt.Println(ask(app, "POST", "/hooks/7", ""))
	fmt.Println(ask(app, "GET", "/hooks/7", "")[:3])
	// Output:
	// 200 well
	// 200 hook 7
	// 401
}

// With Optional, a request without a token is anonymous and one with a bad token
// is refused, so that the client refreshes it.
func ExampleConfig_optional() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Optional = true
	app.Use(fiberjwt.New(cfg))
	app.Get("/", func(c *fiber.Ctx) error {
		if u, ok := fiberjwt.Current[User](c); ok {
			return c.SendString("hello " + u.Email)
		}
		return c.SendString("hello stranger")
	})

	fmt.Println(ask(app, "GET", "/", ""))
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/", "nonsense"))
	// Output:
	// 200 hello stranger
	// 200 hello ann@example.com
	// 401 {"error":"invalid_token","error_description":"The access token is not valid."}
}

// The application's own shape of errors. Headers and status are set already.
func ExampleConfig_errorHandler() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.ErrorHandler = func(c *fiber.Ctx, err error) error {
		var e *fiberjwt.Error
		errors.As(err, &e)
		return c.Status(e.Status).JSON(fiber.Map{"msg": e.Description})
	}
	app.Use(fiberjwt.New(cfg))
	fmt.Println(ask(app, "GET", "/", ""))
	// Output: 401 {"msg":"Sign in first: the request carries no access token."}
}

func ExampleEntity() {
	var kind fiberjwt.AnyEntity = fiberjwt.Entity[User]{
		Register: fiberjwt.Anyone[User],
		Fillable: []string{"full_name"}, // nothing else of a registration is taken
		IdleTTL:  7 * 24 * time.Hour,
	}
	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{DB: exampleDB(), Secret: secret, Entities: []fiberjwt.AnyEntity{kind}, Routes: app.Group("/auth")}))
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString(fmt.Sprint(u.FullName, " ", u.Admin)) }))

	ann := post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip","full_name":"Ann","admin":true}`)
	fmt.Println(ask(app, "GET", "/me", ann.AccessToken))
	// Output: 200 Ann false
}

// Register may refuse, Allow is asked on every request, Claims end up in the
// token, Load shapes the SELECT.
func ExampleEntity_hooks() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
		Register: func(_ *fiber.Ctx, u *User) error {
			if !strings.HasSuffix(u.Email, "@example.com") {
				return errors.New("not one of ours") // 403
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

// The zero Entity wants the columns email and password_hash, and a hash that no
// JSON shows.
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

func ExampleAnyone() {
	fiberjwt.New(fiberjwt.Config{
		DB:     exampleDB(),
		Secret: secret,
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}, // POST /users/register is open
			fiberjwt.Entity[Teacher]{Identity: "login"},            // teachers are stored by the application
		},
	})
	// Output:
}

// Call it at every start.
func ExampleMigrate() {
	db := exampleDB()
	fmt.Println(fiberjwt.Migrate(context.Background(), db))
	// Output: <nil>
}

// Without the table of sessions every sign-in is 503, and the log says what to do.
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

// Formatting and logging keep a secret.
func ExampleConfig_secret() {
	cfg := fiberjwt.Config{Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0")}
	fmt.Println(cfg.Secret)
	fmt.Printf("%x\n", cfg.Secret)
	// Output:
	// [secret]
	// [secret]
}

// While developing without https.
func ExampleCookie() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Cookie = fiberjwt.Cookie{Insecure: true} // never in production
	app.Use(fiberjwt.New(cfg))
	fmt.Println(ask(app, "GET", "/", "")[:3])
	// Output: 401
}

// The tokens go into cookies only: no script can read one.
func ExampleTransport() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie}
	app.Use(fiberjwt.New(cfg))
	tokens := post(app, "/auth/users/register", `{"email":"ann@example.com","password":"a pony for the trip"}`)
	fmt.Printf("%q %q\n", tokens.AccessToken, tokens.RefreshToken)
	// Output: "" ""
}

// Names that look the same are the same, or refused.
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

// Staff sign in by number, with or without the letter in front.
func ExampleCanonicalIdentity_ownRule() {
	staff := fiberjwt.Entity[Teacher]{Identity: "login", Canonical: func(typed string) (string, error) {
		name, err := fiberjwt.CanonicalIdentity(typed)
		if err == nil && strings.Trim(name, "t0123456789") != "" {
			err = errors.New("is no staff number")
		}
		return strings.TrimPrefix(name, "t"), err
	}}
	name, err := staff.Canonical("T17")
	fmt.Println(name, err)
	// Output: 17 <nil>
}

func ExamplePassword() {
	fiberjwt.New(fiberjwt.Config{
		Secret:   secret,
		Password: fiberjwt.Password{Memory: 64 << 10, Iterations: 3, MinLength: 15}, // 64 MiB
	})
	// Output:
}

// For clients that wait longer for an answer.
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
	segment := base64.RawURLEncoding.EncodeToString
	text := segment([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+key.ID()+`"}`)) + "." +
		segment(fmt.Appendf(nil, `{"iss":"https://id.example.com","aud":"shop","sub":"%s","iat":%d,"exp":%d}`, subject, now, now+60))
	signature, err := key.Sign(text)
	if err != nil {
		panic(err)
	}
	return text + "." + segment(signature)
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
