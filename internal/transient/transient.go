// Package transient tells the errors of databases that did nothing and may do
// it if asked again. It imports no driver; what it knows of them is this:
//
//	PostgreSQL          SQLState() 40001 serialization_failure (and what CockroachDB asks
//	                    to restart), 40P01 deadlock_detected, 55P03 lock_not_available
//	                    (pgx, lib/pq; Bun's pgdriver by Field('C'))
//	MariaDB, MySQL      MySQLError.Number 1213 deadlock (and what Galera does not
//	                    certify, also at COMMIT), 1020 the record has changed, 1205 lock
//	                    wait timeout, 1047 a node of Galera that is not ready
//	                    (go-sql-driver)
//	SQLite              code 5 SQLITE_BUSY with all its extended codes
//	                    (ncruces, modernc, mattn)
//
// Whatever is not known is not tried again.
package transient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

const (
	retries      = 40 // some three seconds, for a caller without a deadline
	pause        = 10 * time.Millisecond
	longestPause = 160 * time.Millisecond
)

// Retry calls do until its error is none of these, or ctx is done, or it was
// called forty times more. The pauses are random and grow, so that those who met
// do not meet again: of all who write to one row, one gets through each time.
func Retry(ctx context.Context, do func() error) error { return retry(ctx, do, Is) }

// RetryIdempotent is Retry for what has no more effect when it is done twice. It
// also repeats what may have been done: CockroachDB says that by 40003,
// statement_completion_unknown. A panic of do is an error, since do calls a driver
// and nothing else; database/sql does not get the connection back.
func RetryIdempotent(ctx context.Context, do func() error) error {
	return retry(ctx, shielded(do), func(err error) bool {
		state, _ := SQLState(err)
		return Is(err) || state == "40003"
	})
}

func retry(ctx context.Context, do func() error, again func(error) bool) error {
	longest := pause
	for range retries {
		err := do()
		if err == nil || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(longest)):
		}
		longest = min(2*longest, longestPause)
	}
	return do()
}

func shielded(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the driver panicked: %v\n%s", p, debug.Stack())
			}
		}()
		return do()
	}
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

func repeatable(state string) bool { return state == "40001" || state == "40P01" || state == "55P03" }

// byNumber is for drivers whose errors have no interface in common.
func byNumber(err error) bool {
	value := reflect.ValueOf(err)
	switch kind := reflect.TypeOf(err).String(); {
	case kind == "*mysql.MySQLError":
		n := integer(reflect.Indirect(value).FieldByName("Number"))
		return slices.Contains([]int64{1213, 1020, 1205, 1047}, n)
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
