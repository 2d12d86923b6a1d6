package fiberjwt

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

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
// again changes nothing. The error is what the database said, wrapped, and none of
// the Err… values.
func Migrate(ctx context.Context, db *bun.DB) error { return session.Migrate(ctx, db) }

// Login starts a session for account, a stored row, without a password: after
// OAuth, a magic link and the like, which must have proved who it is. The
// middleware must stand above the route, as with Public or Optional.
//
// Tokens go out by Config.Transport's first, or as a [Grant] says; with
// TransportCookie the cookies are set on c and the Tokens have none. The error is
// ErrBadCredentials if Entity.Allow refuses or the row is gone, else
// ErrUnavailable or ErrSetup. Return it from the handler: its headers are set,
// and Fiber's error handler finds the status.
//
// Whoever can make a browser visit the route signs it in as an account of his
// own: let the flow carry a state that is bound to the browser (RFC 9700 §4.7).
func Login[T any](c *fiber.Ctx, account *T, grant ...Grant) (Tokens, error) {
	tokens, err := login(c, account, only(grant))
	if err != nil {
		refusal(err).announce(c, journalOf(c))
		if r := requestOf(c); r != nil {
			r.auth.tellFailed(c, err)
		}
		err = logged(err)
	}
	return tokens, err
}

func login[T any](c *fiber.Ctx, account *T, grant Grant) (Tokens, error) {
	r := requestOf(c)
	if r == nil {
		return Tokens{}, errNoMiddleware
	}
	for ; r != nil; r = r.outer {
		name, known := r.auth.models[reflect.TypeFor[T]()]
		if !known || account == nil {
			continue
		}
		grant.Transport = orDefault(grant.Transport, r.auth.transport[0])
		if !slices.Contains(r.auth.transport, grant.Transport) {
			return Tokens{}, mistakef("Login: Config.Transport does not offer %q", grant.Transport)
		}
		k := r.auth.kind(name)
		grant.AuthTime = orDefault(grant.AuthTime, r.proved(k, account))
		return r.auth.login(c, k, account, grant)
	}
	return Tokens{}, mistakef("Login: %T is nil or no model in Config.Entities", account)
}

func (a *Auth) login(c *fiber.Ctx, k *kind, account any, grant Grant) (Tokens, error) {
	p, err := a.startAllowed(c.UserContext(), k, account, openedBy(c, grant))
	if err != nil {
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.name, Subject: p.subject}, err)
		return Tokens{}, err
	}
	a.tell(c, p.event(EventLogin, k))
	return a.handNew(c, k, p, grant.Transport), nil
}

func (a *Auth) startAllowed(ctx context.Context, k *kind, account any, o opening) (pair, error) {
	if err := a.allowed(ctx, k, account, ErrBadCredentials); err != nil {
		return pair{}, err
	}
	return a.start(ctx, k, account, o)
}

// Logout ends the sessions that the request is signed in with, of all kinds or
// of those named, and clears their cookies. A request that is not signed in is
// no error, nor is one that is signed in by a token of [Issuer] or [OldTokens],
// which stays good. The error is ErrUnavailable or ErrSetup; return it from the
// handler, as that of [Login].
func Logout(c *fiber.Ctx, kinds ...string) error {
	if requestOf(c) == nil {
		return errNoMiddleware
	}
	for a, s := range visible(c) {
		if len(kinds) > 0 && !slices.Contains(kinds, s.Kind) {
			continue
		}
		if err := a.Revoke(c.UserContext(), s.ID); err != nil {
			refusal(err).announce(c, a.journal)
			a.tellFailed(c, err)
			return logged(err)
		}
		if s.sid != nil {
			a.tell(c, s.event(EventLogout))
		}
		if s.Source == SourceCookie {
			a.kind(s.Kind).cookies.clear(c)
		}
	}
	return nil
}

// pair is what a sign-in or a refresh hands out.
type pair struct {
	subject string
	name    string // what the throttle counts sign-ins of, "" for a kind without passwords
	sid     []byte
	access  string
	refresh string // "" if the client keeps the one it has
	expires time.Duration
	idle    time.Duration // how long the access cookie lives, and as a rule the refresh cookie
	ends    time.Duration // how long the session can live
}

