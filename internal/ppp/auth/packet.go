package auth

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// headerLen is the length of what PAP, CHAP and EAP packets begin with: code,
// identifier, length (RFC 1334, Section 2.2; 1994, Section 4; 3748, Section 4).
const headerLen = 4

// packet is one of PAP, CHAP or EAP.
type packet struct {
	code byte
	id   byte
	data []byte // aliases what was parsed
}

// parsePacket takes the information field of a PPP frame. What follows the
// packet's own length is padding.
func parsePacket(b []byte) (packet, bool) {
	if len(b) < headerLen {
		return packet{}, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < headerLen || n > len(b) {
		return packet{}, false
	}
	return packet{code: b[0], id: b[1], data: b[headerLen:n]}, true
}

// appendPacket appends a packet whose data is the pieces one after the other,
// 65,531 octets at most.
func appendPacket(b []byte, code, id byte, pieces ...[]byte) []byte {
	start := len(b)
	b = append(b, code, id, 0, 0)
	for _, p := range pieces {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// parseValue takes a field of one octet of length and that many octets, and
// gives what follows it. The value aliases b.
func parseValue(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n:n], b[n:], true
}

// appendValue is the inverse of parseValue; value has 255 octets at most.
func appendValue(b, value []byte) []byte {
	return append(append(b, byte(len(value))), value...)
}

// text makes something from the wire fit for a log or a terminal: one line of
// printable characters, 200 octets at most.
func text(b []byte) string {
	const most = 200
	if len(b) > most {
		b = b[:most]
		for len(b) > 0 && !utf8.Valid(b) && len(b) > most-utf8.UTFMax {
			b = b[:len(b)-1]
		}
	}
	s := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' '
		}
		return r
	}, string(b))
	return strings.Join(strings.Fields(s), " ")
}
