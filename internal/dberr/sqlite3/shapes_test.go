// Package sqlite3_test has errors with the fields and methods of other drivers of SQLite,
// which are recognized by the name of their package.
package sqlite3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// fieldError has the fields of mattn's, which is not a pointer.
type fieldError struct{ Code, ExtendedCode int }

func (fieldError) Error() string { return "database is locked" }

// methodError has the method of modernc's, which returns the extended code.
type methodError struct{ code int }

func (*methodError) Error() string { return "database is locked" }
func (e *methodError) Code() int   { return e.code }

// otherError has no code.
type otherError string

func (otherError) Error() string { return "something else" }

func TestOtherSQLiteDriverErrorsAreRecognized(t *testing.T) {
	require.True(t, dberr.IsTransient(fieldError{5, 517}))
	require.False(t, dberr.IsTransient(fieldError{13, 13}))
	require.True(t, dberr.IsTransient(&methodError{5}))
	require.True(t, dberr.IsTransient(&methodError{517}))
	require.False(t, dberr.IsTransient(&methodError{8}))
	require.False(t, dberr.IsTransient(otherError("")))
}
