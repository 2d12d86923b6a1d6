// Package dbtest runs the conformance suite on servers. It is a package of its
// own so that the drivers are no one's dependency.
package dbtest

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/fiberjwttest"
	"github.com/fiberjwt/fiberjwt/session"
)

func TestThePostgresStoreIsAStore(t *testing.T) {
	testServer(t, "FIBERJWT_POSTGRES", "pgx", func() schema.Dialect { return pgdialect.New() })
}

func TestTheMariaDBStoreIsAStore(t *testing.T) {
	testServer(t, "FIBERJWT_MYSQL", "mysql", func() schema.Dialect { return mysqldialect.New() })
}

// testServer runs the suite on the server that variable names, in the database
// of the address.
func testServer(t *testing.T, variable, driver string, newDialect func() schema.Dialect) {
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("set %s to the address of a server to run this test", variable)
	}
	open := func(t *testing.T) *bun.DB {
		conn, err := sql.Open(driver, address)
		require.NoError(t, err)
		conn.SetMaxOpenConns(20)
		db := bun.NewDB(conn, newDialect())
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	require.NoError(t, session.Migrate(t.Context(), open(t)))
	fiberjwttest.TestStore(t, func(t *testing.T) session.Store { return session.NewSQL(open(t)) })
}
