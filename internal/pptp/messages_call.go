package pptp

import "fmt"

// OutgoingCallRequest asks the PAC for a call; every PPTP client's call is one (RFC 2637, Section 2.7).
type OutgoingCallRequest struct {
	CallID     uint16 // the PNS's number for the call
	Serial     uint16
	MinBPS     uint32 // bit/s
	MaxBPS     uint32
	Bearer     Bearer
	Framing    Framing
	Window     uint16 // data packets the PNS buffers
	Delay      uint16 // of the PNS, in units of 100 ms
	Phone      string
	Subaddress string
}

func (*OutgoingCallRequest) Type() MessageType { return TypeOutgoingCallRequest }
func (*OutgoingCallRequest) length() int       { return 168 }

func (m *OutgoingCallRequest) put(b []byte) {
	be.PutUint16(b[12:], m.CallID)
	be.PutUint16(b[14:], m.Serial)
	be.PutUint32(b[16:], m.MinBPS)
	be.PutUint32(b[20:], m.MaxBPS)
	be.PutUint32(b[24:], uint32(m.Bearer))
	be.PutUint32(b[28:], uint32(m.Framing))
	be.PutUint16(b[32:], m.Window)
	be.PutUint16(b[34:], m.Delay)
	be.PutUint16(b[36:], uint16(copy(b[40:104], m.Phone)))
	copy(b[104:168], m.Subaddress)
}

func (m *OutgoingCallRequest) get(b []byte) {
	m.CallID = be.Uint16(b[12:])
	m.Serial = be.Uint16(b[14:])
	m.MinBPS = be.Uint32(b[16:])
	m.MaxBPS = be.Uint32(b[20:])
	m.Bearer = Bearer(be.Uint32(b[24:]))
	m.Framing = Framing(be.Uint32(b[28:]))
	m.Window = be.Uint16(b[32:])
	m.Delay = be.Uint16(b[34:])
	m.Phone = number(b[40:104], be.Uint16(b[36:]))
	m.Subaddress = text(b[104:168])
}

func (m *OutgoingCallRequest) String() string {
	return fmt.Sprintf("%v call %d, serial %d, %d-%d bit/s, bearer %v, framing %v, window %d, delay %d, phone %q, subaddress %q",
		m.Type(), m.CallID, m.Serial, m.MinBPS, m.MaxBPS, m.Bearer, m.Framing, m.Window, m.Delay, m.Phone, m.Subaddress)
}

// number reads a telephone number of n octets; a length the field has no room for is not believed.
func number(field []byte, n uint16) string { return text(field[:min(int(n), len(field))]) }

// OutgoingCallReply answers it (RFC 2637, Section 2.8).
type OutgoingCallReply struct {
	CallID     uint16 // the PAC's number for the call
	PeerCallID uint16 // the PNS's, from the request
	Result     CallResult
	General    GeneralError
	Cause      Cause
	Speed      uint32 // bit/s
	Window     uint16 // data packets the PAC buffers
	Delay      uint16 // of the PAC, in units of 100 ms
	Channel    uint32 // physical channel, for the PAC's log
}

func (*OutgoingCallReply) Type() MessageType { return TypeOutgoingCallReply }
func (*OutgoingCallReply) length() int       { return 32 }

func (m *OutgoingCallReply) put(b []byte) {
	be.PutUint16(b[12:], m.CallID)
	be.PutUint16(b[14:], m.PeerCallID)
	b[16], b[17] = byte(m.Result), byte(m.General)
	be.PutUint16(b[18:], uint16(m.Cause))
	be.PutUint32(b[20:], m.Speed)
	be.PutUint16(b[24:], m.Window)
	be.PutUint16(b[26:], m.Delay)
	be.PutUint32(b[28:], m.Channel)
}

func (m *OutgoingCallReply) get(b []byte) {
	m.CallID = be.Uint16(b[12:])
	m.PeerCallID = be.Uint16(b[14:])
	m.Result, m.General = CallResult(b[16]), GeneralError(b[17])
	m.Cause = Cause(be.Uint16(b[18:]))
	m.Speed = be.Uint32(b[20:])
	m.Window = be.Uint16(b[24:])
	m.Delay = be.Uint16(b[26:])
	m.Channel = be.Uint32(b[28:])
}

func (m *OutgoingCallReply) String() string {
	return fmt.Sprintf("%v call %d, peer's call %d, %v, error %v, cause %d, %d bit/s, window %d, delay %d, channel %d",
		m.Type(), m.CallID, m.PeerCallID, m.Result, m.General, uint16(m.Cause), m.Speed, m.Window, m.Delay, m.Channel)
}

