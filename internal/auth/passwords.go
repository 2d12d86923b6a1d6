package auth

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

// ChangePassword asks for the current password, and ends every session of the account but
// that of v. Guesses at the current password, by the holder of a stolen session, have a
// counter of their own. It returns what the throttle counts sign-ins of.
func (a *Service) ChangePassword(ctx context.Context, k *Kind, v Verified, current, changed string, from Client) (name string, err error) {
	name = Attempted(k, k.Text(v.Account, k.Identity))
	turn, err := a.begin(ctx, throttle.Place{Account: name, Session: v.ID})
	if err != nil {
		return name, err
	}
	defer turn.leave()
	err = a.provenChange(ctx, k, v, current, changed, turn.leave)
	turn.settle(ctx, name, 2, err) // two hashes
	if err == nil {
		a.passwordChanged(ctx, name, from.Network.Network)
	}
	return name, err
}

func (a *Service) provenChange(ctx context.Context, k *Kind, v Verified, current, changed string, compared func()) error {
	account, err := a.prove(ctx, k, k.Text(v.Account, k.Identity), current, compared)
	if err != nil {
		return err
	}
	if subject, err := k.Subject(account); err != nil || subject != v.Subject {
		return ErrBadCredentials
	}
	hash, err := a.Hasher.Hash(ctx, changed)
	if err != nil {
		return err
	}
	return a.storeHash(ctx, k, owner(k, v.Subject, v.SID), account, hash, ErrBadCredentials)
}

// storeHash changes the password that account was loaded with, and ends the sessions of
// its owner. The error is raced if another change was faster.
func (a *Service) storeHash(ctx context.Context, k *Kind, of sessions.Owner, account any, hash string, raced error) error {
	err := a.Sessions.Change(ctx, a.DB, of, a.Now().UnixMilli(), passwordChange(k, account, hash, raced))
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.WriteTimeout)
		defer cancel()
		return storeError(k.PutBack(ctx, a.DB, account, k.Raw(account, k.Password), err))
	}
	return nil
}

// passwordChange replaces the hash that account was loaded with. The error is raced if
// another change has done so.
func passwordChange(k *Kind, account any, hash string, raced error) sessions.Change {
	replace := func(old, hash string) func(context.Context, bun.Tx) error {
		return func(ctx context.Context, tx bun.Tx) error {
			changed, err := k.ReplaceHash(ctx, tx, account, old, hash)
			if err == nil && !changed {
				err = raced
			}
			return err
		}
	}
	old := k.Raw(account, k.Password)
	return sessions.Change{Do: replace(old, hash), Undo: replace(hash, old)}
}

// HashPassword hashes a password that a registration would accept.
func (a *Service) HashPassword(ctx context.Context, text string) (string, error) {
	fields := accounts.Fields{}
	a.Judge(text, "", fields)
	if err := wrong(fields); err != nil {
		return "", err
	}
	return a.hash(ctx, "", text)
}

// CheckPassword reports whether hash is one of a password.
func (a *Service) CheckPassword(ctx context.Context, hash, text string) (bool, error) {
	if password.TooLong(text) {
		return false, nil
	}
	leave, err := a.Hasher.Enter(ctx, "")
	if err != nil {
		return false, err
	}
	defer leave()
	ok, _, err := a.Hasher.Verify(ctx, hash, text)
	return ok && err == nil, err
}

// hash hashes a password when it has its turn among the sign-ins. proof is for the first
// queue, see [admission.Gate].
func (a *Service) hash(ctx context.Context, proof, text string) (string, error) {
	leave, err := a.Hasher.Enter(ctx, proof)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := a.Hasher.Hash(ctx, text)
	if err != nil {
		return "", err
	}
	return hash, nil
}
