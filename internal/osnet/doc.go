// Package osnet is the Linux edge of goppptp: the raw sockets that carry
// enhanced GRE (IP protocol 47, RFC 2637 section 4), the TUN interface behind
// which the tunnel lies, and the few settings of the kernel that a tunnel needs
// (addresses, path MTU, forwarding, proxy ARP).
//
// It decides nothing about the protocol. What it moves it moves in batches:
// recvmmsg and sendmmsg on the GRE side, large frames on the TUN side, which
// package offload cuts and joins; neither allocates per packet.
//
//	gre, err := osnet.DialGRE(server)             // client: one peer
//	tun, err := osnet.OpenTUN(osnet.TUNConfig{Name: "ppp%d", Local: l, Peer: p, MTU: 1400})
//	n, err := gre.ReadBatch(packets)              // packets[:n].Data: from the GRE header on
//	n, err = tun.ReadFrame(frame)                 // does not wait: WhenReadable tells when
//	err = tun.WriteFrame(parts)                   // in pieces, as a Joiner of package offload gives them
//
// Everything acts in the network namespace of the calling thread; a socket or
// TUN that has been opened can be used from any.
//
// # System calls
//
// What moves packets never waits in the kernel, and is called past the
// scheduler (RawSyscall): told of a call that lasts some hundred microseconds, as
// sendmmsg does, the scheduler gives the processor to another thread meanwhile,
// and the two changes of threads cost a fifth of all that a packet costs.
//
// # Fragments
//
// GRE leaves with the "don't fragment" bit clear (IP_PMTUDISC_DONT). The
// interface's MTU is chosen so that packets fit the path; where that goes wrong
// (a path that shrank, a peer with a larger MRU), a fragmented packet arrives
// and a dropped one does not. Path MTU discovery would depend on ICMP messages
// that NAT gateways lose, and would turn each such path into a black hole. The
// kernel puts fragments together before a raw socket sees them.
//
// # Limitations
//
// The outer packets are IPv4 only, as RFC 2637's calls are.
package osnet
