// Package fault classifies what goes wrong below the face of the library: the
// application is set up wrongly, a store does not answer, a hook of the application
// panics or answers by itself. The face decides what a client is told.
package fault

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
)

var (
	// ErrSetup matches every error about how the application is set up.
	ErrSetup = errors.New("the application is set up wrongly")
	// ErrBroken matches those of them whose text is for the log alone.
	ErrBroken = fmt.Errorf("%w", ErrSetup)
	// ErrUnavailable matches every error of a store that did not answer.
	ErrUnavailable = errors.New("a store did not answer")
)

// Setup is an error about how the application is set up. Its text tells the
// developer how to fix it, and contains nothing that a client sent.
type Setup string

func (s Setup) Error() string { return "fiberjwt: " + string(s) }

// Unwrap makes errors.Is find ErrSetup.
func (Setup) Unwrap() error { return ErrSetup }

// Setupf formats a [Setup].
func Setupf(format string, args ...any) error { return Setup(fmt.Sprintf(format, args...)) }

// Because is class to errors.Is, with the text of cause. It is nil if cause is nil.
func Because(class, cause error) error {
	if cause == nil {
		return nil
	}
	return &classified{class, cause}
}

type classified struct{ class, cause error }

func (e *classified) Error() string { return e.cause.Error() }

func (e *classified) Unwrap() []error { return []error{e.class, e.cause} }

// Cause is for [Cause].
func (e *classified) Cause() error { return e.cause }

// Unavailable is err as the error of a store that did not answer.
func Unavailable(err error) error { return Because(ErrUnavailable, err) }

// Broken is err as an error about how the application is set up, if the text of err is
// for the log alone: a panic, or an encoder that fails.
func Broken(err error) error { return Because(ErrBroken, err) }

// Answer is an error of a hook that the client is answered with as it is.
type Answer struct {
	Err     error
	Decided bool // it refuses the request; otherwise it leaves the question open
}

func (a *Answer) Error() string { return a.Err.Error() }

func (a *Answer) Unwrap() error { return a.Err }

// Cause is for [Cause].
func (a *Answer) Cause() error { return a.Err }

// Cause is the innermost error below the classes of this package, and of an [Answer].
func Cause(err error) error {
	if class, ok := err.(interface{ Cause() error }); ok { // an error that wraps one of these has a text of its own
		return Cause(class.Cause())
	}
	return err
}

// Recover runs f and returns a panic as an error: under Fiber a panic would end
// the process.
func Recover(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Broken(fmt.Errorf("a hook panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	return f()
}

// IsUnavailable reports whether err says that a store, or anything else that was
// asked, did not answer.
func IsUnavailable(err error) bool {
	for _, known := range []error{ErrUnavailable, context.DeadlineExceeded, context.Canceled, sql.ErrConnDone, driver.ErrBadConn} {
		if errors.Is(err, known) {
			return true
		}
	}
	var network *net.OpError // not net.Error, which a missing file and errors of SQLite are too
	return errors.As(err, &network)
}

// Brief is the first line of the text of an error, at most 200 bytes of it. After the
// first line of a panic comes its stack, which is different for each goroutine.
func Brief(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 200)]
}
