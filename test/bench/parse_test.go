package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"goppptp/test/bench/figures"
)

func TestParseIperf(t *testing.T) {
	got, err := parseIperf([]byte(`{"end":{"sum_sent":{"bytes":9,"bits_per_second":9},"sum_received":{"seconds":2,"bytes":1000,"bits_per_second":4000}}}`), nil)
	if err != nil || got != (iperfEnd{1000, 4000}) {
		t.Errorf("%+v, %v", got, err)
	}
	failed := errors.New("exit status 1")
	for _, text := range []string{"", "{", `{"error":"unable to connect"}`, `{"end":{}}`, `{"end":{"sum_received":{"bytes":0,"bits_per_second":1}}}`} {
		if got, err := parseIperf([]byte(text), failed); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-rounds", "7", "-only", "goppptp,bare", "-with", "old=/x/y=z", "-part", "local", "-measure", "tcp"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.rounds != 7 || !o.wants("bare") || o.wants("naive") || len(o.with) != 1 || o.with[0] != (namedPath{"old", "/x/y=z"}) || !slices.Equal(o.parts, []string{"local"}) {
		t.Errorf("%+v", o)
	}
	if o, err := parseOptions([]string{"-part", "all", "-quick"}, io.Discard); err != nil || slices.Contains(o.parts, "soak") || len(o.parts) != len(partNames())-1 || o.rounds != 1 || !o.wants("naive") {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-part", "nowhere"}, {"-measure", "taste"}, {"-with", "old"}, {"-rounds", "0"}, {"-seconds", "-1"}, {"more"}} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

func TestRotate(t *testing.T) {
	list := []int{1, 2, 3}
	for by, want := range [][]int{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}, {1, 2, 3}} {
		if got := rotate(list, by); !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want %v", by, got, want)
		}
	}
	if rotate([]int(nil), 3) != nil {
		t.Error("nothing is rotated to something")
	}
}

// TestHighestRate has the search find a limit, also where the machine loses
// something at lower rates now and then.
func TestHighestRate(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit float64
		fluke func(call int) bool
	}{
		{"steady", 40000, func(int) bool { return false }},
		{"slow", 1100, func(int) bool { return false }},
		{"fast", 1e9, func(int) bool { return false }},
		{"every other trial disturbed", 40000, func(call int) bool { return call%2 == 0 }},
		{"disturbed for a while", 40000, func(call int) bool { return call >= 2 && call < 7 }},
	} {
		calls, highest := 0, 0.0
		got, err := highestRate(t.Context(), func(_ context.Context, rate float64) (trial, error) {
			calls++
			r := trial{sent: 10000, received: 10000, rate: rate}
			if rate > c.limit {
				r.received = 9000
			} else if c.fluke(calls) {
				r.received = 9900
			} else {
				highest = max(highest, rate)
			}
			return r, nil
		})
		top := udpSlowest * math.Pow(udpStep, udpSteps-1)
		if want := min(c.limit, top); err != nil || got != highest || got > want || got < want/udpStep/1.0001 {
			t.Errorf("%s: %v after %d trials, %v; want %v", c.name, got, calls, err, want)
		}
		if calls > 60 {
			t.Errorf("%s: %d trials", c.name, calls)
		}
	}
	none := func(context.Context, float64) (trial, error) { return trial{sent: 100}, nil }
	if got, err := highestRate(t.Context(), none); err == nil {
		t.Errorf("all is lost, and the rate is %v", got)
	}
	broken := errors.New("broken")
	if _, err := highestRate(t.Context(), func(context.Context, float64) (trial, error) { return trial{}, broken }); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

func TestTrial(t *testing.T) {
	for _, c := range []struct {
		trial
		want bool
	}{
		{trial{10000, 10000, 1000}, true},
		{trial{10000, 9991, 1000}, true},
		{trial{10000, 9990, 1000}, false}, // 0.1 %
		{trial{10000, 10000, 969}, false}, // that rate was not tried
		{trial{0, 0, 1000}, false},
	} {
		if got := c.good(1000); got != c.want {
			t.Errorf("%+v: %v", c.trial, got)
		}
	}
}

func TestEcho(t *testing.T) {
	request := echoRequest(7, 9, 5)
	sum := uint32(0)
	for b := append(slices.Clone(request), 0); len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if sum = sum>>16 + sum&0xffff; sum != 0xffff {
		t.Errorf("the checksum is off: 0x%x", sum)
	}
	packet := append(make([]byte, 20), request...)
	packet[0] = 0x45
	if answers(packet, 7, 9) {
		t.Error("the request answers itself")
	}
	packet[20] = 0
	if !answers(packet, 7, 9) || answers(packet, 8, 9) || answers(packet, 7, 8) {
		t.Error("the answer is not told from others")
	}
	for n := range 28 {
		if answers(packet[:n], 7, 9) {
			t.Errorf("%d octets are an answer", n)
		}
	}
	packet[0] = 0x4f // a header longer than the packet
	if answers(packet, 7, 9) {
		t.Error("there is an answer behind the end")
	}
}

func TestAddRTT(t *testing.T) {
	m := func(q string) figures.Measure { return figures.Measure{Key: "rtt-whole-" + q} }
	round := map[string][]reading{
		bareName: {{m("p50"), 0.05}, {m("p99"), 0.2}},
		"tunnel": {{m("p50"), 0.35}, {m("p99"), 2.05}},
	}
	var set figures.Set
	for name, list := range round {
		for _, r := range list {
			set.Add("local", name, r.Measure, r.value)
		}
	}
	addRTT(&set, round)
	for q, want := range map[string]float64{"p50": 0.3, "p99": 2} {
		f, ok := set.Get("local", "tunnel", "rtt-"+q)
		if !ok || len(f.Values) != 1 || math.Abs(f.Values[0]-want) > 1e-9 {
			t.Errorf("%s: %+v, want %v", q, f, want)
		}
	}
	if _, ok := set.Get("local", bareName, "rtt-p50"); ok {
		t.Error("the bare cable adds to itself")
	}
}

func TestCPUModel(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: Some CPU: fast\n\nprocessor\t: 1\nmodel name\t: Other\n"
	if got := cpuModel(text, "?"); got != "Some CPU: fast" {
		t.Errorf("%q", got)
	}
	if got := cpuModel("", "?"); got != "?" {
		t.Errorf("%q", got)
	}
}

// TestTargets: a target that names no measure or contender would never be met
// nor missed.
func TestTargets(t *testing.T) {
	for _, target := range localTargets() {
		if target.Part != "local" || target.Measure == "" || target.Contender != "goppptp" || target.Bound <= 0 {
			t.Errorf("%+v", target)
		}
	}
}

func TestModuleVersion(t *testing.T) {
	const text = "/x/wireguard: go1.26\n\tpath\tgolang.zx2c4.com/wireguard\n\tmod\tgolang.zx2c4.com/wireguard\tv1.2.3\th1:x=\n\tdep\tgolang.org/x/sys\tv0.1.0\th1:y=\n"
	if got := moduleVersion(text, wireguardModule); got != "v1.2.3" {
		t.Errorf("%q", got)
	}
	if got := moduleVersion("", wireguardModule); got == "" {
		t.Error("nothing is said of the version")
	}
}