func (p pair) event(what EventType, k *kind) Event {
	return Event{Type: what, Kind: k.name, Subject: p.subject, SessionID: idOf(p.sid)}
}

// handNew hands out the pair of a new session.
func (a *Auth) handNew(c *fiber.Ctx, k *kind, p pair, transport Transport) Tokens {
	if transport == TransportCookie {
		a.endReplaced(c, k)
	}
	tokens := a.hand(c, k, p, transport)
	if transport == TransportCookie && p.name != "" {
		k.markDevice(c, p.name, a.now())
	}
	return tokens
}

// endReplaced ends the sessions whose cookies a sign-in replaces: nobody holds
// them any longer, a list would show the browser twice, and an answer that is
// late could bring a living one back. If the store fails now, they end when they
// were idle for long enough.
func (a *Auth) endReplaced(c *fiber.Ctx, k *kind) {
	for _, replaced := range a.heldInCookies(c, k) {
		if found, err := a.store.revoke(c.UserContext(), replaced.sid, k.name, "", a.now().UnixMilli()); err == nil && found {
			a.tell(c, replaced.event(EventLogout, k))
		}
	}
}

// hand gives the pair to the client.
func (a *Auth) hand(c *fiber.Ctx, k *kind, p pair, transport Transport) Tokens {
	tokens := p.tokens()
	if transport == TransportCookie {
		if k.cookies.secure {
			a.journal.plainHTTP(c)
		}
		k.cookies.set(c, p)
		tokens.AccessToken, tokens.RefreshToken = "", ""
	}
	return tokens
}

func (p pair) tokens() Tokens {
	return Tokens{AccessToken: p.access, TokenType: "Bearer", ExpiresIn: int64(p.expires / time.Second), RefreshToken: p.refresh}
}

// start makes a session for account, under a new id always: nothing that the
// client presented is taken over. The hash of account, if it has one, must
// still be that of the row.
func (a *Auth) start(ctx context.Context, k *kind, account any, o opening) (pair, error) {
	p, row, err := a.newSession(k, account, o)
	if err != nil {
		return pair{}, err
	}
	if err := a.keep(ctx, a.db, k, account, row); err != nil {
		return pair{}, err
	}
	return p, nil
}

// newSession is one that is not stored yet.
func (a *Auth) newSession(k *kind, account any, o opening) (pair, session.Row, error) {
	if fault := o.fault(a.now()); fault != "" {
		return pair{}, session.Row{}, mistake(fault)
	}
	subject, err := k.subject(account)
	if err != nil {
		return pair{}, session.Row{}, err
	}
	token, now := newRefreshToken(), a.now().UnixMilli()
	ends := now + k.sessionTTL.Milliseconds()
	row := session.Row{
		SID: token.sessionID(), Kind: k.name, Subject: subject, Prev: -1, Issued: now,
		IdleUntil: min(now+k.idleTTL.Milliseconds(), ends), Ends: ends, AuthTime: now, Created: now,
		Address: o.address, Agent: o.agent,
	}
	if !o.AuthTime.IsZero() {
		row.AuthTime = max(o.AuthTime.UnixMilli(), 0)
	}
	p, err := a.pair(k, account, row, token, true, o.Grant)
	if k.password != nil {
		p.name = attempted(k, k.text(account, k.identity))
	}
	return p, row, err
}

// keep stores a new session. The error is ErrBadCredentials if the account is
// no longer as it was.
func (a *Auth) keep(ctx context.Context, db bun.IDB, k *kind, account any, row session.Row) error {
	still := k.byKey(db, account)
	switch {
	case k.password == nil:
	case k.hash(account) == "": // an account without a password, stored as '' or NULL
		still = still.Where("COALESCE(?TableAlias.?, '') = ''", bun.Ident(k.password.Name))
	default:
		still = still.Where("?TableAlias.? = ?", bun.Ident(k.password.Name), k.hash(account))
	}
	ok, err := a.store.start(ctx, db, row, still)
	if err == nil && !ok {
		err = ErrBadCredentials
	}
	return err
}

