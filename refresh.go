package fiberjwt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Tokens is the response to a sign-in or a refresh (RFC 6749 §5.1). If the tokens are sent as
// cookies, AccessToken and RefreshToken are empty. RefreshToken is also empty if a refresh came
// too early to rotate: the client then keeps the refresh token that it has.
type Tokens struct {
	AccessToken  string `json:"access_token,omitempty"`
	TokenType    string `json:"token_type"` // always "Bearer"
	ExpiresIn    int64  `json:"expires_in"` // lifetime of the access token in seconds
	RefreshToken string `json:"refresh_token,omitempty"`
}

// Migrate creates the tables of sessions and of failed sign-ins if they are missing, and
// updates older ones. Call it at every start, also in several processes at once. If the tables
// are up to date, it changes nothing.
//
// It refuses a database whose settings would let a client's text become SQL. The error then
// says so; otherwise it wraps the error of the database. It matches none of the Err… values.
func Migrate(ctx context.Context, db *bun.DB) error { return session.Migrate(ctx, db) }

// Login starts a session for account, a stored row, without a password. Use it after OAuth, a
// magic link or another procedure that has proved which account the user owns: Login itself
// proves nothing. The middleware must be above the route, and usually Public lists the route or
// Optional is set.
//
// The tokens are sent by the first of Config.Transports, or as a [LoginOptions] says. With
// TransportCookie, Login sets the cookies on c, and the returned Tokens contain no tokens. If
// the transaction that stores the account is still open, pass it as [LoginOptions].DB.
//
// The error is
//
//   - ErrBadCredentials if Entity.Allow refuses the account, if the account was soft-deleted,
//     or if its password has changed since account was loaded. In a kind with Password "-" also
//     if the row has another text or number than account in the columns that Entity.Identity
//     names; columns that are not set in account are not compared.
//   - ErrSetup if account is not in its table, or if the application is set up wrongly.
//   - ErrUnavailable if the store does not answer.
//
// Return the error from the handler: the headers are set already, and Fiber's error handler
// finds the status.
//
// An attacker who makes a browser visit the route can sign the user in to the attacker's
// account. Protect the flow with a state that is bound to the browser (RFC 9700 §4.7).
func Login[T any](c *fiber.Ctx, account *T, options ...LoginOptions) (Tokens, error) {
	tokens, err := login(c, account, firstOf(options))
	if err != nil {
		refusal(err).announce(c, logsOf(c))
		if r := requestOf(c); r != nil {
			r.auth.emitFailed(c, err)
		}
		err = publicError(markLogged(err))
	}
	return tokens, err
}

func login[T any](c *fiber.Ctx, account *T, options LoginOptions) (Tokens, error) {
	r := requestOf(c)
	if r == nil {
		return Tokens{}, errNoMiddleware
	}
	for ; r != nil; r = r.outer {
		name, known := r.auth.models[reflect.TypeFor[T]()]
		if !known || account == nil {
			continue
		}
		options.Transport = cmp.Or(options.Transport, r.auth.transport[0])
		if !slices.Contains(r.auth.transport, options.Transport) {
			return Tokens{}, fault.Setupf("Login: Config.Transports does not offer %q", options.Transport)
		}
		k := r.auth.kind(name)
		options.AuthTime = cmp.Or(options.AuthTime, r.authTimeOf(k, account))
		return r.auth.login(c, k, account, options)
	}
	return Tokens{}, fault.Setupf("Login: %T is nil or not a model in Config.Entities", account)
}

func (a *Auth) login(c *fiber.Ctx, k *kind, account any, options LoginOptions) (Tokens, error) {
	if problem := options.problem(a.now()); problem != "" {
		return Tokens{}, fault.Setup(problem)
	}
	p, err := a.service.Start(c.UserContext(), k.Kind, account, options.opening(address(c), agent(c)))
	if err != nil {
		a.emitRefused(c, event.Event{Type: event.LoginRefused, Kind: k.Name, Subject: p.Subject}, err)
		return Tokens{}, err
	}
	a.emit(c, eventOf(p, event.Login, k))
	return a.respondNewSession(c, k, p, options), nil
}

