// Package sessions keeps the sessions of accounts in a store: with deadlines for every
// call, with a cache of accounts in front, and with the deletion of what is over in the
// background. Every failure of the store is fault.ErrUnavailable.
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

// Config is what [New] takes.
type Config struct {
	Store    session.Store // nil: a table in DB
	DB       *bun.DB       // of the accounts
	CacheTTL time.Duration // 0: no cache
	Read     time.Duration // deadline of each query that reads
	Write    time.Duration // and of each that writes
	Now      func() time.Time
}

// Sessions is safe for concurrent use.
type Sessions struct {
	store  session.Store
	sql    beside  // the store, if it is in the database of the accounts
	cache  *cache  // nil without CacheTTL
	pruner *pruner // nil without PruneInBackground
	read   time.Duration
	write  time.Duration
}

// New sends no statement.
func New(cfg Config) *Sessions {
	s := &Sessions{store: cfg.Store, read: cfg.Read, write: cfg.Write}
	if s.store == nil {
		s.store = session.NewSQL(cfg.DB)
	}
	if sql, ok := s.store.(beside); ok && sql.On(cfg.DB) {
		s.sql = sql
	}
	if feed, ok := s.store.(session.Revocations); ok && cfg.CacheTTL > 0 {
		s.cache = newCache(cfg, feed)
	}
	return s
}

// PruneInBackground calls prune about once an hour while the tables grow. failed is told
// why it failed. Call it before the first request.
func (s *Sessions) PruneInBackground(prune func(context.Context) error, failed func(error), now func() time.Time) {
	s.pruner = newPruner(prune, failed, now)
}

// Grown is called when a row was added to a table of the store.
func (s *Sessions) Grown() { s.pruner.grown() }

// Store is what the sessions are in.
func (s *Sessions) Store() session.Store { return s.store }

// BesideAccounts reports whether the sessions are in the database of the accounts, so
// that both can be read in one statement and changed in one transaction.
func (s *Sessions) BesideAccounts() bool { return s.sql != nil }

// Caches reports whether there is a cache.
func (s *Sessions) Caches() bool { return s.cache != nil }

// Close ends what runs in the background, and waits for it.
func (s *Sessions) Close() {
	s.cache.close()
	s.pruner.close()
}

// beside is what *session.SQL can do more than any store.
type beside interface {
	On(db *bun.DB) bool
	CreateFor(ctx context.Context, db bun.IDB, row session.Row, account *bun.SelectQuery) (created bool, err error)
	RevokeIn(ctx context.Context, db bun.IDB, sid []byte, kind, subject string, now int64) (found bool, err error)
	RevokeFormer(ctx context.Context, tx bun.Tx, kind, subject string, now int64) error
	Change(ctx context.Context, kinds []string, subject string, sid []byte, now int64, change func(context.Context, bun.Tx) error) error
}

// Start stores row if account, a SELECT without columns, still finds the row's
// account: a login must not outlive the deletion of the account or a change of
// the password that ran in between. ok is false when it does not.
func (s *Sessions) Start(ctx context.Context, db bun.IDB, row session.Row, account *bun.SelectQuery) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	if s.sql != nil {
		ok, err = s.sql.CreateFor(ctx, db, row, account)
	} else {
		ok, err = s.createThenLook(ctx, row, account)
	}
	s.pruner.grown()
	return ok, fault.Unavailable(err)
}

// createThenLook is for a store elsewhere, with no transaction open. A change of the
// password is written before it ends the sessions: either it ends this one too, or we see
// the change.
func (s *Sessions) createThenLook(ctx context.Context, row session.Row, account *bun.SelectQuery) (bool, error) {
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

// Refresh redeems a generation of a session, see [session.Store].
func (s *Sessions) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	row, o, err := s.store.Refresh(ctx, kind, sid, g, now, t)
	if o == session.Reuse {
		s.cache.forgetSession(sid)
	}
	return row, o, fault.Unavailable(err)
}

