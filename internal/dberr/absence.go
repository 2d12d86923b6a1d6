package dberr

import (
	"errors"
	"strings"
)

// Absence is what a statement did not find in the schema.
type Absence int

// What can be missing.
const (
	NothingMissing Absence = iota
	MissingTable
	MissingColumn
)

// Codes of absences. SQLite has no separate codes for them.
const (
	mysqlNoTable     = 1146
	mysqlNoColumn    = 1054
	postgresNoTable  = "42P01"
	postgresNoColumn = "42703"
)

// Missing returns what a statement did not find in the schema, by its error.
func Missing(err error) Absence {
	if state, ok := SQLState(err); ok {
		return map[string]Absence{postgresNoTable: MissingTable, postgresNoColumn: MissingColumn}[state]
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			return map[int64]Absence{mysqlNoTable: MissingTable, mysqlNoColumn: MissingColumn}[code]
		}
		switch text := err.Error(); {
		case strings.Contains(text, "no such table"):
			return MissingTable
		case strings.Contains(text, "no such column"), strings.Contains(text, "has no column named"):
			return MissingColumn
		}
	}
	return NothingMissing
}
