// Code generated from ../fiberjwt_test.go by internal/twin; DO NOT EDIT.

package fiberjwt_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	_ "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

// This file has what the package promises in its first lines, and the set-up and the first
// examples. The tests of every detail are in test/api.

func TestMiddlewareStoresTheAccountInLocals(t *testing.T) {
	app := fiber.New()
	cfg := exampleConfig(app)
	app.Use(fiberjwt.New(cfg))
	app.Get("/users", func(c fiber.Ctx) error { return c.SendString(c.Locals("users").(*User).Email) })
	app.Get("/teachers", func(c fiber.Ctx) error { return c.SendString(c.Locals("teachers").(*Teacher).Login) })

	require.Equal(t, "200 ann@example.com", ask(app, "GET", "/users", signUp(app, "users", "ann@example.com")))
	require.Equal(t, "200 ann", ask(app, "GET", "/teachers", signUp(app, "teachers", "ann")))
}

func TestLocalsCurrentAndAsGiveTheSamePointer(t *testing.T) {
	app, _ := exampleApp()
	app.Get("/", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		current, ok := fiberjwt.Current[User](c)
		return c.SendString(fmt.Sprint(ok, current == u, c.Locals("users") == any(u)))
	}))
	require.Equal(t, "200 true true true", ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
}

func TestKindsAreKeptApart(t *testing.T) {
	app, _ := exampleApp()
	app.Get("/users", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return c.SendStatus(fiber.StatusNoContent) }))
	app.Get("/teachers", fiberjwt.Require("teachers"), func(c fiber.Ctx) error { return c.SendStatus(fiber.StatusNoContent) })
	user, teacher := signUp(app, "users", "ann@example.com"), signUp(app, "teachers", "ann")

	for path, tokens := range map[string]struct{ own, other string }{"/users": {user, teacher}, "/teachers": {teacher, user}} {
		require.Equal(t, "204", ask(app, "GET", path, tokens.own)[:3])
		require.Contains(t, ask(app, "GET", path, tokens.other), `403 {"error":"wrong_kind"`)
		require.Contains(t, ask(app, "GET", path, ""), `401 {"error":"no_token"`)
	}
}

// User is a kind of account in the examples. Users sign in by email.
type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	FullName      string `json:"full_name"`
	Admin         bool   `json:"admin"`
	Disabled      bool   `json:"disabled"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

// Teacher is a kind of account in the examples. Teachers sign in by the column login.
type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Login         string `bun:",unique,notnull"   json:"login"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

// patience is a deadline that is long enough even on a slow and busy machine.
const patience = time.Minute

// The examples share a secret, which a program would read from its environment. dbs counts
// their databases.
var (
	secret = keys.Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0") // openssl rand -base64 48
	dbs    atomic.Int64
)

// exampleDB returns an empty SQLite database with the tables of users and teachers.
func exampleDB() *bun.DB {
	conn, err := sql.Open("sqlite3", fmt.Sprintf("file:/example%d.db?vfs=memdb&_txlock=immediate", dbs.Add(1)))
	if err != nil {
		panic(err)
	}
	db := bun.NewDB(conn, sqlitedialect.New())
	for _, model := range []any{(*User)(nil), (*Teacher)(nil)} {
		if _, err := db.NewCreateTable().Model(model).Exec(context.Background()); err != nil {
			panic(err)
		}
	}
	if err := fiberjwt.Migrate(context.Background(), db); err != nil {
		panic(err)
	}
	return db
}

// exampleConfig returns a Config where users and teachers can register.
func exampleConfig(app *fiber.App) fiberjwt.Config {
	return fiberjwt.Config{
		DB: exampleDB(), Secret: secret, Routes: app.Group("/auth"),
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]},
			fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher]},
		},
		Logger: slog.New(slog.DiscardHandler), ReadTimeout: patience, WriteTimeout: patience,
	}
}

// exampleApp returns an application with the middleware for users and teachers.
func exampleApp() (*fiber.App, *fiberjwt.Auth) {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	return app, auth
}

