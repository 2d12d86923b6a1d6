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

// person is the account of most tests.
type person struct {
	bun.BaseModel `bun:"table:people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

// service is an application with the built-in routes of one kind and long timeouts.
type service struct {
	app   *fiber.App
	auth  *fiberjwt.Auth
	log   strings.Builder
	later time.Duration // how far its clock is ahead
	at    time.Time     // the time of its clock if that stands still, else zero
}

func newService(t *testing.T, db *bun.DB, kind fiberjwt.AnyEntity, configure ...func(*fiberjwt.Config)) *service {
	t.Helper()
	s := &service{app: fiber.New()}
	cfg := fiberjwt.Config{
		Optional: true, DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: s.app.Group("/auth"), Entities: []fiberjwt.AnyEntity{kind},
		Logger:      slog.New(slog.NewTextHandler(&s.log, nil)),
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, ManualPrune: true,
		Now: func() time.Time {
			if !s.at.IsZero() {
				return s.at
			}
			return time.Now().Add(s.later)
		},
	}
	for _, change := range configure {
		change(&cfg)
	}
	var err error
	s.auth, err = fiberjwt.Open(cfg)
	require.NoError(t, err)
	s.app.Use(s.auth.Handler())
	return s
}

// post sends JSON; headers are name, value pairs.
func (s *service) post(t *testing.T, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	return s.send(t, "POST", path, body, headers...)
}

func (s *service) send(t *testing.T, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	t.Helper()
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

// get returns the status of a GET with an access token.
func (s *service) get(t *testing.T, path, access string) (status int) {
	t.Helper()
	status, _ = s.send(t, "GET", path, "", "Authorization", "Bearer "+access)
	return status
}

// migrate creates the tables of the library, the table of model unless that is nil, and
// runs statements.
func migrate(t *testing.T, db *bun.DB, model any, statements ...string) {
	t.Helper()
	require.NoError(t, fiberjwt.Migrate(t.Context(), db))
	if model != nil {
		_, err := db.NewCreateTable().Model(model).Exec(t.Context())
		require.NoError(t, err)
	}
	run(t, db, statements...)
}

func run(t *testing.T, db bun.IDB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}
