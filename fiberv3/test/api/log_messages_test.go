// Code generated from ../../../test/api/log_messages_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// lines returns the lines of the log.
func (w *world) lines() []string {
	text := strings.TrimSpace(w.log.String())
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestLogExplainsMissingTableOrColumn(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.NewDropTable().Table("fiberjwt_sessions").Exec(t.Context())
	require.NoError(t, err)
	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	require.Equal(t, 503, a.Status)
	require.Len(t, w.lines(), 1, "one failure must be one line")
	require.Contains(t, w.log.String(), "call fiberjwt.Migrate(ctx, db) at every start")
	require.NotContains(t, a.Body, "Migrate")

	w.log.Reset()
	_, err = w.db.NewDropTable().Model((*User)(nil)).Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, 503, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Status)
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), "a table of Config.Entities is missing")

	w.log.Reset()
	_, err = w.db.ExecContext(t.Context(), "ALTER TABLE teachers DROP COLUMN password_hash")
	require.NoError(t, err)
	require.Equal(t, 503, w.do("POST", "/auth/teachers/login", credentials("teachers", "ann", testPassword)).Status)
	require.Contains(t, w.log.String(), "a column is missing")
}

func TestLogExplainsFailedConstraint(t *testing.T) {
	w := newWorld(t)
	register := func(email string) answer {
		return w.do("POST", "/auth/users/register", credentials("users", email, testPassword))
	}
	require.Equal(t, 201, register("ann@example.com").Status)
	require.Equal(t, 409, register("ann@example.com").Status)
	require.Empty(t, w.log.String(), "a taken name is not a failure of the server")

	w.requireFullName()
	a := register("bob@example.com")
	require.Equal(t, 422, a.Status)
	require.JSONEq(t, `{"error":"invalid_fields","error_description":"Some fields are missing or wrong."}`, a.Body)
	require.Len(t, w.lines(), 1, "one request must be one line")
	require.Contains(t, w.log.String(), "level=WARN")
	require.Contains(t, w.log.String(), "CHECK constraint failed: full_name")
	require.Contains(t, w.log.String(), "a column that Fillable or Register does not set breaks a constraint")
	require.NotContains(t, w.log.String(), "bob@example.com")
}

// requireFullName gives the table of users a constraint that registration violates.
func (w *world) requireFullName() {
	w.t.Helper()
	w.sql(`CREATE TABLE strict (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT CHECK (full_name <> ''), admin, disabled, password_hash TEXT)`,
		`DROP TABLE users`, `ALTER TABLE strict RENAME TO users`)
}

// requireOneWarning requires exactly one line of the log, a warning that contains
// each of the texts.
func (w *world) requireOneWarning(texts ...string) {
	w.t.Helper()
	require.Len(w.t, w.lines(), 1)
	for _, text := range append(texts, "level=WARN") {
		require.Contains(w.t, w.log.String(), text)
	}
}

func TestCookiesThatBrowserRefusesAreLoggedOnce(t *testing.T) {
	cookie := loginBody("ann@example.com", testPassword, "transport", "cookie")
	for name, test := range map[string]struct {
		headers  []string
		insecure bool
		warned   bool
	}{
		"plain http":                             {nil, false, true},
		"plain http from the application's page": {[]string{"Origin", "http://example.com"}, false, true},
		"https by X-Forwarded-Proto":             {[]string{"X-Forwarded-Proto", "https"}, false, false},
		"https by Origin, no X-Forwarded-Proto":  {[]string{"Origin", "https://example.com", "Host", "example.com"}, false, false},
		"https or localhost by Sec-Fetch-Site":   {[]string{"Sec-Fetch-Site", "same-origin"}, false, false},
		"Cookie.Insecure":                        {nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Insecure = test.insecure })
			w.register("users", "ann@example.com")
			require.Empty(t, w.log.String(), "a sign-in without cookies must not warn")
			for range 3 {
				a := w.do("POST", "/auth/users/login", cookie, test.headers...)
				require.Equal(t, 200, a.Status, a.Body)
			}
			if !test.warned {
				require.Empty(t, w.log.String())
				return
			}
			w.requireOneWarning("Config.Cookie.Insecure", "X-Forwarded-Proto")
		})
	}
}

func TestWrongRefreshCookiePathIsLoggedOnce(t *testing.T) {
	cookie := loginBody("ann@example.com", testPassword, "transport", "cookie")
	for name, test := range map[string]struct {
		prefix, login, path string // the prefix of the mounted app, the path of the login, Cookie.Path
		everywhere, warned  bool
	}{
		"mounted app":                     {"/api", "/api/auth/users/login", "", false, true},
		"mounted, Cookie.Path":            {"/api", "/api/auth/users/login", "/api/auth", false, false},
		"mounted, Cookie.Path of a proxy": {"/api", "/api/auth/users/login", "/outside", false, false},
		"mounted, cookies for every path": {"/api", "/api/auth/users/login", "", true, false},
		"not mounted":                     {"", "/auth/users/login", "", false, false},
		"not mounted, in capitals":        {"", "/AUTH/users/login", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			sub := fiber.New()
			w := newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Routes, cfg.Cookie.Path, cfg.Cookie.RefreshEverywhere = sub.Group("/auth"), test.path, test.everywhere
			})
			w.addUser("ann@example.com")
			if w.app = sub; test.prefix != "" {
				w.app = fiber.New()
				w.app.Use(test.prefix, sub)
			}
			require.Equal(t, 200, w.do("POST", test.login, credentials("users", "ann@example.com", testPassword), "Sec-Fetch-Site", "same-origin").Status)
			require.Empty(t, w.log.String(), "a sign-in without cookies must not warn")
			for range 2 {
				a := w.do("POST", test.login, cookie, "Sec-Fetch-Site", "same-origin")
				require.Equal(t, 200, a.Status, a.Body)
			}
			if !test.warned {
				require.Empty(t, w.log.String())
				return
			}
			w.requireOneWarning("Config.Cookie.Path", "path=/auth/users")
		})
	}
}

