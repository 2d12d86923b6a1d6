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
	"time"

	"github.com/fiberjwt/fiberjwt/bench/server"
)

func main() {
	server.RunIfChild()
	quick := flag.Bool("quick", false, "measure a fifth of the rounds, in about a minute")
	only := flag.String("only", "", "measure only rows whose name matches this regular expression")
	flag.Parse()
	// Refused requests are part of what is measured, and the default Config logs them.
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(run(*quick, regexp.MustCompile(*only)))
}

func run(quick bool, only *regexp.Regexp) int {
	b, err := newBench(quick)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer b.close()
	start, exit := time.Now(), 0
	var lines []string
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
	return exit
}
