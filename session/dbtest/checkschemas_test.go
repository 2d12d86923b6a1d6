package dbtest

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
)

// file is a new SQLite database.
func file(t *testing.T, _ ...string) server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	return func(t *testing.T) *bun.DB {
		conn, err := sql.Open("sqlite3", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
		require.NoError(t, err)
		return closeLater(t, bun.NewDB(conn, sqlitedialect.New()))
	}
}

var allDatabases = map[string]func(*testing.T, ...string) server{"SQLite": file, "PostgreSQL": postgres, "MariaDB": maria, "MySQL": mySQL}

// testSchema creates the table of model unless that is nil, runs statements, and requires
// that Check accepts the result and that registration and login work.
func testSchema(t *testing.T, db *bun.DB, kind fiberjwt.AnyEntity, path, identity string, model any, statements ...string) {
	t.Helper()
	migrate(t, db, model, statements...)
	s := newService(t, db, kind)
	require.NoError(t, s.auth.Check(t.Context()))
	body := `{"` + identity + `":"ann@example.com","password":"correct horse battery"}`
	status, answer := s.post(t, path+"/register", body)
	require.Equal(t, 201, status, "%s %s", answer, &s.log)
	status, answer = s.post(t, path+"/register", body)
	require.Equal(t, 409, status, answer)
	status, answer = s.post(t, path+"/login", body)
	require.Equal(t, 200, status, answer)
	require.Equal(t, 200, s.get(t, path+"/me", accessOf(t, answer)))
}

// User is the model of the README.
type User struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull" json:"email"`
	PasswordHash string `bun:",notnull" json:"-"`
}

