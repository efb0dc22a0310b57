package scale

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"goppptp/test/bench/load/generator"
)

// needRoot skips a test that makes network namespaces, where they cannot be.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
}

// start makes a rig with a server built from the checkout.
func start(t *testing.T, clients int) *Rig {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "goppptp")
	build := exec.Command("go", "build", "-o", program, "goppptp/cmd/goppptp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	r, err := Start(t.Context(), Options{Program: program, Dir: dir, Clients: clients})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// links names the interfaces on the server's host, without its loopback.
func (r *Rig) links(t *testing.T) (names []string) {
	t.Helper()
	err := r.Place.server.do(func() error {
		list, err := netlink.LinkList()
		for _, l := range list {
			if name := l.Attrs().Name; name != "lo" {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// eventually waits for something that is about to happen.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// TestSessions holds twenty sessions against a real server: what is sent into each
// comes out of it again as it was, also over the server's routing; all end in
// order, and nothing is left.
func TestSessions(t *testing.T) {
	const n = 20
	r := start(t, n)
	closed := false
	defer func() {
		if !closed {
			r.Close()
		}
	}()
	up, err := r.Up(t.Context(), n)
	if err != nil || up.Up != n || up.Failed != 0 {
		t.Fatalf("%+v, %v: %s", up, err, Failures(r.Clients))
	}
	if up.Rate <= 0 || up.P50 <= 0 || up.P99 < up.P50 || up.CPU <= 0 {
		t.Errorf("the set-up was measured as %+v", up)
	}
	// The client is done before the server has its interface.
	eventually(t, "an interface for each session", func() bool { return len(r.links(t)) == n+1 })

	send := func(l generator.Load) {
		t.Helper()
		before := r.Clients.Counts()
		sent, err := r.Clients.Send(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		all := func() (c generator.Count) {
			for i, now := range r.Clients.Counts() {
				c.Packets += now.Packets - before[i].Packets
				c.Numbers += now.Numbers - before[i].Numbers
			}
			return c
		}
		eventually(t, "all that was sent comes", func() bool { return all().Packets >= sent.Packets })
		if got := all(); got.Packets != sent.Packets || got.Numbers != sent.Numbers {
			t.Errorf("came: %+v; sent: %+v", got, sent)
		}
		each := sent.Packets / n
		for i, now := range r.Clients.Counts() {
			if got := now.Packets - before[i].Packets; got != each {
				t.Errorf("session %d got %d packets, want %d", i, got, each)
			}
		}
	}
	r.Outside.Answer(true)
	send(generator.Load{Packets: 40 * n, Train: 4, Size: 1000, Rate: 5000, To: outside})
	send(generator.Load{Packets: 40 * n, Train: 4, Size: 200, Rate: 5000, Across: 7})
	send(generator.Load{Packets: 40 * n, Train: 20, Size: 1000, Rate: 5000, Across: 1, TCP: true})
	r.Outside.Answer(false)

	for _, traffic := range []Traffic{{}, {Spread: true}, {Down: true}, {Down: true, Spread: true}} {
		traffic.Packets, traffic.Rate, traffic.Size, traffic.Train = 200, 5000, 500, 4
		if cost, err := r.Cost(t.Context(), traffic); err != nil || cost.Lost != 0 {
			t.Errorf("%v: %+v, %v", traffic, cost, err)
		}
	}
	if wrong := r.Wrong(); wrong != "" {
		t.Error(wrong)
	}
	if ended, _ := r.Down(t.Context()); ended != n {
		t.Errorf("%d sessions ended in order, want %d", ended, n)
	}
	if failures := Failures(r.Clients); failures != "" {
		t.Error(failures)
	}
	eventually(t, "no interface is left", func() bool { return slices.Equal(r.links(t), []string{"eth0"}) })
	closed = true
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(r.Server.Log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			t.Errorf("the server said: %s", line)
		}
	}
}

// TestServerThatDoesNotStart says why.
func TestServerThatDoesNotStart(t *testing.T) {
	needRoot(t)
	program, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Start(t.Context(), Options{Program: program, Dir: t.TempDir(), Clients: 1})
	if err == nil {
		r.Close()
		t.Fatal("a server that does not start has started")
	}
	if !strings.Contains(err.Error(), "goppptp serve") {
		t.Errorf("error: %v", err)
	}
}

// TestPool: there are as many addresses as clients.
func TestPool(t *testing.T) {
	for clients, want := range map[int]string{1: "10.128.0.1", 256: "10.128.1.0", 5000: "10.128.19.136"} {
		if got := poolLast(clients); got != netip.MustParseAddr(want) {
			t.Errorf("%d clients: the last address is %v, want %s", clients, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	text := "Name:\tx: y 7 kB\nVmRSS:\t   1234 kB\nThreads:\t4\nVmSize: 12\nBad: -1 kB\nSlab:2 kB\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := fields(path)
	if err != nil || len(got) != 2 || got["VmRSS"] != 1234*1024 || got["Slab"] != 2048 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := fields(path + ".not"); err == nil {
		t.Error("a file that is not there has fields")
	}
}

// TestCPU: a process that works takes time, and one that is gone has none.
func TestCPU(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	x := 0
	eventually(t, "this process takes CPU time", func() bool {
		for i := range 1 << 20 {
			x += i
		}
		now, err := CPU(os.Getpid())
		return err == nil && now > before
	})
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if s, err := CPU(cmd.Process.Pid); err == nil {
		t.Errorf("a process that is gone took %v s", s)
	}
}

func TestTrafficName(t *testing.T) {
	for want, traffic := range map[string]Traffic{"up-one": {}, "up-all": {Spread: true}, "down-one": {Down: true}, "down-all": {Down: true, Spread: true}} {
		if got := traffic.String(); got != want {
			t.Errorf("%+v is called %s, want %s", traffic, got, want)
		}
	}
}

// TestStill: a value that moves is waited for, one that keeps moving not for ever.
func TestStill(t *testing.T) {
	values := []float64{1, 5, 9, 9.5, 9, 9.2}
	i := -1
	err := still(t.Context(), 5*time.Millisecond, time.Hour, func() (float64, float64, error) {
		i++
		return values[min(i, len(values)-1)], 1, nil
	})
	if err != nil || i < 3 { // once more than it took to come to rest
		t.Errorf("it was still after %d looks: %v", i+1, err)
	}
	x := 0.0
	if err := still(t.Context(), time.Hour, time.Millisecond, func() (float64, float64, error) { x++; return x, 0, nil }); err != nil || x < 1 {
		t.Errorf("%v after %v looks", err, x)
	}
	if err := still(t.Context(), time.Hour, time.Hour, func() (float64, float64, error) { return 0, 0, os.ErrNotExist }); err == nil {
		t.Error("what cannot be looked at is still")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := still(ctx, time.Hour, time.Hour, func() (float64, float64, error) { return 0, 0, nil }); err == nil {
		t.Error("it does not end with its context")
	}
}
