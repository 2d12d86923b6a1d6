package docs_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/cookiename"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// TestMain runs the tests in the root of the repository.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// User is the model of the only kind in these tests.
type User struct {
	ID           int64 `bun:",pk,autoincrement"`
	Email        string
	PasswordHash string `json:"-"`
}

// documents returns the text of each Markdown file of the repository, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, path := range filesOf(t, ".md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		found[path] = string(text)
	}
	require.Contains(t, found, "README.md")
	return found
}

func filesOf(t *testing.T, suffix string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, suffix) {
			paths = append(paths, path)
		}
		return nil
	})
	require.NoError(t, err)
	return paths
}

// around is the start of the program for a block that is not a whole program. It uses
// every import, because a block needs only some of them.
const around = `package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/uptrace/bun"
)

type User struct {
	ID           int64  ` + "`bun:\",pk,autoincrement\"`" + `
	Email        string
	FullName     string
	Admin        bool
	Disabled     bool
	Confirmed    bool
	PasswordHash string ` + "`json:\"-\"`" + `
}

type Teacher struct {
	ID           int64
	Login        string
	PasswordHash string ` + "`json:\"-\"`" + `
}

var (
	app    *fiber.App
	db     *bun.DB
	auth   *fiberjwt.Auth
	cfg    fiberjwt.Config
	ctx    context.Context
	secret keys.Secret

	sendMail func(to, link string) error

	_ = rand.Text
	_ = sql.ErrNoRows
	_ = errors.New
	_ = log.Fatal
	_ = slog.Info
	_ = http.StatusOK
	_ = os.Getenv
	_ = strconv.Itoa
	_ = strings.Cut
	_ = time.Second
	_ = cors.New
	_ = keys.FromURL
	_ = event.Login
	_ = legacy.Tokens{}
)

func main() {}

`

// A block that begins with "package" is a program. Any other block is put after the
// declarations of around, and into a function unless it declares one. Blocks that begin
// with "```go ignore" are skipped, such as the old code in a guide.
func TestGoBlocksInDocsCompile(t *testing.T) {
	dir := t.TempDir()
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```")
	count := 0
	for path, text := range documents(t) {
		if strings.HasPrefix(path, "docs/how-to/metrics-and-audit.md") {
			continue // the blocks are in a separate module with a separate test
		}
		for _, block := range blocks.FindAllStringSubmatch(text, -1) {
			count++
			file := filepath.Join(dir, fmt.Sprint("block", count), "main.go")
			require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
			require.NoError(t, os.WriteFile(file, []byte(program(block[1])), 0o600))
			out, err := exec.Command("go", "vet", file).CombinedOutput()
			require.NoError(t, err, "%s:\n%s\n%s", path, out, block[1])
		}
	}
	require.NotZero(t, count)
}

func program(block string) string {
	switch {
	case strings.HasPrefix(block, "package "):
		return block
	case regexp.MustCompile(`(?m)^func `).MatchString(block):
		return around + block
	}
	return around + "func _() {\n" + block + "\n}\n"
}

func TestLinksInDocsResolve(t *testing.T) {
	texts := documents(t)
	for path, text := range texts {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(withoutCode(text), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
				_, err := os.Stat(file)
				require.NoError(t, err, "%s: the file of the link %s does not exist", path, link[1])
			}
			if anchor != "" {
				require.Contains(t, anchors(texts[file]), anchor, "%s: no heading has the anchor of the link %s", path, link[1])
			}
		}
	}
}

func withoutCode(text string) string {
	return regexp.MustCompile("(?s)```.*?```|`[^`\n]*`").ReplaceAllString(text, "")
}

// anchors returns the anchors that GitHub makes of the headings.
func anchors(text string) (names []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func TestTestsNamedInDocsExist(t *testing.T) {
	known := map[string]bool{}
	for _, path := range filesOf(t, "_test.go") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`).FindAllStringSubmatch(string(text), -1) {
			known[name[1]] = true
		}
	}
	texts, named := documents(t), 0
	for _, path := range []string{"docs/move/README.md", "docs/security.md", "docs/evidence.md"} {
		for _, name := range regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+|\bExample[A-Z]\w+`).FindAllString(texts[path], -1) {
			require.True(t, known[name], "%s names %s, which does not exist", path, name)
			named++
		}
	}
	require.NotZero(t, named)
}