// ask sends a request, with an access token if it is not empty, and returns the status
// and the body. headers are pairs of a name and a value.
func ask(app *fiber.App, method, path, access string, headers ...string) string {
	request := httptest.NewRequest(method, path, nil)
	if access != "" {
		request.Header.Set("Authorization", "Bearer "+access)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := app.Test(request, fiber.TestConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", string(body)))
}

// signUp registers an account and returns its access token.
func signUp(app *fiber.App, kind, identity string) string {
	return post(app, "/auth/"+kind+"/register", fmt.Sprintf(`{%q:%q,"password":"a pony for the trip"}`, map[string]string{"users": "email", "teachers": "login"}[kind], identity)).AccessToken
}

// post sends JSON and returns the tokens of the response.
func post(app *fiber.App, path, body string) (tokens fiberjwt.Tokens) {
	request := httptest.NewRequest("POST", path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := app.Test(request, fiber.TestConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil {
		panic(err)
	}
	return tokens
}

// As passes the account to the handler, and refuses accounts of other kinds.
func ExampleAs() {
	app, _ := exampleApp()
	app.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString("hello " + u.Email) }))

	fmt.Println(ask(app, "GET", "/me", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/me", signUp(app, "teachers", "toby")))
	// Output:
	// 200 hello ann@example.com
	// 403 {"error":"wrong_kind","error_description":"This account is of another kind than the route is for."}
}

// A guard of the application is an As whose handler calls c.Next.
func ExampleAs_guard() {
	app, _ := exampleApp()
	admins := fiberjwt.As(func(c fiber.Ctx, u *User) error {
		if !u.Admin {
			return fiberjwt.ErrForbidden
		}
		return c.Next()
	})
	app.Get("/admin", admins, func(c fiber.Ctx) error { return c.SendString("the settings") })
	fmt.Println(ask(app, "GET", "/admin", signUp(app, "users", "ann@example.com")))
	// Output: 403 fiberjwt: The application refused the request.
}

// Current returns the account of a kind, the same pointer as in c.Locals, or false if the
// request has none.
func ExampleCurrent() {
	app, _ := exampleApp()
	app.Get("/", func(c fiber.Ctx) error {
		u, ok := fiberjwt.Current[User](c)
		if !ok {
			return c.SendString("no user")
		}
		return c.SendString(fmt.Sprint(u.Email, " ", u == c.Locals("users").(*User)))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output:
	// 200 ann@example.com true
	// 200 no user
}

// Current returns a nil pointer and false for an account of another kind. A handler must
// not ignore the false. With As, this mistake is not possible.
func ExampleCurrent_incorrect() {
	app, _ := exampleApp()
	app.Get("/", func(c fiber.Ctx) error {
		u, _ := fiberjwt.Current[User](c)
		return c.SendString(fmt.Sprint(u == nil))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output: 200 true
}

// SessionOf returns what the token says, and where it was found.
func ExampleSessionOf() {
	app, _ := exampleApp()
	app.Get("/", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(fmt.Sprint(s.Kind, " ", s.Subject, " from the ", s.Source))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output: 200 teachers 1 from the auth header
}

// A Session has the kind, the subject, the times of the token and the loaded account.
func ExampleSession() {
	app, auth := exampleApp()
	s, err := auth.Verify(context.Background(), signUp(app, "users", "ann@example.com"))
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Kind, s.Subject, s.ExpiresAt.Sub(s.IssuedAt), s.Account.(*User).Email)
	// Output: users 1 10m0s ann@example.com
}

// Claim reads a claim that Entity.Claims has added to the token.
func ExampleSession_Claim() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
		Register: fiberjwt.Anyone[User],
		Claims:   func(u *User) map[string]any { return map[string]any{"plan": "free"} },
	}}
	app.Use(fiberjwt.New(cfg))
	app.Get("/", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		var plan string
		if !s.Claim("plan", &plan) {
			plan = "none"
		}
		return c.SendString(plan)
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	// Output: 200 free
}

// Require restricts a group of routes to the accounts of a kind.
func ExampleRequire() {
	app, _ := exampleApp()
	school := app.Group("/school", fiberjwt.Require("teachers"))
	school.Get("/marks", func(c fiber.Ctx) error { return c.SendString("all of them") })

	fmt.Println(ask(app, "GET", "/school/marks", signUp(app, "teachers", "toby")))
	fmt.Println(ask(app, "GET", "/school/marks", signUp(app, "users", "ann@example.com"))[:3])
	// Output:
	// 200 all of them
	// 403
}

// A guard for a kind that the Config does not have is answered 500, and the log names the
// kinds that exist.
func ExampleRequire_incorrect() {
	app, _ := exampleApp()
	app.Get("/", fiberjwt.Require("user"), func(c fiber.Ctx) error { return c.SendString("never") }) // it is "users"
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	// Output: 500 {"error":"server_error","error_description":"The server is not set up for this request."}
}

// Fresh requires that the password was proved within the last five minutes.
func ExampleFresh() {
	now := time.Now()
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Now = func() time.Time { return now }
	app.Use(fiberjwt.New(cfg))
	app.Delete("/account", fiberjwt.Fresh(5*time.Minute), func(c fiber.Ctx) error { return c.SendString("gone") })

	ann := signUp(app, "users", "ann@example.com")
	now = now.Add(6 * time.Minute)
	fmt.Println(ask(app, "DELETE", "/account", ann))
	ann = post(app, "/auth/users/login", `{"email":"ann@example.com","password":"a pony for the trip"}`).AccessToken
	fmt.Println(ask(app, "DELETE", "/account", ann))
	// Output:
	// 401 {"error":"insufficient_user_authentication","error_description":"Prove the password again."}
	// 200 gone
}

// Login starts a session after the application itself has verified who the user is, for
// example by a magic link or OAuth.
func ExampleLogin() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"POST /magic/:code"}
	db := cfg.DB
	app.Use(fiberjwt.New(cfg))
	app.Post("/magic/:code", func(c fiber.Ctx) error {
		if c.Params("code") != "xyzzy" { // a real application looks the code up in its table, and deletes it
			return fiberjwt.ErrBadCredentials
		}
		u := new(User)
		if err := db.NewSelect().Model(u).Where("email = ?", "ann@example.com").Scan(c.Context()); err != nil {
			return err
		}
		tokens, err := fiberjwt.Login(c, u)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})

	signUp(app, "users", "ann@example.com")
	fmt.Println(post(app, "/magic/xyzzy", "{}").TokenType)
	fmt.Println(ask(app, "POST", "/magic/plugh", ""))
	// Output:
	// Bearer
	// 401 fiberjwt: Incorrect email or password.
}

// Logout ends the session of the request. Its access token is then refused.
func ExampleLogout() {
	app, _ := exampleApp()
	app.Post("/bye", func(c fiber.Ctx) error {
		if err := fiberjwt.Logout(c); err != nil {
			return err
		}
		return c.SendString("bye")
	})
	ann := signUp(app, "users", "ann@example.com")
	fmt.Println(ask(app, "POST", "/bye", ann))
	fmt.Println(ask(app, "POST", "/bye", ann))
	// Output:
	// 200 bye
	// 401 {"error":"invalid_token","error_description":"The session of this access token has ended."}
}

// An *Error has the status and the code of the response. It also matches fiber.Error, so
// an ErrorHandler of Fiber knows the status.
func ExampleError() {
	_, auth := exampleApp()
	_, err := auth.Verify(context.Background(), "nonsense")

	var e *fiberjwt.Error
	fmt.Println(errors.As(err, &e), e.Status, e.Code)
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenMalformed), errors.Is(err, fiberjwt.ErrTokenExpired))

	var fibers *fiber.Error // as an ErrorHandler of Fiber does it
	fmt.Println(errors.As(err, &fibers), fibers.Code)
	// Output:
	// true 401 invalid_token
	// true false
	// true 401
}

// OnEvent receives events, for example for a log of sign-ins.
func ExampleConfig_onEvent() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.OnEvent = func(_ context.Context, e event.Event) {
		fmt.Println(strings.TrimSpace(fmt.Sprint(e.Type, " ", e.Kind, " ", e.Reason)))
	}
	app.Use(fiberjwt.New(cfg))

	signUp(app, "users", "ann@example.com")
	ask(app, "GET", "/", "nonsense")
	// Output:
	// register users
	// token_refused  token_malformed
}

