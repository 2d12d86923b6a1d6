package dbtest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"
)

func TestMigrateRunsConcurrentlyOnPostgres(t *testing.T) {
	testConcurrentMigrate(t, postgres(t)(t))
}

func TestMigrateRunsConcurrentlyOnMariaDB(t *testing.T) {
	testConcurrentMigrate(t, maria(t)(t))
}

func TestMigrateRunsConcurrentlyOnMySQL(t *testing.T) {
	testConcurrentMigrate(t, mySQL(t)(t))
}

// testConcurrentMigrate needs a database without tables.
func testConcurrentMigrate(t *testing.T, db *bun.DB) {
	var group sync.WaitGroup
	errs := make([]error, 10)
	for i := range errs {
		group.Go(func() { errs[i] = session.Migrate(t.Context(), db) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	row := session.Row{SID: make([]byte, 16), Kind: "users", Subject: "1"}
	require.NoError(t, session.NewSQL(db).Create(t.Context(), row))
	require.NoError(t, session.Migrate(t.Context(), db))
	found, ok, err := session.NewSQL(db).Find(t.Context(), "users", row.SID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, row, found)
}
