package sqlite3_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/transient"
)

type pgdriverError struct{ code string }

func (pgdriverError) Error() string           { return "ERROR" }
func (e pgdriverError) Field(key byte) string { return map[byte]string{'C': e.code}[key] }

func TestOnlyWhatWasRolledBackMayBeRepeated(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"PostgreSQL, a deadlock":          {&pgconn.PgError{Code: "40P01"}, true},
		"PostgreSQL, serialization":       {&pgconn.PgError{Code: "40001"}, true},
		"PostgreSQL, by Bun's driver":     {pgdriverError{"40P01"}, true},
		"PostgreSQL, a duplicate":         {&pgconn.PgError{Code: "23505"}, false},
		"PostgreSQL, too late to know":    {&pgconn.PgError{Code: "57P01"}, false},
		"PostgreSQL, by Bun, a duplicate": {pgdriverError{"23505"}, false},
		"MariaDB, a deadlock":             {&mysql.MySQLError{Number: 1213}, true},
		"MariaDB, a changed record":       {&mysql.MySQLError{Number: 1020}, true},
		"MariaDB, a lock that was long":   {&mysql.MySQLError{Number: 1205}, false},
		"MariaDB, a duplicate":            {&mysql.MySQLError{Number: 1062}, false},
		"a broken connection":             {&net.OpError{Op: "read", Err: errors.New("reset")}, false},
		"a deadline":                      {context.DeadlineExceeded, false},
		"no row":                          {sql.ErrNoRows, false},
		"none":                            {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, transient.Is(test.err))
			if test.err != nil {
				require.Equal(t, test.want, transient.Is(fmt.Errorf("wrapped: %w", test.err)))
				require.Equal(t, test.want, transient.Is(errors.Join(errors.New("another"), test.err)))
			}
		})
	}
}

func TestABusySQLiteMayBeAskedAgain(t *testing.T) {
	open := func() *sql.DB {
		db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_pragma=busy_timeout(0)&_txlock=immediate")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	db := open()
	_, err := db.Exec("CREATE TABLE x (n INTEGER PRIMARY KEY)")
	require.NoError(t, err)
	tx, err := db.Begin()
	require.NoError(t, err)
	_, err = db.Exec("INSERT INTO x VALUES (1)")
	require.True(t, transient.Is(err), "%v", err)
	require.NoError(t, tx.Rollback())
	_, err = db.Exec("INSERT INTO x VALUES (1), (1)")
	require.Error(t, err)
	require.False(t, transient.Is(err))
}

func TestRetryTriesFourTimesAtMost(t *testing.T) {
	deadlock, calls := &mysql.MySQLError{Number: 1213}, 0
	failing := func(n int, err error) func() error {
		calls = 0
		return func() error {
			if calls++; calls <= n {
				return err
			}
			return nil
		}
	}
	require.NoError(t, transient.Retry(t.Context(), failing(3, deadlock)))
	require.Equal(t, 4, calls)
	require.ErrorIs(t, transient.Retry(t.Context(), failing(99, deadlock)), deadlock)
	require.Equal(t, 4, calls)
	require.Error(t, transient.Retry(t.Context(), failing(99, errors.New("another"))))
	require.Equal(t, 1, calls)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, transient.Retry(ctx, failing(99, deadlock)), deadlock)
	require.LessOrEqual(t, calls, 2, "its time is over")
}
