// Package event has what [fiberjwt.Config.OnEvent] receives: one [Event] for each
// sign-in, refusal, refresh and logout, for counters, audit logs and warnings to the
// owner of an account.
//
// [fiberjwt.Config.OnEvent]: https://pkg.go.dev/github.com/fiberjwt/fiberjwt#Config
package event

import "log/slog"

// Type is what happened. The set is fixed, so a Type can be the label of a counter.
type Type string

// The types. An outcome is one event: a sign-in that the throttle refuses is
// Throttled and nothing else.
const (
	Login           Type = "login"            // by password or by fiberjwt.Login
	LoginRefused    Type = "login_refused"    // wrong credentials, or Entity.Allow refused
	Throttled       Type = "throttled"        // 429: login, register or password
	Register        Type = "register"         // SessionID is empty if Entity.Allow lets the account wait
	RegisterRefused Type = "register_refused" // the identity is taken, or Entity.Register refused
	Refresh         Type = "refresh"
	Exchange        Type = "exchange"        // POST /{kind}/token: an access token without a rotation
	RefreshRefused  Type = "refresh_refused" // a refresh token is not valid, for either of the two
	Reuse           Type = "reuse"           // a spent refresh token came back and its session was ended: warn the owner; each later use of the token is an event again
	Logout          Type = "logout"          // a session ended; ending it again is no event
	LogoutAll       Type = "logout_all"
	Revoke          Type = "revoke" // DELETE /{kind}/sessions/:id; SessionID is the one that ended
	Password        Type = "password"
	PasswordRefused Type = "password_refused"
	LinkRefused     Type = "link_refused"  // a token of a fiberjwt.Link or of fiberjwt.ResetToken is not valid
	TokenRefused    Type = "token_refused" // an access token is not valid, also on an open route
	Denied          Type = "denied"        // signed in, but As, Require or Fresh refused
	Failed          Type = "failed"        // 5xx: the store did not answer, a hook panicked; the log says why
)

// Event describes one outcome of a request. It contains no token, no password and no
// name that a user signs in with, and the length of every text is bounded. It shares
// no memory with the request, so it may be kept.
type Event struct {
	Type      Type   `json:"type"`
	Kind      string `json:"kind,omitempty"`       // of account, one of Config.Entities
	Subject   string `json:"subject,omitempty"`    // primary key of the account; empty where nothing proved who it is
	SessionID string `json:"session_id,omitempty"` // fiberjwt.Session.ID
	// Reason is why something was refused: the code of the answer, but for
	// access tokens token_malformed, token_claims, token_expired or
	// token_revoked, and "refused" for an error of a hook's own. A fixed set,
	// empty for what went well.
	Reason    string `json:"reason,omitempty"`
	Address   string `json:"address,omitempty"`    // of the client, as c.IP() has it
	UserAgent string `json:"user_agent,omitempty"` // what the client says of itself, at most 255 bytes, printable
}

// LogValue is the event as a group, for slog.
func (e Event) LogValue() slog.Value {
	attributes := []slog.Attr{slog.String("type", string(e.Type))}
	for _, part := range [...]struct{ name, value string }{
		{"kind", e.Kind}, {"subject", e.Subject}, {"session_id", e.SessionID}, {"reason", e.Reason},
		{"address", e.Address}, {"user_agent", e.UserAgent},
	} {
		if part.value != "" {
			attributes = append(attributes, slog.String(part.name, part.value))
		}
	}
	return slog.GroupValue(attributes...)
}
