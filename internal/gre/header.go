package gre

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The enhanced GRE header's constants (RFC 2637, Section 4.1).
const (
	flagChecksum = 0x8000
	flagRouting  = 0x4000
	flagKey      = 0x2000
	flagSeq      = 0x1000
	flagStrict   = 0x0800
	maskRecur    = 0x0700
	flagAck      = 0x0080
	maskReserved = 0x0078
	maskVersion  = 0x0007

	version      = 1
	protocolPPP  = 0x880b
	minHeaderLen = 8

	// what a PPTP packet may have nothing of: checksum, routing, strict route, recursion and reserved flags
	forbidden = flagChecksum | flagRouting | flagStrict | maskRecur | maskReserved
)

// MaxHeaderLen is the length, in octets, of a header with both a sequence and an acknowledgment number.
const MaxHeaderLen = 16

// What Parse refuses, for those who count by cause.
var (
	ErrShort    = errors.New("gre: packet too short")         // shorter than its header, or than its payload length says
	ErrForeign  = errors.New("gre: not PPP in GRE version 1") // another version or protocol: not PPTP's
	ErrFlags    = errors.New("gre: flags PPTP does not use")
	ErrNoNumber = errors.New("gre: payload without a sequence number")
)

// Header is the enhanced GRE header (RFC 2637, Section 4.1). An absent number is ignored by Put and zero after Parse.
type Header struct {
	CallID uint16 // the receiver's number for the call
	HasSeq bool   // a payload follows
	Seq    uint32
	HasAck bool
	Ack    uint32 // the highest sequence number received
}

// Parse reads the packet b, from its GRE header to the end of the IP packet. The payload aliases b; octets behind the
// length the header gives are padding and cut off. The errors are ErrShort, ErrForeign, ErrFlags and ErrNoNumber, wrapped
// with the value in question where there is one.
func Parse(b []byte) (h Header, payload []byte, err error) {
	if len(b) < minHeaderLen {
		return Header{}, nil, ErrShort
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&maskVersion != version || binary.BigEndian.Uint16(b[2:]) != protocolPPP {
		return Header{}, nil, fmt.Errorf("%w: version %d, protocol 0x%04x", ErrForeign, flags&maskVersion, binary.BigEndian.Uint16(b[2:]))
	}
	if flags&forbidden != 0 || flags&flagKey == 0 {
		return Header{}, nil, fmt.Errorf("%w: 0x%04x", ErrFlags, flags)
	}
	h.HasSeq, h.HasAck = flags&flagSeq != 0, flags&flagAck != 0
	h.CallID = binary.BigEndian.Uint16(b[6:])
	n := h.Len()
	length := int(binary.BigEndian.Uint16(b[4:]))
	if len(b) < n+length {
		return Header{}, nil, fmt.Errorf("%w: %d octets, the header says %d", ErrShort, len(b), n+length)
	}
	if !h.HasSeq && length > 0 {
		return Header{}, nil, ErrNoNumber
	}
	at := minHeaderLen
	if h.HasSeq {
		h.Seq = binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	if h.HasAck {
		h.Ack = binary.BigEndian.Uint32(b[at:])
	}
	return h, b[n : n+length : n+length], nil
}

// Len returns the length of the header in octets: 8, 12 or 16.
func (h Header) Len() int {
	n := minHeaderLen
	if h.HasSeq {
		n += 4
	}
	if h.HasAck {
		n += 4
	}
	return n
}

// Put writes the header of a packet with payloadLen octets of payload (at most 65535) into b, which has room for Len()
// octets, and returns Len(). It does not touch what follows.
func (h Header) Put(b []byte, payloadLen int) int {
	n := h.Len()
	b = b[:n]
	flags := uint16(flagKey | version)
	at := minHeaderLen
	if h.HasSeq {
		flags |= flagSeq
		binary.BigEndian.PutUint32(b[at:], h.Seq)
		at += 4
	}
	if h.HasAck {
		flags |= flagAck
		binary.BigEndian.PutUint32(b[at:], h.Ack)
	}
	binary.BigEndian.PutUint16(b, flags)
	binary.BigEndian.PutUint16(b[2:], protocolPPP)
	binary.BigEndian.PutUint16(b[4:], uint16(payloadLen))
	binary.BigEndian.PutUint16(b[6:], h.CallID)
	return n
}
