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

// Registration is a new account and what is asked about it.
type Registration struct {
	Account  any // with identity and the columns that clients may fill
	Password string
	// Hook may refuse the account or fill in more columns.
	Hook func(account any) error
	// Encode writes the account for the answer, while the registration can still be undone.
	Encode func(account any) ([]byte, error)
}

// Judge notes in wrong what is wrong with a new password, unless something is already.
func (a *Service) Judge(password, identity string, wrong map[string]string) {
	if _, bad := wrong["password"]; bad {
		return
	}
	if problem := a.Hasher.Problem(password, identity, accounts.LocalPart(identity)); problem != "" {
		wrong["password"] = problem
	}
}

// Register hashes the password and stores account and its first session in one
// transaction. Without an access token in the pair, the account is stored and has to wait.
// Registrations of one network are throttled: those that fail tell who has an account, and
// those that succeed fill the table.
func (a *Service) Register(ctx context.Context, k *Kind, r Registration, from Client) (p Pair, encoded []byte, err error) {
	turn, err := a.begin(ctx, from.Network)
	if err != nil {
		return Pair{}, nil, err
	}
	defer turn.leave()
	hash, err := a.Hasher.Hash(ctx, r.Password)
	turn.leave() // the hook may take its time
	if err == nil {
		p, encoded, err = a.create(ctx, k, r, hash, from)
	}
	turn.settle(ctx, Attempted(k, k.Text(r.Account, k.Identity)), throttle.RegistrationWeight, err)
	if err != nil || p.SID == nil {
		return p, encoded, err
	}
	// Asked only now, since Allow may look at the row, and change account.
	stored := accounts.Copy(r.Account)
	k.SetText(stored, k.Password, hash)
	err = a.allowed(ctx, k, r.Account, ErrBadCredentials)
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
	return Pair{Subject: p.Subject}, encoded, nil // it has to wait, for a confirmation for example
}

// unregister deletes the row of a registration that failed after it was stored.
func (a *Service) unregister(ctx context.Context, k *Kind, row any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.WriteTimeout)
	defer cancel()
	if err := fault.Recover(func() error { return k.TakeBack(ctx, a.DB, row) }); err != nil {
		a.logLeftAccount(ctx, k, row, err)
	}
}

func (a *Service) create(ctx context.Context, k *Kind, r Registration, hash string, from Client) (Pair, []byte, error) {
	k.SetText(r.Account, k.Password, hash)
	if err := fault.Recover(func() error { return r.Hook(r.Account) }); err != nil {
		return Pair{}, nil, err
	}
	if err := k.RegisterProblem(r.Account, hash); err != nil {
		return Pair{}, nil, err
	}
	return a.storeAccount(ctx, k, r, from)
}

// storeAccount stores the account with its first session. A session elsewhere is begun when
// the account is stored, since no transaction may wait for another store. If that fails,
// the account has no session yet and the user signs in.
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
		// A database may give a deleted account's key again.
		if err := a.Sessions.RevokeFormer(ctx, tx, k.Kinds(), row.Subject, row.Created); err != nil {
			return fault.Unavailable(err)
		}
		kept, err := a.store(ctx, tx, k, r.Account, row)
		if err == nil && !kept {
			err = &noRow{k}
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
		_, err = a.store(ctx, a.DB, k, r.Account, row)
	}
	if err != nil {
		a.logNoSession(ctx, row, former, err)
		return Pair{Subject: p.Subject}, encoded, nil
	}
	return p, encoded, nil
}

// storeRow inserts an account in a transaction, in which also is done. What a sign-in would
// not find as it was given does not stay.
func (a *Service) storeRow(ctx context.Context, k *Kind, account any, also func(context.Context, bun.Tx) error) error {
	if err := a.Ready(ctx); err != nil {
		return err
	}
	asked := accounts.Copy(account) // what is not stored must not keep its key
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
	err = k.WriteError(err) // of the commit, or what that has waited for; what is classified already stays
	if errors.Is(err, accounts.ErrRefused) && changed == nil {
		err = k.BlameHash(ctx, a.DB, asked, err)
	}
	a.logRefusedRow(ctx, k, err)
	return err
}

// Create stores a new account with a password, without a session, and sets its key and
// hash. After an error, account is as it was.
func (a *Service) Create(ctx context.Context, k *Kind, account any, password string) error {
	fields := accounts.Fields{}
	identity, err := k.NewIdentity(k.Text(account, k.Identity), fields)
	if err != nil {
		return err
	}
	a.Judge(password, identity, fields)
	if err := wrong(fields); err != nil {
		return err
	}
	hash, err := a.hash(ctx, "", password)
	if err != nil {
		return err
	}
	row := accounts.Copy(account)
	k.SetText(row, k.Identity, identity)
	k.SetText(row, k.Password, hash)
	if err := a.storeAlone(ctx, k, row); err != nil {
		return err
	}
	reflect.ValueOf(account).Elem().Set(reflect.ValueOf(row).Elem())
	return nil
}

// storeAlone stores an account without a session, and ends those that an earlier account of
// its key has left.
func (a *Service) storeAlone(ctx context.Context, k *Kind, account any) error {
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

// Fill decodes the members of a body into the columns that clients may fill, and notes in
// wrong which do not fit.
func (a *Service) Fill(k *Kind, account any, body map[string]strictjson.Value, wrong map[string]string) {
	for _, field := range k.Fillable {
		value, ok := body[field.Name]
		if ok && (hasNUL(value) || k.Fill(account, field, json.RawMessage(value)) != nil) {
			wrong[field.Name] = "has the wrong type"
		}
	}
}

// hasNUL reports whether a value has a NUL, which no database column takes and Bun refuses
// late. The escape counts only where its backslash is not escaped itself.
func hasNUL(value strictjson.Value) bool {
	text := strings.ReplaceAll(string(value), `\\`, "")
	return strings.Contains(text, `\u0000`)
}
