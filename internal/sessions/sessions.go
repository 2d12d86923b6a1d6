// Package sessions keeps the sessions of accounts in a store. It sets a deadline for every
// call, caches accounts, and deletes expired sessions in the background. Every error of the
// store matches fault.ErrUnavailable.
package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/session"
)

// Config configures [New].
type Config struct {
	Store    session.Store
	DB       *bun.DB       // of the accounts
	CacheTTL time.Duration // 0: no cache
	Read     time.Duration // timeout of each query that reads
	Write    time.Duration // timeout of each query that writes
	Now      func() time.Time

	MachineClock bool // Now is time.Now
}

// Sessions keeps sessions in a store. It is safe for concurrent use.
type Sessions struct {
	store  session.Store
	sql    besideStore // the store, if it is in the database of the accounts
	cache  *cache      // nil without CacheTTL
	pruner *pruner     // nil without PruneInBackground
	read   time.Duration
	write  time.Duration
}

// New returns Sessions. It sends no statement.
func New(cfg Config) *Sessions {
	s := &Sessions{store: cfg.Store, read: cfg.Read, write: cfg.Write}
	if sql, ok := s.store.(besideStore); ok && sql.On(cfg.DB) {
		s.sql = sql
	}
	if feed, ok := s.store.(session.Revocations); ok && cfg.CacheTTL > 0 {
		s.cache = newCache(cfg, feed)
	}
	return s
}

// PruneInBackground makes [Sessions.Grown] call prune, in the background and about once an
// hour. If prune fails, failed is called with the error. Call it before the first request.
func (s *Sessions) PruneInBackground(prune func(context.Context) error, failed func(error), now func() time.Time) {
	s.pruner = newPruner(prune, failed, now)
}

// Grown must be called after a row was added to a table of the store.
func (s *Sessions) Grown() { s.pruner.grown() }

// Store returns the store of the sessions.
func (s *Sessions) Store() session.Store { return s.store }

// BesideAccounts reports whether the sessions are in the database of the accounts, so
// that both can be read in one statement and changed in one transaction.
func (s *Sessions) BesideAccounts() bool { return s.sql != nil }

// Caches reports whether there is a cache.
func (s *Sessions) Caches() bool { return s.cache != nil }

// Close stops the goroutines in the background, and waits for them.
func (s *Sessions) Close() {
	s.cache.close()
	s.pruner.close()
}

// besideStore is a store in the database of the accounts: *session.SQL.
type besideStore interface {
	On(db *bun.DB) bool
	CreateFor(ctx context.Context, db bun.IDB, row session.Row, account *bun.SelectQuery) (created bool, err error)
	RevokeIn(ctx context.Context, db bun.IDB, sid []byte, kind, subject string, now int64) (found bool, err error)
	RevokeFormer(ctx context.Context, tx bun.Tx, kind, subject string, now int64) error
	Change(ctx context.Context, kinds []string, subject string, sid []byte, now int64, change func(context.Context, bun.Tx) error) error
}

// Start stores row if account, a SELECT without columns, still finds the account of the
// row: a session must not start if the account was deleted, or its password changed, at the
// same time. ok is false if the account is not found.
func (s *Sessions) Start(ctx context.Context, db bun.IDB, row session.Row, account *bun.SelectQuery) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	if s.sql != nil {
		ok, err = s.sql.CreateFor(ctx, db, row, account)
	} else {
		ok, err = s.createThenCheck(ctx, row, account)
	}
	s.pruner.grown()
	return ok, fault.Unavailable(err)
}

// createThenCheck is for a store that is not in the database of the accounts. No transaction
// is open. A change of the password is committed before it ends the sessions, so either it
// ends this session too, or the check detects the change.
func (s *Sessions) createThenCheck(ctx context.Context, row session.Row, account *bun.SelectQuery) (bool, error) {
	if err := s.store.Create(ctx, row); err != nil {
		return false, err
	}
	ok := false
	err := dberr.RetryIdempotent(ctx, func() (err error) {
		ok, err = account.Exists(ctx)
		return err
	})
	if err == nil && ok {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.write)
	defer cancel()
	if _, revokeErr := s.store.Revoke(ctx, row.SID, row.Kind, row.Subject, row.Created); err == nil {
		err = revokeErr
	}
	return false, err
}

