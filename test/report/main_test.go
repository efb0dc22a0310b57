package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const pass = `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a says\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	const skip = `{"Action":"output","Package":"p","Test":"TestB","Output":"    needs root\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`
	const passB = `{"Action":"pass","Package":"p","Test":"TestB"}
`
	const fail = `{"Action":"output","Package":"p","Test":"TestC","Output":"    wrong sum\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
`
	const broken = `{"Action":"build-output","ImportPath":"q","Output":"q.go:1: syntax error\n"}
{"Action":"build-fail","ImportPath":"q"}
`
	for _, tt := range []struct {
		name, in          string
		good, goodWithAll bool
		want              []string
		not               string
	}{
		{"pass", pass, true, true, []string{"ok  \tp", "1 tests passed, 0 failed, 0 skipped"}, "a says"},
		{"skip", pass + skip, true, false, []string{"needs root", "skipped p TestB", "1 skipped"}, "FAILED"},
		{"skip-then-pass", skip + pass + passB, true, true, []string{"needs root", "2 tests passed, 0 failed, 0 skipped"}, "skipped p"},
		{"pass-then-skip", passB + skip, true, true, []string{"1 tests passed, 0 failed, 0 skipped"}, "skipped p"},
		{"fail", pass + fail, false, false, []string{"wrong sum", "FAILED p TestC"}, "a says"},
		{"broken", broken, false, false, []string{"syntax error", "does not build: q"}, "a says"},
		{"foreign", "go: no such tool\n" + pass, true, true, []string{"no such tool"}, "a says"},
	} {
		for _, all := range []bool{false, true} {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			want := tt.good
			if all {
				want = tt.goodWithAll
			}
			if got := r.summary(all); got != want {
				t.Errorf("%s, all %v: good is %v, want %v", tt.name, all, got, want)
			}
			for _, text := range tt.want {
				if !strings.Contains(out.String(), text) {
					t.Errorf("%s: no %q in\n%s", tt.name, text, out.String())
				}
			}
			if strings.Contains(out.String(), tt.not) {
				t.Errorf("%s: %q in\n%s", tt.name, tt.not, out.String())
			}
		}
	}
}
