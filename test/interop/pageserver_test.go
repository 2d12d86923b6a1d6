package interop

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// TestPageServerSampleFindsSignedInUser runs the function of
// docs/how-to/server-rendered.md in Node.
func TestPageServerSampleFindsSignedInUser(t *testing.T) {
	if os.Getenv("FIBERJWT_INTEROP") == "" {
		t.Skip("set FIBERJWT_INTEROP=1, with Node")
	}
	var ahead atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	api := "http://" + listener.Addr().String()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB: newDB(t), Secret: []byte(secret), Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Password: "-"}},
		Routes:   app.Group("/auth"), Public: []string{"POST /enter"},
		Cookie: fiberjwt.Cookie{RefreshEverywhere: true}, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	}))
	app.Post("/enter", func(c *fiber.Ctx) error {
		_, err := fiberjwt.Login(c, &User{ID: 1}, fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie})
		return err
	})
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })

	jar := map[string]string{}
	response, err := http.Post(api+"/enter", "", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)
	for _, cookie := range response.Cookies() {
		jar[cookie.Name] = cookie.Value
	}

	page := newPage(t, api)
	ahead.Store(int64(time.Hour))
	token, fault := page.accessToken(jar)
	require.Empty(t, fault)
	require.Equal(t, 200, get(t, api+"/me", token))
	token, fault = page.accessToken(map[string]string{})
	require.Empty(t, token+fault, "a request without cookies")
	token, fault = page.accessToken(map[string]string{"__Host-Http-users.refresh": "fjr_none"})
	require.Empty(t, token+fault, "a session that has ended")
	require.NoError(t, app.Shutdown())
	_, fault = page.accessToken(jar)
	require.NotEmpty(t, fault, "if the API is down, the page must not treat the user as signed out")
}

// page is the function of the document, in a separate module.
type page struct {
	t    *testing.T
	path string
}

func newPage(t *testing.T, api string) page {
	t.Helper()
	block := example(t, "(?s)```js\n(// On the page server.*?)```")
	const written = "http://127.0.0.1:3000"
	require.Contains(t, block, written)
	p := page{t, filepath.Join(t.TempDir(), "page.mjs")}
	script := strings.ReplaceAll(block, written, api) + "\nconsole.log(JSON.stringify(await accessToken(JSON.parse(process.argv[2]))));\n"
	require.NoError(t, os.WriteFile(p.path, []byte(script), 0o600))
	return p
}

func (p page) accessToken(cookies map[string]string) (token, fault string) {
	p.t.Helper()
	argument, err := json.Marshal(cookies)
	require.NoError(p.t, err)
	var wrong strings.Builder
	cmd := exec.CommandContext(p.t.Context(), "node", p.path, string(argument))
	cmd.Stderr = &wrong
	output, err := cmd.Output()
	if err != nil {
		return "", wrong.String()
	}
	var answer *string
	require.NoError(p.t, json.Unmarshal(output, &answer))
	if answer == nil {
		return "", ""
	}
	return *answer, ""
}

func get(t *testing.T, url, access string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+access)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
