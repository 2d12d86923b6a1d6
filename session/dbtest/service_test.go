package dbtest

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// person is the account of a service that needs no other.
type person struct {
	bun.BaseModel `bun:"table:people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

// service has the built-in routes of one kind, with time for every query.
type service struct {
	app   *fiber.App
	log   strings.Builder
	later time.Duration // by which its clock is ahead
}

func newService(t *testing.T, db *bun.DB, kind fiberjwt.Kind) *service {
	t.Helper()
	s := &service{app: fiber.New()}
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: s.app.Group("/auth"), Entities: []fiberjwt.Kind{kind},
		Logger:      slog.New(slog.NewTextHandler(&s.log, nil)),
		ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		Now: func() time.Time { return time.Now().Add(s.later) },
	})
	require.NoError(t, err)
	return s
}

// post sends JSON; headers are name, value pairs.
func (s *service) post(t *testing.T, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	request := httptest.NewRequest("POST", path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.app.Test(request, -1)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}
