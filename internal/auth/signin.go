package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Credentials are the credentials that a client sent.
type Credentials struct {
	Identity string
	Password string
	Unlock   string // a token of [Service.UnlockToken], "" for none
}

// SignIn verifies the password and starts a session. The error is ErrBadCredentials if the
// account does not exist, the password is wrong or the account is not allowed, and a
// throttle.Refusal if the client has to wait. The pair is empty if there is an error.
func (a *Service) SignIn(ctx context.Context, k *Kind, given Credentials, from Client) (Pair, error) {
	name := Attempted(k, given.Identity)
	attempt, err := a.beginAttempt(ctx, a.placeFor(k, from, name, given.Unlock))
	if err != nil {
		return Pair{}, err
	}
	defer attempt.release()
	account, err := a.verifyPassword(ctx, k, given.Identity, given.Password, attempt.release)
	if err != nil {
		attempt.settle(ctx, name, 1, err)
		return Pair{}, err
	}
	p, err := a.startAllowed(ctx, k, account, Opening{Address: from.Address, Agent: from.Agent})
	var gone *missingRow
	if errors.As(err, &gone) {
		if again, lookErr := a.findAccount(ctx, k, given.Identity); lookErr == nil && again == nil {
			err = ErrBadCredentials // it has just been deleted
		}
	}
	// Only now, because a refused account must be counted like a wrong password.
	attempt.settle(ctx, name, 1, err)
	return p, err
}

// verifyPassword returns the account with this identity and password, else ErrBadCredentials.
// Time and number of statements do not depend on whether the account exists, or whether Allow
// refuses it. It calls compared after the password was compared and before slow hooks run.
func (a *Service) verifyPassword(ctx context.Context, k *Kind, identity, password string, compared func()) (account any, err error) {
	account, stale, err := a.compare(ctx, k, identity, password)
	compared()
	if err != nil || !stale {
		return account, err
	}
	if err := a.checkAllowed(ctx, k, account, ErrBadCredentials); err != nil {
		return nil, err
	}
	if lost := a.rehash(ctx, k, account, password); lost {
		account, _, err = a.compare(ctx, k, identity, password)
	}
	return account, err
}

func (a *Service) compare(ctx context.Context, k *Kind, identity, password string) (account any, stale bool, err error) {
	account, lookErr := a.findAccount(ctx, k, identity)
	if lookErr != nil && !errors.Is(lookErr, fault.ErrSetup) {
		return nil, false, lookErr
	}
	hash := ""
	if account != nil {
		hash = k.Hash(account)
	}
	ok, stale, err := a.Hasher.Verify(ctx, hash, password)
	if err != nil {
		return nil, false, err
	}
	if lookErr != nil { // only now, so that the time does not show that there are two accounts
		return nil, false, lookErr
	}
	if !ok || account == nil {
		if unknownHash(hash) {
			a.Journal.Hint(ctx, "no password matches a stored hash, which is neither argon2id nor bcrypt",
				"import hashes as they are, into a column that neither pads nor changes them, such as VARCHAR(255); accounts with hashes of another kind need a new password, by ResetToken",
				slog.String("kind", k.Name), slog.String("column", k.Password.Name))
		}
		return nil, false, ErrBadCredentials
	}
	return account, stale, nil
}

// unknownHash reports whether text is a hash in an unknown format. A short text, such as "!"
// or "*", is not a hash: it locks an account.
func unknownHash(text string) bool {
	bcrypt := strings.HasPrefix(text, "$2") && len(text) == 60
	return len(text) >= 20 && !bcrypt && !strings.HasPrefix(text, "$argon2id$")
}

func (a *Service) findAccount(ctx context.Context, k *Kind, identity string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	return k.FindByIdentity(ctx, a.DB, identity)
}

// rehash replaces an old hash by one with the current parameters. If that fails, the old hash
// stays and the sign-in continues. lost means that the row has another hash by now, because
// another sign-in has replaced it or the password was changed.
func (a *Service) rehash(ctx context.Context, k *Kind, account any, password string) (lost bool) {
	old := k.Raw(account, k.Password)
	hash, err := a.Hasher.Hash(ctx, password)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, a.WriteTimeout)
	defer cancel()
	var raised bool
	err = dberr.InTx(ctx, a.DB, func(ctx context.Context, tx bun.Tx) (err error) {
		raised, err = k.ReplaceHash(ctx, tx, account, old, hash)
		return err
	})
	switch {
	case err != nil:
		a.logOldHash(ctx, k, k.PutBack(ctx, a.DB, account, old, err))
	case raised:
		k.SetText(account, k.Password, hash)
	}
	return err == nil && !raised
}