// IncomingCallRequest tells the PNS of a call that came in at the PAC (RFC 2637, Section 2.9).
type IncomingCallRequest struct {
	CallID     uint16 // the PAC's number for the call
	Serial     uint16
	Bearer     Bearer
	Channel    uint32
	Dialed     string
	Dialing    string
	Subaddress string
}

func (*IncomingCallRequest) Type() MessageType { return TypeIncomingCallRequest }
func (*IncomingCallRequest) length() int       { return 220 }

func (m *IncomingCallRequest) put(b []byte) {
	be.PutUint16(b[12:], m.CallID)
	be.PutUint16(b[14:], m.Serial)
	be.PutUint32(b[16:], uint32(m.Bearer))
	be.PutUint32(b[20:], m.Channel)
	be.PutUint16(b[24:], uint16(copy(b[28:92], m.Dialed)))
	be.PutUint16(b[26:], uint16(copy(b[92:156], m.Dialing)))
	copy(b[156:220], m.Subaddress)
}

func (m *IncomingCallRequest) get(b []byte) {
	m.CallID = be.Uint16(b[12:])
	m.Serial = be.Uint16(b[14:])
	m.Bearer = Bearer(be.Uint32(b[16:]))
	m.Channel = be.Uint32(b[20:])
	m.Dialed = number(b[28:92], be.Uint16(b[24:]))
	m.Dialing = number(b[92:156], be.Uint16(b[26:]))
	m.Subaddress = text(b[156:220])
}

func (m *IncomingCallRequest) String() string {
	return fmt.Sprintf("%v call %d, serial %d, bearer %v, channel %d, dialed %q, dialing %q, subaddress %q",
		m.Type(), m.CallID, m.Serial, m.Bearer, m.Channel, m.Dialed, m.Dialing, m.Subaddress)
}

// IncomingCallReply answers it (RFC 2637, Section 2.10).
type IncomingCallReply struct {
	CallID     uint16 // the PNS's number for the call
	PeerCallID uint16 // the PAC's, from the request
	Result     IncomingResult
	General    GeneralError
	Window     uint16
	Delay      uint16 // in units of 100 ms
}

func (*IncomingCallReply) Type() MessageType { return TypeIncomingCallReply }
func (*IncomingCallReply) length() int       { return 24 }

func (m *IncomingCallReply) put(b []byte) {
	be.PutUint16(b[12:], m.CallID)
	be.PutUint16(b[14:], m.PeerCallID)
	b[16], b[17] = byte(m.Result), byte(m.General)
	be.PutUint16(b[18:], m.Window)
	be.PutUint16(b[20:], m.Delay)
}

func (m *IncomingCallReply) get(b []byte) {
	m.CallID = be.Uint16(b[12:])
	m.PeerCallID = be.Uint16(b[14:])
	m.Result, m.General = IncomingResult(b[16]), GeneralError(b[17])
	m.Window = be.Uint16(b[18:])
	m.Delay = be.Uint16(b[20:])
}

func (m *IncomingCallReply) String() string {
	return fmt.Sprintf("%v call %d, peer's call %d, %v, error %v, window %d, delay %d",
		m.Type(), m.CallID, m.PeerCallID, m.Result, m.General, m.Window, m.Delay)
}

// IncomingCallConnected tells the PNS that the call is up (RFC 2637, Section 2.11).
type IncomingCallConnected struct {
	PeerCallID uint16 // the PNS's number for the call
	Speed      uint32 // bit/s
	Window     uint16
	Delay      uint16 // in units of 100 ms
	Framing    Framing
}

func (*IncomingCallConnected) Type() MessageType { return TypeIncomingCallConnected }
func (*IncomingCallConnected) length() int       { return 28 }

func (m *IncomingCallConnected) put(b []byte) {
	be.PutUint16(b[12:], m.PeerCallID)
	be.PutUint32(b[16:], m.Speed)
	be.PutUint16(b[20:], m.Window)
	be.PutUint16(b[22:], m.Delay)
	be.PutUint32(b[24:], uint32(m.Framing))
}

func (m *IncomingCallConnected) get(b []byte) {
	m.PeerCallID = be.Uint16(b[12:])
	m.Speed = be.Uint32(b[16:])
	m.Window = be.Uint16(b[20:])
	m.Delay = be.Uint16(b[22:])
	m.Framing = Framing(be.Uint32(b[24:]))
}

func (m *IncomingCallConnected) String() string {
	return fmt.Sprintf("%v peer's call %d, %d bit/s, window %d, delay %d, framing %v",
		m.Type(), m.PeerCallID, m.Speed, m.Window, m.Delay, m.Framing)
}