// from returns an application that reads its tokens with extractor, and the access token
// of a user.
func from(extractor fiberjwt.Extractor) (*fiber.App, string) {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = extractor
	app.Use(fiberjwt.New(cfg))
	app.All("/", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString("from the " + s.Source)
	})
	return app, signUp(app, "users", "ann@example.com")
}

// The default extractor reads the Authorization header and then the cookie of the kind.
func ExampleExtractor() {
	// This is the default.
	app, token := from(fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie("")))
	fmt.Println(ask(app, "GET", "/", token))
	fmt.Println(ask(app, "GET", "/", "", "Cookie", "__Host-Http-users="+token))
	// Output:
	// 200 from the auth header
	// 200 from the cookie
}

// In a chain, the first extractor that finds a credential decides. If this credential is
// not valid, the request is refused.
func ExampleChain() {
	app, token := from(fiberjwt.Chain(fiberjwt.FromHeader("X-Access-Token"), fiberjwt.FromAuthHeader("Bearer")))
	fmt.Println(ask(app, "GET", "/", token))
	fmt.Println(ask(app, "GET", "/", token, "X-Access-Token", "nonsense")[:3])
	// Output:
	// 200 from the auth header
	// 401
}

// FromAuthHeader reads the Authorization header after the name of a scheme, here JWT
// instead of Bearer.
func ExampleFromAuthHeader() {
	app, token := from(fiberjwt.FromAuthHeader("JWT"))
	fmt.Println(ask(app, "GET", "/", "", "Authorization", "JWT "+token))
	fmt.Println(ask(app, "GET", "/", token)[:3]) // sent as Bearer
	// Output:
	// 200 from the auth header
	// 401
}

