// Package event defines what [fiberjwt.Config.OnEvent] receives: one [Event] for each
// sign-in, refusal, refresh, logout and failure. Use it for counters, audit logs and
// warnings to the owner of an account. docs/reference/events.md lists the types with their
// reasons.
//
// [fiberjwt.Config.OnEvent]: https://pkg.go.dev/github.com/fiberjwt/fiberjwt#Config
package event

import "log/slog"

// Type is what happened. The set of types is fixed, so a Type can be the label of a
// counter.
type Type string

// The types. Each outcome is exactly one event. For example, a sign-in that the throttle
// refuses is Throttled, and not also LoginRefused.
const (
	Login           Type = "login"            // by password, fiberjwt.Login or Auth.Issue
	LoginRefused    Type = "login_refused"    // the credentials were wrong, or Entity.Allow refused
	Throttled       Type = "throttled"        // a login, registration or password change was answered 429
	Register        Type = "register"         // an account was stored; SessionID is empty if it is not signed in yet
	RegisterRefused Type = "register_refused" // the identity is taken, or Entity.Register refused
	Refresh         Type = "refresh"          // a refresh returned tokens
	Exchange        Type = "exchange"         // POST /{kind}/token returned an access token without a rotation
	RefreshRefused  Type = "refresh_refused"  // Refresh or Exchange was refused because of the refresh token
	Reuse           Type = "reuse"            // a spent refresh token was used again and its session ended: warn the owner. Each later use is an event again
	Logout          Type = "logout"           // a session ended by a logout or a sign-in that replaced its cookies; ending it again is no event
	LogoutAll       Type = "logout_all"       // all sessions of the account ended
	Revoke          Type = "revoke"           // DELETE /{kind}/sessions/:id ended the session SessionID
	Password        Type = "password"         // the password was changed, or set by ResetPassword
	PasswordRefused Type = "password_refused" // the current password was wrong
	LinkRefused     Type = "link_refused"     // a token of a fiberjwt.Link or of fiberjwt.ResetToken is not valid
	TokenRefused    Type = "token_refused"    // an access token is not valid; also on routes that are open
	Denied          Type = "denied"           // the request was signed in, but As, Require or Fresh refused it
	Failed          Type = "failed"           // the response was 5xx, for example because the store did not answer or a hook panicked; the log has the cause
)

// Event describes one outcome of a request. It contains no token, no password and no
// identity, such as an email address, and the length of every text is limited. It does not
// refer to memory of the request, so it may be kept.
type Event struct {
	Type      Type   `json:"type"`
	Kind      string `json:"kind,omitempty"`       // the kind of account, one of Config.Entities
	Subject   string `json:"subject,omitempty"`    // the primary key of the account; empty if the request did not prove which account it is for
	SessionID string `json:"session_id,omitempty"` // as fiberjwt.Session.ID
	// Reason is why the request was refused or failed: the code of the response, except that
	// access tokens have token_malformed, token_claims, token_expired or token_revoked, and
	// that other errors of a hook have "refused". The set of values is fixed. Empty if
	// nothing was refused.
	Reason    string `json:"reason,omitempty"`
	Address   string `json:"address,omitempty"`    // of the client; behind a trusted proxy from fiber.Config.ProxyHeader; empty if it is not known
	UserAgent string `json:"user_agent,omitempty"` // the User-Agent of the client, cut to 255 printable ASCII bytes
}

// LogValue returns the event as a slog group. Empty fields are left out.
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
