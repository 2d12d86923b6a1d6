package fiberjwt

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// sessions is the store of sessions with its deadlines. Its methods return
// ErrUnavailable, with the cause, for every failure of the store.
type sessions struct {
	store  session.Store
	sql    beside  // the store, if it is in the database of the accounts
	cache  *cache  // nil without CacheTTL
	pruner *pruner // nil with ManualPrune
	read   time.Duration
	write  time.Duration
}

// beside is what *session.SQL can do more than any store.
type beside interface {
	On(db *bun.DB) bool
	CreateFor(ctx context.Context, db bun.IDB, row session.Row, account *bun.SelectQuery) (created bool, err error)
	RevokeIn(ctx context.Context, db bun.IDB, sid []byte, kind, subject string, now int64) (found bool, err error)
	RevokeFormer(ctx context.Context, tx bun.Tx, kind, subject string, now int64) error
	Change(ctx context.Context, kinds []string, subject string, sid []byte, now int64, change func(context.Context, bun.Tx) error) error
}

func newSessions(cfg Config) *sessions {
	s := &sessions{store: cfg.Sessions, read: cfg.ReadTimeout, write: cfg.WriteTimeout}
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

// start stores row if account, a SELECT without columns, still finds the row's
// account: a login must not outlive the deletion of the account or a change of
// the password that ran in between. ok is false when it does not.
func (s *sessions) start(ctx context.Context, db bun.IDB, row session.Row, account *bun.SelectQuery) (ok bool, err error) {
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

// createThenLook is for a store elsewhere, with no transaction open. Whoever changes the password does so
// before he ends the sessions: either he sees this one, or we see the change.
func (s *sessions) createThenLook(ctx context.Context, row session.Row, account *bun.SelectQuery) (bool, error) {
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

func (s *sessions) refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	row, o, err := s.store.Refresh(ctx, kind, sid, g, now, t)
	if o == session.Reuse {
		s.cache.forgetSession(sid)
	}
	return row, o, fault.Unavailable(err)
}

// present tells what a refresh would say, and does none: it writes only where
// the session has to end. What a refresh would answer with an access token is
// Same, but for a parent whose grace is over. That may be a thief's, which a
// refresh brings to light by its Replace; here it would get token upon token.
func (s *sessions) present(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	row, _, err := s.living(ctx, kind, sid, now)
	if err == nil && t.StoreClock && row.SID != nil && (g == row.Prev || !row.Alive(now)) { // else the age makes no difference here
		now, err = s.clock(ctx, now)
	}
	if err != nil {
		return row, session.Gone, err
	}
	switch _, o := session.Decide(row, g, now, t); o {
	case session.Gone:
		return row, session.Gone, nil
	case session.Replace:
		return row, o, ErrTokenReplaced
	case session.Reuse:
		return s.refresh(ctx, kind, sid, g, now, t)
	}
	return row, session.Same, nil
}

// clock is that of the store, if it has one.
func (s *sessions) clock(ctx context.Context, now int64) (int64, error) {
	shared, ok := s.store.(session.Clock)
	if !ok {
		return now, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	clock, err := shared.Clock(ctx, now)
	return clock, fault.Unavailable(err)
}

// slide wants a store that can, which Open made sure of.
func (s *sessions) slide(ctx context.Context, kind string, sid []byte, now, idle int64) (session.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	row, alive, err := s.store.(session.Slider).Slide(ctx, kind, sid, now, idle)
	return row, alive, fault.Unavailable(err)
}

// living gives a session and says whether it is alive; the row is empty if there
// is none.
func (s *sessions) living(ctx context.Context, kind string, sid []byte, now int64) (row session.Row, alive bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	row, found, err := s.store.Find(ctx, kind, sid)
	if err != nil || !found {
		return session.Row{}, false, fault.Unavailable(err)
	}
	return row, row.Alive(now), nil
}

// revokeLiving is revoke where an end is told, which a second one is not.
func (s *sessions) revokeLiving(ctx context.Context, sid []byte, kind string, now int64) (ended bool, err error) {
	row, alive, err := s.living(ctx, kind, sid, now)
	if err != nil || row.SID == nil {
		return false, err
	}
	found, err := s.revoke(ctx, sid, kind, "", now)
	return found && alive, err
}

func (s *sessions) revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	found, err = s.store.Revoke(ctx, sid, kind, subject, now)
	s.cache.forgetSession(sid)
	return found, fault.Unavailable(err)
}

// revokeIn is revoke in a transaction of the application's, if the sessions are
// in its database.
func (s *sessions) revokeIn(ctx context.Context, db bun.IDB, sid []byte, kind string, now int64) (found bool, err error) {
	if s.sql == nil || db == nil {
		return s.revoke(ctx, sid, kind, "", now)
	}
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	found, err = s.sql.RevokeIn(ctx, db, sid, kind, "", now)
	s.cache.forgetSession(sid)
	return found, fault.Unavailable(err)
}

// revokeAll ends the sessions of an account, under every kind of its table.
func (s *sessions) revokeAll(ctx context.Context, k *kind, subject string, now int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	defer s.forgetAccount(k, subject)
	return fault.Unavailable(s.revokeRow(ctx, k, subject, nil, now))
}

// revokeRow ends the sessions of an account in the store but one, if it is not nil.
func (s *sessions) revokeRow(ctx context.Context, k *kind, subject string, except []byte, now int64) error {
	for _, of := range k.Sharing {
		if err := s.store.RevokeAll(ctx, of.Name, subject, except, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *sessions) forgetAccount(k *kind, subject string) {
	for _, of := range k.Sharing {
		s.cache.forgetAccount(of.Name, subject)
	}
}

// revokeFormer ends what sessions an earlier account with the key has left, in the
// transaction that stores the new one.
func (s *sessions) revokeFormer(ctx context.Context, tx bun.Tx, k *kind, subject string, now int64) error {
	for _, of := range k.Sharing {
		if err := s.sql.RevokeFormer(ctx, tx, of.Name, subject, now); err != nil {
			return err
		}
	}
	return nil
}

// passwordChange is a write to the accounts, and the write that takes it back,
// each in a transaction.
type passwordChange struct {
	do, undo func(context.Context, bun.Tx) error
}

// changePassword makes a change and ends every session of the account but the
// owner's, if it has one, under every kind of the table: both or neither.
func (s *sessions) changePassword(ctx context.Context, db *bun.DB, k *kind, owner *Session, now int64, change passwordChange) error {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	defer s.forgetAccount(k, owner.Subject)
	if s.sql == nil {
		return s.changeApart(ctx, db, k, owner, now, change)
	}
	kinds := make([]string, len(k.Sharing))
	for i, of := range k.Sharing {
		kinds[i] = of.Name
	}
	return s.sql.Change(ctx, kinds, owner.Subject, owner.sid, now, change.do)
}

// changeApart is for a store elsewhere. No transaction is open while that is
// asked: one that hangs would keep the accounts locked. The store is asked
// before, since most often it fails before anything has changed, and after: a
// login with the old password may have looked at the account before the change.
// One that looks later sees it, see createThenLook. A change that leaves such a
// session is not kept.
func (s *sessions) changeApart(ctx context.Context, db *bun.DB, k *kind, owner *Session, now int64, change passwordChange) error {
	if owner.sid != nil {
		if err := s.store.Prove(ctx, owner.sid, now); err != nil {
			return fault.Unavailable(err)
		}
	}
	if err := s.revokeRow(ctx, k, owner.Subject, owner.sid, now); err != nil {
		return fault.Unavailable(err)
	}
	if err := accounts.InTx(ctx, db, change.do); err != nil {
		return err
	}
	err := s.revokeRow(ctx, k, owner.Subject, owner.sid, now)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.write)
	defer cancel()
	return fault.Unavailable(errors.Join(err, accounts.InTx(ctx, db, change.undo)))
}

func (s *sessions) list(ctx context.Context, kind, subject string, now int64) ([]session.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, s.read)
	defer cancel()
	rows, err := s.store.List(ctx, kind, subject, now)
	return rows, fault.Unavailable(err)
}

// prune takes small bites, so that nobody waits for a lock.
func (s *sessions) prune(ctx context.Context, now int64) (deleted int64, err error) {
	for {
		n, err := s.pruneOnce(ctx, now)
		deleted += n
		if err != nil || n == 0 {
			return deleted, fault.Unavailable(err)
		}
	}
}

func (s *sessions) pruneOnce(ctx context.Context, now int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.write)
	defer cancel()
	return s.store.Prune(ctx, now)
}
