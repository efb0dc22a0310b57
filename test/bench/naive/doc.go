// Package naive is a PPTP data path as one would write it on the first day, and
// the baseline that the benchmarks compare with: one packet per system call
// through os.File and net.IPConn, a TUN device without offload, and for each
// packet crypto/sha1, a new crypto/rc4 cipher for the key and another for the
// packet, as RFC 3078 describes stateless MPPE with 128 bits.
//
// What it puts on the wire is what a PPTP session does: enhanced GRE
// (RFC 2637, Section 4.1) around PPP around MPPE. There is no control connection,
// no negotiation and no acknowledgement: both ends begin with fixed keys. It
// hides nothing, and is of no use but to be measured.
package naive
