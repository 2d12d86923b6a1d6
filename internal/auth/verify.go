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

// Verified has the claims of a verified token, with its account.
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

	SID     []byte // of the session, nil for a token without a session
	Payload []byte
	Shaped  bool // see [token.Shape]
}

// seenToken is a token that was verified, with the account of its session in the cache.
type seenToken struct {
	claims  token.Claims
	v       Verified // without its account
	kind    *Kind
	account *sessions.Cached
}

// Verify verifies an access token, loads its account and checks that the session is alive.
// Without DB it only verifies the token. It stores the result in v, which is zero. With an
// error, v has the claims if the signature is valid, and is zero otherwise.
func (a *Service) Verify(ctx context.Context, raw string, v *Verified) (err error) {
	if seen, ok := a.seen.Get(raw); ok {
		if account, ok := a.recheck(ctx, seen, raw); ok {
			*v = seen.v
			v.Account, err = a.admitted(ctx, seen.kind, account, v.SID)
			return err
		}
	}
	var claims token.Claims
	if err := a.Tokens.VerifyInto(ctx, raw, &claims); err != nil {
		*v, err = a.refused(ctx, raw, &claims, err)
		return err
	}
	v.set(&claims)
	if a.Sessions == nil {
		return nil
	}
	if claims.Foreign {
		v.Account, err = a.issuerAccount(ctx, v)
		return err
	}
	if v.SID, _ = session.ParseID(v.ID); v.SID == nil {
		return token.ErrWrong
	}
	account, kept, err := a.loadVerified(ctx, v)
	if kept != nil && err == nil && a.Tokens.Recheck(ctx, &claims, a.Now()) == nil {
		a.seen.Offer(raw, seenToken{claims, *v, a.Kind(v.Kind), kept})
	}
	v.Account = account
	return err
}

// refused returns the result of Verify for a token that token.Tokens refuses with err. The
// token may be from the system before fiberjwt.
func (a *Service) refused(ctx context.Context, raw string, claims *token.Claims, err error) (Verified, error) {
	if err == token.ErrUnknownKey { //nolint:errorlint // it is exactly this value, and errors.Is would allocate for every invalid token
		a.logUnknownKey(ctx, "an access token")
	}
	if a.Old.InUse() && errors.Is(err, token.ErrMalformed) {
		return a.verifyOld(ctx, raw)
	}
	if claims.Kind == "" {
		return Verified{}, err
	}
	var v Verified
	v.set(claims)
	if claims.Foreign {
		v.Subject = "" // the subject is that of the issuer, not that of an account
	} else if errors.Is(err, token.ErrIssued) {
		a.logClocks(ctx, unixTime(max(claims.IssuedAt, claims.AuthTime)).Sub(a.Now()))
	}
	return v, err
}

// set stores the claims in v, which is zero.
func (v *Verified) set(c *token.Claims) {
	v.Kind, v.Subject, v.ID, v.TokenID, v.Issuer = c.Kind, c.Subject, c.SessionID, c.ID, c.Issuer
	v.IssuedAt, v.ExpiresAt, v.AuthTime = unixTime(c.IssuedAt), unixTime(c.ExpiresAt), unixTime(c.AuthTime)
	v.Payload, v.Shaped = c.Payload, c.Shaped
}

// recheck returns the account of a token that was verified before. ok is false if that must be
// done anew, which gives the error if the token or the session is no longer valid.
func (a *Service) recheck(ctx context.Context, seen *seenToken, raw string) (account any, ok bool) {
	now := a.Now()
	if a.Tokens.Recheck(ctx, &seen.claims, now) == nil {
		account, ok = seen.account.Account(now)
	}
	if !ok {
		a.seen.Forget(raw)
	}
	return account, ok
}

// Alive returns nil if the session v is still valid. It does not need the token. The errors
// are those of [Service.Verify].
func (a *Service) Alive(ctx context.Context, v Verified) error {
	switch {
	case a.Sessions == nil:
		return ErrNoStore
	case a.Kind(v.Kind) == nil:
		return fault.Setup("Alive: the session is nil or not of this Auth: pass what SessionOf returns")
	case v.SID != nil:
		_, _, err := a.loadVerified(ctx, &v)
		return err
	}
	return a.aliveWithoutSession(ctx, v)
}

// aliveWithoutSession is Alive for a token of another issuer or of an earlier system.
func (a *Service) aliveWithoutSession(ctx context.Context, v Verified) error {
	now, old := a.Now(), v.Issuer == ""
	switch {
	case !now.Before(v.ExpiresAt.Add(a.Tokens.Leeway)), old && !now.Before(a.Old.Until):
		return token.ErrExpired
	case !old:
		v.Subject = token.Subject(v.Payload) // the subject that FromIssuer expects, not the primary key
		_, err := a.issuerAccount(ctx, &v)
		return err
	}
	_, err := a.loadOfSession(ctx, a.Kind(v.Kind), v.Subject, nil)
	if errors.Is(err, ErrSessionEnded) {
		return ErrRevoked
	}
	return err
}

// loadVerified returns the account of a verified token, from the cache if possible; then kept
// is its entry. The error is ErrRevoked if the account does not exist or is not allowed, or
// the session is not alive.
func (a *Service) loadVerified(ctx context.Context, v *Verified) (account any, kept *sessions.Cached, err error) {
	k := a.Kind(v.Kind)
	load := func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
		defer cancel()
		return a.loadAlive(ctx, k, v)
	}
	if !a.Sessions.Caches() || k.SelectHook != "" { // what a hook selects may depend on the request
		account, err = load(ctx)
	} else {
		account, kept, err = a.Sessions.Account(sessions.Key{SID: v.SID, Kind: v.Kind, Subject: v.Subject}, func() (any, error) {
			return load(context.WithoutCancel(ctx)) // other requests may wait for this result too
		})
	}
	if err == nil {
		account, err = a.admitted(ctx, k, account, v.SID)
	}
	return account, kept, err
}

// admitted returns the account of a living session, or ErrRevoked if it is nil, is another
// one than that of the session, or is not allowed.
func (a *Service) admitted(ctx context.Context, k *Kind, account any, sid []byte) (any, error) {
	account, err := a.matchFingerprint(ctx, k, account, sid)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrRevoked
	}
	return account, a.checkAllowed(ctx, k, account, ErrRevoked)
}

// loadAlive returns the account, or nil if it does not exist or the session is not alive. If
// the sessions are in the database of the accounts, this is one SELECT.
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

// checkAllowed calls the Allow hook. It returns refused, with the error of the hook as cause,
// unless that error means that the hook could not decide. Without a hook it does nothing.
func (a *Service) checkAllowed(ctx context.Context, k *Kind, account any, refused error) error {
	if k.Allow == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	err := fault.Recover(func() error { return k.Allow(ctx, account) })
	if err == nil || undecided(err) {
		return err
	}
	return fault.Because(refused, err)
}

// unixTime returns the time of a claim, or zero if the claim is absent.
func unixTime(seconds int64) time.Time {
	if seconds < 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
