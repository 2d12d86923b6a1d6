// Package both_test runs one service on Fiber v2 and on Fiber v3, with one database, as while a
// service is moved. It is a module of its own, because no other module requires both.
package both_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fiber2 "github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	fiberjwt2 "github.com/fiberjwt/fiberjwt"
	fiberjwt3 "github.com/fiberjwt/fiberjwt/fiberv3"
)

type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

const (
	secret      = "kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"
	credentials = `{"email":"ann@example.com","password":"correct horse battery"}`
	patience    = time.Minute
)

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// service sends a request to the service on one Fiber.
type service func(*http.Request) (*http.Response, error)

// services returns the service on both Fibers, by the name of the Fiber.
func services(t *testing.T, c *clock) map[string]service {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "both.db"))+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	db := bun.NewDB(conn, sqlitedialect.New())
	_, err = db.NewCreateTable().Model((*User)(nil)).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, fiberjwt2.Migrate(t.Context(), db))
	require.NoError(t, fiberjwt3.Migrate(t.Context(), db))

	v2, v3 := fiber2.New(), fiber3.New()
	v2.Use(fiberjwt2.New(fiberjwt2.Config{
		DB: db, Secret: []byte(secret), Routes: v2.Group("/auth"), Now: c.Now, ManualPrune: true, Logger: slog.New(slog.DiscardHandler), ReadTimeout: patience, WriteTimeout: patience,
		Entities: []fiberjwt2.AnyEntity{fiberjwt2.Entity[User]{Register: fiberjwt2.Anyone[User]}},
	}))
	v2.Get("/me", func(c *fiber2.Ctx) error { return c.SendString(c.Locals("users").(*User).Email) })
	v3.Use(fiberjwt3.New(fiberjwt3.Config{
		DB: db, Secret: []byte(secret), Routes: v3.Group("/auth"), Now: c.Now, ManualPrune: true, Logger: slog.New(slog.DiscardHandler), ReadTimeout: patience, WriteTimeout: patience,
		Entities: []fiberjwt3.AnyEntity{fiberjwt3.Entity[User]{Register: fiberjwt3.Anyone[User]}},
	}))
	v3.Get("/me", func(c fiber3.Ctx) error { return c.SendString(c.Locals("users").(*User).Email) })
	return map[string]service{
		"v2": func(r *http.Request) (*http.Response, error) { return v2.Test(r, -1) },
		"v3": func(r *http.Request) (*http.Response, error) { return v3.Test(r, fiber3.TestConfig{}) },
	}
}

// browser keeps the tokens and cookies of one user.
type browser struct {
	t       *testing.T
	access  string // not set if the browser has cookies
	cookies map[string]*http.Cookie
}

// do sends a request and returns the status and the body.
func (b *browser) do(to service, method, path, body string) (int, string) {
	b.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	if b.access != "" {
		request.Header.Set("Authorization", "Bearer "+b.access)
	}
	for _, cookie := range b.cookies {
		if strings.HasPrefix(path, cookie.Path) {
			request.AddCookie(cookie)
		}
	}
	response, err := to(request)
	require.NoError(b.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	for _, cookie := range response.Cookies() {
		b.cookies[cookie.Name] = cookie
	}
	return response.StatusCode, string(text)
}

func newBrowser(t *testing.T) *browser { return &browser{t: t, cookies: map[string]*http.Cookie{}} }

func each(t *testing.T, test func(t *testing.T, c *clock, from, to service)) {
	for _, direction := range [][2]string{{"v2", "v3"}, {"v3", "v2"}} {
		t.Run(fmt.Sprint("from ", direction[0], " to ", direction[1]), func(t *testing.T) {
			c := &clock{now: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}
			both := services(t, c)
			test(t, c, both[direction[0]], both[direction[1]])
		})
	}
}

func TestTokensOfOneFiberAreGoodOnTheOther(t *testing.T) {
	each(t, func(t *testing.T, c *clock, from, to service) {
		b := newBrowser(t)
		tokens := func(service service, path, body string) (refresh string) {
			status, text := b.do(service, "POST", path, body)
			require.Contains(t, []int{200, 201}, status, text)
			var got struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
			}
			require.NoError(t, json.Unmarshal([]byte(text), &got))
			b.access = got.Access
			return got.Refresh
		}
		refresh := tokens(from, "/auth/users/register", credentials)
		for _, service := range []service{from, to} {
			status, text := b.do(service, "GET", "/me", "")
			require.Equal(t, "200 ann@example.com", fmt.Sprint(status, " ", text))
		}
		for _, service := range []service{to, from, to} { // each rotates what the other has issued
			c.advance(11 * time.Minute)
			status, _ := b.do(service, "GET", "/me", "")
			require.Equal(t, 401, status)
			refresh = tokens(service, "/auth/users/refresh", `{"refresh_token":"`+refresh+`"}`)
			require.NotEmpty(t, refresh)
		}
		status, _ := b.do(to, "POST", "/auth/users/logout", "")
		require.Equal(t, 204, status)
		status, _ = b.do(from, "GET", "/me", "")
		require.Equal(t, 401, status)
		require.NotEmpty(t, tokens(to, "/auth/users/login", credentials), "the password that the other has hashed")
	})
}

func TestCookiesOfOneFiberAreGoodOnTheOther(t *testing.T) {
	each(t, func(t *testing.T, c *clock, from, to service) {
		b := newBrowser(t)
		status, text := b.do(from, "POST", "/auth/users/register", strings.TrimSuffix(credentials, "}")+`,"transport":"cookie"}`)
		require.Equal(t, 201, status, text)
		for _, service := range []service{to, from} {
			c.advance(11 * time.Minute)
			status, _ := b.do(service, "GET", "/me", "")
			require.Equal(t, 401, status)
			status, text := b.do(service, "POST", "/auth/users/refresh", "")
			require.Equal(t, 200, status, text)
			status, text = b.do(service, "GET", "/me", "")
			require.Equal(t, "200 ann@example.com", fmt.Sprint(status, " ", text))
		}
		status, text = b.do(to, "GET", "/auth/users/sessions", "")
		require.Equal(t, 200, status)
		require.Contains(t, text, `"current":true`)
	})
}
