package routing

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second // after which a test gives up

func newWatcher(t *testing.T) *Watcher {
	t.Helper()
	w, err := NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Which of the kernel's messages count: those of another's doing.
func TestWatcherCounts(t *testing.T) {
	office4(t)
	ip(t, "rule add pref 500 to 10.77.0.0/16 lookup 100")
	w := newWatcher(t)
	defer w.socket.Close()
	// What comes of a command is in the socket before the command has ended.
	counted := func() (counted bool) {
		t.Helper()
		buf := make([]byte, 1<<16)
		for {
			n, _, err := unix.Recvfrom(w.socket.GetFd(), buf, unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EAGAIN) {
				return counted
			}
			if err != nil {
				t.Fatal(err)
			}
			messages, err := syscall.ParseNetlinkMessage(buf[:n])
			if err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				counted = w.counts(&messages[i]) || counted
			}
		}
	}
	ip(t, "link set ppp0 alias seen") // its flags are known from here on
	ip(t, "link set eth0 alias seen")
	counted()
	for _, c := range []struct {
		command string
		want    bool
	}{
		{"route add 10.1.0.0/16 via 10.250.166.9 dev eth0", true},
		{"route del 10.1.0.0/16", true},
		{"route add 10.1.0.0/16 dev ppp0 proto 178", false},
		{"route append unreachable 10.1.0.0/16 proto 178 metric 4", false},
		{"route del 10.1.0.0/16 dev ppp0", true},
		{"route add local 10.3.0.1 dev lo table local", false},
		{"addr add 10.9.9.9/32 dev eth0", true},
		{"addr del 10.9.9.9/32 dev eth0", true},
		{"rule add pref 600 lookup 100", true},
		{"rule del pref 500", true},
		{"link set eth0 alias something", false},
		{"link set eth0 mtu 1400", false},
		{"link set ppp0 down", true},
		{"link set ppp0 up", true},
		{"link add dummy7 type veth peer name dummy8", true},
		{"link del dummy7", true},
	} {
		ip(t, c.command)
		if got := counted(); got != c.want {
			t.Errorf("%s: counts %v, want %v", c.command, got, c.want)
		}
	}
}

// looks runs a Watcher and hands over each look, which ends when it is answered.
func looks(t *testing.T, mended func() bool) (looked chan struct{}, stop func() error) {
	t.Helper()
	w := newWatcher(t)
	ctx, cancel := context.WithCancel(context.Background())
	looked, done := make(chan struct{}, 64), make(chan error, 1)
	go func() {
		done <- w.Run(ctx, func() bool {
			looked <- struct{}{}
			return mended()
		})
	}()
	t.Cleanup(cancel)
	return looked, func() error {
		cancel()
		return <-done
	}
}

func wait[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing for %v", what, patience)
	}
	return v
}

func TestWatcherLooks(t *testing.T) {
	office4(t)
	looked, stop := looks(t, func() bool { return false })
	ip(t, "route add 10.1.0.0/16 via 10.250.166.9 dev eth0")
	wait(t, "a route is added", looked)
	ip(t, "link set eth0 down")
	wait(t, "a link goes down", looked)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A session follows: its gateway's route moves with the default route, and what
// somebody else deletes is put back.
func TestWatcherFollows(t *testing.T) {
	office4(t)
	wire(t, "wlan0")
	ip(t, "addr add 192.168.1.20/24 dev wlan0")
	before := table(t)
	n := session(t, t.TempDir())
	set(t, n, lab())
	up := mainTable(t)
	done := make(chan []Op, 16)
	var mended atomic.Bool
	w := newWatcher(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cfg := lab()
	go func() {
		ended <- w.Run(ctx, func() bool {
			if err := n.Set(ctx, &cfg); err != nil {
				t.Error(err)
			}
			if ops := n.Last().Ops; len(ops) > 0 {
				done <- ops
			}
			return mended.Load()
		})
	}()
	mended.Store(true)
	ip(t, "route del 192.168.14.0/24")
	if ops := opText(wait(t, "a deleted route", done)); ops != "ip route add 192.168.14.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178" {
		t.Errorf("put back: %s", ops)
	}
	mended.Store(false)
	ip(t, "route replace default via 192.168.1.1 dev wlan0")
	if ops := opText(wait(t, "another default route", done)); ops != lines(`
		ip route append 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178
		ip route del 203.235.199.133 via 10.250.166.1 dev eth0 proto 178`) {
		t.Errorf("moved: %s", ops)
	}
	ip(t, "route replace default via 10.250.166.1 dev eth0")
	wait(t, "the first default route", done)
	wantTable(t, "back", mainTable(t), up)
	cancel()
	if err := wait(t, "the end", ended); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

func TestFindPath(t *testing.T) {
	office4(t)
	p, err := FindPath(netip.MustParseAddr("203.235.199.133"))
	if want := (Path{Dev: "eth0", Via: netip.MustParseAddr("10.250.166.1"), Source: netip.MustParseAddr("10.250.166.53")}); err != nil || p != want {
		t.Errorf("%v, %v; want %v", p, err, want)
	}
	if p, err := FindPath(netip.MustParseAddr("10.250.166.7")); err != nil || p.String() != "dev eth0 src 10.250.166.53" {
		t.Errorf("on the link: %v, %v", p, err)
	}
	ip(t, "route del default")
	var none *NoPathError
	if p, err := FindPath(netip.MustParseAddr("203.235.199.133")); !errors.As(err, &none) {
		t.Errorf("no route: %v, %v", p, err)
	}
	for a, want := range map[string]bool{"10.250.166.53": true, "192.168.13.240": true, "10.250.166.54": false, "192.168.13.254": false} {
		if has, err := HasAddress(netip.MustParseAddr(a)); err != nil || has != want {
			t.Errorf("has %s: %v, %v", a, has, err)
		}
	}
	if got := strings.Fields((Path{Dev: "x"}).String()); !slices.Equal(got, []string{"dev", "x"}) {
		t.Errorf("%q", got)
	}
}
