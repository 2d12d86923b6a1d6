package fiberjwt

import (
	"context"

	"github.com/fiberjwt/fiberjwt/internal/fault"
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
	k, err := kindOf[T](a)
	if err == nil && (k.Password == nil || account == nil) {
		err = fault.Setupf("Create: account is nil, or kind %s has no passwords: insert its rows yourself", k.Name)
	}
	if err != nil {
		return face(err)
	}
	return face(a.service.Create(ctx, k.Kind, account, password))
}

// HashPassword hashes a password for the column Entity.Password, at the cost of
// [Config].Password: for rows that the application inserts or updates itself. After
// an update of a stored row, call [Auth.RevokeAll]. The error is ErrFields, with
// Error.Fields of "password", if a registration would not take the password, else
// ErrUnavailable if ctx ended or too many passwords are hashed at the moment.
func (a *Auth) HashPassword(ctx context.Context, password string) (string, error) {
	hash, err := a.service.HashPassword(ctx, password)
	return hash, face(err)
}

// CheckPassword says whether hash, from the column Entity.Password, is one of
// password. It knows argon2id and bcrypt, as a sign-in does; any other text matches
// no password, after the same time. It counts no failures: throttle what strangers
// can call. The error is ErrUnavailable if ctx ended or too many passwords are
// hashed at the moment.
func (a *Auth) CheckPassword(ctx context.Context, hash, password string) (bool, error) {
	ok, err := a.service.CheckPassword(ctx, hash, password)
	return ok, face(err)
}
