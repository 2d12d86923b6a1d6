// Package fault classifies the errors of the packages below the HTTP layer: the
// application is set up wrongly, a store does not answer, or a hook of the application
// panics or returns its own error. The HTTP layer turns each class into a response.
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
	// ErrSetup matches every error that only a change of the application's configuration
	// or code can fix.
	ErrSetup = errors.New("the application is set up wrongly")
	// ErrBroken matches those of the ErrSetup errors whose text may be written to the log
	// only, for instance because it contains the value of a panic. It also matches
	// ErrSetup.
	ErrBroken = fmt.Errorf("%w", ErrSetup)
	// ErrUnavailable matches every error that means that a store did not answer.
	ErrUnavailable = errors.New("a store did not answer")
)

// Setup is an error that matches [ErrSetup]. Its text says what the developer must fix,
// and contains nothing that a client sent.
type Setup string

func (s Setup) Error() string { return "fiberjwt: " + string(s) }

// Unwrap makes errors.Is find ErrSetup.
func (Setup) Unwrap() error { return ErrSetup }

// Setupf returns a [Setup] with a formatted text.
func Setupf(format string, args ...any) error { return Setup(fmt.Sprintf(format, args...)) }

// Because returns an error that matches both class and cause, and has the text of
// cause. It returns nil if cause is nil.
func Because(class, cause error) error {
	if cause == nil {
		return nil
	}
	return &classified{class, cause}
}

type classified struct{ class, cause error }

func (e *classified) Error() string { return e.cause.Error() }

func (e *classified) Unwrap() []error { return []error{e.class, e.cause} }

// Cause lets [Cause] remove the class.
func (e *classified) Cause() error { return e.cause }

// Unavailable classifies err as [ErrUnavailable]. It returns nil if err is nil.
func Unavailable(err error) error { return Because(ErrUnavailable, err) }

// Broken classifies err as [ErrBroken]: a panic, or an encoder that fails. It returns
// nil if err is nil.
func Broken(err error) error { return Because(ErrBroken, err) }

// Answer wraps an error of a hook that becomes the response unchanged.
type Answer struct {
	Err error
	// Decided is true if the error refuses the request. It is false if the hook could not
	// decide, for instance because its own backend failed.
	Decided bool
}

func (a *Answer) Error() string { return a.Err.Error() }

func (a *Answer) Unwrap() error { return a.Err }

// Cause lets [Cause] remove the Answer.
func (a *Answer) Cause() error { return a.Err }

// Cause returns err without the classes of this package and without an [Answer]. It
// does not look inside an error that wraps one of these, because that error adds text.
func Cause(err error) error {
	if classified, ok := err.(interface{ Cause() error }); ok {
		return Cause(classified.Cause())
	}
	return err
}

// Recover calls f and returns its error. If f panics, Recover returns an error that
// matches [ErrBroken], with the stack in its text. Fiber does not recover panics by
// default, so without Recover a panic would end the process.
func Recover(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Broken(fmt.Errorf("a hook panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	return f()
}

// IsUnavailable reports whether err means that a store, or another service, did not
// answer: a lost connection, an ended context or an error of the network.
func IsUnavailable(err error) bool {
	for _, known := range []error{ErrUnavailable, context.DeadlineExceeded, context.Canceled, sql.ErrConnDone, driver.ErrBadConn} {
		if errors.Is(err, known) {
			return true
		}
	}
	// net.Error would match too much: a missing file and errors of SQLite implement it.
	var network *net.OpError
	return errors.As(err, &network)
}

// Brief returns the first line of the text of an error, shortened to 200 bytes. Only the
// first line identifies a panic: the stack below it differs between goroutines.
func Brief(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 200)]
}
