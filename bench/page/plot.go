package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/fiberjwt/fiberjwt/bench/report"
)

// Sizes in the units of the pictures.
const (
	width     = 800
	margin    = 24
	labels    = 270 // the width of the names of the bars
	barHeight = 20
	rowHeight = 30
)

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="14">
  <!-- Made by bench/page from bench/results -->
  <title id="t">%[3]s</title>
  <desc id="d">%[4]s</desc>
  <style>
    .paper { fill: #ffffff; stroke: #d0d5dd }
    .ours { fill: #4f46e5; stroke: #4f46e5 }
    .other { fill: #a6adbd; stroke: #7d869c }
    .name { fill: #1a1a2e }
    .title { fill: #1a1a2e; font-weight: 600 }
    .note { fill: #4a5068; font-size: 12px }
    .grid { stroke: #e3e6ee }
    .line { fill: none; stroke-width: 2 }
    .dashed { stroke-dasharray: 5 4 }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #14161f; stroke: #343a4d }
      .ours { fill: #a5a1ff; stroke: #a5a1ff }
      .other { fill: #5a6178; stroke: #8d94ab }
      .name { fill: #f1f2f8 }
      .title { fill: #f1f2f8 }
      .note { fill: #b9bfd2 }
      .grid { stroke: #2a2f40 }
    }
  </style>
  <rect class="paper" x="0.5" y="0.5" width="%[5]d" height="%[6]d" rx="8"/>
`

// frame returns a picture with a title and a description for screen readers.
func frame(height int, title, description, content string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, head, width, height, title, description, width-1, height-1)
	b.WriteString(content)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// bar is a cost in nanoseconds.
type bar struct {
	name  string
	nanos float64
	ours  bool
}

// peersPicture returns the bars of two comparisons: what a middleware adds to a route, and
// what a whole request costs that loads its account.
func peersPicture(c report.Comparison) ([]byte, error) {
	added, err := addedBars(c)
	if err != nil {
		return nil, err
	}
	whole, err := accountBars(c)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	var sentences []string
	y := margin
	for _, panel := range []struct {
		title string
		bars  []bar
	}{
		{"What the middleware adds to a request, HS256", added},
		{"A whole request that loads its account from SQLite", whole},
	} {
		fmt.Fprintf(&b, "  <text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", margin, y+12, panel.title)
		y += rowHeight
		var said []string
		most := 0.0
		for _, bar := range panel.bars {
			most = max(most, bar.nanos)
		}
		for _, bar := range panel.bars {
			drawBar(&b, y, bar, most)
			said = append(said, bar.name+" "+report.Duration(bar.nanos))
			y += rowHeight
		}
		sentences = append(sentences, panel.title+": "+strings.Join(said, ", ")+".")
		y += margin / 2
	}
	return frame(y+margin/2, "What fiberjwt costs beside other libraries", strings.Join(sentences, " "), b.String()), nil
}

func drawBar(b *strings.Builder, y int, bar bar, most float64) {
	class, room := "other", width-labels-2*margin-80
	if bar.ours {
		class = "ours"
	}
	long := max(1, bar.nanos/most*float64(room))
	fmt.Fprintf(b, "  <text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n", margin, y+15, bar.name)
	fmt.Fprintf(b, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"%d\"/>\n", class, margin+labels, y, long, barHeight)
	fmt.Fprintf(b, "  <text class=\"note\" x=\"%.0f\" y=\"%d\">%s</text>\n", margin+labels+long+8, y+15, report.Duration(bar.nanos))
}

// growthPicture returns the medians of a request and a refresh over the number of sessions.
func growthPicture(g report.Growth) []byte {
	const top, height, left, right = 60, 300, 80, 170
	var most, least, last float64 = 0, math.Inf(1), 0
	for _, p := range g.Points {
		most = max(most, float64(p.Request.P50), float64(p.Refresh.P50))
		least, last = min(least, float64(p.Sessions)), max(last, float64(p.Sessions))
	}
	step := roundStep(most)
	most = math.Ceil(most/step) * step
	x := func(sessions float64) float64 {
		return left + math.Log(sessions/least)/math.Log(last/least)*(width-left-right)
	}
	y := func(micros float64) float64 { return top + height - micros/most*height }

	var b strings.Builder
	const title = "Median time of a request and of a refresh as the table of sessions grows"
	fmt.Fprintf(&b, "  <text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", margin, margin+12, title)
	for at := 0.0; at <= most; at += step {
		fmt.Fprintf(&b, "  <line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", left, width-right, y(at), y(at))
		fmt.Fprintf(&b, "  <text class=\"note\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f µs</text>\n", left-8, y(at)+4, at)
	}
	for size := least; size < last; size *= 10 {
		fmt.Fprintf(&b, "  <text class=\"note\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x(size), top+height+20, thousands(int(size)))
	}
	fmt.Fprintf(&b, "  <text class=\"note\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s sessions</text>\n", x(last), top+height+20, thousands(int(last)))
	var sentences []string
	for _, database := range databases(g) {
		class := "ours"
		if database != "SQLite" {
			class = "other"
		}
		for _, series := range []struct {
			name, style string
			of          func(report.Point) int64
		}{
			{"request", "", func(p report.Point) int64 { return p.Request.P50 }},
			{"refresh", " dashed", func(p report.Point) int64 { return p.Refresh.P50 }},
		} {
			points := of(g, database)
			var line []string
			for _, p := range points {
				line = append(line, fmt.Sprintf("%.1f,%.1f", x(float64(p.Sessions)), y(float64(series.of(p)))))
			}
			end := series.of(points[len(points)-1])
			fmt.Fprintf(&b, "  <polyline class=\"line %s%s\" style=\"fill: none\" points=\"%s\"/>\n", class, series.style, strings.Join(line, " "))
			fmt.Fprintf(&b, "  <text class=\"name\" x=\"%d\" y=\"%.1f\">%s, %s</text>\n", width-right+8, y(float64(end))+4, database, series.name)
			sentences = append(sentences, fmt.Sprintf("%s, %s: from %d to %d µs.", database, series.name, series.of(points[0]), end))
		}
	}
	return frame(top+height+44, title, strings.Join(sentences, " "), b.String())
}

// roundStep returns a distance between the lines of a grid, so that there are four to ten.
func roundStep(most float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, part := range []float64{0.1, 0.2, 0.5} {
		if most/(step*part) <= 10 {
			return step * part
		}
	}
	return step
}
