package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is the example, built and started as a process.
type program struct {
	base    string
	welcome string
	stdout  io.Reader
	stderr  *output
	process *exec.Cmd
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

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fiberjwt-example")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "example")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// start starts the example in an empty folder on a free port, and waits until it listens.
func start(t *testing.T, env ...string) *program {
	t.Helper()
	p := launch(t, env...)
	p.listen()
	require.NotEmpty(t, p.base, "the example does not say where it listens: %s", p.stderr)
	return p
}

// launch starts the example and does not wait. env overrides the environment.
func launch(t *testing.T, env ...string) *program {
	t.Helper()
	binary, err := build()
	require.NoError(t, err)
	p := &program{stderr: &output{}, process: exec.Command(binary)}
	p.process.Dir = t.TempDir()
	p.process.Env = append(append(os.Environ(), "ADDR=127.0.0.1:0", "SECRET=", "DATABASE_URL=", "ACCESS_TTL="), env...)
	p.process.Stderr = p.stderr
	p.stdout, err = p.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.process.Start())
	t.Cleanup(func() {
		_ = p.process.Process.Kill()
		_ = p.process.Wait()
	})
	return p
}

// stop ends the program and returns everything that it wrote to stderr. Before the program has ended, some of its output may not
// have arrived yet.
func (p *program) stop(t *testing.T) string {
	t.Helper()
	require.NoError(t, p.process.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.process.Wait())
	return p.stderr.String()
}

// listen reads the output of the program up to the last curl line.
func (p *program) listen() {
	var text strings.Builder
	lines := bufio.NewScanner(p.stdout)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if p.base == "" {
			p.base = regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
		}
		if strings.Contains(lines.Text(), "curl") && strings.Count(text.String(), "/api/me") == 2 {
			break
		}
	}
	p.welcome = text.String()
}

// client sends requests to a program, with or without a cookie jar.
type client struct {
	t    *testing.T
	p    *program
	http *http.Client
}

func (p *program) client(t *testing.T) *client { return &client{t, p, &http.Client{}} }

func (p *program) browser(t *testing.T) *client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &client{t, p, &http.Client{Jar: jar}}
}

type reply struct {
	status int
	header http.Header
	text   string
	object map[string]any
}

