package pptp

import (
	"errors"
	"fmt"
	"time"
)

// Handle takes octets as they came off the TCP connection, any number of them; it keeps no part of data. Drain the events
// after each call: more than some hundred of them, which no honest peer causes with 8 kB, end the connection.
func (c *Conn) Handle(now time.Time, data []byte) {
	c.Start(now)
	for len(data) > 0 && c.state != closed {
		had := len(c.partial)
		from := data
		if had > 0 {
			c.partial = append(c.partial, data[:min(len(data), MaxMessageLen-had)]...)
			from = c.partial
		}
		m, n, err := Parse(from)
		if errors.Is(err, ErrIncomplete) {
			if had == 0 {
				c.partial = append(c.partial, data...)
			}
			return
		}
		if err != nil {
			c.close(err)
			return
		}
		data = data[n-had:]
		c.message(now, m)
		c.partial = c.partial[:0]
	}
}

// message acts on one message. Every type has a decision in every state: what is not named below a state is ignored there.
func (c *Conn) message(now time.Time, m Message) {
	if c.cfg.Trace != nil {
		c.cfg.Trace(false, m)
	}
	c.heard, c.echo = now, time.Time{} // whatever it is, the peer is alive
	if u, ok := m.(*Unknown); ok {
		c.ignore(now, u)
		return
	}
	switch m := m.(type) { // in all states
	case *EchoRequest:
		c.emit(EchoSeen{})
		c.send(&EchoReply{Identifier: m.Identifier, Result: EchoOK})
		return
	case *EchoReply:
		c.emit(EchoSeen{Reply: true})
		return
	case *StopControlConnectionRequest:
		c.stopped(m)
		return
	}
	switch c.state {
	case waitReply:
		c.inWaitReply(now, m)
	case waitRequest:
		c.inWaitRequest(m)
	case established:
		c.inEstablished(now, m)
	case waitStopReply:
		if _, ok := m.(*StopControlConnectionReply); ok {
			c.close(nil)
		}
	}
}

// ignore passes over an unknown message, unless there are too many.
func (c *Conn) ignore(now time.Time, u *Unknown) {
	if c.unknown == 0 || now.Sub(c.unknownSince) >= unknownPeriod {
		c.unknown, c.unknownSince = 0, now
	}
	if c.unknown++; c.unknown > unknownLimit {
		c.close(fmt.Errorf("%w: %d unknown messages, the last: %v", ErrFlood, c.unknown, u))
	}
}

// stopped answers the peer's Stop-Control-Connection-Request.
func (c *Conn) stopped(m *StopControlConnectionRequest) {
	var err error
	if c.state == waitReply || len(c.calls) > 0 && !c.parting() {
		err = &StopError{Reason: m.Reason}
	}
	c.send(&StopControlConnectionReply{Result: StopOK})
	c.close(err)
}

func (c *Conn) inWaitReply(now time.Time, m Message) {
	switch m := m.(type) {
	case *StartControlConnectionReply:
		// Interop: some servers mean success by 0; Android's client takes it so too.
		if m.Result != StartOK && m.Result != 0 {
			c.close(&StartError{Result: m.Result, General: m.General, Version: m.Version})
			return
		}
		if m.Version>>8 != Version1>>8 {
			c.send(&StopControlConnectionRequest{Reason: StopProtocol})
			c.close(&StartError{Result: StartVersionRejected, Version: m.Version})
			return
		}
		c.state, c.timer = established, time.Time{}
		c.emit(Established{PeerInfo{
			HostName: printable(m.HostName), Vendor: printable(m.Vendor), Firmware: m.Firmware,
			MaxChannels: m.MaxChannels, Version: m.Version, Framing: m.Framing, Bearer: m.Bearer,
		}})
		for _, k := range c.calls {
			c.ask(now, k)
		}
	case *StartControlConnectionRequest:
		c.reply(StartAlreadyExists)
	}
}

func (c *Conn) reply(result StartResult) {
	c.send(&StartControlConnectionReply{
		Version: Version1, Result: result, Framing: FramingAsync | FramingSync, Bearer: BearerAnalog | BearerDigital,
		MaxChannels: uint16(min(c.cfg.MaxCalls, 0xffff)), Firmware: c.cfg.Firmware, HostName: c.cfg.HostName, Vendor: c.cfg.Vendor,
	})
}

