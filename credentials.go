package fiberjwt

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

// What register, login and password do behind their routes.

// newAccount is the row that a registration asks for, as far as it may, and
// the password that it is to have.
func (a *Auth) newAccount(k *kind, body form) (account any, password string, err error) {
	account, wrong := k.New(), map[string]string{}
	identity, err := body.newIdentity(k, wrong)
	if err != nil {
		return nil, "", err
	}
	k.SetText(account, k.Identity, identity)
	password = body.required("password", wrong)
	a.judge(password, identity, wrong)
	for _, field := range k.Fillable {
		if value, ok := body[field.Name]; ok && (hasNUL(value) || k.Fill(account, field, value) != nil) {
			wrong[field.Name] = "has the wrong type"
		}
	}
	return account, password, wrongFields(wrong)
}

// judge notes what is wrong with a new password, unless something is already.
func (a *Auth) judge(password, identity string, wrong map[string]string) {
	if _, bad := wrong["password"]; bad {
		return
	}
	if problem := a.hasher.Problem(password, identity, localPart(identity)); problem != "" {
		wrong["password"] = problem
	}
}

// register hashes the password and stores account and its first session in one
// transaction; the tokens leave only after it. Registrations of one network are
// throttled: those that fail tell who has an account, and those that succeed fill
// the table.
func (a *Auth) register(c *fiber.Ctx, k *kind, account any, password string) (p pair, entity []byte, err error) {
	turn, err := a.begin(c.UserContext(), a.networkOf(c))
	if err != nil {
		return pair{}, nil, err
	}
	defer turn.leave()
	hash, err := a.hasher.Hash(c.UserContext(), password)
	turn.leave() // the hook may take its time
	if err == nil {
		p, entity, err = a.create(c, k, account, hash)
	} else {
		err = fault.Unavailable(err)
	}
	turn.settle(c.UserContext(), attempted(k, k.Text(account, k.Identity)), throttle.RegistrationWeight, err)
	if err != nil || p.sid == nil {
		return p, entity, err
	}
	// Asked only now, since Allow may look at the row, and change account.
	stored := accounts.Copy(account)
	k.SetText(stored, k.Password, hash)
	err = a.allowed(c.UserContext(), k, account, ErrBadCredentials)
	if err == nil {
		return p, entity, nil
	}
	if _, err := a.store.Revoke(context.WithoutCancel(c.UserContext()), p.sid, k.Name, "", a.now().UnixMilli()); err != nil {
		a.logs.leftSession(c.UserContext(), err)
	}
	if refusal(err).Status >= 500 { // nothing was decided
		a.unregister(c.UserContext(), k, stored)
		return pair{}, nil, err
	}
	return pair{subject: p.subject}, entity, nil // it has to wait, for a confirmation say
}

// unregister deletes the row of a registration that failed after it was stored.
func (a *Auth) unregister(ctx context.Context, k *kind, row any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.writeTimeout)
	defer cancel()
	if err := fault.Recover(func() error { return k.TakeBack(ctx, a.db, row) }); err != nil {
		a.logs.leftAccount(ctx, k, row, err)
	}
}

func (a *Auth) create(c *fiber.Ctx, k *kind, account any, hash string) (pair, []byte, error) {
	k.SetText(account, k.Password, hash)
	if err := hookRefusal(fault.Recover(func() error { return k.register(c, account) })); err != nil {
		return pair{}, nil, err
	}
	if err := k.RegisterProblem(account, hash); err != nil {
		return pair{}, nil, err
	}
	return a.storeAccount(c, k, account)
}

