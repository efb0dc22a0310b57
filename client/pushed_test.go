package client

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"goppptp/profiles"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

func prefixes(list string) (out []netip.Prefix) {
	for _, s := range strings.Fields(list) {
		out = append(out, prefix(s))
	}
	return out
}

// testPolicy is of the machine in 10.250.166.0/24, with the gateway
// 203.235.199.133, and 192.168.13.240 in the tunnel.
func testPolicy(pushed string) pushPolicy {
	p := pushPolicy{
		pushed:    profiles.Pushed{Mode: profiles.PushedMode(pushed)},
		requested: prefixes("172.16.0.0/16"), exclude: prefixes("172.20.9.0/24"), dropped: prefixes("172.22.0.0/16"),
		gateway: addr("203.235.199.133"), local: addr("192.168.13.240"), peer: addr("192.168.13.254"),
		own: []subnet{{prefix("10.250.166.0/24"), "eth0"}},
	}
	if strings.Contains(pushed, "/") {
		p.pushed = profiles.Pushed{Mode: profiles.PushedWithin, Within: prefixes(pushed)}
	}
	return p
}

func TestDecide(t *testing.T) {
	const (
		pieces = "broader than /8 is a default route in pieces, and default_route is false"
		none   = "no address of it can be sent to through a tunnel"
	)
	for _, c := range []struct {
		pushed string // ignore, accept, or subnets
		all    bool   // default_route
		offer  string
		taken  bool
		why    string
	}{
		{"ignore", false, "0.0.0.0/0", false, "default_route is false"},
		{"ignore", false, "0.0.0.0/1", false, pieces},
		{"ignore", false, "192.168.14.0/24", false, "pushed_routes is ignore"},
		{"ignore", false, "172.16.0.0/16", false, "it goes through the tunnel already"},
		{"ignore", true, "0.0.0.0/0", true, "default_route is true: everything goes through the tunnel already"},

		{"accept", false, "192.168.14.0/24", true, "pushed_routes is accept"},
		{"accept", false, "10.1.2.3/32", true, "pushed_routes is accept"},
		{"accept", false, "172.16.5.0/24", true, "pushed_routes is accept"}, // more exact than the profile's
		{"accept", false, "0.0.0.0/0", false, "default_route is false"},
		{"accept", false, "0.0.0.0/1", false, pieces},
		{"accept", false, "128.0.0.0/1", false, pieces},
		{"accept", false, "64.0.0.0/2", false, pieces},
		{"accept", false, "172.0.0.0/7", false, pieces},
		{"accept", false, "172.0.0.0/8", true, "pushed_routes is accept"},
		{"accept", true, "128.0.0.0/1", true, "default_route is true: everything goes through the tunnel already"},
		{"accept", false, "172.16.0.0/16", false, "it goes through the tunnel already"},
		{"accept", false, "203.235.199.133/32", false, "it covers the gateway 203.235.199.133"},
		{"accept", false, "203.235.0.0/16", false, "it covers the gateway 203.235.199.133"},
		{"accept", true, "203.0.0.0/8", false, "it covers the gateway 203.235.199.133"},
		{"accept", false, "192.168.13.254/32", false, "the server's own address has its route already"},
		{"accept", false, "192.168.13.240/32", false, "it is our own address in the tunnel"},
		{"accept", false, "192.168.13.0/24", true, "pushed_routes is accept"}, // holds both, as usual
		{"accept", false, "10.250.166.0/24", false, "it is this machine's own network on eth0"},
		{"accept", false, "10.250.166.128/25", false, "it is a part of this machine's own network 10.250.166.0/24 on eth0"},
		{"accept", false, "10.250.166.1/32", false, "it is a part of this machine's own network 10.250.166.0/24 on eth0"},
		{"accept", false, "10.0.0.0/8", false, "it covers this machine's own network 10.250.166.0/24 on eth0; pushed_routes: [10.0.0.0/8] takes it all the same"},
		{"accept", false, "172.20.9.0/24", false, "exclude holds it: 172.20.9.0/24"},
		{"accept", false, "172.20.9.7/32", false, "exclude holds it: 172.20.9.0/24"},
		{"accept", false, "172.20.0.0/16", true, "pushed_routes is accept"}, // the excluded part stays outside
		{"accept", false, "172.22.0.0/16", false, "it was taken out by hand"},
		{"accept", false, "127.0.0.0/8", false, none},
		{"accept", false, "169.254.1.0/24", false, none},
		{"accept", false, "224.0.0.0/8", false, none},
		{"accept", false, "255.255.255.255/32", false, none},

		{"10.0.0.0/8 192.168.0.0/16", false, "10.0.0.0/8", true, "a subnet in pushed_routes holds it"}, // although it covers ours
		{"10.0.0.0/8 192.168.0.0/16", false, "192.168.14.0/24", true, "a subnet in pushed_routes holds it"},
		{"10.0.0.0/8 192.168.0.0/16", false, "192.168.0.0/16", true, "a subnet in pushed_routes holds it"},
		{"10.0.0.0/8 192.168.0.0/16", false, "192.0.0.0/8", false, "none of the subnets in pushed_routes holds it"},
		{"10.0.0.0/8 192.168.0.0/16", false, "172.17.0.0/16", false, "none of the subnets in pushed_routes holds it"},
		{"10.0.0.0/8 192.168.0.0/16", false, "10.250.166.0/24", false, "it is this machine's own network on eth0"},
		{"0.0.0.0/1 128.0.0.0/1", false, "0.0.0.0/1", false, pieces},
		{"0.0.0.0/1 128.0.0.0/1", false, "0.0.0.0/0", false, "default_route is false"},
		{"203.235.0.0/16", false, "203.235.0.0/16", false, "it covers the gateway 203.235.199.133"},
	} {
		p := testPolicy(c.pushed)
		p.defaultRoute = c.all
		got := p.decide([]offer{{to: prefix(c.offer), via: addr("192.168.13.254"), source: "dhcp option 121"}})
		if len(got) != 1 || got[0].Taken != c.taken || got[0].Why != c.why || got[0].To != prefix(c.offer) ||
			got[0].Via != addr("192.168.13.254") || got[0].Source != "dhcp option 121" {
			t.Errorf("pushed_routes %s, default_route %t, offered %s: %+v, want taken %t: %s", c.pushed, c.all, c.offer, got, c.taken, c.why)
		}
	}
}

