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

// Guard keeps text of clients out of statements until it is known that the
// databases read literals as Bun writes them: see [Quoting]. That costs one
// statement for each database until it is known, and a load of an atomic
// afterwards. Requests that come meanwhile wait for the same look. Safe for
// concurrent use.
type Guard struct {
	db        *bun.DB
	elsewhere GuardedStore  // nil: the sessions are in db, or in no database
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

// GuardedStore is a store in a database, which may be another than that of the
// accounts.
type GuardedStore interface {
	Quoting(ctx context.Context) ([]string, error)
}

// NewGuard looks at db, and at elsewhere if it is not nil, for at most wait each.
func NewGuard(db *bun.DB, elsewhere GuardedStore, wait time.Duration) *Guard {
	return &Guard{db: db, elsewhere: elsewhere, wait: wait}
}

// Check is nil if statements may have text of clients in them. The error is
// ErrSetup if they must not, or ErrUnavailable if that is not known; the next call
// looks again.
func (g *Guard) Check(ctx context.Context) error {
	if g == nil || g.holds.Load() {
		return nil
	}
	look, mine := g.join()
	if look == nil {
		return nil
	}
	if mine {
		g.look(context.WithoutCancel(ctx), look) // others wait for it
	}
	select {
	case <-look.done:
		return look.err
	case <-ctx.Done():
		return fault.Unavailable(ctx.Err())
	}
}

// CheckIn is Check in a transaction of the application's, or out of one if db is nil.
// The transaction may have the only connection of the pool, so it looks by itself,
// for itself alone.
func (g *Guard) CheckIn(ctx context.Context, db bun.IDB) error {
	if _, pool := db.(*bun.DB); g == nil || db == nil || pool || g.holds.Load() {
		return g.Check(ctx)
	}
	return fault.Recover(func() error { return g.ask(ctx, db) })
}

// join returns the look that is under way, or a new one, which the caller must run. It
// returns nil if a look has succeeded since the caller read holds.
func (g *Guard) join() (look *outlook, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds.Load() {
		return nil, false
	}
	if g.going != nil {
		return g.going, false
	}
	g.going = &outlook{done: make(chan struct{})}
	return g.going, true
}

func (g *Guard) look(ctx context.Context, look *outlook) {
	look.err = fault.Recover(func() error { return g.ask(ctx, g.db) })
	g.holds.Store(look.err == nil)
	g.mu.Lock()
	g.going = nil
	g.mu.Unlock()
	close(look.done)
}

func (g *Guard) ask(ctx context.Context, db bun.IDB) error {
	looks := []func(context.Context) ([]string, error){
		func(ctx context.Context) ([]string, error) { return Quoting(ctx, db) },
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
			return fault.Setupf("text of clients is kept out of the database: %s", strings.Join(problems, "; "))
		}
	}
	return nil
}
