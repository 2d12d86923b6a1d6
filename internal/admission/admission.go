// Package admission lets a few callers in at a time and the others wait in line,
// as long as waiting makes sense.
package admission

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy is the error of a caller that would wait for too long.
var ErrBusy = errors.New("fiberjwt: too many passwords are being hashed")

// Gate is a semaphore with two bounded queues: one for callers with a proof that
// they have been here before, whom a flood must not keep out, and one for all
// others. It is safe for concurrent use.
type Gate struct {
	patience time.Duration
	room     func() int

	mu     sync.Mutex
	free   int
	turn   int            // counts the places that were handed on
	proofs map[string]int // callers in the first queue or inside, by proof
	queues [2]list.List   // of chan struct{}
}

const (
	// perProof callers with the same proof have an advantage; more wait with all others.
	perProof = 2
	// Of this many turns one is for the second queue.
	share = 4
)

// New lets places callers in at a time. Others wait for patience at most. While
// room() callers wait in a queue, further ones are refused at once.
func New(places int, patience time.Duration, room func() int) *Gate {
	return &Gate{free: places, patience: patience, room: room, proofs: map[string]int{}}
}

// Enter waits for a place. Call leave when it is not needed any more; calling it
// again has no effect. The error is [ErrBusy] or that of ctx. proof is "" for a
// caller that has none.
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
	case <-turn: // it came at the same moment
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

// next hands the place on to the first in line.
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
