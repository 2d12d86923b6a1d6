package dbtest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// statements records the statements that a database receives.
type statements struct {
	mu   sync.Mutex
	sent []string
}

func (s *statements) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, event.Query)
	return ctx
}

func (*statements) AfterQuery(context.Context, *bun.QueryEvent) {}

// takeSent returns the statements since the last call.
func (s *statements) takeSent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// unsafeDB is a database with a setting under which Bun's literals have another meaning.
type unsafeDB struct {
	good, bad *bun.DB // the same database
	look      string  // the beginning of the statement that reads the setting
	hint      string
}

// postgresWithEscapes opens PostgreSQL with standard_conforming_strings=off.
func postgresWithEscapes(t *testing.T, driver string) unsafeDB {
	t.Helper()
	dsn := address(t, "FIBERJWT_POSTGRES")
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	config.RuntimeParams["search_path"] = createAndDrop(t, stdlib.OpenDB(*config), "SCHEMA ", " CASCADE")
	u := unsafeDB{good: closeLater(t, bun.NewDB(stdlib.OpenDB(*config), pgdialect.New())), look: "SELECT current_setting(", hint: "standard_conforming_strings is off"}
	config = config.Copy()
	config.RuntimeParams["standard_conforming_strings"] = "off"
	var pool *sql.DB
	switch driver {
	case "lib/pq":
		parsed, err := url.Parse(dsn)
		require.NoError(t, err)
		query := parsed.Query()
		query.Set("sslmode", "disable")
		query.Set("search_path", config.RuntimeParams["search_path"])
		query.Set("standard_conforming_strings", "off")
		parsed.RawQuery = query.Encode()
		pool, err = sql.Open("postgres", parsed.String())
		require.NoError(t, err)
	case "pgx, simple protocol":
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		fallthrough
	default:
		pool = stdlib.OpenDB(*config)
	}
	u.bad = closeLater(t, bun.NewDB(pool, pgdialect.New()))
	return u
}

// mariaWith opens MariaDB with a parameter in the DSN.
func mariaWith(t *testing.T, name, value, hint string) unsafeDB {
	t.Helper()
	cfg, err := mysql.ParseDSN(address(t, "FIBERJWT_MARIADB"))
	require.NoError(t, err)
	open := func(dsn string) *bun.DB {
		conn, err := sql.Open("mysql", dsn)
		require.NoError(t, err)
		return closeLater(t, bun.NewDB(conn, mysqldialect.New()))
	}
	conn, err := sql.Open("mysql", cfg.FormatDSN())
	require.NoError(t, err)
	cfg.DBName = createAndDrop(t, conn, "DATABASE ", "")
	dsn := cfg.FormatDSN()
	return unsafeDB{good: open(dsn), bad: open(dsn + "?" + url.Values{name: {value}}.Encode()), look: "SELECT @@SESSION.sql_mode", hint: hint}
}

// The library reads the setting before any statement with a client's text, whichever
// function sends it first, and sends nothing else.
func TestUnsafeLiteralSettingBlocksClientText(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) unsafeDB{
		"PostgreSQL, lib/pq": func(t *testing.T) unsafeDB { return postgresWithEscapes(t, "lib/pq") },
		"PostgreSQL, pgx":    func(t *testing.T) unsafeDB { return postgresWithEscapes(t, "pgx") },
		"MariaDB, NO_BACKSLASH_ESCAPES": func(t *testing.T) unsafeDB {
			return mariaWith(t, "sql_mode", "'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'", "sql_mode has NO_BACKSLASH_ESCAPES")
		},
		"MariaDB, EMPTY_STRING_IS_NULL": func(t *testing.T) unsafeDB {
			return mariaWith(t, "sql_mode", "'STRICT_TRANS_TABLES,EMPTY_STRING_IS_NULL'", "sql_mode has EMPTY_STRING_IS_NULL")
		},
		"MariaDB, gbk":  func(t *testing.T) unsafeDB { return mariaWith(t, "charset", "gbk", "character set is gbk") },
		"MariaDB, sjis": func(t *testing.T) unsafeDB { return mariaWith(t, "charset", "sjis", "character set is sjis") },
		"MariaDB, big5": func(t *testing.T) unsafeDB { return mariaWith(t, "charset", "big5", "character set is big5") },
	} {
		t.Run(name, func(t *testing.T) { testUnsafe(t, open(t)) })
	}
}