// Refresh presents generation g of a session; see [session.Store].
func (s *Sessions) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	row, o, err := s.store.Refresh(ctx, kind, sid, g, now, t)
	if o == session.Reuse {
		s.cache.forgetSession(sid)
	}
	return row, o, fault.Unavailable(err)
}

// Present returns the outcome of a refresh without performing it. It writes only if the
// session must end. The outcome is Same if a refresh would return an access token, except
// for a parent token after its grace period, for which the error is ErrReplaced: an attacker
// may hold that token. Refresh would invalidate the child and so reveal the theft, but
// Present would issue any number of access tokens.
func (s *Sessions) Present(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	row, _, err := s.Living(ctx, kind, sid, now)
	if err == nil && t.StoreClock && row.SID != nil && (g == row.Prev || !row.Alive(now)) { // otherwise the age does not matter
		now, err = s.Clock(ctx, now)
	}
	if err != nil {
		return row, session.Gone, err
	}
	switch _, o := session.Decide(row, g, now, t); o {
	case session.Gone:
		return row, session.Gone, nil
	case session.Replace:
		return row, o, ErrReplaced
	case session.Reuse:
		return s.Refresh(ctx, kind, sid, g, now, t)
	}
	return row, session.Same, nil
}

// Clock returns the time of the store in Unix milliseconds, or now if the store has no
// clock.
func (s *Sessions) Clock(ctx context.Context, now int64) (int64, error) {
	shared, ok := s.store.(session.Clock)
	if !ok {
		return now, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	clock, err := shared.Clock(ctx, now)
	return clock, fault.Unavailable(err)
}

// Slide moves the idle deadline; see [session.Slider]. The store must be a Slider, which Open
// checks.
func (s *Sessions) Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (session.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	row, alive, err := s.store.(session.Slider).Slide(ctx, kind, sid, now, idle)
	return row, alive, fault.Unavailable(err)
}

// Living returns a session and whether it is alive. The row is empty if there is no such
// session.
func (s *Sessions) Living(ctx context.Context, kind string, sid []byte, now int64) (row session.Row, alive bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	row, found, err := s.store.Find(ctx, kind, sid)
	if err != nil || !found {
		return session.Row{}, false, fault.Unavailable(err)
	}
	return row, row.Alive(now), nil
}

// RevokeLiving ends a session, and reports whether it was alive until then.
func (s *Sessions) RevokeLiving(ctx context.Context, sid []byte, kind string, now int64) (ended bool, err error) {
	row, alive, err := s.Living(ctx, kind, sid, now)
	if err != nil || row.SID == nil {
		return false, err
	}
	found, err := s.Revoke(ctx, sid, kind, "", now)
	return found && alive, err
}

// Revoke ends a session, and reports whether there was one; see [session.Store].
func (s *Sessions) Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	found, err = s.store.Revoke(ctx, sid, kind, subject, now)
	s.cache.forgetSession(sid)
	return found, fault.Unavailable(err)
}

// RevokeIn is Revoke in db, a transaction of the application. If db is nil or the sessions
// are in another database, it is Revoke.
func (s *Sessions) RevokeIn(ctx context.Context, db bun.IDB, sid []byte, kind string, now int64) (found bool, err error) {
	if s.sql == nil || db == nil {
		return s.Revoke(ctx, sid, kind, "", now)
	}
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	found, err = s.sql.RevokeIn(ctx, db, sid, kind, "", now)
	s.cache.forgetSession(sid)
	return found, fault.Unavailable(err)
}

// RevokeAll ends the sessions of an account under each of kinds.
func (s *Sessions) RevokeAll(ctx context.Context, kinds []string, subject string, now int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	defer s.ForgetAccount(kinds, subject)
	return fault.Unavailable(s.revokeKinds(ctx, kinds, subject, nil, now))
}

// revokeKinds ends the sessions of an account in the store, except the session except if it
// is not nil.
func (s *Sessions) revokeKinds(ctx context.Context, kinds []string, subject string, except []byte, now int64) error {
	for _, kind := range kinds {
		if err := s.store.RevokeAll(ctx, kind, subject, except, now); err != nil {
			return err
		}
	}
	return nil
}

// ForgetAccount removes an account from the cache.
func (s *Sessions) ForgetAccount(kinds []string, subject string) {
	for _, kind := range kinds {
		s.cache.forgetAccount(kind, subject)
	}
}

