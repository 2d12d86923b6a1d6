// Code generated from ../links.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// Link is a purpose for which the application sends links by mail, such as to confirm an
// address or to sign in without a password. Each link works once. For a forgotten password use
// [ResetPassword].
//
//	var confirm = fiberjwt.Link[User]{
//		Name:  "confirm-email",
//		TTL:   24 * time.Hour,
//		Binds: func(u *User) string { return u.Email },
//	}
//
//	token, err := confirm.Token(auth, user)          // goes into the link
//	user, err := confirm.Redeem(ctx, auth, token)    // in the handler of the form on the linked page
//
// A link token is bound to the kind, the account and the Name of the Link. It does not verify
// for another kind, account or Name, and never as an access token.
//
// Programs that scan mail follow links, so a GET request must not redeem a token. Let the link
// open a page with a button that sends the token by POST. That page can call Check.
//
// # What "once" means
//
// Of all calls of Redeem with one token, also at the same time and in several processes, at
// most one returns the account. If the response of the database is lost, no call does. The store
// of sessions remembers a redeemed token until the token would have expired. If the store loses
// its data, tokens of the last TTL can be used again.
//
// Redeem does not run in a transaction of the application. If the work after it fails, the token
// is used up and the user needs another link.
//
// A Link is a plain value and safe for concurrent use.
type Link[T any] struct {
	// Name distinguishes the Links of a kind. Keys are derived from it, so a token of one
	// Name is void under another. It has lower-case letters, digits, "_" and "-", at most
	// 32, and begins with a letter.
	Name string
	// TTL is the lifetime of a token, at most 7 days. Default 15 min.
	TTL time.Duration
	// Binds returns what the token is about, such as the address to be confirmed. When this
	// value changes, tokens made before are void. Default: nil, no such value.
	//
	// Tokens are always void when the password or the identity of the account changes,
	// under any kind of its table. So if the owner takes an account back, the attacker has
	// no link left. In a kind with Password "-", they are void when the columns change that
	// [Entity].Identity names.
	Binds func(account *T) string
}

// Token returns a token for account, a stored row. Load the row with all its columns, because
// the token is bound to what they contain. Token makes no query and stores nothing. The error
// is ErrSetup if the Link is not valid or account is nil or has no primary key.
func (p Link[T]) Token(a *Auth, account *T) (string, error) {
	l, err := p.link(a)
	if err == nil && account == nil {
		err = fault.Setupf("Link %s: the account is nil", p.Name)
	}
	if err != nil {
		return "", publicError(err)
	}
	token, err := a.service.LinkToken(l, account)
	return token, publicError(err)
}

// Check returns the account of a token without using the token up. It does not know whether the
// token was redeemed before. Check does not call [Entity].Allow; [Login] does.
//
// The error is ErrOneTimeToken if the token is not valid or has expired, if the account was
// deleted, or if a value that the token is bound to has changed. Otherwise it is ErrUnavailable
// or ErrSetup.
func (p Link[T]) Check(ctx context.Context, a *Auth, token string) (*T, error) {
	l, err := p.link(a)
	if err != nil {
		return nil, publicError(err)
	}
	account, subject, err := a.service.CheckLink(ctx, l, token)
	return accountOfLink[T](ctx, a, l.Kind.Name, account, subject, err)
}

// Redeem returns the account of a token as Check does, and uses the token up: only one call
// gets the account. For every later call the error is ErrOneTimeToken.
func (p Link[T]) Redeem(ctx context.Context, a *Auth, token string) (*T, error) {
	l, err := p.link(a)
	if err != nil {
		return nil, publicError(err)
	}
	account, subject, err := a.service.RedeemLink(ctx, l, token)
	return accountOfLink[T](ctx, a, l.Kind.Name, account, subject, err)
}

// accountOfLink returns the account of a token with its type. If the token is not valid, it
// emits an event.
func accountOfLink[T any](ctx context.Context, a *Auth, kind string, account any, subject string, err error) (*T, error) {
	if errors.Is(err, auth.ErrOneTimeToken) {
		a.deliver(ctx, event.Event{Type: event.LinkRefused, Kind: kind, Subject: subject, Reason: ErrOneTimeToken.Code})
	}
	if err != nil {
		return nil, publicError(err)
	}
	return account.(*T), nil
}

