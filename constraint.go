package fiberjwt

import (
	"errors"
	"reflect"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/transient"
)

// constraint that a write broke, as far as the driver tells. The library
// imports no driver, so it asks errors for what each is known to offer.
type constraint int

const (
	noConstraint constraint = iota
	uniqueConstraint
	otherConstraint
	refusedValue // not a constraint: a value is none of the column's type; what the driver says may repeat it
)

// Codes of broken constraints.
const (
	sqliteConstraint   = 19 // the low byte of the extended codes below
	sqliteUnique       = 2067
	sqlitePrimaryKey   = 1555
	sqliteRowID        = 2579
	mysqlDuplicate     = 1062
	mysqlNull          = 1048
	mysqlOutOfRange    = 1264
	mysqlTruncated     = 1265
	mysqlWrongTime     = 1292
	mysqlNoDefault     = 1364
	mysqlWrongValue    = 1366
	mysqlTooLong       = 1406
	mysqlForeignKey    = 1452
	mysqlCheck         = 3819
	mariaCheck         = 4025
	postgresUnique     = "23505"
	postgresIntegrity  = "23" // class 23, integrity constraint violation
	postgresDataFaults = "22" // class 22, data exception: too long, out of range
)

func constraintOf(err error) constraint {
	if state, ok := transient.SQLState(err); ok {
		return postgresConstraint(state)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if code, ok := number(err, "Number"); ok {
			return mysqlConstraint(code)
		}
		if code, ok := number(err, "ExtendedCode"); ok {
			return sqliteConstraintOf(code)
		}
		if code, ok := number(err, "Code"); ok {
			return sqliteConstraintOf(code)
		}
	}
	return noConstraint
}

func postgresConstraint(state string) constraint {
	switch {
	case state == postgresUnique:
		return uniqueConstraint
	case len(state) == 5 && state[:2] == postgresIntegrity:
		return otherConstraint
	case len(state) == 5 && state[:2] == postgresDataFaults:
		return refusedValue
	}
	return noConstraint
}

// mysqlConstraint goes by numbers: of several, SQLSTATE is HY000 or 01000.
func mysqlConstraint(code int64) constraint {
	switch code {
	case mysqlDuplicate:
		return uniqueConstraint
	case mysqlNull, mysqlOutOfRange, mysqlTruncated, mysqlNoDefault, mysqlTooLong, mysqlForeignKey, mysqlCheck, mariaCheck:
		return otherConstraint
	case mysqlWrongTime, mysqlWrongValue:
		return refusedValue
	}
	return noConstraint
}

func sqliteConstraintOf(code int64) constraint {
	switch {
	case code == sqliteUnique || code == sqlitePrimaryKey || code == sqliteRowID:
		return uniqueConstraint
	case code&0xff == sqliteConstraint:
		return otherConstraint
	}
	return noConstraint
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
		if code, ok := number(err, "Number"); ok {
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

// number reads an integer that an error has as a method or a field: modernc
// has Code(), ncruces ExtendedCode(), mattn and go-sql-driver have fields.
func number(err error, name string) (int64, bool) {
	value := reflect.ValueOf(err)
	if method := value.MethodByName(name); method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
		return integer(method.Call(nil)[0])
	}
	value = reflect.Indirect(value)
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
