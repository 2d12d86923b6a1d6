package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Sizes in the units of the picture. These are whole numbers, and the weights
// below are powers of two: a processor that multiplies and adds in one step then
// computes the same picture as any other.
const (
	margin    = 24.0
	rowHeight = 64.0
	boxHeight = 30.0
	letter    = 8.0 // the width of a letter of the monospaced font at 13
	padding   = 12.0
	gap       = 22.0 // between neighbours of a level
	legend    = 34.0
)

// place is a box, or the point where a long arrow crosses a level.
type place struct {
	name  string // "" for a point
	level int
	x     float64 // of the middle
	above []*place
	below []*place
}

func (p *place) width() float64 {
	if p.name == "" {
		return 0
	}
	return float64(len(label(p.name)))*letter + 2*padding
}

func (p *place) y() float64 { return margin + float64(p.level)*rowHeight + boxHeight/2 }

// label is the name without the folder of all packages that only the library may
// import.
func label(name string) string { return strings.TrimPrefix(name, "internal/") }

// draw returns the picture of a graph that passed check.
func draw(g *graph) string {
	levels := arrange(g)
	for _, level := range levels {
		for i, p := range level { // a start that is free of overlaps
			p.x = float64(i)
		}
	}
	for range 200 {
		settle(levels)
	}
	return render(levels)
}

// arrange puts the packages on levels, with points for arrows that are longer
// than one level, in an order with few crossings.
func arrange(g *graph) [][]*place {
	depth := g.levels()
	levels := make([][]*place, slices.Max(depth)+1)
	add := func(name string, level int) *place {
		p := &place{name: name, level: level}
		levels[level] = append(levels[level], p)
		return p
	}
	boxes := make([]*place, len(g.names))
	for i, name := range g.names {
		boxes[i] = add(name, depth[i])
	}
	for i, from := range boxes {
		for _, below := range g.direct(i) {
			to := from
			for level := from.level + 1; level < depth[below]; level++ {
				to = link(to, add("", level))
			}
			link(to, boxes[below])
		}
	}
	untangle(levels)
	return levels
}

func link(from, to *place) *place {
	from.below = append(from.below, to)
	to.above = append(to.above, from)
	return to
}

// untangle sorts each level by where the neighbours of its places stand, down and
// up again and again, and keeps the order with the fewest crossings.
func untangle(levels [][]*place) {
	best, fewest := snapshot(levels), crossings(levels)
	for round := range 24 {
		for i := range levels {
			if round%2 == 0 {
				sortBy(levels, i, i-1, func(p *place) []*place { return p.above })
			} else {
				sortBy(levels, len(levels)-1-i, len(levels)-i, func(p *place) []*place { return p.below })
			}
		}
		if n := crossings(levels); n < fewest {
			best, fewest = snapshot(levels), n
		}
	}
	copy(levels, best)
}

func snapshot(levels [][]*place) [][]*place {
	same := make([][]*place, len(levels))
	for i, level := range levels {
		same[i] = slices.Clone(level)
	}
	return same
}

// sortBy sorts level i by the mean index of its neighbours in level other. A
// place without neighbours keeps its index.
func sortBy(levels [][]*place, i, other int, neighbours func(*place) []*place) {
	if other < 0 || other >= len(levels) {
		return
	}
	key := map[*place]float64{}
	for index, p := range levels[i] {
		position := func(n *place) float64 { return float64(slices.Index(levels[other], n)) }
		key[p] = mean(neighbours(p), float64(index), position, func(*place) float64 { return 1 })
	}
	slices.SortStableFunc(levels[i], func(p, q *place) int { return cmp.Compare(key[p], key[q]) })
}

// mean is the weighted mean of a value of some places, or otherwise where there
// is no place.
func mean(places []*place, otherwise float64, value, weight func(*place) float64) float64 {
	sum, weights := 0.0, 0.0
	for _, p := range places {
		sum += value(p) * weight(p)
		weights += weight(p)
	}
	if weights == 0 {
		return otherwise
	}
	return sum / weights
}

func crossings(levels [][]*place) (n int) {
	for i, level := range levels[:len(levels)-1] {
		var ends []int // of the arrows, by their starts from left to right
		for _, p := range level {
			from := len(ends)
			for _, q := range p.below {
				end := slices.Index(levels[i+1], q)
				for _, earlier := range ends[:from] { // arrows with one start do not cross
					if earlier > end {
						n++
					}
				}
				ends = append(ends, end)
			}
		}
	}
	return n
}

// settle moves each place towards the middle of its neighbours, as far as the
// other places of the level let it.
func settle(levels [][]*place) {
	for _, level := range levels {
		wanted := make([]float64, len(level))
		for i, p := range level {
			wanted[i] = mean(slices.Concat(p.above, p.below), p.x, func(n *place) float64 { return n.x }, p.pull)
		}
		spread(level, wanted)
	}
}

// pull is how much a neighbour matters: the parts of a long arrow pull most, so
// that it is straight.
func (p *place) pull(neighbour *place) float64 {
	switch {
	case p.name == "" && neighbour.name == "":
		return 8
	case p.name == "" || neighbour.name == "":
		return 2
	}
	return 1
}