// Present tells what a refresh would say, and does none: it writes only where
// the session has to end. What a refresh would answer with an access token is
// Same, but for a parent whose grace is over. That may be an attacker's, which a
// Refresh brings to light by its Replace; here it would get token upon token.
func (s *Sessions) Present(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	row, _, err := s.Living(ctx, kind, sid, now)
	if err == nil && t.StoreClock && row.SID != nil && (g == row.Prev || !row.Alive(now)) { // else the age makes no difference here
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

// Clock is that of the store, if it has one.
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

// Slide wants a store that can, which Open made sure of.
func (s *Sessions) Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (session.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	row, alive, err := s.store.(session.Slider).Slide(ctx, kind, sid, now, idle)
	return row, alive, fault.Unavailable(err)
}

// Living gives a session and says whether it is alive; the row is empty if there
// is none.
func (s *Sessions) Living(ctx context.Context, kind string, sid []byte, now int64) (row session.Row, alive bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	row, found, err := s.store.Find(ctx, kind, sid)
	if err != nil || !found {
		return session.Row{}, false, fault.Unavailable(err)
	}
	return row, row.Alive(now), nil
}

// RevokeLiving is revoke where an end is told, which a second one is not.
func (s *Sessions) RevokeLiving(ctx context.Context, sid []byte, kind string, now int64) (ended bool, err error) {
	row, alive, err := s.Living(ctx, kind, sid, now)
	if err != nil || row.SID == nil {
		return false, err
	}
	found, err := s.Revoke(ctx, sid, kind, "", now)
	return found && alive, err
}

// Revoke ends a session, and says whether there was one.
func (s *Sessions) Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	found, err = s.store.Revoke(ctx, sid, kind, subject, now)
	s.cache.forgetSession(sid)
	return found, fault.Unavailable(err)
}

// RevokeIn is revoke in a transaction of the application's, if the sessions are
// in its database.
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

// RevokeAll ends the sessions of an account, under every kind of its table.
func (s *Sessions) RevokeAll(ctx context.Context, kinds []string, subject string, now int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	defer s.ForgetAccount(kinds, subject)
	return fault.Unavailable(s.revokeRow(ctx, kinds, subject, nil, now))
}

// revokeRow ends the sessions of an account in the store but one, if it is not nil.
func (s *Sessions) revokeRow(ctx context.Context, kinds []string, subject string, except []byte, now int64) error {
	for _, kind := range kinds {
		if err := s.store.RevokeAll(ctx, kind, subject, except, now); err != nil {
			return err
		}
	}
	return nil
}

// ForgetAccount drops the cached accounts of a subject.
func (s *Sessions) ForgetAccount(kinds []string, subject string) {
	for _, kind := range kinds {
		s.cache.forgetAccount(kind, subject)
	}
}

// RevokeFormer ends what sessions an earlier account with the key has left, in the
// transaction that stores the new one.
func (s *Sessions) RevokeFormer(ctx context.Context, tx bun.Tx, kinds []string, subject string, now int64) error {
	for _, kind := range kinds {
		if err := s.sql.RevokeFormer(ctx, tx, kind, subject, now); err != nil {
			return err
		}
	}
	return nil
}

// Change is a write to the accounts, and the write that takes it back, each in a
// transaction.
type Change struct {
	Do, Undo func(context.Context, bun.Tx) error
}

// Owner is whose sessions a change ends: those of an account, under every kind of its
// table, but for the one that Keep names, if it is not nil.
type Owner struct {
	Kinds   []string
	Subject string
	Keep    []byte
}

// Change makes a change and ends every session of the account but the
// owner's, if it has one, under every kind of the table: both or neither.
func (s *Sessions) Change(ctx context.Context, db *bun.DB, owner Owner, now int64, change Change) error {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	defer s.ForgetAccount(owner.Kinds, owner.Subject)
	if s.sql == nil {
		return s.changeApart(ctx, db, owner, now, change)
	}
	return s.sql.Change(ctx, owner.Kinds, owner.Subject, owner.Keep, now, change.Do)
}

// changeApart is for a store elsewhere. No transaction is open while the store is asked:
// one that hangs would keep the accounts locked. The store is asked before the change,
// since most often it fails before anything has changed, and after it: a login with the
// old password may have looked at the account before the change. A login that looks later
// sees the change, see createThenLook. A change that leaves such a session is not kept.
func (s *Sessions) changeApart(ctx context.Context, db *bun.DB, owner Owner, now int64, change Change) error {
	if owner.Keep != nil {
		if err := s.store.Prove(ctx, owner.Keep, now); err != nil {
			return fault.Unavailable(err)
		}
	}
	if err := s.revokeRow(ctx, owner.Kinds, owner.Subject, owner.Keep, now); err != nil {
		return fault.Unavailable(err)
	}
	if err := dberr.InTx(ctx, db, change.Do); err != nil {
		return err
	}
	err := s.revokeRow(ctx, owner.Kinds, owner.Subject, owner.Keep, now)
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

// Prune takes small bites, so that no request waits for a lock.
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

// MaxClaimLife is the longest life of what is claimed.
const MaxClaimLife = 7 * 24 * time.Hour

// Claim is true for the first who presents a seal. What remembers it is a row of
// the store that belongs to no kind and is forgotten when the seal has expired:
// its first refresh rotates it to generation 1. A later one makes another
// generation, or converges where its clock is behind that of the first.
func (s *Sessions) Claim(ctx context.Context, once seal.Link, now int64) (first bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	ends := once.Expires*1000 + time.Minute.Milliseconds()                // the clocks of two machines differ
	born := ends - MaxClaimLife.Milliseconds() - time.Hour.Milliseconds() // the same for all who ask
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
