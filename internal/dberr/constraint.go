package dberr

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Constraint that a write broke, as far as the driver tells. The library
// imports no driver, so it asks errors for what each is known to offer.
type Constraint int

// The constraints that are told apart.
const (
	None Constraint = iota
	Unique
	Other
	Raised       // a trigger raised an error of the application's; its text may repeat a value
	RefusedValue // not a constraint: a value is none of the column's type; what the driver says may repeat it
)

// Codes of broken constraints.
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
	mysqlMixed           = 1267 // of collations; so is a text with characters that the column's set lacks
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
	postgresPrivilege    = "42501" // of row-level security, or Raised by a trigger, or for want of a GRANT
	postgresIntegrity    = "23"    // class 23, integrity constraint violation
	postgresDataProblems = "22"    // class 22, data exception: too long, out of range
)

// ConstraintOf says which constraint a write broke.
func ConstraintOf(err error) Constraint {
	if state, ok := SQLState(err); ok {
		if state == postgresPrivilege && !strings.Contains(err.Error(), "permission denied for ") {
			return Raised
		}
		return postgresConstraint(state)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			if signalled(err) {
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

// postgresClasses are the classes of SQLSTATE that PostgreSQL has for other
// errors than those of code in the database: 09, 38, 39, 44 (a view's check) and
// P0 (PL/pgSQL) are not among them, nor are those that an application makes up.
var postgresClasses = []string{
	"00", "01", "02", "03", "08", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F",
	"34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "72", "F0", "HV", "XX",
	"CR", // CockroachDB
}

// mysqlConstraint goes by numbers: of several, SQLSTATE is HY000 or 01000.
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

// signalled says that a trigger Raised err with SQLSTATE 45000, "unhandled
// user-defined exception", and may be a number of its own.
func signalled(err error) bool {
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

// Unstorable says of the error of a comparison with a column that the column
// cannot hold the text, so that no row has it.
func Unstorable(err error, text string) bool {
	if state, ok := SQLState(err); ok {
		return slices.Contains([]string{"22P05", "22021", "22P02", "22003", "22007", "22008"}, state)
	}
	if IsASCII(text) { // which every character set has: collations are mixed in the statement itself
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
