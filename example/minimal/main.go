// Command minimal is a shop with accounts. Users can register, sign in, refresh, sign out, list their sessions, change their
// password and read their profile. Every client can read the products; only signed-in users can change them.
//
//	SECRET=$(openssl rand -base64 48) go run ./example/minimal
//
// This file has all the code for the accounts. The shop is in products.go.
package main

import (
	"log"
	"os"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// User is an account. The JSON never contains the hash of its password.
type User struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull" json:"email"`
	Names        string `json:"names"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// Product is an article of the shop.
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
