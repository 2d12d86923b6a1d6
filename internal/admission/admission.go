// Package admission limits how many callers use a resource at the same time. Further
// callers wait in a queue, for a limited time.
package admission

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy is the error for a caller that waited too long, or whose queue was full.
var ErrBusy = errors.New("fiberjwt: too many passwords are being hashed")

// Gate is a semaphore with two bounded queues. The first is for callers with a proof that
// they have signed in before, so that a flood of other callers does not block them. The
// second is for all other callers. A Gate is safe for concurrent use.
type Gate struct {
	patience   time.Duration
	maxWaiting func() int

	mu      sync.Mutex
	free    int            // places that no caller uses
	passed  int            // counts the places that were passed on
	proofs  map[string]int // callers in the first queue or inside, by proof
	waiting [2]list.List   // of chan struct{}, closed when the caller gets a place
}

const (
	// perProof is how many callers with the same proof use the first queue. Further callers
	// with this proof use the second queue.
	perProof = 2
	// share gives one of this many places to the second queue, if a caller waits in it.
	share = 4
)

// New returns a Gate with places. A caller waits at most for patience. If maxWaiting()
// callers wait in a queue already, the next one is refused at once. maxWaiting is called
// under a lock and must not block.
func New(places int, patience time.Duration, maxWaiting func() int) *Gate {
	return &Gate{free: places, patience: patience, maxWaiting: maxWaiting, proofs: map[string]int{}}
}

// Enter waits for a place. The caller must call leave when it no longer needs the place;
// further calls of leave have no effect. The error is [ErrBusy] or the error of ctx.
// proof is "" for a caller without a proof.
func (g *Gate) Enter(ctx context.Context, proof string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	queue := &g.waiting[1]
	if proof != "" && g.proofs[proof] < perProof {
		queue = &g.waiting[0]
	} else {
		proof = ""
	}
	leave = sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.removeProof(proof)
		g.passOn()
	})
	if g.free > 0 {
		g.free--
		g.addProof(proof)
		g.mu.Unlock()
		return leave, nil
	}
	if queue.Len() >= g.maxWaiting() {
		g.mu.Unlock()
		return nil, ErrBusy
	}
	g.addProof(proof)
	turn := make(chan struct{})
	place := queue.PushBack(turn)
	g.mu.Unlock()

	patience := time.NewTimer(g.patience)
	defer patience.Stop()
	err = ErrBusy
	select {
	case <-turn:
		return leave, nil
	case <-patience.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeProof(proof)
	select {
	case <-turn: // the caller got a place at the same moment, and does not use it
		g.passOn()
	default:
		queue.Remove(place)
	}
	return nil, err
}

func (g *Gate) addProof(proof string) {
	if proof != "" {
		g.proofs[proof]++
	}
}

func (g *Gate) removeProof(proof string) {
	if g.proofs[proof]--; g.proofs[proof] <= 0 {
		delete(g.proofs, proof)
	}
}

// passOn gives the place to the first caller in a queue. If both queues are empty, the
// place is free.
func (g *Gate) passOn() {
	g.passed++
	order := []*list.List{&g.waiting[0], &g.waiting[1]}
	if g.passed%share == 0 {
		slices.Reverse(order)
	}
	for _, queue := range order {
		if first := queue.Front(); first != nil {
			close(queue.Remove(first).(chan struct{}))
			return
		}
	}
	g.free++
}
