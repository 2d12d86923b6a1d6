package fiberjwt_test

import (
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
)

// from is an application that takes its tokens from there, with the access
// token of a user.
func from(extractor fiberjwt.Extractor) (*fiber.App, string) {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.Extractor = extractor
	app.Use(fiberjwt.New(cfg))
	app.All("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString("from the " + s.Source.String())
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
