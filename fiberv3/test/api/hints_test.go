// Code generated from ../../../test/api/hints_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// requireOneHint repeats a request. It requires one line in the log with these words, again after a minute, and nothing of
// what the client sent.
func (w *world) requireOneHint(request func() answer, status int, words string, clients ...string) {
	w.t.Helper()
	w.log.Reset()
	for range 5 {
		require.Equal(w.t, status, request().Status)
	}
	require.Len(w.t, w.lines(), 1, w.log.String())
	w.clock.Advance(time.Minute)
	a := request()
	require.Equal(w.t, status, a.Status, a.Body)
	require.Len(w.t, w.lines(), 2, w.log.String())
	require.Contains(w.t, w.lines()[1], "level=WARN")
	require.Contains(w.t, w.lines()[1], "count=5")
	require.Contains(w.t, w.lines()[1], words)
	require.Contains(w.t, w.lines()[1], "hint=")
	for _, text := range clients {
		require.NotContains(w.t, w.log.String(), text)
	}
	w.clock.Advance(time.Minute)
}

// 404 and not 401: a sign-in would not help the client.
func TestMisspelledBuiltInRoutesAreNotFound(t *testing.T) {
	w := newWorld(t)
	w.app.Post("/auth/google/login", fiberjwt.Require("users"), func(c fiber.Ctx) error { return c.SendStatus(204) })
	for name, path := range map[string]string{
		"a kind in the singular":   "POST /auth/user/login",
		"an unknown kind":          "POST /auth/xyzzy/register",
		"a slash at the end":       "POST /auth/user/login/",
		"in capitals":              "POST /AUTH/User/Login",
		"a GET route":              "GET /auth/user/me",
		"a parameter":              "DELETE /auth/user/sessions/xyzzy",
		"no kind":                  "POST /auth/login",
		"an unknown route":         "POST /auth/users/xyzzy",
		"another word for a route": "POST /auth/users/signin",
		"another method":           "PUT /auth/user/password",
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			method, path, _ := strings.Cut(path, " ")
			request := func() answer { return w.do(method, path, `{"email":"ann@example.com"}`) }
			requireRefusal(t, request(), 404, "not_found")
			require.Empty(t, request().Header.Get("WWW-Authenticate"))
			w.clock.Advance(time.Minute)
			w.requireOneHint(request, 404, "where {kind} is one of users, teachers", "xyzzy", "ann@")
		})
	}
	w.t = t
	w.log.Reset()
	for _, path := range []string{"/auth/google/login", "/auth", "/auth/", "/other/login", "/notes", "/authors/user/login"} {
		require.Equal(t, 401, w.do("POST", path, "").Status, path)
	}
	require.Empty(t, w.log.String(), "paths that do not resemble built-in routes must cause no hint")
}

// Without Config.Routes, the built-in routes do not exist.
func TestLogExplainsMissingConfigRoutes(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Routes = nil })
	for _, path := range []string{"/auth/users/login", "/users/register", "/login", "/api/v1/teachers/refresh"} {
		w.requireOneHint(func() answer { return w.do("POST", path, "{}") }, 404, "set Config.Routes", "/api")
	}
	w.log.Reset()
	w.app.Post("/session/login", func(c fiber.Ctx) error { return c.SendStatus(204) })
	require.Equal(t, 401, w.do("POST", "/session/login", "").Status, "a route of the application must cause no hint")
	require.Equal(t, 401, w.do("GET", "/login", "").Status)
	require.Empty(t, w.log.String())

	service := newVerifier(t, func(*fiberjwt.Config) {})
	require.Equal(t, 401, service.do("POST", "/login", "").Status, "without Entities there are no built-in routes to hint at")
}

// A common cause is that the processes of one application do not share Config.Secret.
func TestLogExplainsTokenOfAnotherSecret(t *testing.T) {
	other := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Secret = []byte("Zt3eB8uK1qW6xN0vC9aS2dF5gH7jL4mP") })
	theirs := other.register("users", "ann@example.com")
	w := newWorld(t)
	w.requireOneHint(func() answer { return w.get("/any", theirs.Access) }, 401, "give all processes the same Config.Secret", theirs.Access[:20])
	w.requireOneHint(func() answer { return w.do("GET", "/any", "", "Cookie", "__Host-Http-users="+theirs.Access) }, 401, "Config.Secret")
	w.requireOneHint(func() answer { return w.refresh("users", theirs.Refresh) }, 401, "a refresh token is signed", theirs.Refresh)

	w.log.Reset()
	ours := w.register("users", "ann@example.com")
	for _, token := range []string{"x", "a.b.c", ours.Access[:len(ours.Access)-4] + "AAAA", outsider{testSecret}.token("users", plainClaims("users", "1").String())} {
		w.get("/any", token)
	}
	require.Equal(t, 401, w.refresh("users", ours.Refresh[:len(ours.Refresh)-14]+strings.Repeat("A", 14)).Status)
	require.Equal(t, 401, w.refresh("teachers", ours.Refresh).Status)
	require.Empty(t, w.log.String(), "forged and malformed tokens must cause no hint")
}