// section returns the text of a document below a heading.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(documents(t)[path], "\n## "+heading+"\n")
	require.True(t, found, "%s has no heading %q", path, heading)
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// firstCells returns the names in the first column of the tables of a text. A name that
// begins with a dot is a field of the structure that was named before.
func firstCells(text string) (names []string) {
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(text, -1) {
		structure := ""
		for _, name := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[1], -1) {
			if before, _, dotted := strings.Cut(name[1], "."); dotted && before != "" {
				structure = before
			}
			if strings.HasPrefix(name[1], ".") {
				name[1] = structure + name[1]
			}
			names = append(names, name[1])
		}
	}
	return names
}

func TestSettingsPageHasEverySettingAndNoOther(t *testing.T) {
	for heading, structure := range map[string]reflect.Type{
		"Config":        reflect.TypeFor[fiberjwt.Config](),
		"Entity":        reflect.TypeFor[fiberjwt.Entity[User]](),
		"LoginOptions":  reflect.TypeFor[fiberjwt.LoginOptions](),
		"TrustedIssuer": reflect.TypeFor[fiberjwt.TrustedIssuer](),
		"legacy.Tokens": reflect.TypeFor[legacy.Tokens](),
	} {
		require.ElementsMatch(t, fields(structure, ""), firstCells(section(t, "docs/reference/settings.md", heading)), heading)
	}
}

// fields returns the names of the fields of a structure. The fields of nested structures
// of the Config are prefixed with the name of the structure.
func fields(structure reflect.Type, prefix string) (names []string) {
	for field := range structure.Fields() {
		switch field.Type {
		case reflect.TypeFor[fiberjwt.Cookie](), reflect.TypeFor[fiberjwt.Refresh](), reflect.TypeFor[fiberjwt.Password]():
			names = append(names, fields(field.Type, field.Name+".")...)
		default:
			names = append(names, prefix+field.Name)
		}
	}
	return names
}

func TestRoutesPageHasEveryRouteAndNoOther(t *testing.T) {
	app := fiber.New()
	fiberjwt.New(fiberjwt.Config{
		DB: openDB(t), Secret: keys.Secret(rand.Text() + rand.Text()), Routes: app.Group("/auth"), Logger: slog.New(slog.DiscardHandler),
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
	})
	var routes []string
	for _, route := range app.GetRoutes(true) {
		path, ours := strings.CutPrefix(route.Path, "/auth/users/")
		served := !slices.Contains([]string{"HEAD", "OPTIONS"}, route.Method) && len(route.Handlers) > 0
		if ours && served && statusOf(t, app, route.Method, route.Path) != fiber.StatusMethodNotAllowed {
			routes = append(routes, route.Method+" /{kind}/"+path)
		}
	}
	slices.Sort(routes)
	require.ElementsMatch(t, slices.Compact(routes), firstCells(documents(t)["docs/reference/routes.md"]))
}

func openDB(t *testing.T) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return bun.NewDB(conn, sqlitedialect.New())
}