// link returns the Link as package auth uses it, or an error if it is not valid.
func (p Link[T]) link(a *Auth) (auth.Link, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return auth.Link{}, err
	}
	if !token.ValidKind(p.Name) {
		return auth.Link{}, fault.Setupf("Link.Name: %q is not a valid name: use at most 32 lower-case letters, digits, \"_\" and \"-\", with a letter first", p.Name)
	}
	if p.TTL < 0 || p.TTL > auth.MaxLinkTTL {
		return auth.Link{}, fault.Setupf("Link.TTL: %v is not between 0 and 7 days", p.TTL)
	}
	if problem := k.LinkProblem(); problem != "" {
		return auth.Link{}, fault.Setupf("Link %s: %s", p.Name, problem)
	}
	l := auth.Link{Kind: k.Kind, Name: p.Name, TTL: cmp.Or(p.TTL, 15*time.Minute)}
	if p.Binds != nil {
		l.Binds = func(account any) string { return p.Binds(account.(*T)) }
	}
	return l, nil
}

// kindOf returns the kind whose model is T.
func kindOf[T any](a *Auth) (*kind, error) {
	if a.service == nil || a.service.Sessions == nil {
		return nil, auth.ErrNoStore
	}
	name, ok := a.models[reflect.TypeFor[T]()]
	if !ok {
		return nil, fault.Setupf("%s is not a model in Config.Entities", reflect.TypeFor[T]())
	}
	return a.kind(name), nil
}

// ResetToken returns a token for the link in a mail to a user who forgot the password of
// account, a stored row. Load the row with all its columns, because the token is bound to what
// they contain. ttl is at most 24 hours; 0 means 30 minutes. ResetToken makes no query and
// stores nothing. The error is ErrSetup.
//
// Find the account by what the user typed. The response and its time must be the same whether
// the account exists or not, because otherwise an attacker can find out who has an account.
func ResetToken[T any](a *Auth, account *T, ttl time.Duration) (string, error) {
	k, err := kindWithPasswords[T](a)
	if err == nil && (account == nil || ttl < 0 || ttl > 24*time.Hour) {
		err = fault.Setupf("ResetToken: account is nil, or ttl, %v, not between 0 and 24 h", ttl)
	}
	if err != nil {
		return "", publicError(err)
	}
	token, err := a.service.LinkToken(auth.ResetLink(k.Kind, cmp.Or(ttl, 30*time.Minute)), account)
	return token, publicError(err)
}

// ResetPassword redeems a token of [ResetToken]: it stores a new password for the account and
// returns the account. All sessions of the account end, and its tickets and one-time tokens
// with them. Tokens of [TrustedIssuer] and [Config].OldTokens have no session, so they stay
// valid.
//
// The token is bound to the password that it replaces. So the use of one token makes all other
// tokens of the account void, and so does any other change of the password. Of two calls at the
// same time, one succeeds. Nothing is stored about the tokens.
//
// The error is ErrOneTimeToken if the token is not valid, has expired or was used. It is
// ErrFields if the new password is not accepted; the token then stays valid. Otherwise it is
// ErrUnavailable or ErrSetup.
func ResetPassword[T any](ctx context.Context, a *Auth, token, password string) (*T, error) {
	k, err := kindWithPasswords[T](a)
	if err != nil {
		return nil, publicError(err)
	}
	account, subject, err := a.service.ResetPassword(ctx, k.Kind, token, password)
	if err == nil {
		a.deliver(ctx, event.Event{Type: event.Password, Kind: k.Name, Subject: subject})
	}
	return accountOfLink[T](ctx, a, k.Name, account, subject, err)
}

// kindWithPasswords returns the kind whose model is T, if links can reset its passwords.
func kindWithPasswords[T any](a *Auth) (*kind, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return nil, err
	}
	if k.Password == nil {
		return nil, fault.Setupf("kind %s has no passwords to reset", k.Name)
	}
	if problem := k.LinkProblem(); problem != "" {
		return nil, fault.Setupf("ResetToken: %s", problem)
	}
	return k, nil
}

