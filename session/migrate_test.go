package session_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/session"
)

func emptySQLite(t *testing.T) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "empty.db")+"?_pragma=busy_timeout(20000)&_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestMigrateRunsConcurrentlyAndRepeatedly(t *testing.T) {
	db := emptySQLite(t)
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() { errs[i] = session.Migrate(t.Context(), db) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, session.NewSQL(db).Create(t.Context(), aRow()))
	require.NoError(t, session.Migrate(t.Context(), db))
	_, found, err := session.NewSQL(db).Find(t.Context(), "users", aRow().SID)
	require.NoError(t, err)
	require.True(t, found, "a second run keeps the rows")
}

func TestMigrateAdoptsUnversionedTable(t *testing.T) {
	db := emptySQLite(t)
	require.NoError(t, session.Migrate(t.Context(), db))
	row := aRow()
	require.NoError(t, session.NewSQL(db).Create(t.Context(), row))
	for _, statement := range []string{"DROP TABLE fiberjwt_migrations", "DROP INDEX fiberjwt_sessions_revoked"} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	require.NoError(t, session.Migrate(t.Context(), db))
	got, _, err := session.NewSQL(db).Find(t.Context(), "users", row.SID)
	require.NoError(t, err)
	require.Equal(t, row, got)
	indexes, err := db.NewSelect().Table("sqlite_master").Where("name = 'fiberjwt_sessions_revoked'").Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, indexes, "the missing index was not created")
}

func TestMigrateAddsThrottleTableAndKeepsOldOne(t *testing.T) {
	db := emptySQLite(t)
	require.NoError(t, session.Migrate(t.Context(), db))
	require.NoError(t, session.NewSQL(db).Create(t.Context(), aRow()))
	for _, statement := range []string{
		"DROP TABLE fiberjwt_throttle", "DELETE FROM fiberjwt_migrations WHERE name = '20261130000000'",
		"CREATE TABLE fiberjwt_attempts (id BLOB)", "INSERT INTO fiberjwt_migrations (name, group_id) VALUES ('20261122000001', 1)",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	_, err := session.NewSQL(db).LoadAttempts(t.Context(), [][]byte{make([]byte, 32)})
	require.Error(t, err)
	require.NoError(t, session.Migrate(t.Context(), db))
	_, err = session.NewSQL(db).LoadAttempts(t.Context(), [][]byte{make([]byte, 32)})
	require.NoError(t, err)
	_, err = db.Exec("SELECT * FROM fiberjwt_attempts")
	require.NoError(t, err, "processes of the previous version need the old table")
	_, found, err := session.NewSQL(db).Find(t.Context(), "users", aRow().SID)
	require.NoError(t, err)
	require.True(t, found)
}

func TestMigrateCreatesNoBunMigrationTables(t *testing.T) {
	db := emptySQLite(t)
	require.NoError(t, session.Migrate(t.Context(), db))
	tables, err := db.NewSelect().Table("sqlite_master").Where("name LIKE 'bun_migration%'").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, tables)
}

func TestMigrateFailsWithCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, session.Migrate(ctx, emptySQLite(t)))
}