// Logout ends the sessions that the request is signed in with and clears their cookies. It does
// so for all kinds, or only for those in kinds.
//
// Logout returns no error if the request is not signed in, or if its token is of a
// [TrustedIssuer] or of [Config].OldTokens. Such a token has no session that could end, so it
// stays valid.
// The error is ErrUnavailable or ErrSetup. Return it from the handler, as that of [Login].
func Logout(c *fiber.Ctx, kinds ...string) error {
	if requestOf(c) == nil {
		return publicError(errNoMiddleware)
	}
	for a, s := range visible(c) {
		if len(kinds) > 0 && !slices.Contains(kinds, s.Kind) {
			continue
		}
		if err := a.service.Revoke(c.UserContext(), s.ID); err != nil {
			refusal(err).announce(c, a.logs)
			a.emitFailed(c, err)
			return publicError(markLogged(err))
		}
		if s.sid != nil {
			a.emit(c, s.event(event.Logout))
		}
		if s.Source == sourceCookie {
			a.kind(s.Kind).cookies.clear(c)
		}
	}
	return nil
}

// eventOf returns an event about the session of p.
func eventOf(p auth.Pair, what event.Type, k *kind) event.Event {
	return event.Event{Type: what, Kind: k.Name, Subject: p.Subject, SessionID: idOf(p.SID)}
}

// respondNewSession sends the tokens of a new session.
func (a *Auth) respondNewSession(c *fiber.Ctx, k *kind, p auth.Pair, options LoginOptions) Tokens {
	if options.Transport == TransportCookie {
		a.revokeReplaced(c, k, options.DB)
	}
	tokens := a.respondTokens(c, k, p, options.Transport)
	if options.Transport == TransportCookie && p.Name != "" {
		k.markDevice(c, p.Name, a.now())
	}
	return tokens
}

// revokeReplaced ends the sessions whose cookies a sign-in replaces. No client has these cookies
// afterwards, and a list of sessions would show the browser twice. A late response could also
// bring the old cookies back while their session is still active. If the store fails now, these
// sessions end when their idle time is over.
func (a *Auth) revokeReplaced(c *fiber.Ctx, k *kind, db bun.IDB) {
	for _, replaced := range a.sessionsInCookies(c, k) {
		if found, err := a.service.Sessions.RevokeIn(c.UserContext(), db, replaced.SID, k.Name, a.now().UnixMilli()); err == nil && found {
			a.emit(c, eventOf(replaced, event.Logout, k))
		}
	}
}

// respondTokens sends the tokens of p by transport.
func (a *Auth) respondTokens(c *fiber.Ctx, k *kind, p auth.Pair, transport Transport) Tokens {
	tokens := tokensOf(p)
	if transport == TransportCookie {
		if k.cookies.secure {
			a.logs.plainHTTP(c)
		} else {
			a.logs.insecure(c)
		}
		k.cookies.set(c, p)
		tokens.AccessToken, tokens.RefreshToken = "", ""
	}
	return tokens
}

func tokensOf(p auth.Pair) Tokens {
	return Tokens{AccessToken: p.Access, TokenType: "Bearer", ExpiresIn: int64(p.Expires / time.Second), RefreshToken: p.Refresh}
}

const maxAgentBytes = 255

// agent returns the User-Agent for the list of sessions: printable ASCII, at most 255 bytes.
// Other characters are removed, because a sign-in must not fail if the character set of a
// database or a connection lacks one. Product names are ASCII (RFC 9110 §10.1.5).
func agent(c *fiber.Ctx) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, strings.Clone(borrow(c.Request().Header.UserAgent())))
	return text[:min(len(text), maxAgentBytes)]
}