// CallClearRequest asks the PAC to end a call (RFC 2637, Section 2.12).
type CallClearRequest struct {
	CallID uint16 // the PNS's number for the call
}

func (*CallClearRequest) Type() MessageType { return TypeCallClearRequest }
func (*CallClearRequest) length() int       { return 16 }
func (m *CallClearRequest) put(b []byte)    { be.PutUint16(b[12:], m.CallID) }
func (m *CallClearRequest) get(b []byte)    { m.CallID = be.Uint16(b[12:]) }
func (m *CallClearRequest) String() string  { return fmt.Sprintf("%v call %d", m.Type(), m.CallID) }

// CallDisconnectNotify tells the PNS that a call is over (RFC 2637, Section 2.13).
type CallDisconnectNotify struct {
	CallID     uint16 // by the RFC the PAC's number for the call; most servers send the PNS's
	Result     DisconnectResult
	General    GeneralError
	Cause      Cause
	Statistics string // vendor's text, at most 128 octets
}

func (*CallDisconnectNotify) Type() MessageType { return TypeCallDisconnectNotify }
func (*CallDisconnectNotify) length() int       { return 148 }

func (m *CallDisconnectNotify) put(b []byte) {
	be.PutUint16(b[12:], m.CallID)
	b[14], b[15] = byte(m.Result), byte(m.General)
	be.PutUint16(b[16:], uint16(m.Cause))
	copy(b[20:148], m.Statistics)
}

func (m *CallDisconnectNotify) get(b []byte) {
	m.CallID = be.Uint16(b[12:])
	m.Result, m.General = DisconnectResult(b[14]), GeneralError(b[15])
	m.Cause = Cause(be.Uint16(b[16:]))
	m.Statistics = text(b[20:148])
}

func (m *CallDisconnectNotify) String() string {
	return fmt.Sprintf("%v call %d, %v, error %v, cause %d, statistics %q",
		m.Type(), m.CallID, m.Result, m.General, uint16(m.Cause), m.Statistics)
}

// WANErrors counts what went wrong on a PAC's line since the call began.
type WANErrors struct {
	CRC, Framing, HardwareOverruns, BufferOverruns, TimeOuts, Alignment uint32
}

// WANErrorNotify reports errors on the PAC's line (RFC 2637, Section 2.14).
type WANErrorNotify struct {
	PeerCallID uint16 // the PNS's number for the call
	WANErrors
}

func (*WANErrorNotify) Type() MessageType { return TypeWANErrorNotify }
func (*WANErrorNotify) length() int       { return 40 }

func (m *WANErrorNotify) counters() [6]*uint32 {
	return [6]*uint32{&m.CRC, &m.Framing, &m.HardwareOverruns, &m.BufferOverruns, &m.TimeOuts, &m.Alignment}
}

func (m *WANErrorNotify) put(b []byte) {
	be.PutUint16(b[12:], m.PeerCallID)
	for i, c := range m.counters() {
		be.PutUint32(b[16+4*i:], *c)
	}
}

func (m *WANErrorNotify) get(b []byte) {
	m.PeerCallID = be.Uint16(b[12:])
	for i, c := range m.counters() {
		*c = be.Uint32(b[16+4*i:])
	}
}

func (m *WANErrorNotify) String() string {
	return fmt.Sprintf("%v peer's call %d, CRC %d, framing %d, hardware overruns %d, buffer overruns %d, time-outs %d, alignment %d",
		m.Type(), m.PeerCallID, m.CRC, m.WANErrors.Framing, m.HardwareOverruns, m.BufferOverruns, m.TimeOuts, m.Alignment)
}

// SetLinkInfo tells the PAC which control characters to escape (RFC 2637, Section 2.15).
type SetLinkInfo struct {
	PeerCallID uint16 // the PAC's number for the call
	SendACCM   uint32
	RecvACCM   uint32
}

func (*SetLinkInfo) Type() MessageType { return TypeSetLinkInfo }
func (*SetLinkInfo) length() int       { return 24 }

func (m *SetLinkInfo) put(b []byte) {
	be.PutUint16(b[12:], m.PeerCallID)
	be.PutUint32(b[16:], m.SendACCM)
	be.PutUint32(b[20:], m.RecvACCM)
}

func (m *SetLinkInfo) get(b []byte) {
	m.PeerCallID = be.Uint16(b[12:])
	m.SendACCM = be.Uint32(b[16:])
	m.RecvACCM = be.Uint32(b[20:])
}

func (m *SetLinkInfo) String() string {
	return fmt.Sprintf("%v peer's call %d, send ACCM 0x%08x, receive ACCM 0x%08x", m.Type(), m.PeerCallID, m.SendACCM, m.RecvACCM)
}
