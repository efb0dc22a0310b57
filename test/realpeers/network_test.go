//go:build linux

package realpeers

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	publicAddr = "203.235.199.133" // of the router: the gateway as clients see it
	clientAddr = "10.250.166.10"
	serverAddr = "192.168.13.3"
	innerAddr  = "192.168.13.50"
	behindAddr = "172.16.0.10" // inner's too, in a network of its own
)

// nat is how the router treats PPTP.
type nat int

const (
	natHelper     nat = iota // follows calls with the kernel's nf_nat_pptp
	natPlain                 // translates addresses of GRE and knows nothing of calls
	natNoGRE                 // drops GRE
	natRefusesGRE            // forwards no GRE, and answers that it knows no such protocol
)

// A network is the one of the package comment.
type network struct {
	client, router, server, inner *place
	hosts                         []*place // client first; the others at .11, .12 … beside it
}

func newNetwork(t *testing.T, kind nat) *network { return newNetworkOf(t, kind, 1) }

// newNetworkOf makes a network with several client hosts.
func newNetworkOf(t *testing.T, kind nat, hosts int) *network {
	t.Helper()
	n := &network{
		router: newPlace(t, "router"),
		server: newPlace(t, "server"),
		inner:  newPlace(t, "inner"),
	}
	var ports []string
	for i := range hosts {
		h := newPlace(t, []string{"client", "client2", "client3"}[i])
		port := fmt.Sprintf("to-%s", h.name)
		n.router.link(t, port, h, "eth0")
		h.addr(t, "eth0", fmt.Sprintf("10.250.166.%d/24", 10+i))
		h.route(t, "0.0.0.0/0", "10.250.166.1")
		n.hosts, ports = append(n.hosts, h), append(ports, port)
	}
	n.client = n.hosts[0]
	n.router.bridge(t, "wan", ports...)
	n.router.addr(t, "wan", "10.250.166.1/24")
	n.router.addr(t, "lo", publicAddr+"/32")
	n.router.link(t, "to-server", n.server, "eth0")
	n.router.link(t, "to-inner", n.inner, "eth0")
	n.router.bridge(t, "lan", "to-server", "to-inner")
	n.router.addr(t, "lan", "192.168.13.1/24")
	n.router.sysctl(t, "ipv4/ip_forward", "1")
	n.filter(t, kind)

	n.server.addr(t, "eth0", serverAddr+"/24")
	n.server.route(t, "0.0.0.0/0", "192.168.13.1")
	n.server.route(t, "172.16.0.0/16", innerAddr)
	// Proxy ARP would answer after up to 0.8 s, at random.
	n.server.sysctl(t, "ipv4/neigh/eth0/proxy_delay", "0")
	n.inner.addr(t, "eth0", innerAddr+"/24")
	n.inner.addr(t, "lo", behindAddr+"/32")
	return n
}

// filter gives the router its rules.
func (n *network) filter(t *testing.T, kind nat) {
	t.Helper()
	raw, natted, forward := "", "", ""
	switch kind {
	case natHelper:
		raw = "-A PREROUTING -p tcp --dport 1723 -j CT --helper pptp"
	case natPlain:
		natted = "-A PREROUTING -i wan -d " + publicAddr + " -p gre -j DNAT --to-destination " + serverAddr +
			"\n-A POSTROUTING -o wan -s " + serverAddr + " -j SNAT --to-source " + publicAddr
		forward = "-A FORWARD -i lan -s " + serverAddr + " -p gre -j ACCEPT"
	case natNoGRE:
		forward = "-I FORWARD -p gre -j DROP\n-A INPUT -p gre -j DROP"
	case natRefusesGRE:
		forward = "-I FORWARD -p gre -j DROP"
	}
	rules := strings.Join([]string{
		"*raw", raw, "COMMIT",
		"*nat", "-A PREROUTING -i wan -d " + publicAddr + " -p tcp --dport 1723 -j DNAT --to-destination " + serverAddr, natted, "COMMIT",
		"*filter", ":FORWARD DROP",
		"-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
		"-A FORWARD -i wan -d " + serverAddr + " -p tcp --dport 1723 -j ACCEPT",
		"-A FORWARD -i wan -d " + serverAddr + " -p gre -j ACCEPT",
		forward, "COMMIT", "",
	}, "\n")
	n.router.must(t, func() error {
		cmd := exec.Command("iptables-legacy-restore")
		cmd.Stdin = strings.NewReader(rules)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("iptables-legacy-restore: %w: %s", err, out)
		}
		return nil
	})
}

// weather is what happens to packets between client and router, both ways.
func (n *network) weather(t *testing.T, w netlink.NetemQdiscAttrs) {
	t.Helper()
	n.client.weather(t, "eth0", w)
	n.router.weather(t, "to-client", w)
}

// delay makes the path between client and router that long, there and back.
func (n *network) delay(t *testing.T, rtt time.Duration) {
	t.Helper()
	n.weather(t, netlink.NetemQdiscAttrs{Latency: uint32(rtt.Microseconds() / 2)})
}

// silence has the router drop all that comes from the clients or goes to them.
func (n *network) silence(t *testing.T) {
	t.Helper()
	n.weather(t, netlink.NetemQdiscAttrs{Loss: 100})
}
