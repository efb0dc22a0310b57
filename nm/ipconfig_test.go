package nm

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"testing"

	"github.com/godbus/dbus/v5"

	"goppptp/routing"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func plain(v values) map[string]any {
	out := map[string]any{}
	for k, x := range v {
		out[k] = x.Value()
	}
	return out
}

func TestIP4Config(t *testing.T) {
	n := &network{
		Interface: "ppp0", Gateway: addr("198.51.100.10"), MTU: 1400, Local: addr("10.20.30.40"), Peer: addr("10.20.30.1"),
		DNS: []netip.Addr{addr("10.0.0.53"), addr("fd00::1")}, Domains: []string{"lab.example"},
		Routes: []netip.Prefix{netip.MustParsePrefix("172.16.0.0/16"), netip.MustParsePrefix("fd00::/64"), netip.MustParsePrefix("0.0.0.0/0")},
	}
	if got, want := plain(n.config()), (map[string]any{
		"tundev": "ppp0", "gateway": word(addr("198.51.100.10")), "mtu": uint32(1400), "has-ip4": true, "has-ip6": false,
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("Config %v, want %v", got, want)
	}
	if got, want := plain(n.ip4Config()), (map[string]any{
		"address": word(addr("10.20.30.40")), "prefix": uint32(32), "ptp": word(addr("10.20.30.1")), "never-default": true,
		"dns": []uint32{word(addr("10.0.0.53"))}, "domains": []string{"lab.example"},
		"routes": [][]uint32{{word(addr("172.16.0.0")), 16, 0, 0}},
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("Ip4Config %v, want %v", got, want)
	}
	b := make([]byte, 4)
	binary.NativeEndian.PutUint32(b, word(addr("10.20.30.40")))
	if b[0] != 10 || b[3] != 40 {
		t.Errorf("an address is not in network byte order: %v", b)
	}
}

// TestPeerThatIsTheGateway: a route to the peer would send the tunnel into
// itself.
func TestPeerThatIsTheGateway(t *testing.T) {
	for _, peer := range []netip.Addr{addr("198.51.100.10"), addr("0.0.0.0"), {}, addr("10.20.30.40")} {
		n := &network{Gateway: addr("198.51.100.10"), Local: addr("10.20.30.40"), Peer: peer, DefaultRoute: true}
		got := plain(n.ip4Config())
		if _, ok := got["ptp"]; ok || got["never-default"] != false {
			t.Errorf("peer %v: %v", peer, got)
		}
	}
}

func TestIP6Config(t *testing.T) {
	n := &network{Gateway: addr("198.51.100.10"), Local6: 0x0200, Peer6: 1, Routes: []netip.Prefix{netip.MustParsePrefix("fd00::/64")}}
	if got := plain(n.config())["has-ip6"]; got != true {
		t.Error("no IPv6 is announced")
	}
	got := n.ip6Config()
	if a, _ := netip.AddrFromSlice(got["address"].Value().([]byte)); a != addr("fe80::200") {
		t.Errorf("address %v", a)
	}
	if s := dbus.SignatureOf(got["routes"].Value()).String(); s != "a(ayuayu)" {
		t.Errorf("routes are %s", s)
	}
}

func TestOrphans(t *testing.T) {
	parse := func(list ...string) (out []routing.Entry) {
		for _, s := range list {
			e, err := routing.ParseEntry(s)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
		return out
	}
	before := parse("default via 198.18.0.1 dev lan0 proto static metric 100", "203.0.113.1 via 198.18.0.1 dev lan0 proto static metric 50")
	left := parse("198.51.100.10 via 198.18.0.1 dev lan0 proto static metric 50", "198.18.0.1 dev lan0 proto static scope link metric 50")
	now := append(append(before, left...), parse("198.51.100.10 dev lan1 proto kernel scope link", "198.18.0.1 dev lan1 proto static scope link metric 50")...)
	if got := orphans(addr("198.51.100.10"), before, now); !reflect.DeepEqual(got, left) {
		t.Errorf("%v, want %v", got, left)
	}
	if got := orphans(addr("198.51.100.10"), now, now); got != nil {
		t.Errorf("what was there before: %v", got)
	}
	if got := orphans(netip.Addr{}, before, now); got != nil {
		t.Errorf("no gateway: %v", got)
	}
}
