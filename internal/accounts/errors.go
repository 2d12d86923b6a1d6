package accounts

import (
	"errors"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

var (
	// ErrTaken means that another account has the identity, or another value that must be unique.
	ErrTaken = errors.New("the identity is taken")
	// ErrRefused means that the table refuses the row.
	ErrRefused = errors.New("the table refuses the row")
)

// Fields has the problem of each invalid member of a request body, by the name of the
// member. As an error it matches ErrRefused.
type Fields map[string]string

func (Fields) Error() string { return ErrRefused.Error() }

// Unwrap makes errors.Is find ErrRefused.
func (Fields) Unwrap() error { return ErrRefused }

// Err returns f as an error, or nil if f is empty.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// IsClassified reports whether err has a class of this package or of package fault, so
// that no further class may be added.
func IsClassified(err error) bool {
	var answer *fault.Answer
	return errors.Is(err, fault.ErrSetup) || errors.Is(err, fault.ErrUnavailable) || errors.Is(err, ErrTaken) || errors.Is(err, ErrRefused) || errors.As(err, &answer)
}

// hookError returns the answer that a hook of the application has chosen by its error err,
// or err if it has not chosen one.
func (k *Kind) hookError(err error) error {
	if err == nil || IsClassified(err) || k.answer == nil {
		return err
	}
	if answer := k.answer(err); answer != nil {
		return answer
	}
	return err
}

// storeError classifies an error of the database as a failure of the store. Errors that
// have a class, and answers of hooks of the model, stay unchanged.
func (k *Kind) storeError(err error) error {
	if err = k.hookError(err); err == nil || IsClassified(err) {
		return err
	}
	return fault.Unavailable(err)
}
