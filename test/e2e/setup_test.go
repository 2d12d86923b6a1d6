package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
)

type User struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull" json:"email"`
	PasswordHash string `bun:",notnull" json:"-"`
}

type Teacher struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Login        string `bun:",unique,notnull" json:"login"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// world is an application that answers on a port for every host name, over TLS.
type world struct {
	t    *testing.T
	port string

	mu      sync.Mutex
	ahead   time.Duration                           // how far the application's clock is ahead
	answers map[string]int                          // the number of answers, by "METHOD path status"
	detour  func(c *fiber.Ctx) (done bool, _ error) // runs before the application
}

// After expiry, every access token has expired, and its refresh token is old enough to
// be rotated.
const (
	accessTTL = 10 * time.Minute
	expiry    = accessTTL + time.Minute
	password  = "correct horse battery"
)

// configure may change the Config, and add handlers above fiberjwt.
type configure func(w *world, app *fiber.App, cfg *fiberjwt.Config)

func newWorld(t *testing.T, changes ...configure) *world {
	t.Helper()
	return openWorld(t, true, changes)
}

// newPlainWorld is newWorld without TLS.
func newPlainWorld(t *testing.T, changes ...configure) *world {
	t.Helper()
	return openWorld(t, false, changes)
}

func openWorld(t *testing.T, secure bool, changes []configure) *world {
	t.Helper()
	w := &world{t: t, answers: map[string]int{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, w.port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	if secure {
		listener = tls.NewListener(listener, selfSigned(t))
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ReadBufferSize: 16 << 10, ErrorHandler: fiber.DefaultErrorHandler})
	app.Use(w.watch)
	cfg := fiberjwt.Config{
		DB:     newDB(t),
		Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"),
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], AccessTTL: accessTTL},
			fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher], AccessTTL: accessTTL},
		},
		Routes:      app.Group("/auth"),
		ServeClient: true,
		Public:      []string{"POST /enter"},
		Password:    fiberjwt.Password{Memory: 19456, Iterations: 2, Threads: 1},
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now:         w.now,

		ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	}
	for _, change := range changes {
		change(w, app, &cfg)
	}
	app.Get("/", servePage)
	app.Get("/blank", func(c *fiber.Ctx) error {
		return c.Type("html", "utf-8").SendString("<!doctype html><title>blank</title>")
	})
	app.Get("/page.js", func(c *fiber.Ctx) error { return c.Type("js", "utf-8").SendString(pageScript) })
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	app.Use(auth.Handler())
	routes(app, auth, cfg.DB)
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return w
}

// servePage sends a page with a strict content security policy, under which the client
// must work.
func servePage(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'self'")
	return c.Type("html", "utf-8").SendString(`<!doctype html><title>page</title><script type="module" src="/page.js"></script>`)
}

const pageScript = `import { createAuth } from '/auth/client.js';
window.events = [];
for (const kind of ['users', 'teachers']) {
  const auth = window[kind] = createAuth(kind);
  auth.on('session', () => events.push(kind + ' session'));
  auth.on('ended', () => events.push(kind + ' ended'));
}
window.ready = true;
`

func routes(app *fiber.App, auth *fiberjwt.Auth, db bun.IDB) {
	echo := func(c *fiber.Ctx) error { return c.SendString(string(c.Body())) }
	app.Get("/data/users", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
	app.Get("/data/teachers", fiberjwt.As(func(c *fiber.Ctx, u *Teacher) error { return c.JSON(u) }))
	app.Post("/data/users", fiberjwt.Require("users"), echo)
	app.Post("/api/data", fiberjwt.Require("users"), echo)
	app.Post("/enter", func(c *fiber.Ctx) error {
		first := &User{ID: 1}
		if err := db.NewSelect().Model(first).WherePK().Scan(c.UserContext()); err != nil {
			return err
		}
		if _, err := fiberjwt.Login(c, first, fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie}); err != nil {
			return err
		}
		return c.Redirect("/", fiber.StatusSeeOther)
	})
	app.Get("/live", live(auth))
	app.Get("/api/live", live(auth))
	check(app)
}

func newDB(t *testing.T) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "test.db")+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	ctx := context.Background()
	for _, model := range []any{(*User)(nil), (*Teacher)(nil)} {
		_, err := db.NewCreateTable().Model(model).Exec(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, fiberjwt.Migrate(ctx, db))
	return db
}

func selfSigned(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"a.test", "*.a.test", "evil.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// expire moves the clock past the lifetime of every access token.
func (w *world) expire() { w.advance(expiry) }

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// watch runs the detour and counts answers.
func (w *world) watch(c *fiber.Ctx) error {
	w.mu.Lock()
	detour := w.detour
	w.mu.Unlock()
	done, err := false, error(nil)
	if detour != nil {
		done, err = detour(c)
	}
	if !done && err == nil {
		err = c.Next()
	}
	if err != nil {
		err = c.App().ErrorHandler(c, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[fmt.Sprintf("%s %s %d", c.Method(), c.Path(), c.Response().StatusCode())]++
	return err
}

// setDetour sets the handler that runs before the application, nil for none.
func (w *world) setDetour(detour func(c *fiber.Ctx) (bool, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.detour = detour
}

// holdRefreshes makes refreshes of users wait until release is closed. held is closed
// when the first one arrives.
func (w *world) holdRefreshes() (held, release chan struct{}) {
	held, release = make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() == "/auth/users/refresh" {
			once.Do(func() { close(held) })
			<-release
		}
		return false, nil
	})
	return held, release
}

// count returns the number of answers with a status to request, a method and a path.
func (w *world) count(request string, status int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers[fmt.Sprintf("%s %d", request, status)]
}

func (w *world) url(host, path string) string { return "https://" + host + ":" + w.port + path }

// home opens the page in a new tab.
func (w *world) home(p *profile, before ...string) *tab {
	w.t.Helper()
	b := p.tab(before...).visit(w.url("a.test", "/"))
	b.wait("window.ready")
	return b
}

// signUp registers an account of kind in the page.
func (b *tab) signUp(kind, identity string) {
	b.t.Helper()
	column := map[string]string{"users": "email", "teachers": "login"}[kind]
	b.run(`%s.register({ %s: %q, password: %q })`, kind, column, identity, password)
}

func (b *tab) signIn(identity string) {
	b.t.Helper()
	b.run(`users.login({ email: %q, password: %q })`, identity, password)
}

// enterByForm signs in as the first user by a form, without the client. When the
// cookies arrive, the browser has left the page, and the next page has a new client.
func (w *world) enterByForm(b *tab) {
	w.t.Helper()
	b.visit(w.url("a.test", "/blank"))
	b.run(`document.body.innerHTML = '<form method="post" action="/enter">', void document.forms[0].submit()`)
	b.wait(`location.pathname === '/' && window.ready`)
}

// who returns the email of the signed-in user, "" if no user is signed in.
func (b *tab) who() string {
	b.t.Helper()
	return eval[string](b, `users.me().then(account => account ? account.email : '')`)
}
