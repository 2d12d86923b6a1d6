// Package admission limits how many callers are inside at the same time. Others
// wait in a queue, for a limited time.
package admission

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy is the error for a caller that would wait too long.
var ErrBusy = errors.New("fiberjwt: too many passwords are being hashed")

// Gate is a semaphore with two bounded queues: one for callers with a proof that
// they have been here before, so that a flood does not keep them out, and one for
// all others. It is safe for concurrent use.
type Gate struct {
	patience time.Duration
	room     func() int

	mu     sync.Mutex
	free   int
	turn   int            // counts the places that were passed on
	proofs map[string]int // callers in the first queue or inside, by proof
	queues [2]list.List   // of chan struct{}
}

const (
	// perProof callers with the same proof use the first queue; further ones use the second.
	perProof = 2
	// One of this many turns is for the second queue.
	share = 4
)

// New returns a Gate with places. A caller waits at most for patience. If room()
// callers wait in a queue already, the next one is refused at once.
func New(places int, patience time.Duration, room func() int) *Gate {
	return &Gate{free: places, patience: patience, room: room, proofs: map[string]int{}}
}

// Enter waits for a place. The caller must call leave when it does not need the
// place any more; further calls of leave have no effect. The error is [ErrBusy] or
// that of ctx. proof is "" for a caller without a proof.
func (g *Gate) Enter(ctx context.Context, proof string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	queue := &g.queues[1]
	if proof != "" && g.proofs[proof] < perProof {
		queue = &g.queues[0]
	} else {
		proof = ""
	}
	leave = sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.drop(proof)
		g.next()
	})
	if g.free > 0 {
		g.free--
		g.keep(proof)
		g.mu.Unlock()
		return leave, nil
	}
	if queue.Len() >= g.room() {
		g.mu.Unlock()
		return nil, ErrBusy
	}
	g.keep(proof)
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
	g.drop(proof)
	select {
	case <-turn: // the place came at the same moment: pass it on
		g.next()
	default:
		queue.Remove(place)
	}
	return nil, err
}

func (g *Gate) keep(proof string) {
	if proof != "" {
		g.proofs[proof]++
	}
}

func (g *Gate) drop(proof string) {
	if g.proofs[proof]--; g.proofs[proof] <= 0 {
		delete(g.proofs, proof)
	}
}

// next passes the place on to the first caller in a queue.
func (g *Gate) next() {
	g.turn++
	order := []*list.List{&g.queues[0], &g.queues[1]}
	if g.turn%share == 0 {
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