// TestDecideMany: each destination is told of once, the first counts, and what
// another option stands in for is not taken.
func TestDecideMany(t *testing.T) {
	p := testPolicy("accept")
	var offers []offer
	for i := range 200 {
		offers = append(offers, offer{to: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 1, 7}), 24), source: "121"})
	}
	offers = append(offers,
		offer{to: prefix("10.3.1.0/24"), source: "249", instead: "121 counts"},
		offer{to: prefix("192.168.14.0/24"), source: "33", instead: "121 counts"},
		offer{to: netip.Prefix{}, source: "nonsense"})
	got := p.decide(offers)
	taken := 0
	for _, o := range got {
		if o.To != o.To.Masked() {
			t.Errorf("%v is not masked", o.To)
		}
		if o.Taken {
			taken++
		}
	}
	if last := got[len(got)-1]; len(got) != 201 || taken != 200 || last.Taken || last.Why != "121 counts" {
		t.Errorf("%d told of, %d taken, the last %+v", len(got), taken, last)
	}
}

func TestClassful(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.12.119": "10.0.0.0/8", "127.1.1.1": "127.0.0.0/8", "128.1.2.3": "128.1.0.0/16", "191.255.0.1": "191.255.0.0/16",
		"192.168.13.7": "192.168.13.0/24", "223.255.255.255": "223.255.255.0/24", "224.0.0.1": "", "0.0.0.0": "0.0.0.0/0",
	} {
		got, ok := classful(addr(in))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v, %t, want %s", in, got, ok, want)
		}
	}
}

// FuzzDecide: whatever is offered, and whatever pushed_routes says,
// less than a 200th part of all addresses is taken by one route, and never one
// that holds the gateway.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 128, 0, 0, 0, 1}, byte(1))
	f.Fuzz(func(t *testing.T, b []byte, mode byte) {
		p := testPolicy([]string{"ignore", "accept", "0.0.0.0/1 128.0.0.0/1"}[mode%3])
		var offers []offer
		for ; len(b) >= 5; b = b[5:] {
			a, _ := netip.AddrFromSlice(b[:4])
			offers = append(offers, offer{to: netip.PrefixFrom(a, int(b[4])), source: "fuzz"})
		}
		for _, o := range p.decide(offers) {
			if o.Taken && (o.To.Bits() < minBits || o.To.Contains(p.gateway) || mode%3 == 0 || o.To == p.own[0].prefix) {
				t.Fatalf("taken: %+v", o)
			}
			if o.Why == "" {
				t.Fatal(fmt.Sprint("no reason: ", o))
			}
		}
	})
}