// RevokeFormer ends the sessions of an earlier account with the same key, in the transaction
// that stores the new account. The sessions must be in the database of the accounts.
func (s *Sessions) RevokeFormer(ctx context.Context, tx bun.Tx, kinds []string, subject string, now int64) error {
	for _, kind := range kinds {
		if err := s.sql.RevokeFormer(ctx, tx, kind, subject, now); err != nil {
			return err
		}
	}
	return nil
}

// Change is a write to the accounts, and the write that undoes it. Each runs in a
// transaction.
type Change struct {
	Do, Undo func(context.Context, bun.Tx) error
}

// Owner identifies the sessions that a change ends: those of an account under each of Kinds,
// except the session Keep if it is not nil.
type Owner struct {
	Kinds   []string
	Subject string
	Keep    []byte
}

// Change makes a change and ends the sessions of owner: both, or neither.
func (s *Sessions) Change(ctx context.Context, db *bun.DB, owner Owner, now int64, change Change) error {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	defer s.ForgetAccount(owner.Kinds, owner.Subject)
	if s.sql == nil {
		return s.changeElsewhere(ctx, db, owner, now, change)
	}
	return s.sql.Change(ctx, owner.Kinds, owner.Subject, owner.Keep, now, change.Do)
}

// changeElsewhere is for a store that is not in the database of the accounts. It calls the
// store outside of transactions, because a store that does not answer would keep the accounts
// locked. It ends the sessions before the change, so that a failing store is usually noticed
// before anything has changed. It ends them again after the change, because a login with the
// old password may have read the account before the change; a login that reads it later
// detects the change, see createThenCheck. If ending them again fails, the change is undone.
func (s *Sessions) changeElsewhere(ctx context.Context, db *bun.DB, owner Owner, now int64, change Change) error {
	if owner.Keep != nil {
		if err := s.store.Prove(ctx, owner.Keep, now); err != nil {
			return fault.Unavailable(err)
		}
	}
	if err := s.revokeKinds(ctx, owner.Kinds, owner.Subject, owner.Keep, now); err != nil {
		return fault.Unavailable(err)
	}
	if err := dberr.InTx(ctx, db, change.Do); err != nil {
		return err
	}
	err := s.revokeKinds(ctx, owner.Kinds, owner.Subject, owner.Keep, now)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.write)
	defer cancel()
	return fault.Unavailable(errors.Join(err, dberr.InTx(ctx, db, change.Undo)))
}

// List returns the living sessions of an account, see [session.Store].
func (s *Sessions) List(ctx context.Context, kind, subject string, now int64) ([]session.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	rows, err := s.store.List(ctx, kind, subject, now)
	return rows, fault.Unavailable(err)
}

// Prune deletes expired sessions, and returns how many. It deletes them in small batches, so
// that no request waits long for a lock.
func (s *Sessions) Prune(ctx context.Context, now int64) (deleted int64, err error) {
	for {
		n, err := s.pruneOnce(ctx, now)
		deleted += n
		if err != nil || n == 0 {
			return deleted, fault.Unavailable(err)
		}
	}
}

func (s *Sessions) pruneOnce(ctx context.Context, now int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	return s.store.Prune(ctx, now)
}

// MaxClaimLife is the longest lifetime of a link that [Sessions.Claim] accepts.
const MaxClaimLife = 7 * 24 * time.Hour

// Claim reports whether this is the first claim of a link. The store records it as a session
// that belongs to no kind and expires with the link. The first refresh of this session
// rotates it to generation 1. A later refresh makes a higher generation, or converges if its
// clock is behind that of the first.
func (s *Sessions) Claim(ctx context.Context, once seal.Link, now int64) (first bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	ends := once.Expires*1000 + time.Minute.Milliseconds()                // the clocks of two processes may differ
	born := ends - MaxClaimLife.Milliseconds() - time.Hour.Milliseconds() // the same in every process
	row := session.Row{
		SID: once.ID[:], Kind: once.Kind + "/once", Subject: once.Subject, Prev: -1,
		Issued: born, IdleUntil: ends, Ends: ends, AuthTime: born, Created: born,
	}
	if err := s.store.Create(ctx, row); err != nil {
		return false, fault.Unavailable(err)
	}
	s.pruner.grown()
	after, o, err := s.store.Refresh(ctx, row.Kind, row.SID, 0, now, session.Times{Idle: MaxClaimLife})
	// Converge would be a second claim by a clock that is behind.
	return o == session.Rotate && after.Gen == 1, fault.Unavailable(err)
}
