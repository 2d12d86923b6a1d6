package fiberjwt

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// Link is something that a link in a mail is good for, once: to confirm an
// address, to sign in without a password. For a forgotten password there is
// [ResetPassword].
//
//	var confirm = fiberjwt.Link[User]{
//		Name:  "confirm-email",
//		TTL:   24 * time.Hour,
//		Binds: func(u *User) string { return u.Email },
//	}
//
//	token, err := confirm.Token(auth, user)          // goes into the link
//	user, err := confirm.Redeem(ctx, auth, token)    // where the form of the linked page is sent to
//
// A token is bound to the kind, the account and the purpose: it does not verify as
// a token of another kind, account or purpose, and never passes as an access token.
//
// Once means that of all calls of Redeem with a token, at the same time and in
// all processes, at most one gets the account: none where the answer of the
// database was lost. The store of sessions remembers that,
// until the token would have expired anyway: if it loses its data, tokens of
// the last TTL work again. What is done after Redeem is not undone with it:
// when that fails, the person needs another link.
//
// Programs that look after mail follow its links, so redeem with POST: let the
// link open a page that shows a button, and look at the token with Check there.
//
// A Link is a plain value, safe for concurrent use.
type Link[T any] struct {
	// Name tells purposes of a kind apart. It is part of the key: tokens of one
	// name are void under another. Lower-case letters, digits, "_" and "-", at
	// most 32, a letter first.
	Name string
	// TTL is the life of a token, at most 7 days. Default 15 min.
	TTL time.Duration
	// Binds gives what the token is about, such as the address to be confirmed.
	// Once it changes, tokens made before are void, and in any case once the
	// password or the identity of the account changes, under any kind of its table:
	// an owner who takes the account back leaves no link behind. In a kind with Password
	// "-" they are void once the columns change that [Entity].Identity names.
	Binds func(account *T) string
}

// Token makes a token for account, a stored row that was loaded whole. It costs
// no query, and nothing is stored. The error is ErrSetup if the purpose or the
// account is none.
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

// Check gives the account of a token that could be redeemed, and leaves it so.
// It does not know whether the token was redeemed before. The error is
// ErrOneTimeToken if the token is no good or has expired, if the account is
// gone or what the token is bound to has changed, else ErrUnavailable or
// ErrSetup. [Entity].Allow is not asked: [Login] does that.
func (p Link[T]) Check(ctx context.Context, a *Auth, token string) (*T, error) {
	l, err := p.link(a)
	if err != nil {
		return nil, publicError(err)
	}
	account, subject, err := a.service.CheckLink(ctx, l, token)
	return linked[T](ctx, a, l.Kind.Name, account, subject, err)
}

// Redeem is Check for the one caller who gets the account; from then on the
// token is ErrOneTimeToken.
func (p Link[T]) Redeem(ctx context.Context, a *Auth, token string) (*T, error) {
	l, err := p.link(a)
	if err != nil {
		return nil, publicError(err)
	}
	account, subject, err := a.service.RedeemLink(ctx, l, token)
	return linked[T](ctx, a, l.Kind.Name, account, subject, err)
}

// openLink is the account of a link, or tells that a token is not valid.
func linked[T any](ctx context.Context, a *Auth, kind string, account any, subject string, err error) (*T, error) {
	if errors.Is(err, auth.ErrOneTimeToken) {
		a.deliver(ctx, event.Event{Type: event.LinkRefused, Kind: kind, Subject: subject, Reason: ErrOneTimeToken.Code})
	}
	if err != nil {
		return nil, publicError(err)
	}
	return account.(*T), nil
}

