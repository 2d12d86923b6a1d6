package fiberjwt

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// Purpose is something that a link in a mail is good for, once: to confirm an
// address, to sign in without a password. For a forgotten password there is
// [ResetPassword].
//
//	var confirm = fiberjwt.Purpose[User]{
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
// A Purpose is a plain value, safe for concurrent use.
type Purpose[T any] struct {
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

const (
	oncePrefix    = "fjo_"
	labelOnce     = "fiberjwt/v1/once/" // + kind + "/" + purpose + "/" + Config.Issuer
	maxPurposeTTL = sessions.MaxClaimLife
)

// Token makes a token for account, a stored row that was loaded whole. It costs
// no query, and nothing is stored. The error is ErrSetup if the purpose or the
// account is none.
func (p Purpose[T]) Token(a *Auth, account *T) (string, error) {
	o, err := p.open(a)
	if err == nil && account == nil {
		err = fault.Setupf("Purpose %s: the account is nil", p.Name)
	}
	if err != nil {
		return "", face(err)
	}
	token, err := o.token(a, account)
	return token, face(err)
}

// Check gives the account of a token that could be redeemed, and leaves it so.
// It does not know whether the token was redeemed before. The error is
// ErrOneTimeToken if the token is no good or has expired, if the account is
// gone or what the token is bound to has changed, else ErrUnavailable or
// ErrSetup. [Entity].Allow is not asked: [Login] does that.
func (p Purpose[T]) Check(ctx context.Context, a *Auth, token string) (*T, error) {
	o, err := p.open(a)
	if err != nil {
		return nil, face(err)
	}
	account, _, err := o.check(ctx, a, token)
	if err != nil {
		return nil, face(err)
	}
	return account.(*T), nil
}

// Redeem is Check for the one caller who gets the account; from then on the
// token is ErrOneTimeToken.
func (p Purpose[T]) Redeem(ctx context.Context, a *Auth, token string) (*T, error) {
	o, err := p.open(a)
	if err != nil {
		return nil, face(err)
	}
	account, err := o.redeem(ctx, a, token)
	if err != nil {
		return nil, face(err)
	}
	return account.(*T), nil
}

func (o once) redeem(ctx context.Context, a *Auth, token string) (any, error) {
	account, s, err := o.check(ctx, a, token)
	if err != nil {
		return nil, err
	}
	first, err := a.store.Claim(ctx, s, a.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, o.refused(ctx, a, s, ErrOneTimeToken)
	}
	return account, nil
}

func (p Purpose[T]) open(a *Auth) (once, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return once{}, err
	}
	if !token.ValidKind(p.Name) {
		return once{}, fault.Setupf("Purpose.Name: %q is no name: take lower-case letters, digits, \"_\" and \"-\", at most 32, a letter first", p.Name)
	}
	if p.TTL < 0 || p.TTL > maxPurposeTTL {
		return once{}, fault.Setupf("Purpose.TTL: %v is not between 0 and 7 days", p.TTL)
	}
	if problem := k.LinkProblem(); problem != "" {
		return once{}, fault.Setupf("Purpose %s: %s", p.Name, problem)
	}
	o := once{kind: k, name: p.Name, ttl: cmp.Or(p.TTL, 15*time.Minute), binds: k.Bound}
	if p.Binds != nil {
		o.binds = func(account any) string { return k.Bound(account) + "\x00" + p.Binds(account.(*T)) }
	}
	return o, nil
}

// kindOf is the kind whose model is T.
func kindOf[T any](a *Auth) (*kind, error) {
	if a.store == nil {
		return nil, errNoStore
	}
	name, ok := a.models[reflect.TypeFor[T]()]
	if !ok {
		return nil, fault.Setupf("%s is no model in Config.Entities", reflect.TypeFor[T]())
	}
	return a.kind(name), nil
}

// once is a Purpose without its type parameter.
type once struct {
	kind  *kind
	name  string
	ttl   time.Duration
	binds func(account any) string
}

func (o once) keys(a *Auth) seal.Keys {
	return seal.NewKeys(a.ring, labelOnce+o.kind.Name+"/"+o.name+"/"+a.tokens.Issuer)
}

func (o once) token(a *Auth, account any) (string, error) {
	subject, err := o.kind.StoredSubject(account)
	if err != nil {
		return "", err
	}
	link := seal.NewLink(a.now().Add(o.ttl), o.kind.Name, subject)
	token := ""
	err = fault.Recover(func() error {
		token = link.Encode(oncePrefix, o.keys(a), o.binds(account))
		return nil
	})
	return token, err
}

// check gives the account of a token that is good, and tells of one that is not.
func (o once) check(ctx context.Context, a *Auth, token string) (any, seal.Link, error) {
	account, s, err := o.examine(ctx, a, token)
	return account, s, o.refused(ctx, a, s, err)
}

