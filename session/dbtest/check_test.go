package dbtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// checked runs Check on a database in which statements create the table people.
func checked(t *testing.T, db *bun.DB, statements ...string) error {
	t.Helper()
	migrate(t, db, nil, statements...)
	return newPeople(t, db).auth.Check(t.Context())
}

// finding is a table and the error that Check returns for it, "" for none.
type finding struct {
	ddl  []string
	want string
}

func tablePeople(columns string, more ...string) []string {
	return append([]string{"CREATE TABLE people (" + columns + ")"}, more...)
}

func testFindings(t *testing.T, open func(*testing.T) *bun.DB, findings map[string]finding) {
	for name, f := range findings {
		t.Run(name, func(t *testing.T) {
			err := checked(t, open(t), f.ddl...)
			if f.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.ErrorContains(t, err, f.want)
			require.NotContains(t, err.Error(), "\n", "Check reports more than one problem")
			require.True(t, strings.HasPrefix(err.Error(), "fiberjwt: Config.Entities[0] (person, table people): "), err)
		})
	}
}

func TestCheckFindsTableProblemsOnPostgres(t *testing.T) {
	const key, hash = "id BIGSERIAL PRIMARY KEY, ", ", password_hash TEXT NOT NULL"
	testFindings(t, func(t *testing.T) *bun.DB { return postgres(t)(t) }, map[string]finding{
		"correct":                {tablePeople(key + "email VARCHAR NOT NULL UNIQUE" + hash), ""},
		"sufficient lengths":     {tablePeople(key + "email VARCHAR(100) UNIQUE, password_hash VARCHAR(100)"), ""},
		"no table":               {nil, "the table does not exist"},
		"no column":              {tablePeople(key + "mail TEXT UNIQUE" + hash), `Identity: the table has no column "email"`},
		"a column in other case": {tablePeople(key + `"Email" TEXT UNIQUE` + hash), `Identity: the table has no column "email"`},
		"a short hash":           {tablePeople(key + "email TEXT UNIQUE, password_hash VARCHAR(60)"), `Password: the column "password_hash" has room for 60 characters, 100 are needed`},
		"a short identity":       {tablePeople(key + "email VARCHAR(40) UNIQUE" + hash), `Identity: the column "email" has room for 40 characters, 100 are needed`},
		"a short domain":         {[]string{"CREATE DOMAIN short_text AS VARCHAR(50)", "CREATE TABLE people (" + key + "email short_text UNIQUE" + hash + ")"}, `Identity: the column "email" has room for 50 characters`},
		"padded identity":        {tablePeople(key + "email CHAR(200) UNIQUE" + hash), `Identity: the column "email" is a CHAR, which pads shorter texts`},
		"padded hash":            {tablePeople(key + "email TEXT UNIQUE, password_hash CHAR(120)"), `Password: the column "password_hash" is a CHAR`},
		"bytes":                  {tablePeople(key + "email TEXT UNIQUE, password_hash BYTEA"), `Password: the column "password_hash" is a bytea, which is not a type of texts`},
		"a short type":           {tablePeople(key + "email NAME UNIQUE" + hash), `Identity: the column "email" has room for 63 characters`},
		"no index":               {tablePeople(key+"email TEXT"+hash, "CREATE INDEX ON people (email)"), `Identity: no unique index on the column "email" alone`},
		"an index":               {tablePeople(key+"email TEXT"+hash, "CREATE UNIQUE INDEX ON people (email)"), ""},
		"an index with more":     {tablePeople(key+"email TEXT"+hash, "CREATE UNIQUE INDEX ON people (email) INCLUDE (password_hash)"), ""},
		"an index on lower":      {tablePeople(key+"email VARCHAR(255)"+hash, "CREATE UNIQUE INDEX ON people (lower(email))"), ""},
		"a generated column":     {tablePeople(key + "email TEXT, folded TEXT GENERATED ALWAYS AS (lower(email)) STORED UNIQUE" + hash), ""},
		"exclusion":              {tablePeople(key + "email TEXT" + hash + ", EXCLUDE USING hash (email WITH =)"), ""},
		"two columns":            {tablePeople(key+"tenant INT, email TEXT"+hash, "CREATE UNIQUE INDEX pair ON people (tenant, email)"), "pair is for (tenant, email)"},
		"living rows":            {tablePeople(key+"email TEXT, gone TIMESTAMPTZ"+hash, "CREATE UNIQUE INDEX few ON people (email) WHERE gone IS NULL"), "few is for (email) where (gone IS NULL)"},
		"a view":                 {[]string{"CREATE TABLE p (" + key + "email TEXT" + hash + ")", "CREATE VIEW people AS SELECT * FROM p"}, ""},
		"a domain over another": {[]string{"CREATE DOMAIN sentence AS TEXT NOT NULL", "CREATE DOMAIN word AS sentence CHECK (VALUE <> '')",
			"CREATE TABLE people (" + key + "email word UNIQUE, password_hash word)"}, ""},
		"a short domain over another": {[]string{"CREATE DOMAIN sentence AS VARCHAR(50)", "CREATE DOMAIN word AS sentence", "CREATE TABLE people (" + key + "email word UNIQUE" + hash + ")"},
			`Identity: the column "email" has room for 50 characters`},
		"a padded domain over another": {[]string{"CREATE DOMAIN sentence AS CHAR(200)", "CREATE DOMAIN word AS sentence", "CREATE TABLE people (" + key + "email word UNIQUE" + hash + ")"},
			`Identity: the column "email" is a CHAR, which pads shorter texts`},
		"a number":           {tablePeople(key + "email BIGINT UNIQUE" + hash), `Identity: the column "email" is a int8, which is not a type of texts`},
		"a uuid":             {tablePeople(key + "email UUID UNIQUE" + hash), `Identity: the column "email" is a uuid, which is not a type of texts`},
		"one character":      {tablePeople(key + `email TEXT UNIQUE, password_hash "char"`), `Password: the column "password_hash" is a char, which is not a type of texts`},
		"rows with an email": {tablePeople(key+"email VARCHAR(255) DEFAULT '' NOT NULL"+hash, "CREATE UNIQUE INDEX ON people (email) WHERE email <> ''"), ""},
		"rows of one domain": {tablePeople(key+"email VARCHAR(255)"+hash, "CREATE UNIQUE INDEX few ON people (email) WHERE email <> 'root'"), "few is for (email) where"},
		"deferrable":         {tablePeople(key + "email TEXT" + hash + ", UNIQUE (email) DEFERRABLE INITIALLY DEFERRED"), ""},
		"Rails": {tablePeople(key+"email CHARACTER VARYING DEFAULT '' NOT NULL, password_hash CHARACTER VARYING DEFAULT '' NOT NULL, reset_password_token VARCHAR",
			"CREATE UNIQUE INDEX index_people_on_email ON people USING btree (email)", "CREATE UNIQUE INDEX index_people_on_token ON people (reset_password_token)"), ""},
		"Django": {tablePeople("id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, password_hash VARCHAR(128) NOT NULL, email VARCHAR(254) NOT NULL UNIQUE",
			"CREATE INDEX people_email_like ON people (email varchar_pattern_ops)"), ""},
		"Flask":               {tablePeople("id SERIAL NOT NULL, email VARCHAR(120), password_hash VARCHAR(256), PRIMARY KEY (id)", "CREATE UNIQUE INDEX ix_people_email ON people (email)"), ""},
		"a partitioned table": {[]string{"CREATE TABLE people (id BIGSERIAL, email TEXT UNIQUE" + hash + ") PARTITION BY HASH (email)"}, ""},
	})
}

