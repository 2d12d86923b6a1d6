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

// Credentials are what a client signs in with.
type Credentials struct {
	Identity string
	Password string
	Unlock   string // a token of UnlockToken, "" for none
}

// SignIn proves the password and starts a session. With an error, the pair says no more
// than whose sign-in was refused after its password was proved.
func (a *Service) SignIn(ctx context.Context, k *Kind, given Credentials, from Client) (Pair, error) {
	name := Attempted(k, given.Identity)
	turn, err := a.begin(ctx, a.placeOf(k, from, name, given.Unlock))
	if err != nil {
		return Pair{}, err
	}
	defer turn.leave()
	account, err := a.prove(ctx, k, given.Identity, given.Password, turn.leave)
	if err != nil {
		turn.settle(ctx, name, 1, err)
		return Pair{}, err
	}
	p, err := a.startAllowed(ctx, k, account, Opening{Address: from.Address, Agent: from.Agent})
	var gone *noRow
	if errors.As(err, &gone) {
		if again, lookErr := a.lookUp(ctx, k, given.Identity); lookErr == nil && again == nil {
			err = ErrBadCredentials // it was deleted a moment ago
		}
	}
	// Only now: a refused account must look like a wrong password here too.
	turn.settle(ctx, name, 1, err)
	return p, err
}

// prove returns the account of which identity and password are right, else
// ErrBadCredentials. It takes the same time and as many statements whether the account
// exists or not, and whether Allow refuses it. compared is called when the password was
// compared: hooks may take their time after it.
func (a *Service) prove(ctx context.Context, k *Kind, identity, password string, compared func()) (account any, err error) {
	account, stale, err := a.compare(ctx, k, identity, password)
	compared()
	if err != nil || !stale {
		return account, err
	}
	if err := a.allowed(ctx, k, account, ErrBadCredentials); err != nil {
		return nil, err
	}
	if lost := a.rehash(ctx, k, account, password); lost {
		account, _, err = a.compare(ctx, k, identity, password)
	}
	return account, err
}

func (a *Service) compare(ctx context.Context, k *Kind, identity, password string) (account any, stale bool, err error) {
	account, lookErr := a.lookUp(ctx, k, identity)
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
	if lookErr != nil { // only now: the time must not tell that there are two of them
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

// unknownHash reports whether the text that a row has in place of a hash is none of those
// that verify. A short text locks an account, such as "!" or "*".
func unknownHash(text string) bool {
	bcrypt := strings.HasPrefix(text, "$2") && len(text) == 60
	return len(text) >= 20 && !bcrypt && !strings.HasPrefix(text, "$argon2id$")
}

func (a *Service) lookUp(ctx context.Context, k *Kind, identity string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	return k.FindByIdentity(ctx, a.DB, identity)
}

// rehash raises an old hash to the parameters of today, if it can: it never fails a sign-in.
// lost says that the hash is another by now: another sign-in may have raised it first, or
// the password was changed.
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