func (c *client) do(method, path, body string, headers ...string) reply {
	c.t.Helper()
	request, err := http.NewRequest(method, c.p.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(request)
	require.NoError(c.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	r := reply{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.object)
	return r
}

func (c *client) get(path, access string) reply {
	c.t.Helper()
	return c.do("GET", path, "", "Authorization", "Bearer "+access)
}

func (r reply) member(name string) string {
	text, _ := r.object[name].(string)
	return text
}

const (
	annBody    = `{"email":"ann@example.com","password":"a pony for the trip","full_name":"Ann"}`
	tobyBody   = `{"login":"toby","password":"chalk and chalkboard","name":"Toby"}`
	withCookie = `,"transport":"cookie"}`
)

func inCookies(body string) string { return strings.TrimSuffix(body, "}") + withCookie }

func TestUserAndTeacherUseTheAPI(t *testing.T) {
	onEachDatabase(t, walk)
}

func walk(t *testing.T, address string) {
	p := start(t, "DATABASE_URL="+address)
	c := p.client(t)
	require.Equal(t, 200, c.do("GET", "/api/public", "").status)
	require.Equal(t, 401, c.do("GET", "/api/me", "").status)

	ann := c.do("POST", "/auth/users/register", annBody)
	require.Equal(t, 201, ann.status, ann.text)
	toby := c.do("POST", "/auth/teachers/register", tobyBody)
	require.Equal(t, 201, toby.status, toby.text)
	annToken, tobyToken := ann.member("access_token"), toby.member("access_token")

	me := c.get("/api/me", annToken)
	require.Equal(t, "users", me.member("kind"), me.text)
	require.EqualValues(t, 1, me.object["id"])
	require.Equal(t, "teachers", c.get("/api/me", tobyToken).member("kind"))
	require.Equal(t, 200, c.get("/api/users/me", annToken).status)
	require.Equal(t, 200, c.get("/api/teachers/me", tobyToken).status)
	require.Equal(t, 200, c.get("/api/sensitive", annToken).status)
	for path, token := range map[string]string{"/api/users/me": tobyToken, "/api/teachers/me": annToken} {
		across := c.get(path, token)
		require.Equal(t, 403, across.status)
		require.Equal(t, "wrong_kind", across.member("error"))
	}
	require.Equal(t, 200, c.do("GET", "/api/optional", "").status)

	hay := "buy hay 🐎 " + strings.Repeat("and oats ", 50) // longer than a VARCHAR(255)
	note := c.do("POST", "/api/notes", `{"text":"`+hay+`"}`, "Authorization", "Bearer "+annToken)
	require.Equal(t, 201, note.status, note.text)
	require.EqualValues(t, 1, note.object["id"], note.text)
	listed := c.get("/api/notes", annToken)
	require.Contains(t, listed.text, strings.TrimSpace(hay))
	require.Contains(t, listed.text, note.member("created_at"), "the stored time equals the time in the response")
	require.Equal(t, 409, c.do("POST", "/auth/users/register", annBody).status)
	require.NotContains(t, c.get("/api/notes", tobyToken).text, "buy hay", "teacher 1 is not user 1")

	again := c.do("POST", "/auth/users/refresh", `{"refresh_token":"`+ann.member("refresh_token")+`"}`)
	require.Equal(t, 200, again.status, again.text)
	require.NotEmpty(t, again.member("access_token"))
	require.NotContains(t, again.object, "refresh_token", "too early to rotate")

	other := c.do("POST", "/auth/users/login", annBody)
	require.Equal(t, 200, other.status, other.text)
	changed := c.do("POST", "/auth/users/password", `{"current_password":"a pony for the trip","password":"two ponies for the trip"}`,
		"Authorization", "Bearer "+annToken)
	require.Equal(t, 204, changed.status, changed.text)
	require.Equal(t, 401, c.get("/api/me", other.member("access_token")).status, "the other session has ended")

	require.Equal(t, 204, c.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+annToken).status)
	require.Equal(t, 401, c.get("/api/me", annToken).status)
	require.Equal(t, 200, c.get("/api/me", tobyToken).status)
}

func TestBrowserIsUserAndTeacherAtOnce(t *testing.T) {
	p := start(t)
	b := p.browser(t)
	require.Equal(t, 201, b.do("POST", "/auth/users/register", inCookies(annBody)).status)
	require.Equal(t, 201, b.do("POST", "/auth/teachers/register", inCookies(tobyBody)).status)
	require.Equal(t, 200, b.do("GET", "/api/users/me", "").status)
	require.Equal(t, 200, b.do("GET", "/api/teachers/me", "").status)

	refreshed := b.do("POST", "/auth/users/refresh", "")
	require.Equal(t, 200, refreshed.status, refreshed.text)
	require.NotContains(t, refreshed.text, "eyJ", "no token in a body")
	foreign := b.do("POST", "/api/notes", `{"text":"from elsewhere"}`, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, 403, foreign.status)
	require.Equal(t, "csrf", foreign.member("error"))

	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").status)
	require.NotEqual(t, 200, b.do("GET", "/api/users/me", "").status)
	require.Equal(t, 200, b.do("GET", "/api/teachers/me", "").status)
}

func TestServerReportsReceivedSessionCookies(t *testing.T) {
	p := start(t)
	b := p.browser(t)
	require.JSONEq(t, `{"users":false,"teachers":false}`, b.do("GET", "/api/session-cookies", "").text)
	require.Equal(t, 201, b.do("POST", "/auth/teachers/register", inCookies(tobyBody)).status)
	require.JSONEq(t, `{"users":false,"teachers":true}`, b.do("GET", "/api/session-cookies", "").text)
	tls := p.client(t).do("GET", "/api/session-cookies", "", "Cookie", "__Host-Http-users=x; teachers.refresh=y")
	require.JSONEq(t, `{"users":true,"teachers":false}`, tls.text)
}

func TestTryRoutesIssueTokensOnlyToTheirKind(t *testing.T) {
	p := start(t)
	require.Equal(t, 401, p.client(t).do("POST", "/api/try/users/tokens", "").status)
	b := p.browser(t)
	require.Equal(t, 201, b.do("POST", "/auth/teachers/register", inCookies(tobyBody)).status)
	require.Equal(t, 401, b.do("POST", "/api/try/users/tokens", "").status)
	require.Equal(t, 403, b.do("POST", "/api/try/teachers/tokens", "", "Sec-Fetch-Site", "cross-site").status)

	tokens := b.do("POST", "/api/try/teachers/tokens", "")
	require.Equal(t, 200, tokens.status, tokens.text)
	require.Equal(t, "wrong_kind", p.client(t).get("/api/users/me", tokens.member("access_token")).member("error"))
	require.Equal(t, 200, p.client(t).get("/api/teachers/me", tokens.member("access_token")).status)
	require.Equal(t, 404, p.client(t).do("POST", "/quick/teachers/register", tobyBody).status, "registration stays at /auth")

	expiring := b.do("POST", "/api/try/teachers/expiring", "")
	require.Equal(t, 200, expiring.status, expiring.text)
	require.EqualValues(t, 1, expiring.object["expires_in"])
	require.NotContains(t, expiring.text, "eyJ", "no token in a body")
}

func TestPageHasStrictContentSecurityPolicy(t *testing.T) {
	p := start(t)
	page := p.client(t).do("GET", "/", "")
	require.Equal(t, 200, page.status)
	require.Contains(t, page.header.Get("Content-Type"), "text/html")
	policy := page.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	for _, file := range regexp.MustCompile(`(?:src|href)="(/?[a-z]+\.(?:js|css))"`).FindAllStringSubmatch(page.text, -1) {
		require.Equal(t, 200, p.client(t).do("GET", "/"+strings.TrimPrefix(file[1], "/"), "").status, file[1])
	}
}

func TestPrintedCurlCommandsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	p := start(t)
	var script strings.Builder
	for line := range strings.Lines(p.welcome) {
		if strings.HasPrefix(line, "  ") {
			script.WriteString(line)
		}
	}
	out, err := exec.Command("sh", "-c", "set -e\n"+script.String()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text := string(out)
	require.Contains(t, text, `"entity"`)
	require.Contains(t, text, "ada@example.com")
	require.Contains(t, text, "wrong_kind")
	require.Contains(t, text, "204 No Content")
	require.Contains(t, text, "invalid_token", "the last line comes after logout")
}

func TestREADMECurlCommandsReturnWhatItSays(t *testing.T) {
	checkCurlLines(t, "../README.md", start(t).base)
}

// The curl lines of docs/start.md are for the program on that page.
func TestStartPageCurlCommandsReturnWhatItSays(t *testing.T) {
	page, err := os.ReadFile("../docs/start.md")
	require.NoError(t, err)
	code := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindSubmatch(page)
	require.NotNil(t, code)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())

	dir := t.TempDir()
	source := strings.ReplaceAll(string(code[1]), "127.0.0.1:3000", address)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "shop"), filepath.Join(dir, "main.go")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	shop := exec.Command(filepath.Join(dir, "shop"))
	shop.Dir, shop.Env = dir, append(os.Environ(), "SECRET=kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0")
	require.NoError(t, shop.Start())
	t.Cleanup(func() {
		_ = shop.Process.Kill()
		_ = shop.Wait()
	})
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)
	checkCurlLines(t, "../docs/start.md", "http://"+address)
}

