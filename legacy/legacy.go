// Package legacy keeps users signed in when an application moves to fiberjwt. [Tokens]
// accepts the access tokens that the former system of the application has issued. Remove it
// from the Config when these tokens have expired.
package legacy

import "time"

// Tokens configures which access tokens of a former system are accepted, such as those of
// Flask-JWT-Router, Flask-JWT, Flask-JWT-Extended and flask-jwtlogin. The tokens must be
// signed with HS256. The zero value accepts none.
//
//	Tokens{Secret: old, Until: day}                                 // Flask-JWT-Router: table_name, and the key by its column
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "sub"}      // Flask-JWT-Extended from 4.0, flask-jwtlogin
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "sub", Column: "username"} // the same, if identity is a name
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "identity"} // Flask-JWT, Flask-JWT-Extended before 4.0, gin-jwt
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "user_id"}  // APILoginManager
//
// # What an old token does
//
// An old token must have exp. It signs its account in if the row exists and Entity.Allow
// accepts it. It is never fresh, see fiberjwt.Fresh. It has no session: Session.ID is empty,
// and the token cannot be refreshed.
//
// Only its expiry ends an old token. Logout, RevokeAll, ResetPassword and a change of the
// password do not. Tokens that the old system had revoked are accepted again. So are tokens
// that it issued for other purposes, unless their claim type says so. If there were tokens
// for other purposes without this claim, refuse them in a handler below the middleware, by
// Session.Claim.
//
// # Exchange for a session
//
// A route below the middleware that calls fiberjwt.Login exchanges an old token for a
// session. The session is not fresh either, and it stays valid after Until.
//
// # Security
//
// An attacker who knows the old secret can sign in as any account until Until, and keep the
// sessions that it started with such tokens. An attacker can find a short secret by trying
// values against any old token. Keep the time short.
type Tokens struct {
	// Secret is the secret of the old system, unchanged. It must differ from
	// Config.Secret and from all Config.OldSecrets. Required.
	Secret []byte
	// Until is when old tokens are refused in any case, at most a year from now. Set it to
	// the day of the move plus the lifetime of an old token. Required.
	Until time.Time
	// Kind is the kind of account that old tokens sign in. If a token has a claim
	// table_name, it must name the table of this kind. Default: the kind whose table that
	// claim names.
	Kind string
	// Claim is the claim that contains the primary key, as a string or an integer. Default:
	// "sub"; or the column of the primary key, if table_name determines the kind.
	Claim string
	// Column is the column whose value Claim contains, if that is not the primary key, such
	// as the name of a user. It requires Kind, and must be a text column of that kind in
	// which no two accounts have the same value. It is compared exactly, even if the
	// database ignores case. An account that takes the name of an earlier account is also
	// signed in by the old tokens of that account. Default: the primary key.
	Column string
}
