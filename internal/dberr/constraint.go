package dberr

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Constraint is the constraint that a write violated. The library imports no driver, so it
// reads the fields and methods that errors of the known drivers have.
type Constraint int

// The constraints that are distinguished.
const (
	None Constraint = iota
	Unique
	Other
	Raised       // a trigger of the application raised an error; its text may contain a value
	RefusedValue // not a constraint: a value does not fit the type of the column; the text of the error may contain it
)

// Codes of violated constraints.
const (
	sqliteConstraint     = 19 // the low byte of the extended codes below
	sqliteUnique         = 2067
	sqlitePrimaryKey     = 1555
	sqliteRowID          = 2579
	sqliteTrigger        = 1811
	mysqlDuplicate       = 1062
	mysqlNull            = 1048
	mysqlOutOfRange      = 1264
	mysqlTruncated       = 1265
	mysqlWrongTime       = 1292
	mysqlNoDefault       = 1364
	mysqlWrongValue      = 1366
	mysqlMixed           = 1267 // illegal mix of collations; also for characters that are not in the column's character set
	mysqlWrongString     = 1300
	mysqlNoConversion    = 3988
	mysqlNotConverted    = 3854
	mysqlSignal          = 1644
	mysqlSignalNothing   = 1643
	mysqlGenerated       = 3105
	mariaGenerated       = 1906
	mysqlTooLong         = 1406
	mysqlForeignKey      = 1452
	mysqlCheck           = 3819
	mariaCheck           = 4025
	postgresUnique       = "23505"
	postgresExclusion    = "23P01"
	postgresGenerated    = "428C9"
	postgresPrivilege    = "42501" // from row-level security, or raised by a trigger, or because a GRANT is missing
	postgresIntegrity    = "23"    // class 23, integrity constraint violation
	postgresDataProblems = "22"    // class 22, data exception: too long, out of range
)

// ConstraintOf returns the constraint that a write violated, by its error.
func ConstraintOf(err error) Constraint {
	if state, ok := SQLState(err); ok {
		if state == postgresPrivilege && !strings.Contains(err.Error(), "permission denied for ") {
			return Raised
		}
		return postgresConstraint(state)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			if isSignal(err) {
				return Raised
			}
			return mysqlConstraint(code)
		}
		if code, ok := sqliteCode(err); ok {
			return sqliteConstraintOf(code)
		}
	}
	return None
}

func postgresConstraint(state string) Constraint {
	switch {
	case state == postgresUnique, state == postgresExclusion:
		return Unique
	case state == postgresGenerated, len(state) == 5 && state[:2] == postgresIntegrity:
		return Other
	case len(state) == 5 && state[:2] == postgresDataProblems:
		return RefusedValue
	case len(state) == 5 && !slices.Contains(postgresClasses, state[:2]):
		return Raised
	}
	return None
}

// postgresClasses are the classes of SQLSTATE that do not come from code in the database.
// So they do not include 09, 38, 39, 44 (the check of a view) and P0 (PL/pgSQL), nor
// classes that an application defines.
var postgresClasses = []string{
	"00", "01", "02", "03", "08", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F",
	"34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "72", "F0", "HV", "XX",
	"CR", // CockroachDB
}

// mysqlConstraint uses error numbers, because several errors share the SQLSTATE HY000 or
// 01000.
func mysqlConstraint(code int64) Constraint {
	switch code {
	case mysqlDuplicate:
		return Unique
	case mysqlNull, mysqlOutOfRange, mysqlTruncated, mysqlNoDefault, mysqlTooLong, mysqlForeignKey, mysqlCheck, mariaCheck, mysqlGenerated, mariaGenerated:
		return Other
	case mysqlWrongTime, mysqlWrongValue, mysqlWrongString, mysqlNoConversion, mysqlNotConverted:
		return RefusedValue
	case mysqlSignal, mysqlSignalNothing:
		return Raised
	}
	return None
}

// isSignal reports whether a trigger raised err with SQLSTATE 45000, "unhandled user-defined
// exception". The error number can then be any number.
func isSignal(err error) bool {
	value := reflect.Indirect(reflect.ValueOf(err))
	if value.Kind() != reflect.Struct {
		return false
	}
	state := value.FieldByName("SQLState")
	if !state.IsValid() || state.Type() != reflect.TypeFor[[5]byte]() {
		return false
	}
	return state.Index(0).Uint() == '4' && state.Index(1).Uint() == '5'
}

func sqliteConstraintOf(code int64) Constraint {
	switch {
	case code == sqliteUnique || code == sqlitePrimaryKey || code == sqliteRowID:
		return Unique
	case code == sqliteTrigger:
		return Raised
	case code&0xff == sqliteConstraint:
		return Other
	}
	return None
}

// Unstorable reports whether err, from a comparison of a column with text, means that the
// column cannot contain text. Then no row contains it.
func Unstorable(err error, text string) bool {
	if state, ok := SQLState(err); ok {
		return slices.Contains([]string{"22P05", "22021", "22P02", "22003", "22007", "22008"}, state)
	}
	if IsASCII(text) { // every character set contains it, so the statement itself mixes collations
		return false
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			return slices.Contains([]int64{mysqlMixed, mysqlWrongString, mysqlWrongValue, mysqlNoConversion, mysqlNotConverted}, code)
		}
	}
	return false
}

// IsASCII reports whether text has ASCII characters only.
func IsASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}
