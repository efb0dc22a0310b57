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
func plot(d *figures.Document, own []string) string {
	p := figures.Plot{Title: "goppptp and others, on one machine", Own: own, Panels: panels}
	if len(d.Reports) > 0 {
		r := d.Reports[0]
		p.Caption = "Medians of " + plural(r.Rounds, "round") + ", least to most; both ends on " + r.Machine + "; " + r.Date
	}
	return p.SVG(d.Set())
}
