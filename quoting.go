package fiberjwt

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// quoting keeps text of clients out of statements until it is known that the
// databases read literals as Bun writes them: see [dbcheck.Quoting]. That costs one
// statement for each database until it is known, and a load of an atomic
// afterwards. Requests that come meanwhile wait for the same look. Safe for
// concurrent use.
type quoting struct {
	db        *bun.DB
	elsewhere quotingStore  // nil: the sessions are in db, or in no database
	wait      time.Duration // for each look
	holds     atomic.Bool

	mu    sync.Mutex
	going *outlook // nil: none
}

// outlook is a look that is under way.
type outlook struct {
	done chan struct{} // closed when err is set
	err  error
}

// quotingStore is a store in a database, which may be another than that of the
// accounts.
type quotingStore interface {
	Quoting(ctx context.Context) ([]string, error)
}

func newQuoting(db *bun.DB, s *sessions, wait time.Duration) *quoting {
	q := &quoting{db: db, wait: wait}
	if s.sql == nil {
		q.elsewhere, _ = s.store.(quotingStore)
	}
	return q
}

// check is nil if statements may have text of clients in them. The error is
// ErrSetup if they must not, or ErrUnavailable if that is not known; the next call
// looks again.
func (q *quoting) check(ctx context.Context) error {
	if q == nil || q.holds.Load() {
		return nil
	}
	look, mine := q.join()
	if look == nil {
		return nil
	}
	if mine {
		q.look(context.WithoutCancel(ctx), look) // others wait for it
	}
	select {
	case <-look.done:
		return look.err
	case <-ctx.Done():
		return fault.Unavailable(ctx.Err())
	}
}

// checkIn is check in a transaction of the application's, or out of one if db is nil.
// The transaction may have the only connection of the pool, so it looks by itself,
// for itself alone.
func (q *quoting) checkIn(ctx context.Context, db bun.IDB) error {
	if _, pool := db.(*bun.DB); q == nil || db == nil || pool || q.holds.Load() {
		return q.check(ctx)
	}
	return fault.Recover(func() error { return q.ask(ctx, db) })
}

// join returns the look that is under way, or a new one, which the caller must run. It
// returns nil if a look has succeeded since the caller read holds.
func (q *quoting) join() (look *outlook, mine bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.holds.Load() {
		return nil, false
	}
	if q.going != nil {
		return q.going, false
	}
	q.going = &outlook{done: make(chan struct{})}
	return q.going, true
}

func (q *quoting) look(ctx context.Context, look *outlook) {
	look.err = fault.Recover(func() error { return q.ask(ctx, q.db) })
	q.holds.Store(look.err == nil)
	q.mu.Lock()
	q.going = nil
	q.mu.Unlock()
	close(look.done)
}

func (q *quoting) ask(ctx context.Context, db bun.IDB) error {
	looks := []func(context.Context) ([]string, error){
		func(ctx context.Context) ([]string, error) { return dbcheck.Quoting(ctx, db) },
	}
	if q.elsewhere != nil {
		looks = append(looks, q.elsewhere.Quoting)
	}
	for _, look := range looks {
		ctx, cancel := context.WithTimeout(ctx, q.wait)
		problems, err := look(ctx)
		cancel()
		if err != nil {
			return fault.Unavailable(err)
		}
		if len(problems) > 0 {
			return fault.Setupf("text of clients is kept out of the database: %s", strings.Join(problems, "; "))
		}
	}
	return nil
}