// checkCurlLines runs the console blocks of a document against a server, and requires each response that the document shows.
func checkCurlLines(t *testing.T, document, base string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	script, want := "set -e\n", []string(nil)
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "http://127.0.0.1:3000", base)) {
			switch {
			case strings.HasPrefix(line, "$ "):
				script += "echo; " + line[2:]
			case strings.HasPrefix(line, "    "):
				script += line
			case strings.HasPrefix(line, "{"):
				want = append(want, strings.TrimSpace(line))
			}
		}
	}
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotEmpty(t, want)
	token := regexp.MustCompile(`(eyJ|fjr_)[^"]*`) // tokens differ in each run
	for _, line := range want {
		require.Contains(t, token.ReplaceAllString(string(out), "…"), token.ReplaceAllString(line, "…"))
	}
}

func TestMissingSecretLogsOneWarning(t *testing.T) {
	warned := start(t).stop(t)
	require.Equal(t, 1, strings.Count(warned, "\n"), warned)
	require.Contains(t, warned, "SECRET")
	require.Empty(t, start(t, "SECRET=kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0").stop(t))
}

// Browsers open connections in advance and may never send a request on them. A server that waits for such connections would wait
// for ReadTimeout, which is 10 s.
func TestServerStopsWithoutWaitingForBrowsers(t *testing.T) {
	p := start(t)
	ahead, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
	require.NoError(t, err)
	defer func() { _ = ahead.Close() }()
	require.Equal(t, 200, p.browser(t).do("GET", "/", "").status) // this connection stays open too
	began := time.Now()
	require.NoError(t, p.process.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.process.Wait())
	require.Less(t, time.Since(began), 8*time.Second)
}

func TestWrongSettingsGiveOneClearError(t *testing.T) {
	binary, err := build()
	require.NoError(t, err)
	for setting, want := range map[string]string{
		"ACCESS_TTL=soon": "ACCESS_TTL",
		"SECRET=short":    "Secret",
		"DATABASE_URL=oracle://ora:tiger@127.0.0.1/nobody":    "postgres://",
		"DATABASE_URL=postgres://pg:tiger@127.0.0.1:port/x":   "postgres://user:password@host",
		"DATABASE_URL=mysql://my:tiger@127.0.0.1:port/x":      "mysql://user:password@host",
		"DATABASE_URL=mysql://my:tiger@127.0.0.1":             "mysql://user:password@host",
		"DATABASE_URL=postgres://pg:tiger@127.0.0.1:1/nobody": "open the database",
		"DATABASE_URL=mysql://my:tiger@127.0.0.1:1/nobody":    "open the database",
		"DATABASE_URL=:memory:":                               "in-memory",
		"ADDR=nowhere":                                        "nowhere",
	} {
		process := exec.Command(binary)
		process.Dir = t.TempDir()
		process.Env = append(os.Environ(), "ADDR=127.0.0.1:0", setting)
		out, err := process.CombinedOutput()
		require.Error(t, err, setting)
		require.Contains(t, string(out), want)
		require.NotContains(t, string(out), "panic")
		require.NotContains(t, string(out), "tiger", "a password is in the log")
	}
}
