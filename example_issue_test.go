package fiberjwt_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
)

// exampleUser is a stored account.
func exampleUser(auth *fiberjwt.Auth, app *fiber.App) *User {
	s, err := auth.Verify(context.Background(), signUp(app, "users", "ann@example.com"))
	if err != nil {
		panic(err)
	}
	return s.Account.(*User)
}

func ExampleGrant() {
	app, auth := exampleApp()
	tokens, err := auth.Issue(context.Background(), exampleUser(auth, app), fiberjwt.Grant{
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
func ExamplePurpose_Check() {
	confirm := fiberjwt.Purpose[User]{Name: "confirm-email"}
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
