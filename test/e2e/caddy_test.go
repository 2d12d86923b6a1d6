package e2e_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newCaddied is a server that trusts everybody, behind a Caddy that asks the
// application of a world by the lines of docs/how-to/proxy.md.
func newCaddied(t *testing.T) *proxied {
	t.Helper()
	path := os.Getenv("FIBERJWT_CADDY")
	if path == "" {
		t.Skip("set FIBERJWT_CADDY=1, or to the path of a caddy, to run this test")
	}
	if path == "1" {
		path = "caddy"
	}
	x := &proxied{world: newPlainWorld(t)}
	guarded := httptest.NewServer(http.HandlerFunc(x.guarded))
	t.Cleanup(guarded.Close)
	text, err := os.ReadFile("../../docs/how-to/proxy.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindStringSubmatch(string(text))
	require.Len(t, found, 2)
	folder, err := os.MkdirTemp("", "caddy") // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	socket := filepath.Join(folder, "socket")
	lines := strings.NewReplacer(
		"app.example.com {", "http://app.test {\n\tbind unix/"+socket,
		"127.0.0.1:3000", "127.0.0.1:"+x.port,
		"127.0.0.1:4000", strings.TrimPrefix(guarded.URL, "http://"),
	).Replace(found[1])
	file := filepath.Join(folder, "Caddyfile")
	require.NoError(t, os.WriteFile(file, []byte("{\n\tadmin off\n\tauto_https off\n}\n"+lines), 0o600))

	var log strings.Builder
	caddy := exec.Command(path, "run", "--config", file, "--adapter", "caddyfile")
	caddy.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	caddy.Stderr = &log
	require.NoError(t, caddy.Start())
	t.Cleanup(func() {
		_ = caddy.Process.Kill()
		_ = caddy.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	x.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	require.Eventually(t, func() bool {
		conn, err := x.dial(t.Context(), "", "")
		return err == nil && conn.Close() == nil
	}, patience, 5*time.Millisecond, "caddy does not start")
	return x
}

// C19: Caddy asks with GET, whatever the client sent.
func TestCaddyAllowsWhatTheApplicationAllows(t *testing.T) {
	x := newCaddied(t)
	cookie := x.signUp()
	for name, test := range map[string]struct {
		method  string
		headers []string
		status  int
	}{
		"signed-out visitor":                       {"GET", nil, 401},
		"signed-out POST":                          {"POST", []string{"Origin", ownOrigin}, 401},
		"signed-in GET":                            {"GET", []string{"Cookie", cookie}, 200},
		"signed-in visitor from a cross-site link": {"GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 200},
		"own origin by Origin header":              {"POST", []string{"Cookie", cookie, "Origin", ownOrigin}, 200},
		"own origin by Sec-Fetch-Site":             {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200},
		"another origin by Origin header":          {"POST", []string{"Cookie", cookie, "Origin", otherOrigin}, 403},
		"another origin by Sec-Fetch-Site":         {"DELETE", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-site"}, 403},
		"another origin with X-Forwarded-Method":   {"POST", []string{"Cookie", cookie, "Origin", otherOrigin, "X-Forwarded-Method", "GET"}, 403},
		"upgrade from the own origin":              {"GET", []string{"Cookie", cookie, "Origin", ownOrigin, "Upgrade", "h2c", "Connection", "Upgrade"}, 200},
		"upgrade from another origin":              {"GET", []string{"Cookie", cookie, "Origin", otherOrigin, "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			answer := x.ask(test.method, "/", strings.NewReader("a note"), test.headers...)
			came := x.through()
			require.Equal(t, test.status, answer.StatusCode)
			if test.status != 200 {
				require.Empty(t, came)
			} else {
				require.Len(t, came, 1)
			}
		})
	}
}