// A common cause is a front end on another origin.
func TestLogExplainsMissingTrustedOrigins(t *testing.T) {
	w := newWorld(t)
	access := w.register("users", "ann@example.com").Access
	cookie := []string{"Cookie", "__Host-Http-users=" + access, "Origin", "https://front.example"}
	w.requireOneHint(func() answer { return w.do("POST", "/any", "", cookie...) }, 403, "Config.TrustedOrigins", "front.example")
	login := strings.TrimSuffix(credentials("users", "ann@example.com", testPassword), "}") + `,"transport":"cookie"}`
	w.requireOneHint(func() answer { return w.do("POST", "/auth/users/login", login, "Origin", "https://front.example") }, 403, "Config.TrustedOrigins", "front.example")
	w.requireOneHint(func() answer { return w.do("POST", "/auth/users/logout", "", cookie...) }, 403, "Config.TrustedOrigins", "front.example")
}

// The library ignores these members.
func TestLogNamesMembersThatAreNotFillable(t *testing.T) {
	w := newWorld(t)
	bob := 0
	register := func(members string) func() answer {
		return func() answer {
			bob++
			body := credentials("users", "bob"+strings.Repeat("b", bob)+"@example.com", testPassword)
			return w.do("POST", "/auth/users/register", strings.TrimSuffix(body, "}")+members+"}")
		}
	}
	w.requireOneHint(register(`,"admin":true`), 201, "column=admin", "true")
	require.Contains(t, w.log.String(), "Entity.Fillable")
	w.log.Reset()
	require.Equal(t, 201, register(`,"admin":true,"disabled":true`)().Status)
	require.Len(t, w.lines(), 2, "each column must have a line")
	w.log.Reset()
	for _, members := range []string{`,"full_name":"Bob"`, `,"id":7`, `,"password_hash":"x"`, `,"xyzzy":1`, `,"transport":"body"`} {
		require.Equal(t, 201, register(members)().Status)
	}
	require.Empty(t, w.log.String(), "members that are fillable, that can never be filled, or that are not columns must cause no hint")
}