func TestBuiltInRoutesBelowMiddlewareAreLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	app := fiber.New()
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: newDB(t), Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	app.Use(auth.Handler())
	auth.Mount(app.Group("/auth"))
	w := &world{t: t, app: app, log: &log}
	require.Equal(t, 401, w.do("POST", "/other", "{}").Status)
	require.Empty(t, w.lines())
	for range 2 {
		require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Status)
	}
	require.Len(t, w.lines(), 1)
	require.Contains(t, log.String(), "call Auth.Mount before app.Use")
}

func TestLogNamesCorrectLocalsKey(t *testing.T) {
	w, request := wrongLocalsKey(t)
	require.Panics(t, request, "the panic of the handler must not be recovered")
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), `c.Locals(\"users\")`)
}

// wrongLocalsKey returns a world and a request for a route that reads c.Locals("user")
// instead of c.Locals("users"), and panics.
func wrongLocalsKey(t *testing.T) (w *world, request func()) {
	t.Helper()
	w = newWorld(t)
	w.app.Get("/typo", func(c fiber.Ctx) error { return c.JSON(c.Locals("user").(*User)) })
	access := w.register("users", "ann@example.com").Access
	return w, func() { serve(w.app.Handler(), "/typo", access) }
}

func TestUnknownKindInGuardIsOneLogLine(t *testing.T) {
	w := newWorld(t)
	w.app.Get("/pupils", fiberjwt.Require("pupils"), func(c fiber.Ctx) error { return c.SendString("in") })
	access := w.register("users", "ann@example.com").Access
	require.Equal(t, 500, w.get("/pupils", access).Status)
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), `there is no kind \"pupils\"; the kinds are users, teachers`)
}

func TestFailedLoginIsLoggedOnceUnderAnyErrorHandler(t *testing.T) {
	for name, handler := range map[string]fiber.ErrorHandler{"Fiber's": nil, "fiberjwt.ErrorHandler": fiberjwt.ErrorHandler} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Public = []string{"POST /magic"}
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Allow: func(context.Context, *User) error { return fiberjwt.ErrUnavailable }}}
			})
			app := fiber.New(fiber.Config{ErrorHandler: handler})
			app.Use(w.auth.Handler())
			app.Post("/magic", func(c fiber.Ctx) error {
				_, err := fiberjwt.Login(c, &User{ID: 1})
				return err
			})
			w.app = app
			a := w.do("POST", "/magic", "")
			require.Equal(t, 503, a.Status, a.Body)
			require.Equal(t, "1", a.Header.Get("Retry-After"))
			require.Len(t, w.lines(), 1)
		})
	}
}

func TestErrorHandlerFormatsHandlerErrors(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "GET /errors/:n", "GET /no/such/*") })
	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
	app.Use(w.auth.Handler())
	app.Get("/errors/:n", func(c fiber.Ctx) error {
		n, _ := strconv.Atoi(c.Params("n"))
		return []error{
			fiberjwt.ErrForbidden, fmt.Errorf("no: %w", fiberjwt.ErrNoToken), fiber.NewError(402, "Pay first."), fmt.Errorf("marker of the cause"),
			fiber.NewError(418, "short and stout"), fiber.NewError(400, "marker of the client"), fiber.NewError(500, "marker of the server"),
		}[n]
	})
	w.app = app
	for path, want := range map[string]string{
		"/errors/0":                   `403 {"error":"forbidden","error_description":"The application refused the request."}`,
		"/errors/1":                   `401 {"error":"no_token","error_description":"Sign in first: the request carries no access token."}`,
		"/errors/2":                   `402 {"error":"payment_required","error_description":"Pay first."}`,
		"/errors/3":                   `500 {"error":"server_error","error_description":"The server could not answer the request."}`,
		"/errors/4":                   `418 {"error":"i_m_a_teapot","error_description":"short and stout"}`,
		"/errors/5":                   `400 {"error":"invalid_request","error_description":"The request is malformed."}`,
		"/errors/6":                   `500 {"error":"server_error","error_description":"The server could not answer the request."}`,
		"/no/such/%3Cscript%3Emarker": `404 {"error":"not_found","error_description":"Not found."}`,
	} {
		a := w.do("GET", path, "")
		require.Equal(t, want, fmt.Sprint(a.Status, " ", a.Body), path)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"), path)
		require.Equal(t, a.Status == 401, a.Header.Get("WWW-Authenticate") != "", path)
	}
	require.Contains(t, w.log.String(), "marker of the cause")
	require.Contains(t, w.log.String(), "marker of the server")
	require.NotContains(t, w.log.String(), "marker of the client")
}

// An OPTIONS request to a built-in route continues to the middleware. That does not
// mean that the middleware stands above the routes.
func TestOPTIONSRequestLogsNoRouteWarning(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, 401, w.do("OPTIONS", "/auth/users/login", "").Status)
	require.Empty(t, w.log.String())
}
