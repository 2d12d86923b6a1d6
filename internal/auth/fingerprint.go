package auth

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/session"
)

// A database may reuse the key of a deleted account: SQLite reuses the highest key, MySQL
// after a restart, and every database stores a row with a key that the application sets. A
// registration ends the sessions of the earlier account with the key. Accounts of a kind
// without passwords are stored by the application, so their sessions and links contain a
// fingerprint of the account instead: a MAC of the columns that distinguish it from a later
// account with the same key.

// fingerprint returns the fingerprint of a stored account, or nil for a kind with passwords.
// It reads the row, because the database may have padded or converted the values of the
// application. If there is no row, the error is that of explainNotStored. If the row belongs
// to another account by now, the error is ErrBadCredentials.
func (a *Service) fingerprint(ctx context.Context, db bun.IDB, k *Kind, account any) (print []byte, err error) {
	if len(k.FingerprintColumns) == 0 {
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
		return nil, a.explainNotStored(ctx, db, k, account)
	}
	same := false
	err = fault.Recover(func() error {
		same = k.SameAs(account, stored)
		print = k.prints.Fingerprint(k.FingerprintText(stored))
		return nil
	})
	if err == nil && !same {
		a.logReplaced(ctx, k)
		err = ErrBadCredentials
	}
	return print, err
}

// matchFingerprint returns account if the session sid was started for it, and nil if it was
// started for an earlier account with the same key, or if account is nil. sid is nil for a
// token without a session; then it returns account.
func (a *Service) matchFingerprint(ctx context.Context, k *Kind, account any, sid []byte) (any, error) {
	if account == nil || sid == nil || len(k.FingerprintColumns) == 0 {
		return account, nil
	}
	same := false
	err := fault.Recover(func() error {
		same = k.prints.HasFingerprint(seal.FingerprintOf(sid), k.FingerprintText(account))
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

// ownSessions returns rows without the sessions of an earlier account with the same key.
func (a *Service) ownSessions(ctx context.Context, k *Kind, subject string, rows []session.Row) (own []session.Row, err error) {
	if len(k.FingerprintColumns) == 0 || len(rows) == 0 {
		return rows, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	account, err := k.LoadBySubject(ctx, subject)
	if err != nil || account == nil {
		return rows, err
	}
	for _, row := range rows {
		same, err := a.matchFingerprint(ctx, k, account, row.SID)
		if err != nil {
			return nil, err
		}
		if same != nil {
			own = append(own, row)
		}
	}
	return own, nil
}
