// Package clients generates clients from the OpenAPI document with ogen and
// oapi-codegen, and signs in with them. It is a separate module because the generators
// require many others.
package clients

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"

	// What the generated clients import.
	_ "github.com/go-faster/errors"
	_ "github.com/go-faster/jx"
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/ogen-go/ogen/conv"
	_ "github.com/ogen-go/ogen/json"
	_ "github.com/ogen-go/ogen/middleware"
	_ "github.com/ogen-go/ogen/ogenerrors"
	_ "github.com/ogen-go/ogen/otelogen"
	_ "github.com/ogen-go/ogen/uri"
	_ "github.com/ogen-go/ogen/validate"
	_ "go.opentelemetry.io/otel"
	_ "go.opentelemetry.io/otel/metric"
	_ "go.opentelemetry.io/otel/trace"
)

// Stamps is an embedded struct.
type Stamps struct {
	CreatedAt time.Time    `bun:",nullzero" json:"created_at"`
	DeletedAt bun.NullTime `json:"deleted_at"`
}

// User has columns of all kinds of JSON values.
type User struct {
	Stamps
	ID           int64             `bun:",pk,autoincrement" json:"id"`
	Email        string            `bun:",unique,notnull" json:"email"`
	FullName     string            `json:"full_name"`
	Age          *int              `json:"age,omitempty"`
	Score        float64           `json:"score"`
	Admin        bool              `json:"admin"`
	Tags         []string          `json:"tags"`
	Labels       map[string]string `json:"labels"`
	Settings     map[string]any    `json:"settings"`
	Raw          json.RawMessage   `json:"raw,omitempty"`
	Photo        []byte            `json:"photo"`
	Position     [2]float64        `bun:"-" json:"position"`
	Address      *Address          `json:"address"`
	Former       []*Address        `json:"former"`
	Host         net.IP            `bun:"-" json:"host"`
	Manager      *User             `bun:"rel:belongs-to,join:manager_id=id" json:"manager,omitempty"`
	ManagerID    int64             `bun:",nullzero" json:"manager_id,string"`
	PasswordHash string            `bun:",notnull" json:"-"`
}

// Address is a JSON object.
type Address struct {
	Street string  `json:"street"`
	Floor  *uint16 `json:"floor"`
}

// Teacher cannot sign in until it is confirmed, which never happens.
type Teacher struct {
	ID           string `bun:",pk" json:"id"`
	Login        string `bun:",unique,notnull" json:"login"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// serve starts an application and returns its address and its OpenAPI document.
func serve(t *testing.T, extractor fiberjwt.Extractor) (url string, document []byte) {
	t.Helper()
	ctx := context.Background()
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, model := range []any{(*User)(nil), (*Teacher)(nil)} {
		_, err := db.NewCreateTable().Model(model).Exec(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, fiberjwt.Migrate(ctx, db))
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: app.Group("/auth"), Extractor: extractor,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Fillable: []string{"full_name"}},
			fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher],
				Allow: func(context.Context, *Teacher) error { return errors.New("not confirmed yet") }},
		},
	})
	require.NoError(t, err)
	document, err = auth.OpenAPIDocument()
	require.NoError(t, err)
	app.Use(auth.Handler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- app.Listener(listener) }()
	t.Cleanup(func() {
		require.NoError(t, app.Shutdown())
		require.NoError(t, <-served)
	})
	return "http://" + listener.Addr().String(), document
}

// generators write package main into a folder. The programs in testdata that use it
// register a user and a teacher, read the user's account, and provoke an error.
var generators = map[string]func(document, folder string) []string{
	"ogen": func(document, folder string) []string {
		return []string{"tool", "ogen", "--loglevel", "warn", "--package", "main", "--target", folder, document}
	},
	"oapi-codegen": func(document, folder string) []string {
		return []string{"tool", "oapi-codegen", "-generate", "types,client", "-package", "main", "-o", filepath.Join(folder, "client.go"), document}
	},
}

// Earlier documents had an anyOf that generators cannot read, and hundreds of members
// without a type.
func TestGeneratedClientsSignIn(t *testing.T) {
	url, document := serve(t, fiberjwt.Extractor{})
	for name, generator := range generators {
		t.Run(name, func(t *testing.T) {
			folder := generate(t, document, generator)
			program, err := os.ReadFile(filepath.Join("testdata", name, "main.go"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, "main.go"), program, 0o600))
			require.Equal(t, "Ann 409 taken\n", run(t, append(append([]string{"run"}, sources(t, folder)...), url, name+"@example.com")...))
		})
	}
}

func TestGeneratedFieldsAreTypedLikeTheModel(t *testing.T) {
	_, document := serve(t, fiberjwt.Extractor{})
	text, err := os.ReadFile(filepath.Join(generate(t, document, generators["oapi-codegen"]), "client.go"))
	require.NoError(t, err)
	free := regexp.MustCompile(`(?m)^\s+(\w+)\s.*interface\{\}.*json:`).FindAllStringSubmatch(string(text), -1)
	for i := range free {
		free[i] = free[i][1:]
	}
	require.Equal(t, [][]string{{"DeletedAt"}, {"Manager"}, {"Raw"}, {"Settings"}}, free, "these types marshal themselves, or may hold any value")
}

func TestClientsGenerateForEveryTokenSource(t *testing.T) {
	for source, extractor := range map[string]fiberjwt.Extractor{
		"another scheme": fiberjwt.FromAuthHeader("JWT"),
		"header, query":  fiberjwt.Chain(fiberjwt.FromHeader("X-Token"), fiberjwt.FromQuery("the token")),
		"cookie":         fiberjwt.FromCookie("sid"),
		"form":           fiberjwt.FromForm("token"),
	} {
		_, document := serve(t, extractor)
		for name, generator := range generators {
			t.Run(source+", "+name, func(t *testing.T) {
				run(t, append([]string{"vet"}, sources(t, generate(t, document, generator))...)...)
			})
		}
	}
}

// generate returns the folder of a generated package main. Any output of the generator
// fails the test.
func generate(t *testing.T, document []byte, generator func(document, folder string) []string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	file := filepath.Join(t.TempDir(), "openapi.json")
	require.NoError(t, os.WriteFile(file, document, 0o600))
	require.Empty(t, run(t, generator(file, folder)...))
	return folder
}

func sources(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// run returns the output of a go command.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, "%.4000s", out)
	return string(out)
}
