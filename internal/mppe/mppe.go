package mppe

import "errors"

// Bits is the length of the session key.
type Bits int

// The lengths CCP can agree on. Those of 40 and 56 bits are keys of 8 octets,
// the first of which are the same for all the world.
const (
	Bits40  Bits = 40
	Bits56  Bits = 56
	Bits128 Bits = 128
)

// Overhead is what sealing adds in front of a packet, in octets.
const Overhead = 2

// The header: four bits and the coherency count. RFC 3078, section 3.1.
const (
	flagFlushed    = 0x8000 // A: the key was initialised before this packet
	flagRestart    = 0x4000 // B: of compression, not used with encryption alone
	flagCompressed = 0x2000 // C: likewise
	flagEncrypted  = 0x1000 // D
	countMask      = 0x0fff
	countSpace     = countMask + 1
)

// In stateful mode the key changes with each packet whose count ends like this,
// the "flag" packet. RFC 3078, section 7.
const flagCount = 0xff

// What Open returns for packets that cannot be opened. ErrLost is of stateful mode
// alone: the packet is discarded, and the caller is to send a CCP Reset-Request.
// ErrJump is a count further ahead than the GRE sequence number, or than the
// opener is willing to look for it.
var (
	ErrShort        = errors.New("mppe: packet too short")
	ErrNotEncrypted = errors.New("mppe: packet is not encrypted, or compressed")
	ErrLost         = errors.New("mppe: an earlier packet is missing; waiting for a flushed one")
	ErrOld          = errors.New("mppe: packet is too old, or opened already")
	ErrJump         = errors.New("mppe: count runs too far ahead")
)

// Sensible tells whether plain text begins like a packet a tunnel carries: a PPP
// protocol field, of one octet or two, for IPv4 or IPv6, and that version. Text
// decrypted with a wrong key passes once in some 2000 times.
func Sensible(plain []byte) bool {
	if len(plain) > 0 && plain[0] == 0 {
		plain = plain[1:]
	}
	if len(plain) < 2 {
		return false
	}
	switch plain[0] {
	case 0x21:
		return plain[1]>>4 == 4
	case 0x57:
		return plain[1]>>4 == 6
	}
	return false
}
