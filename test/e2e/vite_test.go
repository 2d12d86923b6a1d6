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

// frameworks are the frameworks for which the guide has a component.
var frameworks = map[string]struct{ component, plugin, main string }{
	"React": {"Account.tsx", "", `import { createElement } from 'react';
		import { createRoot } from 'react-dom/client';
		import { Account } from './Account';
		createRoot(document.querySelector('main')).render(createElement(Account));`},
	"Vue": {"Account.vue", "import { default as plugin } from '@vitejs/plugin-vue';", `import { createApp } from 'vue';
		import Account from './Account.vue';
		createApp(Account).mount('main');`},
	"Svelte": {"Account.svelte", "import { svelte as plugin } from '@sveltejs/vite-plugin-svelte';", `import { mount } from 'svelte';
		import Account from './Account.svelte';
		mount(Account, { target: document.querySelector('main') });`},
}

// viteProject returns the files of a project that follows the guide: its Vite
// configuration and the component of one framework.
func viteProject(t *testing.T, framework, application string) map[string]string {
	t.Helper()
	const address = "http://127.0.0.1:3000"
	config := sample(t, "vite.config.js")
	require.Contains(t, config, address)
	config = strings.Replace(config, address, application, 1)
	f := frameworks[framework]
	if f.plugin != "" {
		config = f.plugin + "\n" + strings.Replace(config, "export default {", "export default { plugins: [plugin()],", 1)
	}
	return map[string]string{
		"package.json":       `{ "type": "module" }`,
		"tsconfig.json":      `{ "compilerOptions": { "jsx": "react-jsx" } }`,
		"vite.config.js":     config,
		"src/auth.ts":        sample(t, "src/auth.ts"),
		"src/" + f.component: sample(t, "src/"+f.component),
		"index.html":         `<!doctype html><title>vite</title><main></main><script type="module" src="/src/main.js"></script>`,
		"src/main.js":        f.main + "\nimport * as guide from './auth'; window.users = guide.auth; window.guide = guide;",
	}
}

// sample returns the file of the guide whose first line names it.
func sample(t *testing.T, name string) string {
	t.Helper()
	return guide(t, "(?s)```\\w+\n((?://|<!--) "+regexp.QuoteMeta(name)+"(?: -->)?\n.*?)```")
}

// installClient installs the npm package by the commands of the guide, next to the
// packages of test/interop.
func installClient(t *testing.T, project string) {
	t.Helper()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = project
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	client, err := filepath.Abs("../../internal/client")
	require.NoError(t, err)
	run("npm", "pack", client)
	run("npm", "install", "--offline", "--no-audit", "--no-fund", "./fiberjwt-client-0.0.0.tgz")
	modules, err := filepath.Abs("../interop/node_modules")
	require.NoError(t, err)
	packages, err := filepath.Glob(filepath.Join(modules, "[^.]*"))
	require.NoError(t, err)
	for _, path := range packages {
		require.NoError(t, os.Symlink(path, filepath.Join(project, "node_modules", filepath.Base(path))))
	}
}

// startVite serves a project and returns its address.
func startVite(t *testing.T, project map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "src"), 0o700))
	for name, text := range project {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	installClient(t, folder)
	vite := exec.Command("node", filepath.Join(folder, "node_modules/vite/bin/vite.js"), "--host", "127.0.0.1", "--port", "20000")
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
		t.Skip("set FIBERJWT_INTEROP=1, after npm ci in test/interop, to run this test")
	}
	return newPlainWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.Insecure = true })
}

func TestFrameworkSamplesShowTheAccount(t *testing.T) {
	for framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			w, p := newViteWorld(t), newProfile(t)
			address := startVite(t, viteProject(t, framework, "http://127.0.0.1:"+w.port))
			b := p.tab().visit(address)
			shows := func(b *tab, text string) {
				t.Helper()
				b.wait(`document.querySelector('main').textContent.trim() === %q`, text)
			}
			shows(b, "Signed out")
			b.signUp("users", "ann@example.com")
			shows(b, "ann@example.com Sign out")
			other := p.tab().visit(address)
			shows(other, "ann@example.com Sign out")
			w.expire()
			require.EqualValues(t, 200, eval[float64](b, `users.fetch('/api/data', { method: 'POST', body: 'a note' }).then(r => r.status)`))
			require.Equal(t, 1, w.count(refreshRoute, 200))
			socket := strings.Replace(address, "http", "ws", 1) + "/api/live"
			require.Equal(t, "ann@example.com: hello", eval[string](b, speak, socket))
			other.click("button")
			shows(b, "Signed out")
			require.Equal(t, "refused", eval[string](b, speak, socket))
			require.NotEmpty(t, eval[string](b, `guide.signIn("ann@example.com", "wrong pony")`))
			b.run(`guide.signIn('ann@example.com', %q)`, password)
			shows(other, "ann@example.com Sign out")
		})
	}
}

func TestViteProxyMustKeepTheHost(t *testing.T) {
	w := newViteWorld(t)
	project := viteProject(t, "React", "http://127.0.0.1:"+w.port)
	signUp := func(email string) int {
		t.Helper()
		address := startVite(t, project)
		r, err := http.NewRequestWithContext(t.Context(), "POST", address+"/auth/users/register",
			strings.NewReader(`{"email":"`+email+`","password":"`+password+`","transport":"cookie"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", address) // browsers do not send Sec-Fetch-Site on plain http
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, 201, signUp("ann@example.com"))
	project["vite.config.js"] = `export default { server: { proxy: { '/auth': 'http://127.0.0.1:` + w.port + `' } } };`
	require.Equal(t, 403, signUp("bob@example.com"), "a proxy given as a string works too, so the guide need not warn of it")
}
