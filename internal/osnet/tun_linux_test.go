package osnet

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"goppptp/internal/offload"
)

// openTUN opens one in the namespace.
func openTUN(t testing.TB, ns netns, cfg TUNConfig) *TUN {
	t.Helper()
	var tun *TUN
	ns.do(t, func() (err error) { tun, err = OpenTUN(cfg); return })
	t.Cleanup(func() { tun.Close() })
	return tun
}

func TestTUNSettings(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	first := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, MTU: 1396})
	second := openTUN(t, ns, TUNConfig{Name: "ppp%d", Local: addrA, Peer: addrB, PeerRoute: true})
	third := openTUN(t, ns, TUNConfig{Name: "vpn-lab"})
	for i, want := range []string{"ppp0", "ppp1", "vpn-lab"} {
		if got := []*TUN{first, second, third}[i].Name(); got != want {
			t.Errorf("TUN %d is called %q, want %q", i, got, want)
		}
	}
	ns.do(t, func() error {
		link, err := netlink.LinkByName("ppp0")
		if err != nil {
			return err
		}
		a := link.Attrs()
		if a.MTU != 1396 || a.Index != first.Index() || a.Flags&net.FlagUp == 0 || a.Flags&net.FlagPointToPoint == 0 {
			t.Errorf("ppp0: MTU %d, index %d (want %d), flags %v", a.MTU, a.Index, first.Index(), a.Flags)
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		if len(addrs) != 1 || !addrs[0].IP.Equal(addrA.AsSlice()) || addrs[0].Peer.String() != "10.9.0.2/32" {
			t.Errorf("ppp0 has %v, want %v peer %v and no IPv6", addrs, addrA, addrB)
		}
		if len(addrs) == 1 && addrs[0].Flags&unix.IFA_F_NOPREFIXROUTE == 0 {
			t.Error("ppp0: the address brings a route of its own")
		}
		// The only route is the one that was asked for, on ppp1.
		routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		routes = slices.DeleteFunc(routes, func(r netlink.Route) bool { return r.Dst.IP.IsMulticast() || r.Dst.IP.IsLoopback() })
		if len(routes) != 1 || routes[0].LinkIndex != second.Index() || routes[0].Dst.String() != "10.9.0.2/32" {
			t.Errorf("routes %v, want 10.9.0.2 through ppp1 alone", routes)
		}
		return nil
	})
	// The number is free again once the interface is closed.
	first.Close()
	if again := openTUN(t, ns, TUNConfig{}); again.Name() != "ppp0" {
		t.Errorf("after closing ppp0 the next is %q", again.Name())
	}
	ns.do(t, func() error {
		if _, err := OpenTUN(TUNConfig{Name: "vpn-lab"}); !errors.Is(err, unix.EBUSY) {
			t.Errorf("a name in use: %v, want EBUSY", err)
		}
		if _, err := OpenTUN(TUNConfig{Name: "a-name-that-is-too-long"}); err == nil {
			t.Error("a name of 23 letters was taken")
		}
		return nil
	})
}

func TestTUNIPv6(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		// Its absence is not the tunnel's end.
		openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, LocalID6: 1, PeerID6: 2})
		t.Skip("the kernel has no IPv6")
	}
	// Also where IPv6 is off for new interfaces.
	ns.do(t, func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0) })
	openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, LocalID6: 0x0102030405060708, PeerID6: 0x1112131415161718})
	ns.do(t, func() error {
		link, err := netlink.LinkByName("ppp0")
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V6)
		if err != nil {
			return err
		}
		if len(addrs) != 1 || addrs[0].IP.String() != "fe80::102:304:506:708" || addrs[0].Peer.IP.String() != "fe80::1112:1314:1516:1718" {
			t.Errorf("IPv6 addresses %v, want the two of the interface identifiers", addrs)
		}
		return nil
	})
}

