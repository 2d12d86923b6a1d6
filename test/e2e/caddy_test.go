package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newCaddy starts a Caddy with the lines of docs/how-to/proxy.md.
func newCaddy(t *testing.T) *proxied {
	t.Helper()
	path := os.Getenv("FIBERJWT_CADDY")
	if path == "" {
		t.Skip("set FIBERJWT_CADDY=1, or to the path of a caddy, to run this test")
	}
	if path == "1" {
		path = "caddy"
	}
	x := &proxied{world: newPlainWorld(t)}
	folder := socketFolder(t)
	lines := strings.NewReplacer(
		"app.example.com {", "http://app.test {\n\tbind unix/"+filepath.Join(folder, "socket"),
		"127.0.0.1:3000", "127.0.0.1:"+x.port,
		"127.0.0.1:4000", strings.TrimPrefix(x.serveGuarded(), "http://"),
	).Replace(guide(t, "(?s)```caddyfile\n(.*?)```"))
	file := filepath.Join(folder, "Caddyfile")
	require.NoError(t, os.WriteFile(file, []byte("{\n\tadmin off\n\tauto_https off\n}\n"+lines), 0o600))
	caddy := exec.Command(path, "run", "--config", file, "--adapter", "caddyfile")
	caddy.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	x.run(folder, caddy)
	return x
}

// Caddy always asks the application with GET, also if the client sent another method.
func TestCaddyAllowsWhatTheApplicationAllows(t *testing.T) {
	x := newCaddy(t)
	cookie := x.signUp()
	x.requireStatuses(cookie, map[string]guardedRequest{
		"another origin with X-Forwarded-Method": {"POST", []string{"Cookie", cookie, "Origin", otherOrigin, "X-Forwarded-Method", "GET"}, 403},
		"upgrade from the own origin":            {"GET", []string{"Cookie", cookie, "Origin", ownOrigin, "Upgrade", "h2c", "Connection", "Upgrade"}, 200},
		"upgrade from another origin":            {"GET", []string{"Cookie", cookie, "Origin", otherOrigin, "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}, 403},
	})
}
