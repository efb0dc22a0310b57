package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"goppptp/test/bench/figures"
)

// A part is one benchmark that -part selects. It fills in what it measured, and
// takes away what it made, also when ctx ends or it fails.
type part func(ctx context.Context, b *bench) error

// parts by name. A file that has one registers it in its init.
var parts = map[string]part{}

// titles of the parts in the results.
var titles = map[string]string{
	"local": "A tunnel between two namespaces",
	"guest": "With pptp-linux, pptpd and pppd, in a guest",
	"scale": "Many sessions on one server",
	"soak":  "Full load for a long time",
}

// register adds a part; a name used twice is a mistake in the program.
func register(name string, p part) {
	if parts[name] != nil {
		panic("bench: two parts are called " + name)
	}
	parts[name] = p
}

func partNames() []string { return slices.Sorted(maps.Keys(parts)) }

// A bench is one run of the command: what was asked for, and what came out.
type bench struct {
	options

	root string // the checkout
	dir  string // for temporary files; taken away at the end
	exe  string // goppptp, built from the checkout

	// Of the part that is running.
	set     figures.Set
	targets []figures.Target
	report  figures.Report

	stdout io.Writer // for people
}

// say tells a person what goes on.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.stdout, format+"\n", args...) }

// version notes what version of a contender was measured.
func (b *bench) version(contender, text string) {
	b.report.Versions = append(b.report.Versions, figures.Version{Name: contender, Text: text})
}

// missing notes that a contender was left out, and why.
func (b *bench) missing(contender, why string) {
	b.say("%s is left out: %s", contender, why)
	b.report.Missing = append(b.report.Missing, figures.Version{Name: contender, Text: why})
}

// failed notes that something could not be measured.
func (b *bench) failed(contender string, err error) {
	b.say("%s: %v", contender, err)
	b.report.Failed = append(b.report.Failed, figures.Version{Name: contender, Text: err.Error()})
}
