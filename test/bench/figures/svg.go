package figures

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Panel is one measure in a plot: a bar for each contender's median, with a
// whisker from its least value to its most.
type Panel struct {
	Part, Measure string
	Title         string   // "Goodput, 1 TCP flow up (more is better)"
	Skip          []string // contenders without a bar, as they would dwarf the others
}

// A Plot is some panels under a title.
type Plot struct {
	Title, Caption string
	Own            []string // contenders whose bars are in another colour
	Panels         []Panel
}

// The plot's measures, in pixels.
const (
	plotColumns = 2
	plotMargin  = 24
	plotGap     = 32
	panelWidth  = 410
	labelWidth  = 152
	valueWidth  = 74
	barWidth    = panelWidth - labelWidth - valueWidth
	rowHeight   = 24
	barHeight   = 14
	panelHead   = 34
	plotHead    = 62
)

// The colours follow the reader's choice between light and dark, also inside of
// an <img>.
const plotStyle = `
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 18px; font-weight: 600 }
.panel { font-weight: 600 }
.muted { fill: #59636e; font-size: 12px }
.back { fill: #ffffff }
.bar { fill: #afb8c1 }
.own { fill: #2f81f7 }
.whisker { stroke: #1f2328; stroke-width: 1.2; fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .muted { fill: #9198a1 }
  .back { fill: #0d1117 }
  .bar { fill: #57606a }
  .own { fill: #4493f8 }
  .whisker { stroke: #e6edf3 }
}
`

// SVG draws the plot. A panel without a figure is left out.
func (p *Plot) SVG(s *Set) string {
	var drawn []panelRows
	for _, panel := range p.Panels {
		if rows := s.rows(panel); len(rows.list) > 0 {
			drawn = append(drawn, rows)
		}
	}
	width := 2*plotMargin + plotColumns*panelWidth + (plotColumns-1)*plotGap
	var body strings.Builder
	y := plotHead + plotMargin/2
	for line := range slices.Chunk(drawn, plotColumns) {
		height := 0
		for column, rows := range line {
			x := plotMargin + column*(panelWidth+plotGap)
			p.panel(&body, rows, x, y)
			height = max(height, panelHead+len(rows.list)*rowHeight)
		}
		y += height + plotGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", width, y, width, y)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", escape(p.Title), plotStyle)
	fmt.Fprintf(&b, "<rect class=\"back\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", width, y)
	fmt.Fprintf(&b, "<text class=\"title\" x=\"%d\" y=\"32\">%s</text>\n", plotMargin, escape(p.Title))
	fmt.Fprintf(&b, "<text class=\"muted\" x=\"%d\" y=\"52\">%s</text>\n", plotMargin, escape(p.Caption))
	b.WriteString(body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// panelRows is a panel with what there is to draw.
type panelRows struct {
	Panel
	unit string
	list []Figure
	most float64 // of all values: the scale's end
}

func (s *Set) rows(p Panel) panelRows {
	r := panelRows{Panel: p}
	for _, f := range s.Figures {
		sum := f.Summary()
		if f.Part != p.Part || f.Key != p.Measure || slices.Contains(p.Skip, f.Contender) || math.IsNaN(sum.Median) || math.IsInf(sum.Max, 0) {
			continue
		}
		r.list = append(r.list, f)
		r.unit, r.most = f.Unit, max(r.most, sum.Max)
	}
	return r
}

func (p *Plot) panel(b *strings.Builder, r panelRows, x, y int) {
	fmt.Fprintf(b, "<text class=\"panel\" x=\"%d\" y=\"%d\">%s<tspan class=\"muted\" dx=\"6\">%s</tspan></text>\n", x, y+14, escape(r.Title), escape(r.unit))
	at := func(v float64) float64 {
		if r.most <= 0 {
			return float64(x + labelWidth)
		}
		return float64(x+labelWidth) + max(0, v)/r.most*barWidth
	}
	for i, f := range r.list {
		sum := f.Summary()
		top := y + panelHead + i*rowHeight
		middle := float64(top) + barHeight/2.0
		class := "bar"
		if slices.Contains(p.Own, f.Contender) {
			class = "own"
		}
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", x+labelWidth-8, middle+4.5, escape(f.Contender))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", class, x+labelWidth, top, at(sum.Median)-float64(x+labelWidth), barHeight)
		if sum.N > 1 {
			low, high := at(sum.Min), at(sum.Max)
			fmt.Fprintf(b, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>\n", low, middle, high, low, middle-3, high, middle-3)
		}
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", at(max(sum.Median, sum.Max))+8, middle+4.5, Number(sum.Median))
	}
}

// escape makes text safe inside of an element or attribute.
func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
