package dbtest

import (
	"database/sql"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// emptyPostgres is a schema of that name without tables. setting is name and
// value of what every connection sets.
func emptyPostgres(t *testing.T, schema string, setting ...string) *bun.DB {
	t.Helper()
	address := os.Getenv("FIBERJWT_POSTGRES")
	if address == "" {
		t.Skip("set FIBERJWT_POSTGRES to the address of a server to run this test")
	}
	cfg, err := pgx.ParseConfig(address)
	require.NoError(t, err)
	cfg.RuntimeParams["search_path"] = schema
	for i := 0; i < len(setting); i += 2 {
		cfg.RuntimeParams[setting[i]] = setting[i+1]
	}
	db := bun.NewDB(stdlib.OpenDB(*cfg), pgdialect.New())
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{"DROP SCHEMA IF EXISTS " + schema + " CASCADE", "CREATE SCHEMA " + schema} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	return db
}

// emptyMariaDB is likewise a database.
func emptyMariaDB(t *testing.T, database string, setting ...string) *bun.DB {
	t.Helper()
	address := os.Getenv("FIBERJWT_MYSQL")
	if address == "" {
		t.Skip("set FIBERJWT_MYSQL to the address of a server to run this test")
	}
	server, err := sql.Open("mysql", address)
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + database, "CREATE DATABASE " + database} {
		_, err := server.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	cfg, err := mysql.ParseDSN(address)
	require.NoError(t, err)
	cfg.DBName, cfg.Params = database, map[string]string{}
	for i := 0; i < len(setting); i += 2 {
		cfg.Params[setting[i]] = "'" + setting[i+1] + "'"
	}
	conn, err := sql.Open("mysql", cfg.FormatDSN())
	require.NoError(t, err)
	db := bun.NewDB(conn, mysqldialect.New())
	t.Cleanup(func() { _ = db.Close() })
	return db
}
