package auth

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// issuerAccount returns the account of a token of another issuer. It sets v.Subject to the
// primary key of the account, or to "" if there is none.
func (a *Service) issuerAccount(ctx context.Context, v *Verified) (any, error) {
	k, theirs := a.Kind(v.Kind), *v
	v.Subject = ""
	if k.FromIssuer == nil {
		return nil, token.ErrWrong
	}
	if err := a.Ready(ctx); err != nil {
		return nil, err
	}
	account, err := a.callFromIssuer(ctx, k, &theirs)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrRevoked
	}
	if k.Unsaved(account) {
		return nil, fault.Setupf("Entity.FromIssuer of kind %s returns an account without a primary key: store it first, and return the error of the query", k.Name)
	}
	if v.Subject, err = k.Subject(account); err != nil {
		return nil, err
	}
	return account, a.checkAllowed(ctx, k, account, ErrRevoked)
}

// callFromIssuer calls the FromIssuer hook, and returns the account or nil. The hook may
// retain v. An error without a class is a failure of the database, not a refusal.
func (a *Service) callFromIssuer(ctx context.Context, k *Kind, v *Verified) (account any, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	err = fault.Recover(func() (err error) {
		account, err = k.FromIssuer(ctx, v)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return account, storeError(err)
}
