package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of docs/spa.md are about the client: what they do with the page
// and with React is anything.
const (
	tsconfig = `{
		"compilerOptions": {
			"strict": true, "noEmit": true, "allowJs": true, "checkJs": true, "types": [],
			"target": "es2022", "lib": ["es2024", "dom", "dom.iterable"], "module": "esnext", "moduleResolution": "bundler",
			"paths": {"/auth/client.js": ["./client.d.ts"], "https://api.example.com/auth/client.js": ["./client.d.ts"]}
		},
		"include": ["*"]
	}`
	anyPage  = "declare const document: any;\n"
	anyReact = `declare module 'react' {
		export function useState(): [any, (value: any) => void];
		export function useEffect(effect: () => (() => void) | void, on: unknown[]): void;
	}`
)

func TestTheClientIsAsItsTypesSay(t *testing.T) {
	needNode(t)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"client.d.ts":   read(t, "../internal/client/client.d.ts"),
		"source.js":     read(t, "../internal/client/client.js"),
		"uses.ts":       read(t, "uses.ts"),
		"plain.ts":      anyPage + example(t, `(?s)<script type="module">(.*?)</script>`),
		"account.ts":    example(t, "(?s)```jsx\n(.*?)```"),
		"elsewhere.ts":  example(t, "```js\n(import .*)\n```"),
		"modules.d.ts":  anyReact,
		"tsconfig.json": tsconfig,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	out, err := exec.Command("node", "node_modules/typescript/bin/tsc", "--project", folder).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestTheReactExampleIsRenderedOnAServer(t *testing.T) {
	needNode(t)
	folder := t.TempDir()
	modules, err := filepath.Abs("node_modules")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(modules, filepath.Join(folder, "node_modules")))
	for name, text := range map[string]string{
		"package.json": `{ "type": "module" }`,
		"client.js":    read(t, "../internal/client/client.js"),
		"account.js":   example(t, "(?s)```jsx\n(.*?)```"),
		"server.js": `import { createElement } from 'react';
			import { renderToString } from 'react-dom/server';
			import { useAccount } from './account.js';
			console.log(renderToString(createElement(() => useAccount() === undefined ? 'not known yet' : 'somebody')));`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	out, err := exec.Command("node", filepath.Join(folder, "server.js")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "not known yet\n", string(out))
}

// example of docs/spa.md: there is one that matches.
func example(t *testing.T, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, "../docs/spa.md"), -1)
	require.Len(t, found, 1, pattern)
	return found[0][1]
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
