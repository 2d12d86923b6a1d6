package dberr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// unsent is an error like those of pgx that say whether something was sent.
type unsent bool

func (unsent) Error() string       { return "connection reset by peer" }
func (u unsent) SafeToRetry() bool { return bool(u) }

func TestRefusalOfPreparedStatement(t *testing.T) {
	for err, want := range map[error]dberr.Refusal{
		pgError{state: "26000"}: dberr.Lost,
		pgError{state: "42P05"}: dberr.Lost,
		pgError{state: "0A000"}: dberr.Stale,
		pgError{state: "23505"}: dberr.NotRefused,
		pgError{state: "57P01"}: dberr.NotRefused, // the server is shutting down
		errors.New(`failed to encode args[0]: 70000 is greater than maximum value for int2`): dberr.Unsent,
		errors.New("sql: statement is closed"):                                               dberr.Stale,
		errors.New("connection reset by peer"):                                               dberr.NotRefused,
		unsent(true):                                                                         dberr.Unsent,
		unsent(false):                                                                        dberr.NotRefused,
	} {
		require.Equal(t, want, dberr.RefusalOf(err), err)
		require.Equal(t, want, dberr.RefusalOf(fmt.Errorf("wrapped: %w", err)), err)
	}
	require.Equal(t, dberr.NotRefused, dberr.RefusalOf(nil))
}
