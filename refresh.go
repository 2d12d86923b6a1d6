package fiberjwt

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
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
// Whoever can make a browser visit the route signs it in as an account of his
// own: let the flow carry a state that is bound to the browser (RFC 9700 §4.7).
func Login[T any](c *fiber.Ctx, account *T, grant ...Grant) (Tokens, error) {
	tokens, err := login(c, account, only(grant))
	if err = explainWait(err, only(grant)); err != nil {
		refusal(err).announce(c, logsOf(c))
		if r := requestOf(c); r != nil {
			r.auth.tellFailed(c, err)
		}
		err = face(logged(err))
	}
	return tokens, err
}

// explainWait tells an application that calls Login or Issue inside a transaction
// that is still open why they wait.
func explainWait(err error, grant Grant) error {
	if grant.DB != nil && errors.Is(err, sql.ErrTxDone) {
		return fault.Setup("Grant.DB: the transaction is over, it was committed or rolled back before: call Login or Issue while it is open, or without Grant.DB")
	}
	if fault.IsUnavailable(err) && grant.DB == nil && (errors.Is(err, context.DeadlineExceeded) || dberr.IsTransient(err)) {
		return fault.Unavailable(&waited{rootCause(err)})
	}
	return err
}

// waited is the cause of a Login or Issue that failed, perhaps since a lock kept it
// waiting.
type waited struct{ error }

func (e *waited) Error() string { return e.error.Error() + ": " + waitedHint }

func (e *waited) Unwrap() error { return e.error }

const waitedHint = "if Login or Issue is called inside a transaction that is still open, hand it over by Grant.DB: it locks what they wait for"

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
	p, err := a.startAllowed(c.UserContext(), k, account, openedBy(c, grant))
	if err != nil {
		a.tellRefused(c, Event{Type: EventLoginRefused, Kind: k.Name, Subject: p.subject}, err)
		return Tokens{}, err
	}
	a.tell(c, p.event(EventLogin, k))
	return a.handNew(c, k, p, grant), nil
}

