package figures

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Version tells what a contender is, why it is missing, or what failed.
type Version struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A Report is all that the run of one part has to tell.
type Report struct {
	Part     string    `json:"part"`
	Title    string    `json:"title"`
	Machine  string    `json:"machine"`
	Load     string    `json:"load,omitempty"` // its load average before the run: work of others
	Go       string    `json:"go"`
	Date     string    `json:"date"`
	Rounds   int       `json:"rounds"`
	Versions []Version `json:"versions"`
	Missing  []Version `json:"missing,omitempty"`
	Failed   []Version `json:"failed,omitempty"`
	Targets  []Target  `json:"targets"`
	Set
}

// A Document is the newest report of each part.
type Document struct {
	Reports []Report `json:"reports"`
}

// Put takes a report in, in the place of an earlier one of the same part.
func (d *Document) Put(r Report) {
	for i := range d.Reports {
		if d.Reports[i].Part == r.Part {
			d.Reports[i] = r
			return
		}
	}
	d.Reports = append(d.Reports, r)
}

// Set is the figures of all reports.
func (d *Document) Set() *Set {
	all := &Set{}
	for _, r := range d.Reports {
		all.Merge(r.Set)
	}
	return all
}

// Markdown writes all reports.
func (d *Document) Markdown() string {
	var texts []string
	for i := range d.Reports {
		texts = append(texts, d.Reports[i].Markdown())
	}
	return strings.Join(texts, "\n")
}

// Markdown writes the report as tables: contenders down, measures across.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\nMedians of %s [least–most]. %s; %s; %s", r.Title, plural(r.Rounds, "round"), r.Machine, r.Go, r.Date)
	if r.Load != "" {
		fmt.Fprintf(&b, "; load average at the start %s", r.Load)
	}
	b.WriteString(".\n")
	for _, group := range r.Groups(r.Part) {
		r.table(&b, group)
	}
	r.targets(&b)
	list(&b, "Versions", r.Versions)
	list(&b, "Left out", r.Missing)
	list(&b, "Failed", r.Failed)
	return b.String()
}

func (r *Report) table(b *strings.Builder, group string) {
	measures := r.Measures(r.Part, group)
	if group != "" {
		fmt.Fprintf(b, "\n**%s**\n", group)
	}
	b.WriteString("\n|  |")
	for _, m := range measures {
		fmt.Fprintf(b, " %s, %s |", m.Name, m.Unit)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(measures)) + "\n")
	for _, c := range r.Contenders(r.Part) {
		row, any := "| "+cell(c)+" |", false
		for _, m := range measures {
			f, ok := r.Get(r.Part, c, m.Key)
			any = any || ok
			row += " " + Spread(f.Summary()) + " |"
		}
		if any {
			b.WriteString(row + "\n")
		}
	}
}

func (r *Report) targets(b *strings.Builder) {
	if len(r.Targets) == 0 {
		return
	}
	b.WriteString("\n**Targets**, by the ratio of the medians (beside it the least and the most of a round's own)\n\n")
	b.WriteString("| | against | wanted | measured | |\n|---|---|--:|--:|---|\n")
	for _, t := range r.Targets {
		o := r.Judge(t)
		unit := ""
		if f, ok := r.Get(o.Part, o.Contender, o.Measure); ok {
			unit = f.Unit
		}
		value := "–"
		if o.Known {
			value = fmt.Sprintf("%s [%s–%s]", Number(o.Value), Number(o.Paired.Min), Number(o.Paired.Max))
		}
		name := o.Text
		if o.Contender != "goppptp" {
			name = o.Contender + ": " + name
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", cell(name), cell(o.Against), o.Want(unit), value, o.Verdict())
	}
}

func list(b *strings.Builder, title string, entries []Version) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(b, "\n**%s**\n\n", title)
	for _, e := range entries {
		first, _, _ := strings.Cut(e.Text, "\n")
		fmt.Fprintf(b, "- %s: %s\n", e.Name, first)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cell escapes what would end a cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// Spread is a summary as text: "93.5 [90.1–97]", and "–" for none.
func Spread(s Summary) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return Number(s.Median)
	}
	return fmt.Sprintf("%s [%s–%s]", Number(s.Median), Number(s.Min), Number(s.Max))
}

// Number writes three significant digits and never an exponent.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	if v == 0 {
		return "0"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', min(digits, 6), 64)
}
