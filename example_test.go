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
	"time"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/keys"
)

// User and Teacher are the kinds of the examples.
type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	FullName      string `json:"full_name"`
	Admin         bool   `json:"admin"`
	Disabled      bool   `json:"disabled"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Login         string `bun:",unique,notnull"   json:"login"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

// patience is long enough on the busiest machine.
const patience = time.Minute

// What the examples share. secret would come from the environment; db is an
// empty SQLite database with the tables of users and teachers.
var (
	secret = keys.Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0") // openssl rand -base64 48
	dbs    atomic.Int64
)

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

// exampleConfig lets users and teachers register.
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

// exampleApp has users and teachers behind the middleware.
func exampleApp() (*fiber.App, *fiberjwt.Auth) {
	app := fiber.New()
	auth, err := fiberjwt.Open(exampleConfig(app))
	if err != nil {
		panic(err)
	}
	app.Use(auth.Handler())
	return app, auth
}

// ask sends a request, with an access token if there is one, and gives status
// and body.
func ask(app *fiber.App, method, path, access string, headers ...string) string {
	request := httptest.NewRequest(method, path, nil)
	if access != "" {
		request.Header.Set("Authorization", "Bearer "+access)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := app.Test(request, -1)
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

// signUp registers an account and gives its access token.
func signUp(app *fiber.App, kind, identity string) string {
	return post(app, "/auth/"+kind+"/register", fmt.Sprintf(`{%q:%q,"password":"a pony for the trip"}`, map[string]string{"users": "email", "teachers": "login"}[kind], identity)).AccessToken
}

// post sends JSON and gives the tokens of the answer.
func post(app *fiber.App, path, body string) (tokens fiberjwt.Tokens) {
	request := httptest.NewRequest("POST", path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := app.Test(request, -1)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil {
		panic(err)
	}
	return tokens
}

func ExampleAs() {
	app, _ := exampleApp()
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString("hello " + u.Email) }))

	fmt.Println(ask(app, "GET", "/me", signUp(app, "users", "ann@example.com")))
	fmt.Println(ask(app, "GET", "/me", signUp(app, "teachers", "toby")))
	// Output:
	// 200 hello ann@example.com
	// 403 {"error":"wrong_kind","error_description":"This account is of another kind than the route is for."}
}

// A guard of the application's own is an As that goes on.
func ExampleAs_guard() {
	app, _ := exampleApp()
	admins := fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		if !u.Admin {
			return fiberjwt.ErrForbidden
		}
		return c.Next()
	})
	app.Get("/admin", admins, func(c *fiber.Ctx) error { return c.SendString("the keys") })
	fmt.Println(ask(app, "GET", "/admin", signUp(app, "users", "ann@example.com")))
	// Output: 403 fiberjwt: The application refused the request.
}