// refused tells that a token is no good, of whom if its tag held.
func (o once) refused(ctx context.Context, a *Auth, s seal.Link, err error) error {
	if errors.Is(err, ErrOneTimeToken) {
		a.deliverIn(ctx, Event{Type: EventLinkRefused, Kind: o.kind.Name, Subject: s.Subject, Reason: ErrOneTimeToken.Code})
	}
	return err
}

// examine costs a query for tokens only that were made here and are in time.
func (o once) examine(ctx context.Context, a *Auth, token string) (any, seal.Link, error) {
	s, ok := seal.OpenLink(oncePrefix, token, func(kind string) seal.Keys {
		if kind != o.kind.Name {
			return nil
		}
		return o.keys(a)
	})
	if !ok || a.now().Unix() >= s.Expires {
		return nil, s, ErrOneTimeToken
	}
	ctx, cancel := context.WithTimeout(ctx, a.readTimeout)
	defer cancel()
	account, err := o.kind.LoadBySubject(ctx, s.Subject)
	if err != nil {
		return nil, s, err
	}
	bound := false
	if account != nil {
		err = fault.Recover(func() error { bound = s.BoundTo(o.binds(account)); return nil })
	}
	if err == nil && !bound {
		err = ErrOneTimeToken
	}
	return account, s, err
}

// resetName cannot be the Name of a Purpose.
const resetName = "#password"

// ResetToken makes a token for the link in a mail to somebody who forgot the
// password of account, a stored row that was loaded whole. ttl is at most 24
// hours; 0 is 30 minutes. Look the account up by what the person typed, and
// answer and take the same time whether there is one.
func ResetToken[T any](a *Auth, account *T, ttl time.Duration) (string, error) {
	o, err := reset[T](a)
	if err == nil && (account == nil || ttl < 0 || ttl > 24*time.Hour) {
		err = fault.Setupf("ResetToken: account is nil, or ttl, %v, not between 0 and 24 h", ttl)
	}
	if err != nil {
		return "", face(err)
	}
	o.ttl = cmp.Or(ttl, 30*time.Minute)
	token, err := o.token(a, account)
	return token, face(err)
}

// ResetPassword gives the account of a token of [ResetToken] a new password,
// and ends all its sessions, its tickets and one-time tokens with them; tokens of
// [Issuer] and [OldTokens], which have no session, stay good. The token is bound to the password that it
// replaces, so the use of one makes every other void, as does a change of the
// password in between; of two at once one wins. Nothing is stored about tokens.
//
// The error is ErrOneTimeToken if the token is no good, has expired or was used;
// ErrFields if the new password is not taken, and then the token is as good as
// before; else ErrUnavailable or ErrSetup.
func ResetPassword[T any](ctx context.Context, a *Auth, token, password string) (*T, error) {
	o, err := reset[T](a)
	if err != nil {
		return nil, face(err)
	}
	account, err := a.resetPassword(ctx, o, token, password)
	if err != nil {
		return nil, face(err)
	}
	return account.(*T), nil
}

func (a *Auth) resetPassword(ctx context.Context, o once, token, password string) (any, error) {
	account, s, err := o.check(ctx, a, token)
	if err != nil {
		return nil, err
	}
	wrong, identity := map[string]string{}, o.kind.Text(account, o.kind.Identity)
	a.judge(password, identity, wrong)
	if err := wrongFields(wrong); err != nil {
		return nil, err
	}
	if err := a.setPassword(ctx, o.kind, account, s.Subject, password); err != nil {
		return nil, o.refused(ctx, a, s, err)
	}
	a.deliverIn(ctx, Event{Type: EventPassword, Kind: s.Kind, Subject: s.Subject})
	return account, nil
}

func reset[T any](a *Auth) (once, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return once{}, err
	}
	if k.Password == nil {
		return once{}, fault.Setupf("kind %s has no passwords to reset", k.Name)
	}
	if problem := k.LinkProblem(); problem != "" {
		return once{}, fault.Setupf("ResetToken: %s", problem)
	}
	return once{kind: k, name: resetName, binds: k.Bound}, nil
}

// setPassword replaces the password that account was loaded with.
func (a *Auth) setPassword(ctx context.Context, k *kind, account any, subject, password string) error {
	hash, err := a.hashIn(ctx, resetName+k.Name+subject, password)
	if err != nil {
		return err
	}
	nobody := &Session{Kind: k.Name, Subject: subject} // so no session is kept
	if err := a.storeHash(ctx, k, nobody, account, hash, ErrOneTimeToken); err != nil {
		return err
	}
	k.SetText(account, k.Password, hash)
	a.passwordChanged(ctx, attempted(k, k.Text(account, k.Identity)), "")
	return nil
}
