package auth

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Opening has the properties of a new session.
type Opening struct {
	TTL      time.Duration // of the access token; 0: AccessTTL of the kind
	Shape    token.Shape
	AuthTime time.Time // zero: now
	DB       bun.IDB   // the open transaction that stored the account; nil: none
	Address  string    // of the client
	Agent    string    // the User-Agent of the client
}

// Pair is the result of a sign-in or a refresh.
type Pair struct {
	Subject string
	Name    string // under which the throttle counts sign-ins, "" for a kind without passwords
	SID     []byte
	Access  string
	Refresh string        // "" if the client keeps the one it has
	Expires time.Duration // until the access token expires
	Idle    time.Duration // until the session ends if it is not refreshed
	Ends    time.Duration // until the session ends in any case
}

// Start starts a session for an account that the application has authenticated. The error is
// ErrBadCredentials if Allow refuses the account.
func (a *Service) Start(ctx context.Context, k *Kind, account any, o Opening) (Pair, error) {
	p, err := a.startAllowed(ctx, k, account, o)
	return p, explainWait(err, o)
}

func (a *Service) startAllowed(ctx context.Context, k *Kind, account any, o Opening) (Pair, error) {
	if _, err := k.StoredSubject(account); err != nil {
		return Pair{}, err
	}
	if _, whole := o.DB.(*bun.DB); o.DB != nil && !whole && !a.Sessions.BesideAccounts() {
		return Pair{}, fault.Setup("LoginOptions.DB: the sessions are not in the database of the accounts, so they cannot be part of its transaction: sign in after it has committed, without LoginOptions.DB")
	}
	if err := a.Guard.CheckIn(ctx, o.DB); err != nil {
		return Pair{}, err
	}
	if err := a.checkAllowed(ctx, k, account, ErrBadCredentials); err != nil {
		return Pair{}, err
	}
	return a.startSession(ctx, k, account, o)
}

// explainWait adds an explanation to an error of Start that may be due to an open transaction
// of the application.
func explainWait(err error, o Opening) error {
	switch {
	case err == nil:
		return nil
	case o.DB != nil && errors.Is(err, sql.ErrTxDone):
		return fault.Setup("LoginOptions.DB: the transaction is over, because it was committed or rolled back: call Login or Issue while it is open, or without LoginOptions.DB")
	case o.DB == nil && fault.IsUnavailable(err) && (errors.Is(err, context.DeadlineExceeded) || dberr.IsTransient(err)):
		return fault.Unavailable(&Waited{fault.Cause(err)})
	}
	return err
}

// Waited is the cause if the start of a session failed, perhaps because it had to wait for a
// lock.
type Waited struct{ error }

func (e *Waited) Error() string { return e.error.Error() + ": " + WaitedHint }

func (e *Waited) Unwrap() error { return e.error }

// WaitedHint says how to avoid such a wait.
const WaitedHint = "if Login or Issue is called inside a transaction that is still open, pass it as LoginOptions.DB, because they may wait for its locks"

// startSession starts a session for account. The session always has a new ID, so a client
// cannot choose it. If account has a hash, the row must still have the same.
func (a *Service) startSession(ctx context.Context, k *Kind, account any, o Opening) (Pair, error) {
	db := o.DB
	if db == nil {
		db = a.DB
	}
	print, err := a.fingerprint(ctx, db, k, account)
	if err != nil {
		return Pair{}, err
	}
	p, row, err := a.newSession(k, account, o, print)
	if err != nil {
		return Pair{}, err
	}
	kept, err := a.storeSession(ctx, db, k, account, row)
	if err == nil && !kept {
		err = a.explainNotStored(ctx, db, k, account)
	}
	if err != nil {
		return Pair{}, err
	}
	if print != nil { // the key may have belonged to an earlier account, which may be cached
		a.Sessions.ForgetAccount(k.Kinds(), row.Subject)
	}
	return p, nil
}

