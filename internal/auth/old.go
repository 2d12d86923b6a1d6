package auth

import (
	"cmp"
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// OldTokens are access tokens of an earlier system. The zero value accepts none.
type OldTokens struct {
	Secret []byte
	Until  time.Time
	Kind   string // "" for the one whose table the claim table_name names
	Claim  string // that names the account; "" for the column of the key
	Column string // that Claim names instead of the primary key
}

// InUse reports whether such tokens are accepted.
func (o OldTokens) InUse() bool { return len(o.Secret) > 0 }

// verifyOld returns the session of an old token with its account. Without a valid
// signature, the error is token.ErrMalformed, as it was before.
func (a *Service) verifyOld(ctx context.Context, raw string) (Verified, error) {
	payload, ok := token.OldPayload(a.Old.Secret, raw)
	if !ok {
		return Verified{}, token.ErrMalformed
	}
	k, c, err := a.oldClaims(payload)
	if err != nil {
		return Verified{}, err
	}
	if !token.HasAll(payload, a.Tokens.Required) {
		return Verified{}, token.ErrMissing
	}
	v := Verified{Kind: k.Name, IssuedAt: at(c.IssuedAt), ExpiresAt: at(c.ExpiresAt), Payload: payload}
	if a.Old.Column == "" { // a name is not a subject
		v.Subject = c.Key
	}
	now, leeway := a.Now(), int64(a.Tokens.Leeway/time.Second)
	switch {
	case !now.Before(a.Old.Until), now.Unix() >= c.ExpiresAt+leeway:
		return v, token.ErrExpired
	case c.NotBefore > now.Unix()+leeway, c.IssuedAt > now.Unix()+leeway:
		return v, token.ErrNotBefore
	}
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	account, err := a.oldAccount(ctx, k, c)
	if err != nil {
		return v, err
	}
	if account == nil {
		return v, ErrRevoked
	}
	v.Account = account
	if v.Subject, err = k.Subject(account); err != nil {
		return v, err
	}
	return v, a.allowed(ctx, k, account, ErrRevoked)
}

// oldClaims finds the kind first, since it may name the claim of the key.
func (a *Service) oldClaims(payload []byte) (*Kind, token.OldClaims, error) {
	k := a.Kind(a.Old.Kind)
	table, named := token.OldTable(payload)
	if k == nil {
		k = a.kindOfTable(table)
	}
	if k == nil || named && k.Table.Name != table {
		return nil, token.OldClaims{}, token.ErrWrong
	}
	c, err := token.ReadOldClaims(payload, cmp.Or(a.Old.Claim, k.PK.Name))
	return k, c, err
}

// kindOfTable is nil if no kind is on the table, or several are.
func (a *Service) kindOfTable(table string) (found *Kind) {
	for _, k := range a.Kinds {
		if k.Table.Name != table {
			continue
		}
		if found != nil {
			return nil
		}
		found = k
	}
	return found
}

// maxSpellings bounds how many spellings of a name are compared, which a column that
// folds case may have.
const maxSpellings = 100

// oldAccount is the account that an old token names, nil if there is none.
func (a *Service) oldAccount(ctx context.Context, k *Kind, c token.OldClaims) (any, error) {
	if a.Old.Column == "" {
		return k.LoadBySubject(ctx, c.Key)
	}
	// 7 is a primary key, and no name. PostgreSQL does not accept NUL.
	if c.IsNumber || strings.IndexByte(c.Key, 0) >= 0 {
		return nil, nil
	}
	field := k.Field(a.Old.Column)
	rows, err := k.AtMost(ctx, k.DB, maxSpellings, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("?TableAlias.? = ?", bun.Ident(field.Name), c.Key)
	})
	if err != nil {
		return nil, err
	}
	several := rows.Len() == maxSpellings
	var account any
	for _, row := range rows.Seq2() {
		found := row.Interface()
		switch {
		case k.Text(found, field) != c.Key:
		case account == nil:
			account = found
		default: // a join may give the same account again
			several = several || !reflect.DeepEqual(k.Key(found), k.Key(account))
		}
	}
	if several {
		return nil, fault.Setupf("Config.OldTokens.Column: several accounts of kind %s have the same %s: give the column a unique index", k.Name, field.Name)
	}
	return account, nil
}
