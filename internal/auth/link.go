package auth

import (
	"cmp"
	"context"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Prefixes of the tokens in links. Secret scanners can look for them.
const (
	oncePrefix   = "fjo_"
	ticketPrefix = "fjt_"
	unlockPrefix = "fju_"
)

// MaxLinkTTL is the longest lifetime of a one-time token.
const MaxLinkTTL = sessions.MaxClaimLife

// Link is a use of one-time tokens.
type Link struct {
	Kind *Kind
	Name string
	TTL  time.Duration
	// Binds returns a value of the account to which a token is bound, in addition to those of
	// [accounts.Kind.Bound]. If the value changes, the token is invalid. nil: none.
	Binds func(account any) string
}

// resetName is not a valid name for a purpose of the application.
const resetName = "#password"

// ResetLink returns the link for a new password. Its tokens are bound to the password that
// they replace.
func ResetLink(k *Kind, ttl time.Duration) Link {
	return Link{Kind: k, Name: resetName, TTL: ttl}
}

func (l Link) keys(a *Service) seal.Keys {
	return seal.NewKeys(a.Ring, labelOnce+l.Kind.Name+"/"+l.Name+"/"+a.Tokens.Issuer)
}

func (l Link) bound(account any) string {
	if l.Binds == nil {
		return l.Kind.Bound(account)
	}
	return l.Kind.Bound(account) + "\x00" + l.Binds(account)
}

// LinkToken returns a new token for account. It sends no query.
func (a *Service) LinkToken(l Link, account any) (string, error) {
	subject, err := l.Kind.StoredSubject(account)
	if err != nil {
		return "", err
	}
	link := seal.NewLink(a.Now().Add(l.TTL), l.Kind.Name, subject)
	raw := ""
	err = fault.Recover(func() error {
		raw = link.Encode(oncePrefix, l.keys(a), l.bound(account))
		return nil
	})
	return raw, err
}

// CheckLink returns the account of a valid token, and does not use the token up. It sends a
// query only if the token is authentic and has not expired. The error is ErrOneTimeToken for
// an invalid token. subject is set even with an error if the token is authentic.
func (a *Service) CheckLink(ctx context.Context, l Link, raw string) (account any, subject string, err error) {
	account, link, err := a.openLink(ctx, l, raw)
	return account, link.Subject, err
}

func (a *Service) openLink(ctx context.Context, l Link, raw string) (any, seal.Link, error) {
	link, ok := seal.OpenLink(oncePrefix, raw, func(kind string) seal.Keys {
		if kind != l.Kind.Name {
			return nil
		}
		return l.keys(a)
	})
	if !ok || a.Now().Unix() >= link.Expires {
		return nil, link, ErrOneTimeToken
	}
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	account, err := l.Kind.LoadBySubject(ctx, link.Subject)
	if err != nil {
		return nil, link, err
	}
	bound := false
	if account != nil {
		err = fault.Recover(func() error { bound = link.BoundTo(l.bound(account)); return nil })
	}
	if err == nil && !bound {
		err = ErrOneTimeToken
	}
	return account, link, err
}

// RedeemLink is [Service.CheckLink] that uses the token up: of all calls with one token, one
// succeeds, and the others return ErrOneTimeToken.
func (a *Service) RedeemLink(ctx context.Context, l Link, raw string) (account any, subject string, err error) {
	account, link, err := a.openLink(ctx, l, raw)
	if err != nil {
		return nil, link.Subject, err
	}
	first, err := a.Sessions.Claim(ctx, link, a.Now().UnixMilli())
	if err == nil && !first {
		err = ErrOneTimeToken
	}
	return account, link.Subject, err
}

// ResetPassword sets the password of the account of a token, and ends all sessions of the
// account. The error is ErrOneTimeToken for an invalid token, and accounts.Fields for a
// password that is not accepted.
func (a *Service) ResetPassword(ctx context.Context, k *Kind, raw, changed string) (account any, subject string, err error) {
	account, link, err := a.openLink(ctx, ResetLink(k, 0), raw)
	if err != nil {
		return nil, link.Subject, err
	}
	fields := accounts.Fields{}
	a.Judge(changed, k.Text(account, k.Identity), fields)
	if err := fields.Err(); err != nil {
		return nil, link.Subject, err
	}
	return account, link.Subject, a.setPassword(ctx, k, account, link.Subject, changed)
}

// setPassword replaces the password of account, unless it has changed since account was
// loaded; then the error is ErrOneTimeToken.
func (a *Service) setPassword(ctx context.Context, k *Kind, account any, subject, changed string) error {
	hash, err := a.hashInQueue(ctx, resetName+k.Name+subject, changed)
	if err != nil {
		return err
	}
	if err := a.storeHash(ctx, k, ownerOf(k, subject, nil), account, hash, ErrOneTimeToken); err != nil {
		return err
	}
	k.SetText(account, k.Password, hash)
	a.passwordChanged(ctx, Attempted(k, k.Text(account, k.Identity)), "")
	return nil
}

// UnlockToken returns a token for account. A sign-in with it has a separate counter of
// failures.
func (a *Service) UnlockToken(k *Kind, account any, ttl time.Duration) (string, error) {
	subject, err := k.StoredSubject(account)
	if err != nil {
		return "", err
	}
	link := seal.NewLink(a.Now().Add(ttl), k.Name, subject)
	return link.Encode(unlockPrefix, k.unlocks, Attempted(k, k.Text(account, k.Identity))), nil
}

// unlockID returns the identifier of a token of UnlockToken for name, or "" if it is not
// valid: then the attempt is counted like any other.
func (a *Service) unlockID(k *Kind, name, raw string) string {
	if raw == "" {
		return ""
	}
	link, ok := seal.OpenLink(unlockPrefix, raw, func(kind string) seal.Keys {
		if kind != k.Name {
			return nil
		}
		return k.unlocks
	})
	if !ok || a.Now().Unix() >= link.Expires || !link.BoundTo(name) {
		return ""
	}
	return string(link.ID[:])
}

// Ticket returns a token of the session v that is valid for one path. Its lifetime is ttl, by
// default 5 minutes, and ends at until, if that is not zero.
func (a *Service) Ticket(v Verified, path string, ttl time.Duration, until time.Time) string {
	expires := a.Now().Add(cmp.Or(ttl, 5*time.Minute))
	if !until.IsZero() && until.Before(expires) {
		expires = until
	}
	link := seal.Link{Expires: expires.Unix(), ID: [16]byte(v.SID), Kind: v.Kind, Subject: v.Subject}
	return link.Encode(ticketPrefix, a.Kind(v.Kind).tickets, path)
}

// VerifyTicket verifies a ticket for path, and loads the account. Its errors are those of
// [Service.Verify].
func (a *Service) VerifyTicket(ctx context.Context, raw, path string) (Verified, error) {
	link, ok := seal.OpenLink(ticketPrefix, raw, func(kind string) seal.Keys {
		if k := a.Kind(kind); k != nil {
			return k.tickets
		}
		return nil
	})
	if !ok {
		return Verified{}, token.ErrMalformed
	}
	v := Verified{Kind: link.Kind, Subject: link.Subject, ID: session.ID(link.ID[:]), ExpiresAt: time.Unix(link.Expires, 0), SID: link.ID[:]}
	switch {
	case !link.BoundTo(path):
		return v, token.ErrWrong
	case !a.Now().Before(v.ExpiresAt):
		return v, token.ErrExpired
	}
	var err error
	v.Account, _, err = a.loadVerified(ctx, &v)
	return v, err
}
