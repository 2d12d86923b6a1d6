package auth

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/session"
)

// A database may give the key of a deleted account to the next one: SQLite gives the
// highest again, MySQL after a restart, and every database to a row that is stored with
// its key. A registration ends the sessions of the earlier account. The accounts of a
// kind without passwords are stored by the application, so their sessions and links have
// a fingerprint of the account instead: a MAC of the columns that tell it from the next
// account with its key.

// fingerprint of a stored account, nil for a kind with passwords. It is that of the row,
// which may not be what the application has: a database pads and converts. The error is
// that of whyNot if the row is gone, and ErrBadCredentials if it is that of another
// account by now.
func (a *Service) fingerprint(ctx context.Context, db bun.IDB, k *Kind, account any) (print []byte, err error) {
	if len(k.Telling) == 0 {
		return nil, nil
	}
	subject, err := k.Subject(account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	stored, err := k.Scan(ctx, db, subject, accounts.All)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return nil, a.whyNot(ctx, db, k, account)
	}
	same := false
	err = fault.Recover(func() error {
		same = k.SameAs(account, stored)
		print = k.prints.Fingerprint(k.Told(stored))
		return nil
	})
	if err == nil && !same {
		a.logReplaced(ctx, k)
		err = ErrBadCredentials
	}
	return print, err
}

// ofSession is account if the session began with it, and nil if the session began with an
// earlier account of the same key, or if account is nil. sid is nil for a token without a
// session.
func (a *Service) ofSession(ctx context.Context, k *Kind, account any, sid []byte) (any, error) {
	if account == nil || sid == nil || len(k.Telling) == 0 {
		return account, nil
	}
	same := false
	err := fault.Recover(func() error {
		same = k.prints.HasFingerprint(seal.FingerprintOf(sid), k.Told(account))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !same {
		a.logReplaced(ctx, k)
		return nil, nil
	}
	return account, nil
}

// withoutFormer leaves out the sessions of an earlier account with the key.
func (a *Service) withoutFormer(ctx context.Context, k *Kind, subject string, rows []session.Row) (own []session.Row, err error) {
	if len(k.Telling) == 0 || len(rows) == 0 {
		return rows, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	account, err := k.LoadBySubject(ctx, subject)
	if err != nil || account == nil {
		return rows, err
	}
	for _, row := range rows {
		same, err := a.ofSession(ctx, k, account, row.SID)
		if err != nil {
			return nil, err
		}
		if same != nil {
			own = append(own, row)
		}
	}
	return own, nil
}
