package server

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxPool is the most addresses a pool holds.
const maxPool = 1 << 16

// ParseAddresses reads a list of IPv4 addresses as pptpd's localip and remoteip
// write it, in the order written and without repetitions:
//
//	192.168.13.240                     one
//	192.168.13.240-249                 a range; any part of the address may be one
//	192.168.13.240-192.168.14.9        a range from address to address
//	192.168.13.8-12,10.1.0.1           several
//	10.1.0.0/24                        the hosts of a subnet: not its first and last address
//
// As with pptpd, 234-8 does not mean 234-238 and is refused. At most 65536.
func ParseAddresses(s string) ([]netip.Addr, error) {
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil, fmt.Errorf("an address is missing in %q", s)
		}
		addrs, err := parseRange(part)
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
		if len(out) > maxPool {
			return nil, tooMany(s)
		}
	}
	return out, nil
}

func tooMany(s string) error {
	return fmt.Errorf("%q is more than %d addresses", s, maxPool)
}

func parseRange(s string) ([]netip.Addr, error) {
	if strings.Contains(s, "/") {
		return parseSubnet(s)
	}
	if from, to, ok := strings.Cut(s, "-"); ok && strings.Count(from, ".") == 3 && strings.Count(to, ".") == 3 {
		return parseSpan(s, from, to)
	}
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return nil, fmt.Errorf("%q is not an IPv4 address or a range of them", s)
	}
	var from, to [4]int
	count := 1
	for i, p := range parts {
		lo, hi, isRange := strings.Cut(p, "-")
		if !isRange {
			hi = lo
		}
		var err1, err2 error
		from[i], err1 = octet(lo)
		to[i], err2 = octet(hi)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%q is not an IPv4 address or a range of them", s)
		}
		if to[i] < from[i] {
			return nil, fmt.Errorf("%q: the range %s runs backwards%s", s, p, abbreviated(lo, hi, to[i]))
		}
		count *= to[i] - from[i] + 1
	}
	if count > maxPool {
		return nil, tooMany(s)
	}
	out := make([]netip.Addr, 0, count)
	for n := from; ; {
		out = append(out, netip.AddrFrom4([4]byte{byte(n[0]), byte(n[1]), byte(n[2]), byte(n[3])}))
		i := 3
		for ; i >= 0; i-- {
			if n[i]++; n[i] <= to[i] {
				break
			}
			n[i] = from[i]
		}
		if i < 0 {
			return out, nil
		}
	}
}

// abbreviated says what a range like 234-8 may have been meant to be.
func abbreviated(lo, hi string, to int) string {
	if len(hi) >= len(lo) {
		return ""
	}
	full := lo[:len(lo)-len(hi)] + hi
	n, err := octet(full)
	from, _ := octet(lo)
	if err != nil || n < from || n == to {
		return ""
	}
	return fmt.Sprintf(" (there are no shortcuts: write %s-%s if that is meant)", lo, full)
}

// octet reads one part of an address, without a sign or leading zeros.
func octet(s string) (int, error) {
	if len(s) == 0 || len(s) > 3 || s[0] == '+' || s[0] == '-' || len(s) > 1 && s[0] == '0' {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > 255 {
		return 0, strconv.ErrRange
	}
	return n, nil
}

func parseSubnet(s string) ([]netip.Addr, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return nil, fmt.Errorf("%q is not an IPv4 subnet", s)
	}
	if p != p.Masked() {
		return nil, fmt.Errorf("%q is an address inside a subnet: write %s, or the address alone", s, p.Masked())
	}
	if p.Bits() < 32-16 {
		return nil, tooMany(s)
	}
	count := 1 << (32 - p.Bits())
	out := make([]netip.Addr, 0, count)
	for a, i := p.Addr(), 0; i < count; a, i = a.Next(), i+1 {
		if count > 2 && (i == 0 || i == count-1) {
			continue // the subnet's own address and its broadcast address
		}
		out = append(out, a)
	}
	return out, nil
}

func parseSpan(s, from, to string) ([]netip.Addr, error) {
	lo, err1 := netip.ParseAddr(strings.TrimSpace(from))
	hi, err2 := netip.ParseAddr(strings.TrimSpace(to))
	if err1 != nil || err2 != nil || !lo.Is4() || !hi.Is4() {
		return nil, fmt.Errorf("%q is not an IPv4 address or a range of them", s)
	}
	if hi.Less(lo) {
		return nil, fmt.Errorf("%q runs backwards", s)
	}
	var out []netip.Addr
	for a := lo; ; a = a.Next() {
		if len(out) == maxPool {
			return nil, tooMany(s)
		}
		out = append(out, a)
		if a == hi {
			return out, nil
		}
	}
}
