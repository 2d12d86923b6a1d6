package dberr

import (
	"errors"
	"slices"
	"strings"
)

// NotPrepared reports whether a statement was not run because it is prepared, or because an
// argument is sent apart from the text. The same statement with its arguments in the text may
// succeed. The causes: the table has changed since it was prepared, the server has as many
// prepared statements as it allows, a proxy has given the connection to another client, or
// the column is of a type to which the driver does not convert the argument.
func NotPrepared(err error) bool {
	if err == nil {
		return false
	}
	if state, ok := SQLState(err); ok {
		// 0A000 is feature_not_supported, for "cached plan must not change result type".
		return state == unknownName || state == duplicateName || state == "0A000"
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.HasPrefix(err.Error(), "failed to encode args[") { // pgx, before it sends anything
			return true
		}
		if code, ok := field(err, "Number"); ok {
			// Unknown statement, not supported in the protocol of prepared statements, too many
			// of them, and to be prepared again.
			return slices.Contains([]int64{1243, 1295, 1461, 1615}, code)
		}
		if code, ok := sqliteCode(err); ok {
			return code&0xff == 17 // SQLITE_SCHEMA
		}
	}
	return false
}

// The states invalid_sql_statement_name and duplicate_prepared_statement of PostgreSQL.
const (
	unknownName   = "26000"
	duplicateName = "42P05"
)

// LosesPrepared reports whether a statement was not run because the server does not keep
// prepared statements for the client, as behind a PgBouncer in transaction mode.
func LosesPrepared(err error) bool {
	state, _ := SQLState(err)
	return state == unknownName || state == duplicateName
}
