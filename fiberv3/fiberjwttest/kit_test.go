// Code generated from ../../fiberjwttest/kit_test.go by internal/twin; DO NOT EDIT.

package fiberjwttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/fiberv3/fiberjwttest"
)

type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	Disabled      bool   `json:"disabled"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            string `bun:",pk" json:"id"`
	Login         string `bun:",unique,notnull" json:"login"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

// settings is the Config of an application.
func settings() fiberjwt.Config {
	return fiberjwt.Config{Entities: []fiberjwt.AnyEntity{
		fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			Allow: func(_ context.Context, u *User) error {
				if u.Disabled {
					return errors.New("disabled")
				}
				return nil
			},
		},
		&fiberjwt.Entity[Teacher]{Identity: "login"},
	}}
}

// newApp is an application under test, without any code for tests.
func newApp(t *testing.T, cfg fiberjwt.Config) *fiber.App {
	t.Helper()
	app := fiber.New()
	cfg.Routes = app.Group("/auth")
	app.Use(fiberjwt.New(cfg))
	app.All("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(u.Email + string(c.Body())) }))
	app.Get("/teacher", fiberjwt.As(func(c fiber.Ctx, u *Teacher) error { return c.SendString(u.Login) }))
	app.Get("/fresh", fiberjwt.Fresh(time.Minute), func(c fiber.Ctx) error { return c.SendString("fresh") })
	app.Get("/role", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		role := "none"
		s.Claim("role", &role)
		return c.SendString(role)
	})
	return app
}

// fetch returns the status and the body of the response.
func fetch(t *testing.T, app *fiber.App, request *http.Request) (int, string) {
	t.Helper()
	response, err := app.Test(request, fiber.TestConfig{})
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestKitRequestIsSignedIn(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	status, body := fetch(t, app, kit.Request("GET", "/me", &User{Email: "ann@example.com"}))
	require.Equal(t, 200, status, body)
	require.Equal(t, "ann@example.com", body)
	status, _ = fetch(t, app, kit.Request("GET", "/teacher", &User{Email: "bob@example.com"}))
	require.Equal(t, 403, status, "the guard accepted another kind")
	status, body = fetch(t, app, kit.Request("GET", "/teacher", &Teacher{ID: "t-1", Login: "tea"}))
	require.Equal(t, 200, status, body)
	require.Equal(t, "tea", body)
	status, _ = fetch(t, app, httptest.NewRequest("GET", "/me", nil))
	require.Equal(t, 401, status, "a request without a token is signed in")
}

func TestKitUsesExistingRowUnchanged(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	request := httptest.NewRequest("POST", "/auth/users/register", strings.NewReader(`{"email":"ann@example.com","password":"correct horse battery"}`))
	request.Header.Set("Content-Type", "application/json")
	status, body := fetch(t, app, request)
	require.Equal(t, 201, status, body)

	status, body = fetch(t, app, kit.Request("GET", "/me", &User{ID: 1, Email: "other@example.com"}))
	require.Equal(t, 200, status, body)
	require.Equal(t, "ann@example.com", body)
	n, err := kit.DB.NewSelect().Model((*User)(nil)).Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestKitStoresAccountOnceAndSetsItsKey(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	ann := &User{Email: "ann@example.com"}
	for range 3 {
		status, _ := fetch(t, app, kit.Request("GET", "/me", ann))
		require.Equal(t, 200, status)
		require.EqualValues(t, 1, ann.ID)
	}
}

func TestKitSessionObeysAllowAndLogout(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	ann := &User{Email: "ann@example.com"}
	header := kit.Header(ann)
	get := func() int {
		request := httptest.NewRequest("GET", "/me", nil)
		request.Header = header
		status, _ := fetch(t, app, request)
		return status
	}
	require.Equal(t, 200, get())
	_, err := kit.DB.NewUpdate().Model(ann).Set("disabled = ?", true).WherePK().Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, 401, get(), "Allow was not called")
	_, err = kit.DB.NewUpdate().Model(ann).Set("disabled = ?", false).WherePK().Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200, get())
	logout := httptest.NewRequest("POST", "/auth/users/logout", nil)
	logout.Header = header
	status, _ := fetch(t, app, logout)
	require.Equal(t, 204, status)
	require.Equal(t, 401, get(), "the session survived the logout")
}

