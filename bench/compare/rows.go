package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/report"
)

// row is a line of the table.
type row struct {
	name    string
	goal    float64 // the largest ratio that is good enough, 0 for a row without a goal
	measure func(*bench) (outcome, error)
}

// outcome is what a row has measured. The sides are shown with their costs.
type outcome struct {
	ratio   measure.Ratio
	sides   []report.Side
	skipped string // why nothing was measured
}

// rows are the goals, in the order of the README, with the other peers below the first of
// their kind.
var rows = []row{
	{"cold_vs_golangjwt", 0.15, coldGolangJWT},
	{"cold_vs_cristalhq", 0.27, coldCristalhq},
	{"cold_vs_floor", 1.8, coldFloor},
	{"cold_vs_contrib", 0.20, coldContrib},
	{"cold_vs_echo", 0, coldEcho},
	{"cold_vs_gin", 0, coldGin},
	{"cold_vs_chi", 0, coldChi},
	{"warm_vs_contrib", 0.07, warmContrib},
	{"warm_vs_contrib_es256", 0.004, warmContribES256},
	{"asym_vs_crypto", 1.05, asymmetric},
	{"reject_vs_accept", 0.6, reject},
	{"worst_input", 1.0, worstInput},
	{"entity_vs_hand", 0.30, entityHand},
	{"entity_vs_hand_unchecked", 0, entityHandUnchecked},
	{"entity_vs_prepared", 1.15, entityPrepared},
	{"cached_vs_bare", 5, cachedBare},
	{"http_cpu_vs_bare", 1.2, httpCPUBare},
	{"http_cpu_vs_hand", 0.55, httpCPUHand},
	{"sign_vs_golangjwt", 0.22, sign},
	{"refresh_vs_work", 1.8, refreshWork},
	{"refresh_vs_work_pg", 1.3, refreshWorkPG},
	{"same_vs_read", 2, sameRead},
	{"pg_backend_request", 1.15, backendRequest},
	{"pg_backend_refresh", 1.8, backendRefresh},
	{"login_vs_hash", 1.03, loginHash},
	{"idle_vs_busy", 1.3, idleBusy},
	{"growth", 1.15, growth},
}

const heading = "row                       ratio  quartiles      halves         goal   holds"

func (r row) text(o outcome) string {
	if o.skipped != "" {
		return fmt.Sprintf("%-23s skipped: %s\n", r.name, o.skipped)
	}
	goal, holds := "-", ""
	if r.goal > 0 {
		goal, holds = fmt.Sprintf("≤ %.4g", r.goal), "no"
		if r.holds(o) {
			holds = "yes"
		}
	}
	q := o.ratio
	text := fmt.Sprintf("%-24s %6.4g  %-13s  %-13s  %-7s %s\n", r.name, q.Median, span(q.Low, q.High), span(q.Halves[0], q.Halves[1]), goal, holds)
	var sides []string
	for _, s := range o.sides {
		sides = append(sides, s.String())
	}
	return text + "    " + strings.Join(sides, " · ") + "\n"
}

// reported returns the outcome for a file, with as many digits as are certain.
func (r row) reported(o outcome) report.Row {
	kept := report.Row{Name: r.name, Goal: r.goal, Ratio: digits(o.ratio.Median), Low: digits(o.ratio.Low), High: digits(o.ratio.High), Skipped: o.skipped}
	for _, s := range o.sides {
		s.Nanos, s.Allocs = digits(s.Nanos), math.Round(s.Allocs)
		kept.Sides = append(kept.Sides, s)
	}
	return kept
}

// digits rounds to three significant digits.
func digits(x float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	return rounded
}

func (r row) holds(o outcome) bool { return o.ratio.Median <= r.goal }

func span(a, b float64) string { return fmt.Sprintf("%.3g %.3g", a, b) }

// outcomeOf returns the outcome of a measurement.
func outcomeOf(result measure.Result, of func(measure.Round) float64, cases []measure.Case) outcome {
	o := outcome{ratio: result.Ratio(of)}
	for _, c := range cases {
		o.sides = append(o.sides, report.Side{Name: c.Name, Nanos: result.Cost(c.Name), Allocs: result.Allocs[c.Name], Elsewhere: c.Elsewhere})
	}
	return o
}