func testUnsafe(t *testing.T, u unsafeDB) {
	ctx := t.Context()
	err := fiberjwt.Migrate(ctx, u.bad)
	require.ErrorContains(t, err, u.hint)
	require.NoError(t, fiberjwt.Migrate(ctx, u.good))
	_, err = u.good.NewCreateTable().Model((*person)(nil)).Exec(ctx)
	require.NoError(t, err)

	good := newPeople(t, u.good)
	require.Equal(t, 201, good.post(t, "/auth/people/register", "ann@example.com"))
	ann := &person{}
	require.NoError(t, u.good.NewSelect().Model(ann).Scan(ctx))
	signedIn, err := good.auth.Issue(ctx, ann)
	require.NoError(t, err)
	require.Equal(t, 200, good.me(t, signedIn.AccessToken))
	alive, err := good.auth.Verify(ctx, signedIn.AccessToken)
	require.NoError(t, err)
	confirm := fiberjwt.Link[person]{Name: "confirm"}
	link, err := confirm.Token(good.auth, ann)
	require.NoError(t, err)

	for what, use := range map[string]func(*people) (status int, err error){
		"login": func(p *people) (int, error) {
			return p.post(t, "/auth/people/login", `\'); CREATE TABLE injected (x int); --`), nil
		},
		"login, another way": func(p *people) (int, error) { return p.post(t, "/auth/people/login", `€\' OR 1=1 -- `), nil },
		"registration": func(p *people) (int, error) {
			return p.post(t, "/auth/people/register", `\'); CREATE TABLE injected (x int); --`), nil
		},
		"a token": func(p *people) (int, error) { return p.me(t, signedIn.AccessToken), nil },
		"Verify":  func(p *people) (int, error) { _, err := p.auth.Verify(ctx, signedIn.AccessToken); return 0, err },
		"Alive":   func(p *people) (int, error) { return 0, p.auth.Alive(ctx, alive) },
		"Login":   func(p *people) (int, error) { return p.post(t, "/join", "ann@example.com"), nil },
		"Create": func(p *people) (int, error) {
			return 0, fiberjwt.Create(ctx, p.auth, &person{Email: `\'); CREATE TABLE injected (x int); --`}, "correct horse battery")
		},
		"Link.Check":  func(p *people) (int, error) { _, err := confirm.Check(ctx, p.auth, link); return 0, err },
		"Link.Redeem": func(p *people) (int, error) { _, err := confirm.Redeem(ctx, p.auth, link); return 0, err },
		"Issue":       func(p *people) (int, error) { _, err := p.auth.Issue(ctx, ann); return 0, err },
		"Revoke":      func(p *people) (int, error) { return 0, p.auth.Revoke(ctx, session.ID(make([]byte, 16))) },
		"RevokeAll":   func(p *people) (int, error) { return 0, fiberjwt.RevokeAll(ctx, p.auth, ann) },
		"Sessions":    func(p *people) (int, error) { _, err := fiberjwt.Sessions(ctx, p.auth, ann); return 0, err },
		"reset link": func(p *people) (int, error) {
			link, err := fiberjwt.ResetToken(p.auth, ann, 0)
			require.NoError(t, err)
			_, err = fiberjwt.ResetPassword[person](ctx, p.auth, link, "staple a better battery")
			return 0, err
		},
	} {
		seen := &statements{}
		p := newPeople(t, u.bad.WithQueryHook(seen), func(cfg *fiberjwt.Config) { cfg.Public = []string{"POST /join"} })
		p.app.Post("/join", func(c *fiber.Ctx) error {
			_, err := fiberjwt.Login(c, ann)
			return err
		})
		status, err := use(p)
		if status != 0 {
			require.Equal(t, 500, status, what)
			require.Contains(t, p.log.String(), u.hint, what)
			require.Equal(t, 1, strings.Count(p.log.String(), "\n"), "%s: %s", what, p.log.String())
		} else {
			require.ErrorIs(t, err, fiberjwt.ErrSetup, what)
			require.ErrorContains(t, err, u.hint, what)
		}
		sent := seen.takeSent()
		require.Len(t, sent, 1, what)
		require.True(t, strings.HasPrefix(sent[0], u.look), "%s: %s", what, sent[0])
	}
	require.NoError(t, u.bad.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := newPeople(t, u.bad).auth.Issue(ctx, ann, fiberjwt.LoginOptions{DB: tx})
		require.ErrorIs(t, err, fiberjwt.ErrSetup)
		require.ErrorContains(t, err, u.hint)
		return nil
	}))
	_, err = u.good.ExecContext(ctx, "SELECT * FROM injected")
	require.Error(t, err, "the injected statement ran")
}

// With this setting, pgx itself refuses the simple protocol, with the reason.
func TestPgxSimpleProtocolRefusesUnsafeLiterals(t *testing.T) {
	u := postgresWithEscapes(t, "pgx, simple protocol")
	require.ErrorContains(t, fiberjwt.Migrate(t.Context(), u.bad), "standard_conforming_strings")
	p := newPeople(t, u.bad)
	require.Equal(t, 503, p.post(t, "/auth/people/login", `\'); CREATE TABLE injected (x int); --`))
	require.Contains(t, p.log.String(), "standard_conforming_strings")
}

// Other modes change neither quotes nor backslashes.
func TestLiteralsAreSafeInOtherMariaDBModes(t *testing.T) {
	for _, modes := range []string{"ANSI", "ORACLE", "TRADITIONAL", "HIGH_NOT_PRECEDENCE,SIMULTANEOUS_ASSIGNMENT"} {
		db := maria(t, "sql_mode", modes+",STRICT_TRANS_TABLES")(t)
		require.NoError(t, fiberjwt.Migrate(t.Context(), db), modes)
		_, err := db.NewCreateTable().Model((*person)(nil)).Exec(t.Context())
		require.NoError(t, err)
		p := newPeople(t, db)
		require.Equal(t, 201, p.post(t, "/auth/people/register", `a\'b"@example.com`), "%s: %s", modes, p.log)
		require.Equal(t, 401, p.post(t, "/auth/people/login", `a'b"@example.com`), "%s: %s", modes, p.log)
		require.Equal(t, 200, p.post(t, "/auth/people/login", `a\'b"@example.com`), "%s: %s", modes, p.log)
	}
}

