package dbcheck

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Guard refuses statements with text of clients until it has checked that the databases
// read literals as Bun writes them; see [Quoting]. The check costs one statement for each
// database. After it has succeeded, Guard only loads an atomic value. Concurrent requests
// wait for the same check. A nil Guard allows every statement. It is safe for concurrent
// use.
type Guard struct {
	db        *bun.DB
	elsewhere GuardedStore  // nil: the sessions are in db, or in no database
	wait      time.Duration // for each database
	passed    atomic.Bool   // a check has succeeded

	mu      sync.Mutex
	pending *pendingLook // nil: none
}

// pendingLook is a check that is in progress.
type pendingLook struct {
	done chan struct{} // closed when err is set
	err  error
}

// GuardedStore is a store of sessions in a database, which may be a different one from that
// of the accounts.
type GuardedStore interface {
	Quoting(ctx context.Context) ([]string, error)
}

// NewGuard returns a Guard for db, and for elsewhere if it is not nil. The check of each
// takes at most wait.
func NewGuard(db *bun.DB, elsewhere GuardedStore, wait time.Duration) *Guard {
	return &Guard{db: db, elsewhere: elsewhere, wait: wait}
}

// Check returns nil if statements may contain text of clients. The error matches ErrSetup if
// they must not, or ErrUnavailable if the database did not answer. After an error, the next
// call checks again.
func (g *Guard) Check(ctx context.Context) error {
	if g == nil || g.passed.Load() {
		return nil
	}
	look, mine := g.join()
	if look == nil {
		return nil
	}
	if mine {
		g.look(context.WithoutCancel(ctx), look) // other requests wait for it
	}
	select {
	case <-look.done:
		return look.err
	case <-ctx.Done():
		return fault.Unavailable(ctx.Err())
	}
}

// CheckIn is Check for a statement in db, a transaction of the application. If db is nil or
// a *bun.DB, it is Check. The transaction may have the only connection of the pool, so
// CheckIn uses the transaction for its check, and does not share the result.
func (g *Guard) CheckIn(ctx context.Context, db bun.IDB) error {
	if _, pool := db.(*bun.DB); g == nil || db == nil || pool || g.passed.Load() {
		return g.Check(ctx)
	}
	return fault.Recover(func() error { return g.ask(ctx, db) })
}

// join returns the check that is in progress, or a new one, which the caller must run. It
// returns nil if a check has succeeded since the caller read passed.
func (g *Guard) join() (look *pendingLook, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.passed.Load() {
		return nil, false
	}
	if g.pending != nil {
		return g.pending, false
	}
	g.pending = &pendingLook{done: make(chan struct{})}
	return g.pending, true
}

func (g *Guard) look(ctx context.Context, look *pendingLook) {
	look.err = fault.Recover(func() error { return g.ask(ctx, g.db) })
	g.passed.Store(look.err == nil)
	g.mu.Lock()
	g.pending = nil
	g.mu.Unlock()
	close(look.done)
}

func (g *Guard) ask(ctx context.Context, db bun.IDB) error {
	looks := []func(context.Context) ([]string, error){
		func(ctx context.Context) ([]string, error) {
			problems, err := Quoting(ctx, db)
			return fault.Texts(problems), err
		},
	}
	if g.elsewhere != nil {
		looks = append(looks, g.elsewhere.Quoting)
	}
	for _, look := range looks {
		ctx, cancel := context.WithTimeout(ctx, g.wait)
		problems, err := look(ctx)
		cancel()
		if err != nil {
			return fault.Unavailable(err)
		}
		if len(problems) > 0 {
			return fault.Setupf("text of clients cannot be written to the database safely: %s", strings.Join(problems, "; "))
		}
	}
	return nil
}
