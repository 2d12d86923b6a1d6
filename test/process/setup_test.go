// Package process has the tests that need separate processes, sockets and servers:
// several processes on one database, kill -9, and stores that fail.
//
// SQLite is always tested, and a PostgreSQL that the tests start if it is installed.
// FIBERJWT_POSTGRES, FIBERJWT_MARIADB_URL and FIBERJWT_MYSQL_URL name further servers.
// Each test creates a schema or a database there and drops it.
package process

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/test/process/internal/service"
)

const (
	secretA  = "kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"
	secretB  = "Zt3eB8uK1qW6xN0vC9aS2dF5gH7jL4mP"
	password = "a pony for the trip"
)

// patience is how long a test waits for something that will happen, also on a busy
// machine.
const patience = time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	stopShared()
	if dir, err := binaries(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// binaries returns a folder with the programs "server" and "example".
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fiberjwt-proctest")
	if err != nil {
		return "", err
	}
	for _, program := range []string{"server", "../../example"} { // in separate modules
		out, err := exec.Command("go", "build", "-C", program, "-ldflags=-s -w", "-o", dir+"/", ".").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
	}
	return dir, nil
})

// database is an empty database for one test.
type database struct {
	address string  // for the programs
	db      *bun.DB // one connection for the test itself
	tag     string  // marks the connections of the programs, if the server supports that
}

func openDatabase(t *testing.T, address, tag string) database {
	t.Helper()
	db, err := service.Open(address)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return database{address, db, tag}
}

func (d database) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := d.db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err, query)
}

func (d database) number(t *testing.T, query string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, d.db.NewRaw(query, args...).Scan(t.Context(), &n), query)
	return n
}

// age makes every session older by a duration.
func (d database) age(t *testing.T, by time.Duration) {
	t.Helper()
	d.exec(t, "UPDATE fiberjwt_sessions SET issued = issued - ?", by.Milliseconds())
}

// settle waits until the server has executed the last statements of killed processes.
func (d database) settle(t *testing.T) {
	t.Helper()
	query := ""
	switch d.db.Dialect().Name() {
	case dialect.PG:
		query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ?"
	case dialect.MySQL:
		query = "SELECT count(*) FROM information_schema.processlist WHERE db = ? AND id <> connection_id()"
	default:
		return
	}
	// MySQL refuses to list a prepared statement while it runs with binary arguments.
	done := func() bool {
		var running int64
		err := d.db.NewRaw(query, d.tag).Scan(t.Context(), &running)
		if err != nil {
			t.Log(err)
		}
		return err == nil && running == 0
	}
	require.Eventually(t, done, patience, 5*time.Millisecond, "the server still executes its statements")
}

func sqliteDatabase(t *testing.T) database {
	t.Helper()
	return openDatabase(t, filepath.Join(t.TempDir(), "proctest.db"), "")
}

// postgresDatabase creates a schema on the server that FIBERJWT_POSTGRES names.
func postgresDatabase(t *testing.T) database {
	t.Helper()
	address := os.Getenv("FIBERJWT_POSTGRES")
	if address == "" {
		t.Skip("set FIBERJWT_POSTGRES to a database, such as postgres://postgres@127.0.0.1:5432/test, to run this test")
	}
	return postgresSchema(t, address)
}

func postgresSchema(t *testing.T, address string) database {
	t.Helper()
	name := newName()
	server := openDatabase(t, address, "")
	server.exec(t, "CREATE SCHEMA "+name)
	t.Cleanup(func() {
		_, err := server.db.ExecContext(context.Background(), "DROP SCHEMA "+name+" CASCADE")
		require.NoError(t, err)
	})
	own := openDatabase(t, withQuery(t, address, "search_path", name), name)
	own.address = withQuery(t, own.address, "application_name", name)
	return own
}

func mariaDatabase(t *testing.T) database {
	t.Helper()
	return databaseAt(t, "FIBERJWT_MARIADB_URL")
}

func mysqlDatabase(t *testing.T) database {
	t.Helper()
	return databaseAt(t, "FIBERJWT_MYSQL_URL")
}

// databaseAt creates a database on the server that a variable names.
func databaseAt(t *testing.T, variable string) database {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("set %s to a database, such as mysql://root@127.0.0.1:3306/test, to run this test", variable)
	}
	name := newName()
	server := openDatabase(t, address, "")
	server.exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		_, err := server.db.ExecContext(context.Background(), "DROP DATABASE "+name)
		require.NoError(t, err)
	})
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.Path = "/" + name
	return openDatabase(t, u.String(), name)
}