// storeAccount also writes the answer's entity, while there is a way back. A
// session elsewhere is begun when the account is stored, since no transaction
// may wait for another store; if that fails just then, the account has none yet
// and the person signs in.
func (a *Auth) storeAccount(c *fiber.Ctx, k *kind, account any) (p pair, entity []byte, err error) {
	ctx, cancel := context.WithTimeout(c.UserContext(), a.writeTimeout)
	defer cancel()
	var row session.Row
	err = a.storeRow(ctx, k, account, func(ctx context.Context, tx bun.Tx) (err error) {
		if entity, err = k.entity(c, account); err != nil {
			return err
		}
		if p, row, err = a.newSession(k, account, openedBy(c, Grant{}), nil); err != nil || !a.store.BesideAccounts() {
			return err
		}
		// A database may give a deleted account's key again.
		if err := a.store.RevokeFormer(ctx, tx, k.Kinds(), row.Subject, row.Created); err != nil {
			return fault.Unavailable(err)
		}
		kept, err := a.keep(ctx, tx, k, account, row)
		if err == nil && !kept {
			err = &noRow{k}
		}
		return err
	})
	if err != nil {
		return pair{}, nil, err
	}
	a.store.ForgetAccount(k.Kinds(), row.Subject)
	if !a.store.BesideAccounts() {
		former := true
		err := a.store.RevokeAll(c.UserContext(), k.Kinds(), row.Subject, row.Created)
		if err == nil {
			former = false
			_, err = a.keep(c.UserContext(), a.db, k, account, row)
		}
		if err != nil {
			a.logs.noSession(c.UserContext(), row, former, err)
			return pair{subject: p.subject}, entity, nil
		}
	}
	return p, entity, nil
}

// storeRow inserts an account in a transaction, in which also is done. What a
// sign-in would not find as it was given does not stay.
func (a *Auth) storeRow(ctx context.Context, k *kind, account any, also func(context.Context, bun.Tx) error) error {
	if err := a.quoting.Check(ctx); err != nil {
		return err
	}
	asked := accounts.Copy(account) // what is not stored must not keep its key
	err := dberr.InTx(ctx, a.db, func(ctx context.Context, tx bun.Tx) error {
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
	if !isOurs(err) {
		err = k.WriteError(err) // of the commit, or what that has waited for
	}
	if errors.Is(err, accounts.ErrRefused) && changed == nil {
		err = k.BlameHash(ctx, a.db, asked, err)
	}
	a.logs.refusedRow(ctx, k, err)
	return err
}

// hookRefusal is what a Register hook answers: its own *Error or *fiber.Error,
// or else 403.
func hookRefusal(err error) error {
	var fibers *fiber.Error
	switch {
	case err == nil:
		return nil
	case fault.IsUnavailable(err):
		return fault.Unavailable(err)
	case isOurs(err):
		return err
	case errors.As(err, &fibers):
		return &Error{Status: fibers.Code, Code: "refused", Description: fibers.Message, cause: err}
	}
	return because(ErrForbidden, err)
}

// signIn proves the password and starts a session.
func (a *Auth) signIn(c *fiber.Ctx, k *kind, identity, password, unlock string, grant Grant) (Tokens, error) {
	name := attempted(k, identity)
	turn, err := a.begin(c.UserContext(), a.placeOf(c, k, name, unlock))
	if err != nil {
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.Name}, err)
		return Tokens{}, err
	}
	defer turn.leave()
	account, err := a.prove(c, k, identity, password, turn.leave)
	if err != nil {
		turn.settle(c.UserContext(), name, 1, err)
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.Name}, err)
		return Tokens{}, err
	}
	tokens, err := a.login(c, k, account, grant)
	var gone *noRow
	if errors.As(err, &gone) {
		if again, lookErr := a.lookUp(c.UserContext(), k, identity); lookErr == nil && again == nil {
			err = ErrBadCredentials // it was deleted a moment ago
		}
	}
	// Only now: a refused account must look like a wrong password here too.
	turn.settle(c.UserContext(), name, 1, err)
	return tokens, err
}

// prove gives the account of which identity and password are right, else
// ErrBadCredentials. It takes the same time and as many statements whether the
// account exists or not, and whether Allow refuses it. compared is called when the
// password was compared: hooks may take their time after it.
func (a *Auth) prove(c *fiber.Ctx, k *kind, identity, password string, compared func()) (account any, err error) {
	account, stale, err := a.compare(c.UserContext(), k, identity, password)
	compared()
	if err != nil || !stale {
		return account, err
	}
	if err := a.allowed(c.UserContext(), k, account, ErrBadCredentials); err != nil {
		return nil, err
	}
	if lost := a.rehash(c, k, account, password); lost {
		account, _, err = a.compare(c.UserContext(), k, identity, password)
	}
	return account, err
}

