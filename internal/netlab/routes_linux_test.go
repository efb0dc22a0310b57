package netlab

import (
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestRoutes(t *testing.T) {
	lab := newLab(t, Options{})
	for _, tt := range []struct {
		ns   *Namespace
		want []string
	}{
		{lab.Client, []string{
			"default via 10.250.166.1 dev eth0",
			"10.250.166.0/24 dev eth0 proto kernel scope link src 10.250.166.10"}},
		{lab.Server, []string{
			"default via 192.168.13.1 dev eth0",
			"172.16.0.0/16 via 192.168.13.50 dev eth0",
			"192.168.13.0/24 dev eth0 proto kernel scope link src 192.168.13.3",
			"192.168.14.0/24 via 192.168.13.50 dev eth0"}},
		{lab.Inner, []string{"192.168.13.0/24 dev eth0 proto kernel scope link src 192.168.13.50"}},
	} {
		got, err := tt.ns.Routes()
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", tt.ns.Name, err, got, tt.want)
		}
	}
}

// What we print of odd routes is what iproute2 prints.
func TestRoutesAsIproute2(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs iproute2 to compare with")
	}
	lab := newLab(t, Options{})
	n := lab.Client
	add := func(r netlink.Route, to string) {
		t.Helper()
		if to != "" {
			r.Dst = ipNet(netip.MustParsePrefix(to))
		}
		if err := netlink.RouteAdd(&r); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	err := n.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		i, gw := eth0.Attrs().Index, net.IP(GatewayAddr.AsSlice())
		add(netlink.Route{LinkIndex: i, Scope: netlink.SCOPE_LINK, Protocol: 178}, "192.168.13.254/32")
		add(netlink.Route{LinkIndex: i, Gw: gw, Protocol: 178, Priority: 1}, "172.16.0.0/16")
		add(netlink.Route{LinkIndex: i, Gw: gw, Protocol: 16, Priority: 5, MTU: 1400, Src: ClientAddr.AsSlice()}, "192.0.2.0/24")
		add(netlink.Route{LinkIndex: i, Gw: gw, MTU: 1300, MTULock: true, AdvMSS: 1200}, "192.0.3.0/24")
		add(netlink.Route{LinkIndex: i, Gw: net.IPv4(203, 0, 113, 1), Flags: int(netlink.FLAG_ONLINK)}, "192.0.4.0/24")
		add(netlink.Route{Type: unix.RTN_BLACKHOLE, Protocol: 4}, "192.0.5.0/24")
		add(netlink.Route{Type: unix.RTN_UNREACHABLE, Priority: 4278198272}, "0.0.0.0/0")
		add(netlink.Route{Type: unix.RTN_THROW}, "192.0.6.7/32")
		add(netlink.Route{LinkIndex: i, Gw: gw, Tos: 16}, "192.0.7.0/24")
		add(netlink.Route{MultiPath: []*netlink.NexthopInfo{{LinkIndex: i, Gw: gw}, {LinkIndex: i, Gw: net.IPv4(10, 250, 166, 2), Hops: 4}}}, "192.0.8.0/24")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	iproute2 := func() []string {
		t.Helper()
		out, err := n.Command(t.Context(), "ip", "-4", "route").CombinedOutput()
		if err != nil {
			t.Fatalf("ip route: %v\n%s", err, out)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			line = strings.TrimRight(line, " \n")
			if rest, ok := strings.CutPrefix(line, "\t"); ok {
				want[len(want)-1] += " " + strings.ReplaceAll(rest, "  ", " ")
			} else {
				want = append(want, strings.ReplaceAll(line, "  ", " "))
			}
		}
		return want
	}
	// The kernel notes a link's state a while after it changed: what is
	// compared was the same before and after.
	compare := func() {
		t.Helper()
		for {
			before, err := n.Routes()
			if err != nil {
				t.Fatal(err)
			}
			want := iproute2()
			after, err := n.Routes()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(before, after) {
				continue
			}
			if !slices.Equal(after, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(want, "\n"))
			}
			return
		}
	}
	compare()
	if err := lab.Router.SetLink("wan", false); err != nil {
		t.Fatal(err)
	}
	compare()
	if err := lab.Router.SetLink("wan", true); err != nil {
		t.Fatal(err)
	}
	wantPing(t, lab.Client, GatewayAddr, true)
}