func TestCheckFindsTableProblemsOnMariaDB(t *testing.T) {
	const key, hash = "id BIGINT AUTO_INCREMENT PRIMARY KEY, ", ", password_hash VARCHAR(255) NOT NULL"
	testFindings(t, func(t *testing.T) *bun.DB { return maria(t)(t) }, map[string]finding{
		"correct":             {tablePeople(key + "email VARCHAR(255) NOT NULL UNIQUE" + hash), ""},
		"sufficient lengths":  {tablePeople(key + "email VARCHAR(100) UNIQUE, password_hash VARCHAR(100)"), ""},
		"texts":               {tablePeople(key + "email TEXT, password_hash TINYTEXT, UNIQUE (email(200))"), ""},
		"trimmed blanks":      {tablePeople(key + "email CHAR(200) UNIQUE, password_hash CHAR(120)"), ""},
		"bytes":               {tablePeople(key + "email VARBINARY(255) UNIQUE, password_hash BLOB"), ""},
		"a binary collation":  {tablePeople(key + "email VARCHAR(255) COLLATE utf8mb4_bin UNIQUE" + hash), ""},
		"names in other case": {tablePeople("ID BIGINT PRIMARY KEY, Email VARCHAR(255) UNIQUE, Password_Hash VARCHAR(255)"), ""},
		"no table":            {nil, "the table does not exist"},
		"no column":           {tablePeople(key + "mail VARCHAR(255) UNIQUE" + hash), `Identity: the table has no column "email"`},
		"a short hash":        {tablePeople(key + "email VARCHAR(255) UNIQUE, password_hash VARCHAR(60)"), `Password: the column "password_hash" has room for 60 characters, 100 are needed`},
		"a short identity":    {tablePeople(key + "email VARCHAR(40) UNIQUE" + hash), `Identity: the column "email" has room for 40 characters, 100 are needed`},
		"padded hash":         {tablePeople(key + "email VARCHAR(255) UNIQUE, password_hash BINARY(200)"), `Password: the column "password_hash" is a BINARY, which pads shorter texts`},
		"padded identity":     {tablePeople(key + "email BINARY(200) UNIQUE" + hash), `Identity: the column "email" is a BINARY`},
		"a number":            {tablePeople(key + "email INT UNIQUE" + hash), `Identity: the column "email" is a INT, which is not a type of texts`},
		"latin1":              {tablePeople(key + "email VARCHAR(255) CHARACTER SET latin1 UNIQUE" + hash), `Identity: the column "email" has the character set latin1`},
		"utf8mb3":             {tablePeople(key + "email VARCHAR(255) CHARACTER SET utf8mb3 UNIQUE" + hash), `Identity: the column "email" has the character set utf8mb3`},
		"latin1 for the hash": {tablePeople(key + "email VARCHAR(255) UNIQUE, password_hash VARCHAR(255) CHARACTER SET latin1"), ""},
		"no index":            {tablePeople(key + "email VARCHAR(255), INDEX (email)" + hash), `Identity: no unique index on the column "email" alone`},
		"two columns":         {tablePeople(key + "tenant INT, email VARCHAR(255), UNIQUE both_ (tenant, email)" + hash), "both_ is for (tenant, email)"},
		"a generated column":  {tablePeople(key + "email VARCHAR(255), gone DATETIME, living VARCHAR(255) AS (lower(email)) STORED UNIQUE" + hash), ""},
		"text columns":        {tablePeople(key + "email TEXT UNIQUE, password_hash TEXT"), ""},
		"ignored":             {tablePeople(key + "email VARCHAR(255), UNIQUE (email) IGNORED" + hash), ""},
		"a short prefix":      {tablePeople(key + "email VARCHAR(255), UNIQUE few (email(20))" + hash), `Identity: few is a unique index on the first 20 characters of the column "email"`},
		"a history":           {[]string{"CREATE TABLE people (" + key + "email VARCHAR(255) UNIQUE" + hash + ") WITH SYSTEM VERSIONING"}, ""},
		"a history, no index": {[]string{"CREATE TABLE people (" + key + "email VARCHAR(255)" + hash + ") WITH SYSTEM VERSIONING"}, `Identity: no unique index on the column "email" alone`},
		"a uuid":              {tablePeople(key + "email UUID UNIQUE" + hash), `Identity: the column "email" is a UUID, which is not a type of texts`},
		"another table":       {[]string{"CREATE TABLE People (" + key + "email VARCHAR(255) UNIQUE" + hash + ")"}, "the table does not exist"},
		"Rails":               {railsPeople, ""},
		"Django":              {djangoPeople, ""},
		"generated of two":    {tablePeople(key + "email VARCHAR(255), gone DATETIME, living VARCHAR(255) AS (IF(gone IS NULL, email, NULL)) STORED UNIQUE" + hash), "living is for ("},
		"a view":              {[]string{"CREATE TABLE p (" + key + "email VARCHAR(255)" + hash + ")", "CREATE VIEW people AS SELECT * FROM p"}, ""},
	})
}

