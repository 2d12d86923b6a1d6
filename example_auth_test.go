package fiberjwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// What New hides: an Auth ends sessions, verifies tokens of jobs, prunes.
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

// At start, after Migrate: what only the database itself can tell.
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

func ExampleAuth_Handler() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	api := app.Group("/api", auth.Handler()) // only what is below /api is closed
	api.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
	app.Get("/about", func(c *fiber.Ctx) error { return c.SendString("about us") })

	fmt.Println(ask(app, "GET", "/about", ""))
	fmt.Println(ask(app, "GET", "/api/me", signUp(app, "users", "ann@example.com")))
	// Output:
	// 200 about us
	// 200 ann@example.com
}

// A socket keeps the session that it was opened by, and asks now and then.
func ExampleAuth_Alive() {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	var kept *fiberjwt.Session
	app.Get("/live", fiberjwt.As(func(c *fiber.Ctx, _ *User) error {
		kept, _ = fiberjwt.SessionOf(c, "users") // it may outlive the request
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

// Below the middleware the sign-in itself asks for a token.
func ExampleAuth_Mount_incorrect() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Routes = nil
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	auth.Mount(app.Group("/auth")) // too late: mount first, or use Config.Routes
	fmt.Println(ask(app, "POST", "/auth/users/login", ""))
	// Output: 401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}
}

// For a token that comes with a message of a WebSocket, or a job.
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

func ExampleSessions() {
	app, auth := exampleApp()
	signUp(app, "users", "ann@example.com")
	post(app, "/auth/users/login", `{"email":"ann@example.com","password":"a pony for the trip"}`)

	sessions, err := fiberjwt.Sessions(context.Background(), auth, &User{ID: 1})
	fmt.Println(len(sessions), err)
	// Output: 2 <nil>
}

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

// After an account was disabled, or its password was changed elsewhere.
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

// Sign-ins do it by themselves, unless Config.ManualPrune is set.
func ExampleAuth_Prune() {
	_, auth := exampleApp()
	deleted, err := auth.Prune(context.Background())
	fmt.Println(deleted, err)
	// Output: 0 <nil>
}

// Stop taking requests, then close.
func ExampleAuth_Close() {
	app, auth := exampleApp()
	fmt.Println(app.Shutdown())
	fmt.Println(auth.Close())
	// Output:
	// <nil>
	// <nil>
}

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

// An application adds what it knows.
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

// The first account of a kind whose registration is closed, at the start of the
// program or by a command of its own.
func ExampleCreate() {
	_, auth := exampleApp()
	ctx, head := context.Background(), &Teacher{Login: "head"}
	for _, password := range []string{"12345678", "a pony for the trip", "a pony for the trip"} {
		err := fiberjwt.Create(ctx, auth, head, password)
		var refused *fiberjwt.Error
		switch {
		case errors.Is(err, fiberjwt.ErrTaken):
			fmt.Println("it is there already")
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
	// it is there already
}

// An import inserts its rows itself, in a transaction of its own say.
func ExampleAuth_HashPassword() {
	_, auth := exampleApp()
	hash, err := auth.HashPassword(context.Background(), "a pony for the trip")
	fmt.Println(hash[:31], err)
	// Output: $argon2id$v=19$m=19456,t=2,p=1$ <nil>
}

// A command line asks for the password before it does something grave.
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

// The account and its first session, both or neither.
func ExampleLoginOptions_transaction() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"POST /join"}
	app.Use(fiberjwt.New(cfg))
	app.Post("/join", func(c *fiber.Ctx) error {
		var tokens fiberjwt.Tokens
		err := cfg.DB.RunInTx(c.UserContext(), nil, func(ctx context.Context, tx bun.Tx) error {
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
		return c.JSON(tokens) // now that they are good
	})
	tokens := post(app, "/join", "")
	fmt.Println(ask(app, "GET", "/auth/users/me", tokens.AccessToken)[:3])
	// Output: 200
}

// exampleUser is a stored account.
func exampleUser(auth *fiberjwt.Auth, app *fiber.App) *User {
	s, err := auth.Verify(context.Background(), signUp(app, "users", "ann@example.com"))
	if err != nil {
		panic(err)
	}
	return s.Account.(*User)
}

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

// The page that the link opens looks at the token; the button on it redeems.
func ExampleLink_Check() {
	confirm := fiberjwt.Link[User]{Name: "confirm-email"}
	app, auth := exampleApp()
	token, err := confirm.Token(auth, exampleUser(auth, app))
	if err != nil {
		panic(err)
	}
	for range 2 { // programs that look after mail follow links too
		u, err := confirm.Check(context.Background(), auth, token)
		fmt.Println(u.Email, err)
	}
	// Output:
	// ann@example.com <nil>
	// ann@example.com <nil>
}

// The answer is the same whether there is such an account.
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

	app.Post("/forgot", func(c *fiber.Ctx) error {
		u := new(User)
		if err := cfg.DB.NewSelect().Model(u).Where("email = ?", c.Query("email")).Scan(c.UserContext()); err == nil {
			token, err := fiberjwt.ResetToken(auth, u, 30*time.Minute)
			if err != nil {
				return err
			}
			_ = token // hand it to whatever sends mail, and do not wait for it
		}
		return c.SendString("look into your mail")
	})
	fmt.Println(ask(app, "POST", "/forgot?email=ann@example.com", ""))
	fmt.Println(ask(app, "POST", "/forgot?email=nobody@example.com", ""))
	// Output:
	// 200 look into your mail
	// 200 look into your mail
}

func ExampleFromTicket() {
	// Last in the chain: whoever sends a token does not need a ticket.
	app, _ := from(fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie(""), fiberjwt.FromTicket("ticket")))
	fmt.Println(ask(app, "GET", "/?ticket=nonsense", "")[:3])
	// Output: 401
}

func ExampleLink() {
	app, auth := exampleApp()
	ann := exampleUser(auth, app)
	ctx := context.Background()

	magic := fiberjwt.Link[User]{Name: "magic-link", TTL: 10 * time.Minute}
	token, err := magic.Token(auth, ann) // goes into the link of a mail
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

// What a token is bound to is part of the loaded row: an account that was not
// loaded makes a token that nobody can use.
func ExampleLink_incorrect() {
	app, auth := exampleApp()
	signUp(app, "users", "ann@example.com")
	confirm := fiberjwt.Link[User]{Name: "confirm-email", Binds: func(u *User) string { return u.Email }}
	token, _ := confirm.Token(auth, &User{ID: 1}) // the address is missing
	_, err := confirm.Redeem(context.Background(), auth, token)
	fmt.Println(err)
	// Output: fiberjwt: The link is not valid, has expired or was used before.
}

// A person who has to wait asks for a mail, and signs in with its link from a
// place that the account does not know yet.
func ExampleUnlockToken() {
	app, auth := exampleApp()
	ann := exampleUser(auth, app)
	token, err := fiberjwt.UnlockToken(auth, ann, time.Hour) // goes into the link of a mail
	if err != nil {
		panic(err)
	}
	body := `{"email":"ann@example.com","password":"a pony for the trip","unlock_token":"` + token + `"}`
	request := httptest.NewRequest("POST", "/auth/users/login", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := app.Test(request, -1)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	fmt.Println(token[:4], response.Status)
	// Output: fju_ 200 OK
}

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

func ExampleTicket() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromTicket("ticket"))
	app.Use(fiberjwt.New(cfg))
	app.Get("/films/:id", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString("a film for " + u.Email) }))
	app.Get("/player/:id", fiberjwt.As(func(c *fiber.Ctx, _ *User) error {
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

func ExampleErrorHandler() {
	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
	app.Use(fiberjwt.New(exampleConfig(app)))
	app.Get("/admin", fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		if !u.Admin {
			return fiberjwt.ErrForbidden
		}
		return c.SendString("the keys")
	}))
	fmt.Println(ask(app, "GET", "/admin", signUp(app, "users", "ann@example.com")))
	// Output: 403 {"error":"forbidden","error_description":"The application refused the request."}
}

// The users of an application that moves from Flask-JWT-Router stay signed in on the day of the move.
func ExampleConfig_oldTokens() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.OldTokens = legacy.Tokens{Secret: []byte("DEBUG"), Until: time.Now().AddDate(0, 0, 30)}
	app.Use(fiberjwt.New(cfg))
	app.Post("/exchange", fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		if s, _ := fiberjwt.SessionOf(c, "users"); s.ID != "" {
			return fiberjwt.ErrForbidden // it has a session
		}
		tokens, err := fiberjwt.Login(c, u) // a session, from now on
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
