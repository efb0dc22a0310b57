package pptp

import (
	"encoding/binary"
	"fmt"
)

// MaxNameLen is how many octets of a host name, a vendor's name or a telephone number a message holds.
const MaxNameLen = 64

var be = binary.BigEndian

// StartControlConnectionRequest opens the control connection (RFC 2637, Section 2.1).
type StartControlConnectionRequest struct {
	Version     Version
	Framing     Framing
	Bearer      Bearer
	MaxChannels uint16 // 0 from a PNS
	Firmware    uint16
	HostName    string
	Vendor      string
}

func (*StartControlConnectionRequest) Type() MessageType { return TypeStartControlConnectionRequest }
func (*StartControlConnectionRequest) length() int       { return 156 }

func (m *StartControlConnectionRequest) put(b []byte) {
	be.PutUint16(b[12:], uint16(m.Version))
	be.PutUint32(b[16:], uint32(m.Framing))
	be.PutUint32(b[20:], uint32(m.Bearer))
	be.PutUint16(b[24:], m.MaxChannels)
	be.PutUint16(b[26:], m.Firmware)
	copy(b[28:92], m.HostName)
	copy(b[92:156], m.Vendor)
}

func (m *StartControlConnectionRequest) get(b []byte) {
	m.Version = Version(be.Uint16(b[12:]))
	m.Framing = Framing(be.Uint32(b[16:]))
	m.Bearer = Bearer(be.Uint32(b[20:]))
	m.MaxChannels = be.Uint16(b[24:])
	m.Firmware = be.Uint16(b[26:])
	m.HostName = text(b[28:92])
	m.Vendor = text(b[92:156])
}

func (m *StartControlConnectionRequest) String() string {
	return fmt.Sprintf("%v version %v, framing %v, bearer %v, channels %d, firmware %d, host %q, vendor %q",
		m.Type(), m.Version, m.Framing, m.Bearer, m.MaxChannels, m.Firmware, m.HostName, m.Vendor)
}

// StartControlConnectionReply answers it (RFC 2637, Section 2.2).
type StartControlConnectionReply struct {
	Version     Version
	Result      StartResult
	General     GeneralError
	Framing     Framing
	Bearer      Bearer
	MaxChannels uint16
	Firmware    uint16
	HostName    string
	Vendor      string
}

func (*StartControlConnectionReply) Type() MessageType { return TypeStartControlConnectionReply }
func (*StartControlConnectionReply) length() int       { return 156 }

func (m *StartControlConnectionReply) put(b []byte) {
	be.PutUint16(b[12:], uint16(m.Version))
	b[14], b[15] = byte(m.Result), byte(m.General)
	be.PutUint32(b[16:], uint32(m.Framing))
	be.PutUint32(b[20:], uint32(m.Bearer))
	be.PutUint16(b[24:], m.MaxChannels)
	be.PutUint16(b[26:], m.Firmware)
	copy(b[28:92], m.HostName)
	copy(b[92:156], m.Vendor)
}

func (m *StartControlConnectionReply) get(b []byte) {
	m.Version = Version(be.Uint16(b[12:]))
	m.Result, m.General = StartResult(b[14]), GeneralError(b[15])
	m.Framing = Framing(be.Uint32(b[16:]))
	m.Bearer = Bearer(be.Uint32(b[20:]))
	m.MaxChannels = be.Uint16(b[24:])
	m.Firmware = be.Uint16(b[26:])
	m.HostName = text(b[28:92])
	m.Vendor = text(b[92:156])
}

func (m *StartControlConnectionReply) String() string {
	return fmt.Sprintf("%v %v, error %v, version %v, framing %v, bearer %v, channels %d, firmware %d, host %q, vendor %q",
		m.Type(), m.Result, m.General, m.Version, m.Framing, m.Bearer, m.MaxChannels, m.Firmware, m.HostName, m.Vendor)
}

// StopControlConnectionRequest ends the control connection and with it all calls (RFC 2637, Section 2.3).
type StopControlConnectionRequest struct {
	Reason StopReason
}

func (*StopControlConnectionRequest) Type() MessageType { return TypeStopControlConnectionRequest }
func (*StopControlConnectionRequest) length() int       { return 16 }
func (m *StopControlConnectionRequest) put(b []byte)    { b[12] = byte(m.Reason) }
func (m *StopControlConnectionRequest) get(b []byte)    { m.Reason = StopReason(b[12]) }
func (m *StopControlConnectionRequest) String() string {
	return fmt.Sprintf("%v %v", m.Type(), m.Reason)
}

// StopControlConnectionReply answers it (RFC 2637, Section 2.4).
type StopControlConnectionReply struct {
	Result  StopResult
	General GeneralError
}

func (*StopControlConnectionReply) Type() MessageType { return TypeStopControlConnectionReply }
func (*StopControlConnectionReply) length() int       { return 16 }
func (m *StopControlConnectionReply) put(b []byte) {
	b[12], b[13] = byte(m.Result), byte(m.General)
}
func (m *StopControlConnectionReply) get(b []byte) {
	m.Result, m.General = StopResult(b[12]), GeneralError(b[13])
}
func (m *StopControlConnectionReply) String() string {
	return fmt.Sprintf("%v %v, error %v", m.Type(), m.Result, m.General)
}

// EchoRequest asks for a sign of life (RFC 2637, Section 2.5).
type EchoRequest struct {
	Identifier uint32
}

func (*EchoRequest) Type() MessageType { return TypeEchoRequest }
func (*EchoRequest) length() int       { return 16 }
func (m *EchoRequest) put(b []byte)    { be.PutUint32(b[12:], m.Identifier) }
func (m *EchoRequest) get(b []byte)    { m.Identifier = be.Uint32(b[12:]) }
func (m *EchoRequest) String() string  { return fmt.Sprintf("%v %d", m.Type(), m.Identifier) }

// EchoReply gives it (RFC 2637, Section 2.6).
type EchoReply struct {
	Identifier uint32 // the request's
	Result     EchoResult
	General    GeneralError
}

func (*EchoReply) Type() MessageType { return TypeEchoReply }
func (*EchoReply) length() int       { return 20 }
func (m *EchoReply) put(b []byte) {
	be.PutUint32(b[12:], m.Identifier)
	b[16], b[17] = byte(m.Result), byte(m.General)
}
func (m *EchoReply) get(b []byte) {
	m.Identifier = be.Uint32(b[12:])
	m.Result, m.General = EchoResult(b[16]), GeneralError(b[17])
}
func (m *EchoReply) String() string {
	return fmt.Sprintf("%v %d %v, error %v", m.Type(), m.Identifier, m.Result, m.General)
}
