// Package mysql has an error with the type name of go-sql-driver, by which it is
// recognized. The root module does not require the driver.
package mysql

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

type MySQLError struct{ Number uint16 }

func (*MySQLError) Error() string { return "Error" }

func TestTransientErrorsOfMySQL(t *testing.T) {
	for number, want := range map[uint16]bool{1213: true, 1020: true, 1205: true, 1047: true, 1062: false, 1146: false} {
		err := &MySQLError{number}
		require.Equal(t, want, dberr.IsTransient(err), number)
		require.Equal(t, want, dberr.IsTransient(fmt.Errorf("wrapped: %w", err)), number)
		require.Equal(t, want, dberr.IsTransient(errors.Join(errors.New("other"), err)), number)
	}
}

func TestRefusalOfPreparedStatementOfMySQL(t *testing.T) {
	for number, want := range map[uint16]dberr.Refusal{
		1243: dberr.Stale, 1615: dberr.Stale, 1295: dberr.RefusedByServer, 1461: dberr.RefusedByServer,
		1213: dberr.NotRefused, 1062: dberr.NotRefused,
	} {
		require.Equal(t, want, dberr.RefusalOf(fmt.Errorf("wrapped: %w", &MySQLError{number})), number)
	}
}
