package main

import (
	"bytes"
	"strings"
	"testing"

	"goppptp/test/bench/figures"
)

// TestGuest is a run in a guest, as short as can be: all pairs are there and
// carry packets both ways. How long anything took decides nothing.
func TestGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest: left out by -short")
	}
	needRoot(t)
	if raceEnabled {
		t.Skip("this program runs in the guest, too, where the race detector does not")
	}
	if missing := guestMissing(); len(missing) > 0 {
		t.Skipf("not installed: %v", missing)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := leftovers(t, temp)
	opts, err := parseOptions([]string{"-part", "guest", "-rounds", "1", "-seconds", "0.1", "-pings", "5", "-measure", "tcp,rtt", "-out", ""}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	err = run(t.Context(), opts, &said)
	if err != nil && strings.Contains(err.Error(), "the guest ended before its command did") {
		t.Logf("once more: %v", err) // the guest's kernel panics now and then on a crowded machine
		said.Reset()
		err = run(t.Context(), opts, &said)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if after := leftovers(t, temp); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("there are %q, there were %q", after, before)
	}
	for _, want := range []string{theirsToTheirs, oursToTheirs, theirsToOurs, oursToOurs, bareName} {
		for _, row := range strings.Split(said.String(), "\n") {
			if strings.HasPrefix(row, "| "+want+" | ") && !strings.Contains(row, "–") {
				want = ""
			}
		}
		if want != "" {
			t.Errorf("%s has no row of figures in\n%s", want, said.String())
		}
	}
}

func TestHearGuest(t *testing.T) {
	var out strings.Builder
	b := &bench{stdout: &out}
	text := "round 1 of 1\n  some figure\r\n\n" + guestResult + `{"Figures":[{"part":"local","contender":"bare","measure":"m","values":[1,2]}],"Failed":[{"name":"x","text":"y"}]}` + "\nlast words"
	done, err := b.hearGuest(strings.NewReader(text))
	if err != nil || !done {
		t.Fatalf("%v, %v", done, err)
	}
	if f, ok := b.set.Get(guestPart, "bare", "m"); !ok || len(f.Values) != 2 {
		t.Errorf("figures %+v", b.set)
	}
	if len(b.report.Failed) != 1 || b.report.Failed[0] != (figures.Version{Name: "x", Text: "y"}) {
		t.Errorf("failed %+v", b.report.Failed)
	}
	if got, want := out.String(), "round 1 of 1\n  some figure\nlast words\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if done, err := b.hearGuest(strings.NewReader("nothing\n")); done || err != nil {
		t.Errorf("without an outcome: %v, %v", done, err)
	}
	if _, err := b.hearGuest(bytes.NewReader([]byte(guestResult + "{"))); err == nil {
		t.Error("half an outcome is no error")
	}
}
