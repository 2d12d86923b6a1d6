package auth

import (
	"errors"
	"fmt"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

var (
	// ErrRevoked says that the token is valid, but its session has ended, or its account is gone or no
	// longer allowed.
	ErrRevoked = errors.New("the session of the access token has ended")
	// ErrSessionEnded says that the refresh token belongs to no living session.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrReused says that a refresh token came back after its successor was used.
	ErrReused = errors.New("the refresh token was used before")
	// ErrBadCredentials says that the account does not exist, the password is wrong, or the
	// account is not allowed.
	ErrBadCredentials = errors.New("the credentials are wrong")
	// ErrOneTimeToken says that a token of a link is not valid, has expired or was used.
	ErrOneTimeToken = errors.New("the token of the link is not valid")
)

// wrong is what is wrong with members of a body, nil if nothing is.
func wrong(fields accounts.Fields) error {
	if len(fields) == 0 {
		return nil
	}
	return fields
}

// noRow is for an account that is not in its table.
type noRow struct{ kind *Kind }

func (e *noRow) Error() string {
	return fmt.Sprintf("fiberjwt: kind %s: table %s has no row with the key of the account: if the transaction that stores it is still open, hand it over by LoginOptions.DB, or sign in after it has committed; if Load reads another table, declare the kind by a model of that",
		e.kind.Name, e.kind.Table.Name)
}

func (*noRow) Unwrap() error { return fault.ErrSetup }

// undecided reports whether err leaves the question open that was asked.
func undecided(err error) bool {
	var answer *fault.Answer
	if errors.As(err, &answer) {
		return !answer.Decided
	}
	return errors.Is(err, fault.ErrSetup) || errors.Is(err, fault.ErrUnavailable)
}

// isOurs reports whether err is classified already.
func isOurs(err error) bool {
	var answer *fault.Answer
	for _, class := range []error{fault.ErrSetup, fault.ErrUnavailable, accounts.ErrTaken, accounts.ErrRefused, ErrBadCredentials, ErrOneTimeToken} {
		if errors.Is(err, class) {
			return true
		}
	}
	return errors.As(err, &answer)
}

// storeError classifies whatever a database returned as a failure of it, but leaves what is
// classified already.
func storeError(err error) error {
	if err == nil || isOurs(err) {
		return err
	}
	return fault.Unavailable(err)
}
