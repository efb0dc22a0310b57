package routing

import "net/netip"

// office is the machine of the how-to.
const office = `
	addr lo 127.0.0.1/8
	addr eth0 10.250.166.53/24
	default via 10.250.166.1 dev eth0
	10.250.166.0/24 dev eth0 proto kernel scope link src 10.250.166.53
	local 10.250.166.53 dev eth0 table local proto kernel scope host src 10.250.166.53
	local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
`

// home is a laptop behind a home router, with NetworkManager.
const home = `
	addr lo 127.0.0.1/8
	addr wlan0 192.168.1.20/24
	default via 192.168.1.1 dev wlan0 proto dhcp src 192.168.1.20 metric 600
	192.168.1.0/24 dev wlan0 proto kernel scope link src 192.168.1.20 metric 600
	local 192.168.1.20 dev wlan0 table local proto kernel scope host src 192.168.1.20
	dns 192.168.1.1
`

const (
	pin  = "ip route add 203.235.199.133 via 10.250.166.1 dev eth0 proto 178\n"
	peer = "ip route add 192.168.13.254 dev ppp0 scope link proto 178\n"
	base = pin + peer
)

var plans = []struct {
	name     string
	state    string
	cfg      Config
	ops      string // one a line
	findings string // "severity code", one a line
}{
	{
		name: "the how-to", state: office, cfg: lab(),
		ops: base + `
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 192.168.13.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 192.168.14.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
	},
	{
		name: "before dialling only the gateway", state: office,
		cfg: with(lab(), func(c *Config) { c.Link, c.Peer, c.Local = "", netip.Addr{}, netip.Addr{} }),
		ops: pin,
	},
	{
		name: "before dialling what was up goes, the pin stays",
		state: office + `
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			172.16.0.0/16 dev ppp0 scope link metric 1 proto 178
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 172.16.0.0/16 dev ppp0 scope link metric 1 proto 178`,
		cfg: with(lab(), func(c *Config) { c.Link, c.Peer = "", netip.Addr{} }),
		ops: "ip route del 172.16.0.0/16 dev ppp0 scope link metric 1 proto 178",
	},
	{
		name: "a route's own metric", state: office, cfg: lab("10.1.0.0/16", "10.2.0.0/16 5"),
		ops: base + `
			ip route add 10.1.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 10.2.0.0/16 via 192.168.13.254 dev ppp0 metric 5 proto 178`,
	},
	{
		name: "no peer", state: office, cfg: with(lab("10.1.0.0/16"), func(c *Config) { c.Peer = netip.IPv4Unspecified() }),
		ops:      pin + `ip route add 10.1.0.0/16 dev ppp0 scope link metric 1 proto 178`,
		findings: "info peer-unset",
	},
	{
		name: "the peer is the gateway", state: office, cfg: with(lab("10.1.0.0/16"), func(c *Config) { c.Peer = c.Gateway }),
		ops:      pin + `ip route add 10.1.0.0/16 dev ppp0 scope link metric 1 proto 178`,
		findings: "warning peer-is-gateway",
	},
	{
		name: "the peer is ourselves", state: office, cfg: with(lab("10.1.0.0/16"), func(c *Config) { c.Peer = netip.MustParseAddr("10.250.166.53") }),
		ops:      pin + `ip route add 10.1.0.0/16 dev ppp0 scope link metric 1 proto 178`,
		findings: "warning peer-unset",
	},
	{
		name: "the kernel has made the peer's route", state: office + `
			192.168.13.254 dev ppp0 proto kernel scope link src 192.168.13.240`,
		cfg: lab("10.1.0.0/16"),
		ops: pin + `ip route add 10.1.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
	},
	{
		name: "the peer's address is taken", state: office + `
			192.168.13.254 via 10.250.166.9 dev eth0`,
		cfg:      lab("10.1.0.0/16"),
		ops:      pin + `ip route add 10.1.0.0/16 dev ppp0 scope link metric 1 proto 178`,
		findings: "warning route-taken",
	},
	{
		name: "the peer has the router's address", state: home,
		cfg: with(lab("10.1.0.0/16"), func(c *Config) { c.Peer = netip.MustParseAddr("192.168.1.1") }),
		ops: `ip route add 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178
			ip route add 192.168.1.1 dev ppp0 scope link proto 178
			ip route add 10.1.0.0/16 via 192.168.1.1 dev ppp0 metric 1 proto 178`,
		findings: "warning peer-in-connected",
	},
	{
		name: "the peer is requested by itself", state: office, cfg: lab("192.168.13.254/32"),
		ops: base,
	},
	{
		name: "the gateway is inside a requested subnet", state: office, cfg: lab("203.235.199.0/24"),
		ops:      base + `ip route add 203.235.199.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info gateway-in-route",
	},
	{
		name: "the gateway itself is requested", state: office, cfg: lab("203.235.199.133/32"),
		ops: base, findings: "warning gateway-is-route",
	},
	{
		name: "the gateway is on the link", state: office,
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Gateway = netip.MustParseAddr("10.250.166.7") }),
		ops: `ip route add 10.250.166.7 dev eth0 scope link proto 178` + "\n" + peer +
			`ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
	},
	{
		name: "the gateway is this machine", state: office,
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Gateway = netip.MustParseAddr("127.0.0.1") }),
		ops: peer + `ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`, findings: "info gateway-is-local",
	},
	{
		name: "no default route", state: "addr eth0 10.0.0.5/24\n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5",
		cfg: with(lab(), func(c *Config) { c.Link = "" }), findings: "fatal gateway-no-path",
	},
	{
		name: "no default route, the gateway on the link", state: "addr eth0 10.0.0.5/24\n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5",
		cfg: with(lab(), func(c *Config) { c.Link, c.Gateway = "", netip.MustParseAddr("10.0.0.9") }),
		ops: "ip route add 10.0.0.9 dev eth0 scope link proto 178", findings: "info no-default-route",
	},
	{
		name: "the gateway is unreachable by a route", state: office + "unreachable 203.235.199.0/24",
		cfg: with(lab(), func(c *Config) { c.Link = "" }), findings: "fatal gateway-no-path",
	},
	{
		name: "no address of the gateway", state: office,
		cfg: with(lab(), func(c *Config) { c.Link, c.Gateway = "", netip.Addr{} }), findings: "fatal gateway-unknown",
	},
	{
		name: "a default route without a router", state: "addr wwan0 100.64.0.2/32\ndefault dev wwan0 scope link",
		cfg: with(lab(), func(c *Config) { c.Link = "" }),
		ops: "ip route add 203.235.199.133 dev wwan0 scope link proto 178",
	},
	{
		name: "a router outside the subnet", state: "addr eth0 198.51.100.9/32\ndefault via 172.31.1.1 dev eth0 onlink",
		cfg: with(lab(), func(c *Config) { c.Link = "" }),
		ops: "ip route add 203.235.199.133 via 172.31.1.1 dev eth0 proto 178 onlink",
	},
	{
		name: "a source address that the kernel would not take",
		state: `addr eth0 10.0.0.5/24
			addr eth0 10.0.0.6/24
			default via 10.0.0.1 dev eth0 src 10.0.0.6
			10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5`,
		cfg: with(lab(), func(c *Config) { c.Link = "" }),
		ops: "ip route add 203.235.199.133 via 10.0.0.1 dev eth0 src 10.0.0.6 proto 178",
	},
	{
		name: "of two default routes the one with the smaller metric",
		state: office + `
			addr wlan0 192.168.1.20/24
			192.168.1.0/24 dev wlan0 proto kernel scope link
			default via 192.168.1.1 dev wlan0 metric 600`,
		cfg: with(lab(), func(c *Config) { c.Link = "" }), ops: pin,
	},
	{
		name: "a default route whose link is down does not count",
		state: `addr eth0 10.250.166.53/24
			addr wlan0 192.168.1.20/24
			default via 10.250.166.1 dev eth0 dead
			default via 192.168.1.1 dev wlan0 metric 600
			192.168.1.0/24 dev wlan0 proto kernel scope link`,
		cfg: with(lab(), func(c *Config) { c.Link = "" }),
		ops: "ip route add 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178",
	},
	{
		name: "of several next hops the first",
		state: `addr eth0 10.250.166.53/24
			addr eth1 10.9.0.2/24
			10.250.166.0/24 dev eth0 proto kernel scope link
			10.9.0.0/24 dev eth1 proto kernel scope link
			default nexthop via 10.250.166.1 dev eth0 weight 1 nexthop via 10.9.0.1 dev eth1 weight 1`,
		cfg: with(lab(), func(c *Config) { c.Link = "" }), ops: pin,
	},
	{
		name: "the user's own route to the gateway stays the user's", state: office + "203.235.199.133 via 10.250.166.1 dev eth0",
		cfg: with(lab(), func(c *Config) { c.Link = "" }), findings: "info route-identical",
	},
	{
		name: "the user's own, other way to the gateway is the path", state: office + "203.235.199.133 via 10.250.166.9 dev eth0 metric 20",
		cfg: with(lab(), func(c *Config) { c.Link = "" }),
		ops: "ip route add 203.235.199.133 via 10.250.166.9 dev eth0 proto 178",
	},
	{
		name: "an identical route was there", state: office + "172.16.0.0/16 dev ppp0 scope link metric 1",
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Peer = netip.Addr{} }), ops: pin, findings: "info route-identical",
	},
	{
		name: "the same subnet with the same metric elsewhere", state: office + "172.16.0.0/16 via 10.250.166.9 dev eth0 metric 1",
		cfg: lab("172.16.0.0/16"), ops: base, findings: "warning route-taken",
	},
	{
		name: "the same subnet with a smaller metric elsewhere", state: office + "172.16.0.0/16 via 10.250.166.9 dev eth0",
		cfg:      lab("172.16.0.0/16"),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning route-shadowed",
	},
	{
		name: "the same subnet with a greater metric elsewhere", state: office + "172.16.0.0/16 via 10.250.166.9 dev eth0 metric 100",
		cfg:      lab("172.16.0.0/16"),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "info route-overrides",
	},
	{
		name: "a more specific route elsewhere", state: office + "172.16.5.0/24 via 10.250.166.9 dev eth0\nunreachable 172.16.6.0/24",
		cfg:      lab("172.16.0.0/16"),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning more-specific\nwarning more-specific",
	},
	{
		name: "the subnet of this machine, metric greater than ours", state: home, cfg: lab("192.168.1.0/24"),
		ops: `ip route add 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178` + "\n" + peer +
			"ip route add 192.168.1.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "fatal overlap-exact",
	},
	{
		name: "the subnet of this machine, metric smaller than ours", state: office, cfg: lab("10.250.166.0/24"),
		ops:      base + "ip route add 10.250.166.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning overlap-exact",
	},
	{
		name: "the subnet of this machine, our metric", state: office, cfg: with(lab("10.250.166.0/24"), func(c *Config) { c.Metric = 0 }),
		ops: base, findings: "warning overlap-exact",
	},
	{
		name: "a part of this machine's subnet", state: office, cfg: lab("10.250.166.64/26"),
		ops:      base + "ip route add 10.250.166.64/26 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning overlap-part",
	},
	{
		name: "a part of this machine's subnet, with the router", state: office, cfg: lab("10.250.166.0/28"),
		ops:      base + "ip route add 10.250.166.0/28 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "fatal overlap-part",
	},
	{
		name: "a part of this machine's subnet, with the DNS server", state: office + "dns 10.250.166.100", cfg: lab("10.250.166.64/26"),
		ops:      base + "ip route add 10.250.166.64/26 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "fatal overlap-part",
	},
	{
		name: "more than this machine's subnet", state: office, cfg: lab("10.0.0.0/8"),
		ops:      base + "ip route add 10.0.0.0/8 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning overlap-whole",
	},
	{
		name: "more than this machine's subnet, on purpose", state: office, cfg: with(lab("10.0.0.0/8"), func(c *Config) { c.Exclude = prefixes("10.250.166.0/24") }),
		ops: base + "ip route add 10.0.0.0/8 via 192.168.13.254 dev ppp0 metric 1 proto 178",
	},
	{
		name: "the DNS server goes behind the tunnel", state: office + "dns 172.16.0.53\ndns 127.0.0.53", cfg: lab("172.16.0.0/16"),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning dns-in-route",
	},
	{
		name: "the DNS server is excluded", state: office + "dns 172.16.0.53",
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Exclude = prefixes("172.16.0.53/32") }),
		ops: base + `ip route add 172.16.0.53 via 10.250.166.1 dev eth0 metric 1 proto 178
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
	},
	{
		name: "twice in the profile", state: office, cfg: lab("10.1.0.0/16", "10.1.0.0/16 7"),
		ops:      base + "ip route add 10.1.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning duplicate",
	},
	{
		name: "everything", state: office, cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.DefaultRoute = true }),
		ops: base + `
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 0.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 128.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info default-route",
	},
	{
		name: "everything, as a subnet, with IPv6 and a public resolver beside it", state: office + "dns 8.8.8.8\n::/0 via fe80::1 dev eth0 proto ra metric 1024",
		cfg: with(lab(), func(c *Config) { c.Routes = []Route{{To: netip.MustParsePrefix("0.0.0.0/0")}} }),
		ops: base + `
			ip route add 0.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 128.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info default-route\nwarning ipv6-outside\ninfo dns-in-route",
	},
	{
		name: "everything but two subnets", state: office, cfg: with(lab(), func(c *Config) {
			c.Routes, c.DefaultRoute, c.Exclude = nil, true, prefixes("198.51.100.0/24", "10.250.166.0/24")
		}),
		ops: base + `
			ip route add 198.51.100.0/24 via 10.250.166.1 dev eth0 metric 1 proto 178
			ip route add 0.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 128.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info default-route",
	},
	{
		name: "an exclusion", state: office, cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Exclude = prefixes("172.16.9.0/24") }),
		ops: base + `
			ip route add 172.16.9.0/24 via 10.250.166.1 dev eth0 metric 1 proto 178
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
	},
	{
		name: "an exclusion that has no path", state: "addr eth0 10.0.0.5/24\n10.0.0.0/24 dev eth0 proto kernel scope link\n203.235.199.0/24 via 10.0.0.1 dev eth0",
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Exclude = prefixes("172.16.9.0/24") }),
		ops: "ip route add 203.235.199.133 via 10.0.0.1 dev eth0 proto 178\n" + peer + `
			ip route add unreachable 172.16.9.0/24 metric 1 proto 178
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info no-default-route",
	},
	{
		name: "an exclusion on the link", state: office, cfg: with(lab("10.250.166.64/26"), func(c *Config) { c.Exclude = prefixes("10.250.166.80/28") }),
		ops: base + `
			ip route add 10.250.166.80/28 dev eth0 scope link metric 1 proto 178
			ip route add 10.250.166.64/26 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "warning overlap-part",
	},
	{
		name: "an exclusion of nothing", state: office, cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Exclude = prefixes("10.9.0.0/16") }),
		ops:      base + `ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info exclude-unused",
	},
	{
		name: "requested and excluded", state: office, cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Exclude = prefixes("172.16.0.0/16") }),
		ops: base, findings: "warning exclude-is-route\ninfo exclude-unused",
	},
	{
		name: "IPv6 that the tunnel does not carry", state: office, cfg: lab("2001:db8:9::/48"),
		ops: base, findings: "warning ipv6-not-carried",
	},
	{
		name: "IPv6 that the tunnel carries", state: office, cfg: with(lab("2001:db8:9::/48"), func(c *Config) { c.IPv6, c.Metric = true, 0 }),
		ops: base + "ip -6 route add 2001:db8:9::/48 dev ppp0 metric 1024 proto 178",
	},
	{
		name: "somebody has set the tunnel's interface down",
		state: `
			addr wlan0 192.168.1.20/24
			192.168.1.0/24 dev wlan0 proto kernel scope link
			default via 192.168.1.1 dev wlan0
			link ppp0 tun down
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 192.168.13.254 dev ppp0 scope link proto 178
			mine 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		cfg: lab("172.16.0.0/16"),
		ops: `ip route append 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178
			ip route del 203.235.199.133 via 10.250.166.1 dev eth0 proto 178`,
		findings: "warning link-down",
	},
	{
		name: "nothing to do", state: office + `
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			192.168.13.254 dev ppp0 proto 178 scope link
			172.16.0.0/16 via 192.168.13.254 dev ppp0 proto 178 metric 1
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 192.168.13.254 dev ppp0 scope link proto 178
			mine 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		cfg: lab("172.16.0.0/16"),
	},
	{
		name: "a preferred route to a subnet came while up", state: office + `
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			192.168.13.254 dev ppp0 proto 178 scope link
			172.16.0.0/16 via 192.168.13.254 dev ppp0 proto 178 metric 1
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 192.168.13.254 dev ppp0 scope link proto 178
			mine 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			172.16.0.0/16 via 10.250.166.9 dev eth0`,
		cfg:      lab("172.16.0.0/16"),
		findings: "warning route-shadowed",
	},
	{
		name: "the machine joined a network that is a subnet, while up", state: office + `
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			192.168.13.254 dev ppp0 proto 178 scope link
			172.16.0.0/16 via 192.168.13.254 dev ppp0 proto 178 metric 1
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 192.168.13.254 dev ppp0 scope link proto 178
			mine 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			addr wlan0 172.16.0.20/16
			172.16.0.0/16 dev wlan0 proto kernel scope link src 172.16.0.20 metric 600`,
		cfg:      lab("172.16.0.0/16"),
		findings: "fatal overlap-exact",
	},
	{
		name: "another peer after a reconnect", state: office + `
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			192.168.13.1 dev ppp0 scope link proto 178
			172.16.0.0/16 via 192.168.13.1 dev ppp0 metric 1 proto 178
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 192.168.13.1 dev ppp0 scope link proto 178
			mine 172.16.0.0/16 via 192.168.13.1 dev ppp0 metric 1 proto 178`,
		cfg: lab("172.16.0.0/16"),
		ops: peer + `
			ip route append 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route del 172.16.0.0/16 via 192.168.13.1 dev ppp0 metric 1 proto 178
			ip route del 192.168.13.1 dev ppp0 scope link proto 178`,
	},
	{
		name: "the default route has moved", state: `
			addr eth0 10.250.166.53/24
			addr wlan0 192.168.1.20/24
			default via 192.168.1.1 dev wlan0
			10.250.166.0/24 dev eth0 proto kernel scope link
			192.168.1.0/24 dev wlan0 proto kernel scope link
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			192.168.13.254 dev ppp0 scope link proto 178
			203.235.199.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine 192.168.13.254 dev ppp0 scope link proto 178
			mine 203.235.199.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		cfg: lab("203.235.199.0/24"),
		ops: `ip route append 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178
			ip route del 203.235.199.133 via 10.250.166.1 dev eth0 proto 178`,
		findings: "info gateway-in-route",
	},
	{
		name: "another session has the same gateway", state: office + `
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			203.235.199.0/24 dev ppp0 scope link metric 1 proto 178
			other a 203.235.199.133 ppp0 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			other a 203.235.199.133 ppp0 203.235.199.0/24 dev ppp0 scope link metric 1 proto 178`,
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Name, c.Link = "b", "ppp1" }),
		ops: `ip route add 192.168.13.254 dev ppp1 scope link proto 178
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp1 metric 1 proto 178`,
	},
	{
		name: "another session has the same gateway, which has moved", state: `
			addr wlan0 192.168.1.20/24
			default via 192.168.1.1 dev wlan0
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			203.235.199.0/24 dev ppp1 scope link metric 1 proto 178
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			other b 203.235.199.133 ppp1 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			other b 203.235.199.133 ppp1 203.235.199.0/24 dev ppp1 scope link metric 1 proto 178`,
		cfg: with(lab(), func(c *Config) { c.Link = "" }),
		ops: `ip route append 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178`,
	},
	{
		name: "the gateway is behind another session", state: office + `
			203.0.113.1 via 10.250.166.1 dev eth0 proto 178
			203.235.199.0/24 dev ppp0 scope link metric 1 proto 178
			link ppp0 tun
			other a 203.0.113.1 ppp0 203.0.113.1 via 10.250.166.1 dev eth0 proto 178
			other a 203.0.113.1 ppp0 203.235.199.0/24 dev ppp0 scope link metric 1 proto 178`,
		cfg:      with(lab(), func(c *Config) { c.Name, c.Link = "b", "" }),
		ops:      "ip route add 203.235.199.133 dev ppp0 scope link proto 178",
		findings: "warning gateway-via-vpn",
	},
	{
		name: "another session has the subnet", state: office + `
			172.16.0.0/16 dev ppp0 scope link metric 1 proto 178
			other a 203.0.113.1 ppp0 172.16.0.0/16 dev ppp0 scope link metric 1 proto 178`,
		cfg: with(lab("172.16.0.0/16"), func(c *Config) { c.Name, c.Link = "b", "ppp1" }),
		ops: pin + "ip route add 192.168.13.254 dev ppp1 scope link proto 178", findings: "warning route-taken",
	},
	{
		name: "leftovers of the dead do not lead to the gateway", state: office + "203.235.199.0/24 dev ppp0 scope link metric 1 proto 178",
		cfg: with(lab(), func(c *Config) { c.Link = "" }), ops: pin,
	},
	{
		name: "wg-quick has the default route", state: office + `
			link wg0 wireguard
			default dev wg0 table 51820 scope link
			rule 0 from all lookup local
			rule 32764 from all lookup main suppress_prefixlength 0
			rule 32765 not from all fwmark 0xca6c lookup 51820
			rule 32766 from all lookup main
			rule 32767 from all lookup default`,
		cfg:      lab("172.16.0.0/16"),
		ops:      "ip route add 203.235.199.133 dev wg0 scope link proto 178\n" + peer + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning gateway-via-vpn",
	},
	{
		name: "a rule takes everything before the main table", state: office + `
			default via 10.250.166.2 dev eth0 table 100
			rule 0 from all lookup local
			rule 500 from all lookup 100
			rule 32766 from all lookup main`,
		cfg: lab("172.16.0.0/16"),
		ops: "ip route add 203.235.199.133 via 10.250.166.2 dev eth0 proto 178\n" + peer +
			"ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning gateway-via-vpn\nwarning policy-rule",
	},
	{
		name: "a rule leaves out what we ask for", state: office + `
			172.16.0.0/16 via 10.250.166.2 dev eth0 table 100
			rule 0 from all lookup local
			rule 500 to 172.16.0.0/16 lookup 100
			rule 32766 from all lookup main`,
		cfg:      lab("172.16.0.0/16", "10.1.0.0/16"),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178\nip route add 10.1.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning policy-rule",
	},
	{
		name: "blocked, before dialling", state: office,
		cfg: with(lab("172.16.0.0/16", "10.2.0.0/16 5"), func(c *Config) {
			c.Link, c.Peer, c.Block, c.Exclude = "", netip.Addr{}, true, prefixes("172.16.9.0/24")
		}),
		ops: pin + `
			ip route add 172.16.9.0/24 via 10.250.166.1 dev eth0 metric 1 proto 178
			ip route add unreachable 172.16.0.0/16 metric 2 proto 178
			ip route add unreachable 10.2.0.0/16 metric 6 proto 178`,
	},
	{
		name: "blocked, up", state: office, cfg: with(lab("172.16.0.0/16", "203.235.199.0/24"), func(c *Config) { c.Block = true }),
		ops: base + `
			ip route add unreachable 172.16.0.0/16 metric 2 proto 178
			ip route add unreachable 203.235.199.0/24 metric 2 proto 178
			ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 203.235.199.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info gateway-in-route",
	},
	{
		name: "blocked, dialling again after the interface is gone, from another link",
		state: `
			addr wlan0 192.168.1.20/24
			192.168.1.0/24 dev wlan0 proto kernel scope link
			default via 192.168.1.1 dev wlan0
			203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			unreachable 203.235.199.0/24 metric 2 proto 178
			mine 203.235.199.133 via 10.250.166.1 dev eth0 proto 178
			mine unreachable 203.235.199.0/24 metric 2 proto 178
			mine 203.235.199.0/24 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		cfg: with(lab("203.235.199.0/24"), func(c *Config) { c.Link, c.Peer, c.Block = "", netip.Addr{}, true }),
		ops: `ip route append 203.235.199.133 via 192.168.1.1 dev wlan0 proto 178
			ip route del 203.235.199.133 via 10.250.166.1 dev eth0 proto 178`,
		findings: "info gateway-in-route",
	},
	{
		name: "blocked, everything", state: office, cfg: with(lab(), func(c *Config) { c.Routes, c.DefaultRoute, c.Block = nil, true, true }),
		ops: base + `
			ip route add unreachable 0.0.0.0/1 metric 2 proto 178
			ip route add unreachable 128.0.0.0/1 metric 2 proto 178
			ip route add 0.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 128.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info default-route",
	},
	{
		name: "blocked, everything, with IPv6 on the machine and none in the tunnel", state: office + "addr eth0 2001:db8:1::5/64\n::/0 via fe80::1 dev eth0 proto ra metric 1024",
		cfg: with(lab(), func(c *Config) { c.Routes, c.DefaultRoute, c.Block = nil, true, true }),
		ops: base + `
			ip route add unreachable 0.0.0.0/1 metric 2 proto 178
			ip route add unreachable 128.0.0.0/1 metric 2 proto 178
			ip -6 route add unreachable ::/1 metric 2 proto 178
			ip -6 route add unreachable 8000::/1 metric 2 proto 178
			ip route add 0.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178
			ip route add 128.0.0.0/1 via 192.168.13.254 dev ppp0 metric 1 proto 178`,
		findings: "info default-route\ninfo ipv6-not-carried",
	},
	{
		name: "blocked, IPv6 that the tunnel does not carry", state: office + "addr eth0 2001:db8:1::5/64",
		cfg:      with(lab("2001:db8:9::/48", "2001:db8:9::/48"), func(c *Config) { c.Block = true }),
		ops:      base + "ip -6 route add unreachable 2001:db8:9::/48 metric 2 proto 178",
		findings: "warning ipv6-not-carried\nwarning ipv6-not-carried",
	},
	{
		name: "blocked, IPv6 on a machine without", state: office,
		cfg: with(lab("2001:db8:9::/48"), func(c *Config) { c.Block = true }),
		ops: base, findings: "warning ipv6-not-carried",
	},
	{
		name: "blocked, the metric is taken", state: office + "172.16.0.0/16 via 10.250.166.9 dev eth0 metric 2",
		cfg:      with(lab("172.16.0.0/16"), func(c *Config) { c.Block = true }),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 1 proto 178",
		findings: "warning hold-taken\ninfo route-overrides",
	},
	{
		name: "blocked, no metric is left", state: office,
		cfg:      with(lab("172.16.0.0/16 2147483647"), func(c *Config) { c.Block = true }),
		ops:      base + "ip route add 172.16.0.0/16 via 192.168.13.254 dev ppp0 metric 2147483647 proto 178",
		findings: "warning hold-taken",
	},
	{
		name: "the gateway is behind another session, which is blocked and away", state: office + `
			203.0.113.1 via 10.250.166.1 dev eth0 proto 178
			unreachable 203.235.199.0/24 metric 2 proto 178
			other a 203.0.113.1 - 203.0.113.1 via 10.250.166.1 dev eth0 proto 178
			other a 203.0.113.1 - unreachable 203.235.199.0/24 metric 2 proto 178`,
		cfg:      with(lab(), func(c *Config) { c.Name, c.Link = "b", "" }),
		findings: "fatal gateway-no-path",
	},
}
