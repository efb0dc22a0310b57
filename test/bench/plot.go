package main

import "goppptp/test/bench/figures"

// panels of the plot, of whatever parts were run.
var panels = []figures.Panel{
	{Part: "local", Measure: "tcp1-up", Title: "Goodput, 1 TCP flow up: more is better", Skip: []string{bareName}},
	{Part: "local", Measure: "cpu-tcp1-up", Title: "CPU time, 1 flow up: less is better"},
	{Part: "local", Measure: "tcp1-down", Title: "Goodput, 1 TCP flow down: more is better", Skip: []string{bareName}},
	{Part: "local", Measure: "cpu-tcp1-down", Title: "CPU time, 1 flow down: less is better"},
	{Part: "local", Measure: "udp-up", Title: "UDP up without loss: more is better", Skip: []string{bareName}},
	{Part: "local", Measure: "rtt-p50", Title: "Added round trip, p50: less is better"},
}

// plot draws the results; own are the builds of the product.
func (b *bench) plot() string {
	own := []string{"goppptp"}
	for _, w := range b.with {
		own = append(own, w.name)
	}
	p := figures.Plot{
		Title:   "goppptp and others, on one machine",
		Caption: "Medians of " + plural(b.rounds, "round") + ", least to most; both ends on " + b.report.Machine + "; " + b.report.Date,
		Own:     own, Panels: panels,
	}
	return p.SVG(&b.set)
}
