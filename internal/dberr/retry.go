// Package dberr reads the errors of databases: which of them did nothing and may be
// repeated, and which constraint a write broke. It imports no driver; what it knows of
// them is this:
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
// An error that is not known is not tried again.
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
	retries      = 40 // some three seconds, for a caller without a deadline
	pause        = 10 * time.Millisecond
	longestPause = 160 * time.Millisecond
)

// Retry calls do until its error is none of these, or ctx is done, or it was
// called forty times more. The pauses are random and grow, so that those who met
// do not meet again: of all who write to one row, one gets through each time.
func Retry(ctx context.Context, do func() error) error { return retry(ctx, do, IsTransient) }

// RetryIdempotent is Retry for what has no more effect when it is done twice. It
// also repeats what may have been done: CockroachDB says that by 40003,
// statement_completion_unknown. A panic of do is an error, since do calls a driver
// and nothing else; database/sql does not get the connection back.
func RetryIdempotent(ctx context.Context, do func() error) error {
	return retry(ctx, shielded(do), func(err error) bool {
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

// IsTransient says that the statement, or the transaction, was rolled back and may be
// repeated.
func IsTransient(err error) bool {
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

// InTx runs a change in a transaction, again if the database rolled it back.
func InTx(ctx context.Context, db *bun.DB, change func(context.Context, bun.Tx) error) error {
	return Retry(ctx, func() error { return db.RunInTx(ctx, nil, change) })
}
