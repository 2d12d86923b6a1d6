package auth

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

// Registration is a new account with the hooks of its registration.
type Registration struct {
	Account  any // with the identity and the columns that clients may set
	Password string
	// Hook may refuse the account or set more columns.
	Hook func(account any) error
	// Encode encodes the account for the response, while the registration can still be rolled
	// back.
	Encode func(account any) ([]byte, error)
}

// Judge adds the problem of a new password to wrong, unless wrong has a problem of the
// password already.
func (a *Service) Judge(password, identity string, wrong map[string]string) {
	if _, bad := wrong["password"]; bad {
		return
	}
	if problem := a.Hasher.Problem(password, identity, accounts.LocalPart(identity)); problem != "" {
		wrong["password"] = problem
	}
}

// Register hashes the password, and stores the account and its first session in one
// transaction. If the pair has no access token, the account is stored but may not sign in
// yet. Registrations from one network are throttled, because failed ones show which accounts
// exist and successful ones fill the table.
func (a *Service) Register(ctx context.Context, k *Kind, r Registration, from Client) (p Pair, encoded []byte, err error) {
	attempt, err := a.beginAttempt(ctx, from.Network)
	if err != nil {
		return Pair{}, nil, err
	}
	defer attempt.release()
	hash, err := a.Hasher.Hash(ctx, r.Password)
	attempt.release() // the hook may be slow
	if err == nil {
		p, encoded, err = a.createAccount(ctx, k, r, hash, from)
	}
	attempt.settle(ctx, Attempted(k, k.Text(r.Account, k.Identity)), throttle.RegistrationWeight, err)
	if err != nil || p.SID == nil {
		return p, encoded, err
	}
	// Allow is called only now, because it may read the row or change the account.
	stored := accounts.Copy(r.Account)
	k.SetText(stored, k.Password, hash)
	err = a.checkAllowed(ctx, k, r.Account, ErrBadCredentials)
	if err == nil {
		return p, encoded, nil
	}
	if _, err := a.Sessions.Revoke(context.WithoutCancel(ctx), p.SID, k.Name, "", a.Now().UnixMilli()); err != nil {
		a.logLeftSession(ctx, err)
	}
	if undecided(err) {
		a.unregister(ctx, k, stored)
		return Pair{}, nil, err
	}
	return Pair{Subject: p.Subject}, encoded, nil // it may not sign in yet, for example until a confirmation
}

// unregister deletes the row of a registration that failed after the row was stored.
func (a *Service) unregister(ctx context.Context, k *Kind, row any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.WriteTimeout)
	defer cancel()
	if err := fault.Recover(func() error { return k.TakeBack(ctx, a.DB, row) }); err != nil {
		a.logLeftAccount(ctx, k, row, err)
	}
}

func (a *Service) createAccount(ctx context.Context, k *Kind, r Registration, hash string, from Client) (Pair, []byte, error) {
	k.SetText(r.Account, k.Password, hash)
	if err := fault.Recover(func() error { return r.Hook(r.Account) }); err != nil {
		return Pair{}, nil, err
	}
	if err := k.RegisterProblem(r.Account, hash); err != nil {
		return Pair{}, nil, err
	}
	return a.storeAccount(ctx, k, r, from)
}

// storeAccount stores the account with its first session. If the sessions are in another
// store, the session starts after the account is stored, because no transaction may wait for
// another store. If it cannot start, the pair has no tokens, and the user has to sign in.
func (a *Service) storeAccount(ctx context.Context, k *Kind, r Registration, from Client) (p Pair, encoded []byte, err error) {
	limited, cancel := context.WithTimeout(ctx, a.WriteTimeout)
	defer cancel()
	var row session.Row
	err = a.storeRow(limited, k, r.Account, func(ctx context.Context, tx bun.Tx) (err error) {
		if encoded, err = r.Encode(r.Account); err != nil {
			return err
		}
		opening := Opening{Address: from.Address, Agent: from.Agent}
		if p, row, err = a.newSession(k, r.Account, opening, nil); err != nil || !a.Sessions.BesideAccounts() {
			return err
		}
		// A database may reuse the key of a deleted account.
		if err := a.Sessions.RevokeFormer(ctx, tx, k.Kinds(), row.Subject, row.Created); err != nil {
			return fault.Unavailable(err)
		}
		kept, err := a.storeSession(ctx, tx, k, r.Account, row)
		if err == nil && !kept {
			err = &missingRow{k}
		}
		return err
	})
	if err != nil {
		return Pair{}, nil, err
	}
	a.Sessions.ForgetAccount(k.Kinds(), row.Subject)
	if a.Sessions.BesideAccounts() {
		return p, encoded, nil
	}
	former := true
	err = a.Sessions.RevokeAll(ctx, k.Kinds(), row.Subject, row.Created)
	if err == nil {
		former = false
		_, err = a.storeSession(ctx, a.DB, k, r.Account, row)
	}
	if err != nil {
		a.logNoSession(ctx, row, former, err)
		return Pair{Subject: p.Subject}, encoded, nil
	}
	return p, encoded, nil
}