// watcher is an account that is read through a view.
type watcher struct {
	bun.BaseModel `bun:"table:chiefs"`
	ID            int64  `bun:",pk,autoincrement"`
	Email         string `bun:",unique"`
	PasswordHash  string `json:"-"`
}

// Open cannot see that a view shows rows of the table of another kind. Check can.
func TestCheckFindsViewOnTableOfAnotherKind(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *bun.DB{
		"PostgreSQL": func(t *testing.T) *bun.DB { return postgres(t)(t) },
		"MariaDB":    func(t *testing.T) *bun.DB { return maria(t)(t) },
	} {
		for statement, found := range map[string]bool{
			"CREATE VIEW chiefs AS SELECT * FROM people WHERE email LIKE '%@chiefs.example.com'":                              true,
			"CREATE VIEW chiefs AS SELECT o.id, o.email, o.password_hash FROM others AS o":                                    false,
			"CREATE VIEW chiefs AS SELECT p.* FROM others AS o JOIN (chosen AS p JOIN others AS b USING (id)) ON o.id = p.id": true,
		} {
			t.Run(name+": "+statement, func(t *testing.T) {
				db := open(t)
				migrate(t, db, (*person)(nil), "CREATE TABLE others AS SELECT * FROM people", "CREATE VIEW chosen AS SELECT * FROM people", statement)
				err := newPeople(t, db, func(cfg *fiberjwt.Config) {
					cfg.Entities = append(cfg.Entities, fiberjwt.Entity[watcher]{})
				}).auth.Check(t.Context())
				if !found {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, fiberjwt.ErrSetup)
				require.ErrorContains(t, err, `Config.Entities[1] (watcher, table chiefs): the view and the table of kind "people" show rows of one table`)
			})
		}
	}
}

