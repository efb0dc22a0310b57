package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestScale measures the smallest contender once: every figure is there, nothing
// failed, nothing is left.
func TestScale(t *testing.T) {
	needRoot(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := leftovers(t, temp)
	opts, err := parseOptions([]string{"-part", "scale", "-rounds", "1", "-only", "1 session", "-out", ""}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), opts, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, m := range append([]string{scaleRate.Name, scaleP99.Name, scaleRest.Name}, scaleTraffic[3].Name) {
		if !strings.Contains(out.String(), m) {
			t.Errorf("it says nothing of %q:\n%s", m, out.String())
		}
	}
	if !strings.Contains(out.String(), "| 1 session |") || strings.Contains(out.String(), "100 sessions |") {
		t.Errorf("it does not speak of one session alone:\n%s", out.String())
	}
	if after := leftovers(t, temp); !slices.Equal(after, before) {
		t.Errorf("there are %q, there were %q", after, before)
	}
}

func TestScaleNames(t *testing.T) {
	for _, c := range []struct {
		build    string
		sessions int
		want     string
	}{{"", 1, "1 session"}, {"", 5000, "5000 sessions"}, {"before", 100, "before, 100 sessions"}} {
		if got := scaleName(c.build, c.sessions); got != c.want {
			t.Errorf("%q, %d: %q, want %q", c.build, c.sessions, got, c.want)
		}
	}
	for _, target := range scaleTargets() {
		if target.Part != "scale" || target.Contender != "5000 sessions" || target.Measure == "" || target.Bound <= 0 {
			t.Errorf("target %+v", target)
		}
	}
}