func newName() string { return "fiberjwt_" + strings.ToLower(rand.Text()) }

func withQuery(t *testing.T, address, key, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// onEachDatabase runs test on the four databases.
func onEachDatabase(t *testing.T, test func(t *testing.T, d database)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqliteDatabase(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgresDatabase(t)) })
	t.Run("MariaDB", func(t *testing.T) { test(t, mariaDatabase(t)) })
	t.Run("MySQL", func(t *testing.T) { test(t, mysqlDatabase(t)) })
}

// process is a running program.
type process struct {
	base   string // "http://127.0.0.1:…"
	cmd    *exec.Cmd
	stderr *output
	ended  chan struct{}
}

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startServer runs ./server on d, with long timeouts.
func (d database) startServer(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, "server", nil, append([]string{"-dsn", d.address, "-read", patience.String(), "-write", patience.String()}, args...)...)
}

// startExample runs the example on d.
func (d database) startExample(t *testing.T, env ...string) *process {
	t.Helper()
	return start(t, "example", append([]string{"ADDR=127.0.0.1:0", "DATABASE_URL=" + d.address, "SECRET=" + secretA}, env...))
}

var address = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

// start runs a program and waits until it prints its address. The program is killed at
// the end of the test.
func start(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	dir, err := binaries()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(filepath.Join(dir, program), args...), stderr: &output{}, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.stderr
	stdin, err := p.cmd.StdinPipe() // the server ends when stdin closes
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if base := address.FindString(lines.Text()); base != "" && len(found) == 0 {
				found <- base
			}
		}
		close(found)
		_ = p.cmd.Wait()
		_ = stdin.Close()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	select {
	case p.base = <-found:
	case <-time.After(patience):
	}
	require.NotEmpty(t, p.base, "%s did not print its address: %s", program, p.stderr)
	return p
}

// kill sends SIGKILL and waits until the process has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop sends SIGTERM and waits until the process has ended.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	<-p.ended
}

// reply is an answer of the service.
type reply struct {
	status int
	header http.Header
	text   string
	took   time.Duration
}

func (r reply) member(name string) string {
	var object map[string]any
	_ = json.Unmarshal([]byte(r.text), &object)
	text, _ := object[name].(string)
	return text
}

// tokens are the tokens of a session that a client stores.
type tokens struct{ access, refresh string }

// keep returns the tokens after an answer: new ones replace those that the client has.
func (k tokens) keep(r reply) tokens {
	if access := r.member("access_token"); access != "" {
		k.access = access
	}
	if refresh := r.member("refresh_token"); refresh != "" {
		k.refresh = refresh
	}
	return k
}

// client sends requests to any base address.
type client struct{ http *http.Client }

func newClient() client {
	return client{&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}}
}

// send returns an error if there was no answer.
func (c client) send(base, method, path, access, body string) (reply, error) {
	request, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if access != "" {
		request.Header.Set("Authorization", "Bearer "+access)
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text), time.Since(began)}, err
}

func (c client) me(base, access string) (reply, error) {
	return c.send(base, "GET", "/api/me", access, "")
}

func (c client) refresh(base, refresh string) (reply, error) {
	return c.send(base, "POST", "/auth/users/refresh", "", object("refresh_token", refresh))
}

func (c client) login(base, email, password string) (reply, error) {
	return c.send(base, "POST", "/auth/users/login", "", object("email", email, "password", password))
}

func (c client) logout(base, access string) (reply, error) {
	return c.send(base, "POST", "/auth/users/logout", access, "")
}

func (c client) register(base, email, password string) (reply, error) {
	return c.send(base, "POST", "/auth/users/register", "", object("email", email, "password", password))
}

func (c client) changePassword(base, access, current, password string) (reply, error) {
	return c.send(base, "POST", "/auth/users/password", access, object("current_password", current, "password", password))
}

// answered is for requests that must get an answer.
func answered(t *testing.T) func(reply, error) reply {
	return func(r reply, err error) reply {
		t.Helper()
		require.NoError(t, err)
		return r
	}
}

// object returns a JSON object of strings. pairs are names and values.
func object(pairs ...string) string {
	members := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	text, _ := json.Marshal(members)
	return string(text)
}
