package fiberjwt

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// Create stores a new account with a password, outside a request: the first one of
// a kind whose registration is closed, an import, a command line. It takes what the
// built-in route takes as identity, which account has, and as password. The identity
// is stored in its canonical form, all other columns as they are, and the row stays
// only if a sign-in finds it. Entity.Register and Entity.Allow are not asked, and no
// session begins: call [Auth.Issue] or [Login] for one.
//
//	admin := &Admin{Email: "ann@example.com"}
//	err := fiberjwt.Create(ctx, auth, admin, password)
//
// Afterwards account has its key and the hash; after an error it is as it was. The
// error is ErrFields, with Error.Fields for the identity's column and "password";
// ErrTaken if there is such an account; else ErrUnavailable or ErrSetup. It may be
// called concurrently, with an account each.
func Create[T any](ctx context.Context, a *Auth, account *T, password string) error {
	return face(createAccount(ctx, a, account, password))
}

func createAccount[T any](ctx context.Context, a *Auth, account *T, password string) error {
	k, err := kindOf[T](a)
	if err != nil {
		return err
	}
	if k.Password == nil || account == nil {
		return fault.Setupf("Create: account is nil, or kind %s has no passwords: insert its rows yourself", k.Name)
	}
	wrong := map[string]string{}
	identity, err := formOf(k.Identity.Name, k.Text(account, k.Identity)).newIdentity(k, wrong)
	if err != nil {
		return err
	}
	a.judge(password, identity, wrong)
	if err := wrongFields(wrong); err != nil {
		return err
	}
	hash, err := a.hashIn(ctx, "", password)
	if err != nil {
		return err
	}
	row := accounts.Copy(account).(*T)
	k.SetText(row, k.Identity, identity)
	k.SetText(row, k.Password, hash)
	if err := a.storeAlone(ctx, k, row); err != nil {
		return err
	}
	*account = *row
	return nil
}

// formOf is the body that a client would send for one member.
func formOf(name, text string) form {
	value, _ := json.Marshal(text) // never fails for a string
	return form{name: strictjson.Value(value)}
}

// storeAlone stores an account without a session, and ends those that an earlier
// account of its key has left.
func (a *Auth) storeAlone(ctx context.Context, k *kind, account any) error {
	limited, cancel := context.WithTimeout(ctx, a.writeTimeout)
	defer cancel()
	now, subject := a.now().UnixMilli(), ""
	err := a.storeRow(limited, k, account, func(ctx context.Context, tx bun.Tx) (err error) {
		if subject, err = k.Subject(account); err != nil || !a.store.BesideAccounts() {
			return err
		}
		return fault.Unavailable(a.store.RevokeFormer(ctx, tx, k.Kinds(), subject, now))
	})
	if err != nil {
		return err
	}
	a.store.ForgetAccount(k.Kinds(), subject)
	if a.store.BesideAccounts() {
		return nil
	}
	if err := a.store.RevokeAll(ctx, k.Kinds(), subject, now); err != nil {
		a.unregister(ctx, k, account)
		return err
	}
	return nil
}

// hashIn hashes a password when it has its turn among the sign-ins. proof is for
// the first queue, see [admission.Gate].
func (a *Auth) hashIn(ctx context.Context, proof, password string) (string, error) {
	leave, err := a.hasher.Enter(ctx, proof)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := a.hasher.Hash(ctx, password)
	if err != nil {
		return "", fault.Unavailable(err)
	}
	return hash, nil
}

// HashPassword hashes a password for the column Entity.Password, at the cost of
// [Config].Password: for rows that the application inserts or updates itself. After
// an update of a stored row, call [Auth.RevokeAll]. The error is ErrFields, with
// Error.Fields of "password", if a registration would not take the password, else
// ErrUnavailable if ctx ended or too many passwords are hashed at the moment.
func (a *Auth) HashPassword(ctx context.Context, password string) (string, error) {
	hash, err := a.hashPassword(ctx, password)
	return hash, face(err)
}

func (a *Auth) hashPassword(ctx context.Context, password string) (string, error) {
	wrong := map[string]string{}
	a.judge(password, "", wrong)
	if err := wrongFields(wrong); err != nil {
		return "", err
	}
	return a.hashIn(ctx, "", password)
}

// CheckPassword says whether hash, from the column Entity.Password, is one of
// password. It knows argon2id and bcrypt, as a sign-in does; any other text matches
// no password, after the same time. It counts no failures: throttle what strangers
// can call. The error is ErrUnavailable if ctx ended or too many passwords are
// hashed at the moment.
func (a *Auth) CheckPassword(ctx context.Context, hash, password string) (bool, error) {
	ok, err := a.checkPassword(ctx, hash, password)
	return ok, face(err)
}

func (a *Auth) checkPassword(ctx context.Context, hash, typed string) (bool, error) {
	if password.TooLong(typed) {
		return false, nil
	}
	leave, err := a.hasher.Enter(ctx, "")
	if err != nil {
		return false, err
	}
	defer leave()
	ok, _, err := a.hasher.Verify(ctx, hash, typed)
	if err != nil {
		return false, fault.Unavailable(err)
	}
	return ok, nil
}
