package ppp

import (
	"encoding/binary"
	"errors"
)

const (
	packetHeader = 4 // code, identifier, length
	optionHeader = 2 // type, length
)

var (
	errPacket = errors.New("ppp: packet length does not fit the frame")
	errOption = errors.New("ppp: option length does not fit the packet")
)

// Packet is the information field of LCP, CCP, IPCP and IPV6CP frames (RFC
// 1661, Section 5).
type Packet struct {
	Code Code
	ID   byte   // Identifier: a reply carries its request's
	Data []byte // options, a text, a rejected packet: by Code
}

// ParsePacket takes the information field of a frame. Data aliases b; octets
// behind the packet's length are padding and are dropped. The one error is a
// length that does not fit, which RFC 1661, Section 5, has "silently discarded".
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < packetHeader {
		return Packet{}, errPacket
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < packetHeader || n > len(b) {
		return Packet{}, errPacket
	}
	return Packet{Code: Code(b[0]), ID: b[1], Data: b[packetHeader:n:n]}, nil
}

// AppendPacket is the inverse of ParsePacket. p.Data has 65,531 octets at most.
func AppendPacket(b []byte, p Packet) []byte {
	b = append(b, byte(p.Code), p.ID)
	b = binary.BigEndian.AppendUint16(b, uint16(packetHeader+len(p.Data)))
	return append(b, p.Data...)
}

// Option is a configuration option (RFC 1661, Section 6).
type Option struct {
	Type  byte
	Value []byte // 253 octets at most
}

// ParseOptions takes the Data of a Configure packet. Unknown types are kept:
// somebody must reject them. Values alias b. The one error is a length that does
// not fit.
func ParseOptions(b []byte) ([]Option, error) {
	var opts []Option
	for len(b) > 0 {
		if len(b) < optionHeader {
			return nil, errOption
		}
		n := int(b[1])
		if n < optionHeader || n > len(b) {
			return nil, errOption
		}
		opts = append(opts, Option{Type: b[0], Value: b[optionHeader:n:n]})
		b = b[n:]
	}
	return opts, nil
}

// AppendOptions is the inverse of ParseOptions.
func AppendOptions(b []byte, opts []Option) []byte {
	for _, o := range opts {
		b = append(b, o.Type, byte(optionHeader+len(o.Value)))
		b = append(b, o.Value...)
	}
	return b
}

// option16 and option32 make options with a number in them.
func option16(t byte, v uint16) Option {
	return Option{t, binary.BigEndian.AppendUint16(nil, v)}
}

func option32(t byte, v uint32) Option {
	return Option{t, binary.BigEndian.AppendUint32(nil, v)}
}

// uint16 and uint32 give the number in an option, if that is what it holds.
func (o Option) uint16() (uint16, bool) {
	if len(o.Value) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(o.Value), true
}

func (o Option) uint32() (uint32, bool) {
	if len(o.Value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(o.Value), true
}

// find returns the option of a type.
func find(opts []Option, t byte) (Option, bool) {
	for _, o := range opts {
		if o.Type == t {
			return o, true
		}
	}
	return Option{}, false
}
