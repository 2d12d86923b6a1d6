package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	tsconfig = `{
		"compilerOptions": {
			"strict": true, "noEmit": true, "allowJs": true, "checkJs": true, "types": [], "jsx": "react-jsx", "skipLibCheck": true,
			"target": "es2022", "lib": ["es2024", "dom", "dom.iterable"], "module": "esnext", "moduleResolution": "bundler",
			"verbatimModuleSyntax": true,
			"paths": {"/auth/client.js": ["./client.d.ts"], "https://api.example.com/auth/client.js": ["./client.d.ts"]}
		},
		"include": ["*", "src/*"]
	}`
	// anyPage lets a script assign any property of elements.
	anyPage = "declare const document: any;\n"
)

// checkers are the type checkers of Vue and Svelte, each with the samples that it checks.
// Vue's checker is TypeScript's for all other files.
var checkers = []struct {
	command []string
	samples []string
}{
	{[]string{"vue-tsc/bin/vue-tsc.js", "--project", "."}, []string{"src/auth.ts", "src/Account.tsx", "src/Account.vue"}},
	{[]string{"svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings"}, []string{"src/Account.svelte"}},
}

func TestClientMatchesItsTypes(t *testing.T) {
	needNode(t)
	folder := write(t, map[string]string{
		"client.d.ts":   read(t, clientFolder+"client.d.ts"),
		"source.js":     read(t, clientFolder+"client.js"),
		"uses.ts":       read(t, "uses.ts"),
		"plain.ts":      anyPage + example(t, `(?s)<script type="module">(.*?)</script>`),
		"elsewhere.ts":  example(t, "```js\n(import .*)\n```"),
		"session.ts":    blockOf(t, "session.ts"),
		"tsconfig.json": tsconfig,
	})
	out, err := exec.Command("node", "node_modules/typescript/bin/tsc", "--project", folder).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestFrameworkSamplesAreTypeChecked(t *testing.T) {
	needNode(t)
	mistakes := strings.NewReplacer("account.email", "account.mail", "auth.me()", "auth.whoami()")
	right, wrong := map[string]string{}, map[string]string{}
	for _, checker := range checkers {
		for _, name := range checker.samples {
			right[name] = blockOf(t, name)
			wrong[name] = mistakes.Replace(right[name])
			require.NotEqual(t, right[name], wrong[name])
		}
	}
	check := func(files map[string]string, command []string) (string, error) {
		files["package.json"], files["tsconfig.json"] = `{ "type": "module" }`, tsconfig
		folder := write(t, files)
		installClient(t, folder)
		cmd := exec.Command("node", append([]string{filepath.Join("node_modules", command[0])}, command[1:]...)...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, checker := range checkers {
		out, err := check(right, checker.command)
		require.NoError(t, err, "%s", out)
		out, err = check(wrong, checker.command)
		require.Error(t, err)
		for _, name := range checker.samples {
			require.Contains(t, out, filepath.Base(name), "the checker did not find the mistake")
		}
	}
}

func TestReactSampleRendersOnServer(t *testing.T) {
	needNode(t)
	files := map[string]string{
		"package.json":  `{ "type": "module" }`,
		"tsconfig.json": tsconfig,
		"server.ts": `import { createElement } from 'react';
			import { renderToString } from 'react-dom/server';
			import { Account } from './src/Account';
			console.log(renderToString(createElement(Account)));`,
		"build.mjs": `import { build } from 'esbuild';
			await build({ entryPoints: ['server.ts'], outfile: 'server.mjs', bundle: true, packages: 'external', format: 'esm', platform: 'node' });
			await import('./server.mjs');`,
	}
	for _, name := range []string{"src/auth.ts", "src/Account.tsx"} {
		files[name] = blockOf(t, name)
	}
	folder := write(t, files)
	installClient(t, folder)
	cmd := exec.Command("node", "build.mjs")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "<p>Loading…</p>\n", string(out))
}

// write puts files into a new folder.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return folder
}

// blockOf returns the file of the documents whose first line names it.
func blockOf(t *testing.T, name string) string {
	t.Helper()
	return example(t, "(?s)```\\w+\n((?://|<!--) "+regexp.QuoteMeta(name)+"(?: -->)?\n.*?)```")
}

// example returns the only block of the documents that matches pattern.
func example(t *testing.T, pattern string) string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*/*.md")
	require.NoError(t, err)
	var found [][]string
	for _, page := range pages {
		found = append(found, regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, page), -1)...)
	}
	require.Len(t, found, 1, pattern)
	return found[0][1]
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
