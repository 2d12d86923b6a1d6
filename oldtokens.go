package fiberjwt

import (
	"bytes"
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// OldTokens lets access tokens in that the system which an application is moved
// from has issued: Flask-JWT-Router, Flask-JWT, Flask-JWT-Extended,
// flask-jwtlogin and their like, all signed by HS256. So nobody is signed out on
// the day of the move.
//
//	OldTokens{Secret: old, Until: day}                                 // Flask-JWT-Router: table_name, and the key by its column
//	OldTokens{Secret: old, Until: day, Kind: "users", Claim: "sub"}      // Flask-JWT-Extended from 4.0, flask-jwtlogin
//	OldTokens{Secret: old, Until: day, Kind: "users", Claim: "sub", Column: "username"} // the same, where identity is a name
//	OldTokens{Secret: old, Until: day, Kind: "users", Claim: "identity"} // Flask-JWT, Flask-JWT-Extended before 4.0, gin-jwt
//	OldTokens{Secret: old, Until: day, Kind: "users", Claim: "user_id"}  // APILoginManager
//
// Such a token needs exp, signs its account in if the row is there and
// [Entity].Allow lets it, and is never [Fresh]. It has no session: [Session].ID
// is empty, and it is not refreshed. Nothing but its expiry ends it: not
// [Logout], RevokeAll, [ResetPassword] or a change of the password. What the old
// system had revoked is good again, and so are its tokens for other purposes, but
// for those that say so in the claim type: if it had any, refuse them in a
// handler below the middleware, by [Session].Claim.
//
// A route below the middleware that calls [Login] exchanges it for a session,
// which is as little fresh, and which lives on after Until.
//
// Whoever knows the old secret can sign in as anybody until Until, and keep the
// sessions that he exchanged; short secrets are guessed from any old token. Keep
// the time short.
type OldTokens struct {
	// Secret of the old system, as it is.
	Secret []byte
	// Until is when they are refused at last, a year from now at most. Give the
	// day of the move and the life of an old token.
	Until time.Time
	// Kind of account that they sign in; a claim table_name must name its table if
	// there is one. Default: the kind whose table that claim names.
	Kind string
	// Claim that has the primary key, as a string or an integer. Default: "sub",
	// and where table_name says the kind the key's column.
	Claim string
	// Column that Claim has instead of the primary key, such as the name of a user: a
	// column of text of Kind, in which no two accounts have the same. It is compared
	// exactly, also where the database folds case. Whoever takes a name over that an
	// earlier account had, takes its old tokens over too. Default: the primary key.
	Column string
}

func (o OldTokens) withDefaults() OldTokens {
	o.Secret = bytes.Clone(o.Secret)
	if o.Kind != "" {
		o.Claim = cmp.Or(o.Claim, "sub")
	}
	return o
}

func (o OldTokens) inUse() bool {
	return len(o.Secret) > 0 || !o.Until.IsZero() || o.Kind != "" || o.Claim != "" || o.Column != ""
}

func (o OldTokens) problems(cfg Config, kinds []*kind) (problems []string) {
	if !o.inUse() {
		return nil
	}
	problems = o.kindProblems(kinds)
	switch {
	case len(o.Secret) == 0:
		problems = append(problems, "Config.OldTokens.Secret is empty: give the secret of the old system")
	case slices.ContainsFunc(append([]Secret{cfg.Secret}, cfg.OldSecrets...), func(s Secret) bool { return bytes.Equal(o.Secret, s) }):
		problems = append(problems, "Config.OldTokens.Secret is Config.Secret too, or one of OldSecrets: take a new one for this system")
	case bytes.Contains(o.Secret, []byte("-----BEGIN")):
		// Whoever has the public key could sign (RFC 8725 §2.1).
		problems = append(problems, "Config.OldTokens.Secret is a key in PEM: only tokens by HS256 can be read")
	}
	switch {
	case o.Until.IsZero():
		problems = append(problems, "Config.OldTokens.Until is missing: give the time at which the last old token has expired")
	case o.Until.After(cfg.Now().AddDate(1, 0, 1)):
		problems = append(problems, "Config.OldTokens.Until is more than a year from now: give the time at which the last old token has expired, or a nearer one")
	}
	return problems
}

func (o OldTokens) kindProblems(kinds []*kind) (problems []string) {
	var known []string
	for _, k := range kinds {
		known = append(known, k.Name)
	}
	i := slices.Index(known, o.Kind)
	switch {
	case len(kinds) == 0:
		return []string{"Config.OldTokens needs DB and Entities, to look the accounts up"}
	case o.Kind != "" && i < 0:
		return []string{"Config.OldTokens.Kind: " + unknownKind(o.Kind, known)}
	case o.Column == "":
		return nil
	case o.Kind == "":
		return []string{"Config.OldTokens.Kind is missing: say whose column OldTokens.Column is"}
	case kinds[i].Table != nil:
		kinds[i].Column("Config.OldTokens.Column", o.Column, reflect.String, &problems)
	}
	return problems
}

// verifyOld gives the session of an old token with its account. Without one of
// those the error is ErrTokenMalformed, as it was before.
func (a *Auth) verifyOld(ctx context.Context, raw string) (*Session, error) {
	payload, ok := token.OldPayload(a.old.Secret, raw)
	if !ok {
		return nil, token.ErrMalformed
	}
	k, c, err := a.oldClaims(payload)
	if err != nil {
		return nil, err
	}
	if !token.HasAll(payload, a.tokens.Required) {
		return nil, token.ErrMissing
	}
	s := &Session{
		Kind: k.Name, Subject: a.old.subject(c.Key), IssuedAt: at(c.IssuedAt), ExpiresAt: at(c.ExpiresAt), payload: payload,
	}
	now, leeway := a.now(), int64(a.tokens.Leeway/time.Second)
	switch {
	case !now.Before(a.old.Until), now.Unix() >= c.ExpiresAt+leeway:
		return s, token.ErrExpired
	case c.NotBefore > now.Unix()+leeway, c.IssuedAt > now.Unix()+leeway:
		return s, token.ErrNotBefore
	}
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	account, err := a.oldAccount(ctx, k, c)
	if err != nil {
		return s, err
	}
	if account == nil {
		return s, ErrTokenRevoked
	}
	s.Account = account
	if s.Subject, err = k.Subject(account); err != nil {
		return s, err
	}
	return s, a.allowed(ctx, k, account, ErrTokenRevoked)
}

// subject that a token names before its account is found: a name is not one.
func (o OldTokens) subject(key string) string {
	if o.Column != "" {
		return ""
	}
	return key
}

// oldAccount is the account that an old token names, nil if there is none.
func (a *Auth) oldAccount(ctx context.Context, k *kind, c token.OldClaims) (any, error) {
	if a.old.Column == "" {
		return k.LoadBySubject(ctx, c.Key)
	}
	// 7 is a primary key, and no name. PostgreSQL takes no NUL.
	if c.IsNumber || strings.IndexByte(c.Key, 0) >= 0 {
		return nil, nil
	}
	field := k.Field(a.old.Column)
	accounts, err := k.AtMost(ctx, k.DB, maxSpellings, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("?TableAlias.? = ?", bun.Ident(field.Name), c.Key)
	})
	if err != nil {
		return nil, err
	}
	several := accounts.Len() == maxSpellings
	var account any
	for _, row := range accounts.Seq2() {
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

// maxSpellings of a name are compared, which a column that folds case may have.
const maxSpellings = 100

// signed says whether the old secret signed a token, of whomever.
func (o OldTokens) signed(raw string) bool {
	if !o.inUse() {
		return false
	}
	_, ok := token.OldPayload(o.Secret, raw)
	return ok
}

// oldClaims finds the kind first, since it may name the claim of the key.
func (a *Auth) oldClaims(payload []byte) (*kind, token.OldClaims, error) {
	k := a.kind(a.old.Kind)
	table, named := token.OldTable(payload)
	if k == nil {
		k = a.kindOfTable(table)
	}
	if k == nil || named && k.Table.Name != table {
		return nil, token.OldClaims{}, token.ErrWrong
	}
	c, err := token.ReadOldClaims(payload, cmp.Or(a.old.Claim, k.PK.Name))
	return k, c, err
}

// kindOfTable is nil if no kind or several are on the table.
func (a *Auth) kindOfTable(table string) (found *kind) {
	for _, k := range a.kinds {
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
