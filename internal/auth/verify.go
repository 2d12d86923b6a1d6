package auth

import (
	"context"
	"errors"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Verified is what a token says, with the account that it names.
type Verified struct {
	Kind      string
	Subject   string
	ID        string // of the session
	TokenID   string
	Issuer    string
	IssuedAt  time.Time
	ExpiresAt time.Time
	AuthTime  time.Time
	Account   any

	SID     []byte // of the session, nil if it has none here
	Payload []byte
	Shaped  bool // see [token.Shape]
}

// Verify verifies an access token, loads its account and checks that the session is
// alive. With an error, v is what the token says as far as its signature holds, or zero.
func (a *Service) Verify(ctx context.Context, raw string) (v Verified, err error) {
	claims, err := a.Tokens.Verify(ctx, raw)
	if err == token.ErrUnknownKey { //nolint:errorlint // it is this very value, and errors.Is costs memory that anyone can ask for
		a.logUnknownKey(ctx, "an access token")
	}
	if err != nil && a.Old.InUse() && errors.Is(err, token.ErrMalformed) {
		return a.verifyOld(ctx, raw)
	}
	if err != nil && claims.Kind == "" {
		return Verified{}, err
	}
	if errors.Is(err, token.ErrIssued) && !claims.Foreign {
		a.logClocks(ctx, at(max(claims.IssuedAt, claims.AuthTime)).Sub(a.Now()))
	}
	v = Verified{
		Kind: claims.Kind, Subject: claims.Subject, ID: claims.SessionID, TokenID: claims.ID,
		IssuedAt: at(claims.IssuedAt), ExpiresAt: at(claims.ExpiresAt), AuthTime: at(claims.AuthTime),
		Issuer: claims.Issuer, Payload: claims.Payload, Shaped: claims.Shaped,
	}
	if err != nil && claims.Foreign {
		v.Subject = "" // the subject is the issuer's, and no account was found by it
	}
	if err != nil || a.Sessions == nil {
		return v, err
	}
	if claims.Foreign {
		v.Account, err = a.issuerAccount(ctx, &v)
		return v, err
	}
	if v.SID, _ = session.ParseID(v.ID); v.SID == nil {
		return v, token.ErrWrong
	}
	v.Account, err = a.account(ctx, &v)
	return v, err
}

// Alive says whether v may go on, without asking for its token.
func (a *Service) Alive(ctx context.Context, v Verified) error {
	switch {
	case a.Sessions == nil:
		return ErrNoStore
	case a.Kind(v.Kind) == nil:
		return fault.Setup("Alive: the session is nil or not of this Auth: give it what SessionOf returns")
	case v.SID != nil:
		_, err := a.account(ctx, &v)
		return err
	}
	return a.aliveWithoutSession(ctx, v)
}

// aliveWithoutSession is for a token of another issuer, or of an earlier system.
func (a *Service) aliveWithoutSession(ctx context.Context, v Verified) error {
	now, old := a.Now(), v.Issuer == ""
	switch {
	case !now.Before(v.ExpiresAt.Add(a.Tokens.Leeway)), old && !now.Before(a.Old.Until):
		return token.ErrExpired
	case !old:
		v.Subject = token.Subject(v.Payload) // the name that FromIssuer knows, not the primary key
		_, err := a.issuerAccount(ctx, &v)
		return err
	}
	_, err := a.goingOn(ctx, a.Kind(v.Kind), v.Subject, nil)
	if errors.Is(err, ErrSessionEnded) {
		return ErrRevoked
	}
	return err
}

// account loads the account of a verified session, both of them alive.
func (a *Service) account(ctx context.Context, v *Verified) (any, error) {
	k := a.Kind(v.Kind)
	load := func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
		defer cancel()
		return a.loadAlive(ctx, k, v)
	}
	var account any
	var err error
	if !a.Sessions.Caches() || k.SelectHook != "" { // what a hook selects for one request may not be what it selects for another
		account, err = load(ctx)
	} else {
		account, err = a.Sessions.Account(sessions.Key{SID: v.SID, Kind: v.Kind, Subject: v.Subject}, func() (any, error) {
			return load(context.WithoutCancel(ctx)) // others may wait for this answer too
		})
	}
	if err == nil {
		account, err = a.ofSession(ctx, k, account, v.SID)
	}
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrRevoked
	}
	return account, a.allowed(ctx, k, account, ErrRevoked)
}

// loadAlive returns the account, nil if it or the session is gone. That is one SELECT if
// the sessions are beside the accounts.
func (a *Service) loadAlive(ctx context.Context, k *Kind, v *Verified) (any, error) {
	now := a.Now().UnixMilli()
	if a.Sessions.BesideAccounts() {
		return k.LoadAlive(ctx, v.Subject, v.SID, now)
	}
	if err := a.Ready(ctx); err != nil {
		return nil, err
	}
	row, alive, err := a.Sessions.Living(ctx, k.Name, v.SID, now)
	if err != nil || !alive || row.Subject != v.Subject {
		return nil, err
	}
	return k.LoadBySubject(ctx, v.Subject)
}

// allowed asks the Allow hook. Any refusal of it is refused, whatever the hook says, unless
// it could not decide.
func (a *Service) allowed(ctx context.Context, k *Kind, account any, refused error) error {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	err := fault.Recover(func() error { return k.Allow(ctx, account) })
	if err == nil || undecided(err) {
		return err
	}
	return fault.Because(refused, err)
}

// at is a claim of time, zero if it is absent.
func at(seconds int64) time.Time {
	if seconds < 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
