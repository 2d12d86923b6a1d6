package dberr

import (
	"errors"
	"strings"
)

// Refusal says why a prepared statement was not run. The same statement with its arguments in
// the text may succeed.
type Refusal int

const (
	// NotRefused means that the error has another reason, so the statement may have run.
	NotRefused Refusal = iota
	// Unsent means that the driver sent nothing: it cannot encode an argument, or it found the
	// connection broken.
	Unsent
	// Stale means that the table has changed since the statement was prepared, or that another
	// request has found so: it must be prepared again.
	Stale
	// Lost means that the server does not know the statement any more, or knows another one of
	// the same name. A proxy may have given the connection to another client.
	Lost
	// RefusedByServer means that the server prepares no such statement, or no more statements.
	RefusedByServer
)

// RefusalOf returns why a prepared statement was not run.
func RefusalOf(err error) Refusal {
	if err == nil {
		return NotRefused
	}
	var pgx interface{ SafeToRetry() bool }
	if errors.As(err, &pgx) && pgx.SafeToRetry() {
		return Unsent
	}
	switch state, _ := SQLState(err); state {
	case "26000", "42P05": // invalid_sql_statement_name, duplicate_prepared_statement
		return Lost
	case "0A000": // feature_not_supported, for "cached plan must not change result type"
		return Stale
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if text := err.Error(); strings.HasPrefix(text, "failed to encode args[") { // pgx, before it sends anything
			return Unsent
		} else if text == "sql: statement is closed" {
			return Stale
		}
		switch code, _ := field(err, "Number"); code {
		case 1243, 1615: // unknown statement, needs to be prepared again
			return Stale
		case 1295, 1461: // not supported by the protocol, as many as the server allows
			return RefusedByServer
		}
		if code, ok := sqliteCode(err); ok && code&0xff == 17 { // SQLITE_SCHEMA
			return Stale
		}
	}
	return NotRefused
}