func TestKitClockIsUsedByTheApplication(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	ann := &User{Email: "ann@example.com"}
	request := kit.Request("GET", "/me", ann)
	kit.Clock.Advance(11 * time.Minute)
	status, _ := fetch(t, app, request)
	require.Equal(t, 401, status)

	status, _ = fetch(t, app, kit.Request("GET", "/fresh", ann))
	require.Equal(t, 200, status)
	status, _ = fetch(t, app, kit.Request("GET", "/fresh", ann, fiberjwt.LoginOptions{AuthTime: kit.Clock.Now().Add(-2 * time.Minute)}))
	require.Equal(t, 401, status, "AuthTime of LoginOptions was ignored")
}

func TestKitRequestAppliesGrant(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	ann := &User{Email: "ann@example.com"}
	_, body := fetch(t, app, kit.Request("GET", "/role", ann, fiberjwt.LoginOptions{Claims: map[string]any{"role": "editor"}}))
	require.Equal(t, "editor", body)
}

func TestKitSignKeepsRequestBody(t *testing.T) {
	kit := fiberjwttest.New(t, settings())
	app := newApp(t, kit.Config)
	request := kit.Sign(httptest.NewRequest("POST", "/me", strings.NewReader(" wrote")), &User{Email: "ann@example.com"})
	_, body := fetch(t, app, request)
	require.Equal(t, "ann@example.com wrote", body)
}

func TestKitSignUsesConfiguredHeader(t *testing.T) {
	for name, extractor := range map[string]fiberjwt.Extractor{
		"another scheme": fiberjwt.FromAuthHeader("JWT"),
		"another header": fiberjwt.Chain(fiberjwt.FromCookie(""), fiberjwt.FromHeader("x-auth")),
	} {
		cfg := settings()
		cfg.Extractor = extractor
		kit := fiberjwttest.New(t, cfg)
		app := newApp(t, kit.Config)
		request := httptest.NewRequest("POST", "/me", nil)
		request.SetBasicAuth("proxy", "secret")
		for range 2 { // the second token must replace the first
			request = kit.Sign(request, &User{ID: 1, Email: "ann@example.com"})
		}
		require.Equal(t, "Basic cHJveHk6c2VjcmV0", request.Header.Values("Authorization")[0], name)
		status, body := fetch(t, app, request)
		require.Equal(t, 200, status, "%s: %s", name, body)
	}
}

func TestKitCookiesMatchServerCookies(t *testing.T) {
	for _, cookie := range []fiberjwt.Cookie{{}, {Insecure: true}, {RefreshEverywhere: true}, {Insecure: true, RefreshEverywhere: true}, {Namespace: "shop"}} {
		cfg := settings()
		cfg.Cookie = cookie
		kit := fiberjwttest.New(t, cfg)
		app := newApp(t, kit.Config)
		cookies := kit.Cookies(&User{Email: "ann@example.com"})
		request := httptest.NewRequest("GET", "/me", nil)
		request.AddCookie(cookies[0])
		status, body := fetch(t, app, request)
		require.Equal(t, 200, status, body)

		kit.Clock.Advance(6 * time.Minute)
		request = httptest.NewRequest("POST", "/auth/users/refresh", nil)
		request.AddCookie(cookies[0])
		request.AddCookie(cookies[1])
		response, err := app.Test(request, fiber.TestConfig{})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 200, response.StatusCode)
		require.Len(t, response.Cookies(), 2)
		for i, set := range response.Cookies() {
			require.Equal(t, cookies[i].Name, set.Name)
		}
	}
}

func TestKitTokenIsRejectedByAnotherKit(t *testing.T) {
	one, two := fiberjwttest.New(t, settings()), fiberjwttest.New(t, settings())
	status, _ := fetch(t, newApp(t, one.Config), two.Request("GET", "/me", &User{Email: "ann@example.com"}))
	require.Equal(t, 401, status)
}

func TestKitUsesConfiguredDatabase(t *testing.T) {
	own := fiberjwttest.New(t, settings()) // to get a database with tables
	cfg := settings()
	cfg.DB = own.DB
	kit := fiberjwttest.New(t, cfg)
	status, body := fetch(t, newApp(t, kit.Config), kit.Request("GET", "/me", &User{Email: "ann@example.com"}))
	require.Equal(t, 200, status, body)
	n, err := own.DB.NewSelect().Model((*User)(nil)).Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
