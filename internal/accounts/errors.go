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

// isOurs reports whether err is classified already.
func isOurs(err error) bool {
	var answer *fault.Answer
	return errors.Is(err, fault.ErrSetup) || errors.Is(err, fault.ErrUnavailable) || errors.Is(err, ErrTaken) || errors.Is(err, ErrRefused) || errors.As(err, &answer)
}

// hookError classifies an error of a hook of the application, if it decides by itself what
// the client is told.
func (k *Kind) hookError(err error) error {
	if err == nil || isOurs(err) || k.answer == nil {
		return err
	}
	if answer := k.answer(err); answer != nil {
		return answer
	}
	return err
}

// storeError classifies whatever a database returned as a failure of the store, but
// leaves what a hook of the application, run by Bun, decided.
func (k *Kind) storeError(err error) error {
	if err = k.hookError(err); err == nil || isOurs(err) {
		return err
	}
	return fault.Unavailable(err)
}
