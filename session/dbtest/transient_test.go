package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

type pgdriverError struct{ code string }

func (pgdriverError) Error() string           { return "ERROR" }
func (e pgdriverError) Field(key byte) string { return map[byte]string{'C': e.code}[key] }

type pqError struct{ code string }

func (pqError) Error() string      { return "pq: restart transaction" }
func (e pqError) SQLState() string { return e.code }

func TestOnlyRolledBackErrorsAreTransient(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"PostgreSQL, a deadlock":          {&pgconn.PgError{Code: "40P01"}, true},
		"PostgreSQL, serialization":       {&pgconn.PgError{Code: "40001"}, true},
		"PostgreSQL, a lock timeout":      {&pgconn.PgError{Code: "55P03"}, true},
		"PostgreSQL, by lib/pq":           {pqError{"40001"}, true},
		"PostgreSQL, by Bun's driver":     {pgdriverError{"40P01"}, true},
		"CockroachDB, outcome unknown":    {&pgconn.PgError{Code: "40003"}, false},
		"PostgreSQL, a duplicate":         {&pgconn.PgError{Code: "23505"}, false},
		"PostgreSQL, outcome unknown":     {&pgconn.PgError{Code: "57P01"}, false},
		"PostgreSQL, by Bun, a duplicate": {pgdriverError{"23505"}, false},
		"MariaDB, a deadlock":             {&mysql.MySQLError{Number: 1213}, true},
		"MariaDB, a changed record":       {&mysql.MySQLError{Number: 1020}, true},
		"MariaDB, a lock timeout":         {&mysql.MySQLError{Number: 1205}, true},
		"Galera, a node that joins":       {&mysql.MySQLError{Number: 1047}, true},
		"MariaDB, a duplicate":            {&mysql.MySQLError{Number: 1062}, false},
		"a broken connection":             {&net.OpError{Op: "read", Err: errors.New("reset")}, false},
		"a deadline":                      {context.DeadlineExceeded, false},
		"no row":                          {sql.ErrNoRows, false},
		"no error":                        {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, dberr.IsTransient(test.err))
			if test.err != nil {
				require.Equal(t, test.want, dberr.IsTransient(fmt.Errorf("wrapped: %w", test.err)))
				require.Equal(t, test.want, dberr.IsTransient(errors.Join(errors.New("another"), test.err)))
			}
		})
	}
}

func TestBusySQLiteErrorIsTransient(t *testing.T) {
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
	require.True(t, dberr.IsTransient(err), "%v", err)
	require.NoError(t, tx.Rollback())
	_, err = db.Exec("INSERT INTO x VALUES (1), (1)")
	require.Error(t, err)
	require.False(t, dberr.IsTransient(err))
}

// failing returns the errors in turn, then nil.
func failing(calls *int, errs ...error) func() error {
	*calls = 0
	return func() error {
		if *calls++; *calls <= len(errs) {
			return errs[*calls-1]
		}
		return nil
	}
}

func TestRetryRepeatsUntilSuccessOrDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deadlock, calls := &mysql.MySQLError{Number: 1213}, 0
		require.NoError(t, dberr.Retry(t.Context(), failing(&calls, slices.Repeat([]error{deadlock}, 20)...)))
		require.Equal(t, 21, calls)
		require.Error(t, dberr.Retry(t.Context(), failing(&calls, errors.New("another"))))
		require.Equal(t, 1, calls)

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, dberr.Retry(ctx, failing(&calls, slices.Repeat([]error{deadlock}, 99)...)), deadlock)
		require.Equal(t, 700*time.Millisecond, time.Since(began))
		require.Greater(t, calls, 6)
		require.ErrorIs(t, dberr.Retry(ctx, failing(&calls, deadlock, deadlock)), deadlock)
		require.LessOrEqual(t, calls, 2, "fn ran again after the deadline")

		require.ErrorIs(t, dberr.Retry(context.WithoutCancel(ctx), failing(&calls, slices.Repeat([]error{deadlock}, 99)...)), deadlock)
		require.Equal(t, 41, calls, "without a deadline")
	})
}

func TestOnlyIdempotentCallsRetryUnknownOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unknown, deadlock, calls := &pgconn.PgError{Code: "40003"}, &pgconn.PgError{Code: "40P01"}, 0
		require.ErrorIs(t, dberr.Retry(t.Context(), failing(&calls, unknown)), unknown)
		require.Equal(t, 1, calls)
		require.NoError(t, dberr.RetryIdempotent(t.Context(), failing(&calls, unknown, deadlock)))
		require.Equal(t, 3, calls)
		require.Error(t, dberr.RetryIdempotent(t.Context(), failing(&calls, &pgconn.PgError{Code: "23505"})))
		require.Equal(t, 1, calls)
	})
}

// go-sql-driver panics on a malformed packet.
func TestDriverPanicBecomesAnError(t *testing.T) {
	calls := 0
	err := dberr.RetryIdempotent(t.Context(), func() error {
		calls++
		panic("index out of range")
	})
	require.ErrorContains(t, err, "the driver panicked: index out of range")
	require.Equal(t, 1, calls)
}
