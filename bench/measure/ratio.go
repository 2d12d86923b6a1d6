package measure

import "slices"

// Ratio is a number for each round, such as the cost of one case over that of another.
type Ratio struct {
	Median    float64
	Low, High float64    // quartiles
	Halves    [2]float64 // medians of the first and of the second half of the rounds
}

// Ratio returns the median of what of returns for each round.
func (r Result) Ratio(of func(Round) float64) Ratio {
	values := make([]float64, len(r.Rounds))
	for i, round := range r.Rounds {
		values[i] = of(round)
	}
	half := len(values) / 2
	ratio := Ratio{Halves: [2]float64{quantile(values[:half], 0.5), quantile(values[half:], 0.5)}}
	ratio.Low, ratio.Median, ratio.High = quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)
	return ratio
}

// Cost returns the median cost of a case, in nanoseconds.
func (r Result) Cost(name string) float64 {
	return r.Ratio(func(round Round) float64 { return round[name] }).Median
}

// Over returns the cost of a over that of b.
func Over(a, b string) func(Round) float64 {
	return func(r Round) float64 { return r[a] / r[b] }
}

// Overhead returns what a adds to bare over what b adds to it.
func Overhead(a, b, bare string) func(Round) float64 {
	return func(r Round) float64 { return (r[a] - r[bare]) / (r[b] - r[bare]) }
}

// quantile returns the value below which the share q of the values is, interpolated; 0 if
// there are no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