// Teacher is the second model of the example.
type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`

	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Login        string `bun:",unique,notnull"   json:"login"`
	Name         string `bun:",notnull"          json:"name"`
	PasswordHash string `bun:",notnull"          json:"-"`
}

func TestCheckAcceptsModelsOfTheDocuments(t *testing.T) {
	for name, open := range allDatabases {
		t.Run(name, func(t *testing.T) {
			testSchema(t, open(t)(t), fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}, "/auth/users", "email", (*User)(nil))
			testSchema(t, open(t)(t), fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher]}, "/auth/teachers", "login", (*Teacher)(nil))
		})
	}
}

// uuid is a key of 16 bytes.
type uuid [16]byte

func (u uuid) MarshalText() ([]byte, error)  { return []byte(hex.EncodeToString(u[:])), nil }
func (u *uuid) UnmarshalText(b []byte) error { _, err := hex.Decode(u[:], b); return err }
func (u uuid) Value() (driver.Value, error)  { return u[:], nil }
func (u *uuid) Scan(from any) error {
	bytes, ok := from.([]byte)
	if !ok || len(bytes) != 16 {
		return errors.New("not a UUID")
	}
	copy(u[:], bytes)
	return nil
}

type binaryKey struct {
	bun.BaseModel `bun:"table:accounts"`
	ID            uuid   `bun:"type:binary(16),pk" json:"id"`
	Email         string `bun:"type:varchar(254),unique,notnull" json:"email"`
	PasswordHash  string `bun:"type:varchar(255),notnull" json:"-"`
}

func TestCheckAcceptsKeysOf16Bytes(t *testing.T) {
	for name, open := range map[string]func(*testing.T, ...string) server{"MariaDB": maria, "MySQL": mySQL} {
		t.Run(name, func(t *testing.T) {
			testSchema(t, open(t)(t), fiberjwt.Entity[binaryKey]{Register: func(_ *fiber.Ctx, account *binaryKey) error {
				account.ID = uuid{1, 2, 3, 0xff, 'a', '\'', '\\', 8, 9, 10, 11, 12, 13, 14, 15, 0}
				return nil
			}}, "/auth/accounts", "email", (*binaryKey)(nil))
		})
	}
}

// mixed has names in camel case, and rows that are deleted softly.
type mixed struct {
	bun.BaseModel `bun:"table:AppUsers"`
	ID            int64     `bun:"userId,pk,autoincrement" json:"id"`
	Email         string    `bun:"emailAddress,notnull" json:"emailAddress"`
	PasswordHash  string    `bun:"passwordHash,notnull" json:"-"`
	DeletedAt     time.Time `bun:"deletedAt,soft_delete,nullzero" json:"-"`
}

func mixedKind() fiberjwt.AnyEntity {
	return fiberjwt.Entity[mixed]{Name: "users", Identity: "emailAddress", Password: "passwordHash", Register: fiberjwt.Anyone[mixed]}
}

func TestCheckAcceptsMixedCaseAndSoftDeleteIndexes(t *testing.T) {
	for name, c := range map[string]struct {
		open  func(*testing.T, ...string) server
		index []string
	}{
		"SQLite, living":                 {file, []string{`CREATE UNIQUE INDEX "living" ON "AppUsers" ("emailAddress") WHERE "deletedAt" IS NULL`}},
		"SQLite, lower of living":        {file, []string{`CREATE UNIQUE INDEX "living" ON "AppUsers" (lower("emailAddress")) WHERE ("deletedAt" IS NULL AND "emailAddress" != '')`}},
		"SQLite, all":                    {file, []string{`CREATE UNIQUE INDEX "all" ON "AppUsers" ("emailAddress" COLLATE NOCASE)`}},
		"PostgreSQL, living":             {postgres, []string{`CREATE UNIQUE INDEX living ON "AppUsers" ("emailAddress") WHERE "deletedAt" IS NULL`}},
		"PostgreSQL, lower":              {postgres, []string{`CREATE UNIQUE INDEX living ON "AppUsers" (lower("emailAddress")) WHERE "deletedAt" IS NULL AND "emailAddress" <> ''`}},
		"PostgreSQL, NULLs not distinct": {postgres, []string{`CREATE UNIQUE INDEX living ON "AppUsers" ("emailAddress", "deletedAt") NULLS NOT DISTINCT`}},
		"PostgreSQL, coalesced":          {postgres, []string{`CREATE UNIQUE INDEX living ON "AppUsers" ("emailAddress", (COALESCE("deletedAt", 'infinity')))`}},
		"MariaDB, living": {maria, []string{"ALTER TABLE AppUsers ADD COLUMN alive BOOLEAN AS (IF(deletedAt IS NULL, 1, NULL)) VIRTUAL",
			"CREATE UNIQUE INDEX living ON AppUsers (emailAddress, alive)"}},
		"MySQL, living": {mySQL, []string{"ALTER TABLE AppUsers ADD COLUMN alive BOOLEAN AS (IF(deletedAt IS NULL, 1, NULL)) VIRTUAL",
			"CREATE UNIQUE INDEX living ON AppUsers (emailAddress, alive)"}},
		"MySQL, an expression":         {mySQL, []string{"CREATE UNIQUE INDEX living ON AppUsers ((IF(deletedAt IS NULL, lower(emailAddress), NULL)))"}},
		"MySQL, column and expression": {mySQL, []string{"CREATE UNIQUE INDEX living ON AppUsers (emailAddress, (IF(deletedAt IS NULL, 1, NULL)))"}},
	} {
		t.Run(name, func(t *testing.T) {
			testSchema(t, c.open(t)(t), mixedKind(), "/auth/users", "emailAddress", (*mixed)(nil), c.index...)
		})
	}
}

func TestCheckFindsIndexesThatAllowDuplicates(t *testing.T) {
	for name, c := range map[string]struct {
		open  func(*testing.T, ...string) server
		index string
	}{
		"SQLite, NULLs":            {file, `CREATE UNIQUE INDEX few ON "AppUsers" ("emailAddress", "deletedAt")`},
		"PostgreSQL, NULLs":        {postgres, `CREATE UNIQUE INDEX few ON "AppUsers" ("emailAddress", "deletedAt")`},
		"PostgreSQL, deleted rows": {postgres, `CREATE UNIQUE INDEX few ON "AppUsers" ("emailAddress") WHERE "deletedAt" IS NOT NULL`},
		"PostgreSQL, with the key": {postgres, `CREATE UNIQUE INDEX few ON "AppUsers" ("emailAddress", "userId", "deletedAt") NULLS NOT DISTINCT`},
		"MariaDB, NULLs":           {maria, "CREATE UNIQUE INDEX few ON AppUsers (emailAddress, deletedAt)"},
		"MySQL, NULLs":             {mySQL, "CREATE UNIQUE INDEX few ON AppUsers (emailAddress, deletedAt)"},
	} {
		t.Run(name, func(t *testing.T) {
			db := c.open(t)(t)
			migrate(t, db, (*mixed)(nil), c.index)
			err := newService(t, db, mixedKind()).auth.Check(t.Context())
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.ErrorContains(t, err, "no unique index on the column \"emailAddress\" alone")
			require.ErrorContains(t, err, "few is for (")
		})
	}
}

// softDeleted marks deleted rows by a time in a column that is NOT NULL.
type softDeleted struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64     `bun:",pk,autoincrement" json:"id"`
	Email         string    `bun:",notnull" json:"email"`
	PasswordHash  string    `bun:",notnull" json:"-"`
	DeletedAt     time.Time `bun:",soft_delete,notnull,type:timestamp" json:"-"`
}

func TestCheckAcceptsNonNullSoftDeleteMark(t *testing.T) {
	testSchema(t, postgres(t)(t), fiberjwt.Entity[softDeleted]{Register: fiberjwt.Anyone[softDeleted]}, "/auth/users", "email", (*softDeleted)(nil),
		"CREATE UNIQUE INDEX living ON users (email, deleted_at)")
}

type qualified struct {
	bun.BaseModel `bun:"table:app.people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func TestCheckFindsTablesInSchemas(t *testing.T) {
	const rest = "people (id BIGSERIAL PRIMARY KEY, email TEXT UNIQUE, password_hash TEXT)"
	t.Run("named by the model", func(t *testing.T) {
		db := postgresIn(t, "UTF8")(t)
		kind := fiberjwt.Entity[qualified]{Name: "people", Register: fiberjwt.Anyone[qualified]}
		testSchema(t, db, kind, "/auth/people", "email", nil, "CREATE SCHEMA app", "CREATE TABLE app."+rest,
			"CREATE TABLE people (id BIGSERIAL PRIMARY KEY, email CHAR(20), password_hash CHAR(20))")
		run(t, db, "DROP TABLE app.people")
		require.ErrorContains(t, newService(t, db, kind).auth.Check(t.Context()), "the table does not exist")
	})
	t.Run("the second of search_path", func(t *testing.T) {
		db := postgresIn(t, "UTF8")(t)
		db.SetMaxOpenConns(1)
		testSchema(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}, "/auth/people", "email", nil,
			"CREATE SCHEMA app", "CREATE TABLE app."+rest, "SET search_path = public, app")
	})
}

