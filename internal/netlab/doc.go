// Package netlab builds a closed network behind a NAT gateway out of network
// namespaces of this machine, for `goppptp lab` and for tests. It needs root and
// a kernel with veth and bridge, and no program besides itself.
//
//	outside                   router                          server             inner
//	198.51.100.10 ---- net    198.51.100.1                    192.168.13.3       192.168.13.50
//	client                    203.235.199.133 (public)        eth0               eth0; behind it
//	10.250.166.10 ---- wan    10.250.166.1                     |                 172.16.0.10
//	eth0                 lan  192.168.13.1 --------------------+---- eth0        192.168.14.10
//
// The client's default route leads to the router, and over it to the outside
// host. Into 192.168.13.0/24 the router forwards only what was sent to its
// public address as PPTP: TCP port 1723 and GRE go on to the server. The server
// has routes for what lies behind the inner host; the inner host reaches
// clients in the server's subnet by the server's proxy ARP. IPv4 forwarding on
// the server is off, as a server turns it on itself.
//
//	lab, err := netlab.New(ctx, netlab.Options{})
//	defer lab.Close()
//	err = lab.Server.Do(func() error { return startServer() })
//	routes, err := lab.Client.Routes()
//	r, err := netlab.Ping(ctx, lab.Client, netlab.InnerAddr, 3, 56)
//
// The machine's own network is not touched: no link, address, route or rule
// outside the namespaces. A lab without Options.Persist holds its namespaces by
// descriptors alone, so even a killed process leaves nothing.
//
// # Translation
//
// The router translates addresses with nf_tables and no connection tracking
// helper for PPTP, so it knows nothing of calls: GRE is translated by address.
// Each direction of a call is a flow of its own to the connection tracking
// (its key is the receiver's call ID), which is why there is a rule for both.
// Where the kernel cannot translate, the server owns the public address itself
// and routing rules keep the network closed; Lab.NAT says which it is.
package netlab