func ExampleCurrent() {
	app, _ := exampleApp()
	app.Get("/", func(c *fiber.Ctx) error {
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

// Current says false for a teacher; who overlooks it has a nil pointer. As
// cannot be used that way.
func ExampleCurrent_incorrect() {
	app, _ := exampleApp()
	app.Get("/", func(c *fiber.Ctx) error {
		u, _ := fiberjwt.Current[User](c)
		return c.SendString(fmt.Sprint(u == nil))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output: 200 true
}

func ExampleSessionOf() {
	app, _ := exampleApp()
	app.Get("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(fmt.Sprint(s.Kind, " ", s.Subject, " from the ", s.Source))
	})
	fmt.Println(ask(app, "GET", "/", signUp(app, "teachers", "toby")))
	// Output: 200 teachers 1 from the auth header
}

func ExampleSession() {
	app, auth := exampleApp()
	s, err := auth.Verify(context.Background(), signUp(app, "users", "ann@example.com"))
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Kind, s.Subject, s.ExpiresAt.Sub(s.IssuedAt), s.Account.(*User).Email)
	// Output: users 1 10m0s ann@example.com
}

func ExampleSession_Claim() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
		Register: fiberjwt.Anyone[User],
		Claims:   func(u *User) map[string]any { return map[string]any{"plan": "free"} },
	}}
	app.Use(fiberjwt.New(cfg))
	app.Get("/", func(c *fiber.Ctx) error {
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

func ExampleRequire() {
	app, _ := exampleApp()
	school := app.Group("/school", fiberjwt.Require("teachers"))
	school.Get("/marks", func(c *fiber.Ctx) error { return c.SendString("all of them") })

	fmt.Println(ask(app, "GET", "/school/marks", signUp(app, "teachers", "toby")))
	fmt.Println(ask(app, "GET", "/school/marks", signUp(app, "users", "ann@example.com"))[:3])
	// Output:
	// 200 all of them
	// 403
}

// A kind that nobody declared is refused, and the log names those that exist.
func ExampleRequire_incorrect() {
	app, _ := exampleApp()
	app.Get("/", fiberjwt.Require("user"), func(c *fiber.Ctx) error { return c.SendString("never") }) // it is "users"
	fmt.Println(ask(app, "GET", "/", signUp(app, "users", "ann@example.com")))
	// Output: 500 {"error":"server_error","error_description":"The server is not set up for this request."}
}

func ExampleFresh() {
	now := time.Now()
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Now = func() time.Time { return now }
	app.Use(fiberjwt.New(cfg))
	app.Delete("/account", fiberjwt.Fresh(5*time.Minute), func(c *fiber.Ctx) error { return c.SendString("gone") })

	ann := signUp(app, "users", "ann@example.com")
	now = now.Add(6 * time.Minute)
	fmt.Println(ask(app, "DELETE", "/account", ann))
	ann = post(app, "/auth/users/login", `{"email":"ann@example.com","password":"a pony for the trip"}`).AccessToken
	fmt.Println(ask(app, "DELETE", "/account", ann))
	// Output:
	// 401 {"error":"insufficient_user_authentication","error_description":"Prove the password again."}
	// 200 gone
}

// After a magic link, OAuth and the like have proved who it is.
func ExampleLogin() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Public = []string{"POST /magic/:code"}
	db := cfg.DB
	app.Use(fiberjwt.New(cfg))
	app.Post("/magic/:code", func(c *fiber.Ctx) error {
		if c.Params("code") != "xyzzy" { // look it up, once, in a table of your own
			return fiberjwt.ErrBadCredentials
		}
		u := new(User)
		if err := db.NewSelect().Model(u).Where("email = ?", "ann@example.com").Scan(c.UserContext()); err != nil {
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

func ExampleLogout() {
	app, _ := exampleApp()
	app.Post("/bye", func(c *fiber.Ctx) error {
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

func ExampleError() {
	_, auth := exampleApp()
	_, err := auth.Verify(context.Background(), "nonsense")

	var e *fiberjwt.Error
	fmt.Println(errors.As(err, &e), e.Status, e.Code)
	fmt.Println(errors.Is(err, fiberjwt.ErrTokenMalformed), errors.Is(err, fiberjwt.ErrTokenExpired))

	var fibers *fiber.Error // for a fiber.ErrorHandler
	fmt.Println(errors.As(err, &fibers), fibers.Code)
	// Output:
	// true 401 invalid_token
	// true false
	// true 401
}

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

// from is an application that takes its tokens from there, with the access
// token of a user.
func from(extractor fiberjwt.Extractor) (*fiber.App, string) {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = extractor
	app.Use(fiberjwt.New(cfg))
	app.All("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString("from the " + s.Source)
	})
	return app, signUp(app, "users", "ann@example.com")
}

func ExampleExtractor() {
	// This is the default: apps send a header, browsers a cookie.
	app, token := from(fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie("")))
	fmt.Println(ask(app, "GET", "/", token))
	fmt.Println(ask(app, "GET", "/", "", "Cookie", "__Host-Http-users="+token))
	// Output:
	// 200 from the auth header
	// 200 from the cookie
}

// The first that finds a credential decides.
func ExampleChain() {
	app, token := from(fiberjwt.Chain(fiberjwt.FromHeader("X-Access-Token"), fiberjwt.FromAuthHeader("Bearer")))
	fmt.Println(ask(app, "GET", "/", token))
	fmt.Println(ask(app, "GET", "/", token, "X-Access-Token", "nonsense")[:3])
	// Output:
	// 200 from the auth header
	// 401
}

func ExampleFromAuthHeader() {
	app, token := from(fiberjwt.FromAuthHeader("JWT"))
	fmt.Println(ask(app, "GET", "/", "", "Authorization", "JWT "+token))
	fmt.Println(ask(app, "GET", "/", token)[:3]) // Bearer
	// Output:
	// 200 from the auth header
	// 401
}

func ExampleFromHeader() {
	app, token := from(fiberjwt.FromHeader("X-Access-Token"))
	fmt.Println(ask(app, "GET", "/", "", "X-Access-Token", token))
	// Output: 200 from the header
}

func ExampleExtractor_Header() {
	name, before := fiberjwt.Chain(fiberjwt.FromCookie(""), fiberjwt.FromAuthHeader("JWT")).Header()
	fmt.Println(name + ": " + before + "<token>")
	// Output: Authorization: JWT <token>
}

func ExampleFromCookie() {
	app, token := from(fiberjwt.FromCookie("sid"))
	fmt.Println(ask(app, "GET", "/", "", "Cookie", "sid="+token))
	fmt.Println(ask(app, "POST", "/", "", "Cookie", "sid="+token, "Sec-Fetch-Site", "cross-site"))
	// Output:
	// 200 from the cookie
	// 403 {"error":"csrf","error_description":"The request comes from another origin."}
}

func ExampleFromQuery() {
	app, token := from(fiberjwt.FromQuery("auth"))
	fmt.Println(ask(app, "GET", "/?auth="+token, ""))
	fmt.Println(ask(app, "POST", "/?auth="+token, "")[:3])
	// Output:
	// 200 from the query
	// 401
}

// An address that carries a token is in every log and history on its way. Ahead
// of the header it also lets anybody who can hand out a link sign the reader in
// as somebody else.
func ExampleFromQuery_incorrect() {
	app, token := from(fiberjwt.Chain(fiberjwt.FromQuery("auth"), fiberjwt.FromAuthHeader("Bearer")))
	mallory := signUp(app, "users", "mallory@example.com")
	fmt.Println(ask(app, "GET", "/?auth="+mallory, token)) // as mallory
	// Output: 200 from the query
}

func ExampleFromForm() {
	app, _ := from(fiberjwt.FromForm("access_token"))
	fmt.Println(ask(app, "POST", "/", "")[:3])
	// Output: 401
}

func ExampleFromParam() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = fiberjwt.FromParam("token")
	app.Use("/feeds/:token", fiberjwt.New(cfg))
	app.Get("/feeds/:token/news", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.SendString("news for " + u.Email) }))
	fmt.Println(ask(app, "GET", "/feeds/"+signUp(app, "users", "ann@example.com")+"/news", ""))
	// Output: 200 news for ann@example.com
}

// A header with a prefix that is no scheme.
func ExampleFromCustom() {
	app, token := from(fiberjwt.FromCustom("prefixed header", func(c *fiber.Ctx) (string, error) {
		const prefix = "token="
		if value := c.Get("X-Auth"); len(value) > len(prefix) && value[:len(prefix)] == prefix {
			return value[len(prefix):], nil
		}
		return "", nil
	}))
	fmt.Println(ask(app, "GET", "/", "", "X-Auth", "token="+token))
	// Output: 200 from the custom
}
