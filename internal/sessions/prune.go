package sessions

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

const (
	// pruneEvery is the shortest time between two rounds of a pruner.
	pruneEvery = time.Hour
	// pruneFor is the longest time of a round. The next round continues with the rest.
	pruneFor = time.Minute
)

// pruner deletes expired rows from the tables of the library, in the background. No
// goroutine waits for the next round: a call that adds a row starts it, so without sign-ins
// nothing runs. It is safe for concurrent use.
type pruner struct {
	prune func(context.Context) error
	fail  func(error) // called with the error of a failed round
	now   func() time.Time

	mu     sync.Mutex
	next   time.Time // when the next round may start
	busy   bool      // a round runs
	closed bool
	rounds sync.WaitGroup
	ctx    context.Context // canceled by close
	cancel context.CancelFunc
}

// newPruner returns a pruner whose first round is at a random time within pruneEvery, so
// that processes that start together do not prune together.
func newPruner(prune func(context.Context) error, fail func(error), now func() time.Time) *pruner {
	p := &pruner{prune: prune, fail: fail, now: now, next: now().Add(rand.N(pruneEvery))}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// grown must be called after a row was added. It starts a round if one is due, and does not
// wait for it. On a nil pruner, grown and close do nothing.
func (p *pruner) grown() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	wait := p.next.Sub(now)
	// A longer wait means that the clock was set back after next was set.
	if p.closed || p.busy || wait > 0 && wait <= pruneEvery {
		return
	}
	p.next, p.busy = now.Add(pruneEvery), true
	p.rounds.Go(p.round)
}

func (p *pruner) round() {
	ctx, cancel := context.WithTimeout(p.ctx, pruneFor)
	defer cancel()
	err := fault.Recover(func() error { return p.prune(ctx) })
	if err != nil && ctx.Err() == nil {
		_ = fault.Recover(func() error { p.fail(err); return nil })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
}

// close cancels the running round and waits for it. No further round starts.
func (p *pruner) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.rounds.Wait()
}
