package dbtest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"
)

func TestMigrateRunsConcurrentlyOnPostgres(t *testing.T) {
	testMigrateAtOnce(t, postgres(t)(t))
}

func TestMigrateRunsConcurrentlyOnMariaDB(t *testing.T) {
	testMigrateAtOnce(t, maria(t)(t))
}

func TestMigrateRunsConcurrentlyOnMySQL(t *testing.T) {
	testMigrateAtOnce(t, mySQL(t)(t))
}

// testMigrateAtOnce wants a database without tables.
func testMigrateAtOnce(t *testing.T, db *bun.DB) {
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
