package server

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.13.240":                  "192.168.13.240",
		"192.168.13.240-242":              "192.168.13.240 192.168.13.241 192.168.13.242",
		"192.168.13.8-9,10.1.0.1":         "192.168.13.8 192.168.13.9 10.1.0.1",
		"192.168.13.8-9, 10.1.0.1":        "192.168.13.8 192.168.13.9 10.1.0.1",
		"192.168.0-2.2":                   "192.168.0.2 192.168.1.2 192.168.2.2",
		"10.0.0-1.1-2":                    "10.0.0.1 10.0.0.2 10.0.1.1 10.0.1.2",
		"192.168.13.254-192.168.14.1":     "192.168.13.254 192.168.13.255 192.168.14.0 192.168.14.1",
		"10.0.0.1,10.0.0.1,10.0.0.1-2":    "10.0.0.1 10.0.0.2",
		"10.0.0.0/30":                     "10.0.0.1 10.0.0.2",
		"10.0.0.0/31":                     "10.0.0.0 10.0.0.1",
		"10.0.0.7/32":                     "10.0.0.7",
		"10.0.0.5-5":                      "10.0.0.5",
		"255.255.255.254-255":             "255.255.255.254 255.255.255.255",
		"255.255.255.255-255.255.255.255": "255.255.255.255",
		"192.168.0.234,192.168.0.245-246": "192.168.0.234 192.168.0.245 192.168.0.246",
	} {
		got, err := ParseAddresses(in)
		if err != nil || join(got) != want {
			t.Errorf("%q: %s, %v; want %s", in, join(got), err, want)
		}
	}
	for in, want := range map[string]string{
		"192.168.13.234-8":            "write 234-238",
		"192.168.13.240-9":            "write 240-249",
		"192.168.13.20-10":            "runs backwards",
		"192.168.13.240-249-250":      "not an IPv4 address",
		"192.168.13.256":              "not an IPv4 address",
		"192.168.13.250-256":          "not an IPv4 address",
		"192.168.13":                  "not an IPv4 address",
		"192.168.13.1.2":              "not an IPv4 address",
		"192.168.13.-5":               "not an IPv4 address",
		"192.168.13.+5":               "not an IPv4 address",
		"192.168.13.05":               "not an IPv4 address",
		"":                            "missing",
		"10.0.0.1,":                   "missing",
		"10.0.0.1,,10.0.0.2":          "missing",
		"10.0.0.0/8":                  "more than 65536",
		"10.0-255.0-255.0-255":        "more than 65536",
		"10.0.0.0-10.255.0.0":         "more than 65536",
		"10.0.0.1/24":                 "write 10.0.0.0/24",
		"10.0.0.0/33":                 "not an IPv4 subnet",
		"::1":                         "not an IPv4 address",
		"::/64":                       "not an IPv4 subnet",
		"10.0.0.9-10.0.0.1":           "runs backwards",
		"10.0.0.0/16,10.1.0.0/16":     "more than 65536",
		"a.b.c.8-12":                  "not an IPv4 address",
		"192.168.13.240-192.168.13.x": "not an IPv4 address",
	} {
		got, err := ParseAddresses(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d addresses, error %v; want one with %q", in, len(got), err, want)
		}
	}
}

func join(addrs []netip.Addr) string {
	s := make([]string, len(addrs))
	for i, a := range addrs {
		s[i] = a.String()
	}
	return strings.Join(s, " ")
}

func FuzzParseAddresses(f *testing.F) {
	for _, s := range []string{"192.168.13.240-249", "10.0.0.0/24", "1.2.3.4-1.2.4.5", "0-255.1.1.1", "234-8", "1.2.3.4,5.6.7.8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addrs, err := ParseAddresses(s)
		if err != nil {
			return
		}
		if len(addrs) == 0 || len(addrs) > maxPool {
			t.Fatalf("%q: %d addresses", s, len(addrs))
		}
		seen := map[netip.Addr]bool{}
		for _, a := range addrs {
			if !a.Is4() || seen[a] {
				t.Fatalf("%q: %v is no IPv4 address, or there twice", s, a)
			}
			seen[a] = true
		}
		// Written out one by one they are the same.
		again, err := ParseAddresses(strings.ReplaceAll(join(addrs), " ", ","))
		if err != nil || join(again) != join(addrs) {
			t.Fatalf("%q: written out: %v", s, err)
		}
	})
}
