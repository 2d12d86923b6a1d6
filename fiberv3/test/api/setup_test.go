// Code generated from ../../../test/api/setup_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// User and Teacher are the two kinds of most tests. Both start with the id 1, so that
// a confusion of kinds finds an account.
type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	FullName      string `json:"full_name"`
	Admin         bool   `json:"admin"`
	Disabled      bool   `json:"disabled"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Login         string `bun:",unique,notnull"   json:"login"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

const (
	testSecret   = "kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"
	testPassword = "correct horse battery"
	newPassword  = "staple a better battery"
)

// patience is a timeout that does not expire in a test, even on a busy machine.
const patience = time.Minute

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (k *clock) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *clock) Advance(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

// world is an application with users and teachers, on a separate database.
type world struct {
	t     *testing.T
	app   *fiber.App
	db    *bun.DB
	clock *clock
	log   *bytes.Buffer // the output of Config.Logger
	auth  *fiberjwt.Auth
}

// newWorld builds an application; each configure may change the Config.
//
// Routes below the middleware: /users/me, /teachers/me (As), /either
// (Require), /any, /locals/users and /locals/teachers (bare type assertions),
// /fresh (Fresh 5 min). /open is public.
func newWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := &world{t: t, db: newDB(t), clock: &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}, log: &bytes.Buffer{}}
	w.app = fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	cfg := fiberjwt.Config{
		DB:     w.db,
		Secret: []byte(testSecret),
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Fillable: []string{"full_name"}},
			fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher]},
		},
		Routes: w.app.Group("/auth"),
		Public: []string{"GET /open"},
		Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		Now:    w.clock.Now,
		// Some tests count statements and rows.
		ManualPrune: true,
		// Timeouts run in real time, not by Config.Now.
		ReadTimeout: patience, WriteTimeout: patience,
	}
	for _, change := range configure {
		change(&cfg)
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	w.auth = auth
	if cfg.CacheTTL > 0 { // the feed of the cache queries the database until Close
		t.Cleanup(func() { require.NoError(t, auth.Close()) })
	}
	w.app.Use(auth.Handler())
	w.routes()
	return w
}

func (w *world) routes() {
	w.app.Get("/users/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.JSON(u) }))
	w.app.Get("/teachers/me", fiberjwt.As(func(c fiber.Ctx, u *Teacher) error { return c.JSON(u) }))
	w.app.Get("/locals/users", func(c fiber.Ctx) error { return c.JSON(c.Locals("users").(*User)) })
	w.app.Get("/locals/teachers", func(c fiber.Ctx) error { return c.JSON(c.Locals("teachers").(*Teacher)) })
	w.app.Get("/either", fiberjwt.Require("users", "teachers"), func(c fiber.Ctx) error { return c.SendString("either") })
	w.app.Get("/fresh", fiberjwt.Fresh(5*time.Minute), func(c fiber.Ctx) error { return c.SendString("fresh") })
	who := func(c fiber.Ctx) error {
		var kinds []string
		for _, kind := range []string{"users", "teachers"} {
			if s, ok := fiberjwt.SessionOf(c, kind); ok {
				kinds = append(kinds, s.Kind+":"+s.Subject)
			}
		}
		return c.SendString(strings.Join(kinds, " "))
	}
	w.app.Get("/open", who)
	w.app.All("/any", who)
}

// newDB opens a new SQLite file with all tables.
func newDB(t *testing.T) *bun.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	conn, err := sql.Open("sqlite3", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	ctx := context.Background()
	for _, model := range []any{(*User)(nil), (*Teacher)(nil)} {
		_, err := db.NewCreateTable().Model(model).Exec(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, fiberjwt.Migrate(ctx, db))
	return db
}

// answer is a complete response.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// JSON decodes the body as an object.
func (a answer) JSON(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.Body), &object), "body %q", a.Body)
	return object
}

// Code returns the member "error" of the body.
func (a answer) Code(t *testing.T) string {
	t.Helper()
	code, _ := a.JSON(t)["error"].(string)
	return code
}

// do sends a request. The body is JSON, or "" for no body. headers are pairs of name
// and value.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	return w.send(request)
}