func (a *Auth) startAllowed(ctx context.Context, k *kind, account any, o opening) (pair, error) {
	if _, err := k.StoredSubject(account); err != nil {
		return pair{}, err
	}
	if _, whole := o.DB.(*bun.DB); o.DB != nil && !whole && !a.store.BesideAccounts() {
		return pair{}, fault.Setup("Grant.DB: the sessions are not in the database of the accounts, so they cannot be part of its transaction: sign in after it has committed, without Grant.DB")
	}
	if err := a.quoting.CheckIn(ctx, o.DB); err != nil {
		return pair{}, err
	}
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
		return face(errNoMiddleware)
	}
	for a, s := range visible(c) {
		if len(kinds) > 0 && !slices.Contains(kinds, s.Kind) {
			continue
		}
		if err := a.revoke(c.UserContext(), s.ID); err != nil {
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
	return Event{Type: what, Kind: k.Name, Subject: p.subject, SessionID: idOf(p.sid)}
}

// handNew hands out the pair of a new session.
func (a *Auth) handNew(c *fiber.Ctx, k *kind, p pair, grant Grant) Tokens {
	if grant.Transport == TransportCookie {
		a.endReplaced(c, k, grant.DB)
	}
	tokens := a.hand(c, k, p, grant.Transport)
	if grant.Transport == TransportCookie && p.name != "" {
		k.markDevice(c, p.name, a.now())
	}
	return tokens
}

// endReplaced ends the sessions whose cookies a sign-in replaces: nobody holds
// them any longer, a list would show the browser twice, and an answer that is
// late could bring a living one back. If the store fails now, they end when they
// were idle for long enough.
func (a *Auth) endReplaced(c *fiber.Ctx, k *kind, db bun.IDB) {
	for _, replaced := range a.heldInCookies(c, k) {
		if found, err := a.store.RevokeIn(c.UserContext(), db, replaced.sid, k.Name, a.now().UnixMilli()); err == nil && found {
			a.tell(c, replaced.event(EventLogout, k))
		}
	}
}

// hand gives the pair to the client.
func (a *Auth) hand(c *fiber.Ctx, k *kind, p pair, transport Transport) Tokens {
	tokens := p.tokens()
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

func (p pair) tokens() Tokens {
	return Tokens{AccessToken: p.access, TokenType: "Bearer", ExpiresIn: int64(p.expires / time.Second), RefreshToken: p.refresh}
}

// start makes a session for account, under a new id always: nothing that the
// client presented is taken over. The hash of account, if it has one, must
// still be that of the row.
func (a *Auth) start(ctx context.Context, k *kind, account any, o opening) (pair, error) {
	db := o.DB
	if db == nil {
		db = a.db
	}
	print, err := a.fingerprint(ctx, db, k, account)
	if err != nil {
		return pair{}, err
	}
	p, row, err := a.newSession(k, account, o, print)
	if err != nil {
		return pair{}, err
	}
	kept, err := a.keep(ctx, db, k, account, row)
	if err == nil && !kept {
		err = a.whyNot(ctx, db, k, account)
	}
	if err != nil {
		return pair{}, err
	}
	if print != nil { // it may be the first session of a new account with an old key
		a.store.ForgetAccount(k.Kinds(), row.Subject)
	}
	return p, nil
}

// whyNot says why no session could be stored for account: the row is gone or
// has another hash by now, which is ErrBadCredentials, or the application is
// wrong about it.
func (a *Auth) whyNot(ctx context.Context, db bun.IDB, k *kind, account any) error {
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	row, err := k.Stored(ctx, db, account)
	switch {
	case err != nil:
		return err
	case row == nil:
		return &noRow{k}
	case k.Password == nil, k.Deleted(row), k.Hash(row) != k.Hash(account):
		if k.Password != nil && k.Raw(account, k.Password) == "" { // or it has got its first password just now
			a.logs.hint(ctx, "Login or Issue was called with an account that has no hash, though its row has one",
				"load the account whole, without Column or with the column of the hash", slog.String("kind", k.Name))
		}
		return ErrBadCredentials
	}
	return fault.Setupf("kind %s: no statement finds the row of an account by its key and the hash that it was loaded with: a hook of the model changes what is written or read", k.Name)
}

// noRow is for an account that is not in its table.
type noRow struct{ kind *kind }

func (e *noRow) Error() string {
	return fmt.Sprintf("fiberjwt: kind %s: table %s has no row with the key of the account: if the transaction that stores it is still open, hand it over by Grant.DB, or sign in after it has committed; if Load reads another table, declare the kind by a model of that",
		e.kind.Name, e.kind.Table.Name)
}

func (*noRow) Unwrap() error { return fault.ErrSetup }

// newSession is one that is not stored yet.
func (a *Auth) newSession(k *kind, account any, o opening, fingerprint []byte) (pair, session.Row, error) {
	if problem := o.problem(a.now()); problem != "" {
		return pair{}, session.Row{}, fault.Setup(problem)
	}
	subject, err := k.Subject(account)
	if err != nil {
		return pair{}, session.Row{}, err
	}
	first, now := seal.NewRefresh(fingerprint), a.now().UnixMilli()
	ends := now + k.sessionTTL.Milliseconds()
	row := session.Row{
		SID: first.SessionID(), Kind: k.Name, Subject: subject, Prev: -1, Issued: now,
		IdleUntil: min(now+k.idleTTL.Milliseconds(), ends), Ends: ends, AuthTime: now, Created: now,
		Address: o.address, Agent: o.agent,
	}
	if !o.AuthTime.IsZero() {
		row.AuthTime = min(max(o.AuthTime.UnixMilli(), 0), now)
	}
	p, err := a.pair(k, account, row, first, true, o.Grant)
	if k.Password != nil {
		p.name = attempted(k, k.Text(account, k.Identity))
	}
	return p, row, err
}

// keep stores a new session, unless the account is no longer as it was.
func (a *Auth) keep(ctx context.Context, db bun.IDB, k *kind, account any, row session.Row) (kept bool, err error) {
	still := k.ByKey(db, account)
	switch {
	case k.Password == nil:
	case k.Raw(account, k.Password) == "": // an account without a password, stored as '' or NULL
		still = still.Where("COALESCE(?TableAlias.?, '') = ''", bun.Ident(k.Password.Name))
	default:
		still = still.Where("?TableAlias.? = ?", bun.Ident(k.Password.Name), k.Raw(account, k.Password))
	}
	return a.store.Start(ctx, db, row, still)
}

// pair signs an access token for a session, and the refresh token of its
// generation where the client is to have one.
func (a *Auth) pair(k *kind, account any, row session.Row, current seal.Refresh, both bool, g Grant) (pair, error) {
	now := a.now().UnixMilli()
	p := pair{
		subject: row.Subject,
		sid:     row.SID,
		expires: time.Duration(min(cmp.Or(g.TTL, k.accessTTL).Milliseconds(), row.Ends-now)) * time.Millisecond,
		idle:    time.Duration(row.IdleUntil-now) * time.Millisecond,
		ends:    time.Duration(row.Ends-now) * time.Millisecond,
	}
	if !g.NotBefore.Before(time.UnixMilli(now).Add(p.expires)) {
		return pair{}, fault.Setupf("Grant.NotBefore: the access token expires before it begins to be good, after %v: give it a longer TTL", p.expires)
	}
	err := fault.Recover(func() (err error) {
		p.access, err = a.tokens.Issue(token.Claims{
			Subject: row.Subject, Kind: k.Name, SessionID: session.ID(row.SID), ID: token.NewID(),
			IssuedAt: now / 1000, ExpiresAt: (now + p.expires.Milliseconds()) / 1000, AuthTime: row.AuthTime / 1000,
		}, g.shape(), k.claims(account))
		return err
	})
	if err != nil {
		return pair{}, err
	}
	if both {
		p.refresh = k.refresh.Encode(current.At(row.Gen))
	}
	return p, nil
}

// renew answers a presented refresh token. With an error, the pair says no more
// than whose token it was.
func (a *Auth) renew(ctx context.Context, k *kind, raw string) (pair, error) {
	return a.redeem(ctx, k, raw, a.store.Refresh)
}

// exchange answers as renew does when it is too early to rotate, whenever that
// is. No deadline moves either: who exchanges does not show that the person is
// still there.
func (a *Auth) exchange(ctx context.Context, k *kind, raw string) (pair, error) {
	p, err := a.redeem(ctx, k, raw, a.store.Present)
	p.refresh = "" // whatever the store answered
	return p, err
}

// presenting a generation of a session, as [session.Store] has it.
type presenting = func(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error)

func (a *Auth) redeem(ctx context.Context, k *kind, raw string, present presenting) (pair, error) {
	presented, ok := k.refresh.Parse(raw)
	if !ok {
		if k.refresh.NamesUnknownSecret(raw) {
			a.logs.foreignKey(ctx, "a refresh token")
		}
		return pair{}, ErrSessionEnded
	}
	now := a.now().UnixMilli()
	row, o, err := present(ctx, k.Name, presented.SessionID(), int64(presented.Generation), now, k.times)
	whose := pair{subject: row.Subject, sid: presented.SessionID()}
	if err != nil {
		return whose, err
	}
	a.compareClocks(ctx, row, o, now)
	switch {
	case o == session.Reuse, row.Reused():
		return whose, ErrTokenReused
	case o == session.Gone, row.Ends <= now: // the latter by the clock of this process
		return whose, ErrSessionEnded
	}
	account, err := a.refreshed(ctx, k, row.Subject, whose.sid)
	if err != nil {
		return whose, err
	}
	return a.pair(k, account, row, presented, o.Rotates(), Grant{})
}

// compareClocks warns if the clock of this process is far from the one by which a
// refresh was judged. A refresh that wrote tells what that one says, any other no
// more than that the process is behind it.
func (a *Auth) compareClocks(ctx context.Context, row session.Row, o session.Outcome, now int64) {
	behind := time.Duration(row.Issued-now) * time.Millisecond
	if behind > clocksApart || o.Writes() && o != session.Reuse && -behind > clocksApart {
		a.logs.clocks(ctx, behind)
	}
}

// refreshed is the account of a session that goes on.
func (a *Auth) refreshed(ctx context.Context, k *kind, subject string, sid []byte) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	account, err := k.LoadBySubject(ctx, subject)
	if err == nil {
		account, err = a.ofSession(ctx, k, account, sid)
	}
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrSessionEnded
	}
	return account, a.allowed(ctx, k, account, ErrSessionEnded)
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