// FromHeader reads a token that is the whole value of a header.
func ExampleFromHeader() {
	app, token := from(fiberjwt.FromHeader("X-Access-Token"))
	fmt.Println(ask(app, "GET", "/", "", "X-Access-Token", token))
	// Output: 200 from the header
}

// Header returns the header that clients must send, with the text before the token.
func ExampleExtractor_Header() {
	name, before := fiberjwt.Chain(fiberjwt.FromCookie(""), fiberjwt.FromAuthHeader("JWT")).Header()
	fmt.Println(name + ": " + before + "<token>")
	// Output: Authorization: JWT <token>
}

// FromCookie reads a cookie with a fixed name. Requests from other origins are refused as
// for any cookie.
func ExampleFromCookie() {
	app, token := from(fiberjwt.FromCookie("sid"))
	fmt.Println(ask(app, "GET", "/", "", "Cookie", "sid="+token))
	fmt.Println(ask(app, "POST", "/", "", "Cookie", "sid="+token, "Sec-Fetch-Site", "cross-site"))
	// Output:
	// 200 from the cookie
	// 403 {"error":"csrf","error_description":"The request comes from another origin."}
}

// FromQuery reads a parameter of the query, in GET and HEAD requests only.
func ExampleFromQuery() {
	app, token := from(fiberjwt.FromQuery("auth"))
	fmt.Println(ask(app, "GET", "/?auth="+token, ""))
	fmt.Println(ask(app, "POST", "/?auth="+token, "")[:3])
	// Output:
	// 200 from the query
	// 401
}

// A token in a URL appears in logs and in browser histories. If the query comes before
// the header, an attacker can also sign a user in to the attacker's account, with a link
// that contains a token.
func ExampleFromQuery_incorrect() {
	app, token := from(fiberjwt.Chain(fiberjwt.FromQuery("auth"), fiberjwt.FromAuthHeader("Bearer")))
	mallory := signUp(app, "users", "mallory@example.com")
	fmt.Println(ask(app, "GET", "/?auth="+mallory, token)) // signed in as mallory, not as ann
	// Output: 200 from the query
}

// FromForm reads a field of a form. A request without this field is refused.
func ExampleFromForm() {
	app, _ := from(fiberjwt.FromForm("access_token"))
	fmt.Println(ask(app, "POST", "/", "")[:3])
	// Output: 401
}

// FromParam reads a parameter of the path, here for the address of a feed.
func ExampleFromParam() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = fiberjwt.FromParam("token")
	app.Use("/feeds/:token", fiberjwt.New(cfg))
	app.Get("/feeds/:token/news", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString("news for " + u.Email) }))
	fmt.Println(ask(app, "GET", "/feeds/"+signUp(app, "users", "ann@example.com")+"/news", ""))
	// Output: 200 news for ann@example.com
}

// FromCustom reads a token with a function of the application, here a header with a
// prefix that is not an authentication scheme.
func ExampleFromCustom() {
	app, token := from(fiberjwt.FromCustom("prefixed header", func(c fiber.Ctx) (string, error) {
		const prefix = "token="
		if value := c.Get("X-Auth"); len(value) > len(prefix) && value[:len(prefix)] == prefix {
			return value[len(prefix):], nil
		}
		return "", nil
	}))
	fmt.Println(ask(app, "GET", "/", "", "X-Auth", "token="+token))
	// Output: 200 from the custom
}