// Pupil has a column whose name in JSON differs.
type Pupil struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull" json:"email"`
	FullName     string `json:"fullName"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// The members of a registration have the names of columns.
func TestLogNamesMembersGivenByJSONName(t *testing.T) {
	for name, fillable := range map[string][]string{"under the name of the column": {"full_name"}, "Entity.Fillable": nil} {
		w := newWorld(t, func(cfg *fiberjwt.Config) {
			_, err := cfg.DB.NewCreateTable().Model((*Pupil)(nil)).Exec(t.Context())
			require.NoError(t, err)
			cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[Pupil]{Register: fiberjwt.Anyone[Pupil], Fillable: fillable}}
		})
		a := w.do("POST", "/auth/pupils/register", `{"email":"ann@example.com","password":"`+testPassword+`","fullName":"Ann"}`)
		require.Equal(t, 201, a.Status, a.Body)
		require.Len(t, w.lines(), 1)
		require.Contains(t, w.log.String(), name)
		require.Contains(t, w.log.String(), "column=full_name")
		require.NotContains(t, w.log.String(), "Ann")
	}
}

func TestLogExplainsDisabledRoutes(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}, fiberjwt.Entity[Teacher]{Password: "-"}}
	})
	w.requireOneHint(func() answer {
		return w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	},
		404, "fiberjwt.Anyone lets every client register", "ann@")
	require.Contains(t, w.log.String(), "kind=users")
	w.requireOneHint(func() answer { return w.do("POST", "/auth/teachers/login", "{}") }, 404, `remove Password`)
	w.requireOneHint(func() answer { return w.do("POST", "/auth/users/token", "{}") }, 404, "Config.Cookie.RefreshEverywhere")
}

// The response to a token that the server does not read is the same as without a token.
func TestLogExplainsTokenInUnreadPlace(t *testing.T) {
	w := newWorld(t)
	access := w.register("users", "ann@example.com").Access
	for place, request := range map[string]func() answer{
		"the Authorization header": func() answer { return w.do("GET", "/any", "", "Authorization", access) },
		"Authorization header":     func() answer { return w.do("GET", "/any", "", "Authorization", "Token "+access) },
		"the query":                func() answer { return w.do("GET", "/any?access_token="+access, "") },
		"a cookie":                 func() answer { return w.do("GET", "/any", "", "Cookie", "users="+access) },
	} {
		w.requireOneHint(request, 401, place, access[:20])
	}
	w.log.Reset()
	for _, headers := range [][]string{nil, {"Authorization", "Basic c3RhZmY6b3BlbiBzZXNhbWU="}, {"Cookie", "theme=dark"}, {"Authorization", "Bearer"}} {
		require.Equal(t, 401, w.do("GET", "/any?page=2", "", headers...).Status)
	}
	require.Empty(t, w.log.String(), "requests without a token must cause no hint")

	header := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromAuthHeader("") })
	header.requireOneHint(func() answer { return header.do("GET", "/any", "", "Cookie", "__Host-Http-users="+access) }, 401, "a cookie")
}

// A guard above the middleware has no Config, so it uses slog.Default.
func TestGuardsAboveTheMiddlewareLogOnce(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	app := fiber.New()
	app.Get("/as", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return c.SendString("in") }))
	app.Get("/require", fiberjwt.Require("users"), func(c fiber.Ctx) error { return c.SendString("in") })
	app.Get("/fresh", fiberjwt.Fresh(time.Minute), func(c fiber.Ctx) error { return c.SendString("in") })
	w := &world{t: t, app: app, log: &log}
	for _, path := range []string{"/as", "/require", "/fresh"} {
		log.Reset()
		for range 20 {
			require.Equal(t, 500, w.do("GET", path, "").Status)
		}
		require.Len(t, w.lines(), 1, path)
		require.Contains(t, log.String(), "move the route below app.Use(auth.Handler())")
		require.Contains(t, log.String(), "route="+path)
	}
}

func TestInsecureCookiesOverHTTPSAreLoggedOnce(t *testing.T) {
	login := strings.TrimSuffix(credentials("users", "ann@example.com", testPassword), "}") + `,"transport":"cookie"}`
	for name, test := range map[string]struct {
		headers []string
		warned  int
	}{
		"a proxy sends X-Forwarded-Proto: https": {[]string{"X-Forwarded-Proto", "https"}, 1},
		"the Origin of the page has https":       {[]string{"Origin", "https://example.com"}, 1},
		"http":                                   {[]string{"Origin", "http://example.com"}, 0},
	} {
		w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Insecure = true })
		w.register("users", "ann@example.com")
		for range 3 {
			require.Equal(t, 200, w.do("POST", "/auth/users/login", login, test.headers...).Status)
		}
		require.Len(t, w.lines(), test.warned, name)
		require.Equal(t, test.warned, strings.Count(w.log.String(), "Cookie.Insecure is set"))
	}
}

func TestFailureLogHasMethodRouteAndKind(t *testing.T) {
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	w.app.Use("*", func(c fiber.Ctx) error { return c.Next() })
	w.app.Get("/films/:title", fiberjwt.Require("users"), func(c fiber.Ctx) error { return c.SendString("film") })
	w.app.Get("/broken/:title", fiberjwt.Require("unknown"), func(c fiber.Ctx) error { return c.SendString("film") })
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for name, test := range map[string]struct {
		request func() answer
		want    string
	}{
		"in the middleware": {func() answer { return w.get("/films/xyzzy", pair.Access) }, "method=GET route=/films/:title kind=users "},
		"at no route":       {func() answer { return w.do("PUT", "/xyzzy", "", "Authorization", "Bearer "+pair.Access) }, "method=PUT route=/* kind=users "},
		"in a built-in route": {func() answer {
			return w.do("POST", "/auth/users/login", credentials("users", "xyzzy@example.com", testPassword))
		}, "method=POST route=/auth/users/login kind=users "},
		"with a parameter": {func() answer {
			return w.do("DELETE", "/auth/users/sessions/xyzzy", "", "Authorization", "Bearer "+pair.Access)
		}, "method=DELETE route=/auth/users/sessions/:id kind=users "},
		"by a refresh": {func() answer { return w.refresh("users", pair.Refresh) }, "method=POST route=/auth/users/refresh kind=users "},
	} {
		w.log.Reset()
		f.set(refusedDial, false, "")
		require.Equal(t, 503, test.request().Status, name)
		require.Len(t, w.lines(), 1, name)
		require.Contains(t, w.log.String(), test.want, name)
		require.NotContains(t, w.log.String(), "xyzzy", name)
		f.over()
		w.clock.Advance(time.Minute)
	}
	w.log.Reset()
	require.Equal(t, 500, w.get("/broken/xyzzy", w.enter("users", 1).Access).Status)
	require.Contains(t, w.log.String(), "count=1 status=500 method=GET route=/broken/:title ")
	require.NotContains(t, w.log.String(), "xyzzy")
}

func TestMisspelledRouteIsLoggedForSignedInClientsToo(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	require.Equal(t, 404, w.get("/auth/user/me", pair.Access).Status)
	require.Contains(t, w.log.String(), "looks like one for a built-in route")
	w.log.Reset()
	w.clock.Advance(time.Hour)
	require.Equal(t, 404, w.get("/no/such/page", w.enter("users", 1).Access).Status)
	require.Empty(t, w.log.String())
}