// storeRow inserts an account in a transaction, and calls also in the same transaction. If a
// sign-in would not find the account with its identity and hash, the row does not stay.
func (a *Service) storeRow(ctx context.Context, k *Kind, account any, also func(context.Context, bun.Tx) error) error {
	if err := a.Ready(ctx); err != nil {
		return err
	}
	asked := accounts.Copy(account) // a retry must not use the key of the failed attempt
	err := dberr.InTx(ctx, a.DB, func(ctx context.Context, tx bun.Tx) error {
		reflect.ValueOf(account).Elem().Set(reflect.ValueOf(asked).Elem())
		if err := k.Insert(ctx, tx, account); err != nil {
			return err
		}
		if err := k.Settle(ctx, tx); err != nil {
			return err
		}
		if err := k.ReadBack(ctx, tx, account, asked); err != nil {
			return err
		}
		return also(ctx, tx)
	})
	if err == nil {
		return nil
	}
	var changed *accounts.NotKept
	if errors.As(err, &changed) && changed.Stored != nil {
		a.unregister(ctx, k, changed.Stored)
	}
	err = k.WriteError(err) // may come from the commit, or from a deferred constraint or trigger
	if errors.Is(err, accounts.ErrRefused) && changed == nil {
		err = k.BlameHash(ctx, a.DB, asked, err)
	}
	a.logRefusedRow(ctx, k, err)
	return err
}

// Create stores a new account with a password and without a session, and sets the key and the
// hash of account. After an error, account is unchanged.
func (a *Service) Create(ctx context.Context, k *Kind, account any, password string) error {
	fields := accounts.Fields{}
	identity, err := k.NewIdentity(k.Text(account, k.Identity), fields)
	if err != nil {
		return err
	}
	a.Judge(password, identity, fields)
	if err := fields.Err(); err != nil {
		return err
	}
	hash, err := a.hashInQueue(ctx, "", password)
	if err != nil {
		return err
	}
	row := accounts.Copy(account)
	k.SetText(row, k.Identity, identity)
	k.SetText(row, k.Password, hash)
	if err := a.storeWithoutSession(ctx, k, row); err != nil {
		return err
	}
	reflect.ValueOf(account).Elem().Set(reflect.ValueOf(row).Elem())
	return nil
}

// storeWithoutSession stores an account without a session, and ends the sessions of an earlier
// account with the same key.
func (a *Service) storeWithoutSession(ctx context.Context, k *Kind, account any) error {
	limited, cancel := context.WithTimeout(ctx, a.WriteTimeout)
	defer cancel()
	now, subject := a.Now().UnixMilli(), ""
	err := a.storeRow(limited, k, account, func(ctx context.Context, tx bun.Tx) (err error) {
		if subject, err = k.Subject(account); err != nil || !a.Sessions.BesideAccounts() {
			return err
		}
		return fault.Unavailable(a.Sessions.RevokeFormer(ctx, tx, k.Kinds(), subject, now))
	})
	if err != nil {
		return err
	}
	a.Sessions.ForgetAccount(k.Kinds(), subject)
	if a.Sessions.BesideAccounts() {
		return nil
	}
	if err := a.Sessions.RevokeAll(ctx, k.Kinds(), subject, now); err != nil {
		a.unregister(ctx, k, account)
		return err
	}
	return nil
}

// Fill decodes the members of a body into the columns that clients may set. It adds a problem
// to wrong for each member of the wrong type.
func (a *Service) Fill(k *Kind, account any, body map[string]strictjson.Value, wrong map[string]string) {
	for _, field := range k.Fillable {
		value, ok := body[field.Name]
		if ok && (hasNUL(value) || k.Fill(account, field, json.RawMessage(value)) != nil) {
			wrong[field.Name] = "has the wrong type"
		}
	}
}

// hasNUL reports whether a value contains a NUL. No text column accepts it, and Bun refuses it
// late. The escape sequence counts only if its backslash is not itself escaped.
func hasNUL(value strictjson.Value) bool {
	text := strings.ReplaceAll(string(value), `\\`, "")
	return strings.Contains(text, `\u0000`)
}
