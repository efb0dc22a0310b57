package client

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"goppptp/routing"
)

var (
	homeAddr  = netip.MustParseAddr("192.168.1.20")
	cableAddr = netip.MustParseAddr("10.2.0.2")
	wifi      = routing.Path{Dev: "wlan0", Via: netip.MustParseAddr("192.168.1.1"), Source: homeAddr}
	cable     = routing.Path{Dev: "eth0", Via: netip.MustParseAddr("10.2.0.1"), Source: cableAddr}
	otherHop  = routing.Path{Dev: "wlan0", Via: netip.MustParseAddr("192.168.1.2"), Source: homeAddr}
)

func TestJudge(t *testing.T) {
	home := view{path: wifi, local: homeAddr}
	lost := view{path: wifi, local: homeAddr, lost: true}
	for _, c := range []struct {
		name    string
		was, is view
		up      bool
		want    verdict
		within  time.Duration
		told    string
	}{
		{"nothing", home, home, true, stay, 0, ""},
		{"another router, the same address", home, view{path: otherHop, local: homeAddr}, true, probe, probeSame, "another way now: via 192.168.1.2"},
		{"the same, while connecting", home, view{path: otherHop, local: homeAddr}, false, probe, probeSame, "another way now"},
		{"to cable, Wi-Fi stays", home, view{path: cable, local: homeAddr}, true, probe, probeForeign, "another way now: via 10.2.0.1 dev eth0 src 10.2.0.2"},
		{"to cable, Wi-Fi stays, while connecting", home, view{path: cable, local: homeAddr}, false, redial, 0, "another way now"},
		{"to cable, Wi-Fi goes", home, view{path: cable, local: homeAddr, gone: true}, true, redial, 0, "another way now"},
		{"the address goes", home, view{path: wifi, local: homeAddr, gone: true}, true, redial, 0, "192.168.1.20 is no address of this machine any more"},
		{"no way", home, lost, true, waits, 0, "waiting for the network"},
		{"no way, and the address goes too", lost, view{path: wifi, local: homeAddr, lost: true, gone: true}, true, waits, 0, ""},
		{"the way is back", lost, home, true, probe, probeSame, "has a route again: via 192.168.1.1"},
		{"another way, after none", lost, view{path: cable, local: homeAddr, gone: true}, true, redial, 0, "has a route again: via 10.2.0.1"},
		{"the address comes back with the way", view{path: wifi, local: homeAddr, lost: true, gone: true}, home, true, probe, probeSame, "has a route again"},
	} {
		v, within := judge(c.was, c.is, c.up)
		if v != c.want || within != c.within {
			t.Errorf("%s: %v for %v, want %v for %v", c.name, v, within, c.want, c.within)
		}
		if text := tell(c.was, c.is); !strings.Contains(text, c.told) || (text == "") != (c.told == "") {
			t.Errorf("%s: %q, want %q in it", c.name, text, c.told)
		}
	}
}

func TestPutBack(t *testing.T) {
	entry := func(text string) routing.Entry {
		e, err := routing.ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const (
		pin    = "203.0.113.1 via 192.168.1.1 dev wlan0 proto 178"
		newPin = "203.0.113.1 via 10.2.0.1 dev eth0 proto 178"
		subnet = "172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178"
		more   = "172.17.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178"
	)
	before := []routing.Entry{entry(pin), entry(subnet)}
	for _, c := range []struct {
		name string
		ops  []routing.Op
		lost bool
		want string
	}{
		{"nothing", nil, false, ""},
		{"a subnet was taken away", []routing.Op{{Verb: routing.Add, Route: entry(subnet)}}, false, subnet},
		{"so was the gateway's route", []routing.Op{{Verb: routing.Add, Route: entry(pin)}, {Verb: routing.Add, Route: entry(subnet)}}, false, pin + "; " + subnet},
		{"the gateway's went with its link", []routing.Op{{Verb: routing.Add, Route: entry(pin)}}, true, ""},
		{"it moves", []routing.Op{{Verb: routing.Append, Route: entry(newPin)}, {Verb: routing.Delete, Route: entry(pin)}}, false, ""},
		{"one was not there before", []routing.Op{{Verb: routing.Add, Route: entry(more)}}, false, ""},
	} {
		got := strings.Join(putBack(before, &routing.Plan{Ops: c.ops}, netip.MustParseAddr("203.0.113.1"), c.lost), "; ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
