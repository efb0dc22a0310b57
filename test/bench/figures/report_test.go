package figures

import (
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fleet is a document with what one can have.
func fleet() *Document {
	road := Report{Part: "road", Title: "On the road", Machine: "tarmac", Load: "0.25", Rounds: 3,
		Missing: []Version{{"rocket", "there is no rocket"}}, Failed: []Version{{"train", "no rails\nand no steam"}},
		Targets: []Target{
			{Part: "road", Text: "faster", Measure: "speed", Contender: "car", Against: "bus|coach", Bound: 2},
			{Part: "road", Text: "short", Measure: "size", Contender: "car", Bound: 5, Below: true, Strict: true},
		}}
	size := Measure{Key: "size", Name: "length", Unit: "m", Group: "Size"}
	for i := range 3 {
		road.Add("road", "car", speed, 90+float64(i))
		road.Add("road", "bus|coach", speed, 50)
	}
	road.Add("road", "car", size, 4.123)
	water := Report{Part: "water", Title: "On the water", Machine: "sea", Rounds: 1}
	water.Add("water", "boat <&>", speed, 20)
	d := &Document{}
	d.Put(Report{Part: "road", Title: "An older one"})
	d.Put(water)
	d.Put(road)
	return d
}

func TestMarkdown(t *testing.T) {
	text := fleet().Markdown()
	for _, want := range []string{
		"## On the road\n\nMedians of 3 rounds [least–most]. tarmac",
		"; load average at the start 0.25.\n",
		"\n|  | speed, km/h |\n|---|--:|\n| car | 91.0 [90.0–92.0] |\n| bus\\|coach | 50.0 [50.0–50.0] |\n",
		"\n**Size**\n\n|  | length, m |\n|---|--:|\n| car | 4.12 |\n\n", // and no row for what has no length
		"\n## On the water\n\nMedians of 1 round ",
		"| car: faster | bus\\|coach | ≥ 2x | 1.82 [1.80–1.84] | not met |\n",
		"| car: short |  | < 5 m | 4.12 [4.12–4.12] | met |\n",
		"- rocket: there is no rocket\n",
		"- train: no rails\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "older") {
		t.Errorf("the older report is still there:\n%s", text)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1234567: "1234567", 123.4: "123", 12.34: "12.3", 1.234: "1.23", 0.01234: "0.0123", -5.678: "-5.68", math.Inf(1): "–"} {
		if got := Number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

// elements reads an SVG as XML: the attributes of all elements of a name.
func elements(t *testing.T, text, name string) (list []map[string]string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == name {
			attrs := map[string]string{}
			for _, a := range e.Attr {
				attrs[a.Name.Local] = a.Value
			}
			list = append(list, attrs)
		}
	}
}

func TestSVG(t *testing.T) {
	set := fleet().Set()
	p := Plot{Title: "Cars & <others>", Own: []string{"car"}, Panels: []Panel{
		{Part: "road", Measure: "speed", Title: "Speed"},
		{Part: "water", Measure: "speed", Title: "At sea"},
		{Part: "air", Measure: "speed", Title: "None"},
	}}
	text := p.SVG(set)
	var widths []string
	for _, bar := range elements(t, text, "rect") {
		if bar["class"] != "back" {
			widths = append(widths, bar["class"]+" "+bar["width"])
		}
	}
	width := func(share float64) string { return strconv.FormatFloat(share*barWidth, 'f', 1, 64) }
	want := []string{"own " + width(91.0/92), "bar " + width(50.0/92), "bar " + width(1)}
	if !slices.Equal(widths, want) {
		t.Errorf("the bars are %v, want %v", widths, want)
	}
	if n := len(elements(t, text, "path")); n != 2 { // one value alone has no spread
		t.Errorf("%d whiskers, want 2", n)
	}
	for _, want := range []string{"boat &lt;&amp;&gt;", "Cars &amp; &lt;others&gt;", "prefers-color-scheme: dark", "km/h"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if strings.Contains(text, ">None<") || strings.Contains(text, "NaN") {
		t.Errorf("a panel without figures, or a bar without a length:\n%s", text)
	}
	p.Panels[0].Skip = []string{"bus|coach"}
	if n := len(elements(t, p.SVG(set), "rect")); n != 3 {
		t.Errorf("%d rectangles, want 3", n)
	}
	// Nothing at all, zero and less than that.
	var s Set
	s.Add("road", "car", speed, 0)
	s.Add("road", "bus", speed, -1)
	for _, bar := range elements(t, p.SVG(&s), "rect") {
		if w, err := strconv.ParseFloat(bar["width"], 64); err != nil || w < 0 {
			t.Errorf("a bar is %q wide", bar["width"])
		}
	}
	elements(t, (&Plot{}).SVG(&Set{}), "rect")
}
