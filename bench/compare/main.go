// Command compare measures what fiberjwt costs beside its peers, in one run, and compares
// the ratios with their goals. It exits with 1 if a goal is missed, and with 2 if a
// measurement failed. The README of this module explains the rows.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"runtime/pprof"
	"time"

	"github.com/fiberjwt/fiberjwt/bench/report"
	"github.com/fiberjwt/fiberjwt/bench/server"
)

func main() {
	server.RunIfChild()
	quick := flag.Bool("quick", false, "measure a fifth of the rounds, in about a minute")
	only := flag.String("only", "", "measure only rows whose name matches this regular expression")
	profile := flag.String("cpuprofile", "", "write a profile to this file, with the name of the case as the label case")
	save := flag.String("save", "", "write the result to this file, for the command page")
	flag.Parse()
	// Refused requests are part of what is measured, and the default Config logs them.
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	stop, err := startProfile(*profile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	exit := run(*quick, regexp.MustCompile(*only), *save)
	stop()
	os.Exit(exit)
}

// startProfile writes a CPU profile to a file until stop is called. Without a name it does
// nothing.
func startProfile(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	file, err := os.Create(name) //nolint:gosec // the name is the argument of the person who measures
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}

func run(quick bool, only *regexp.Regexp, save string) int {
	b, err := newBench(quick)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer b.close()
	start, exit := time.Now(), 0
	var lines []string
	result := report.Comparison{Machine: report.Machine(), Rounds: b.plan.Rounds}
	fmt.Println(heading)
	for _, r := range rows {
		if !only.MatchString(r.name) {
			continue
		}
		o, err := r.measure(b)
		if err != nil {
			fmt.Printf("%-23s failed: %v\n", r.name, err)
			exit = 2
			continue
		}
		fmt.Print(r.text(o))
		result.Rows = append(result.Rows, r.reported(o))
		if r.goal == 0 || o.skipped != "" {
			continue
		}
		lines = append(lines, fmt.Sprintf("ratio %s %.4g", r.name, o.ratio.Median))
		if !r.holds(o) {
			exit = max(exit, 1)
		}
	}
	fmt.Printf("\n%s\n", time.Since(start).Round(time.Second))
	for _, line := range lines {
		fmt.Println(line)
	}
	if save == "" {
		return exit
	}
	if err := report.Save(save, result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return exit
}
