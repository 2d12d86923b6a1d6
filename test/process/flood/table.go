package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// table is the report: names and figures in the order in which they came.
type table struct{ rows [][2]string }

func (t *table) add(name, format string, args ...any) {
	t.rows = append(t.rows, [2]string{name, fmt.Sprintf(format, args...)})
}

// print writes the table as Markdown.
func (t *table) print(w io.Writer) {
	_, _ = fmt.Fprint(w, "| name | figure |\n|---|---|\n")
	for _, row := range t.rows {
		_, _ = fmt.Fprintf(w, "| %s | %s |\n", cell(row[0]), cell(row[1]))
	}
}

const maxCell = 240

func cell(text string) string {
	if runes := []rune(text); len(runes) > maxCell {
		text = string(runes[:maxCell]) + "…"
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
