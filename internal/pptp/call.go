package pptp

import "time"

type callState uint8

const (
	queued   callState = iota // client: goes out when the connection is established
	asked                     // client: Outgoing-Call-Request is out
	offered                   // server: awaits Answer or Refuse
	up                        // both
	clearing                  // client: Call-Clear-Request is out
)

// call is one call of a connection. A client's has its own number from the start and the peer's once it is up, a server's
// the other way round.
type call struct {
	state   callState
	id      uint16
	peer    uint16
	known   bool // peer is known; 0 is a number like any other
	timer   time.Time
	request *OutgoingCallRequest // server
}

func (k *call) hasID() bool { return k.state != offered }

// ended returns the event that this call is over, for the reason err; a call being cleared ended as asked for.
func (k *call) ended(err error) CallEnded {
	if k.state == clearing {
		err = nil
	}
	return CallEnded{CallID: k.id, PeerCallID: k.peer, Err: err}
}

// byID finds the call we gave the number id.
func (c *Conn) byID(id uint16) *call {
	for _, k := range c.calls {
		if k.hasID() && k.id == id {
			return k
		}
	}
	return nil
}

// byPeer finds the call the peer gave the number id.
func (c *Conn) byPeer(id uint16) *call {
	for _, k := range c.calls {
		if k.known && k.peer == id {
			return k
		}
	}
	return nil
}

func (c *Conn) remove(gone *call) {
	for i, k := range c.calls {
		if k == gone {
			c.calls = append(c.calls[:i], c.calls[i+1:]...)
			c.parted = true
			return
		}
	}
}

// end takes the call off the list and says so.
func (c *Conn) end(k *call, err error) {
	c.remove(k)
	if c.state != closed { // there is always room: no more can come than calls were placed or offered
		c.queue.last(k.ended(err))
	}
}

func (c *Conn) endCalls(err error) {
	for len(c.calls) > 0 {
		c.end(c.calls[0], err)
	}
}

func (c *Conn) open() bool { return c.state != closed && c.state != waitStopReply }

// PlaceCall (client) asks the server for a call that we number callID, at once or when the connection is established. CallConnected or
// CallEnded follows. The errors are ErrRole, ErrClosed, ErrCallIDInUse and ErrTooManyCalls; none of them ends anything.
func (c *Conn) PlaceCall(now time.Time, callID uint16) error {
	switch {
	case c.cfg.Role != Client:
		return ErrRole
	case !c.open():
		return ErrClosed
	case c.byID(callID) != nil:
		return ErrCallIDInUse
	case len(c.calls) >= c.cfg.MaxCalls:
		return ErrTooManyCalls
	}
	k := &call{state: queued, id: callID}
	c.calls = append(c.calls, k)
	if c.state == established {
		c.ask(now, k)
	}
	return nil
}

func (c *Conn) ask(now time.Time, k *call) {
	k.state = asked
	k.timer = now.Add(c.cfg.ReplyTimeout)
	c.serial++
	c.send(&OutgoingCallRequest{
		CallID: k.id, Serial: c.serial, MinBPS: c.cfg.MinBPS, MaxBPS: c.cfg.MaxBPS,
		Bearer: BearerAnalog | BearerDigital, Framing: FramingAsync | FramingSync,
		Window: c.cfg.Window, Phone: c.cfg.Phone,
	})
}

// Answer (server) takes the call the peer numbers peerCallID; we number it callID, which is unique on this connection (and, for
// the data, among all calls of that peer). CallConnected follows. The errors are ErrRole, ErrClosed, ErrNoCall (the client has
// cleared it meanwhile, and its CallEnded is on the way) and ErrCallIDInUse; the last leaves the call offered.
func (c *Conn) Answer(now time.Time, peerCallID, callID uint16) error {
	k, err := c.offer(peerCallID)
	if err != nil {
		return err
	}
	if c.byID(callID) != nil {
		return ErrCallIDInUse
	}
	k.state, k.id = up, callID
	reply := &OutgoingCallReply{
		CallID: callID, PeerCallID: peerCallID, Result: CallOK,
		Speed: min(c.cfg.MaxBPS, k.request.MaxBPS), Window: c.cfg.Window,
	}
	k.request = nil
	c.send(reply)
	c.emit(CallConnected{CallID: callID, PeerCallID: peerCallID, Reply: reply})
	return nil
}

// Refuse (server) turns the call down that the peer numbers peerCallID: with CallBusy, say, or with CallGeneralError
// and a reason. No event follows. The errors are ErrRole, ErrClosed and ErrNoCall.
func (c *Conn) Refuse(now time.Time, peerCallID uint16, result CallResult, e GeneralError) error {
	k, err := c.offer(peerCallID)
	if err != nil {
		return err
	}
	c.remove(k)
	c.send(&OutgoingCallReply{PeerCallID: peerCallID, Result: result, General: e})
	return nil
}

func (c *Conn) offer(peerCallID uint16) (*call, error) {
	if c.cfg.Role != Server {
		return nil, ErrRole
	}
	if !c.open() {
		return nil, ErrClosed
	}
	k := c.byPeer(peerCallID)
	if k == nil || k.state != offered {
		return nil, ErrNoCall
	}
	return k, nil
}

// Clear ends a call of ours. A client asks the server to, and CallEnded{nil} comes with the answer or soon after; a server tells
// the client, and it comes at once. A call that is not there is left alone.
func (c *Conn) Clear(now time.Time, callID uint16) {
	k := c.byID(callID)
	if k == nil || !c.open() {
		return
	}
	switch k.state {
	case queued:
		c.end(k, nil)
	case asked, up:
		if c.cfg.Role == Client {
			k.state = clearing
			k.timer = now.Add(c.patience())
			c.send(&CallClearRequest{CallID: k.id})
			return
		}
		// Interop: by the RFC this is our number, but pptp-linux and Linux' NAT look for the client's, and both pptpd and
		// accel-ppp send that.
		c.send(&CallDisconnectNotify{CallID: k.peer, Result: DisconnectAdminShutdown})
		c.end(k, nil)
	case clearing, offered: // under way; offered has no number of ours
	}
}

// SetLinkInfo tells the peer which control characters to escape in asynchronous frames on a call that is up: those whose bit is set in send
// by it, those in recv by us. Clients send 0xffffffff twice, if at all.
func (c *Conn) SetLinkInfo(now time.Time, callID uint16, send, recv uint32) {
	if k := c.byID(callID); k != nil && k.state == up && c.open() {
		c.send(&SetLinkInfo{PeerCallID: k.peer, SendACCM: send, RecvACCM: recv})
	}
}

// advanceCalls gives up what was waited for too long.
func (c *Conn) advanceCalls(now time.Time) {
	for i := 0; i < len(c.calls); {
		k := c.calls[i]
		if k.timer.IsZero() || now.Before(k.timer) {
			i++
			continue
		}
		k.timer = time.Time{}
		if k.state == asked {
			c.send(&CallClearRequest{CallID: k.id}) // the server may be about to take it
			c.end(k, &TimeoutError{Awaited: TypeOutgoingCallReply, After: c.cfg.ReplyTimeout})
		} else {
			c.end(k, nil)
		}
	}
}
