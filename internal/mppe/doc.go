// Package mppe seals and opens packets as Microsoft's Point-to-Point Encryption
// does (RFC 3078): RC4 with a key that changes with every packet (stateless) or
// with every 256th and after a loss (stateful), and a count of 12 bits in each
// packet that tells the receiver which key it is.
//
// A Sealer and an Opener are one direction each, of one session. Neither is
// safe for concurrent use. They know no clock and keep no packets: an Opener is
// told each packet's GRE sequence number and decides by it alone.
//
//	s := mppe.NewSealer(sendKey, mppe.Bits128, false)
//	packet := append(make([]byte, mppe.Overhead), pppProtocolAndInformation...)
//	s.Seal(packet) // now a payload for PPP protocol 0x00fd
//
//	o := mppe.NewOpener(recvKey, mppe.Bits128, false)
//	plain, err := o.Open(payload, seq)
//
// Whoever has many packets at a time, of one session or of several, queues them
// in an Engine, which takes a good half of the time off each. The keys of packets
// to come are computed beside the packets there are, up to three ahead.
//
// Scratch space belongs to the engines, not to the sessions: a stateless
// direction takes less than 150 octets, and 4 kB more while keys of missing
// packets are remembered; a stateful one about 1.1 kB.
//
// # Losses
//
// Stateless: a gap moves the key on, and the keys of what is missing among the
// last 256 packets are kept, so that a late packet opens as well; each key opens
// one packet. Stateful: a gap makes the Opener wait for a flushed packet, and the
// caller ask for one with a CCP Reset-Request; packets must be put into order
// before they are opened.
//
// The count alone cannot say whether 5 packets are missing or 4101. The GRE
// sequence number can: the peer cannot have sent more encrypted packets than it
// used sequence numbers, and uses hardly any for something else. So of all
// numbers of packets the count allows, the Opener takes the largest one that
// the sequence number allows, and refuses the packet, with no state changed,
// where there is none (ErrJump). How many steps of the key one packet, and many
// forged ones together, may cost is bounded too (ErrJump again).
//
// # Out of step
//
// MPPE proves nothing about what it carries: with a wrong key an Opener gives
// out nonsense, and no error. A receiver that is out of step (a different key, a
// stateful stream after a forged packet) is recognised by its plain text alone:
// count the packets for which Sensible is false, and the ErrJumps, in a row, and
// negotiate CCP anew after some; new Sealers and Openers start over.
//
// # Limitations
//
// There is no compression (MPPC): packets that have it are refused. More than
// 65536 packets lost in one go are not looked for; that is out of step. Stateful
// mode follows a forged packet as any other, and is wrong until the next flag
// packet, or for good; stateless mode loses one packet, or those the forged
// sequence number leaves behind. Where the plain text is neither IPv4 nor IPv6, a
// stateful opener knows Linux's way to flush alone.
package mppe
