package mppe

import (
	"crypto/sha1"
	"errors"
	"fmt"
)

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

// sizes of a key as RC4 takes it, in octets
const (
	shortKey = 8
	longKey  = 16
)

// chain is the sequence of session keys of one direction. Each follows from the
// one before and the start key, whatever was sent with it. RFC 3078, section 7;
// RFC 3079, section 3.
type chain struct {
	start [longKey]byte
	key   [longKey]byte // a short key stands here twice: to RC4 that is the same key
	bits  Bits
}

// newChain returns the chain with its first key, GetNewKeyFromSHA's of the start
// key with itself. A start key for 40 or 56 bits is its first 8 octets.
func newChain(start [longKey]byte, bits Bits) chain {
	if bits != Bits40 && bits != Bits56 && bits != Bits128 {
		panic(fmt.Sprintf("mppe: no such key length: %d bits", int(bits)))
	}
	c := chain{start: start, key: start, bits: bits}
	c.key = c.hash()
	c.weaken()
	return c
}

// next changes the key: hashed with the start key, then encrypted with itself.
func (c *chain) next() {
	c.key = c.hash()
	var s state
	s.init(&c.key)
	if c.bits == Bits128 {
		s.xor(c.key[:])
		return
	}
	s.xor(c.key[:shortKey])
	c.weaken()
}

// hash is GetNewKeyFromSHA. RFC 3079, section 3.4.
func (c *chain) hash() [longKey]byte {
	const pad = 40
	var b [2*longKey + 2*pad]byte
	n := longKey
	if c.bits != Bits128 {
		n = shortKey
	}
	copy(b[:n], c.start[:])
	copy(b[n+pad:], c.key[:n])
	copy(b[2*n+pad:], pad2)
	digest := sha1.Sum(b[:2*n+2*pad])
	if n == shortKey {
		copy(digest[shortKey:], digest[:shortKey])
	}
	return [longKey]byte(digest[:])
}

const pad2 = "\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2" +
	"\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2\xf2"

// weaken puts the known octets of the shorter keys in and doubles the key.
// RFC 3079, sections 3.1 and 3.2.
func (c *chain) weaken() {
	switch c.bits {
	case Bits40:
		copy(c.key[:], "\xd1\x26\x9e")
	case Bits56:
		c.key[0] = 0xd1
	default:
		return
	}
	copy(c.key[shortKey:], c.key[:shortKey])
}
