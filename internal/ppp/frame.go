package ppp

import "errors"

// address and control are the two fields of HDLC that PPP keeps (RFC 1662,
// Section 3.1); with Address-and-Control-Field-Compression they are left out.
const (
	address = 0xff
	control = 0x03
)

var errFrame = errors.New("ppp: frame without a protocol field")

// ParseFrame splits a frame into its protocol number and information field,
// which aliases frame. Both forms of both headers are taken at any time, as
// RFC 1661, Sections 6.5 and 6.6, ask of who has agreed to them, and as is
// harmless for others. The one error is a frame without a protocol field.
func ParseFrame(frame []byte) (p Protocol, info []byte, err error) {
	if len(frame) >= 2 && frame[0] == address && frame[1] == control {
		frame = frame[2:]
	}
	// Protocol numbers are odd, and the upper octet of two is even (RFC 1661,
	// Section 2): the first octet tells how long the field is.
	switch {
	case len(frame) >= 1 && frame[0] == address:
		// 0x00ff is reserved, so that a short protocol field is never taken for
		// an address.
	case len(frame) >= 1 && frame[0]&1 == 1:
		return Protocol(frame[0]), frame[1:], nil
	case len(frame) >= 2 && frame[1]&1 == 1:
		return Protocol(frame[0])<<8 | Protocol(frame[1]), frame[2:], nil
	}
	return 0, nil, errFrame
}

// AppendFrame appends a frame to b, without flags and checksum, which GRE has no
// use for. acfc leaves address and control out, pfc
// shortens the protocol number where it fits one octet; LCP frames get
// neither, because they may be about to undo them (RFC 1661, Section 6.5).
func AppendFrame(b []byte, p Protocol, info []byte, acfc, pfc bool) []byte {
	if !acfc || p == ProtocolLCP {
		b = append(b, address, control)
	}
	if !pfc || p >= address {
		b = append(b, byte(p>>8))
	}
	b = append(b, byte(p))
	return append(b, info...)
}
