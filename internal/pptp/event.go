package pptp

// Event is what Conn wants done or known: Send, Established, CallOffered, CallConnected, CallEnded, LinkInfo, WANError,
// EchoSeen or Closed, as values.
type Event interface{ isEvent() }

// Send asks for Data to be written to the TCP connection: one message or several. It belongs to the caller.
type Send struct{ Data []byte }

// Established says that both sides have agreed on the control connection.
type Established struct{ Peer PeerInfo }

// PeerInfo is what the peer says of itself. Names hold printable characters only.
type PeerInfo struct {
	HostName    string
	Vendor      string
	Firmware    uint16
	MaxChannels uint16 // calls it takes; often nonsense
	Version     Version
	Framing     Framing
	Bearer      Bearer
}

// CallOffered (server) brings a client's call, to be met with Answer or Refuse.
type CallOffered struct {
	PeerCallID uint16
	Request    *OutgoingCallRequest
}

// CallConnected says that data may flow: GRE packets to the peer carry PeerCallID, its own carry CallID. On the server it
// follows Answer, and Reply is what was sent.
type CallConnected struct {
	CallID     uint16
	PeerCallID uint16
	Reply      *OutgoingCallReply
}

// CallEnded says that a call is over. Err is nil where it ended as we asked; *CallError: the server refused it;
// *DisconnectError: the peer ended it; *StopError: the peer ended the control connection; *TimeoutError; *LostError; or the
// error of Closed. An offered call that ends before it is answered has a PeerCallID and no CallID.
type CallEnded struct {
	CallID     uint16
	PeerCallID uint16 // 0 where the peer gave none yet
	Err        error
}

// LinkInfo brings the control characters a client wants escaped; over GRE with unescaped frames it means nothing.
type LinkInfo struct {
	CallID     uint16
	Send, Recv uint32
}

// WANError brings a server's count of line errors.
type WANError struct {
	CallID uint16
	Errors WANErrors
}

// EchoSeen says that an Echo-Request, or with Reply an Echo-Reply, came: the peer is alive. Several in a row are one.
type EchoSeen struct{ Reply bool }

// Closed is the last event. Err is nil at an orderly end; *StartError, *StopError, *TimeoutError, *LostError,
// *ProtocolError, or an error that wraps ErrMagic, ErrLength or ErrFlood.
type Closed struct{ Err error }

func (Send) isEvent()          {}
func (Established) isEvent()   {}
func (CallOffered) isEvent()   {}
func (CallConnected) isEvent() {}
func (CallEnded) isEvent()     {}
func (LinkInfo) isEvent()      {}
func (WANError) isEvent()      {}
func (EchoSeen) isEvent()      {}
func (Closed) isEvent()        {}

const (
	maxEvents = 512   // undrained
	maxUnsent = 65536 // octets in Send events not drained
)

// queue holds events until they are fetched. What a peer can provoke in one read is bounded by it.
type queue struct {
	events []Event
	unsent int
}

// push appends e. Neighbouring Send and EchoSeen events become one. It reports whether there was room.
func (q *queue) push(e Event) bool {
	n := len(q.events)
	switch e := e.(type) {
	case Send:
		if q.unsent+len(e.Data) > maxUnsent {
			return false
		}
		q.unsent += len(e.Data)
		if n > 0 {
			if last, ok := q.events[n-1].(Send); ok {
				q.events[n-1] = Send{append(last.Data, e.Data...)}
				return true
			}
		}
	case EchoSeen: // stands before the reply it caused: look behind one Send
		for i := n - 1; i >= 0 && i >= n-2; i-- {
			if q.events[i] == Event(e) {
				return true
			}
			if _, ok := q.events[i].(Send); !ok {
				break
			}
		}
	}
	if n >= maxEvents {
		return false
	}
	q.events = append(q.events, e)
	return true
}

// last appends e even when the queue is full; for the few events that end a connection.
func (q *queue) last(e Event) { q.events = append(q.events, e) }

func (q *queue) pop() Event {
	if len(q.events) == 0 {
		return nil
	}
	e := q.events[0]
	q.events[0] = nil
	q.events = q.events[1:]
	if s, ok := e.(Send); ok {
		q.unsent -= len(s.Data)
	}
	if len(q.events) == 0 {
		q.events = nil
	}
	return e
}
