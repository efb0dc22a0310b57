//go:build linux

package realpeers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// state is what a place's kernel holds, a line a thing: links, IPv4 addresses,
// rules, and routes of all tables.
func (p *place) state(t *testing.T) []string {
	t.Helper()
	var lines []string
	p.must(t, func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		names := make(map[int]string)
		for _, l := range links {
			names[l.Attrs().Index] = l.Attrs().Name
			lines = append(lines, fmt.Sprintf("link %s mtu %d", l.Attrs().Name, l.Attrs().MTU))
			addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
			if err != nil {
				return err
			}
			for _, a := range addrs {
				lines = append(lines, fmt.Sprintf("addr %s peer %v dev %s", a.IPNet, a.Peer, l.Attrs().Name))
			}
		}
		rules, err := netlink.RuleList(netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, r := range rules {
			lines = append(lines, fmt.Sprint("rule ", r.String()))
		}
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return err
		}
		for _, r := range routes {
			if r.Dst != nil && r.Dst.IP.To4() == nil {
				continue // the kernel's own, which come and go with time
			}
			lines = append(lines, fmt.Sprintf("route %v via %v dev %s metric %d table %d", r.Dst, r.Gw, names[r.LinkIndex], r.Priority, r.Table))
		}
		return nil
	})
	slices.Sort(lines)
	return slices.Compact(lines)
}

// difference tells what lines came and went.
func difference(before, after []string) string {
	var b strings.Builder
	for _, l := range after {
		if !slices.Contains(before, l) {
			fmt.Fprintln(&b, "+", l)
		}
	}
	for _, l := range before {
		if !slices.Contains(after, l) {
			fmt.Fprintln(&b, "-", l)
		}
	}
	return b.String()
}

// sameState fails the test unless the place comes to be as it was.
func (p *place) sameState(t *testing.T, before []string) {
	t.Helper()
	var diff string
	if !within(3*time.Second, func() bool { diff = difference(before, p.state(t)); return diff == "" }) {
		t.Errorf("%s is not as before:\n%s", p.name, indent(diff))
	}
}

// address is the IPv4 address of a link, empty while it has none.
func (p *place) address(link string) string {
	var found string
	p.do(func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if err == nil && len(addrs) > 0 && l.Attrs().Flags&1 != 0 {
			found = addrs[0].IP.String()
		}
		return err
	})
	return found
}

// hasRoute tells whether the main table has a route to that network.
func (p *place) hasRoute(network string) bool {
	found := false
	p.do(func() error {
		dst, err := netlink.ParseIPNet(network)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Dst: dst}, netlink.RT_FILTER_DST)
		found = len(routes) > 0
		return err
	})
	return found
}

// leftovers lists the files under /run/goppptp, but for the lock that runs of the
// program take one after the other: to remove that would be a race.
func leftovers() []string {
	var files []string
	filepath.WalkDir("/run/goppptp", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "routes.lock" {
			files = append(files, path)
		}
		return nil
	})
	return files
}