func (p Link[T]) link(a *Auth) (auth.Link, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return auth.Link{}, err
	}
	if !token.ValidKind(p.Name) {
		return auth.Link{}, fault.Setupf("Link.Name: %q is no name: take lower-case letters, digits, \"_\" and \"-\", at most 32, a letter first", p.Name)
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

// kindOf is the kind whose model is T.
func kindOf[T any](a *Auth) (*kind, error) {
	if a.service == nil || a.service.Sessions == nil {
		return nil, auth.ErrNoStore
	}
	name, ok := a.models[reflect.TypeFor[T]()]
	if !ok {
		return nil, fault.Setupf("%s is no model in Config.Entities", reflect.TypeFor[T]())
	}
	return a.kind(name), nil
}

// ResetToken makes a token for the link in a mail to a user who forgot the
// password of account, a stored row that was loaded whole. ttl is at most 24
// hours; 0 is 30 minutes. Look the account up by what the person typed, and
// answer and take the same time whether there is one.
func ResetToken[T any](a *Auth, account *T, ttl time.Duration) (string, error) {
	k, err := resetting[T](a)
	if err == nil && (account == nil || ttl < 0 || ttl > 24*time.Hour) {
		err = fault.Setupf("ResetToken: account is nil, or ttl, %v, not between 0 and 24 h", ttl)
	}
	if err != nil {
		return "", publicError(err)
	}
	token, err := a.service.LinkToken(auth.ResetLink(k.Kind, cmp.Or(ttl, 30*time.Minute)), account)
	return token, publicError(err)
}

// ResetPassword gives the account of a token of [ResetToken] a new password,
// and ends all its sessions, its tickets and one-time tokens with them; tokens of
// [TrustedIssuer] and [Config].OldTokens, which have no session, stay good. The token is bound to the password that it
// replaces, so the use of one makes every other void, as does a change of the
// password in between; of two at once one wins. Nothing is stored about tokens.
//
// The error is ErrOneTimeToken if the token is no good, has expired or was used;
// ErrFields if the new password is not taken, and then the token is as good as
// before; else ErrUnavailable or ErrSetup.
func ResetPassword[T any](ctx context.Context, a *Auth, token, password string) (*T, error) {
	k, err := resetting[T](a)
	if err != nil {
		return nil, publicError(err)
	}
	account, subject, err := a.service.ResetPassword(ctx, k.Kind, token, password)
	if err == nil {
		a.deliver(ctx, event.Event{Type: event.Password, Kind: k.Name, Subject: subject})
	}
	return linked[T](ctx, a, k.Name, account, subject, err)
}

// resetting is the kind whose model is T, if it has passwords to reset.
func resetting[T any](a *Auth) (*kind, error) {
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

// Tickets are for addresses that a browser fetches by itself and that take no
// header, as in <video src="/films/7.mp4?ticket=…">.

// Ticket gives a ticket for GET and HEAD requests of one path, in the name of
// the session that this request is signed in with, of one of kinds or without
// them the first. Config.Extractor must have [FromTicket]; the ticket goes into
// the query parameter that it names. path is the whole one as this server gets
// it, behind whatever a proxy takes away, in the spelling of browsers
// ("/films/%C3%B6"); it has no query, of which other parameters are free.
//
// Every use is checked like an access token: it ends with the session, and what
// Allow refuses is refused. It is no access token anywhere else, never [Fresh],
// and has no claims: where a handler lets less happen because of a claim, it must
// ask for the claim and refuse who has none. ttl is at most 24 hours, 0 is 5 minutes; a player fetches a film in
// many requests, so give it time to be watched. A handler that is reached by a
// ticket may make further ones, for the parts of a playlist; they do not live
// longer than the first.
//
// The error is ErrNoToken if the request is not signed in so, ErrForbidden if it
// is by a token of [TrustedIssuer] or [Config].OldTokens, which has no session that a ticket
// could end with, or ErrSetup.
func Ticket(c *fiber.Ctx, path string, ttl time.Duration, kinds ...string) (string, error) {
	text, err := ticketOf(c, path, ttl, kinds)
	return text, publicError(err)
}

func ticketOf(c *fiber.Ctx, path string, ttl time.Duration, kinds []string) (string, error) {
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

// browserPath: a browser sends these bytes as they are, and nothing else in a path.
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

// FromTicket reads a [Ticket] from a query parameter, of GET and HEAD requests
// only. The answer is marked private, not to be stored, without referrer. Where
// browsers have cookies too, put it in front of FromCookie in the [Chain]: the
// first source that has a credential decides.
func FromTicket(name string) Extractor { return Extractor{source: sourceTicket, key: name} }

const maxUnlockTTL = 24 * time.Hour

// UnlockToken makes a token for the link in a mail to the owner of account, a
// stored row that was loaded whole, who has to wait because others have guessed
// at the password. Browsers and networks that have signed in to the account
// before are not affected by guesses from other networks; all other places share
// what is allowed for the account, and when that is used up they need a link.
//
// The page that the link opens asks for the password as always and sends the
// token along, as the member "unlock_token" of POST /{kind}/login. The token is
// not a credential: it gives this sign-in a counter of failures of its own. It may
// be used until it expires, for as many tries as that counter allows.
//
// ttl is at most 24 hours; 0 means 30 minutes. Nothing is stored, and no query is
// made. Look the account up by what the person typed, and answer the same, after
// the same time, whether there is one. The error is ErrSetup.
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
