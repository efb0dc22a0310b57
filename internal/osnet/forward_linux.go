package osnet

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// SetForwarding lets IPv4 packets that come in on the interface be forwarded;
// the empty name means all interfaces, also later ones (net.ipv4.ip_forward). The
// answers come in on another interface, which needs it as well, and so does the
// interface on which AddProxyARP answers. restore puts back what was there.
func SetForwarding(ifname string) (restore func(), err error) {
	file := "/proc/sys/net/ipv4/ip_forward"
	if ifname != "" {
		if strings.ContainsAny(ifname, "/") || ifname == "." || ifname == ".." {
			return nil, fmt.Errorf("osnet: forwarding: no interface can be called %q", ifname)
		}
		file = "/proc/sys/net/ipv4/conf/" + ifname + "/forwarding"
	}
	if ifname != "" && forwards(ifname) {
		return func() {}, nil // as usual: a new interface does what ip_forward says
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("osnet: forwarding: %w", err)
	}
	if strings.TrimSpace(string(old)) == "1" {
		return func() {}, nil
	}
	if err := os.WriteFile(file, []byte("1"), 0); err != nil {
		return nil, fmt.Errorf("osnet: forwarding: %w", err)
	}
	return func() { os.WriteFile(file, old, 0) }, nil
}

// forwards asks for the same without the file, which the kernel would keep
// something about for each interface. It may not know.
func forwards(ifname string) bool {
	const ifindex, forwarding = 1, 2 // NETCONFA_IFINDEX, NETCONFA_FORWARDING of linux/netconf.h
	index, err := askInterface(unix.SIOCGIFINDEX, ifname)
	if err != nil {
		return false
	}
	on := false
	err = ask(unix.RTM_GETNETCONF, 0, []byte{unix.AF_INET, 0, 0, 0},
		func(r *rtnetlink) { r.attr32(ifindex, index) },
		func(_ uint16, body []byte) {
			attributes(body[min(4, len(body)):], func(kind uint16, data []byte) {
				if kind == forwarding && len(data) == 4 {
					on = binary.NativeEndian.Uint32(data) == 1
				}
			})
		})
	return err == nil && on
}
