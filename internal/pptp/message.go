package pptp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The common header (RFC 2637, Section 2): length, PPTP message type, magic cookie, control message type, reserved.
const (
	Port = 1723

	magicCookie    = 0x1a2b3c4d
	controlMessage = 1 // PPTP message type; 2, management, is not defined further
	headerLen      = 12
	minMessageLen  = 8 // length, type and cookie: what any PPTP message begins with
)

// MaxMessageLen is the length in octets of the longest message, the Incoming-Call-Request.
const MaxMessageLen = 220

var (
	// ErrIncomplete says that more octets are needed for a whole message.
	ErrIncomplete = errors.New("pptp: message incomplete")
	// ErrMagic says that the stream is not PPTP's, or that its message boundaries are lost (RFC 2637, Section 2).
	ErrMagic = errors.New("pptp: wrong magic cookie")
	// ErrLength says that a message has not the length of its type.
	ErrLength = errors.New("pptp: wrong message length")
)

// Message is one of the control messages of RFC 2637, Section 2, or Unknown.
type Message interface {
	Type() MessageType
	String() string // one line for the log; text of the peer's is quoted

	length() int
	put(b []byte) // writes the fields behind the header into b, a zeroed whole message
	get(b []byte) // the reverse
}

// Parse reads the message at the start of b and returns its length n. ErrIncomplete: b holds no whole message yet.
// ErrMagic and ErrLength, wrapped, mean that the stream cannot be read any further. Reserved fields are not looked at.
// Messages of another type are returned as Unknown, whose Body aliases b; all else is copied.
func Parse(b []byte) (m Message, n int, err error) {
	if len(b) < minMessageLen {
		return nil, 0, ErrIncomplete
	}
	if magic := binary.BigEndian.Uint32(b[4:]); magic != magicCookie {
		return nil, 0, fmt.Errorf("%w 0x%08x: the peer does not speak PPTP", ErrMagic, magic)
	}
	n = int(binary.BigEndian.Uint16(b))
	if n < minMessageLen || n > MaxMessageLen {
		return nil, 0, fmt.Errorf("%w: %d", ErrLength, n)
	}
	pptpType := binary.BigEndian.Uint16(b[2:])
	if pptpType == controlMessage {
		if n < headerLen {
			return nil, 0, fmt.Errorf("%w: control message of %d", ErrLength, n)
		}
		if len(b) < headerLen {
			return nil, 0, ErrIncomplete
		}
		t := MessageType(binary.BigEndian.Uint16(b[8:]))
		if m = newMessage(t); m != nil {
			if n != m.length() {
				return nil, 0, fmt.Errorf("%w: %v of %d, not %d", ErrLength, t, n, m.length())
			}
			if len(b) < n {
				return nil, 0, ErrIncomplete
			}
			m.get(b[:n])
			return m, n, nil
		}
	}
	if len(b) < n {
		return nil, 0, ErrIncomplete
	}
	u := &Unknown{MessageType: pptpType, Body: b[minMessageLen:n:n]}
	if pptpType == controlMessage {
		u.ControlType = MessageType(binary.BigEndian.Uint16(b[8:]))
		u.Body = b[headerLen:n:n]
	}
	return u, n, nil
}

// Append appends the message m to b. Text longer than its field is cut off.
func Append(b []byte, m Message) []byte {
	at, n := len(b), m.length()
	b = append(b, make([]byte, n)...)
	out := b[at:]
	binary.BigEndian.PutUint16(out, uint16(n))
	binary.BigEndian.PutUint16(out[2:], controlMessage)
	binary.BigEndian.PutUint32(out[4:], magicCookie)
	if n >= headerLen {
		binary.BigEndian.PutUint16(out[8:], uint16(m.Type()))
	}
	m.put(out)
	return b
}

func newMessage(t MessageType) Message {
	switch t {
	case TypeStartControlConnectionRequest:
		return new(StartControlConnectionRequest)
	case TypeStartControlConnectionReply:
		return new(StartControlConnectionReply)
	case TypeStopControlConnectionRequest:
		return new(StopControlConnectionRequest)
	case TypeStopControlConnectionReply:
		return new(StopControlConnectionReply)
	case TypeEchoRequest:
		return new(EchoRequest)
	case TypeEchoReply:
		return new(EchoReply)
	case TypeOutgoingCallRequest:
		return new(OutgoingCallRequest)
	case TypeOutgoingCallReply:
		return new(OutgoingCallReply)
	case TypeIncomingCallRequest:
		return new(IncomingCallRequest)
	case TypeIncomingCallReply:
		return new(IncomingCallReply)
	case TypeIncomingCallConnected:
		return new(IncomingCallConnected)
	case TypeCallClearRequest:
		return new(CallClearRequest)
	case TypeCallDisconnectNotify:
		return new(CallDisconnectNotify)
	case TypeWANErrorNotify:
		return new(WANErrorNotify)
	case TypeSetLinkInfo:
		return new(SetLinkInfo)
	}
	return nil
}

// Unknown is a message this package has no structure for: a control message of another type, or a message that is not a
// control message.
type Unknown struct {
	MessageType uint16      // PPTP message type: 1 control, 2 management
	ControlType MessageType // of a control message
	Body        []byte      // behind the header of 12 octets, 8 where it is no control message; aliases what was parsed
}

// Type returns the control message type, 0 where it is no control message.
func (m *Unknown) Type() MessageType { return m.ControlType }

func (m *Unknown) String() string {
	if m.MessageType != controlMessage {
		return fmt.Sprintf("PPTP message type %d, %d octets", m.MessageType, m.length())
	}
	return fmt.Sprintf("%v, %d octets", m.ControlType, m.length())
}

func (m *Unknown) head() int {
	if m.MessageType != controlMessage {
		return minMessageLen
	}
	return headerLen
}

func (m *Unknown) length() int { return min(m.head()+len(m.Body), MaxMessageLen) }

func (m *Unknown) put(b []byte) {
	binary.BigEndian.PutUint16(b[2:], m.MessageType)
	copy(b[m.head():], m.Body)
}

func (m *Unknown) get([]byte) {} // Parse does it

// text reads a field of octets that ends at the first zero.
func text(field []byte) string {
	if i := bytes.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	return string(field)
}