// Ticket returns a ticket for GET and HEAD requests of one path. Tickets are for addresses that
// a browser fetches without the application's headers, as in
// <video src="/films/7.mp4?ticket=…">. The ticket acts for the session that this request is
// signed in with: one of kinds, or the first session if kinds is empty. [Config].Extractor must
// contain [FromTicket], which names the query parameter for the ticket.
//
// path is the whole path as this server gets it, after a proxy has removed a prefix. It is
// spelled as browsers send it ("/films/%C3%B6") and has no query. The request may have other
// query parameters.
//
// Each use of a ticket is verified like an access token: the ticket ends with its session, and
// Allow can refuse the account. It is not accepted as an access token, it is never [Fresh], and
// it has no claims. If a handler restricts a request because of a claim, it must refuse
// requests without this claim, because an attacker could otherwise use a ticket to avoid the
// restriction.
//
// ttl is at most 24 hours; 0 means 5 minutes. A player fetches a film in many requests, so make
// the ticket valid for as long as the film may be watched. A handler that was called with a
// ticket may make further tickets, for instance for the parts of a playlist. They do not live
// longer than the first.
//
// The error is ErrNoToken if the request is not signed in as one of kinds. It is ErrForbidden if
// the request is signed in by a token of [TrustedIssuer] or [Config].OldTokens, because there is
// no session that could end the ticket. Otherwise it is ErrSetup.
func Ticket(c fiber.Ctx, path string, ttl time.Duration, kinds ...string) (string, error) {
	text, err := ticketOf(c, path, ttl, kinds)
	return text, publicError(err)
}

func ticketOf(c fiber.Ctx, path string, ttl time.Duration, kinds []string) (string, error) {
	if requestOf(c) == nil {
		return "", errNoMiddleware
	}
	if !browserPath(path) || ttl < 0 || ttl > token.MaxLife {
		return "", fault.Setupf("Ticket: %q is not a path as browsers write it, without a query, or the ttl, %v, not between 0 and 24 h", path, ttl)
	}
	err := error(ErrNoToken)
	for a, s := range visible(c) {
		switch {
		case len(kinds) > 0 && !slices.Contains(kinds, s.Kind):
		case s.sid == nil:
			err = errNoSession
		default:
			return a.ticket(s, path, ttl)
		}
	}
	return "", err
}

// browserPath reports whether path is a path that a browser sends exactly in this spelling.
func browserPath(path string) bool {
	for i := range len(path) {
		if b := path[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\"#<>?\\`{}", b) >= 0 {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

func (a *Auth) ticket(s *Session, path string, ttl time.Duration) (string, error) {
	if !slices.ContainsFunc(a.extractor.links(), func(e Extractor) bool { return e.source == sourceTicket }) {
		return "", fault.Setup("Ticket: Config.Extractor has no FromTicket, so nothing would read it")
	}
	var until time.Time
	if s.Source == sourceTicket {
		until = s.ExpiresAt
	}
	return a.service.Ticket(s.verified(), path, ttl, until), nil
}

// FromTicket reads a [Ticket] from a query parameter of GET and HEAD requests. The response gets
// "Cache-Control: private, no-store" and "Referrer-Policy: no-referrer". If browsers also have
// cookies, put FromTicket before FromCookie in the [Chain], because the first source that has a
// credential decides.
func FromTicket(name string) Extractor { return Extractor{source: sourceTicket, key: name} }

const maxUnlockTTL = 24 * time.Hour

// UnlockToken returns a token for the link in a mail to the owner of account, a stored row, who
// has to wait because an attacker guessed at the password. Load the row with all its columns.
//
// Browsers and networks that have signed in to the account before are not affected by guesses
// from other networks. All other places share one limit for the account. When an attacker has
// used it up, the owner needs a link to sign in from such a place.
//
// The page behind the link asks for the password as usual and sends the token as the member
// "unlock_token" of POST /{kind}/login. The token is not a credential. It gives this sign-in a
// separate counter of failures. It can be used until it expires, for as many attempts as that
// counter allows.
//
// ttl is at most 24 hours; 0 means 30 minutes. UnlockToken makes no query and stores nothing.
// The error is ErrSetup.
//
// Find the account by what the user typed. The response and its time must be the same whether
// the account exists or not, because otherwise an attacker can find out who has an account.
func UnlockToken[T any](a *Auth, account *T, ttl time.Duration) (string, error) {
	k, err := kindOf[T](a)
	switch {
	case err != nil:
	case k.Password == nil:
		err = fault.Setupf("UnlockToken: kind %s has no passwords", k.Name)
	case account == nil || ttl < 0 || ttl > maxUnlockTTL:
		err = fault.Setupf("UnlockToken: account is nil, or ttl, %v, is not between 0 and 24 h", ttl)
	}
	if err != nil {
		return "", publicError(err)
	}
	token, err := a.service.UnlockToken(k.Kind, account, cmp.Or(ttl, 30*time.Minute))
	return token, publicError(err)
}
