package accounts

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Insert stores a new account. If nothing else makes its primary key, Insert sets it to a
// UUID. The error is that of [Kind.WriteError].
func (k *Kind) Insert(ctx context.Context, db bun.IDB, account any) error {
	if err := k.setKey(account); err != nil {
		return err
	}
	err := fault.Recover(func() error {
		_, err := db.NewInsert().Model(account).Exec(ctx)
		return err
	})
	return k.WriteError(err)
}

// WriteError classifies an error of a statement that writes a row, or of a commit, because
// constraints and triggers can be deferred: ErrTaken, ErrRefused, or
// fault.ErrUnavailable for every other error of the database.
func (k *Kind) WriteError(err error) error {
	if err = k.hookError(err); err == nil || IsClassified(err) {
		return err
	}
	switch dberr.ConstraintOf(err) {
	case dberr.Unique:
		return fault.Because(ErrTaken, err)
	case dberr.Other, dberr.RefusedValue, dberr.Raised:
		return fault.Because(ErrRefused, err)
	}
	return fault.Unavailable(err)
}

// setKey sets the primary key of a new account to a UUID if neither the application nor
// the database sets it. The key must be a string or a text type of 16 bytes.
func (k *Kind) setKey(account any) error {
	key := k.PK.Value(reflect.ValueOf(account).Elem())
	if !key.IsZero() || k.PK.AutoIncrement || k.PK.SQLDefault != "" || k.PK.Identity {
		return nil
	}
	if _, hooked := account.(bun.BeforeAppendModelHook); hooked {
		return nil
	}
	switch {
	case key.Kind() == reflect.String:
		key.SetString(newUUID())
		return nil
	case key.Kind() == reflect.Array && key.Len() == 16:
		return parseText(newUUID(), key)
	}
	return fault.Setupf("kind %s: nothing sets the primary key %q: tag it `bun:\",pk,autoincrement\"` or set it in Register", k.Name, k.PK.Name)
}

// newUUID returns a UUID of version 7 (RFC 9562 §5.7). These sort by the time of creation,
// which keeps an index on them compact.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:])
	ms := uint64(time.Now().UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// RegisterProblem returns an error if the Register hook has changed the account so that it
// could not sign in: the hook may set another identity, in canonical form, but not another
// hash.
func (k *Kind) RegisterProblem(account any, hash string) error {
	if k.Raw(account, k.Password) != hash {
		return fault.Setupf("Entity.Register of kind %s changes %s, the hash of the password that the client sent: do not change it", k.Name, k.Password.GoName)
	}
	if name, err := k.Canonical(k.Raw(account, k.Identity)); err != nil || name != k.Raw(account, k.Identity) {
		return fault.Setupf("Entity.Register of kind %s sets %s to a text that is not in canonical form, so a sign-in would not find it: set the result of Entity.Canonical, by default CanonicalIdentity", k.Name, k.Identity.GoName)
	}
	return nil
}
