// Command report reads what `go test -json` writes, of one run or several after
// each other, shows what a person wants to see of it as it comes (each package's
// line; of tests that failed or were skipped, all they said; with -v everything)
// and ends with a summary. Its status is 1 if a test failed, or was skipped in
// every run it was in where GOPPPTP_TEST_REQUIRE=all says that none should be.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	verbose := flag.Bool("v", false, "show what all tests say")
	flag.Parse()
	r := newReport(os.Stdout)
	r.verbose = *verbose
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if !r.summary(os.Getenv("GOPPPTP_TEST_REQUIRE") == "all") {
		os.Exit(1)
	}
}

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

type report struct {
	out     io.Writer
	verbose bool
	said    map[string][]string // by package and test

	packages      int
	verdicts      map[string]string // by package and test: "pass" if it ever did and never failed
	order         []string          // of verdicts
	failed, broke []string
	lines         []string // go test's own, a package each
}

func newReport(out io.Writer) *report {
	return &report{out: out, said: make(map[string][]string), verdicts: make(map[string]string)}
}

func (r *report) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(r.out, line) // not go test's
			} else {
				r.see(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) see(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.broke = append(r.broke, e.ImportPath)
	case "output":
		switch {
		case r.verbose:
			fmt.Fprint(r.out, e.Output)
		case e.Test == "":
			if e.Output != "PASS\n" && e.Output != "FAIL\n" {
				fmt.Fprint(r.out, e.Output)
			}
		default:
			r.said[key] = append(r.said[key], e.Output)
		}
		if e.Test == "" && (strings.HasPrefix(e.Output, "ok ") || strings.HasPrefix(e.Output, "FAIL\t")) {
			r.lines = append(r.lines, e.Output)
		}
	case "pass", "fail", "skip":
		r.ended(e, key)
	}
}

func (r *report) ended(e event, key string) {
	if e.Test == "" {
		r.packages++
		if e.Action == "fail" {
			r.failed = append(r.failed, e.Package)
		}
		return
	}
	if e.Action == "fail" {
		r.failed = append(r.failed, key)
	}
	before, known := r.verdicts[key]
	if !known {
		r.order = append(r.order, key)
	}
	if !known || before == "skip" || e.Action == "fail" {
		r.verdicts[key] = e.Action
	}
	if e.Action != "pass" {
		for _, text := range r.said[key] {
			if !strings.HasPrefix(text, "=== ") {
				fmt.Fprint(r.out, text)
			}
		}
	}
	delete(r.said, key)
}

// summary tells how it went, and whether that is good enough.
func (r *report) summary(all bool) bool {
	fmt.Fprintln(r.out)
	for _, line := range r.lines {
		fmt.Fprint(r.out, line)
	}
	list := func(what string, names []string) {
		for _, name := range names {
			fmt.Fprintln(r.out, what, name)
		}
	}
	list("does not build:", r.broke)
	list("FAILED", r.failed)
	passed := 0
	var skipped []string
	for _, key := range r.order {
		switch r.verdicts[key] {
		case "pass":
			passed++
		case "skip":
			skipped = append(skipped, key)
		}
	}
	list("skipped", skipped)
	fmt.Fprintf(r.out, "%d tests passed, %d failed, %d skipped; %d runs of packages\n", passed, len(r.failed), len(skipped), r.packages)
	return len(r.failed) == 0 && len(r.broke) == 0 && !(all && len(skipped) > 0)
}