func TestCheckAcceptsWritableViews(t *testing.T) {
	for name, c := range map[string]struct {
		open func(*testing.T, ...string) server
		key  string
	}{
		"PostgreSQL": {postgres, "BIGSERIAL"}, "MariaDB": {maria, "BIGINT AUTO_INCREMENT"}, "MySQL": {mySQL, "BIGINT AUTO_INCREMENT"},
	} {
		t.Run(name, func(t *testing.T) {
			testSchema(t, c.open(t)(t), fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}, "/auth/people", "email", nil,
				"CREATE TABLE members (id "+c.key+" PRIMARY KEY, email VARCHAR(255) UNIQUE, password_hash VARCHAR(255), tenant INT DEFAULT 1)",
				"CREATE VIEW people AS SELECT id, email, password_hash FROM members WHERE tenant = 1")
		})
	}
}

// inMain names its table with its schema.
type inMain struct {
	bun.BaseModel `bun:"table:main.people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func TestCheckAcceptsOrdinarySQLiteTables(t *testing.T) {
	for name, ddl := range map[string][]string{
		"Rails": {`CREATE TABLE "people" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "email" varchar DEFAULT '' NOT NULL, "password_hash" varchar DEFAULT '' NOT NULL)`,
			`CREATE UNIQUE INDEX "index_people_on_email" ON "people" ("email") /*application='Shop'*/`},
		"Django": {`CREATE TABLE "people" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password_hash" varchar(128) NOT NULL, "email" varchar(254) NOT NULL UNIQUE)`},
		"Flask":  {"CREATE TABLE people (id INTEGER NOT NULL, email VARCHAR(120), password_hash VARCHAR(256), PRIMARY KEY (id))", "CREATE UNIQUE INDEX ix_people_email ON people (email)"},
		"strict": {"CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, password_hash TEXT NOT NULL) STRICT"},
		"a comment after the index": {"CREATE TABLE people (id INTEGER PRIMARY KEY, email citext, password_hash TEXT)",
			"CREATE UNIQUE INDEX i ON people (lower(email)) -- one (or none) each"},
		"brackets": {"CREATE TABLE [people] ([id] INTEGER PRIMARY KEY, [email] NVARCHAR(255), [password_hash] NVARCHAR(255))", "CREATE UNIQUE INDEX [on (email)] ON [people] ([email] ASC)"},
		"a generated column, two functions": {"CREATE TABLE people (id INTEGER PRIMARY KEY, gone INT, email TEXT, password_hash TEXT, [folded] TEXT NOT NULL /* for (all) */ GENERATED ALWAYS AS (lower(trim(email))) VIRTUAL)",
			"CREATE UNIQUE INDEX i ON people (folded)"},
		"a generated column": {"CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, password_hash TEXT, folded TEXT AS (lower(email)) STORED UNIQUE)"},
	} {
		t.Run(name, func(t *testing.T) {
			testSchema(t, file(t)(t), fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}, "/auth/people", "email", nil, ddl...)
		})
	}
	t.Run("with the schema in its name", func(t *testing.T) {
		testSchema(t, file(t)(t), fiberjwt.Entity[inMain]{Name: "people", Register: fiberjwt.Anyone[inMain]}, "/auth/people", "email", nil,
			"CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password_hash TEXT)")
	})
}
