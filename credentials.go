package fiberjwt

import (
	"context"
	"errors"
	"reflect"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/transient"
	"github.com/fiberjwt/fiberjwt/session"
)

// What register, login and password do behind their routes.

// newAccount is the row that a registration asks for, as far as it may, and
// the password that it is to have.
func (a *Auth) newAccount(k *kind, body form) (account any, password string, err error) {
	account, wrong := k.newAccount(), map[string]string{}
	identity := canonical(body.identity(k, wrong))
	k.setText(account, k.identity, identity)
	password = body.required("password", wrong)
	a.judge(password, identity, wrong)
	for _, field := range k.fillable {
		if value, ok := body[field.Name]; ok && (hasNUL(value) || k.fill(account, field, value) != nil) {
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
	if problem := a.hasher.problem(password, identity, localPart(identity)); problem != "" {
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
	hash, err := a.hasher.hash(c.UserContext(), password)
	turn.leave() // the hook may take its time
	if err == nil {
		p, entity, err = a.create(c, k, account, hash)
	} else {
		err = because(ErrUnavailable, err)
	}
	turn.settle(c.UserContext(), attempted(k, k.text(account, k.identity)), throttle.RegistrationWeight, err)
	if err == nil && p.sid != nil && a.allowed(c.UserContext(), k, account, ErrBadCredentials) != nil {
		// It has to wait, for a confirmation say. Asked only now, since Allow may
		// look at the row.
		if _, err := a.store.revoke(c.UserContext(), p.sid, k.name, "", a.now().UnixMilli()); err != nil {
			a.journal.leftSession(c.UserContext(), err)
		}
		return pair{subject: p.subject}, entity, nil
	}
	return p, entity, err
}

func (a *Auth) create(c *fiber.Ctx, k *kind, account any, hash string) (pair, []byte, error) {
	k.setText(account, k.password, hash)
	if err := hookRefusal(shielded(func() error { return k.register(c, account) })); err != nil {
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
	asked := shallowCopy(account) // what is not stored must not keep its key
	store := func(ctx context.Context, tx bun.Tx) error {
		reflect.ValueOf(account).Elem().Set(reflect.ValueOf(asked).Elem())
		if err := k.insert(ctx, tx, account); err != nil {
			return err
		}
		if entity, err = c.App().Config().JSONEncoder(account); err != nil {
			return because(ErrSetup, err)
		}
		if p, row, err = a.newSession(k, account, openedBy(c, Grant{})); err != nil || a.store.sql == nil {
			return err
		}
		// A database may give a deleted account's key again.
		if err := a.store.sql.RevokeFormer(ctx, tx, row.Kind, row.Subject, row.Created); err != nil {
			return err
		}
		return a.keep(ctx, tx, k, account, row)
	}
	err = transient.Retry(ctx, func() error { return a.db.RunInTx(ctx, nil, store) })
	if err != nil {
		a.journal.refusedRow(c.UserContext(), k, err)
		return pair{}, nil, storeFault(err)
	}
	a.store.cache.forgetAccount(row.Kind, row.Subject)
	if a.store.sql == nil {
		former := true
		err := a.store.revokeAll(c.UserContext(), row.Kind, row.Subject, nil, row.Created)
		if err == nil {
			former = false
			err = a.keep(c.UserContext(), a.db, k, account, row)
		}
		if err != nil {
			a.journal.noSession(c.UserContext(), row, former, err)
			return pair{subject: p.subject}, entity, nil
		}
	}
	return p, entity, nil
}

// hookRefusal is what a Register hook answers: its own *Error or *fiber.Error,
// or else 403.
func hookRefusal(err error) error {
	var known *Error
	var fibers *fiber.Error
	switch {
	case err == nil:
		return nil
	case storeTrouble(err):
		return because(ErrUnavailable, err)
	case errors.As(err, &known):
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
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.name}, err)
		return Tokens{}, err
	}
	defer turn.leave()
	account, err := a.prove(c, k, identity, password, turn.leave)
	if err != nil {
		turn.settle(c.UserContext(), name, 1, err)
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.name}, err)
		return Tokens{}, err
	}
	tokens, err := a.login(c, k, account, grant)
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
	account, err = a.lookUp(ctx, k, identity)
	if err != nil {
		return nil, false, err
	}
	hash := ""
	if account != nil {
		hash = k.hash(account)
	}
	ok, stale, err := a.hasher.verify(ctx, hash, password)
	if err != nil {
		return nil, false, because(ErrUnavailable, err)
	}
	if !ok || account == nil {
		return nil, false, ErrBadCredentials
	}
	return account, stale, nil
}

func (a *Auth) lookUp(ctx context.Context, k *kind, identity string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	return k.findByIdentity(ctx, identity)
}

// rehash raises an old hash to the parameters of today, if it can: it never
// fails a login. lost says that the hash is another by now: another login may
// have raised it first, or the password was changed.
func (a *Auth) rehash(c *fiber.Ctx, k *kind, account any, password string) (lost bool) {
	old := k.hash(account)
	hash, err := a.hasher.hash(c.UserContext(), password)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), a.writeTimeout)
	defer cancel()
	raised, err := k.replaceHash(ctx, a.db, account, old, hash)
	if raised {
		k.setText(account, k.password, hash)
	}
	return err == nil && !raised
}

// changePassword asks for the current password. Guesses at it, by the holder of a
// stolen session, have a counter of their own.
func (a *Auth) changePassword(c *fiber.Ctx, k *kind, s *Session, current, password string) error {
	name := attempted(k, k.text(s.Account, k.identity))
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
	account, err := a.prove(c, k, k.text(s.Account, k.identity), current, compared)
	if err != nil {
		return err
	}
	if subject, err := k.subject(account); err != nil || subject != s.Subject {
		return ErrBadCredentials
	}
	hash, err := a.hasher.hash(c.UserContext(), password)
	if err != nil {
		return because(ErrUnavailable, err)
	}
	change := k.passwordChange(account, hash, ErrBadCredentials)
	err = a.store.changePassword(c.UserContext(), a.db, s, a.now().UnixMilli(), change)
	if err != nil {
		return storeFault(err)
	}
	return nil
}

// passwordChange replaces the hash that account was loaded with. The error is
// raced if somebody else has done so.
func (k *kind) passwordChange(account any, hash string, raced error) passwordChange {
	replace := func(old, hash string) func(context.Context, bun.IDB) error {
		return func(ctx context.Context, db bun.IDB) error {
			changed, err := k.replaceHash(ctx, db, account, old, hash)
			if err == nil && !changed {
				err = raced
			}
			return err
		}
	}
	old := k.hash(account)
	return passwordChange{do: replace(old, hash), undo: replace(hash, old)}
}
