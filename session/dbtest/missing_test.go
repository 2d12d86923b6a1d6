package dbtest

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

type person struct {
	bun.BaseModel `bun:"table:people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func TestAForgottenMigrateIsNamedOnPostgres(t *testing.T) {
	testForgottenMigrate(t, postgres(t)(t))
}

func TestAForgottenMigrateIsNamedOnMariaDB(t *testing.T) {
	testForgottenMigrate(t, maria(t)(t))
}

// testForgottenMigrate wants a database without tables.
func testForgottenMigrate(t *testing.T, db *bun.DB) {
	var log bytes.Buffer
	app := fiber.New()
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: app.Group("/auth"),
		Entities: []fiberjwt.Kind{fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}},
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	register := func() string {
		log.Reset()
		request := httptest.NewRequest("POST", "/auth/people/register", strings.NewReader(`{"email":"ann@example.com","password":"correct horse battery"}`))
		request.Header.Set("Content-Type", "application/json")
		response, err := app.Test(request, -1)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 503, response.StatusCode)
		require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		return log.String()
	}
	require.Contains(t, register(), "call fiberjwt.Migrate(ctx, db) at every start")
	require.NoError(t, fiberjwt.Migrate(t.Context(), db))
	require.Contains(t, register(), "a table of Config.Entities is missing")
}
