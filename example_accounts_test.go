package fiberjwt_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

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
func ExampleGrant_transaction() {
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
			tokens, err = fiberjwt.Login(c, u, fiberjwt.Grant{DB: tx})
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
