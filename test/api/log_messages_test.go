package api_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// lines of the log.
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
	require.Len(t, w.lines(), 1, "one fault, one line")
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
	require.Empty(t, w.log.String(), "taken is the client's to mend")

	w.sql(`CREATE TABLE strict (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT CHECK (full_name <> ''), admin, disabled, password_hash TEXT)`)
	w.sql(`DROP TABLE users`)
	w.sql(`ALTER TABLE strict RENAME TO users`)
	a := register("bob@example.com")
	require.Equal(t, 422, a.Status)
	require.JSONEq(t, `{"error":"invalid_fields","error_description":"Some fields are missing or wrong."}`, a.Body)
	require.Len(t, w.lines(), 1, "one request, one line")
	require.Contains(t, w.log.String(), "level=WARN")
	require.Contains(t, w.log.String(), "CHECK constraint failed: full_name")
	require.Contains(t, w.log.String(), "a column that Fillable or Register does not set breaks a constraint")
	require.NotContains(t, w.log.String(), "bob@example.com")
}

func TestCookiesThatBrowserRefusesAreLoggedOnce(t *testing.T) {
	cookie := strings.TrimSuffix(credentials("users", "ann@example.com", testPassword), "}") + `,"transport":"cookie"}`
	for name, test := range map[string]struct {
		headers  []string
		insecure bool
		warned   bool
	}{
		"plain http":                         {nil, false, true},
		"plain http from its own page":       {[]string{"Origin", "http://example.com"}, false, true},
		"a proxy that says https":            {[]string{"X-Forwarded-Proto", "https"}, false, false},
		"a silent proxy before a https page": {[]string{"Origin", "https://example.com", "Host", "example.com"}, false, false},
		"https or localhost":                 {[]string{"Sec-Fetch-Site", "same-origin"}, false, false},
		"Cookie.Insecure":                    {nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Insecure = test.insecure })
			w.register("users", "ann@example.com")
			require.Empty(t, w.log.String(), "tokens in the body are no cookies")
			for range 3 {
				a := w.do("POST", "/auth/users/login", cookie, test.headers...)
				require.Equal(t, 200, a.Status, a.Body)
			}
			if !test.warned {
				require.Empty(t, w.log.String())
				return
			}
			require.Len(t, w.lines(), 1)
			require.Contains(t, w.log.String(), "level=WARN")
			require.Contains(t, w.log.String(), "Config.Cookie.Insecure")
			require.Contains(t, w.log.String(), "X-Forwarded-Proto")
		})
	}
}

func TestWrongRefreshCookiePathIsLoggedOnce(t *testing.T) {
	cookie := strings.TrimSuffix(credentials("users", "ann@example.com", testPassword), "}") + `,"transport":"cookie"}`
	for name, test := range map[string]struct {
		prefix, login, path string // of the mounted app, as a client writes it, Cookie.Path
		everywhere, warned  bool
	}{
		"an app that is mounted":          {"/api", "/api/auth/users/login", "", false, true},
		"mounted, Cookie.Path":            {"/api", "/api/auth/users/login", "/api/auth", false, false},
		"mounted, a proxy and its path":   {"/api", "/api/auth/users/login", "/outside", false, false},
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
				w.app.Mount(test.prefix, sub)
			}
			require.Equal(t, 200, w.do("POST", test.login, credentials("users", "ann@example.com", testPassword), "Sec-Fetch-Site", "same-origin").Status)
			require.Empty(t, w.log.String(), "tokens in the body are no cookies")
			for range 2 {
				a := w.do("POST", test.login, cookie, "Sec-Fetch-Site", "same-origin")
				require.Equal(t, 200, a.Status, a.Body)
			}
			if !test.warned {
				require.Empty(t, w.log.String())
				return
			}
			require.Len(t, w.lines(), 1)
			require.Contains(t, w.log.String(), "level=WARN")
			require.Contains(t, w.log.String(), "Config.Cookie.Path")
			require.Contains(t, w.log.String(), "path=/auth/users")
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
	w := newWorld(t)
	w.app.Get("/typo", func(c *fiber.Ctx) (err error) { return c.JSON(c.Locals("user").(*User)) })
	access := w.register("users", "ann@example.com").Access
	require.Panics(t, func() { serve(w.app.Handler(), "/typo", access) }, "it is not ours to swallow")
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), `c.Locals(\"users\")`)
}

func TestUnknownKindInGuardIsOneLogLine(t *testing.T) {
	w := newWorld(t)
	w.app.Get("/pupils", fiberjwt.Require("pupils"), func(c *fiber.Ctx) error { return c.SendString("in") })
	access := w.register("users", "ann@example.com").Access
	require.Equal(t, 500, w.get("/pupils", access).Status)
	require.Len(t, w.lines(), 1)
	require.Contains(t, w.log.String(), `there is no kind \"pupils\"; the kinds are users, teachers`)
}

func TestFailedLoginIsLoggedOnceUnderAnyErrorHandler(t *testing.T) {
	for name, handler := range map[string]fiber.ErrorHandler{"Fiber's": nil, "ours": fiberjwt.ErrorHandler} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Public = []string{"POST /magic"}
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Allow: func(context.Context, *User) error { return fiberjwt.ErrUnavailable }}}
			})
			app := fiber.New(fiber.Config{ErrorHandler: handler})
			app.Use(w.auth.Handler())
			app.Post("/magic", func(c *fiber.Ctx) error {
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
	app.Get("/errors/:n", func(c *fiber.Ctx) error {
		n, _ := c.ParamsInt("n")
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

// OPTIONS of a built-in route goes on to the middleware, by right.
func TestOPTIONSRequestLogsNoRouteWarning(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, 401, w.do("OPTIONS", "/auth/users/login", "").Status)
	require.Empty(t, w.log.String())
}