// These are tables that Rails and Django create on MariaDB and MySQL.
var (
	railsPeople = []string{"CREATE TABLE `people` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `email` varchar(255) DEFAULT '' NOT NULL," +
		" `password_hash` varchar(255) DEFAULT '' NOT NULL, `created_at` datetime(6) NOT NULL, UNIQUE INDEX `index_people_on_email` (`email`))"}
	djangoPeople = []string{"CREATE TABLE `people` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `password_hash` varchar(128) NOT NULL, `email` varchar(254) NOT NULL UNIQUE)"}
)

func TestCheckFindsTableProblemsOnMySQL(t *testing.T) {
	const key, hash = "id BIGINT AUTO_INCREMENT PRIMARY KEY, ", ", password_hash VARCHAR(255) NOT NULL"
	testFindings(t, func(t *testing.T) *bun.DB { return mySQL(t)(t) }, map[string]finding{
		"correct":               {tablePeople(key + "email VARCHAR(255) NOT NULL UNIQUE" + hash), ""},
		"texts":                 {tablePeople(key + "email TEXT, password_hash TINYTEXT, UNIQUE (email(200))"), ""},
		"trimmed blanks":        {tablePeople(key + "email CHAR(200) UNIQUE, password_hash CHAR(120)"), ""},
		"no padding":            {tablePeople(key + "email VARCHAR(255) COLLATE utf8mb4_0900_ai_ci UNIQUE" + hash), ""},
		"a binary collation":    {tablePeople(key + "email VARCHAR(255) COLLATE utf8mb4_0900_bin UNIQUE" + hash), ""},
		"names in other case":   {tablePeople("ID BIGINT PRIMARY KEY, Email VARCHAR(255) UNIQUE, Password_Hash VARCHAR(255)"), ""},
		"another table":         {[]string{"CREATE TABLE People (" + key + "email VARCHAR(255) UNIQUE" + hash + ")"}, "the table does not exist"},
		"no table":              {nil, "the table does not exist"},
		"no column":             {tablePeople(key + "mail VARCHAR(255) UNIQUE" + hash), `Identity: the table has no column "email"`},
		"a short hash":          {tablePeople(key + "email VARCHAR(255) UNIQUE, password_hash VARCHAR(60)"), `Password: the column "password_hash" has room for 60 characters, 100 are needed`},
		"a short identity":      {tablePeople(key + "email VARCHAR(40) UNIQUE" + hash), `Identity: the column "email" has room for 40 characters, 100 are needed`},
		"padded identity":       {tablePeople(key + "email BINARY(200) UNIQUE" + hash), `Identity: the column "email" is a BINARY`},
		"JSON":                  {tablePeople(key + "email VARCHAR(255) UNIQUE, password_hash JSON"), `Password: the column "password_hash" is a JSON, which is not a type of texts`},
		"utf8mb3":               {tablePeople(key + "email VARCHAR(255) CHARACTER SET utf8mb3 UNIQUE" + hash), `Identity: the column "email" has the character set utf8mb3`},
		"no index":              {tablePeople(key + "email VARCHAR(255), INDEX (email)" + hash), `Identity: no unique index on the column "email" alone`},
		"two columns":           {tablePeople(key + "tenant INT, email VARCHAR(255), UNIQUE both_ (tenant, email)" + hash), "both_ is for (tenant, email)"},
		"an expression":         {tablePeople(key + "email VARCHAR(255), UNIQUE ((lower(email)))" + hash), ""},
		"an expression of two":  {tablePeople(key + "tenant VARCHAR(20), email VARCHAR(255), UNIQUE few ((concat(tenant, '/', email)))" + hash), "few is for (concat("},
		"expression and column": {tablePeople(key + "tenant INT, email VARCHAR(255), UNIQUE few ((lower(email)), tenant)" + hash), "few is for (lower(`email`), tenant)"},
		"a short prefix":        {tablePeople(key + "email VARCHAR(255), UNIQUE few (email(20))" + hash), `Identity: few is a unique index on the first 20 characters of the column "email"`},
		"a long prefix":         {tablePeople(key + "email VARCHAR(255), UNIQUE (email(191))" + hash), ""},
		"invisible":             {tablePeople(key + "email VARCHAR(255), UNIQUE (email) INVISIBLE" + hash), ""},
		"a generated column":    {tablePeople(key + "email VARCHAR(255), folded VARCHAR(255) AS (lower(email)) STORED UNIQUE" + hash), ""},
		"a virtual column":      {tablePeople(key + "email VARCHAR(255), folded VARCHAR(255) AS (lower(email)) VIRTUAL UNIQUE" + hash), ""},
		"generated of two":      {tablePeople(key + "email VARCHAR(255), gone DATETIME, living VARCHAR(255) AS (IF(gone IS NULL, email, NULL)) STORED UNIQUE" + hash), "living is for ("},
		"a view":                {[]string{"CREATE TABLE p (" + key + "email VARCHAR(255)" + hash + ")", "CREATE VIEW people AS SELECT * FROM p"}, ""},
		"Rails":                 {railsPeople, ""},
		"Django":                {djangoPeople, ""},
	})
}

