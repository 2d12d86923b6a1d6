package fiberjwt

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/session"
)

// A database may give the key of a deleted account to the next one: SQLite gives
// the highest again, MySQL after a restart, and every database to a row that is
// stored with its key. A registration ends the sessions of the earlier account. The
// accounts of a kind with Password "-" are stored by the application, so their
// sessions and links have a fingerprint of the account instead: a MAC of the columns
// that tell it from the next account with its key.
const labelAccount = "fiberjwt/v1/account/" // + kind

// resolveTelling finds the columns of the fingerprint; see [Entity].Identity.
func (k *kind) resolveTelling(identity string) (problems []string) {
	if identity != "" {
		field := k.column(`Identity of a kind with Password "-"`, identity, reflect.Invalid, &problems)
		switch field {
		case nil:
		case k.pk:
			problems = append(problems, fmt.Sprintf(`Identity of a kind with Password "-": the column %q is the primary key, which tells no account from the next one with its key: %s`, field.Name, tellingHint))
		default:
			k.telling = []*schema.Field{field}
		}
		return problems
	}
	k.telling = slices.DeleteFunc(slices.Clone(k.table.DataFields), func(field *schema.Field) bool { return !k.unique(field) })
	if len(k.telling) > 0 {
		return nil
	}
	i := slices.IndexFunc(k.table.DataFields, func(field *schema.Field) bool { return field.Name == "email" })
	if i < 0 {
		i = slices.IndexFunc(k.table.DataFields, func(field *schema.Field) bool { return field.IndirectType.Kind() == reflect.String })
	}
	switch {
	case i >= 0:
		k.telling = k.table.DataFields[i : i+1]
	case k.pk != nil && isInteger(k.pk.StructField.Type):
		return []string{`Identity: no column of the model is unique or a text, so nothing tells an account from the next one with its key, which would get its sessions: ` + tellingHint}
	}
	return nil
}

const tellingHint = "name a column that differs and never changes, of any type, such as the subject at an identity provider; or let the key be a UUID, which no database gives again"

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

// unique reports whether the model tags the column unique, alone or with others.
func (k *kind) unique(field *schema.Field) bool {
	for _, group := range k.table.Unique {
		if slices.ContainsFunc(group, func(member *schema.Field) bool { return member.Name == field.Name }) {
			return true
		}
	}
	return false
}

// told is what the columns of the fingerprint have in an account.
func (k *kind) told(account any) string {
	var text strings.Builder
	for _, field := range k.telling {
		value := textOf(field.Value(reflect.ValueOf(account).Elem()))
		fmt.Fprintf(&text, "%d:%s", len(value), value)
	}
	return text.String()
}

// textOf is the same text for the same value, "" for nil.
func textOf(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if codec, ok := newSubjectCodec(v.Type()); ok {
		if text, err := codec.format(v); err == nil {
			return text
		}
	}
	value := v.Interface()
	if valuer, ok := value.(driver.Valuer); ok {
		if plain, err := valuer.Value(); err == nil {
			value = plain
		}
	}
	return fmt.Sprint(value)
}

// fingerprint of a stored account, nil for a kind with passwords. It is that of the
// row, which may not be what the application has: a database pads and converts. The
// error is that of whyNot if the row is gone, and ErrBadCredentials if it is that of
// another account by now.
func (a *Auth) fingerprint(ctx context.Context, db bun.IDB, k *kind, account any) (print []byte, err error) {
	if len(k.telling) == 0 {
		return nil, nil
	}
	subject, err := k.subject(account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	stored, err := k.scan(ctx, db, subject, all)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return nil, a.whyNot(ctx, db, k, account)
	}
	same := false
	err = fault.Recover(func() error {
		same = k.sameAs(account, stored)
		print = k.prints.Fingerprint(k.told(stored))
		return nil
	})
	if err == nil && !same {
		a.logs.replaced(ctx, k)
		err = ErrBadCredentials
	}
	return print, err
}

// sameAs reports whether an account that the application has may be that of a row.
// Only what it has set is compared, and only texts, integers and UUIDs, since a
// database may round the rest. It may also pad a text or fold its case.
func (k *kind) sameAs(account, row any) bool {
	for _, field := range k.telling {
		mine := field.Value(reflect.ValueOf(account).Elem())
		kind := field.IndirectType.Kind()
		comparable := kind == reflect.String || kind == reflect.Array || isInteger(field.IndirectType)
		if mine.IsZero() || !comparable {
			continue
		}
		text := strings.TrimRight(textOf(mine), " ")
		if !strings.EqualFold(text, strings.TrimRight(textOf(field.Value(reflect.ValueOf(row).Elem())), " ")) {
			return false
		}
	}
	return true
}

// ofSession is account if the session began with it, and nil if it began with an
// earlier account of the same key, or if account is nil. sid is nil for a token
// without a session.
func (a *Auth) ofSession(ctx context.Context, k *kind, account any, sid []byte) (any, error) {
	if account == nil || sid == nil || len(k.telling) == 0 {
		return account, nil
	}
	same := false
	err := fault.Recover(func() error {
		same = k.prints.HasFingerprint(seal.FingerprintOf(sid), k.told(account))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !same {
		a.logs.replaced(ctx, k)
		return nil, nil
	}
	return account, nil
}

// withoutFormer leaves the sessions of an earlier account with the key out.
func (a *Auth) withoutFormer(ctx context.Context, k *kind, subject string, rows []session.Row) (own []session.Row, err error) {
	if len(k.telling) == 0 || len(rows) == 0 {
		return rows, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	account, err := k.loadBySubject(ctx, subject)
	if err != nil || account == nil {
		return rows, err
	}
	for _, row := range rows {
		same, err := a.ofSession(ctx, k, account, row.SID)
		if err != nil {
			return nil, err
		}
		if same != nil {
			own = append(own, row)
		}
	}
	return own, nil
}