// explainNotStored returns why no session could be stored for account. It is ErrBadCredentials
// if the row has another hash by now or is soft-deleted, and a setup error if there is no row
// or if a hook of the model changes it.
func (a *Service) explainNotStored(ctx context.Context, db bun.IDB, k *Kind, account any) error {
	ctx, cancel := context.WithTimeout(ctx, a.ReadTimeout)
	defer cancel()
	row, err := k.Stored(ctx, db, account)
	switch {
	case err != nil:
		return err
	case row == nil:
		return &missingRow{k}
	case k.Password == nil, k.Deleted(row), k.Hash(row) != k.Hash(account):
		if k.Password != nil && k.Raw(account, k.Password) == "" { // or it has just received its first password
			a.Journal.Hint(ctx, "Login or Issue was called with an account that has no hash, though its row has one",
				"load the account whole: do not use Column, or include the column of the hash", slog.String("kind", k.Name))
		}
		return ErrBadCredentials
	}
	return fault.Setupf("kind %s: no statement finds the row of an account by its key and the hash that it was loaded with: a hook of the model changes what is written or read", k.Name)
}

// newSession returns a session that is not stored yet.
func (a *Service) newSession(k *Kind, account any, o Opening, fingerprint []byte) (Pair, session.Row, error) {
	subject, err := k.Subject(account)
	if err != nil {
		return Pair{}, session.Row{}, err
	}
	first, now := seal.NewRefresh(fingerprint), a.Now().UnixMilli()
	ends := now + k.SessionTTL.Milliseconds()
	row := session.Row{
		SID: first.SessionID(), Kind: k.Name, Subject: subject, Prev: -1, Issued: now,
		IdleUntil: min(now+k.IdleTTL.Milliseconds(), ends), Ends: ends, AuthTime: now, Created: now,
		Address: o.Address, Agent: o.Agent,
	}
	if !o.AuthTime.IsZero() {
		row.AuthTime = min(max(o.AuthTime.UnixMilli(), 0), now)
	}
	p, err := a.issuePair(k, account, row, &first, o)
	if k.Password != nil {
		p.Name = Attempted(k, k.Text(account, k.Identity))
	}
	return p, row, err
}

// storeSession stores a new session, unless the account was deleted or its password was
// changed. kept reports whether the session is stored.
func (a *Service) storeSession(ctx context.Context, db bun.IDB, k *Kind, account any, row session.Row) (kept bool, err error) {
	still := k.ByKey(db, account)
	switch {
	case k.Password == nil:
	case k.Raw(account, k.Password) == "": // an account without a password, stored as '' or NULL
		still = still.Where("COALESCE(?TableAlias.?, '') = ''", bun.Ident(k.Password.Name))
	default:
		still = still.Where("?TableAlias.? = ?", bun.Ident(k.Password.Name), k.Raw(account, k.Password))
	}
	return a.Sessions.Start(ctx, db, row, still)
}

// issuePair issues an access token for a session. If current is not nil, it also issues the
// refresh token of the session's generation.
func (a *Service) issuePair(k *Kind, account any, row session.Row, current *seal.Refresh, o Opening) (Pair, error) {
	now := a.Now().UnixMilli()
	p := Pair{
		Subject: row.Subject,
		SID:     row.SID,
		Expires: time.Duration(min(cmp.Or(o.TTL, k.AccessTTL).Milliseconds(), row.Ends-now)) * time.Millisecond,
		Idle:    time.Duration(row.IdleUntil-now) * time.Millisecond,
		Ends:    time.Duration(row.Ends-now) * time.Millisecond,
	}
	if !o.Shape.NotBefore.Before(time.UnixMilli(now).Add(p.Expires)) {
		return Pair{}, fault.Setupf("LoginOptions.NotBefore: the access token expires before it becomes valid, after %v: give it a longer TTL", p.Expires)
	}
	err := fault.Recover(func() (err error) {
		p.Access, err = a.Tokens.Issue(token.Claims{
			Subject: row.Subject, Kind: k.Name, SessionID: session.ID(row.SID), ID: token.NewID(),
			IssuedAt: now / 1000, ExpiresAt: (now + p.Expires.Milliseconds()) / 1000, AuthTime: row.AuthTime / 1000,
		}, o.Shape, k.Claims(account))
		return err
	})
	if err != nil {
		return Pair{}, err
	}
	if current != nil {
		p.Refresh = k.refresh.Encode(current.At(row.Gen))
	}
	return p, nil
}