// With a short prefix, the index takes two addresses with the same beginning for one.
func TestShortPrefixIndexRefusesDistinctAddresses(t *testing.T) {
	for name, open := range map[string]func(*testing.T, ...string) server{"MariaDB": maria, "MySQL": mySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)(t)
			require.ErrorIs(t, checked(t, db, tablePeople("id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255), password_hash VARCHAR(255), UNIQUE (email(20))")...), fiberjwt.ErrSetup)
			p := newPeople(t, db)
			require.Equal(t, 201, p.post(t, "/auth/people/register", "ann.of.the.long.name@example.com"))
			require.Equal(t, 409, p.post(t, "/auth/people/register", "ann.of.the.long.name@example.org"))
		})
	}
}

func TestCheckAcceptsCitext(t *testing.T) {
	db := postgresIn(t, "UTF8")(t)
	var offered bool
	require.NoError(t, db.NewRaw("SELECT count(*) > 0 FROM pg_available_extensions WHERE name = 'citext'").Scan(t.Context(), &offered))
	if !offered {
		t.Skip("install the extension citext (postgresql-contrib) on the server to run this test")
	}
	require.NoError(t, checked(t, db, "CREATE EXTENSION citext", "CREATE DOMAIN address AS citext",
		"CREATE TABLE people (id BIGSERIAL PRIMARY KEY, email address UNIQUE, password_hash citext)"))
}

