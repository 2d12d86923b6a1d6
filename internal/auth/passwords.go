package auth

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

// ChangePassword replaces the password of the account of v if current is right, and ends all
// other sessions of the account. A stolen session can be used to guess the current password,
// so the failures of each session have a separate counter. It returns the name under which
// the throttle counts sign-ins.
func (a *Service) ChangePassword(ctx context.Context, k *Kind, v Verified, current, changed string, from Client) (name string, err error) {
	name = Attempted(k, k.Text(v.Account, k.Identity))
	attempt, err := a.beginAttempt(ctx, throttle.Place{Account: name, Session: v.ID})
	if err != nil {
		return name, err
	}
	defer attempt.release()
	err = a.changeVerified(ctx, k, v, current, changed, attempt.release)
	attempt.settle(ctx, name, 2, err) // two hashes
	if err == nil {
		a.passwordChanged(ctx, name, from.Network.Network)
	}
	return name, err
}

func (a *Service) changeVerified(ctx context.Context, k *Kind, v Verified, current, changed string, compared func()) error {
	account, err := a.verifyPassword(ctx, k, k.Text(v.Account, k.Identity), current, compared)
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
	return a.storeHash(ctx, k, ownerOf(k, v.Subject, v.SID), account, hash, ErrBadCredentials)
}

// storeHash replaces the hash of account, and ends the sessions that of identifies. The error
// is raced if another change has replaced the hash since account was loaded.
func (a *Service) storeHash(ctx context.Context, k *Kind, of sessions.Owner, account any, hash string, raced error) error {
	err := a.Sessions.Change(ctx, a.DB, of, a.Now().UnixMilli(), passwordChange(k, account, hash, raced))
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.WriteTimeout)
		defer cancel()
		return storeError(k.PutBack(ctx, a.DB, account, k.Raw(account, k.Password), err))
	}
	return nil
}

// passwordChange returns the change that replaces the hash of account. Its error is raced if
// another change has replaced the hash since account was loaded.
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

// HashPassword returns the hash of a password that a registration would accept. Otherwise the
// error is accounts.Fields.
func (a *Service) HashPassword(ctx context.Context, text string) (string, error) {
	fields := accounts.Fields{}
	a.Judge(text, "", fields)
	if err := fields.Err(); err != nil {
		return "", err
	}
	return a.hashInQueue(ctx, "", text)
}

// CheckPassword reports whether hash is a hash of the password text.
func (a *Service) CheckPassword(ctx context.Context, hash, text string) (bool, error) {
	if password.TooLong(text) {
		return false, nil
	}
	release, err := a.Hasher.Enter(ctx, "")
	if err != nil {
		return false, err
	}
	defer release()
	ok, _, err := a.Hasher.Verify(ctx, hash, text)
	return ok && err == nil, err
}

// hashInQueue waits like a sign-in, and then hashes a password. proof admits it to the first
// queue; see [admission.Gate].
func (a *Service) hashInQueue(ctx context.Context, proof, text string) (string, error) {
	release, err := a.Hasher.Enter(ctx, proof)
	if err != nil {
		return "", err
	}
	defer release()
	hash, err := a.Hasher.Hash(ctx, text)
	if err != nil {
		return "", err
	}
	return hash, nil
}