// pair signs an access token for a session, and the refresh token of its
// generation where the client is to have one.
func (a *Auth) pair(k *kind, account any, row session.Row, token refreshToken, both bool, g Grant) (pair, error) {
	now := a.now().UnixMilli()
	p := pair{
		subject: row.Subject,
		sid:     row.SID,
		expires: time.Duration(min(orDefault(g.TTL, k.accessTTL).Milliseconds(), row.Ends-now)) * time.Millisecond,
		idle:    time.Duration(row.IdleUntil-now) * time.Millisecond,
		ends:    time.Duration(row.Ends-now) * time.Millisecond,
	}
	if !g.NotBefore.Before(time.UnixMilli(now).Add(p.expires)) {
		return pair{}, mistakef("Grant.NotBefore: the access token expires before it begins to be good, after %v: give it a longer TTL", p.expires)
	}
	err := shielded(func() (err error) {
		p.access, err = a.tokens.issue(claims{
			subject: row.Subject, kind: k.name, sessionID: session.ID(row.SID), id: newTokenID(),
			issuedAt: now / 1000, expiresAt: (now + p.expires.Milliseconds()) / 1000, authTime: row.AuthTime / 1000,
		}, g, k.claims(account))
		return err
	})
	if err != nil {
		return pair{}, err
	}
	if both {
		p.refresh = token.child(row.Gen).encode(k.name, k.refresh[0])
	}
	return p, nil
}

// renew answers a presented refresh token. With an error, the pair says no more
// than whose token it was.
func (a *Auth) renew(ctx context.Context, k *kind, raw string) (pair, error) {
	return a.redeem(ctx, k, raw, a.store.refresh)
}

// exchange answers as renew does when it is too early to rotate, whenever that
// is. No deadline moves either: who exchanges does not show that the person is
// still there.
func (a *Auth) exchange(ctx context.Context, k *kind, raw string) (pair, error) {
	p, err := a.redeem(ctx, k, raw, a.store.present)
	p.refresh = "" // whatever the store answered
	return p, err
}

// presenting a generation of a session, as [session.Store] has it.
type presenting = func(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error)

func (a *Auth) redeem(ctx context.Context, k *kind, raw string, present presenting) (pair, error) {
	token, ok := parseRefreshToken(raw, k.name, k.refresh)
	if !ok {
		return pair{}, ErrSessionEnded
	}
	now := a.now().UnixMilli()
	row, o, err := present(ctx, k.name, token.sessionID(), int64(token.generation), now, k.times)
	whose := pair{subject: row.Subject, sid: token.sessionID()}
	if err != nil {
		return whose, err
	}
	if ahead := time.Duration(row.Issued-now) * time.Millisecond; ahead > clocksApart {
		a.journal.clocks(ctx, ahead)
	}
	switch {
	case o == session.Reuse, row.Reused():
		return whose, ErrTokenReused
	case o == session.Gone:
		return whose, ErrSessionEnded
	}
	account, err := a.refreshed(ctx, k, row.Subject)
	if err != nil {
		return whose, err
	}
	return a.pair(k, account, row, token, o.Rotates(), Grant{})
}

// refreshed is the account of a session that goes on.
func (a *Auth) refreshed(ctx context.Context, k *kind, subject string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	account, err := k.loadBySubject(ctx, subject)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrSessionEnded
	}
	return account, a.allowed(ctx, k, account, ErrSessionEnded)
}

// newTokenID is a jti: 128 random bits.
func newTokenID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

const maxAgentBytes = 255

// agent is the User-Agent, cut and made printable for a list.
func agent(c *fiber.Ctx) string {
	text := strings.Clone(borrow(c.Request().Header.UserAgent()))
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, text)
	if len(text) > maxAgentBytes {
		text = strings.ToValidUTF8(text[:maxAgentBytes], "")
	}
	return text
}
