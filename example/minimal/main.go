// Command minimal is a shop with accounts: register, sign in, refresh, sign out, sessions, a change of password, a profile,
// and products that all may read and those who are signed in may change.
//
//	SECRET=$(openssl rand -base64 48) go run ./example/minimal
//
// This file is all that the accounts take; products.go is the shop.
package main

import (
	"log"
	"os"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// User is an account.
type User struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull" json:"email"`
	Names        string `json:"names"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// Product is for sale.
type Product struct {
	ID    int64  `bun:",pk,autoincrement" json:"id"`
	Title string `bun:",notnull" json:"title"`
	Price int64  `bun:",notnull" json:"price"` // in cents
}

func main() {
	db, err := openDB("file:shop.db")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(newApp(db, []byte(os.Getenv("SECRET"))).Listen("127.0.0.1:3000"))
}

func newApp(db *bun.DB, secret []byte) *fiber.App {
	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB:       db,
		Secret:   secret,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Fillable: []string{"names"}}},
		Routes:   app.Group("/auth"),
		Public:   []string{"GET /api/products", "GET /api/products/:id"},
	}))
	app.Get("/api/profile", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
	shop{db}.addRoutes(app.Group("/api/products"))
	return app
}
