// Code generated from ../../../test/api/check_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

func TestCheckAcceptsTablesMadeByBunAndMigrate(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.auth.Check(t.Context()))
}

// The statements of each case replace the table users.
func TestCheckReportsTableProblems(t *testing.T) {
	const rest = ", full_name TEXT, admin BOOLEAN, disabled BOOLEAN, password_hash TEXT NOT NULL)"
	for name, c := range map[string]struct {
		ddl  []string
		want string // "" if Check must succeed
	}{
		"no table":            {nil, "the table does not exist"},
		"a column is missing": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT, admin BOOLEAN, password_hash TEXT)"}, `the table has no column "disabled"`},
		"no identity":         {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT UNIQUE" + rest}, `Identity: the table has no column "email": bring it up to the model; its columns are id, mail`},
		"no index":            {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest}, `Identity: no unique index on the column "email" alone`},
		"an index that is not unique": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE INDEX i ON users (email)"},
			`Identity: no unique index on the column "email" alone`},
		"an index with another column": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE UNIQUE INDEX by_name ON users (email, full_name)"},
			`by_name is for (email, full_name)`},
		"an index of some rows": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE UNIQUE INDEX some ON users (email) WHERE admin"},
			`some is for (email) where admin`},
		"numbers": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email STRING UNIQUE" + rest}, `Identity: the column "email" is a STRING, which stores digits as a number`},
		"a constraint, and a length at which SQLite does not look": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(20), full_name, admin, disabled, password_hash VARCHAR(60), UNIQUE (email))"}, ""},
		"a row takes the place of another":                         {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE ON CONFLICT REPLACE" + rest}, "a constraint of the table has ON CONFLICT REPLACE"},
		"a row is left out":                                        {[]string{"CREATE TABLE Users (id INTEGER PRIMARY KEY, email TEXT" + rest[:len(rest)-1] + ", UNIQUE (email)\n on /* so */ conflict\tignore)"}, "a constraint of the table has ON CONFLICT IGNORE"},
		"no row is lost": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE ON CONFLICT FAIL, full_name TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'it''s on conflict ignore'," +
			" admin BOOLEAN, disabled BOOLEAN, password_hash TEXT) -- on conflict replace"}, ""},
		"an index":                           {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE UNIQUE INDEX i ON users (email COLLATE NOCASE)"}, ""},
		"an index of all rows with an email": {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE UNIQUE INDEX i ON users (email) WHERE (email IS NOT NULL)"}, ""},
		"an expression":                      {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE UNIQUE INDEX i ON users (lower(email))"}, ""},
		"an expression of two":               {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT" + rest, "CREATE UNIQUE INDEX i ON users (lower(email || full_name))"}, "no unique index"},
		"generated of two":                   {[]string{"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, folded TEXT AS (email || full_name) STORED UNIQUE" + rest}, "no unique index"},
		"other case":                         {[]string{"CREATE TABLE USERS (ID INTEGER PRIMARY KEY, Email TEXT UNIQUE" + rest}, ""},
		"a view":                             {[]string{"CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE" + rest, "CREATE VIEW users AS SELECT * FROM people"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, statement := range append([]string{"DROP TABLE users"}, c.ddl...) {
				_, err := w.db.Exec(statement)
				require.NoError(t, err)
			}
			err := w.auth.Check(t.Context())
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.ErrorContains(t, err, c.want)
			require.True(t, strings.HasPrefix(err.Error(), "fiberjwt: Config.Entities[0] (User, table users): "), err)
		})
	}
}

// The sessions of an account would not end in the other kind, which reads the same row through a view.
func TestCheckRejectsViewOnTableOfAnotherKind(t *testing.T) {
	const table, fault = "CREATE TABLE %s (id INTEGER PRIMARY KEY, login TEXT UNIQUE, email TEXT UNIQUE, full_name TEXT, admin BOOLEAN, disabled BOOLEAN, password_hash TEXT)",
		`Config.Entities[1] (Teacher, table teachers): the view and the table of kind "users" show rows of one table`
	for name, c := range map[string]struct {
		ddl  []string
		want string // "" if Check must succeed
	}{
		"a view":                    {[]string{`CREATE VIEW teachers AS SELECT * FROM "Users" WHERE admin`}, fault},
		"a view with a schema":      {[]string{"CREATE VIEW teachers AS SELECT * FROM main.users"}, fault},
		"a view on a view":          {[]string{"CREATE VIEW v AS SELECT u.* FROM (users AS u)", "CREATE VIEW teachers AS SELECT v.* FROM roles, v"}, fault},
		"a view that joins":         {[]string{"CREATE VIEW teachers AS SELECT users.* FROM roles JOIN users ON users.id = roles.id"}, fault},
		"two views on one table":    {[]string{"ALTER TABLE users RENAME TO people", "CREATE VIEW users AS SELECT * FROM people", "CREATE VIEW teachers AS SELECT * FROM people"}, fault},
		"a view on another table":   {[]string{fmt.Sprintf(table, "people"), "CREATE VIEW teachers AS SELECT id, login, email AS users, password_hash FROM people"}, ""},
		"the other one is the view": {[]string{fmt.Sprintf(table, "teachers"), "DROP TABLE users", "CREATE VIEW users AS SELECT * FROM teachers"}, `Config.Entities[0] (User, table users): the view and the table of kind "teachers"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sql("DROP TABLE teachers", "DROP TABLE users", "CREATE TABLE roles (id INTEGER)", fmt.Sprintf(table, "users"))
			w.sql(c.ddl...)
			err := w.auth.Check(t.Context())
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.ErrorContains(t, err, c.want)
		})
	}
}

type SoftDeleted struct {
	bun.BaseModel `bun:"table:soft_deleted"`
	ID            int64     `bun:",pk,autoincrement" json:"id"`
	Tenant        int64     `json:"tenant"`
	Email         string    `json:"email"`
	PasswordHash  string    `json:"-"`
	DeletedAt     time.Time `bun:",soft_delete,nullzero" json:"-"`
}

func TestCheckRequiresUniqueIdentityInVisibleRows(t *testing.T) {
	narrowed := fiberjwt.Entity[SoftDeleted]{Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("tenant = 1") }}
	for name, c := range map[string]struct {
		index string
		kind  fiberjwt.AnyEntity
		found bool
	}{
		"an index of living rows":                                {"(email) WHERE deleted_at IS NULL", fiberjwt.Entity[SoftDeleted]{}, false},
		"an index of living rows, quoted":                        {`(email) WHERE ("deleted_at" IS NULL) AND email IS NOT NULL`, fiberjwt.Entity[SoftDeleted]{}, false},
		"an index of deleted rows":                               {"(email) WHERE deleted_at IS NOT NULL", fiberjwt.Entity[SoftDeleted]{}, true},
		"an index with the time of deletion, which is NULL":      {"(email, deleted_at)", fiberjwt.Entity[SoftDeleted]{}, true},
		"an index per tenant":                                    {"(tenant, email)", fiberjwt.Entity[SoftDeleted]{}, true},
		"an index per tenant, and Load selects one tenant":       {"(tenant, email)", narrowed, false},
		"Load selects one tenant, and no index has the identity": {"(tenant)", narrowed, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Entities = []fiberjwt.AnyEntity{c.kind} })
			_, err := w.db.NewCreateTable().Model((*SoftDeleted)(nil)).Exec(t.Context())
			require.NoError(t, err)
			_, err = w.db.Exec("CREATE UNIQUE INDEX by_email ON soft_deleted " + c.index)
			require.NoError(t, err)
			if err := w.auth.Check(t.Context()); c.found {
				require.ErrorContains(t, err, "Identity: no unique index")
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestCheckReportsAllProblemsInOneError(t *testing.T) {
	w := newWorld(t)
	for _, statement := range []string{"DROP TABLE fiberjwt_throttle", "ALTER TABLE fiberjwt_sessions DROP COLUMN agent", "DROP TABLE teachers", "ALTER TABLE users DROP COLUMN full_name"} {
		_, err := w.db.Exec(statement)
		require.NoError(t, err)
	}
	err := w.auth.Check(t.Context())
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.EqualError(t, err, `fiberjwt: the database has 4 problems:
  - Config.DB: the table fiberjwt_sessions lacks agent: call fiberjwt.Migrate(ctx, db) at every start
  - Config.DB: the table fiberjwt_throttle is missing: call fiberjwt.Migrate(ctx, db) at every start
  - Config.Entities[0] (User, table users): Fillable[0]: the table has no column "full_name": bring it up to the model; its columns are id, email, admin, disabled, password_hash
  - Config.Entities[1] (Teacher, table teachers): the table does not exist: create it before the first request`)
}

func TestCheckReportsMissingMigration(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Exec("DELETE FROM fiberjwt_migrations WHERE name = '20261130000000'")
	require.NoError(t, err)
	require.ErrorContains(t, w.auth.Check(t.Context()), "the tables of the library lack the step 20261130000000")
	require.NoError(t, fiberjwt.Migrate(t.Context(), w.db))
	require.NoError(t, w.auth.Check(t.Context()))
	_, err = w.db.Exec("DROP TABLE fiberjwt_migrations") // the user of the server may lack the right to read it
	require.NoError(t, err)
	require.NoError(t, w.auth.Check(t.Context()))
}

func TestCheckNamesUnreachableStore(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.db.Close())
	err := w.auth.Check(t.Context())
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	require.EqualError(t, err, "fiberjwt: Config.DB could not be checked: sql: database is closed")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = newWorld(t).auth.Check(ctx)
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}

// checkedStore is a store with a Check method.
type checkedStore struct {
	session.Store
	check func(ctx context.Context, clock bool) ([]string, error)
}

func (s checkedStore) Check(ctx context.Context, clock bool) ([]string, error) {
	return s.check(ctx, clock)
}

func TestCheckAsksCustomSessionStore(t *testing.T) {
	var clocks []bool
	failure := errors.New("no route")
	store := checkedStore{session.NewSQL(newDB(t)), func(ctx context.Context, clock bool) ([]string, error) {
		clocks = append(clocks, clock)
		_, bounded := ctx.Deadline()
		require.True(t, bounded)
		return []string{"it forgets", "it lies"}, failure
	}}
	with := func(cfg *fiberjwt.Config) { cfg.Store = store }
	err := newWorld(t, with).auth.Check(t.Context())
	require.EqualError(t, err, "fiberjwt: Config.Store could not be checked: no route")
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	failure = nil
	err = newWorld(t, with, func(cfg *fiberjwt.Config) { cfg.Now = nil }).auth.Check(t.Context())
	require.EqualError(t, err, "fiberjwt: the database has 2 problems:\n  - Config.Store: it forgets\n  - Config.Store: it lies")
	require.Equal(t, []bool{false, true}, clocks, "Check must compare clocks only if Config.Now is not set")

	store.check = func(context.Context, bool) ([]string, error) { panic("of the store") }
	require.Error(t, newWorld(t, with).auth.Check(t.Context()))
}

func TestCheckWithoutEntitiesSucceeds(t *testing.T) {
	auth, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret)})
	require.NoError(t, err)
	require.NoError(t, auth.Check(t.Context()))
}
