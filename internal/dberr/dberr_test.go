package dberr_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// These errors have the fields and methods of the drivers, which the root module does
// not require. Tests with the drivers are in session/dbtest.

// pgError has the method of pgx and lib/pq.
type pgError struct{ state, text string }

func (e pgError) Error() string    { return e.text }
func (e pgError) SQLState() string { return e.state }

// bunError has the method of Bun's pgdriver.
type bunError struct{ state string }

func (bunError) Error() string { return "ERROR" }
func (e bunError) Field(key byte) string {
	if key == 'C' {
		return e.state
	}
	return ""
}

// mysqlError has the fields of go-sql-driver.
type mysqlError struct {
	Number   uint16
	SQLState [5]byte
}

func (*mysqlError) Error() string { return "Error" }

func mysql(number uint16) error { return &mysqlError{Number: number} }

// sqliteError has the method of modernc.
type sqliteError struct{ code int }

func (*sqliteError) Error() string { return "constraint failed" }
func (e *sqliteError) Code() int   { return e.code }

// stringCode has a method Code of another type.
type stringCode struct{}

func (stringCode) Error() string { return "E_OTHER" }
func (stringCode) Code() string  { return "2067" }

func pg(state string) error { return pgError{state, "ERROR"} }

func TestConstraintOfKnowsTheCodesOfEachDriver(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want dberr.Constraint
	}{
		"no error":                          {nil, dberr.None},
		"an unknown error":                  {errors.New("UNIQUE constraint failed"), dberr.None},
		"an unknown type of code":           {stringCode{}, dberr.None},
		"PostgreSQL: duplicate":             {pg("23505"), dberr.Unique},
		"PostgreSQL: exclusion":             {pg("23P01"), dberr.Unique},
		"PostgreSQL: not null":              {pg("23502"), dberr.Other},
		"PostgreSQL: generated column":      {pg("428C9"), dberr.Other},
		"PostgreSQL: too long":              {pg("22001"), dberr.RefusedValue},
		"PostgreSQL: raised by PL/pgSQL":    {pg("P0001"), dberr.Raised},
		"PostgreSQL: check of a view":       {pg("44000"), dberr.Raised},
		"PostgreSQL: row-level security":    {pgError{"42501", `new row violates row-level security policy for table "users"`}, dberr.Raised},
		"PostgreSQL: missing GRANT":         {pgError{"42501", "permission denied for table users"}, dberr.None},
		"PostgreSQL: deadlock":              {pg("40P01"), dberr.None},
		"PostgreSQL by Bun: duplicate":      {bunError{"23505"}, dberr.Unique},
		"MySQL: duplicate":                  {mysql(1062), dberr.Unique},
		"MySQL: too long":                   {mysql(1406), dberr.Other},
		"MariaDB: check":                    {mysql(4025), dberr.Other},
		"MySQL: wrong value":                {mysql(1366), dberr.RefusedValue},
		"MySQL: SIGNAL":                     {mysql(1644), dberr.Raised},
		"MySQL: SIGNAL with another number": {&mysqlError{1062, [5]byte{'4', '5', '0', '0', '0'}}, dberr.Raised},
		"MySQL: deadlock":                   {mysql(1213), dberr.None},
		"SQLite: unique":                    {&sqliteError{2067}, dberr.Unique},
		"SQLite: primary key":               {&sqliteError{1555}, dberr.Unique},
		"SQLite: rowid":                     {&sqliteError{2579}, dberr.Unique},
		"SQLite: not null":                  {&sqliteError{1299}, dberr.Other},
		"SQLite: trigger":                   {&sqliteError{1811}, dberr.Raised},
		"SQLite: busy":                      {&sqliteError{5}, dberr.None},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, dberr.ConstraintOf(test.err))
			if test.err != nil {
				require.Equal(t, test.want, dberr.ConstraintOf(fmt.Errorf("wrapped: %w", test.err)))
			}
		})
	}
}

func TestMissingFindsTableAndColumn(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want dberr.Absence
	}{
		"no error":                   {nil, dberr.NothingMissing},
		"an unknown error":           {errors.New("connection refused"), dberr.NothingMissing},
		"PostgreSQL: table":          {pg("42P01"), dberr.MissingTable},
		"PostgreSQL: column":         {pg("42703"), dberr.MissingColumn},
		"PostgreSQL: duplicate":      {pg("23505"), dberr.NothingMissing},
		"MySQL: table":               {mysql(1146), dberr.MissingTable},
		"MySQL: column":              {mysql(1054), dberr.MissingColumn},
		"MySQL: duplicate":           {mysql(1062), dberr.NothingMissing},
		"SQLite: table":              {errors.New("no such table: users"), dberr.MissingTable},
		"SQLite: column in a SELECT": {errors.New("no such column: email"), dberr.MissingColumn},
		"SQLite: column in INSERT":   {errors.New("table users has no column named email"), dberr.MissingColumn},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, dberr.Missing(test.err))
			if test.err != nil {
				require.Equal(t, test.want, dberr.Missing(fmt.Errorf("wrapped: %w", test.err)))
			}
		})
	}
}

