package admission_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/admission"
)

func five() int { return 5 }

func TestExcessIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(2, time.Minute, five)
		var inside atomic.Int32
		leave := make(chan struct{})
		for range 2 + 5 {
			go func() {
				done, err := g.Enter(t.Context(), "")
				if err != nil {
					return
				}
				inside.Add(1)
				<-leave
				done()
				done() // has no effect
			}()
		}
		synctest.Wait()
		require.EqualValues(t, 2, inside.Load())
		start := time.Now()
		_, err := g.Enter(t.Context(), "")
		require.ErrorIs(t, err, admission.ErrBusy)
		require.Zero(t, time.Since(start))
		close(leave)
		synctest.Wait()
		require.EqualValues(t, 7, inside.Load(), "every caller in the queue got a place")
		for range 2 {
			enter(t, g)
		}
	})
}

// enter requires that a caller gets a place at once.
func enter(t *testing.T, g *admission.Gate) (leave func()) {
	t.Helper()
	start := time.Now()
	leave, err := g.Enter(t.Context(), "")
	require.NoError(t, err)
	require.Zero(t, time.Since(start))
	return leave
}

// queue starts callers that wait for a place, and send name to order when they get one.
func queue(t *testing.T, g *admission.Gate, name, proof string, callers int, order chan<- string) {
	t.Helper()
	for range callers {
		go func() {
			if leave, err := g.Enter(t.Context(), proof); err == nil {
				order <- name
				leave()
			}
		}()
	}
	synctest.Wait()
}

func TestProofPassesAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(1, time.Minute, five)
		leave := enter(t, g)
		order := make(chan string, 20)
		queue(t, g, "no proof", "", 7, order)
		_, err := g.Enter(t.Context(), "")
		require.ErrorIs(t, err, admission.ErrBusy)
		queue(t, g, "owner", "the owner's browser", 1, order)
		leave()
		require.Equal(t, "owner", <-order)
		for range 5 {
			require.Equal(t, "no proof", <-order)
		}
	})
}

func TestProofsDoNotKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(1, time.Minute, func() int { return 100 })
		leave := enter(t, g)
		order := make(chan string, 100)
		for i := range 40 {
			queue(t, g, "proof", strings.Repeat("x", i+1), 1, order)
		}
		queue(t, g, "no proof", "", 5, order)
		leave()
		synctest.Wait()
		others := 0
		for range 20 {
			if <-order == "no proof" {
				others++
			}
		}
		require.Equal(t, 5, others, "one place in four goes to the second queue")
	})
}

func TestOneProofGetsAtMostTwoPriorityPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(1, time.Minute, five)
		leave := enter(t, g)
		order := make(chan string, 20)
		queue(t, g, "one proof", "a browser", 50, order)
		queue(t, g, "another", "another browser", 1, order)
		leave()
		synctest.Wait()
		close(order)
		var names []string
		for name := range order {
			names = append(names, name)
		}
		require.Len(t, names, 2+5+1, "the other callers with this proof used the second queue")
		require.Contains(t, names[:4], "another")
	})
}

func TestWaitingEndsWithPatienceOrContext(t *testing.T) {
	for _, proof := range []string{"", "a browser"} {
		synctest.Test(t, func(t *testing.T) {
			g := admission.New(1, 3*time.Second, five)
			leave := enter(t, g)
			start := time.Now()
			_, err := g.Enter(t.Context(), proof)
			require.ErrorIs(t, err, admission.ErrBusy)
			require.Equal(t, 3*time.Second, time.Since(start))

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for range 10 {
				_, err = g.Enter(ctx, proof)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			leave()
			enter(t, g)()
		})
	}
}

func TestLatePlaceIsHandedOn(t *testing.T) {
	for range 200 { // the end of the wait and the free place race
		synctest.Test(t, func(t *testing.T) {
			g := admission.New(1, time.Second, five)
			leave := enter(t, g)
			entered := make(chan func())
			go func() {
				leave, _ := g.Enter(t.Context(), "a browser")
				entered <- leave
			}()
			time.Sleep(time.Second) // on the clock of synctest: both goroutines wake at the same time
			leave()
			if leave := <-entered; leave != nil {
				leave()
			}
			enter(t, g)
		})
	}
}
