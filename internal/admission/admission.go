// Package admission lets a few callers in at a time and the others wait in line,
// as long as waiting makes sense.
package admission

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrBusy is the error of a caller that would wait for too long.
var ErrBusy = errors.New("fiberjwt: too many passwords are being hashed")

// Gate is a semaphore with two bounded queues, for those who must not be kept
// out by a flood and for all others. It is safe for concurrent use.
type Gate struct {
	patience time.Duration
	room     func() int

	mu     sync.Mutex
	free   int
	queues [2]list.List // of chan struct{}; the first is served first
}

// New lets places callers in at a time. Others wait for patience at most. While
// room() callers wait in a queue, further ones are refused at once.
func New(places int, patience time.Duration, room func() int) *Gate {
	return &Gate{free: places, patience: patience, room: room}
}

// Enter waits for a place; call Leave after it returned nil. Its error is ErrBusy
// or that of ctx. The urgent are let in before all others.
func (g *Gate) Enter(ctx context.Context, urgent bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	queue := &g.queues[1]
	if urgent {
		queue = &g.queues[0]
	}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	if queue.Len() >= g.room() {
		g.mu.Unlock()
		return ErrBusy
	}
	turn := make(chan struct{})
	place := queue.PushBack(turn)
	g.mu.Unlock()

	patience := time.NewTimer(g.patience)
	defer patience.Stop()
	err := ErrBusy
	select {
	case <-turn:
		return nil
	case <-patience.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // it came at the same moment
		g.next()
	default:
		queue.Remove(place)
	}
	return err
}

// Leave gives the place to the next in line.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next()
}

func (g *Gate) next() {
	for i := range g.queues {
		if first := g.queues[i].Front(); first != nil {
			close(g.queues[i].Remove(first).(chan struct{}))
			return
		}
	}
	g.free++
}
