package fiberjwt_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
)

// What the examples share. secret would come from the environment; db is an
// empty SQLite database with the tables of users and teachers.
var (
	secret = fiberjwt.Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0") // openssl rand -base64 48
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
		Entities: []fiberjwt.Kind{
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
	return post(app, "/auth/"+kind+"/register", credentials(kind, identity, "a pony for the trip")).AccessToken
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
