package auth_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/statement"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/session"
)

// User and Teacher have passwords. Guest has none: the application stores it.
type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement"`
	Email         string `bun:",unique,notnull"`
	Name          string
	Disabled      bool
	PasswordHash  string `bun:",notnull" json:"-"`
}

type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            int64  `bun:",pk,autoincrement"`
	Login         string `bun:",unique,notnull"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

type Guest struct {
	bun.BaseModel `bun:"table:guests"`
	ID            int64  `bun:",pk"`
	Subject       string `bun:",unique"`
}

const (
	email       = "ann@example.com"
	right       = "correct horse battery"
	newPassword = "staple a better battery"
	minute      = time.Minute
)

var (
	errDown     = errors.New("connection refused")
	errDisabled = errors.New("the account is disabled")
)

// client is the client of most requests.
var client = auth.Client{Address: "192.0.2.1", Agent: "test", Network: throttle.Place{Network: "192.0.2.1"}}

// clock is moved by tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// remote is a store that is not in the database of the accounts. With down, every call
// fails; attempts are counted in memory.
type remote struct {
	session.Store
	down bool
}

func (r *remote) err() error {
	if r.down {
		return errDown
	}
	return nil
}

func (r *remote) Create(ctx context.Context, row session.Row) error {
	return errors.Join(r.err(), r.Store.Create(ctx, row))
}

func (r *remote) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	if r.down {
		return session.Row{}, session.Gone, errDown
	}
	return r.Store.Refresh(ctx, kind, sid, g, now, t)
}

func (r *remote) Find(ctx context.Context, kind string, sid []byte) (session.Row, bool, error) {
	if r.down {
		return session.Row{}, false, errDown
	}
	return r.Store.Find(ctx, kind, sid)
}

func (r *remote) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	if r.down {
		return errDown
	}
	return r.Store.RevokeAll(ctx, kind, subject, except, now)
}

// world is a service on a database in memory.
type world struct {
	*auth.Service
	t               *testing.T
	db              *bun.DB
	clock           *clock
	log             *bytes.Buffer
	users, teachers *auth.Kind
	guests          *auth.Kind
}

// newWorld returns a world in which account 1 of users is ann, with the password right.
func newWorld(t *testing.T, configure ...func(w *world, cfg *auth.Config)) *world {
	t.Helper()
	w := &world{t: t, db: newDB(t), clock: &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}, log: &bytes.Buffer{}}
	w.users = kindOf[User](t, w.db, accounts.Declaration{Fillable: []string{"name"}, Registers: true})
	w.users.Allow = func(_ context.Context, account any) error {
		if account.(*User).Disabled {
			return errDisabled
		}
		return nil
	}
	w.users.Claims = func(account any) map[string]any { return map[string]any{"name": account.(*User).Name} }
	w.teachers = kindOf[Teacher](t, w.db, accounts.Declaration{Identity: "login"})
	w.guests = kindOf[Guest](t, w.db, accounts.Declaration{Password: "-"})
	ring := secret.NewRing(keys.Secret("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), nil)
	cfg := auth.Config{
		DB: w.db, Kinds: []*auth.Kind{w.users, w.teachers, w.guests}, Ring: ring,
		Hasher:      password.New(password.Settings{Memory: 64, Iterations: 1}, password.Load{Processors: 2, Patience: minute}),
		Guard:       dbcheck.NewGuard(w.db, nil, minute),
		Journal:     journal.New(slog.New(slog.NewTextHandler(w.log, nil)), w.clock.Now),
		ReadTimeout: minute, WriteTimeout: minute, Now: w.clock.Now,
	}
	cfg.Sessions = sessions.New(sessions.Config{Store: session.NewSQL(w.db), DB: w.db, Read: minute, Write: minute, Now: w.clock.Now})
	for _, change := range configure {
		change(w, &cfg)
	}
	cfg.Tokens = token.New(token.Config{Ring: ring, Kinds: []string{"users", "teachers", "guests"}, Issuer: "https://example.com", Audience: []string{"https://example.com"}, Now: w.clock.Now})
	var tables []*accounts.Kind
	pool := statement.NewPool(w.db, nil)
	for _, k := range cfg.Kinds {
		tables = append(tables, k.Kind)
		k.Prepare(pool)
	}
	accounts.JoinTables(tables)
	w.Service = auth.New(cfg)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	if cfg.DB != nil {
		require.NoError(t, w.Create(t.Context(), w.users, &User{Email: email, Name: "Ann"}, right))
	}
	return w
}

// withRemote keeps the sessions in store, which has a database of its own.
func withRemote(store *remote) func(*world, *auth.Config) {
	return func(w *world, cfg *auth.Config) {
		store.Store = session.NewSQL(newDB(w.t))
		cfg.Sessions = sessions.New(sessions.Config{Store: store, DB: w.db, Read: minute, Write: minute, Now: w.clock.Now})
	}
}

func kindOf[T any](t *testing.T, db *bun.DB, d accounts.Declaration) *auth.Kind {
	t.Helper()
	k, problems := accounts.Open(db, reflect.TypeFor[T](), d)
	require.Empty(t, problems)
	return &auth.Kind{
		Kind: k, AccessTTL: 10 * minute, IdleTTL: 24 * time.Hour, SessionTTL: 7 * 24 * time.Hour,
		Claims: func(any) map[string]any { return nil },
		Times:  session.Times{Grace: 30 * time.Second, Rearm: minute, Age: 5 * minute, Idle: 24 * time.Hour},
	}
}

// newDB returns a database in memory with all tables.
func newDB(t *testing.T) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	conn.SetMaxOpenConns(1) // otherwise each connection has its own database
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, session.Migrate(t.Context(), db))
	for _, model := range []any{(*User)(nil), (*Teacher)(nil), (*Guest)(nil)} {
		_, err := db.NewCreateTable().Model(model).Exec(t.Context())
		require.NoError(t, err)
	}
	return db
}

// sql runs statements.
func (w *world) sql(statements ...string) {
	w.t.Helper()
	for _, statement := range statements {
		_, err := w.db.ExecContext(w.t.Context(), statement)
		require.NoError(w.t, err, statement)
	}
}

func (w *world) count(table string) int64 {
	w.t.Helper()
	n, err := w.db.NewSelect().Table(table).Count(w.t.Context())
	require.NoError(w.t, err)
	return n
}

// ann returns the row of ann.
func (w *world) ann() *User {
	w.t.Helper()
	account, err := w.users.LoadBySubject(w.t.Context(), "1")
	require.NoError(w.t, err)
	return account.(*User)
}

func (w *world) signIn(given ...string) (auth.Pair, error) {
	identity, secret := email, right
	if len(given) > 0 {
		secret = given[0]
	}
	if len(given) > 1 {
		identity = given[1]
	}
	return w.SignIn(w.t.Context(), w.users, auth.Credentials{Identity: identity, Password: secret}, client)
}

// enter signs ann in.
func (w *world) enter() auth.Pair {
	w.t.Helper()
	p, err := w.signIn()
	require.NoError(w.t, err)
	return p
}

// verified returns the session of an access token.
func (w *world) verified(access string) auth.Verified {
	w.t.Helper()
	var v auth.Verified
	require.NoError(w.t, w.Verify(w.t.Context(), access, &v))
	return v
}

func (w *world) verifyError(access string) error {
	w.t.Helper()
	return w.Verify(w.t.Context(), access, new(auth.Verified))
}

func (w *world) refresh(raw string) (auth.Pair, error) {
	w.t.Helper()
	return w.Refresh(w.t.Context(), w.users, raw)
}