// spread puts places as near to where they are wanted as their order and the gaps
// between them allow, in the sense of least squares: places that would overlap
// form a block, which stands at the mean of what its places want.
func spread(level []*place, wanted []float64) {
	type block struct {
		sum, weight float64
		size        int
	}
	at := func(b block) float64 { return b.sum / b.weight }
	var blocks []block
	offsets := make([]float64, len(level)) // from the first, with the least gaps
	for i, p := range level {
		if i > 0 {
			offsets[i] = offsets[i-1] + (level[i-1].width()+p.width())/2 + gap
		}
		weight := 1.0
		if p.name == "" {
			weight = 16 // a box gives way to a long arrow
		}
		blocks = append(blocks, block{(wanted[i] - offsets[i]) * weight, weight, 1})
		for n := len(blocks) - 1; n > 0 && at(blocks[n-1]) > at(blocks[n]); n-- {
			left, right := blocks[n-1], blocks[n]
			blocks = append(blocks[:n-1], block{left.sum + right.sum, left.weight + right.weight, left.size + right.size})
		}
	}
	i := 0
	for _, b := range blocks {
		for range b.size {
			level[i].x = at(b) + offsets[i]
			i++
		}
	}
}

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="t d" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">
  <!-- Made by docs/packages: go generate ./docs/packages -->
  <title id="t">The packages of fiberjwt</title>
  <desc id="d">%[3]s</desc>
  <style>
    .paper { fill: #ffffff; stroke: #d0d5dd }
    .open { fill: #4f46e5; stroke: #4f46e5 }
    .shut { fill: #f3f4f8; stroke: #c3c8d4 }
    .on { fill: #ffffff; font-weight: 600 }
    .name { fill: #1a1a2e }
    .note { fill: #4a5068; font-family: system-ui, sans-serif }
    .line { stroke: #6b7186; stroke-width: 1.3; fill: none }
    .tip { fill: #6b7186 }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #14161f; stroke: #343a4d }
      .open { fill: #a5a1ff; stroke: #a5a1ff }
      .shut { fill: #1c2030; stroke: #3b4258 }
      .on { fill: #14161f }
      .name { fill: #f1f2f8 }
      .note { fill: #b9bfd2 }
      .line { stroke: #8d94ab }
      .tip { fill: #8d94ab }
    }
  </style>
  <defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>
  <rect class="paper" x="0.5" y="0.5" width="%[4]d" height="%[5]d" rx="8"/>
`

func render(levels [][]*place) string {
	left, right := levels[0][0].x, levels[0][0].x
	for _, level := range levels {
		first, last := level[0], level[len(level)-1]
		left, right = min(left, first.x-first.width()/2), max(right, last.x+last.width()/2)
	}
	for _, level := range levels {
		for _, p := range level {
			p.x += margin - left
		}
	}
	width := int(right - left + 2*margin)
	height := int(2*margin + float64(len(levels)-1)*rowHeight + boxHeight + legend)

	var svg, arrows, boxes strings.Builder
	var sentences []string
	for _, level := range levels {
		for _, p := range level {
			if p.name == "" {
				continue
			}
			var imports []string
			for _, q := range p.below {
				imports = append(imports, arrow(&arrows, p, q))
			}
			if len(imports) > 0 {
				sentences = append(sentences, fmt.Sprintf("%s imports %s.", p.name, strings.Join(imports, ", ")))
			}
			box(&boxes, p)
		}
	}
	fmt.Fprintf(&svg, head, width, height, strings.Join(sentences, " "), width-1, height-1)
	svg.WriteString(arrows.String() + boxes.String())
	fmt.Fprintf(&svg, "  <text class=\"note\" x=\"%.0f\" y=\"%.1f\">Filled: applications may import it. Others are in internal/.</text>\n", margin, float64(height)-margin+4)
	svg.WriteString("</svg>\n")
	return svg.String()
}

// arrow draws the line from p by way of q to a box, and returns the name of that.
func arrow(svg *strings.Builder, p, q *place) string {
	fmt.Fprintf(svg, "  <path class=\"line\" marker-end=\"url(#tip)\" d=\"M%.1f %.1f", p.x, p.y()+boxHeight/2)
	x, y := p.x, p.y()+boxHeight/2
	for {
		top := q.y() - boxHeight/2
		middle := (y + top) / 2
		fmt.Fprintf(svg, "C%.1f %.1f %.1f %.1f %.1f %.1f", x, middle, q.x, middle, q.x, top)
		if q.name != "" {
			break
		}
		x, y = q.x, q.y()+boxHeight/2
		fmt.Fprintf(svg, "V%.1f", y)
		q = q.below[0]
	}
	svg.WriteString("\"/>\n")
	return q.name
}

func box(svg *strings.Builder, p *place) {
	class, text := "shut", "name"
	if label(p.name) == p.name {
		class, text = "open", "on"
	}
	fmt.Fprintf(svg, "  <rect class=%q x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" rx=\"6\"/>\n", class, p.x-p.width()/2, p.y()-boxHeight/2, p.width(), boxHeight)
	fmt.Fprintf(svg, "  <text class=%q x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", text, p.x, p.y()+4.5, label(p.name))
}