func TestTUNChanges(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB})
	ns.do(t, func() error {
		if err := tun.SetMTU(1300); err != nil {
			return err
		}
		if err := tun.SetAddress(netip.MustParseAddr("10.9.0.3"), netip.MustParseAddr("10.9.0.4"), true); err != nil {
			return err
		}
		if err := tun.AddRoute(netip.MustParsePrefix("192.168.14.0/24")); err != nil {
			return err
		}
		link, err := netlink.LinkByName(tun.Name())
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		if link.Attrs().MTU != 1300 || len(addrs) != 1 || addrs[0].IP.String() != "10.9.0.3" {
			t.Errorf("MTU %d and addresses %v, want 1300 and 10.9.0.3", link.Attrs().MTU, addrs)
		}
		routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		var got []string
		for _, r := range routes {
			got = append(got, r.Dst.String())
		}
		slices.Sort(got)
		if want := []string{"10.9.0.4/32", "192.168.14.0/24"}; !slices.Equal(got, want) {
			t.Errorf("routes to %v, want %v", got, want)
		}
		return nil
	})
}

// A datagram from the host comes out of ReadFrame, one written arrives at a socket.
func TestTUNPackets(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB, PeerRoute: true})
	var conn net.PacketConn
	ns.do(t, func() (err error) {
		conn, err = net.ListenPacket("udp4", "10.9.0.1:5000")
		return
	})
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.WriteTo([]byte("to the tunnel"), &net.UDPAddr{IP: addrB.AsSlice(), Port: 6000}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, FrameSize)
	packet, err := readPacket(tun, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(packet) != 28+13 || string(packet[28:]) != "to the tunnel" {
		t.Fatalf("read % x", packet)
	}
	// Back to where it came from: swap addresses and ports, which leaves all
	// checksums right.
	src, dst := [4]byte(packet[12:16]), [4]byte(packet[16:20])
	copy(packet[12:], dst[:])
	copy(packet[16:], src[:])
	port := [2]byte(packet[20:22])
	copy(packet[20:], packet[22:24])
	copy(packet[22:], port[:])
	if err := tun.WriteFrame([][]byte{make([]byte, offload.HeaderLen), packet}); err != nil {
		t.Fatal(err)
	}
	var got [100]byte
	k, from, err := conn.ReadFrom(got[:])
	if err != nil || string(got[:k]) != "to the tunnel" || from.String() != "10.9.0.2:6000" {
		t.Errorf("socket got %q from %v, %v", got[:k], from, err)
	}
}

// Garbage from the peer, and an interface that somebody set down, lose packets
// and nothing else.
func TestTUNRefusedPackets(t *testing.T) {
	needRoot(t)
	ns := newNetns(t)
	tun := openTUN(t, ns, TUNConfig{Local: addrA, Peer: addrB})
	packets := [][]byte{{0}, {0xff, 1, 2, 3}, make([]byte, 1400)}
	for i, packet := range packets {
		if err := tun.WriteFrame([][]byte{make([]byte, offload.HeaderLen), packet}); err != nil {
			t.Errorf("packet %d: %v", i, err)
		}
	}
	if n := tun.Refused(); n != uint64(len(packets)) {
		t.Errorf("%d were refused of %d", n, len(packets))
	}
	before := tun.Refused()
	ns.do(t, func() error { return netlink.LinkSetDown(tun.link()) })
	if err := tun.WriteFrame([][]byte{make([]byte, offload.HeaderLen), {0x45}}); err != nil {
		t.Errorf("interface down: %v", err)
	}
	if tun.Refused() != before+1 {
		t.Errorf("refused %d, want %d", tun.Refused(), before+1)
	}
}

func TestPathMTU(t *testing.T) {
	needRoot(t)
	a, _ := pairNetns(t)
	a.do(t, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMTU(link, 1480); err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("198.51.100.0/24")
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Gw: addrB.AsSlice(), MTU: 1300}); err != nil {
			return err
		}
		for to, want := range map[string]int{"10.9.0.2": 1480, "198.51.100.7": 1300, "::ffff:10.9.0.2": 1480} {
			if got, err := PathMTU(netip.MustParseAddr(to)); got != want || err != nil {
				t.Errorf("PathMTU(%s) = %d, %v, want %d", to, got, err, want)
			}
		}
		if _, err := PathMTU(netip.MustParseAddr("203.0.113.1")); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("no route: %v, want ENETUNREACH", err)
		}
		return nil
	})
}

