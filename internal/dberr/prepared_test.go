package dberr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

func TestNotPreparedMeansThatNothingWasRun(t *testing.T) {
	for err, want := range map[error]bool{
		pgError{state: "26000"}: true,
		pgError{state: "42P05"}: true,
		pgError{state: "0A000"}: true,
		pgError{state: "23505"}: false,
		pgError{state: "57P01"}: false, // the server is shutting down
		errors.New(`failed to encode args[0]: 70000 is greater than maximum value for int2`): true,
		errors.New("sql: statement is closed"):                                               true,
		errors.New("connection reset by peer"):                                               false,
	} {
		require.Equal(t, want, dberr.NotPrepared(err), err)
		require.Equal(t, want, dberr.NotPrepared(fmt.Errorf("wrapped: %w", err)), err)
	}
	require.False(t, dberr.NotPrepared(nil))
}

func TestStaleStatementsArePreparedAgain(t *testing.T) {
	require.True(t, dberr.IsStale(pgError{state: "0A000"}))
	require.True(t, dberr.IsStale(pgError{state: "26000"}))
	require.False(t, dberr.IsStale(errors.New("failed to encode args[0]: too long")), "only the argument is wrong")
	require.False(t, dberr.IsStale(nil))
}

func TestOnlyPostgresStatesMeanThatStatementsAreLost(t *testing.T) {
	require.True(t, dberr.LosesPrepared(pgError{state: "26000"}))
	require.True(t, dberr.LosesPrepared(fmt.Errorf("wrapped: %w", pgError{state: "42P05"})))
	require.False(t, dberr.LosesPrepared(pgError{state: "0A000"}))
	require.False(t, dberr.LosesPrepared(nil))
}
