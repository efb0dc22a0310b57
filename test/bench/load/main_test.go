package main

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goppptp/test/bench/load/generator"
	"goppptp/test/bench/load/scale"
)

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-server 192.0.2.1 -source 192.0.2.7 -source 192.0.2.8 -user u%d -password p -sessions 12 -pending 3"+
		" -packets 100 -rate 50 -train 4 -size 300 -to 0.0.0.0:7 -hold 2s"), new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if o.server != netip.MustParseAddr("192.0.2.1") || len(o.sources) != 2 || o.sources[1] != netip.MustParseAddr("192.0.2.8") ||
		o.sessions != 12 || o.pending != 3 || o.hold != 2*time.Second || o.password != "p" {
		t.Errorf("%+v", o)
	}
	if want := (generator.Load{Packets: 100, Rate: 50, Train: 4, Size: 300, To: netip.MustParseAddrPort("0.0.0.0:7")}); o.load != want {
		t.Errorf("the load is %+v, want %+v", o.load, want)
	}
	if got := o.userName(7); got != "u7" {
		t.Errorf("session 7 is user %q", got)
	}
}

func TestParseMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"":                                                        "-server",
		"-server 192.0.2.1":                                       "-user",
		"-server ::1 -user u":                                     "IPv4",
		"-server 192.0.2.1 -user u what":                          `"what"`,
		"-server 192.0.2.1 -user u -source x":                     "source",
		"-server 192.0.2.1 -user u -sessions 0":                   "-sessions",
		"-server 192.0.2.1 -user u -sessions 65536":               "-sessions",
		"-server 192.0.2.1 -user u -packets 5":                    "-across or -to",
		"-server 192.0.2.1 -user u -packets -5":                   "negative",
		"-server 192.0.2.1 -user u -packets 5 -across -1":         "negative",
		"-server 192.0.2.1 -user u -packets 5 -to 192.0.2.9":      "-to",
		"-server 192.0.2.1 -user u -packets 5 -to 0.0.0.0:7 -tcp": "-across",
		"-server 192.0.2.1 -user u -pending 0":                    "negative",
		"-server 192.0.2.1 -user u -packets 5 -to 1.2.3.4:99999":  "-to",
	} {
		if _, err := parse(strings.Fields(args), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", args, err, want)
		}
	}
}

// TestDrive does with a real server what the command does.
func TestDrive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "goppptp")
	build := exec.Command("go", "build", "-o", program, "goppptp/cmd/goppptp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	r, err := scale.Start(t.Context(), scale.Options{Program: program, Dir: dir, Clients: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Outside.Answer(true)
	var out bytes.Buffer
	o := options{sessions: 3, hold: time.Millisecond, load: generator.Load{Packets: 30, Size: 200, To: netip.AddrPortFrom(netip.IPv4Unspecified(), generator.Port)}}
	if err := drive(t.Context(), o, r.Clients, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"3 sessions up in ", "30 packets sent in ", "30 came, out of 3 sessions", "3 sessions up after 1ms", "3 sessions ended in order"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	// There are six addresses.
	out.Reset()
	o.sessions, o.load.Packets = 7, 0
	if err := drive(t.Context(), o, r.Clients, &out); err == nil || !strings.Contains(out.String(), ": set-up: ") {
		t.Errorf("seven sessions for six addresses: %v\n%s", err, out.String())
	}
}