func (a *Auth) compare(ctx context.Context, k *kind, identity, password string) (account any, stale bool, err error) {
	account, lookErr := a.lookUp(ctx, k, identity)
	if lookErr != nil && !errors.Is(lookErr, fault.ErrSetup) {
		return nil, false, lookErr
	}
	hash := ""
	if account != nil {
		hash = k.Hash(account)
	}
	ok, stale, err := a.hasher.Verify(ctx, hash, password)
	if err != nil {
		return nil, false, fault.Unavailable(err)
	}
	if lookErr != nil { // only now: the time must not tell that there are two of them
		return nil, false, lookErr
	}
	if !ok || account == nil {
		if unknownHash(hash) {
			a.logs.hint(ctx, "no password matches a stored hash, which is neither argon2id nor bcrypt",
				"import hashes as they are, into a column that neither pads nor changes them, such as VARCHAR(255); accounts with hashes of another kind need a new password, by ResetToken",
				slog.String("kind", k.Name), slog.String("column", k.Password.Name))
		}
		return nil, false, ErrBadCredentials
	}
	return account, stale, nil
}

// unknownHash says of the text that a row has in place of a hash that it is none of
// those that verify. A short text locks an account, such as "!" or "*".
func unknownHash(text string) bool {
	bcrypt := strings.HasPrefix(text, "$2") && len(text) == 60
	return len(text) >= 20 && !bcrypt && !strings.HasPrefix(text, "$argon2id$")
}

func (a *Auth) lookUp(ctx context.Context, k *kind, identity string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	return k.FindByIdentity(ctx, a.db, identity)
}

// rehash raises an old hash to the parameters of today, if it can: it never
// fails a login. lost says that the hash is another by now: another login may
// have raised it first, or the password was changed.
func (a *Auth) rehash(c *fiber.Ctx, k *kind, account any, password string) (lost bool) {
	old := k.Raw(account, k.Password)
	hash, err := a.hasher.Hash(c.UserContext(), password)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), a.writeTimeout)
	defer cancel()
	var raised bool
	err = dberr.InTx(ctx, a.db, func(ctx context.Context, tx bun.Tx) (err error) {
		raised, err = k.ReplaceHash(ctx, tx, account, old, hash)
		return err
	})
	switch {
	case err != nil:
		a.logs.oldHash(ctx, k, k.PutBack(ctx, a.db, account, old, err))
	case raised:
		k.SetText(account, k.Password, hash)
	}
	return err == nil && !raised
}

// changePassword asks for the current password. Guesses at it, by the holder of a
// stolen session, have a counter of their own.
func (a *Auth) changePassword(c *fiber.Ctx, k *kind, s *Session, current, password string) error {
	name := attempted(k, k.Text(s.Account, k.Identity))
	turn, err := a.begin(c.UserContext(), throttle.Place{Account: name, Session: s.ID})
	if err != nil {
		return err
	}
	defer turn.leave()
	err = a.provenChange(c, k, s, current, password, turn.leave)
	turn.settle(c.UserContext(), name, 2, err) // two hashes
	if err == nil {
		a.passwordChanged(c.UserContext(), name, a.networkOf(c).Network)
		if s.Source == SourceCookie {
			k.markDevice(c, name, a.now())
		}
	}
	return err
}

func (a *Auth) provenChange(c *fiber.Ctx, k *kind, s *Session, current, password string, compared func()) error {
	account, err := a.prove(c, k, k.Text(s.Account, k.Identity), current, compared)
	if err != nil {
		return err
	}
	if subject, err := k.Subject(account); err != nil || subject != s.Subject {
		return ErrBadCredentials
	}
	hash, err := a.hasher.Hash(c.UserContext(), password)
	if err != nil {
		return fault.Unavailable(err)
	}
	return a.storeHash(c.UserContext(), k, s, account, hash, ErrBadCredentials)
}

// storeHash changes the password that account was loaded with, and ends the
// sessions of the account but s. The error is raced if another change was faster.
func (a *Auth) storeHash(ctx context.Context, k *kind, s *Session, account any, hash string, raced error) error {
	change := k.passwordChange(account, hash, raced)
	owner := sessions.Owner{Kinds: k.Kinds(), Subject: s.Subject, Keep: s.sid}
	err := a.store.Change(ctx, a.db, owner, a.now().UnixMilli(), change)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.writeTimeout)
		defer cancel()
		return storeError(k.PutBack(ctx, a.db, account, k.Raw(account, k.Password), err))
	}
	return nil
}

// passwordChange replaces the hash that account was loaded with. The error is
// raced if somebody else has done so.
func (k *kind) passwordChange(account any, hash string, raced error) sessions.Change {
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
