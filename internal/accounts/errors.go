package accounts

import (
	"errors"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

var (
	// ErrTaken says that another account has the identity, or another value that must be unique.
	ErrTaken = errors.New("the identity is taken")
	// ErrRefused says that the table refuses the row.
	ErrRefused = errors.New("the table refuses the row")
)

// Fields says what is wrong with members of a client's body, by their names. It is
// ErrRefused.
type Fields map[string]string

func (Fields) Error() string { return ErrRefused.Error() }

// Unwrap makes errors.Is find ErrRefused.
func (Fields) Unwrap() error { return ErrRefused }

// classified is a cause of one of the errors above.
type classified struct{ class, cause error }

func because(class, cause error) error { return &classified{class, cause} }

func (e *classified) Error() string { return e.cause.Error() }

func (e *classified) Unwrap() []error { return []error{e.class, e.cause} }

// Cause is for [fault.Cause].
func (e *classified) Cause() error { return e.cause }

// isOurs reports whether err is classified already.
func (k *Kind) isOurs(err error) bool {
	return errors.Is(err, fault.ErrSetup) || errors.Is(err, fault.ErrUnavailable) || errors.Is(err, ErrTaken) || errors.Is(err, ErrRefused) ||
		k.isAnswer != nil && k.isAnswer(err)
}

// storeError classifies whatever a database returned as a failure of the store, but
// leaves what a hook of the application, run by Bun, decided.
func (k *Kind) storeError(err error) error {
	if k.isOurs(err) {
		return err
	}
	return fault.Unavailable(err)
}
