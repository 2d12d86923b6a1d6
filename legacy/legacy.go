// Package legacy keeps users signed in on the day an application moves to fiberjwt:
// [Tokens] accepts the access tokens that the system before it has issued. Remove it
// from the Config when they have expired.
package legacy

import "time"

// Tokens lets access tokens in that the system which an application is moved
// from has issued: Flask-JWT-Router, Flask-JWT, Flask-JWT-Extended,
// flask-jwtlogin and their like, all signed by HS256. So users stay signed in on
// the day of the move.
//
//	Tokens{Secret: old, Until: day}                                 // Flask-JWT-Router: table_name, and the key by its column
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "sub"}      // Flask-JWT-Extended from 4.0, flask-jwtlogin
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "sub", Column: "username"} // the same, where identity is a name
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "identity"} // Flask-JWT, Flask-JWT-Extended before 4.0, gin-jwt
//	Tokens{Secret: old, Until: day, Kind: "users", Claim: "user_id"}  // APILoginManager
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
type Tokens struct {
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
