package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A worker of Node has no document, no location and no event listeners.
func TestClientRunsInNodeWorker(t *testing.T) {
	needNode(t)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"package.json": `{ "type": "module" }`,
		"source.js":    read(t, clientFolder+"client.js"),
		"served.js":    read(t, clientFolder+"client.min.js"),
		"worker.js": `import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
			if (isMainThread) {
				for (const workerData of ['./source.js', './served.js']) {
					const worker = new Worker(new URL(import.meta.url), { workerData });
					await new Promise((done, failed) => worker.on('message', word => console.log(word)).on('error', failed).on('exit', done));
				}
			} else {
				const { createAuth } = await import(workerData);
				let good = false;
				globalThis.fetch = async (input, { method = 'GET' } = {}) => {
					const { pathname } = new URL(input);
					parentPort.postMessage(method + ' ' + pathname);
					if (pathname === '/auth/users/refresh') {
						good = true;
						return Response.json({ token_type: 'Bearer', expires_in: 600 });
					}
					return good ? new Response('hello') : new Response('', { status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } });
				};
				const auth = createAuth('users', { base: 'https://api.example.com/auth' });
				const response = await auth.fetch('https://api.example.com/notes');
				parentPort.postMessage(response.status + ' ' + await response.text());
				auth.close();
			}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	out, err := exec.Command("node", filepath.Join(folder, "worker.js")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	const each = "GET /notes\nPOST /auth/users/refresh\nGET /notes\n200 hello\n"
	require.Equal(t, each+each, string(out))
}
