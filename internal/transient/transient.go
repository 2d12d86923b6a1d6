// Package transient tells the errors of databases that did nothing and may do
// it if asked again. It imports no driver; what it knows of them is this:
//
//	PostgreSQL          SQLState() 40001 serialization_failure, 40P01 deadlock_detected
//	                    (pgx, lib/pq; Bun's pgdriver by Field('C'))
//	MariaDB, MySQL      MySQLError.Number 1213 deadlock, 1020 the record has changed
//	                    (go-sql-driver)
//	SQLite              code 5 SQLITE_BUSY with all its extended codes
//	                    (ncruces, modernc, mattn)
//
// Not 1205, lock wait timeout: whoever has waited that long is past every
// deadline. Whatever is not known is not tried again.
package transient

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"
)

const (
	retries = 3
	pause   = 10 * time.Millisecond
)

// Retry calls do, and up to three times more while its error is one of these
// and ctx goes on. The pauses are random, so that those who met do not meet again.
func Retry(ctx context.Context, do func() error) error {
	for try := range retries {
		err := do()
		if err == nil || !Is(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(pause << try)):
		}
	}
	return do()
}

// Is says that the statement, or the transaction, was rolled back and may be
// repeated.
func Is(err error) bool {
	if state, ok := SQLState(err); ok {
		return repeatable(state)
	}
	return numbered(err)
}

// SQLState is the code of PostgreSQL in err, which pgx and lib/pq tell by a
// method, and Bun's pgdriver by the protocol's own name of the field.
func SQLState(err error) (state string, ok bool) {
	var method interface{ SQLState() string }
	if errors.As(err, &method) {
		return method.SQLState(), true
	}
	var fields interface{ Field(key byte) string }
	if errors.As(err, &fields) {
		return fields.Field('C'), true
	}
	return "", false
}

// numbered looks at err and all that it wraps.
func numbered(err error) bool {
	if err == nil || byNumber(err) {
		return err != nil
	}
	switch wrapper := err.(type) { //nolint:errorlint // this is the walk itself
	case interface{ Unwrap() error }:
		return numbered(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), numbered)
	}
	return false
}

func repeatable(state string) bool { return state == "40001" || state == "40P01" }

// byNumber is for drivers whose errors have no interface in common.
func byNumber(err error) bool {
	value := reflect.ValueOf(err)
	switch kind := reflect.TypeOf(err).String(); {
	case kind == "*mysql.MySQLError":
		n := integer(reflect.Indirect(value).FieldByName("Number"))
		return n == 1213 || n == 1020
	case strings.HasPrefix(strings.TrimPrefix(kind, "*"), "sqlite"):
		return sqliteCode(value)&0xff == 5
	}
	return false
}

// sqliteCode is what a method Code gives, or a field Code has.
func sqliteCode(err reflect.Value) int64 {
	if method := err.MethodByName("Code"); method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
		return integer(method.Call(nil)[0])
	}
	if err = reflect.Indirect(err); err.Kind() == reflect.Struct {
		return integer(err.FieldByName("Code"))
	}
	return 0
}

// integer is 0 for what is none.
func integer(value reflect.Value) int64 {
	switch {
	case value.IsValid() && value.CanInt():
		return value.Int()
	case value.IsValid() && value.CanUint():
		return int64(value.Uint())
	}
	return 0
}