func (w *world) send(request *http.Request) answer {
	w.t.Helper()
	response, err := w.app.Test(request, fiber.TestConfig{})
	require.NoError(w.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return answer{response.StatusCode, response.Header, string(text)}
}

// tokens are those that a sign-in or refresh returned.
type tokens struct {
	Access  string
	Refresh string
}

func (w *world) tokensOf(a answer) tokens {
	w.t.Helper()
	body := a.JSON(w.t)
	access, _ := body["access_token"].(string)
	refresh, _ := body["refresh_token"].(string)
	return tokens{access, refresh}
}

// register creates an account by the route; kind is users or teachers.
func (w *world) register(kind, identity string) tokens {
	w.t.Helper()
	a := w.do("POST", "/auth/"+kind+"/register", credentials(kind, identity, testPassword))
	require.Equal(w.t, 201, a.Status, a.Body)
	return w.tokensOf(a)
}

func (w *world) login(kind, identity string) tokens {
	w.t.Helper()
	a := w.do("POST", "/auth/"+kind+"/login", credentials(kind, identity, testPassword))
	require.Equal(w.t, 200, a.Status, a.Body)
	return w.tokensOf(a)
}

func (w *world) refresh(kind, token string) answer {
	w.t.Helper()
	return w.do("POST", "/auth/"+kind+"/refresh", `{"refresh_token":"`+token+`"}`)
}

func (w *world) get(path, access string) answer {
	w.t.Helper()
	return w.do("GET", path, "", "Authorization", "Bearer "+access)
}

// credentials returns the body of register and login.
func credentials(kind, identity, password string) string {
	column := map[string]string{"users": "email", "teachers": "login"}[kind]
	body, _ := json.Marshal(map[string]string{column: identity, "password": password})
	return string(body)
}

// count returns the number of rows of a table.
func (w *world) count(table string) int {
	w.t.Helper()
	var n int
	require.NoError(w.t, w.db.NewSelect().ColumnExpr("count(*)").Table(table).Scan(context.Background(), &n))
	return n
}

// browser keeps cookies and sends them by path. It sends Sec-Fetch-Site as a browser
// does on a page of the application.
type browser struct {
	w    *world
	jar  map[string]*http.Cookie // of sign-ins
	mark map[string]*http.Cookie // of the device
	site string
}

func (w *world) browser() *browser {
	return &browser{w: w, jar: map[string]*http.Cookie{}, mark: map[string]*http.Cookie{}, site: "same-origin"}
}

func (b *browser) do(method, path, body string, headers ...string) answer {
	b.w.t.Helper()
	for _, jar := range []map[string]*http.Cookie{b.jar, b.mark} {
		for _, cookie := range jar {
			if strings.HasPrefix(path, cookie.Path) {
				headers = append(headers, "Cookie", cookie.Name+"="+cookie.Value)
			}
		}
	}
	if b.site != "" {
		headers = append(headers, "Sec-Fetch-Site", b.site)
	}
	a := b.w.do(method, path, body, headers...)
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		if !cookie.Expires.IsZero() && cookie.Expires.Before(time.Unix(86400, 0)) {
			delete(b.jar, cookie.Name)
			continue
		}
		if strings.HasSuffix(cookie.Name, "-device") {
			b.mark[cookie.Name] = cookie
			continue
		}
		b.jar[cookie.Name] = cookie
	}
	return a
}

// register creates an account and signs in by cookies.
func (b *browser) register(kind, identity string) {
	b.w.t.Helper()
	body := strings.TrimSuffix(credentials(kind, identity, testPassword), "}") + `,"transport":"cookie"}`
	a := b.do("POST", "/auth/"+kind+"/register", body)
	require.Equal(b.w.t, 201, a.Status, a.Body)
}

// serve calls a handler without a connection, for tests with many requests.
func serve(handler fasthttp.RequestHandler, path, access string) string {
	var c fasthttp.RequestCtx
	c.Request.SetRequestURI(path)
	c.Request.Header.Set("Authorization", "Bearer "+access)
	handler(&c)
	return string(c.Response.Body())
}

// mounted sets up app in place of the app of w, whose Config has no Routes: the
// built-in routes below /auth, and the other routes of newWorld below the middleware.
func (w *world) mounted(app *fiber.App) {
	w.app = app
	w.auth.Mount(app.Group("/auth"))
	app.Use(w.auth.Handler())
	w.routes()
}

func withoutRoutes(cfg *fiberjwt.Config) { cfg.Routes = nil }

func keysOf(object map[string]any) (keys []string) {
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
