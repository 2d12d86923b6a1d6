package fiberjwt

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
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
// Tokens go out by Config.Transport's first, or as a [Grant] says; with
// TransportCookie the cookies are set on c and the Tokens have none. The error is
// ErrBadCredentials if Entity.Allow refuses, or if the account was deleted softly
// or has another password by now, or in a kind with Password "-" if its row has
// another text or number in the columns of Entity.Identity than account, as far as
// account has them set; ErrSetup if it is not in its table; else
// ErrUnavailable or ErrSetup. Return it from the handler: its headers are set, and
// Fiber's error handler finds the status.
//
// While the transaction that stores the account is open, hand it over by [Grant].DB.
//
// An attacker who can make a browser visit the route signs it in as the attacker's
// account: let the flow carry a state that is bound to the browser (RFC 9700 §4.7).
func Login[T any](c *fiber.Ctx, account *T, grant ...Grant) (Tokens, error) {
	tokens, err := login(c, account, only(grant))
	if err != nil {
		refusal(err).announce(c, logsOf(c))
		if r := requestOf(c); r != nil {
			r.auth.tellFailed(c, err)
		}
		err = face(logged(err))
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
		grant.Transport = cmp.Or(grant.Transport, r.auth.transport[0])
		if !slices.Contains(r.auth.transport, grant.Transport) {
			return Tokens{}, fault.Setupf("Login: Config.Transport does not offer %q", grant.Transport)
		}
		k := r.auth.kind(name)
		grant.AuthTime = cmp.Or(grant.AuthTime, r.proved(k, account))
		return r.auth.login(c, k, account, grant)
	}
	return Tokens{}, fault.Setupf("Login: %T is nil or no model in Config.Entities", account)
}

func (a *Auth) login(c *fiber.Ctx, k *kind, account any, grant Grant) (Tokens, error) {
	if problem := grant.problem(a.now()); problem != "" {
		return Tokens{}, fault.Setup(problem)
	}
	p, err := a.service.Start(c.UserContext(), k.Kind, account, grant.opening(address(c), agent(c)))
	if err != nil {
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.Name, Subject: p.Subject}, err)
		return Tokens{}, err
	}
	a.tell(c, eventOf(p, EventLogin, k))
	return a.handNew(c, k, p, grant), nil
}

// Logout ends the sessions that the request is signed in with, of all kinds or
// of those named, and clears their cookies. A request that is not signed in is
// no error, nor is one that is signed in by a token of [Issuer] or [OldTokens],
// which stays good. The error is ErrUnavailable or ErrSetup; return it from the
// handler, as that of [Login].
func Logout(c *fiber.Ctx, kinds ...string) error {
	if requestOf(c) == nil {
		return face(errNoMiddleware)
	}
	for a, s := range visible(c) {
		if len(kinds) > 0 && !slices.Contains(kinds, s.Kind) {
			continue
		}
		if err := a.service.Revoke(c.UserContext(), s.ID); err != nil {
			refusal(err).announce(c, a.logs)
			a.tellFailed(c, err)
			return face(logged(err))
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

// eventOf is about the session of a pair.
func eventOf(p auth.Pair, what EventType, k *kind) Event {
	return Event{Type: what, Kind: k.Name, Subject: p.Subject, SessionID: idOf(p.SID)}
}

// handNew hands out the pair of a new session.
func (a *Auth) handNew(c *fiber.Ctx, k *kind, p auth.Pair, grant Grant) Tokens {
	if grant.Transport == TransportCookie {
		a.endReplaced(c, k, grant.DB)
	}
	tokens := a.hand(c, k, p, grant.Transport)
	if grant.Transport == TransportCookie && p.Name != "" {
		k.markDevice(c, p.Name, a.now())
	}
	return tokens
}

// endReplaced ends the sessions whose cookies a sign-in replaces: no client holds
// them any longer, a list would show the browser twice, and an answer that is
// late could bring a living one back. If the store fails now, they end when they
// were idle for long enough.
func (a *Auth) endReplaced(c *fiber.Ctx, k *kind, db bun.IDB) {
	for _, replaced := range a.heldInCookies(c, k) {
		if found, err := a.service.Sessions.RevokeIn(c.UserContext(), db, replaced.SID, k.Name, a.now().UnixMilli()); err == nil && found {
			a.tell(c, eventOf(replaced, EventLogout, k))
		}
	}
}

// hand gives the pair to the client.
func (a *Auth) hand(c *fiber.Ctx, k *kind, p auth.Pair, transport Transport) Tokens {
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
