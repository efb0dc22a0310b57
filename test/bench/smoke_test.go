package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"goppptp/test/bench/figures"
)

// TestMain: the baseline is this program in a process of its own, which here is
// the test's.
func TestMain(m *testing.M) {
	runHidden()
	os.Exit(m.Run())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
}

func needIperf(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("iperf3"); err != nil {
		t.Skip("needs iperf3")
	}
}

// leftovers names what a run must not leave: processes, temporary files, links of
// the machine.
func leftovers(t *testing.T, temp string) (list []string) {
	t.Helper()
	for _, pid := range childrenOf(os.Getpid()) {
		name, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		list = append(list, "process "+string(name))
	}
	for _, dir := range []string{temp, "/sys/class/net"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
	}
	return list
}

// TestRun is a whole run, as short as can be, of what needs no other program
// than iperf3. How long anything took decides nothing.
func TestRun(t *testing.T) {
	needRoot(t)
	needIperf(t)
	temp, out := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := leftovers(t, temp)
	opts, err := parseOptions([]string{"-rounds", "1", "-seconds", "0.5", "-pings", "20", "-only", "bare,naive,goppptp",
		"-measure", "tcp,rtt,memory,connect", "-out", out}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if err := run(t.Context(), opts, &said); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if after := leftovers(t, temp); !slices.Equal(after, before) {
		t.Errorf("there are %q, there were %q", after, before)
	}
	text, err := os.ReadFile(filepath.Join(out, "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d figures.Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	r := d.Set()
	tcp := []string{"tcp1-up", "tcp1-down", "tcp4-up", "tcp4-down", "rtt-whole-p50", "rtt-whole-p99"}
	tunnel := append([]string{"cpu-tcp1-up", "cpu-tcp1-down", "cpu-tcp4-up", "cpu-tcp4-down", "rss-client", "rss-server", "connect"}, tcp...)
	for contender, measures := range map[string][]string{"bare": tcp, "naive": tunnel, "goppptp": tunnel} {
		for _, m := range measures {
			f, ok := r.Get("local", contender, m)
			if !ok || len(f.Values) != 1 || f.Values[0] <= 0 {
				t.Errorf("%s, %s: %v", contender, m, f.Values)
			}
		}
	}
	for name, want := range map[string]string{"bench.md": "| goppptp |", "bench.svg": "</svg>"} {
		if text, err := os.ReadFile(filepath.Join(out, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, %d octets without %q", name, err, len(text), want)
		}
	}
}

// An interruption ends a run when it has said something.
type interruption struct {
	strings.Builder
	word string
	stop context.CancelFunc
}

func (i *interruption) Write(b []byte) (int, error) {
	if strings.Contains(string(b), i.word) {
		i.stop()
	}
	return i.Builder.Write(b)
}

// TestInterrupted: Ctrl-C in the middle leaves nothing.
func TestInterrupted(t *testing.T) {
	needRoot(t)
	needIperf(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := leftovers(t, temp)
	opts, err := parseOptions([]string{"-rounds", "3", "-seconds", "0.5", "-only", "bare,naive", "-measure", "tcp", "-out", ""}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &interruption{word: "tcp1-up", stop: stop}
	if err := run(ctx, opts, out); err == nil || err.Error() != "interrupted" {
		t.Errorf("the run ended with %v, it said\n%s", err, out.String())
	}
	if after := leftovers(t, temp); !slices.Equal(after, before) {
		t.Errorf("there are %q, there were %q", after, before)
	}
}

// TestDatagrams sends some over a bare cable: a slow stream arrives.
func TestDatagrams(t *testing.T) {
	needRoot(t)
	needIperf(t)
	s, err := bare().open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	r, err := newReceiver(s.b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	tx, err := newSender(s.a, netip.AddrPortFrom(s.at, r.port))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.close()
	for range 2 {
		got, err := try(t.Context(), tx, r, 1000, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if got.sent < 1 || got.received != got.sent || got.rate <= 0 {
			t.Errorf("%+v: all of some must arrive", got)
		}
	}
}
