package auth

import (
	"context"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Refresh presents a refresh token, and returns new tokens. The error is ErrSessionEnded or
// ErrReused if the token is refused. With an error, the pair has only Subject and SID, if
// they are known.
func (a *Service) Refresh(ctx context.Context, k *Kind, raw string) (Pair, error) {
	return a.redeemRefresh(ctx, k, raw, a.Sessions.Refresh)
}

// Exchange returns an access token for a refresh token, and never a refresh token. It does not
// move the idle deadline, because an exchange does not show that the user is active. The errors
// are those of [Service.Refresh], and sessions.ErrReplaced for a token whose successor is older
// than the grace period.
func (a *Service) Exchange(ctx context.Context, k *Kind, raw string) (Pair, error) {
	p, err := a.redeemRefresh(ctx, k, raw, a.Sessions.Present)
	p.Refresh = "" // regardless of the outcome
	return p, err
}

// presentFunc presents a generation of a session, like Refresh of [session.Store].
type presentFunc = func(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error)

func (a *Service) redeemRefresh(ctx context.Context, k *Kind, raw string, present presentFunc) (Pair, error) {
	presented, ok := k.refresh.Parse(raw)
	if !ok {
		if k.refresh.NamesUnknownSecret(raw) {
			a.logUnknownKey(ctx, "a refresh token")
		}
		return Pair{}, ErrSessionEnded
	}
	now := a.Now().UnixMilli()
	row, o, err := present(ctx, k.Name, presented.SessionID(), int64(presented.Generation), now, k.Times)
	refused := Pair{Subject: row.Subject, SID: presented.SessionID()}
	if err != nil {
		return refused, err
	}
	a.compareClocks(ctx, row, o, now)
	switch {
	case o == session.Reuse, row.Reused():
		return refused, ErrReused
	case o == session.Gone, row.Ends <= now: // the store may have judged by its own clock
		return refused, ErrSessionEnded
	}
	account, err := a.loadOfSession(ctx, k, row.Subject, refused.SID)
	if err != nil {
		return refused, err
	}
	if !o.Rotates() {
		return a.issuePair(k, account, row, nil, Opening{})
	}
	return a.issuePair(k, account, row, &presented, Opening{})
}

// compareClocks warns if the clock of this process differs from the clock by which a refresh
// was judged. A refresh that wrote shows a difference in both directions. Any other one shows
// only that this process is behind.
func (a *Service) compareClocks(ctx context.Context, row session.Row, o session.Outcome, now int64) {
	behind := time.Duration(row.Issued-now) * time.Millisecond
	if behind > maxClockDifference || o.Writes() && o != session.Reuse && -behind > maxClockDifference {
		a.logClocks(ctx, behind)
	}
}

// loadOfSession returns the account of a session that continues. The error is ErrSessionEnded
// if the account does not exist or is not allowed.
func (a *Service) loadOfSession(ctx context.Context, k *Kind, subject string, sid []byte) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	account, err := k.LoadBySubject(ctx, subject)
	if err == nil {
		account, err = a.matchFingerprint(ctx, k, account, sid)
	}
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, ErrSessionEnded
	}
	return account, a.checkAllowed(ctx, k, account, ErrSessionEnded)
}

// Prolong returns a new access token for the living session v, and moves its idle deadline.
// The token has the claims of the account as it is now, and the auth_time of the session. The
// error is ErrSessionEnded if the session has ended.
func (a *Service) Prolong(ctx context.Context, k *Kind, v Verified) (Pair, error) {
	row, alive, err := a.Sessions.Slide(ctx, k.Name, v.SID, a.Now().UnixMilli(), k.IdleTTL.Milliseconds())
	if err != nil {
		return Pair{}, err
	}
	if !alive || row.Subject != v.Subject {
		return Pair{}, ErrSessionEnded
	}
	account, err := a.loadOfSession(ctx, k, row.Subject, v.SID)
	if err != nil {
		return Pair{}, err
	}
	return a.issuePair(k, account, row, nil, Opening{})
}

// RefreshSession returns the session and the generation of a refresh token. ok is false if the
// token is not authentic.
func (k *Kind) RefreshSession(raw string) (sid []byte, generation uint32, ok bool) {
	t, ok := k.refresh.Parse(raw)
	if !ok {
		return nil, 0, false
	}
	return t.SessionID(), t.Generation, true
}

// NamedSession returns the session ID in an access token, or nil. It does not verify the
// signature, because the key may be retired by now. The caller must use the result only to
// choose the refresh token that is tried.
func NamedSession(access string) []byte {
	claims, err := token.Read(access)
	if err != nil {
		return nil
	}
	sid, _ := session.ParseID(claims.SessionID)
	return sid
}

// HeldSession returns Subject and SID of an access token of a kind, which may have expired. ok
// is false if the token is not valid for the kind. For a token of another issuer or of an
// earlier system, which has no session, it returns an empty pair and true.
func (a *Service) HeldSession(ctx context.Context, k *Kind, access string) (p Pair, ok bool) {
	if a.Old.InUse() {
		if _, ok := token.OldPayload(a.Old.Secret, access); ok {
			return Pair{}, true
		}
	}
	claims, err := a.Tokens.Verify(ctx, access)
	if claims.Kind != k.Name || err != nil && err != token.ErrExpired { //nolint:errorlint // it is this very value
		return Pair{}, false
	}
	if claims.Foreign {
		return Pair{}, true
	}
	sid, ok := session.ParseID(claims.SessionID)
	if !ok {
		return Pair{}, false
	}
	return Pair{Subject: claims.Subject, SID: sid}, true
}

// OneAccount reports whether two sessions belong to one account.
func (a *Service) OneAccount(ctx context.Context, k *Kind, one, other []byte) (bool, error) {
	now := a.Now().UnixMilli()
	first, _, err := a.Sessions.Living(ctx, k.Name, one, now)
	if err != nil {
		return false, err
	}
	second, _, err := a.Sessions.Living(ctx, k.Name, other, now)
	return err == nil && first.SID != nil && first.Subject == second.Subject, err
}

// ownerOf returns the owner of the sessions of an account, without the session keep if it is
// not nil.
func ownerOf(k *Kind, subject string, keep []byte) sessions.Owner {
	return sessions.Owner{Kinds: k.Kinds(), Subject: subject, Keep: keep}
}