func statusOf(t *testing.T, app *fiber.App, method, path string) int {
	t.Helper()
	response, err := app.Test(httptest.NewRequest(method, path, nil), -1)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestCookieReferencePageListsActualNames(t *testing.T) {
	rows := map[string][]string{"access token": nil, "refresh token": nil, "device": nil}
	for _, insecure := range []bool{false, true} {
		for _, everywhere := range []bool{false, true} {
			access, refresh := cookiename.Of("", "users", insecure, everywhere)
			rows["access token"] = append(rows["access token"], access)
			rows["refresh token"] = append(rows["refresh token"], refresh)
			rows["device"] = append(rows["device"], cookiename.Device("", "users", insecure))
		}
	}
	text := documents(t)["docs/reference/cookies.md"]
	for cookie, names := range rows {
		require.Contains(t, text, "| "+cookie+" | `"+strings.Join(names, "` | `")+"` |\n")
	}
	_, shop := cookiename.Of("shop", "users", true, true)
	require.Contains(t, text, "`"+shop+"`")
}

func TestErrorsPageHasEveryErrorAndNoOther(t *testing.T) {
	var statuses, meanings, listed []string
	for _, sentinel := range matchesIn(t, "errors.go", `(Err\w+) += &Error\{Status: (\d+), Code: "(\w+)"`) {
		statuses = append(statuses, sentinel[2]+" "+sentinel[3])
		meanings = append(meanings, sentinel[3]+" "+sentinel[1])
	}
	slices.Sort(statuses)
	page := "docs/reference/errors.md"
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9, ]+) \| (.*) \|$`).FindAllStringSubmatch(section(t, page, "Table"), -1) {
		of := strings.Split(row[1], ", ")
		for i, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			listed = append(listed, of[min(i, len(of)-1)]+" "+code[1]) // one status for all codes, or one for each
		}
	}
	require.ElementsMatch(t, slices.Compact(statuses), listed)
	var explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(Err\\w+)` \\|").FindAllStringSubmatch(section(t, page, "What they mean"), -1) {
		explained = append(explained, row[1]+" "+row[2])
	}
	require.ElementsMatch(t, meanings, explained)
}

func TestEventsPageHasEveryEventAndNoOther(t *testing.T) {
	var want []string
	for _, event := range matchesIn(t, "event/event.go", `Type += "(\w+)"`) {
		want = append(want, event[1])
	}
	page := "docs/reference/events.md"
	require.ElementsMatch(t, want, firstCells(section(t, page, "Types")))
	require.ElementsMatch(t, fields(reflect.TypeFor[event.Event](), ""), firstCells(section(t, page, "Fields")))
}

// matchesIn finds a pattern in a source file.
func matchesIn(t *testing.T, path, pattern string) [][]string {
	t.Helper()
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, found)
	return found
}

func TestREADMEHasAtMost200Lines(t *testing.T) {
	require.LessOrEqual(t, strings.Count(documents(t)["README.md"], "\n"), 200)
}

// A requirement of the root module raises the version in each application.
func TestRootModuleRequiresOnlyListedModules(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	var direct []string
	for _, line := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(text), -1) {
		direct = append(direct, line[1])
	}
	require.ElementsMatch(t, []string{
		"github.com/gofiber/fiber/v2",
		"github.com/golang-jwt/jwt/v5",
		"github.com/ncruces/go-sqlite3",
		"github.com/stretchr/testify",
		"github.com/uptrace/bun",
		"github.com/uptrace/bun/dialect/sqlitedialect",
		"github.com/valyala/fasthttp",
		"golang.org/x/crypto",
		"golang.org/x/text",
	}, direct)
}

func TestEveryModuleIsInWorkspaceAndCI(t *testing.T) {
	work, err := os.ReadFile("go.work")
	require.NoError(t, err)
	gate, err := os.ReadFile(".ci/run")
	require.NoError(t, err)
	modules := regexp.MustCompile(`(?m)^modules=\((.*)\)$`).FindStringSubmatch(string(gate))
	require.Len(t, modules, 2)
	for _, path := range filesOf(t, "go.mod") {
		folder := filepath.ToSlash(filepath.Dir(path))
		require.Contains(t, strings.Fields(modules[1]), folder)
		if _, err := os.Stat(filepath.Join(folder, "go.work")); err != nil {
			require.Contains(t, string(work), "\t./"+strings.TrimPrefix(folder, ".")+"\n")
		}
	}
}

func TestDependabotCoversEveryModule(t *testing.T) {
	text, err := os.ReadFile(".github/dependabot.yml")
	require.NoError(t, err)
	for _, path := range filesOf(t, "go.mod") {
		folder := strings.TrimSuffix("/"+strings.TrimSuffix(path, "go.mod"), "/")
		require.Contains(t, string(text), "directory: "+max(folder, "/")+"\n", path)
	}
}