func TestUnstorableIsAboutTheTextOfTheClient(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		text string
		want bool
	}{
		"PostgreSQL: not in the encoding":      {pg("22P05"), "änn", true},
		"PostgreSQL: not a UUID":               {pg("22P02"), "ann", true},
		"PostgreSQL: syntax error":             {pg("42601"), "änn", false},
		"MySQL: collations, text of the query": {mysql(1267), "ann", false},
		"MySQL: collations, text of a client":  {mysql(1267), "änn", true},
		"MySQL: deadlock":                      {mysql(1213), "änn", false},
		"an unknown error":                     {errors.New("broken"), "änn", false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, dberr.Unstorable(test.err, test.text))
		})
	}
}

func TestTransientErrorsOfPostgreSQL(t *testing.T) {
	for state, want := range map[string]bool{"40001": true, "40P01": true, "55P03": true, "40003": false, "23505": false, "57P01": false} {
		require.Equal(t, want, dberr.IsTransient(pg(state)), state)
		require.Equal(t, want, dberr.IsTransient(bunError{state}), state)
		require.Equal(t, want, dberr.IsTransient(errors.Join(errors.New("other"), pg(state))), state)
	}
}

func TestOtherErrorsAreNotTransient(t *testing.T) {
	for _, err := range []error{nil, context.DeadlineExceeded, sql.ErrNoRows, errors.New("database is locked"), mysql(1213)} {
		require.False(t, dberr.IsTransient(err), "%v", err)
		require.False(t, dberr.IsTransient(fmt.Errorf("wrapped: %w", errors.Join(err, errors.New("other")))))
	}
}

// failing returns a function that returns err for the first n calls, and counts them.
func failing(calls *int, n int, err error) func() error {
	*calls = 0
	return func() error {
		if *calls++; *calls <= n {
			return err
		}
		return nil
	}
}

func TestRetryCallsUntilTheErrorIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		require.NoError(t, dberr.Retry(t.Context(), failing(&calls, 7, pg("40001"))))
		require.Equal(t, 8, calls)
	})
}

func TestRetryStopsAfter40Retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, start := 0, time.Now()
		require.ErrorIs(t, dberr.Retry(t.Context(), failing(&calls, 99, pg("40001"))), pg("40001"))
		require.Equal(t, 41, calls)
		require.Less(t, time.Since(start), 41*160*time.Millisecond)
	})
}

func TestRetryDoesNotRepeatOtherErrors(t *testing.T) {
	calls := 0
	for _, err := range []error{pg("23505"), pg("40003"), errors.New("broken")} {
		require.ErrorIs(t, dberr.Retry(t.Context(), failing(&calls, 9, err)), err)
		require.Equal(t, 1, calls, "%v", err)
	}
}

func TestRetryStopsWhenTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		calls, start := 0, time.Now()
		require.ErrorIs(t, dberr.Retry(ctx, failing(&calls, 99, pg("40001"))), pg("40001"))
		require.Equal(t, 300*time.Millisecond, time.Since(start))
	})
}

func TestRetryIdempotentRepeatsUnknownOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		require.NoError(t, dberr.RetryIdempotent(t.Context(), failing(&calls, 2, pg("40003"))))
		require.Equal(t, 3, calls)
		require.Error(t, dberr.RetryIdempotent(t.Context(), failing(&calls, 2, pg("23505"))))
		require.Equal(t, 1, calls)
	})
}

func TestRetryIdempotentReturnsPanicAsError(t *testing.T) {
	calls := 0
	err := dberr.RetryIdempotent(t.Context(), func() error { calls++; panic("index out of range") })
	require.ErrorContains(t, err, "the driver panicked: index out of range")
	require.Equal(t, 1, calls)
}

func TestInTxRollsBackAndRepeats(t *testing.T) {
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE TABLE x (n INTEGER)")
	require.NoError(t, err)

	calls := 0
	insert := func(last error) func(context.Context, bun.Tx) error {
		return func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO x VALUES (1)")
			require.NoError(t, err)
			if calls++; calls <= 2 {
				return pg("40P01")
			}
			return last
		}
	}
	require.NoError(t, dberr.InTx(t.Context(), db, insert(nil)))
	require.Equal(t, 3, calls)
	require.ErrorIs(t, dberr.InTx(t.Context(), db, insert(sql.ErrNoRows)), sql.ErrNoRows)
	n, err := db.NewSelect().Table("x").Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "failed transactions left rows")
}
