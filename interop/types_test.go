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
	// anyPage lets a script assign to elements as it likes.
	anyPage = "declare const document: any;\n"
)

// compilers check the samples of the documents: React's and those without a
// framework, Vue's and Svelte's.
var compilers = map[string][]string{
	"src/auth.ts":        {"typescript/bin/tsc", "--project", "."},
	"src/Account.tsx":    {"typescript/bin/tsc", "--project", "."},
	"src/Account.vue":    {"vue-tsc/bin/vue-tsc.js", "--project", "."},
	"src/Account.svelte": {"svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings"},
}

func TestTheClientIsAsItsTypesSay(t *testing.T) {
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

func TestSamplesOfFrameworksAreTypeChecked(t *testing.T) {
	needNode(t)
	files := map[string]string{"package.json": `{ "type": "module" }`, "tsconfig.json": tsconfig}
	for name := range compilers {
		files[name] = blockOf(t, name)
	}
	folder := write(t, files)
	installClient(t, folder)
	for name, compiler := range compilers {
		check := func() (string, error) {
			cmd := exec.Command("node", append([]string{filepath.Join("node_modules", compiler[0])}, compiler[1:]...)...)
			cmd.Dir = folder
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		out, err := check()
		require.NoError(t, err, "%s\n%s", name, out)

		path := filepath.Join(folder, name)
		wrong := strings.NewReplacer("account.email", "account.mail", "auth.me()", "auth.whoami()").Replace(files[name])
		require.NotEqual(t, files[name], wrong, name)
		require.NoError(t, os.WriteFile(path, []byte(wrong), 0o600))
		out, err = check()
		require.Error(t, err, "a mistake in %s is not found", name)
		require.Contains(t, out, filepath.Base(name))
		require.NoError(t, os.WriteFile(path, []byte(files[name]), 0o600))
	}
}

func TestReactSampleIsRenderedOnAServer(t *testing.T) {
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

// blockOf gives the file of the documents whose first line names it.
func blockOf(t *testing.T, name string) string {
	t.Helper()
	return example(t, "(?s)```\\w+\n((?://|<!--) "+regexp.QuoteMeta(name)+"(?: -->)?\n.*?)```")
}

// example gives the block of the documents that matches: there is one.
func example(t *testing.T, pattern string) string {
	t.Helper()
	pages, err := filepath.Glob("../docs/*/*.md")
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
