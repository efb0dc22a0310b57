package routing

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
)

// With Block a subnet never has the path it would have without the tunnel:
// from before dialling, over the loss of the interface, to the end.
func TestBlock(t *testing.T) {
	office4(t)
	before := table(t)
	n := session(t, t.TempDir())
	cfg := lab()
	cfg.Block = true
	path := func() string {
		t.Helper()
		out, err := exec.Command("ip", "route", "get", "172.16.0.1").CombinedOutput()
		if err != nil && !strings.Contains(string(out), "No route to host") {
			t.Fatalf("ip route get: %v\n%s", err, out)
		}
		for _, dev := range []string{"eth0", "ppp0"} {
			if strings.Contains(string(out), "dev "+dev) {
				return dev
			}
		}
		return "refused"
	}
	if got := path(); got != "eth0" {
		t.Fatalf("before: %s", got)
	}
	set(t, n, dialling(cfg))
	for round := range 2 {
		if got := path(); got != "refused" {
			t.Fatalf("round %d: dialling: %s", round, got)
		}
		set(t, n, cfg)
		if got := path(); got != "ppp0" {
			t.Fatalf("round %d: up: %s", round, got)
		}
		ip(t, "tuntap del ppp0 mode tun")
		if got := path(); got != "refused" {
			t.Fatalf("round %d: interface gone: %s", round, got)
		}
		set(t, n, dialling(cfg))
		tunnel(t, "ppp0", "192.168.13.240", "192.168.13.254")
	}
	// What is asked for no more is not held any more.
	set(t, n, dialling(with(lab("192.168.14.0/24"), func(c *Config) { c.Block = true })))
	if got := path(); got != "eth0" {
		t.Errorf("not asked for: %s", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantTable(t, "down", table(t), before)
}

func TestBlockIPv6(t *testing.T) {
	office4(t)
	if !ipv6(t, "eth0", true) {
		t.Skip("needs IPv6 in the kernel")
	}
	ip(t, "addr add 2001:db8:1::5/64 dev eth0 nodad")
	ip(t, "-6 route add default via 2001:db8:1::1 dev eth0")
	lookup := func() bool {
		out, err := exec.Command("ip", "-6", "route", "get", "2001:db8:9::1").CombinedOutput()
		return err == nil && strings.Contains(string(out), "dev eth0")
	}
	if !lookup() {
		t.Fatal("no path to begin with")
	}
	n := session(t, t.TempDir())
	cfg := lab()
	cfg.Block, cfg.Routes = true, routes("2001:db8:9::/48")
	set(t, n, dialling(cfg))
	if lookup() {
		t.Error("it leaves outside the tunnel")
	}
	cfg.Routes, cfg.DefaultRoute = nil, true
	set(t, n, cfg)
	if lookup() {
		t.Error("with everything requested: it leaves outside the tunnel")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if !lookup() {
		t.Error("the path is not back")
	}
}

// What a killed session held is given back.
func TestRepairBlock(t *testing.T) {
	office4(t)
	before := table(t)
	dir := t.TempDir()
	cfg := dialling(lab("172.16.0.0/16", "203.235.199.0/24"))
	cfg.Block, cfg.Exclude = true, []netip.Prefix{netip.MustParsePrefix("172.16.9.0/24")}
	helper(t, dir, writeConfig(t, &cfg))()
	if table(t) == before {
		t.Fatal("the session did nothing")
	}
	if done, err := Repair(dir); err != nil || len(done) != 4 {
		t.Fatalf("%q, %v", done, err)
	}
	wantTable(t, "repaired", table(t), before)
}
