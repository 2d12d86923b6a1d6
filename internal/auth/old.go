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

// OldTokens configures access tokens of an earlier system. The zero value accepts no such
// tokens.
type OldTokens struct {
	Secret []byte
	Until  time.Time
	Kind   string // "" for the kind whose table the claim table_name contains
	Claim  string // the claim that identifies the account; "" for the name of the key column
	Column string // the column that Claim contains; "" for the primary key
}

// InUse reports whether such tokens are accepted.
func (o OldTokens) InUse() bool { return len(o.Secret) > 0 }

// verifyOld verifies an old token and loads its account. The error for an invalid signature
// is token.ErrMalformed, as for other tokens.
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
	v := Verified{Kind: k.Name, IssuedAt: unixTime(c.IssuedAt), ExpiresAt: unixTime(c.ExpiresAt), Payload: payload}
	if a.Old.Column == "" { // otherwise the claim is not a subject
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
	return v, a.checkAllowed(ctx, k, account, ErrRevoked)
}

// oldClaims finds the kind first, because the name of the claim may depend on it.
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

// kindOfTable returns the kind on a table, or nil if there is not exactly one.
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

// maxSpellings is the maximum number of rows that are compared for one name. A column that
// ignores case may have several.
const maxSpellings = 100

// oldAccount returns the account of an old token, or nil if there is none.
func (a *Service) oldAccount(ctx context.Context, k *Kind, c token.OldClaims) (any, error) {
	if a.Old.Column == "" {
		return k.LoadBySubject(ctx, c.Key)
	}
	// A number is a primary key, not a name. PostgreSQL does not accept NUL.
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
		default: // a join may return the same account again
			several = several || !reflect.DeepEqual(k.Key(found), k.Key(account))
		}
	}
	if several {
		return nil, fault.Setupf("Config.OldTokens.Column: several accounts of kind %s have the same %s: give the column a unique index", k.Name, field.Name)
	}
	return account, nil
}
