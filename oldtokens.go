package fiberjwt

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/auth"
)

// OldTokens lets access tokens in that the system which an application is moved
// from has issued: Flask-JWT-Router, Flask-JWT, Flask-JWT-Extended,
// flask-jwtlogin and their like, all signed by HS256. So users stay signed in on
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
// An attacker who knows the old secret can sign in as any account until Until, and keep the
// sessions that it started with them; short secrets are guessed from any old token. Keep
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
		// Everyone who has the public key could sign (RFC 8725 §2.1).
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
		return []string{"Config.OldTokens.Kind: " + strings.TrimPrefix(auth.UnknownKind(o.Kind, known).Error(), "fiberjwt: ")}
	case o.Column == "":
		return nil
	case o.Kind == "":
		return []string{"Config.OldTokens.Kind is missing: say whose column OldTokens.Column is"}
	case kinds[i].Table != nil:
		kinds[i].Column("Config.OldTokens.Column", o.Column, reflect.String, &problems)
	}
	return problems
}
