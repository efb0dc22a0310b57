package osnet

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// PathMTU gives the MTU of the route that packets to remote take now: the
// link's, or less if the route or a path MTU that the kernel learned says so.
func PathMTU(remote netip.Addr) (int, error) {
	routes, err := netlink.RouteGet(remote.Unmap().AsSlice())
	if err != nil {
		return 0, fmt.Errorf("osnet: route to %s: %w", remote, err)
	}
	if len(routes) == 0 {
		return 0, fmt.Errorf("osnet: route to %s: none", remote)
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return 0, fmt.Errorf("osnet: link of the route to %s: %w", remote, err)
	}
	mtu := link.Attrs().MTU
	if m := routes[0].MTU; m > 0 && m < mtu {
		mtu = m
	}
	return mtu, nil
}
