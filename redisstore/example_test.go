package redisstore_test

import (
	"database/sql"
	"fmt"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/redis/go-redis/v9"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/redisstore"
)

// Accounts in a database, sessions in Redis. fiberjwt.Migrate is not needed.
func Example() {
	conn, err := sql.Open("sqlite3", "file:/app.db?vfs=memdb")
	if err != nil {
		panic(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})

	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB:       bun.NewDB(conn, sqlitedialect.New()),
		Secret:   []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), // openssl rand -base64 48
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
		Routes:   app.Group("/auth"),
		Store:    redisstore.New(client, redisstore.WithPrefix("shop:")),
	}))
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))

	// A request without a token queries neither of them.
	response, err := app.Test(httptest.NewRequest("GET", "/me", nil), -1)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	fmt.Println(response.Status)
	// Output: 401 Unauthorized
}