// LoginOptions changes a sign-in by [Login] or [Auth.Issue]. The zero value changes nothing.
//
// TTL, NotBefore, Audience and Claims affect only the access token of this sign-in. The next
// refresh issues an access token as Config and Entity say. Cookie.Sliding does not renew an
// access token with such options: it expires.
type LoginOptions struct {
	// Transport is how the tokens are sent. Default: the first of Config.Transports. Issue
	// has no response, so it accepts only TransportBody.
	Transport Transport
	// TTL is the lifetime of the access token, 1 s to 24 h. Default: Entity.AccessTTL.
	TTL time.Duration
	// NotBefore is the time from which the access token is valid (claim nbf). It must be
	// before the token expires; TTL counts from now. Default: the token is valid at once.
	NotBefore time.Time
	// Audience replaces the audience that Config and Entity set, for a token that another
	// service accepts.
	Audience []string
	// Claims are added to those of Entity.Claims. If both set a claim, this one is used.
	Claims map[string]any
	// AuthTime is when the user proved who they are, see [Fresh]. It stays with the
	// session. Default: now. If Login exchanges a ticket, or a token that has no session
	// here, of the same account, the default is the AuthTime of that token, or 1970 if it
	// has none.
	AuthTime time.Time
	// DB is the open transaction that stored the account. The session is stored in the
	// same transaction: its tokens are valid once the transaction has committed, and void
	// if it is rolled back. Entity.Allow is called before that. Default: Config.DB, which
	// does not see an account of an open transaction.
	//
	// Commit within a minute. With Config.CacheTTL, a session that this sign-in replaces
	// could otherwise go on in other processes. Sessions of a Config.Store cannot be part
	// of a transaction of Config.DB: the error is ErrSetup.
	DB bun.IDB
}

// opening returns what a session starts with.
func (o LoginOptions) opening(address, agent string) auth.Opening {
	return auth.Opening{TTL: o.TTL, Shape: o.shape(), AuthTime: o.AuthTime, DB: o.DB, Address: address, Agent: agent}
}

// Issue starts a session for account outside a request, for example for a job, a command line
// or a device. account is a stored row, a pointer to a model of Config.Entities. Issue proves
// nothing: the caller must know that the tokens go to the owner of the account. The errors are
// those of [Login]. Issue is safe for concurrent use.
func (a *Auth) Issue(ctx context.Context, account any, options ...LoginOptions) (Tokens, error) {
	k, o := a.kindOf(account), firstOf(options)
	var problem string
	switch {
	case k == nil:
		problem = fmt.Sprintf("Issue: a %T is nil or not a pointer to a model in Config.Entities", account)
	case o.Transport != "" && o.Transport != TransportBody:
		problem = fmt.Sprintf("Issue: there is no response for the transport %q", o.Transport)
	default:
		problem = o.problem(a.now())
	}
	if problem != "" {
		return Tokens{}, publicError(fault.Setup(problem))
	}
	p, err := a.service.Start(ctx, k.Kind, account, o.opening("", ""))
	if err != nil {
		return Tokens{}, publicError(err)
	}
	a.deliver(ctx, eventOf(p, event.Login, k))
	return tokensOf(p), nil
}

// kindOf returns the kind of an account, or nil if account belongs to none.
func (a *Auth) kindOf(account any) *kind {
	v := reflect.ValueOf(account)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	return a.kind(a.models[v.Type().Elem()])
}

// special reports whether the access token differs from one that a refresh issues.
func (o LoginOptions) special() bool {
	return o.TTL != 0 || !o.NotBefore.IsZero() || len(o.Audience) > 0 || len(o.Claims) > 0
}

// shape returns how the access token differs from one that a refresh issues.
func (o LoginOptions) shape() token.Shape {
	return token.Shape{NotBefore: o.NotBefore, Audience: o.Audience, Claims: o.Claims, Shaped: o.special()}
}

