package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fiberjwt/fiberjwt/bench/report"
)

// nanosOf returns what a side of a row costs.
func nanosOf(c report.Comparison, row, side string) (float64, error) {
	r, err := c.Row(row)
	if err != nil {
		return 0, err
	}
	s, err := r.Side(side)
	return s.Nanos, err
}

func cost(c report.Comparison, row, side string) (string, error) {
	nanos, err := nanosOf(c, row, side)
	return report.Duration(nanos), err
}

// addedBars are what the middleware of each library adds to a route without one.
func addedBars(c report.Comparison) (bars []bar, err error) {
	for _, line := range []struct {
		name, row, side, bare string
		ours                  bool
	}{
		{"fiberjwt, token seen before", "warm_vs_contrib", "fiberjwt", "bare", true},
		{"fiberjwt, new token", "cold_vs_contrib", "fiberjwt", "bare", true},
		{"gofiber/contrib/jwt", "cold_vs_contrib", "contrib/jwt", "bare", false},
		{"echo-jwt", "cold_vs_echo", "echo-jwt", "echo-jwt bare", false},
		{"go-chi/jwtauth", "cold_vs_chi", "jwtauth", "jwtauth bare", false},
		{"gin-jwt", "cold_vs_gin", "gin-jwt", "gin-jwt bare", false},
	} {
		with, err := nanosOf(c, line.row, line.side)
		if err != nil {
			return nil, err
		}
		without, err := nanosOf(c, line.row, line.bare)
		if err != nil {
			return nil, err
		}
		bars = append(bars, bar{line.name, with - without, line.ours})
	}
	return bars, nil
}

// accountBars are what a whole request costs that loads its account.
func accountBars(c report.Comparison) (bars []bar, err error) {
	for _, line := range []struct {
		name, row, side string
		ours            bool
	}{
		{"fiberjwt with CacheTTL", "cached_vs_bare", "fiberjwt", true},
		{"fiberjwt", "entity_vs_prepared", "fiberjwt", true},
		{"prepared by hand, without a token", "entity_vs_prepared", "prepared join", false},
		{"contrib/jwt and Bun, no session check", "entity_vs_hand_unchecked", "contrib/jwt + Bun", false},
		{"contrib/jwt and Bun, session check", "entity_vs_hand", "contrib/jwt + Bun", false},
	} {
		nanos, err := nanosOf(c, line.row, line.side)
		if err != nil {
			return nil, err
		}
		bars = append(bars, bar{line.name, nanos, line.ours})
	}
	return bars, nil
}

// ratios returns the table of all rows.
func ratios(c report.Comparison) string {
	var b strings.Builder
	b.WriteString("| row | ratio | quartiles | goal | holds | costs |\n|---|---:|---|---:|---|---|\n")
	for _, r := range c.Rows {
		if r.Skipped != "" {
			fmt.Fprintf(&b, "| `%s` | – | – | – | – | not measured: %s |\n", r.Name, r.Skipped)
			continue
		}
		goal, holds := "–", "–"
		if r.Goal > 0 {
			goal, holds = number(r.Goal), "no"
			if r.Ratio <= r.Goal {
				holds = "yes"
			}
		}
		var sides []string
		for _, s := range r.Sides {
			sides = append(sides, s.String())
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s to %s | %s | %s | %s |\n", r.Name, number(r.Ratio), number(r.Low), number(r.High), goal, holds, strings.Join(sides, "; "))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// growthTable returns the table of sizes.
func growthTable(g report.Growth) string {
	var b strings.Builder
	b.WriteString("| database | sessions | request, median and p99 | refresh, median and p99 | bytes for each session |\n|---|---:|---:|---:|---:|\n")
	for _, p := range g.Points {
		fmt.Fprintf(&b, "| %s | %s | %d and %d µs | %d and %d µs | %d |\n",
			p.Database, thousands(p.Sessions), p.Request.P50, p.Request.P99, p.Refresh.P50, p.Refresh.P99, p.Bytes)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func databases(g report.Growth) (names []string) {
	for _, p := range g.Points {
		if !slices.Contains(names, p.Database) {
			names = append(names, p.Database)
		}
	}
	return names
}

func of(g report.Growth, database string) (points []report.Point) {
	for _, p := range g.Points {
		if p.Database == database {
			points = append(points, p)
		}
	}
	return points
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
