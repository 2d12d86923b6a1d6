package measure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/bench/measure"
)

func TestRatioIsTakenWithinRounds(t *testing.T) {
	// The machine became slower, for both alike.
	result := measure.Result{Rounds: []measure.Round{{"a": 1, "b": 2}, {"a": 10, "b": 20}, {"a": 100, "b": 200}, {"a": 7, "b": 14}}}
	require.Equal(t, measure.Ratio{Median: 0.5, Low: 0.5, High: 0.5, Halves: [2]float64{0.5, 0.5}}, result.Ratio(measure.Over("a", "b")))
}

func TestRatioHasQuartilesAndHalves(t *testing.T) {
	var result measure.Result
	for _, a := range []float64{5, 1, 2, 4, 3} {
		result.Rounds = append(result.Rounds, measure.Round{"a": a, "b": 1})
	}
	require.Equal(t, measure.Ratio{Median: 3, Low: 2, High: 4, Halves: [2]float64{3, 3}}, result.Ratio(measure.Over("a", "b")))
}

func TestMedianOfAnEvenNumberIsBetween(t *testing.T) {
	result := measure.Result{Rounds: []measure.Round{{"a": 4}, {"a": 1}, {"a": 2}, {"a": 3}}}
	require.Equal(t, 2.5, result.Cost("a"))
}

func TestOneSlowRoundDoesNotChangeTheMedian(t *testing.T) {
	result := measure.Result{Rounds: []measure.Round{{"a": 2}, {"a": 1e9}, {"a": 2}}}
	require.Equal(t, 2.0, result.Cost("a"))
}

func TestOverheadIsAboveTheBareCase(t *testing.T) {
	require.Equal(t, 0.25, measure.Overhead("a", "b", "bare")(measure.Round{"a": 3, "b": 9, "bare": 1}))
}

func TestNoRoundsHaveNoRatio(t *testing.T) {
	require.Zero(t, measure.Result{}.Ratio(measure.Over("a", "b")))
}