// people is an application with one kind of account.
type people struct {
	app  *fiber.App
	auth *fiberjwt.Auth
	log  *strings.Builder
}

func newPeople(t *testing.T, db *bun.DB, configure ...func(*fiberjwt.Config)) *people {
	t.Helper()
	p := &people{app: fiber.New(), log: &strings.Builder{}}
	cfg := fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: p.app.Group("/auth"),
		Entities:    []fiberjwt.AnyEntity{fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}},
		Logger:      slog.New(slog.NewTextHandler(p.log, nil)),
		ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	}
	for _, change := range configure {
		change(&cfg)
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	p.auth = auth
	p.app.Use(auth.Handler())
	p.app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, who *person) error { return c.JSON(who) }))
	return p
}

// post sends an email address with the password of all accounts.
func (p *people) post(t *testing.T, path, email string) (status int) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": "correct horse battery"})
	require.NoError(t, err)
	request := httptest.NewRequest("POST", path, strings.NewReader(string(body)))
	request.Header.Set("Content-Type", "application/json")
	response, err := p.app.Test(request, -1)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func (p *people) me(t *testing.T, token string) (status int) {
	t.Helper()
	request := httptest.NewRequest("GET", "/me", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := p.app.Test(request, -1)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// faltering cancels the context of the first statement.
type faltering struct{ statements }

func (f *faltering) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	ctx = f.statements.BeforeQuery(ctx, event)
	if len(f.sent) > 1 {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// Concurrent first requests read the setting with one statement, later requests with
// none. If the statement fails, it is repeated.
func TestLiteralSettingIsCheckedOnce(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *bun.DB{
		"PostgreSQL": func(t *testing.T) *bun.DB { return postgres(t)(t) },
		"MariaDB":    func(t *testing.T) *bun.DB { return maria(t)(t) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			require.NoError(t, fiberjwt.Migrate(t.Context(), db))
			looks := func(sent []string) int {
				return len(slices.DeleteFunc(sent, func(s string) bool {
					return !strings.Contains(s, "standard_conforming_strings") && !strings.Contains(s, "sql_mode")
				}))
			}

			seen := &statements{}
			p := newPeople(t, db.WithQueryHook(seen))
			var group sync.WaitGroup
			errs := make([]error, 20)
			for i := range errs {
				group.Go(func() { _, errs[i] = fiberjwt.Sessions(t.Context(), p.auth, &person{ID: 1}) })
			}
			group.Wait()
			require.NoError(t, errors.Join(errs...))
			require.Equal(t, 1, looks(seen.takeSent()))

			first := &faltering{}
			p = newPeople(t, db.WithQueryHook(first))
			_, err := fiberjwt.Sessions(t.Context(), p.auth, &person{ID: 1})
			require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
			require.Len(t, first.sent, 1)
			for range 2 {
				_, err = fiberjwt.Sessions(t.Context(), p.auth, &person{ID: 1})
				require.NoError(t, err)
			}
			require.Len(t, first.sent, 4, "the setting is read twice, and two lists follow")
		})
	}
}

// The sessions can be in another database than the accounts.
func TestUnsafeSessionStoreGetsNoClientText(t *testing.T) {
	u, seen := postgresWithEscapes(t, "lib/pq"), &statements{}
	require.NoError(t, fiberjwt.Migrate(t.Context(), u.good))
	ann := &person{Email: "ann@example.com"}
	for _, query := range []interface {
		Exec(context.Context, ...any) (sql.Result, error)
	}{u.good.NewCreateTable().Model(ann), u.good.NewInsert().Model(ann)} {
		_, err := query.Exec(t.Context())
		require.NoError(t, err)
	}
	p := newPeople(t, u.good, func(cfg *fiberjwt.Config) { cfg.Store = session.NewSQL(u.bad.WithQueryHook(seen)) })
	require.ErrorIs(t, fiberjwt.RevokeAll(t.Context(), p.auth, ann), fiberjwt.ErrSetup)
	require.ErrorIs(t, fiberjwt.Create(t.Context(), p.auth, &person{Email: "ann@example.com"}, "correct horse battery"), fiberjwt.ErrSetup)
	token, err := newPeople(t, u.good).auth.Issue(t.Context(), ann)
	require.NoError(t, err)
	_, err = p.auth.Verify(t.Context(), token.AccessToken)
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.Equal(t, 500, p.post(t, "/auth/people/login", "ann@example.com"))
	for _, sent := range seen.takeSent() {
		require.True(t, strings.HasPrefix(sent, u.look), sent)
	}
	require.ErrorContains(t, p.auth.Check(t.Context()), "Config.Store: "+u.hint)
}
