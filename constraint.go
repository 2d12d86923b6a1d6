package fiberjwt

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fiberjwt/fiberjwt/internal/transient"
)

// constraint that a write broke, as far as the driver tells. The library
// imports no driver, so it asks errors for what each is known to offer.
type constraint int

const (
	noConstraint constraint = iota
	uniqueConstraint
	otherConstraint
	raised       // a trigger raised an error of the application's; its text may repeat a value
	refusedValue // not a constraint: a value is none of the column's type; what the driver says may repeat it
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
	postgresPrivilege    = "42501" // of row-level security, or raised by a trigger, or for want of a GRANT
	postgresIntegrity    = "23"    // class 23, integrity constraint violation
	postgresDataProblems = "22"    // class 22, data exception: too long, out of range
)

func constraintOf(err error) constraint {
	if state, ok := transient.SQLState(err); ok {
		if state == postgresPrivilege && !strings.Contains(err.Error(), "permission denied for ") {
			return raised
		}
		return postgresConstraint(state)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			if signalled(err) {
				return raised
			}
			return mysqlConstraint(code)
		}
		if code, ok := sqliteCode(err); ok {
			return sqliteConstraintOf(code)
		}
	}
	return noConstraint
}

func postgresConstraint(state string) constraint {
	switch {
	case state == postgresUnique, state == postgresExclusion:
		return uniqueConstraint
	case state == postgresGenerated, len(state) == 5 && state[:2] == postgresIntegrity:
		return otherConstraint
	case len(state) == 5 && state[:2] == postgresDataProblems:
		return refusedValue
	case len(state) == 5 && !slices.Contains(postgresClasses, state[:2]):
		return raised
	}
	return noConstraint
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
func mysqlConstraint(code int64) constraint {
	switch code {
	case mysqlDuplicate:
		return uniqueConstraint
	case mysqlNull, mysqlOutOfRange, mysqlTruncated, mysqlNoDefault, mysqlTooLong, mysqlForeignKey, mysqlCheck, mariaCheck, mysqlGenerated, mariaGenerated:
		return otherConstraint
	case mysqlWrongTime, mysqlWrongValue, mysqlWrongString, mysqlNoConversion, mysqlNotConverted:
		return refusedValue
	case mysqlSignal, mysqlSignalNothing:
		return raised
	}
	return noConstraint
}

// signalled says that a trigger raised err with SQLSTATE 45000, "unhandled
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

func sqliteConstraintOf(code int64) constraint {
	switch {
	case code == sqliteUnique || code == sqlitePrimaryKey || code == sqliteRowID:
		return uniqueConstraint
	case code == sqliteTrigger:
		return raised
	case code&0xff == sqliteConstraint:
		return otherConstraint
	}
	return noConstraint
}

// unstorable says of the error of a comparison with a column that the column
// cannot hold the text, so that no row has it.
func unstorable(err error, text string) bool {
	if state, ok := transient.SQLState(err); ok {
		return slices.Contains([]string{"22P05", "22021", "22P02", "22003", "22007", "22008"}, state)
	}
	if isASCII(text) { // which every character set has: collations are mixed in the statement itself
		return false
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			return slices.Contains([]int64{mysqlMixed, mysqlWrongString, mysqlWrongValue, mysqlNoConversion, mysqlNotConverted}, code)
		}
	}
	return false
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}

// absence is what a statement looked for in vain.
type absence int

const (
	nothingMissing absence = iota
	missingTable
	missingColumn
)

// Codes of absences; SQLite has none of its own for them.
const (
	mysqlNoTable     = 1146
	mysqlNoColumn    = 1054
	postgresNoTable  = "42P01"
	postgresNoColumn = "42703"
)

func missing(err error) absence {
	if state, ok := transient.SQLState(err); ok {
		return map[string]absence{postgresNoTable: missingTable, postgresNoColumn: missingColumn}[state]
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := field(err, "Number"); ok {
			return map[int64]absence{mysqlNoTable: missingTable, mysqlNoColumn: missingColumn}[code]
		}
		switch text := err.Error(); {
		case strings.Contains(text, "no such table"):
			return missingTable
		case strings.Contains(text, "no such column"), strings.Contains(text, "has no column named"):
			return missingColumn
		}
	}
	return nothingMissing
}

// sqliteCode is the extended code, or the plain one where a driver has no
// other: modernc has a method Code, ncruces also ExtendedCode, mattn has fields.
//
// The names of the methods are constants. A name in a variable makes the linker
// keep every method of the whole program: such a call made the program of the
// README a third larger.
func sqliteCode(err error) (int64, bool) {
	value := reflect.ValueOf(err)
	for _, method := range []reflect.Value{value.MethodByName("ExtendedCode"), value.MethodByName("Code")} {
		if method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
			return integer(method.Call(nil)[0])
		}
	}
	if code, ok := field(err, "ExtendedCode"); ok {
		return code, true
	}
	return field(err, "Code")
}

// field reads an integer that an error has as a field, as go-sql-driver's has.
func field(err error, name string) (int64, bool) {
	value := reflect.Indirect(reflect.ValueOf(err))
	if value.Kind() != reflect.Struct {
		return 0, false
	}
	return integer(value.FieldByName(name))
}

func integer(value reflect.Value) (int64, bool) {
	switch {
	case value.IsValid() && value.CanInt():
		return value.Int(), true
	case value.IsValid() && value.CanUint():
		return int64(value.Uint()), true
	}
	return 0, false
}