func firstOf(options []LoginOptions) LoginOptions {
	if len(options) == 0 {
		return LoginOptions{}
	}
	return options[0]
}

// authTimeOf returns the default AuthTime of a Login, which is zero for now. A caller that
// exchanges a ticket, or a token of OldTokens or TrustedIssuers, has proved nothing now, so its
// session must not become fresh.
func (r *request) authTimeOf(k *kind, account any) (when time.Time) {
	s := r.session(k.Name)
	if s == nil || s.sid != nil && s.Source != sourceTicket {
		return when
	}
	if subject, err := k.Subject(account); err != nil || subject != s.Subject {
		return when
	}
	if now := r.auth.now(); s.AuthTime.After(now) { // the clock of another issuer may be ahead
		return now
	}
	return cmp.Or(s.AuthTime, time.Unix(0, 0))
}

// problem says what is wrong with the options, or returns "" if nothing is.
func (o LoginOptions) problem(now time.Time) string {
	switch {
	case o.TTL != 0 && (o.TTL < time.Second || o.TTL > token.MaxLife):
		return fmt.Sprintf("LoginOptions.TTL: %v is not between 1 s and 24 h", o.TTL)
	case slices.Contains(o.Audience, ""):
		return "LoginOptions.Audience has an empty name"
	case !o.AuthTime.Before(now.Add(token.ClockSkew)): // another server's clock may be ahead by less
		return "LoginOptions.AuthTime is in the future"
	case !o.NotBefore.IsZero() && o.NotBefore.Unix() < 0:
		return "LoginOptions.NotBefore is before 1970"
	}
	return ""
}

// The rest of this file decides which refresh cookie is used if a browser sends several, one of
// which an attacker may have set.

// refreshCookie returns the refresh cookie that belongs to the session of the access cookie. A
// sibling domain, or a script on another path, can set more cookies with the name of the refresh
// cookie, even valid ones of an attacker's account. Only this host can set the access cookie.
func (a *Auth) refreshCookie(ctx context.Context, c *fiber.Ctx, k *kind) (string, error) {
	values := cookieValues(c, k.cookies.refresh)
	if len(values) == 0 {
		return "", errNoRefreshToken
	}
	if err := a.checkUnsafeOrigin(c); err != nil {
		return "", err
	}
	access, _ := cookieValue(c, k.cookies.access)
	sid := auth.NamedSession(access)
	if sid == nil {
		return "", errLoneRefresh // both cookies are set together and live equally long
	}
	best, others := newest(values, k, sid)
	if best != "" || len(others) == 0 {
		return cmp.Or(best, borrow(values[0])), nil // if no cookie is valid, the first one is refused as usual
	}
	return a.refreshCookieBeside(ctx, k, sid, others)
}

// refreshCookieBeside returns a refresh cookie of another session than sid, that of the access
// cookie, if both sessions belong to one account. This happens after a sign-in that replaced a
// session: a late response brings the access cookie of the replaced session back.
func (a *Auth) refreshCookieBeside(ctx context.Context, k *kind, sid []byte, others [][]byte) (string, error) {
	only, err := onlyOne(others)
	if err != nil {
		return "", err
	}
	other, _, _ := k.RefreshSession(only)
	same, err := a.service.OneAccount(ctx, k.Kind, sid, other)
	if err == nil && !same {
		err = errLoneRefresh
	}
	return only, err
}

// newest returns the refresh cookie with the latest generation of the session sid, or "" if
// there is none. others are the valid cookies of other sessions.
func newest(values [][]byte, k *kind, sid []byte) (best string, others [][]byte) {
	latest := uint32(0)
	for _, value := range values {
		of, generation, ok := k.RefreshSession(borrow(value))
		switch {
		case !ok:
		case !bytes.Equal(of, sid):
			others = append(others, value)
		case best == "" || generation > latest:
			best, latest = borrow(value), generation
		}
	}
	return best, others
}
