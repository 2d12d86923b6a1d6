package interop

import (
	"net"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// Member signs in by password.
type Member struct {
	ID           int64 `bun:",pk,autoincrement"`
	Email        string
	PasswordHash string `json:"-"`
}

// TestMobileSampleKeepsItsSession runs the class of docs/how-to/mobile.md in Node.
func TestMobileSampleKeepsItsSession(t *testing.T) {
	needNode(t)
	var ahead atomic.Int64
	db := newDB(t)
	_, err := db.NewCreateTable().Model((*Member)(nil)).Exec(t.Context())
	require.NoError(t, err)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/later", func(*fiber.Ctx) error {
		ahead.Add(int64(time.Hour))
		return nil
	})
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB: db, Secret: []byte(secret), Routes: app.Group("/auth"), Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		Transports: []fiberjwt.Transport{fiberjwt.TransportBody},
		Entities:   []fiberjwt.AnyEntity{fiberjwt.Entity[Member]{Register: fiberjwt.Anyone[Member]}},
	}))
	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, m *Member) error { return c.JSON(m) }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })

	folder := write(t, map[string]string{
		"package.json": `{ "type": "module" }`,
		"session.ts":   blockOf(t, "session.ts"),
		"app.ts": `import { Session, type Tokens } from './session';
			import assert from 'node:assert/strict';
			const api = process.argv[2];
			let kept: Tokens | null = null, refreshes = 0, online = true;
			const session = new Session(api + '/auth/members', {
				load: async () => kept, save: async tokens => { kept = tokens; }, clear: async () => { kept = null; },
			});
			const original = globalThis.fetch;
			globalThis.fetch = async (input, init) => {
				if (!online) throw new TypeError('no network');
				if (input.endsWith('/refresh')) refreshes++;
				return original(input, init);
			};
			const post = (route, body) => original(api + route, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
			const me = async () => (await session.fetch(api + '/me')).status;

			assert.equal(await me(), 401);
			await post('/auth/members/register', { email: 'ann@example.com', password: 'a pony for the trip' });
			await assert.rejects(session.login('ann@example.com', 'a wrong pony'), Error);
			await session.login('ann@example.com', 'a pony for the trip');
			assert.equal(await me(), 200);

			await post('/later', {});
			const first = kept.refresh_token;
			assert.deepEqual(await Promise.all(Array.from({ length: 10 }, me)), Array(10).fill(200));
			assert.equal(refreshes, 1, 'all share one refresh');
			const second = kept.refresh_token;
			assert.notEqual(second, first);
			assert.equal(await session.refresh(), true);
			assert.equal(kept.refresh_token, second, 'a response without a refresh token keeps the old one');

			await post('/later', {});
			online = false;
			await assert.rejects(session.refresh());
			assert.equal(kept.refresh_token, second, 'an outage keeps the tokens');
			online = true;
			assert.equal(await me(), 200);

			const last = kept.refresh_token;
			await session.logout();
			assert.equal(kept, null);
			assert.equal((await post('/auth/members/refresh', { refresh_token: last })).status, 401);
			assert.equal(await session.refresh(), false);

			await session.login('ann@example.com', 'a pony for the trip');
			await post('/auth/members/logout', { refresh_token: kept.refresh_token });
			assert.equal(await session.refresh(), false);
			assert.equal(kept, null, 'a session that is over leaves no tokens');
			console.log('done');`,
		"build.mjs": `import { build } from 'esbuild';
			await build({ entryPoints: ['app.ts'], outfile: 'app.mjs', bundle: true, format: 'esm', platform: 'node' });
			await import('./app.mjs');`,
	})
	installClient(t, folder) // for esbuild
	cmd := exec.Command("node", "build.mjs", "http://"+listener.Addr().String())
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "done\n", string(out))
}
