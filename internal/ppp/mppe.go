package ppp

import (
	"fmt"
	"slices"
	"strings"
)

// MPPE says what encryption is wanted.
type MPPE struct {
	Require  bool  // no data passes without it; the link ends where it is not agreed on
	Refuse   bool  // none at all; Require wins
	Bits     []int // key lengths to agree to: 40, 56, 128; empty: 128
	Stateful bool  // stateful mode is allowed, and preferred; otherwise stateless only
}

// mppeBits are the Supported Bits of CCP's MPPE option (RFC 3078, Section 2.1).
type mppeBits uint32

const (
	mppeStateless mppeBits = 0x01000000 // H
	mppe56        mppeBits = 0x00000080 // M
	mppe128       mppeBits = 0x00000040 // S
	mppe40        mppeBits = 0x00000020 // L
	mppeStrengths          = mppe56 | mppe128 | mppe40
)

// strengths lists the key lengths, strongest first.
var strengths = []struct {
	bit  mppeBits
	bits int
}{{mppe128, 128}, {mppe56, 56}, {mppe40, 40}}

// offer gives the bits that a configuration allows.
func (c MPPE) offer() mppeBits {
	var b mppeBits
	for _, s := range strengths {
		if slices.Contains(c.Bits, s.bits) || len(c.Bits) == 0 && s.bits == 128 {
			b |= s.bit
		}
	}
	if !c.Stateful {
		b |= mppeStateless
	}
	return b
}

// strongest keeps the best of the key lengths, and the mode.
func (b mppeBits) strongest() mppeBits {
	for _, s := range strengths {
		if b&s.bit != 0 {
			return b&mppeStateless | s.bit
		}
	}
	return 0
}

// single tells whether b names exactly one key length and nothing unknown.
func (b mppeBits) single() bool {
	return b&mppeStrengths != 0 && b == b.strongest()
}

// keyLen gives the key length of a single strength, in bits.
func (b mppeBits) keyLen() int {
	for _, s := range strengths {
		if b&s.bit != 0 {
			return s.bits
		}
	}
	return 0
}

func (b mppeBits) stateful() bool { return b&mppeStateless == 0 }

func (b mppeBits) option() Option { return option32(OptionMPPE, uint32(b)) }

// String puts an offer into words: "128-bit stateless", "40 or 128-bit
// stateful", "none".
func (b mppeBits) String() string {
	var names []string
	for _, s := range strengths {
		if b&s.bit != 0 {
			names = append([]string{fmt.Sprint(s.bits)}, names...)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	mode := "stateless"
	if b.stateful() {
		mode = "stateful"
	}
	return strings.Join(names, " or ") + "-bit " + mode
}

// words is String for what a configuration asks for, where stateful mode is
// an allowance.
func (c MPPE) words() string {
	s := c.offer().String()
	if c.Stateful {
		s = strings.TrimSuffix(s, "stateful") + "stateful or stateless"
	}
	return s
}
