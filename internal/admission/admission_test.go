package admission_test

import (
	"context"
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
				if g.Enter(t.Context(), false) != nil {
					return
				}
				inside.Add(1)
				<-leave
				g.Leave()
			}()
		}
		synctest.Wait()
		require.EqualValues(t, 2, inside.Load())
		start := time.Now()
		require.ErrorIs(t, g.Enter(t.Context(), false), admission.ErrBusy)
		require.Zero(t, time.Since(start))
		close(leave)
		synctest.Wait()
		require.EqualValues(t, 7, inside.Load(), "all in the queue have had their turn")
		for range 2 {
			require.NoError(t, g.Enter(t.Context(), false))
		}
	})
}

func TestTheUrgentPassAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(1, time.Minute, five)
		require.NoError(t, g.Enter(t.Context(), false))
		order := make(chan string, 6)
		enter := func(name string, urgent bool) {
			if g.Enter(t.Context(), urgent) == nil {
				order <- name
				g.Leave()
			}
		}
		for range 5 {
			go enter("stranger", false)
		}
		synctest.Wait()
		require.ErrorIs(t, g.Enter(t.Context(), false), admission.ErrBusy)
		go enter("owner", true)
		synctest.Wait()
		g.Leave()
		require.Equal(t, "owner", <-order)
		for range 5 {
			require.Equal(t, "stranger", <-order)
		}
	})
}

func TestWaitingEndsWithPatienceOrContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(1, 3*time.Second, five)
		require.NoError(t, g.Enter(t.Context(), false))
		start := time.Now()
		require.ErrorIs(t, g.Enter(t.Context(), false), admission.ErrBusy)
		require.Equal(t, 3*time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, g.Enter(ctx, false), context.DeadlineExceeded)
		require.ErrorIs(t, g.Enter(ctx, false), context.DeadlineExceeded)
		g.Leave()
		require.NoError(t, g.Enter(t.Context(), false), "those who gave up hold no place")
	})
}

func TestAPlaceThatComesTooLateIsHandedOn(t *testing.T) {
	for range 200 { // the two race
		synctest.Test(t, func(t *testing.T) {
			g := admission.New(1, time.Second, five)
			require.NoError(t, g.Enter(t.Context(), false))
			entered := make(chan bool)
			go func() { entered <- g.Enter(t.Context(), false) == nil }()
			time.Sleep(time.Second) // of the bubble's clock: both wake at once
			g.Leave()
			if <-entered {
				g.Leave()
			}
			require.NoError(t, g.Enter(t.Context(), false))
		})
	}
}
