// Package report has the results of the measurements in a form that can be kept in a file.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Comparison is what the command compare measured.
type Comparison struct {
	Machine string `json:"machine"`
	Rounds  int    `json:"rounds"`
	Rows    []Row  `json:"rows"`
}

// Row is a line of the table: a ratio, with its quartiles, and what its sides cost.
type Row struct {
	Name    string  `json:"name"`
	Goal    float64 `json:"goal,omitempty"` // the largest ratio that is good enough; 0: none
	Ratio   float64 `json:"ratio,omitempty"`
	Low     float64 `json:"low,omitempty"`
	High    float64 `json:"high,omitempty"`
	Sides   []Side  `json:"sides,omitempty"`
	Skipped string  `json:"skipped,omitempty"` // why nothing was measured
}

// Side is one side of a ratio.
type Side struct {
	Name   string  `json:"name"`
	Nanos  float64 `json:"nanos"`
	Allocs float64 `json:"allocs,omitempty"`
	// Elsewhere says that another process did the work, whose allocations are not known.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// String returns the side with its costs.
func (s Side) String() string {
	if s.Elsewhere {
		return s.Name + " " + Duration(s.Nanos)
	}
	return fmt.Sprintf("%s %s, %.0f allocs", s.Name, Duration(s.Nanos), s.Allocs)
}

// Row returns the row with this name.
func (c *Comparison) Row(name string) (Row, error) {
	for _, r := range c.Rows {
		if r.Name == name {
			return r, nil
		}
	}
	return Row{}, fmt.Errorf("there is no row %s", name)
}

// Side returns the side with this name.
func (r Row) Side(name string) (Side, error) {
	for _, s := range r.Sides {
		if s.Name == name {
			return s, nil
		}
	}
	return Side{}, fmt.Errorf("the row %s has no side %s", r.Name, name)
}

// Growth is what the command growth measured.
type Growth struct {
	Machine string  `json:"machine"`
	Points  []Point `json:"points"`
}

// Point is what a request and a refresh take when the table has a number of sessions.
type Point struct {
	Database string `json:"database"`
	Sessions int    `json:"sessions"`
	Request  Times  `json:"request"`
	Refresh  Times  `json:"refresh"`
	Bytes    int64  `json:"bytes"` // of the table with its indexes, for each session
}

// Times are percentiles in microseconds.
type Times struct {
	P50 int64 `json:"p50"`
	P99 int64 `json:"p99"`
}

// Save writes a result to a file.
func Save(path string, result any) error {
	text, err := json.MarshalIndent(result, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // a file of the repository
}

// Load reads a result from a file.
func Load(path string, result any) error {
	text, err := os.ReadFile(path) //nolint:gosec // a file of the repository
	if err != nil {
		return err
	}
	return json.Unmarshal(text, result)
}

// Machine describes the machine: its processors, its system and the version of Go.
func Machine() string {
	processor := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			processor = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d processors (%s), %s, %s", runtime.NumCPU(), processor, runtime.GOOS, runtime.Version())
}

// Duration returns a time as text with three significant digits.
func Duration(nanos float64) string {
	switch {
	case nanos < 1e3:
		return fmt.Sprintf("%.0f ns", nanos)
	case nanos < 1e6:
		return fmt.Sprintf("%.3g µs", nanos/1e3)
	}
	return fmt.Sprintf("%.3g ms", nanos/1e6)
}
