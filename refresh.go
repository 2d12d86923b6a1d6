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

// Tokens is the answer to a sign-in or a refresh (RFC 6749 §5.1). The tokens
// are absent if they went out as cookies; RefreshToken is also absent from a
// refresh that came too early to rotate: keep the one you have.
type Tokens struct {
	AccessToken  string `json:"access_token,omitempty"`
	TokenType    string `json:"token_type"` // "Bearer"
	ExpiresIn    int64  `json:"expires_in"` // of the access token, in seconds
	RefreshToken string `json:"refresh_token,omitempty"`
}

// Migrate creates the tables of sessions and of failed sign-ins where they are
// missing, and brings older ones up to date. Call it at every start; calling it
// again changes nothing. It refuses a database with settings under which a client's
// text could become SQL. The error says so, or is what the database said, wrapped, and none of
// the Err… values.
func Migrate(ctx context.Context, db *bun.DB) error { return session.Migrate(ctx, db) }

// Login starts a session for account, a stored row, without a password: after
// OAuth, a magic link and the like, which must have proved who it is. The
// middleware must stand above the route, as with Public or Optional.
//
// Tokens go out by Config.Transports's first, or as a [LoginOptions] says; with
// TransportCookie the cookies are set on c and the Tokens have none. The error is
// ErrBadCredentials if Entity.Allow refuses, or if the account was deleted softly
// or has another password by now, or in a kind with Password "-" if its row has
// another text or number in the columns of Entity.Identity than account, as far as
// account has them set; ErrSetup if it is not in its table; else
// ErrUnavailable or ErrSetup. Return it from the handler: its headers are set, and
// Fiber's error handler finds the status.
//
// While the transaction that stores the account is open, hand it over by [LoginOptions].DB.
//
// An attacker who can make a browser visit the route signs it in as the attacker's
// account: let the flow carry a state that is bound to the browser (RFC 9700 §4.7).
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
	return Tokens{}, fault.Setupf("Login: %T is nil or no model in Config.Entities", account)
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

// Logout ends the sessions that the request is signed in with, of all kinds or
// of those named, and clears their cookies. A request that is not signed in is
// no error, nor is one that is signed in by a token of [TrustedIssuer] or [Config].OldTokens,
// which stays good. The error is ErrUnavailable or ErrSetup; return it from the
// handler, as that of [Login].
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

// eventOf is about the session of a pair.
func eventOf(p auth.Pair, what event.Type, k *kind) event.Event {
	return event.Event{Type: what, Kind: k.Name, Subject: p.Subject, SessionID: idOf(p.SID)}
}

// respondNewSession hands out the pair of a new session.
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

// revokeReplaced ends the sessions whose cookies a sign-in replaces: no client holds
// them any longer, a list would show the browser twice, and an answer that is
// late could bring a living one back. If the store fails now, they end when they
// were idle for long enough.
func (a *Auth) revokeReplaced(c *fiber.Ctx, k *kind, db bun.IDB) {
	for _, replaced := range a.sessionsInCookies(c, k) {
		if found, err := a.service.Sessions.RevokeIn(c.UserContext(), db, replaced.SID, k.Name, a.now().UnixMilli()); err == nil && found {
			a.emit(c, eventOf(replaced, event.Logout, k))
		}
	}
}

// respondTokens gives the pair to the client.
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

// agent is the User-Agent, cut and made printable for a list. It is kept to
// ASCII: a sign-in must not fail for want of a character in the set of a database
// or a connection, and products are named in ASCII (RFC 9110 §10.1.5).
func agent(c *fiber.Ctx) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, strings.Clone(borrow(c.Request().Header.UserAgent())))
	return text[:min(len(text), maxAgentBytes)]
}

// LoginOptions says how a sign-in by [Login] or [Auth.Issue] differs from what Config
// and Entity say. All but AuthTime and DB holds for its access token alone: a refresh
// gives one by the Entity again, and Cookie.Sliding leaves it to expire. The
// zero value changes nothing.
type LoginOptions struct {
	// Transport is how the tokens go out. Default: the first of
	// Config.Transports. Issue has no response and knows TransportBody only.
	Transport Transport
	// TTL is the life of the access token, 1 s to 24 h. Default Entity.AccessTTL.
	TTL time.Duration
	// NotBefore is when the access token begins to be good (claim nbf), before
	// TTL is over, which counts from now. Default: at once.
	NotBefore time.Time
	// Audience takes the place of Config.Audience, for a token that another
	// service is to accept.
	Audience []string
	// Claims join those of Entity.Claims, and win over them.
	Claims map[string]any
	// AuthTime is when the person proved who it is, see [Fresh]. It stays with
	// the session. Default: now, or where Login exchanges a token that has no
	// session here, of the same account, what that one says: 1970 if it says nothing.
	AuthTime time.Time
	// DB is the open transaction that has stored the account. The session is then
	// stored in it too, and its tokens are good once it has committed; if it is
	// rolled back, they are void. Entity.Allow is asked before. Commit within a
	// minute: with Config.CacheTTL, a session that this sign-in replaces may go on
	// in other processes if it takes longer. Sessions in another store, by
	// Config.Store, cannot be part of a transaction: that is ErrSetup. Default:
	// Config.DB, where an account whose transaction is open is not seen.
	DB bun.IDB
}

