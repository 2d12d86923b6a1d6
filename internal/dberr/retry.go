// Package dberr classifies the errors of databases: after which of them a statement may be
// retried, and which constraint a write violated. It imports no driver. It knows these
// errors:
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
// After any other error, a statement is not retried.
package dberr

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

	"github.com/uptrace/bun"
)

const (
	retries      = 40 // about three seconds, if ctx has no deadline
	pause        = 10 * time.Millisecond
	longestPause = 160 * time.Millisecond
)

// Retry calls do, and calls it again while its error is transient, see [IsTransient], until
// ctx is done or it has made 40 retries. It returns the last error. The pauses between the
// calls are random and grow, so that transactions that conflicted do not conflict again.
func Retry(ctx context.Context, do func() error) error { return retry(ctx, do, IsTransient) }

// RetryIdempotent is [Retry] for a call that may be repeated after it has succeeded. So it
// also retries after 40003, statement_completion_unknown, with which CockroachDB reports
// that the statement may have succeeded. It returns a panic of do as an error; do must
// only call the driver. database/sql does not get the connection back after a panic.
func RetryIdempotent(ctx context.Context, do func() error) error {
	return retry(ctx, recoverPanic(do), func(err error) bool {
		state, _ := SQLState(err)
		return IsTransient(err) || state == "40003"
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

func recoverPanic(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the driver panicked: %v\n%s", p, debug.Stack())
			}
		}()
		return do()
	}
}

// IsTransient reports whether the database rolled back the statement, or the transaction,
// so that it may be retried.
func IsTransient(err error) bool {
	if state, ok := SQLState(err); ok {
		return isTransientState(state)
	}
	return anyTransient(err)
}

// SQLState returns the SQLSTATE of an error of PostgreSQL. pgx and lib/pq have a method for
// it. Bun's pgdriver has it under the name that the field has in the protocol.
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

// anyTransient reports whether err, or an error that it wraps, has a transient code.
func anyTransient(err error) bool {
	if err == nil || hasTransientCode(err) {
		return err != nil
	}
	switch wrapper := err.(type) { //nolint:errorlint // this unwraps the error itself
	case interface{ Unwrap() error }:
		return anyTransient(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), anyTransient)
	}
	return false
}

func isTransientState(state string) bool {
	return state == "40001" || state == "40P01" || state == "55P03"
}

// hasTransientCode is for drivers whose errors have no common interface. It recognizes them
// by the name of their type.
func hasTransientCode(err error) bool {
	switch kind := reflect.TypeOf(err).String(); {
	case kind == "*mysql.MySQLError":
		number, _ := field(err, "Number")
		return slices.Contains([]int64{1213, 1020, 1205, 1047}, number)
	case strings.HasPrefix(strings.TrimPrefix(kind, "*"), "sqlite"):
		code, ok := sqliteCode(err)
		return ok && code&0xff == 5
	}
	return false
}

// InTx runs change in a transaction, and retries both if the database rolled them back.
func InTx(ctx context.Context, db *bun.DB, change func(context.Context, bun.Tx) error) error {
	return Retry(ctx, func() error { return db.RunInTx(ctx, nil, change) })
}
