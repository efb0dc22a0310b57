package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 10 20 0 0 150 75 20 5 20 0 1 0 100 1000 200"
	for _, c := range []struct {
		stat string
		want float64 // negative: an error
	}{
		{"12 (name)" + rest, 2.5},
		{"12 (a (very) odd) name)" + rest, 2.5},
		{"12 (name) S 1 2 3", -1},
		{"12 (name)" + strings.Replace(rest, "150", "x", 1), -1},
		{"12 (name)" + strings.Replace(rest, "150", "-150", 1), -1},
		{"", -1},
	} {
		got, err := parseStat(c.stat)
		if c.want < 0 && err == nil || c.want >= 0 && (err != nil || got != c.want) {
			t.Errorf("%q: %v, %v; want %v", c.stat, got, err, c.want)
		}
	}
}

func TestParseRSS(t *testing.T) {
	for status, want := range map[string]float64{
		"Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\nThreads:\t1\n": 512 << 10,
		"VmRSS:\t0 kB\n":   0,
		"VmRSS:\t512 MB\n": -1,
		"VmRSS:\tx kB\n":   -1,
		"VmRSS:\n":         -1,
		"Name:\tx\n":       -1,
	} {
		got, err := parseRSS(status)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q: %v, %v; want %v", status, got, err, want)
		}
	}
}

// TestOwn reads what the kernel of this machine says of this process, and of a
// child and its child.
func TestOwn(t *testing.T) {
	cmd := exec.Command("sh", "-c", `sh -c 'echo up; read line'; :`)
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer hold.Close()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if n := len(childrenOf(cmd.Process.Pid)); n != 1 {
		t.Errorf("the shell has %d children, want 1", n)
	}
	one, err := rssOf(cmd.Process.Pid)
	if err != nil || one <= 0 {
		t.Errorf("the shell's memory: %v, %v", one, err)
	}
	all, err := rssOf(os.Getpid())
	if err != nil || all <= one {
		t.Errorf("our memory, the shell's among it: %v, the shell's %v, %v", all, one, err)
	}
	if cpu, err := cpuOf(os.Getpid()); err != nil || cpu < 0 {
		t.Errorf("our CPU time: %v, %v", cpu, err)
	}
	if _, err := cpuOf(-1); err == nil {
		t.Error("a process that cannot be has CPU time")
	}
}
