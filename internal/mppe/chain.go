package mppe

import (
	"crypto/sha1"
	"fmt"
)

// Sizes of a key as RC4 takes it, in octets.
const (
	shortKey = 8
	longKey  = 16
)

// keysAhead is how many keys a chain may be ahead of the packets: as many as an
// Engine takes packets at once, so that the next ones need not wait for theirs.
const keysAhead = 3

// chain is the sequence of session keys of one direction. Each follows from the
// one before and the start key, whatever was sent with it. RFC 3078, section 7;
// RFC 3079, section 3.
type chain struct {
	start [longKey]byte
	key   [longKey]byte // the last one computed; a short key stands here twice: to RC4 that is the same key
	ahead [keysAhead][longKey]byte
	keys  uint8 // of ahead, which no packet has got yet; the last of them is key
	short bool  // keys have 8 octets
	fixed uint8 // octets of a short key that are known, from the first on
	slot  uint8 // where an engine keeps what it knows of this chain
}

// newChain returns the chain with its first key, GetNewKeyFromSHA's of the start
// key with itself. A start key for 40 or 56 bits is its first 8 octets.
func newChain(start [longKey]byte, bits Bits) chain {
	c := chain{start: start, key: start}
	switch bits {
	case Bits40:
		c.short, c.fixed = true, 3
	case Bits56:
		c.short, c.fixed = true, 1
	case Bits128:
	default:
		panic(fmt.Sprintf("mppe: no such key length: %d bits", int(bits)))
	}
	c.key = c.hash()
	c.weaken()
	return c
}

// next changes the key: hashed with the start key, then encrypted with itself.
// It is for a chain with no keys ahead.
func (c *chain) next() {
	key := c.hash()
	var s state
	s.init(&key)
	c.encrypt(&key, &s.s)
}

// encrypt makes key, with a table that was scheduled with it, the key of the
// chain.
func (c *chain) encrypt(key *[longKey]byte, s *[256]uint32) {
	c.key = *key
	if c.short {
		xorAlone(s, 0, 0, c.key[:shortKey])
	} else {
		xorAlone(s, 0, 0, c.key[:])
	}
	c.weaken()
}

// take gives out the next key.
func (c *chain) take(key *[longKey]byte) {
	if c.keys == 0 {
		c.next()
		*key = c.key
		return
	}
	*key = c.ahead[0]
	copy(c.ahead[:], c.ahead[1:])
	c.keys--
}

// hash is GetNewKeyFromSHA: of the start key, 40 octets of zero, the key and 40
// octets of 0xf2. RFC 3079, section 3.4.
func (c *chain) hash() (key [longKey]byte) {
	if c.short {
		b := shortPads
		copy(b[:shortKey], c.start[:])
		copy(b[shortKey+pad:2*shortKey+pad], c.key[:])
		digest := sha1.Sum(b[:])
		copy(key[:shortKey], digest[:])
		copy(key[shortKey:], digest[:shortKey])
		return key
	}
	b := longPads
	copy(b[:longKey], c.start[:])
	copy(b[longKey+pad:2*longKey+pad], c.key[:])
	digest := sha1.Sum(b[:])
	return [longKey]byte(digest[:])
}

const pad = 40 // octets

// What is hashed, with room for the keys.
var (
	shortPads [2*shortKey + 2*pad]byte
	longPads  [2*longKey + 2*pad]byte
)

func init() {
	for i := range pad {
		shortPads[2*shortKey+pad+i] = 0xf2
		longPads[2*longKey+pad+i] = 0xf2
	}
}

// weaken puts the known octets of the shorter keys in and doubles the key.
// RFC 3079, sections 3.1 and 3.2.
func (c *chain) weaken() {
	if c.short {
		copy(c.key[:c.fixed], "\xd1\x26\x9e")
		copy(c.key[shortKey:], c.key[:shortKey])
	}
}
