package auth

import (
	"context"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Refresh answers a presented refresh token. With an error, the pair says no more than
// whose token it was.
func (a *Service) Refresh(ctx context.Context, k *Kind, raw string) (Pair, error) {
	return a.redeem(ctx, k, raw, a.Sessions.Refresh)
}

// Exchange answers as Refresh does when it is too early to rotate, whenever that is. No
// deadline moves either: an exchange does not show that the user is still there.
func (a *Service) Exchange(ctx context.Context, k *Kind, raw string) (Pair, error) {
	p, err := a.redeem(ctx, k, raw, a.Sessions.Present)
	p.Refresh = "" // whatever the store answered
	return p, err
}

// presenting a generation of a session, as [session.Store] has it.
type presenting = func(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error)

func (a *Service) redeem(ctx context.Context, k *Kind, raw string, present presenting) (Pair, error) {
	presented, ok := k.refresh.Parse(raw)
	if !ok {
		if k.refresh.NamesUnknownSecret(raw) {
			a.logUnknownKey(ctx, "a refresh token")
		}
		return Pair{}, ErrSessionEnded
	}
	now := a.Now().UnixMilli()
	row, o, err := present(ctx, k.Name, presented.SessionID(), int64(presented.Generation), now, k.Times)
	whose := Pair{Subject: row.Subject, SID: presented.SessionID()}
	if err != nil {
		return whose, err
	}
	a.compareClocks(ctx, row, o, now)
	switch {
	case o == session.Reuse, row.Reused():
		return whose, ErrReused
	case o == session.Gone, row.Ends <= now: // the latter by the clock of this process
		return whose, ErrSessionEnded
	}
	account, err := a.goingOn(ctx, k, row.Subject, whose.SID)
	if err != nil {
		return whose, err
	}
	if !o.Rotates() {
		return a.pair(k, account, row, nil, Opening{})
	}
	return a.pair(k, account, row, &presented, Opening{})
}

// compareClocks warns if the clock of this process is far from the one by which a refresh
// was judged. A refresh that wrote shows the difference in both directions, any other one
// only that the process is behind.
func (a *Service) compareClocks(ctx context.Context, row session.Row, o session.Outcome, now int64) {
	behind := time.Duration(row.Issued-now) * time.Millisecond
	if behind > clocksApart || o.Writes() && o != session.Reuse && -behind > clocksApart {
		a.logClocks(ctx, behind)
	}
}

// goingOn is the account of a session that goes on.
func (a *Service) goingOn(ctx context.Context, k *Kind, subject string, sid []byte) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
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

// Prolong gives a living session another access token, from the account as it is now and
// the time of proof of the row, and moves its idle deadline.
func (a *Service) Prolong(ctx context.Context, k *Kind, v Verified) (Pair, error) {
	row, alive, err := a.Sessions.Slide(ctx, k.Name, v.SID, a.Now().UnixMilli(), k.IdleTTL.Milliseconds())
	if err != nil {
		return Pair{}, err
	}
	if !alive || row.Subject != v.Subject {
		return Pair{}, ErrSessionEnded
	}
	account, err := a.goingOn(ctx, k, row.Subject, v.SID)
	if err != nil {
		return Pair{}, err
	}
	return a.pair(k, account, row, nil, Opening{})
}

// RefreshSession returns the session of a refresh token whose tag holds.
func (k *Kind) RefreshSession(raw string) (sid []byte, generation uint32, ok bool) {
	t, ok := k.refresh.Parse(raw)
	if !ok {
		return nil, 0, false
	}
	return t.SessionID(), t.Generation, true
}

// NamedSession is the session that an access token names, nil if it names none. Its
// signature is not asked for: the key may be retired by now, and it only decides which
// refresh token is tried.
func NamedSession(access string) []byte {
	claims, err := token.Read(access)
	if err != nil {
		return nil
	}
	sid, _ := session.ParseID(claims.SessionID)
	return sid
}

// HeldSession is the session of an access token of a kind, expired or not. It is not ok if
// the token is not valid for the kind; one of another issuer has no session.
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

// Owner of the sessions of an account but the one that keep names, if it is not nil.
func owner(k *Kind, subject string, keep []byte) sessions.Owner {
	return sessions.Owner{Kinds: k.Kinds(), Subject: subject, Keep: keep}
}
