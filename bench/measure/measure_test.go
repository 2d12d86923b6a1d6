package measure_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/bench/measure"
)

// work is a case whose every run takes cost on a clock that only such cases move.
type work struct {
	now   *time.Duration
	runs  []int
	begun int // how often Before ran
}

func (w *work) costs(name string, cost time.Duration) measure.Case {
	return measure.Case{
		Name:   name,
		Run:    func(n int) error { w.runs = append(w.runs, n); *w.now += time.Duration(n) * cost; return nil },
		Before: func() error { w.begun++; return nil },
		Clock:  func() (time.Duration, error) { return *w.now, nil },
	}
}

var plan = measure.Plan{Rounds: 5, Slice: 8 * time.Millisecond}

func TestCostIsThatOfOneRun(t *testing.T) {
	a, b := work{now: new(time.Duration)}, work{now: new(time.Duration)}
	result, err := plan.Run(a.costs("a", 2*time.Microsecond), b.costs("b", 3*time.Microsecond))
	require.NoError(t, err)
	require.Len(t, result.Rounds, plan.Rounds)
	require.InDelta(t, 2000, result.Cost("a"), 1e-6)
	require.InDelta(t, 2.0/3, result.Ratio(measure.Over("a", "b")).Median, 1e-9)
}

func TestSliceTakesItsTime(t *testing.T) {
	w := work{now: new(time.Duration)}
	_, err := plan.Run(w.costs("a", time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, 8000, w.runs[len(w.runs)-1])
}

func TestDearWorkRunsOncePerSlice(t *testing.T) {
	w := work{now: new(time.Duration)}
	_, err := plan.Run(w.costs("a", time.Second))
	require.NoError(t, err)
	for _, n := range w.runs {
		require.Equal(t, 1, n)
	}
}

func TestWorkThatIsUsedUpRunsAtMostThatOften(t *testing.T) {
	w := work{now: new(time.Duration)}
	c := w.costs("a", time.Microsecond)
	c.Most = 100
	_, err := plan.Run(c)
	require.NoError(t, err)
	for _, n := range w.runs {
		require.LessOrEqual(t, n, 100)
	}
	require.Equal(t, 100, w.runs[len(w.runs)-1])
}

func TestBeforeRunsBeforeEachSlice(t *testing.T) {
	w := work{now: new(time.Duration)}
	_, err := plan.Run(w.costs("a", time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, len(w.runs), w.begun)
}

func TestFailedRunEndsMeasurement(t *testing.T) {
	wrong := errors.New("a wrong answer")
	_, err := plan.Run(measure.Case{Name: "a", Run: measure.Each(func() error { return wrong })})
	require.ErrorIs(t, err, wrong)
	require.ErrorContains(t, err, "a: ")
}

func TestAllocationsAreCounted(t *testing.T) {
	var kept []byte
	c := measure.Case{Name: "a", Run: measure.Each(func() error { kept = make([]byte, 1<<10); return nil }), Clock: measure.Wall, Most: 1000}
	result, err := plan.Run(c)
	require.NoError(t, err)
	require.NotNil(t, kept)
	require.InDelta(t, 1, result.Allocs["a"], 0.5)
}
