package sessions

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

const (
	// pruneEvery is the least time between two rounds of a pruner.
	pruneEvery = time.Hour
	// pruneFor bounds a round; the next one goes on with the rest.
	pruneFor = time.Minute
)

// pruner deletes what is over from the tables of the library, in the background.
// It has no goroutine of its own that waits: a round is started by what makes the
// tables grow, so without sign-ins nothing runs. Safe for concurrent use.
type pruner struct {
	prune func(context.Context) error
	fail  func(error) // is told why a round failed
	now   func() time.Time

	mu      sync.Mutex
	next    time.Time // when the next round may start
	busy    bool      // a round runs
	closed  bool
	rounds  sync.WaitGroup
	ctx     context.Context // ends with close
	endThem context.CancelFunc
}

// newPruner has its first round within pruneEvery, at a random moment, so that
// processes that were started together do not prune together.
func newPruner(prune func(context.Context) error, fail func(error), now func() time.Time) *pruner {
	p := &pruner{prune: prune, fail: fail, now: now, next: now().Add(rand.N(pruneEvery))}
	p.ctx, p.endThem = context.WithCancel(context.Background())
	return p
}

// grown is called when a row was added. It starts a round if one is due, and does
// not wait for it. On a nil pruner it does nothing, as does close.
func (p *pruner) grown() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	wait := p.next.Sub(now)
	// A time that is too far off was set before the clock was put back.
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

// close ends the round that runs, waits for it, and starts no more.
func (p *pruner) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.endThem()
	p.rounds.Wait()
}
