package dberr

import (
	"errors"
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
	if IsStale(err) {
		return true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		// pgx, before it sends anything; and database/sql, for a statement that a concurrent
		// call has found stale.
		if text := err.Error(); strings.HasPrefix(text, "failed to encode args[") || text == "sql: statement is closed" {
			return true
		}
		if code, ok := field(err, "Number"); ok {
			return code == mysqlUnsupported || code == mysqlTooManyPrepared
		}
	}
	return false
}

// IsStale reports whether a statement must be prepared again, because the server has lost it
// or its table has changed.
func IsStale(err error) bool {
	if state, ok := SQLState(err); ok {
		// 0A000 is feature_not_supported, for "cached plan must not change result type".
		return state == unknownName || state == duplicateName || state == "0A000"
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			return code == mysqlUnknownPrepared || code == mysqlPrepareAgain
		}
		if code, ok := sqliteCode(err); ok {
			return code&0xff == 17 // SQLITE_SCHEMA
		}
	}
	return false
}

// LosesPrepared reports whether a statement was not run because the server does not keep
// prepared statements for the client, as behind a PgBouncer in transaction mode.
func LosesPrepared(err error) bool {
	state, _ := SQLState(err)
	return state == unknownName || state == duplicateName
}

const (
	unknownName          = "26000" // invalid_sql_statement_name
	duplicateName        = "42P05" // duplicate_prepared_statement
	mysqlUnknownPrepared = 1243
	mysqlUnsupported     = 1295 // by the protocol of prepared statements
	mysqlTooManyPrepared = 1461
	mysqlPrepareAgain    = 1615
)
