package e2e_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// viteProject is that of somebody who followed docs/spa.md: its configuration,
// its React hook, and client.js copied beside them.
func viteProject(t *testing.T, application string) map[string]string {
	t.Helper()
	client, err := os.ReadFile("../internal/client/client.js")
	require.NoError(t, err)
	const address = "http://127.0.0.1:3000"
	config := guide(t, "(?s)```js\n(// vite.config.js\n.*?)```")
	require.Contains(t, config, address)
	return map[string]string{
		"package.json":   `{ "type": "module" }`,
		"vite.config.js": strings.Replace(config, address, application, 1),
		"client.js":      string(client),
		"account.jsx":    guide(t, "(?s)```jsx\n(.*?)```"),
		"index.html":     `<!doctype html><title>vite</title><output></output><script type="module" src="/main.js"></script>`,
		"main.js": `import { createElement } from 'react';
			import { createRoot } from 'react-dom/client';
			import { auth, useAccount } from './account.jsx';
			const Account = () => {
				const account = useAccount();
				return account === undefined ? '…' : account ? account.email : 'nobody';
			};
			createRoot(document.querySelector('output')).render(createElement(Account));
			window.users = auth;`,
	}
}

// startVite serves a project and gives its address.
func startVite(t *testing.T, project map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range project {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	modules, err := filepath.Abs("../interop/node_modules")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(modules, filepath.Join(folder, "node_modules")))
	vite := exec.Command("node", filepath.Join(modules, "vite/bin/vite.js"), "--host", "127.0.0.1", "--port", "20000")
	vite.Dir, vite.Stderr = folder, os.Stderr
	vite.Env = append(os.Environ(), "NO_COLOR=1")
	out, err := vite.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, vite.Start())
	t.Cleanup(func() {
		_ = vite.Process.Kill()
		_ = vite.Wait()
	})
	address := ""
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		address = regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
	}
	require.NotEmpty(t, address)
	return address
}

func newViteWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv("FIBERJWT_INTEROP") == "" {
		t.Skip("set FIBERJWT_INTEROP=1, after npm ci in interop, to run this test")
	}
	return newPlainWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.Insecure = true })
}

func TestViteAndReactAsTheGuideSays(t *testing.T) {
	w, p := newViteWorld(t), newProfile(t)
	address := startVite(t, viteProject(t, "http://127.0.0.1:"+w.port))
	b := p.tab().visit(address)
	shows := func(text string) {
		t.Helper()
		b.wait(`document.querySelector('output').textContent === %q`, text)
	}
	shows("nobody")
	b.signUp("users", "ann@example.com")
	shows("ann@example.com")
	other := p.tab().visit(address)
	other.wait(`document.querySelector("output").textContent === "ann@example.com"`)
	w.expire()
	require.EqualValues(t, 200, eval[float64](b, `users.fetch('/api/data', { method: 'POST', body: 'a note' }).then(r => r.status)`))
	require.Equal(t, 1, w.count(refreshRoute, 200))
	socket := strings.Replace(address, "http", "ws", 1) + "/api/live"
	require.Equal(t, "ann@example.com: hello", eval[string](b, speak, socket))
	other.run("users.logout()")
	shows("nobody")
	require.Equal(t, "refused", eval[string](b, speak, socket))
}

func TestViteMustLeaveTheHostAlone(t *testing.T) {
	w := newViteWorld(t)
	project := viteProject(t, "http://127.0.0.1:"+w.port)
	signUp := func(email string) int {
		t.Helper()
		address := startVite(t, project)
		r, err := http.NewRequestWithContext(t.Context(), "POST", address+"/auth/users/register",
			strings.NewReader(`{"email":"`+email+`","password":"`+password+`","transport":"cookie"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", address) // of a browser that sends no Sec-Fetch-Site, as on plain http
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, 201, signUp("ann@example.com"))
	project["vite.config.js"] = `export default { server: { proxy: { '/auth': 'http://127.0.0.1:` + w.port + `' } } };`
	require.Equal(t, 403, signUp("bob@example.com"), "a string would do as well, so the guide need not warn of it")
}
