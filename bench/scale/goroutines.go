package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/server"
)

// goroutines measures whether goroutines that verify cached tokens wait for each other, on
// all processors.
func goroutines(w *world) error {
	a, err := w.open("goroutines", fiberjwt.Config{CacheTTL: server.CacheTTL}, 512)
	if err != nil {
		return err
	}
	defer a.close()
	var cases []measure.Case
	for _, count := range []int{2, 16} {
		cases = append(cases, measure.Case{
			Name: fmt.Sprintf("%d goroutines, wall", count), Run: func(n int) error { return a.verify(count, n) },
			Clock: measure.Wall, Procs: runtime.NumCPU(),
		})
	}
	if err := a.verify(1, 3*len(a.signedIn)); err != nil {
		return err
	}
	result, err := w.plan.Run(cases...)
	if err != nil {
		return err
	}
	report("goroutines", result, cases)
	return nil
}

// verify verifies n tokens on a number of goroutines.
func (a *application) verify(goroutines, n int) error {
	ctx, errs := context.Background(), make([]error, goroutines)
	var done sync.WaitGroup
	for g := range goroutines {
		done.Go(func() {
			for i := g; i < n; i += goroutines {
				if _, err := a.auth.Verify(ctx, a.signedIn[i%len(a.signedIn)].Tokens.AccessToken); err != nil {
					errs[g] = err
					return
				}
			}
		})
	}
	done.Wait()
	return errors.Join(errs...)
}
