package dbtest

import (
	"crypto/rand"
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// server opens a database that is created for the test and dropped with it.
type server func(t *testing.T) *bun.DB

// postgres is a schema without tables. setting has pairs of a name and a value, which
// every connection sets.
func postgres(t *testing.T, setting ...string) server {
	t.Helper()
	cfg, err := pgx.ParseConfig(address(t, "FIBERJWT_POSTGRES"))
	require.NoError(t, err)
	cfg.RuntimeParams["search_path"] = createAndDrop(t, stdlib.OpenDB(*cfg), "SCHEMA ", " CASCADE")
	for i := 0; i < len(setting); i += 2 {
		cfg.RuntimeParams[setting[i]] = setting[i+1]
	}
	return func(t *testing.T) *bun.DB { return closeLater(t, bun.NewDB(stdlib.OpenDB(*cfg), pgdialect.New())) }
}

// postgresIn is a database with an encoding, without tables.
func postgresIn(t *testing.T, encoding string) server {
	t.Helper()
	cfg, err := pgx.ParseConfig(address(t, "FIBERJWT_POSTGRES"))
	require.NoError(t, err)
	name := "fiberjwt_" + strings.ToLower(rand.Text())
	admin := stdlib.OpenDB(*cfg)
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" ENCODING '"+encoding+"' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP DATABASE " + name)
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	cfg.Database = name
	return func(t *testing.T) *bun.DB { return closeLater(t, bun.NewDB(stdlib.OpenDB(*cfg), pgdialect.New())) }
}

// maria is likewise a database on MariaDB.
func maria(t *testing.T, setting ...string) server {
	t.Helper()
	return mysqlAt(t, address(t, "FIBERJWT_MARIADB"), setting...)
}

// mySQL is likewise a database on MySQL.
func mySQL(t *testing.T, setting ...string) server {
	t.Helper()
	open := mysqlAt(t, address(t, "FIBERJWT_MYSQL"), setting...)
	db := open(t)
	var version string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version))
	require.NotContains(t, version, "MariaDB", "FIBERJWT_MYSQL names a MariaDB: use FIBERJWT_MARIADB for it")
	return open
}

func mysqlAt(t *testing.T, dsn string, setting ...string) server {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	open := func() *sql.DB {
		conn, err := sql.Open("mysql", cfg.FormatDSN())
		require.NoError(t, err)
		return conn
	}
	cfg.DBName, cfg.Params = createAndDrop(t, open(), "DATABASE ", ""), map[string]string{}
	for i := 0; i < len(setting); i += 2 {
		cfg.Params[setting[i]] = "'" + setting[i+1] + "'"
	}
	return func(t *testing.T) *bun.DB { return closeLater(t, bun.NewDB(open(), mysqldialect.New())) }
}

func address(t *testing.T, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("set %s to the address of a server to run this test", variable)
	}
	return address
}

// createAndDrop creates a schema or database, drops it at the end of the test, and
// returns its name.
func createAndDrop(t *testing.T, db *sql.DB, what, cascade string) string {
	t.Helper()
	name := "fiberjwt_" + strings.ToLower(rand.Text())
	_, err := db.ExecContext(t.Context(), "CREATE "+what+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.Exec("DROP " + what + name + cascade)
		require.NoError(t, err)
		require.NoError(t, db.Close())
	})
	return name
}

func closeLater(t *testing.T, db *bun.DB) *bun.DB {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