func TestSetForwarding(t *testing.T) {
	needRoot(t)
	a, _ := pairNetns(t)
	read := func(file string) string {
		b, err := os.ReadFile("/proc/sys/net/ipv4/" + file)
		if err != nil {
			t.Error(err)
		}
		return strings.TrimSpace(string(b))
	}
	a.do(t, func() error {
		if got := read("ip_forward"); got != "0" {
			t.Fatalf("a fresh namespace forwards: %s", got)
		}
		for name, file := range map[string]string{"": "ip_forward", "eth0": "conf/eth0/forwarding"} {
			restore, err := SetForwarding(name)
			if err != nil {
				return err
			}
			again, err := SetForwarding(name)
			if err != nil {
				return err
			}
			again() // found it on: leaves it on
			if got := read(file); got != "1" {
				t.Errorf("%s is %s, want 1", file, got)
			}
			restore()
			if got := read(file); got != "0" {
				t.Errorf("%s is %s after restore, want 0", file, got)
			}
		}
		for _, name := range []string{"nonesuch", "../lo", ".."} {
			if _, err := SetForwarding(name); err == nil {
				t.Errorf("forwarding on %q was taken", name)
			}
		}
		return nil
	})
}

// The server answers ARP for an address in its subnet, so a neighbour finds
// the client behind it: shown by a datagram that comes out of the tunnel.
func TestAddProxyARP(t *testing.T) {
	needRoot(t)
	a, b := pairNetns(t)
	behind := netip.MustParseAddr("10.9.0.240")
	tun := openTUN(t, a, TUNConfig{Local: addrA, Peer: behind, PeerRoute: true})
	a.do(t, func() error {
		os.WriteFile("/proc/sys/net/ipv4/neigh/eth0/proxy_delay", []byte("0"), 0)
		remove, ifname, err := AddProxyARP(behind)
		if err != nil || ifname != "eth0" {
			t.Errorf("AddProxyARP: %q, %v, want eth0", ifname, err)
		}
		defer remove()
		if _, err := SetForwarding(""); err != nil {
			return err
		}
		var conn net.Conn
		b.do(t, func() (err error) { conn, err = net.Dial("udp4", "10.9.0.240:7"); return })
		defer conn.Close()
		conn.Write([]byte("found"))
		// A neighbour that is not found fails the test instead of hanging it.
		defer time.AfterFunc(20*time.Second, func() { tun.Close(); netlink.LinkDel(tun.link()) }).Stop()
		packet, err := readPacket(tun, make([]byte, FrameSize))
		if err != nil {
			t.Fatalf("nothing came for the client: %v", err)
		}
		if got := string(packet[28:]); got != "found" {
			t.Errorf("the client got %q", got)
		}
		// A second owner of the entry neither fails nor takes it away.
		second, _, err := AddProxyARP(behind)
		if err != nil {
			t.Errorf("again: %v", err)
		}
		second()
		if n := proxies(t); n != 1 {
			t.Errorf("%d entries, want 1", n)
		}
		remove()
		if n := proxies(t); n != 0 {
			t.Errorf("%d entries after removal, want none", n)
		}
		// Behind no link of ours: nothing to do.
		for _, other := range []string{"172.31.0.1", "127.0.0.9"} {
			if _, ifname, err := AddProxyARP(netip.MustParseAddr(other)); ifname != "" || err != nil {
				t.Errorf("AddProxyARP(%s): %q, %v, want nothing", other, ifname, err)
			}
		}
		return nil
	})
}

func proxies(t *testing.T) int {
	t.Helper()
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	list, err := netlink.NeighProxyList(link.Attrs().Index, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestPrivilegeError(t *testing.T) {
	err := error(&PrivilegeError{Missing: []string{"CAP_NET_ADMIN", "CAP_NET_RAW"}})
	if !errors.Is(err, fs.ErrPermission) {
		t.Error("errors.Is does not find fs.ErrPermission")
	}
	if !strings.Contains(err.Error(), "CAP_NET_ADMIN and CAP_NET_RAW missing") {
		t.Errorf("text: %v", err)
	}
	if os.Geteuid() != 0 {
		if err := CheckPrivileges(); !errors.Is(err, fs.ErrPermission) && !errors.Is(err, ErrNoTUN) {
			t.Errorf("CheckPrivileges without root: %v", err)
		}
	}
}
