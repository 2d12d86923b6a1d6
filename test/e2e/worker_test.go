package e2e_test

import (
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// workerScript fetches the address in each message and answers with the response.
const workerScript = `
const { createAuth } = await import('/auth/client.js');
const auth = createAuth('users');
const text = response => response.text().then(body => response.status + ' ' + body);
onmessage = async ({ data: { how, address } }) => {
  const input = { string: address, url: new URL(address, location), request: new Request(address) }[how];
  postMessage(await auth.fetch(input).then(text, fault => fault.name + ': ' + fault.message));
};
postMessage('ready');
`

const withoutSharing = `delete globalThis.BroadcastChannel; delete WorkerNavigator.prototype.locks;`

func TestWorkerFetchesThroughExpiries(t *testing.T) {
	for name, before := range map[string]string{"a worker": "", "a worker without locks and channels": withoutSharing} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t, func(_ *world, app *fiber.App, _ *fiberjwt.Config) {
				app.Get("/worker.js", func(c *fiber.Ctx) error { return c.Type("js", "utf-8").SendString(before + workerScript) })
			}), newProfile(t)
			b := w.home(p)
			b.signUp("users", "ann@example.com")
			b.run(`window.worker = new Worker('/worker.js', { type: 'module' }), new Promise(done => { worker.onmessage = done; }).then(() => true)`)
			ask := func(how, address string) string {
				return eval[string](b, `new Promise(done => {
					worker.onmessage = ({ data }) => done(data);
					worker.onerror = ({ message }) => done(message);
					worker.postMessage({ how: %q, address: %q });
				})`, how, address)
			}
			for _, how := range []string{"string", "url", "request"} {
				require.Contains(t, ask(how, "/data/users"), "200 {", how)
				w.expire()
				require.Contains(t, ask(how, "/data/users"), "200 {", "%s: %s", how, "after the token expired")
			}
			require.Equal(t, 3, w.count(refreshRoute, 200))
			b.run(`users.logout()`)
			require.Contains(t, ask("string", "/data/users"), "401 ")
			b.requireQuiet()
		})
	}
}