func (c *Conn) inWaitRequest(m Message) {
	start, ok := m.(*StartControlConnectionRequest)
	if !ok {
		c.close(&ProtocolError{Unexpected: m.Type()})
		return
	}
	if start.Version < Version1 {
		c.reply(StartVersionRejected)
		c.close(&StartError{Result: StartVersionRejected, Version: start.Version})
		return
	}
	c.state, c.timer = established, time.Time{}
	c.reply(StartOK) // with our version: a peer that has a later one decides whether it will do
	c.emit(Established{PeerInfo{
		HostName: printable(start.HostName), Vendor: printable(start.Vendor), Firmware: start.Firmware,
		MaxChannels: start.MaxChannels, Version: start.Version, Framing: start.Framing, Bearer: start.Bearer,
	}})
}

func (c *Conn) inEstablished(now time.Time, m Message) {
	switch m := m.(type) {
	case *StartControlConnectionRequest:
		c.reply(StartAlreadyExists)
	case *OutgoingCallRequest:
		c.callRequested(m)
	case *OutgoingCallReply:
		c.callReplied(m)
	case *IncomingCallRequest:
		c.send(&IncomingCallReply{PeerCallID: m.CallID, Result: IncomingDoNotAccept})
	case *CallClearRequest:
		c.clearRequested(m)
	case *CallDisconnectNotify:
		c.disconnected(m)
	case *SetLinkInfo:
		if k := first(c.byID(m.PeerCallID), c.byPeer(m.PeerCallID)); k != nil && k.state == up {
			c.emit(LinkInfo{CallID: k.id, Send: m.SendACCM, Recv: m.RecvACCM})
		}
	case *WANErrorNotify:
		if k := first(c.byID(m.PeerCallID), c.byPeer(m.PeerCallID)); k != nil && k.state == up {
			c.emit(WANError{CallID: k.id, Errors: m.WANErrors})
		}
	}
	// Start- and Stop-Control-Connection-Reply, Incoming-Call-Reply and -Connected: we asked for none of them.
}

// first returns the call that the RFC's reading of a number finds, or else the one that the other side's number finds.
func first(rfc, other *call) *call {
	if rfc != nil {
		return rfc
	}
	return other
}

func (c *Conn) callRequested(m *OutgoingCallRequest) {
	refuse := OutgoingCallReply{PeerCallID: m.CallID, Result: CallGeneralError}
	switch {
	case c.cfg.Role != Server:
		refuse.Result = CallDoNotAccept
	case c.byPeer(m.CallID) != nil:
		refuse.General = ErrorBadCallID
	case len(c.calls) >= c.cfg.MaxCalls:
		refuse.General = ErrorNoResource
	default:
		if c.emit(CallOffered{PeerCallID: m.CallID, Request: m}); c.state != closed {
			c.calls = append(c.calls, &call{state: offered, peer: m.CallID, known: true, request: m})
		}
		return
	}
	c.send(&refuse)
}

func (c *Conn) callReplied(m *OutgoingCallReply) {
	if c.cfg.Role != Client {
		return
	}
	success := m.Result == CallOK || m.Result == 0 // Interop: as in Start-Control-Connection-Reply
	k := c.byID(m.PeerCallID)
	if k == nil && !success { // Interop: a refusal need not name the call when there is but one
		k = c.only(asked)
	}
	switch {
	case k == nil || k.state == up:
	case k.state == asked && success:
		k.state, k.peer, k.known, k.timer = up, m.CallID, true, time.Time{}
		c.emit(CallConnected{CallID: k.id, PeerCallID: k.peer, Reply: m})
	case k.state == clearing && success:
		k.peer, k.known = m.CallID, true // the Call-Clear-Request has crossed it and does its work
	default:
		c.end(k, &CallError{Result: m.Result, General: m.General, Cause: m.Cause})
	}
}

// only returns the call in the given state if there is exactly one.
func (c *Conn) only(s callState) (found *call) {
	for _, k := range c.calls {
		if k.state == s {
			if found != nil {
				return nil
			}
			found = k
		}
	}
	return found
}

// clearRequested: the client is done with a call. A client that gets one, which it should not, does the same.
func (c *Conn) clearRequested(m *CallClearRequest) {
	k := first(c.byPeer(m.CallID), c.byID(m.CallID))
	if k == nil {
		return
	}
	c.send(&CallDisconnectNotify{CallID: m.CallID, Result: DisconnectRequest})
	c.end(k, &DisconnectError{Result: DisconnectRequest})
}

func (c *Conn) disconnected(m *CallDisconnectNotify) {
	// Interop: the RFC has the PAC's number here; pptpd, accel-ppp and Linux' NAT put the PNS's.
	k := first(c.byPeer(m.CallID), c.byID(m.CallID))
	if k == nil { // Interop: nor does an answer need to name the call we clear
		k = c.only(clearing)
	}
	if k != nil {
		c.end(k, &DisconnectError{Result: m.Result, General: m.General, Cause: m.Cause})
	}
}
