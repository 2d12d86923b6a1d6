package fiberjwt_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
)

func ExamplePurpose() {
	app, auth := exampleApp()
	ann := exampleUser(auth, app)
	ctx := context.Background()

	magic := fiberjwt.Purpose[User]{Name: "magic-link", TTL: 10 * time.Minute}
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
func ExamplePurpose_incorrect() {
	app, auth := exampleApp()
	signUp(app, "users", "ann@example.com")
	confirm := fiberjwt.Purpose[User]{Name: "confirm-email", Binds: func(u *User) string { return u.Email }}
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

// Nobody who comes from Flask-JWT-Router is signed out on the day of the move.
func ExampleOldTokens() {
	app := fiber.New()
	cfg := exampleConfig(app)
	cfg.OldTokens = fiberjwt.OldTokens{Secret: []byte("DEBUG"), Until: time.Now().AddDate(0, 0, 30)}
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

	old := oldToken(fmt.Sprintf(`{"table_name":"users","id":1,"exp":%d}`, time.Now().Add(time.Hour).Unix()))
	fmt.Println(ask(app, "POST", "/exchange", old)[:25])
	// Output: 200 {"access_token":"eyJh
}
