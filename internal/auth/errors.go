package auth

import (
	"errors"
	"fmt"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

var (
	// ErrRevoked means that the token is valid, but its session has ended, or its account does
	// not exist or is not allowed any more.
	ErrRevoked = errors.New("the session of the access token has ended")
	// ErrSessionEnded means that the session of the refresh token does not exist or has ended.
	ErrSessionEnded = errors.New("the session has ended")
	// ErrReused means that a refresh token was presented after its successor was used.
	ErrReused = errors.New("the refresh token was used before")
	// ErrBadCredentials means that the account does not exist, the password is wrong, or the
	// account is not allowed.
	ErrBadCredentials = errors.New("the credentials are wrong")
	// ErrOneTimeToken means that the token of a link is not valid, has expired or was used.
	ErrOneTimeToken = errors.New("the token of the link is not valid")
)

// missingRow is the error for an account that is not in its table.
type missingRow struct{ kind *Kind }

func (e *missingRow) Error() string {
	return fmt.Sprintf("fiberjwt: kind %s: table %s has no row with the key of the account: if the transaction that stores it is still open, pass it as LoginOptions.DB, or sign in after it has committed; if Load reads another table, declare the kind with the model of that table",
		e.kind.Name, e.kind.Table.Name)
}

func (*missingRow) Unwrap() error { return fault.ErrSetup }

// undecided reports whether err means that a question could not be decided, for example
// because a store did not answer. Every other error is a refusal.
func undecided(err error) bool {
	var answer *fault.Answer
	if errors.As(err, &answer) {
		return !answer.Decided
	}
	return errors.Is(err, fault.ErrSetup) || errors.Is(err, fault.ErrUnavailable)
}

// isClassified reports whether err has a class, so that no further class may be added.
func isClassified(err error) bool {
	return accounts.IsClassified(err) || errors.Is(err, ErrBadCredentials) || errors.Is(err, ErrOneTimeToken)
}

// storeError classifies an error of a database as a failure of the store. An error that has
// a class stays unchanged.
func storeError(err error) error {
	if err == nil || isClassified(err) {
		return err
	}
	return fault.Unavailable(err)
}
