// Package measure compares what pieces of work cost. It measures them in short slices that
// alternate, and takes ratios between slices of the same round, so that other work on the
// machine, which changes slowly, affects both sides of a ratio alike.
package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

// Case is a piece of work.
type Case struct {
	Name string
	// Run does the work n times. An error ends the measurement: work that fails early is
	// cheap, and must not win.
	Run func(n int) error
	// Before, if not nil, runs before each slice of Run and is not measured. It undoes what
	// the slice before it has changed.
	Before func() error
	// Most limits n, for work that is used up. Default: no limit.
	Most int
	// Clock measures the cost of Run. Default: [ProcessCPU].
	Clock Clock
	// Elsewhere says that another process does the work. Its allocations are not known.
	Elsewhere bool
	// Procs is GOMAXPROCS during Run. Default 1: with a second, idle processor the runtime
	// wakes a thread for each goroutine that starts, which costs CPU time only while the
	// machine has nothing else to do.
	Procs int
}

// Each returns a [Case].Run that calls do n times.
func Each(do func() error) func(n int) error {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

// Clock returns a time that grows with the cost of the work.
type Clock func() (time.Duration, error)

// ProcessCPU is the CPU time of this process, of all its threads.
func ProcessCPU() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}

var start = time.Now()

// Wall is the time that passes.
func Wall() (time.Duration, error) { return time.Since(start), nil }

// Plan says how much is measured.
type Plan struct {
	Rounds int           // each measures one slice of each case, in random order
	Slice  time.Duration // what a slice should take
}

// Round has the cost of one run of each case, in nanoseconds, by the name of the case.
type Round map[string]float64

// Result is what a Plan measured.
type Result struct {
	Rounds []Round
	Allocs map[string]float64 // allocations of one run, by the name of the case; none for work elsewhere
}

// Run measures cases.
func (p Plan) Run(cases ...Case) (Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	result := Result{Allocs: map[string]float64{}}
	counts := make([]int, len(cases))
	for i, c := range cases {
		var err error
		if counts[i], err = p.calibrate(c); err != nil {
			return Result{}, err
		}
		if c.Elsewhere {
			continue
		}
		if result.Allocs[c.Name], err = allocs(c, counts[i]); err != nil {
			return Result{}, err
		}
	}
	order := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same order in every run
	for range p.Rounds {
		round := Round{}
		for _, i := range order.Perm(len(cases)) {
			spent, err := slice(cases[i], counts[i])
			if err != nil {
				return Result{}, err
			}
			round[cases[i].Name] = float64(spent) / float64(counts[i])
		}
		result.Rounds = append(result.Rounds, round)
	}
	return result, nil
}

// calibrate returns how often c runs in a slice. It measures several slices, because the
// first runs of most work cost more than the later ones.
func (p Plan) calibrate(c Case) (int, error) {
	const slices, growth = 7, 16
	n := 1
	for range slices {
		spent, err := slice(c, n)
		if err != nil {
			return 0, err
		}
		most := growth * n
		if c.Most > 0 {
			most = min(most, c.Most)
		}
		fits := int(float64(n) * float64(p.Slice) / float64(max(spent, 1)))
		n = max(1, min(fits, most))
	}
	return n, nil
}

// slice returns the cost of n runs of c, which start with an empty heap.
func slice(c Case, n int) (time.Duration, error) {
	if c.Before != nil {
		if err := c.Before(); err != nil {
			return 0, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	clock := c.Clock
	if clock == nil {
		clock = ProcessCPU
	}
	runtime.GOMAXPROCS(max(1, c.Procs))
	runtime.GC()
	before, err := clock()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	pprof.Do(context.Background(), pprof.Labels("case", c.Name), func(context.Context) { err = c.Run(n) })
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	after, err := clock()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	return after - before, nil
}

// allocs returns how often one run of c allocates.
func allocs(c Case, n int) (float64, error) {
	if c.Before != nil {
		if err := c.Before(); err != nil {
			return 0, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := c.Run(n); err != nil {
		return 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), nil
}
