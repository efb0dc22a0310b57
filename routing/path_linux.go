package routing

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Path is the way that packets to an address leave this machine.
type Path struct {
	Dev    string
	Via    netip.Addr // not valid: on the link
	Source netip.Addr // that the kernel gives to packets without one
}

// String returns "via 10.0.0.1 dev eth0 src 10.0.0.5".
func (p Path) String() string {
	s := "dev " + p.Dev
	if p.Via.IsValid() {
		s = "via " + p.Via.String() + " " + s
	}
	if p.Source.IsValid() {
		s += " src " + p.Source.String()
	}
	return s
}

// FindPath asks the kernel for the path to an address, with all routes and
// rules there are in the calling thread's network namespace. A *NoPathError
// says that there is none.
func FindPath(to netip.Addr) (Path, error) {
	list, err := netlink.RouteGet(to.Unmap().AsSlice())
	if err != nil || len(list) == 0 {
		return Path{}, &NoPathError{Gateway: to}
	}
	r := &list[0]
	p := Path{Via: via(r.Gw, r.Via), Source: addrOf(r.Src)}
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return Path{}, fmt.Errorf("routing: the link to %s: %w", to, err)
	}
	p.Dev = link.Attrs().Name
	return p, nil
}

// HasAddress reports whether this machine, as the calling thread sees it, has
// an address.
func HasAddress(a netip.Addr) (bool, error) {
	list, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return false, fmt.Errorf("routing: read addresses: %w", err)
	}
	for _, have := range list {
		if p, ok := prefixOf(have.IPNet); ok && p.Addr() == a.Unmap() {
			return true, nil
		}
	}
	return false, nil
}