// A slow catalog must not prevent a program from starting.
func TestCheckMayExceedReadTimeout(t *testing.T) {
	for name, open := range map[string]func(*testing.T, ...string) server{"PostgreSQL": postgres, "MariaDB": maria, "MySQL": mySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)(t)
			migrate(t, db, (*person)(nil))
			p := newPeople(t, db, func(cfg *fiberjwt.Config) { cfg.ReadTimeout = 100 * time.Microsecond })
			require.NoError(t, p.auth.Check(t.Context()))
		})
	}
}

// For a query of its catalog that names no database, MariaDB opens the files of every
// table of every database.
func TestCheckScansNoOtherDatabase(t *testing.T) {
	db := maria(t)(t)
	_, err := db.NewCreateTable().Model((*person)(nil)).Exec(t.Context())
	require.NoError(t, err)
	seen := &statements{}
	require.NoError(t, checked(t, db.WithQueryHook(seen)))
	looks := 0
	for _, statement := range seen.takeSent() {
		if !strings.Contains(statement, "information_schema") || !strings.HasPrefix(strings.TrimSpace(statement), "SELECT") {
			continue
		}
		var plan []map[string]any
		require.NoError(t, db.NewRaw("EXPLAIN "+statement).Scan(t.Context(), &plan))
		for _, step := range plan {
			require.Contains(t, fmt.Sprintf("%s", step["Extra"]), "Scanned 0 databases", statement)
			looks++
		}
	}
	require.NotZero(t, looks)
}

func TestCheckFindsUnsafeMariaDBSettings(t *testing.T) {
	for name, c := range map[string]struct{ setting, value, want string }{
		"not strict":  {"sql_mode", "", "Config.DB: sql_mode is not strict"},
		"padding":     {"sql_mode", "STRICT_ALL_TABLES,PAD_CHAR_TO_FULL_LENGTH", "Config.DB: sql_mode has PAD_CHAR_TO_FULL_LENGTH"},
		"three bytes": {"character_set_client", "utf8mb3", "Config.DB: the connection's character set is utf8mb3"},
		"latin1":      {"character_set_results", "latin1", "Config.DB: the connection's character set is latin1"},
		"strict":      {"sql_mode", "STRICT_ALL_TABLES", ""},
	} {
		t.Run(name, func(t *testing.T) { testSetting(t, maria(t, c.setting, c.value)(t), c.want) })
	}
}

func TestCheckFindsMariaDBClockSkew(t *testing.T) {
	testSetting(t, mariaWith(t, "timestamp", "1000000000", "").bad, "Config.DB: the clock of the store is ")
}

func TestCheckFindsUnsafePostgresSettings(t *testing.T) {
	for name, c := range map[string]struct{ setting, value, want string }{
		"an encoding": {"client_encoding", "SJIS", "Config.DB: client_encoding is SJIS"},
		"UTF-8":       {"client_encoding", "UTF8", ""},
	} {
		t.Run(name, func(t *testing.T) { testSetting(t, postgres(t, c.setting, c.value)(t), c.want) })
	}
	t.Run("a clock of 2001", func(t *testing.T) {
		db := postgres(t)(t)
		db.SetMaxOpenConns(1)
		for _, statement := range []string{
			"CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT to_timestamp(1000000000)'",
			"SELECT set_config('search_path', current_setting('search_path') || ', pg_catalog', false)",
		} {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		testSetting(t, db, "Config.DB: the clock of the store is ")
	})
}

func testSetting(t *testing.T, db *bun.DB, want string) {
	t.Helper()
	_, err := db.NewCreateTable().Model((*person)(nil)).Exec(t.Context())
	require.NoError(t, err)
	if err = checked(t, db); want == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.ErrorContains(t, err, want)
	require.NotContains(t, err.Error(), "\n", "Check reports more than one problem")
}
