package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	rounds  int
	seconds float64 // of one TCP test
	pings   int     // of one round
	out     string  // folder for the results
	parts   []string
	only    []string      // contenders; none: all
	with    []namedPath   // more builds of goppptp
	split   bool          // all contenders on a cable that carries no packets above the MTU
	lock    string        // file to lock around each single measurement
	measure []string      // local part: kinds of measurement; none: all
	soak    time.Duration // length of the part soak
	trial   time.Duration // of the search for the highest rate without loss
}

// A namedPath is NAME=PATH.
type namedPath struct{ name, path string }

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var quick bool
	var part string
	list := func(to *[]string) func(string) error {
		return func(s string) error {
			*to = append(*to, strings.FieldsFunc(s, func(r rune) bool { return r == ',' })...)
			return nil
		}
	}
	fs.IntVar(&o.rounds, "rounds", 5, "how often all is measured")
	fs.Float64Var(&o.seconds, "seconds", 3, "length of one TCP test")
	fs.IntVar(&o.pings, "pings", 500, "echo requests a round, 10 ms apart")
	fs.DurationVar(&o.trial, "trial", 300*time.Millisecond, "length of one trial of the search for the UDP rate")
	fs.DurationVar(&o.soak, "soak", time.Hour, "length of the part soak, which is not in all")
	fs.StringVar(&o.out, "out", "test/bench/results", "folder for bench.md, bench.svg and bench.json; \"\" writes none")
	fs.StringVar(&part, "part", "local", "which benchmarks, separated by commas, or all: "+strings.Join(partNames(), ", "))
	fs.Func("only", "contenders to measure, separated by commas", list(&o.only))
	fs.Func("measure", "kinds of measurement of the part local: "+strings.Join(gaugeNames(), ", "), list(&o.measure))
	fs.Func("with", "NAME=PATH of another goppptp to measure too (may be repeated)", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok || name == "" || path == "" {
			return errors.New("want NAME=PATH")
		}
		o.with = append(o.with, namedPath{name, path})
		return nil
	})
	fs.BoolVar(&o.split, "split", false, "have no cable carry more than its MTU at once, as a real one")
	fs.StringVar(&o.lock, "lock", "", "file to lock during each measurement, for several of these on one machine")
	fs.BoolVar(&quick, "quick", false, "one short round, to see that it works")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("what is %q?", fs.Arg(0))
	}
	if quick {
		o.rounds, o.seconds, o.pings, o.trial = 1, 1, 50, 100*time.Millisecond
	}
	if o.rounds < 1 || o.seconds <= 0 || o.pings < 1 || o.trial <= 0 {
		return o, errors.New("-rounds, -seconds, -pings and -trial must be more than nothing")
	}
	if part == "all" {
		o.parts = slices.DeleteFunc(partNames(), func(name string) bool { return name == "soak" })
	} else {
		o.parts = strings.Split(part, ",")
	}
	for _, name := range o.parts {
		if parts[name] == nil {
			return o, fmt.Errorf("no part is called %q; there are %s", name, strings.Join(partNames(), ", "))
		}
	}
	for _, name := range o.measure {
		if !slices.Contains(gaugeNames(), name) {
			return o, fmt.Errorf("nothing measures %q; there are %s", name, strings.Join(gaugeNames(), ", "))
		}
	}
	return o, nil
}

// wants tells whether a contender is among those asked for.
func (o *options) wants(contender string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, contender)
}
