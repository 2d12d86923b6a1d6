package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/report"
)

func TestGoalHoldsUpToItsValue(t *testing.T) {
	r := row{goal: 0.2}
	for median, holds := range map[float64]bool{0.1: true, 0.2: true, 0.2001: false} {
		require.Equal(t, holds, r.holds(outcome{ratio: measure.Ratio{Median: median}}), "%v", median)
	}
}

func TestLineSaysWhetherTheGoalHolds(t *testing.T) {
	r, o := row{name: "cold_vs_floor", goal: 1.8}, outcome{ratio: measure.Ratio{Median: 1.5}, sides: []report.Side{{Name: "fiberjwt", Nanos: 980, Allocs: 1}}}
	require.Regexp(t, `^cold_vs_floor +1\.5 .*≤ 1\.8 +yes\n +fiberjwt 980 ns, 1 allocs\n$`, r.text(o))
	o.ratio.Median = 3.77
	require.Regexp(t, `3\.77 .*≤ 1\.8 +no\n`, r.text(o))
}

func TestSkippedRowSaysWhy(t *testing.T) {
	require.Equal(t, "growth                  skipped: there is no server\n", row{name: "growth", goal: 1}.text(outcome{skipped: "there is no server"}))
}

func TestRowsHaveDifferentNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		require.False(t, seen[r.name], r.name)
		seen[r.name] = true
	}
}

func TestDurationsHaveThreeDigits(t *testing.T) {
	for nanos, want := range map[float64]string{92.4: "92 ns", 2_154: "2.15 µs", 55_000: "55 µs", 23_456_000: "23.5 ms"} {
		require.Equal(t, want, report.Duration(nanos))
	}
}
