// Package offload turns the large frames of a TUN interface into packets for a
// tunnel, and packets out of a tunnel into large frames: TCP segmentation and
// receive offload, done here so that the host's network stack runs once for
// many packets.
//
// A frame is what a TUN opened with IFF_VNET_HDR reads and writes: HeaderLen
// octets of struct virtio_net_hdr (linux/virtio_net.h, fields in the host's
// byte order) and an IP packet, of up to 64 kB if the header says into which
// pieces it is to be cut.
//
//	var s offload.Splitter
//	err := s.Load(frame)                 // as read
//	for n, err := s.Next(b); n > 0; …    // b[:n] is a whole IP packet
//
//	j := offload.Joiner{TCP: true}
//	j.Add(packet)                        // as often as there are some
//	err = j.Flush(tun.WriteFrame)        // frames, each in parts for writev
//
// It is arithmetic alone: no I/O, no goroutine, no allocation per packet.
//
// # What is joined
//
// Only what a router could not tell from the original once it is cut again:
// segments of one flow, in sequence, whose headers differ in nothing but what
// cutting restores (length, checksum, sequence number, PSH on the last, and the
// IPv4 identification counting up by one). Where DF is set the identification
// may also stay the same: it has no meaning then (RFC 6864, Section 4.1), so it
// is no loss that cutting will count it up.
//
// MPPE protects the integrity of nothing. A packet's checksums are therefore
// verified before it is joined, since the checksum of a joined packet is made
// anew and would hide the damage; a packet that fails goes on alone and
// unchanged, for the host to refuse.
package offload
