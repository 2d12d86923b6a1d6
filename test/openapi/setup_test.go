package openapi

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
)

// User has columns of most kinds of JSON values.
type User struct {
	ID           int64             `bun:",pk,autoincrement" json:"id"`
	Email        string            `bun:",unique,notnull" json:"email"`
	FullName     string            `json:"full_name"`
	Age          *int              `json:"age,omitempty"`
	Score        float64           `json:"score"`
	Tags         []string          `json:"tags"`
	Labels       map[string]string `json:"labels"`
	Photo        []byte            `json:"photo"`
	BornAt       time.Time         `bun:",nullzero" json:"born_at"`
	Manager      *User             `bun:"rel:belongs-to,join:manager_id=id" json:"manager,omitempty"`
	ManagerID    int64             `bun:",nullzero" json:"manager_id,string"`
	PasswordHash string            `bun:",notnull" json:"-"`
}

type Teacher struct {
	ID           string `bun:",pk" json:"id"`
	Login        string `bun:",unique,notnull" json:"login"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// Robot signs in by Login only.
type Robot struct {
	ID     int64  `bun:",pk,autoincrement" json:"id"`
	Serial string `bun:",unique" json:"serial"`
}

// world is an application and its OpenAPI document.
type world struct {
	t        *testing.T
	app      *fiber.App
	db       *bun.DB
	now      time.Time
	broken   atomic.Bool // hooks panic
	document []byte
	judge    validator.Validator
	seen     map[string]bool // operation, status and code that were answered
}

func newWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+t.TempDir()+"/test.db?_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)&_txlock=immediate")
	require.NoError(t, err)
	w := &world{t: t, db: bun.NewDB(conn, sqlitedialect.New()), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), seen: map[string]bool{}}
	t.Cleanup(func() { _ = w.db.Close() })
	for _, model := range []any{(*User)(nil), (*Teacher)(nil), (*Robot)(nil)} {
		_, err := w.db.NewCreateTable().Model(model).Exec(context.Background())
		require.NoError(t, err)
	}
	require.NoError(t, fiberjwt.Migrate(context.Background(), w.db))
	w.app = fiber.New()
	cfg := fiberjwt.Config{
		DB:     w.db,
		Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"),
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{
				Fillable: []string{"full_name", "age", "score", "tags", "labels", "photo", "born_at"},
				Register: w.register, Allow: w.allow,
			},
			fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher], Allow: func(_ context.Context, t *Teacher) error {
				if t.Login == "waiting" {
					return errors.New("not confirmed yet")
				}
				return nil
			}},
			fiberjwt.Entity[Robot]{Password: "-"},
		},
		Routes: w.app.Group("/auth"),
		Logger: slog.New(slog.DiscardHandler),
		Now:    func() time.Time { return w.now },
		// The pruning goroutine would read the clock while the test moves it.
		ManualPrune: true,

		ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	}
	for _, change := range configure {
		change(&cfg)
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	w.app.Get("/openapi.json", auth.OpenAPI())
	w.read()
	return w
}

func (w *world) register(_ *fiber.Ctx, u *User) error {
	switch {
	case w.broken.Load():
		panic("a hook")
	case u.FullName == "nobody":
		return errors.New("registration refused")
	}
	return nil
}

func (w *world) allow(context.Context, *User) error {
	if w.broken.Load() {
		panic("a hook")
	}
	return nil
}

// read fetches the document and creates the validator from it.
func (w *world) read() {
	w.t.Helper()
	response, err := w.app.Test(httptest.NewRequest("GET", "/openapi.json", nil), -1)
	require.NoError(w.t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(w.t, 200, response.StatusCode)
	require.Equal(w.t, "application/json", response.Header.Get("Content-Type"))
	w.document, err = io.ReadAll(response.Body)
	require.NoError(w.t, err)
	document, err := libopenapi.NewDocument(w.document)
	require.NoError(w.t, err)
	judge, errs := validator.NewValidator(document)
	require.Empty(w.t, errs)
	w.judge = judge
}

// do sends a request and validates the response against the document, and if it was
// successful, the request too.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	request := func() *http.Request {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		if body != "" && r.Header.Get("Content-Type") == "" {
			r.Header.Set("Content-Type", "application/json")
		}
		return r
	}
	response, err := w.app.Test(request(), -1)
	require.NoError(w.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	response.Body = io.NopCloser(bytes.NewReader(text))

	good, faults := w.judge.ValidateHttpResponse(request(), response)
	require.True(w.t, good, "%s %s: %d %s: %v", method, path, response.StatusCode, text, faults)
	if response.StatusCode < 300 {
		good, faults := w.judge.ValidateHttpRequest(request())
		require.True(w.t, good, "%s %s %s: %v", method, path, body, faults)
	}
	return answer{w.t, response.StatusCode, response.Header, text}
}

// expect sends a request to a route of users. The answer must match the promise: the id of
// the route, the status and, for an error, the code. expect records it as seen.
func (w *world) expect(promise, method, path, body string, headers ...string) answer {
	w.t.Helper()
	a := w.do(method, "/auth/users"+path, body, headers...)
	require.Equal(w.t, promise, a.kept(promise), "%s", a.text)
	w.seen[promise] = true
	return a
}

// until sends the request up to a hundred times until the answer matches the promise.
func (w *world) until(promise, method, path, body string, headers ...string) {
	w.t.Helper()
	for range 100 {
		if a := w.do(method, "/auth/users"+path, body, headers...); a.kept(promise) == promise {
			w.seen[promise] = true
			return
		}
	}
	require.Fail(w.t, "never answered", promise)
}

// kept returns the answer in the form of a promise.
func (a answer) kept(promise string) string {
	id, _, _ := strings.Cut(promise, " ")
	kept := fmt.Sprint(id, " ", a.status)
	if a.status >= 400 {
		kept += " " + a.member("error")
	}
	return kept
}

// promises returns the answers that the document declares for a kind.
func (w *world) promises(kind string) (promises []string) {
	w.t.Helper()
	type response struct {
		Content map[string]struct {
			Schema struct {
				AllOf []struct {
					Properties map[string]struct{ Enum []string }
				}
			}
		}
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Responses   map[string]response
		}
	}
	require.NoError(w.t, json.Unmarshal(w.document, &document))
	for _, item := range document.Paths {
		for _, operation := range item {
			id, ours := strings.CutPrefix(operation.OperationID, kind+".")
			for status, response := range operation.Responses {
				switch all := response.Content["application/json"].Schema.AllOf; {
				case !ours, status == "default":
				case status < "400":
					promises = append(promises, id+" "+status)
				default:
					for _, code := range all[1].Properties["error"].Enum {
						promises = append(promises, id+" "+status+" "+code)
					}
				}
			}
		}
	}
	require.NotEmpty(w.t, promises)
	return promises
}

// bearer signs in again and returns the Authorization header.
func (w *world) bearer(login string) []string {
	w.t.Helper()
	a := w.do("POST", "/auth/users/login", login)
	require.Equal(w.t, 200, a.status, "%s", a.text)
	return []string{"Authorization", "Bearer " + a.member("access_token")}
}

// rotate moves the clock until the token can be rotated, and refreshes.
func (w *world) rotate(token string) string {
	w.t.Helper()
	w.now = w.now.Add(6 * time.Minute)
	next := w.do("POST", "/auth/users/refresh", `{"refresh_token":"`+token+`"}`).member("refresh_token")
	require.NotEmpty(w.t, next)
	return next
}

type answer struct {
	t      *testing.T
	status int
	header http.Header
	text   []byte
}

func (a answer) member(name string) string {
	a.t.Helper()
	var object map[string]any
	require.NoError(a.t, json.Unmarshal(a.text, &object), "%s", a.text)
	text, _ := object[name].(string)
	return text
}