// opening is what a session begins with by the options.
func (o LoginOptions) opening(address, agent string) auth.Opening {
	return auth.Opening{TTL: o.TTL, Shape: o.shape(), AuthTime: o.AuthTime, DB: o.DB, Address: address, Agent: agent}
}

// Issue starts a session for account, a *T of one of Config.Entities, outside a
// request: for a job, a command line, a device. It must be a stored row; whoever
// calls it must know who it is. The errors are those of [Login].
func (a *Auth) Issue(ctx context.Context, account any, options ...LoginOptions) (Tokens, error) {
	k, o := a.kindOf(account), firstOf(options)
	var problem string
	switch {
	case k == nil:
		problem = fmt.Sprintf("Issue: a %T is nil or no pointer to a model in Config.Entities", account)
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

// kindOf an account, nil if it is none.
func (a *Auth) kindOf(account any) *kind {
	v := reflect.ValueOf(account)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	return a.kind(a.models[v.Type().Elem()])
}

// special: the access token is another than a refresh gives.
func (o LoginOptions) special() bool {
	return o.TTL != 0 || !o.NotBefore.IsZero() || len(o.Audience) > 0 || len(o.Claims) > 0
}

// shape is how its access token differs.
func (o LoginOptions) shape() token.Shape {
	return token.Shape{NotBefore: o.NotBefore, Audience: o.Audience, Claims: o.Claims, Shaped: o.special()}
}

func firstOf(options []LoginOptions) LoginOptions {
	if len(options) == 0 {
		return LoginOptions{}
	}
	return options[0]
}

// authTimeOf is the AuthTime that a Login has by default. A caller that exchanges a token
// of OldTokens, of TrustedIssuers or a ticket has proved nothing now.
func (r *request) authTimeOf(k *kind, account any) (when time.Time) {
	s := r.session(k.Name)
	if s == nil || s.sid != nil && s.Source != sourceTicket {
		return when
	}
	if subject, err := k.Subject(account); err != nil || subject != s.Subject {
		return when
	}
	if now := r.auth.now(); s.AuthTime.After(now) { // the clock of another issuer
		return now
	}
	return cmp.Or(s.AuthTime, time.Unix(0, 0))
}

// problem says what is wrong with the options at a time, "" if nothing is.
func (o LoginOptions) problem(now time.Time) string {
	switch {
	case o.TTL != 0 && (o.TTL < time.Second || o.TTL > token.MaxLife):
		return fmt.Sprintf("LoginOptions.TTL: %v is not between 1 s and 24 h", o.TTL)
	case slices.Contains(o.Audience, ""):
		return "LoginOptions.Audience has an empty name"
	case !o.AuthTime.Before(now.Add(token.ClockSkew)): // less may come from another server
		return "LoginOptions.AuthTime is in the future"
	case !o.NotBefore.IsZero() && o.NotBefore.Unix() < 0:
		return "LoginOptions.NotBefore is before 1970"
	}
	return ""
}

// Which refresh cookie counts, if a browser sends several or one that was planted.

// refreshCookie returns the value of the cookie: the one of the session that the access
// cookie names. A sibling domain, or a script of another path, can plant more of its name,
// even valid ones of an account of its own. Only this host can set the access cookie.
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
		return "", errLoneRefresh // both are set at once, and this one lives as long
	}
	best, others := newest(values, k, sid)
	if best != "" || len(others) == 0 {
		return cmp.Or(best, borrow(values[0])), nil // the latter to be refused as it is
	}
	return a.refreshCookieBeside(ctx, k, sid, others)
}

// refreshCookieBeside the access cookie of another session counts if both are of one
// account: an answer that was late has brought back the access cookie of a session that a
// sign-in has replaced.
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

// newest is the latest generation of a session among the values of refresh cookies, "" if
// there is none. others are valid ones of other sessions.
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
