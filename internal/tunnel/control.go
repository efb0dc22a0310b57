package tunnel

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"goppptp/internal/pptp"
)

// writeTimeout is how long a peer may leave a control message unread before
// the connection counts as lost.
const writeTimeout = 10 * time.Second

// ControlConfig says how a control connection behaves.
type ControlConfig struct {
	PPTP pptp.Config
	Log  *slog.Logger
	// OnEvent is told what happens, in the order it does, from the loop's
	// goroutine: it must not block. It never sees a pptp.Send.
	OnEvent func(pptp.Event)
}

// A Control runs one control connection. Its methods may be called from any
// goroutine, also from OnEvent, and do not block.
type Control struct {
	conn     net.Conn
	patient  patient // conn, if it is one; else nil
	onEvent  func(pptp.Event)
	loop     turn
	requests mailbox[func(now time.Time)]
	reader   *reader // of a conn that is not patient
	aborted  atomic.Pointer[error]
	ended    func(error) // set before begun
	begun    atomic.Bool

	// owned by loop
	core    *pptp.Conn
	alarm   alarm
	started bool
	closed  bool
}

// NewControl prepares a control connection over conn, which the end of it will
// close. A conn with the methods TryRead and WhenReadable of *osnet.Conn costs
// no goroutine.
func NewControl(conn net.Conn, cfg ControlConfig) *Control {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.PPTP.Trace == nil && cfg.Log.Enabled(context.Background(), slog.LevelDebug) {
		cfg.PPTP.Trace = func(sent bool, m pptp.Message) {
			text := "control message received"
			if sent {
				text = "control message sent"
			}
			cfg.Log.Debug(text, "message", m)
		}
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(pptp.Event) {}
	}
	c := &Control{conn: conn, onEvent: cfg.OnEvent, core: pptp.NewConn(cfg.PPTP)}
	if c.patient, _ = conn.(patient); c.patient == nil {
		c.reader = newReader(conn, c.loop.wake)
	}
	c.loop.do, c.loop.start = c.attend, onOwnGoroutine
	return c
}

// request has the loop do something.
func (c *Control) request(f func(now time.Time)) {
	c.requests.put(f, 0)
	c.loop.wake()
}

// PlaceCall asks the server for a call (Outgoing-Call-Request) that we know as
// callID; it is sent when the connection is established.
func (c *Control) PlaceCall(callID uint16) {
	c.request(func(now time.Time) { c.core.PlaceCall(now, callID) })
}

// Answer accepts the call that the client offered as peerCallID; we know it
// as callID.
func (c *Control) Answer(peerCallID, callID uint16) {
	c.request(func(now time.Time) { c.core.Answer(now, peerCallID, callID) })
}

// Refuse declines the call that the client offered as peerCallID.
func (c *Control) Refuse(peerCallID uint16, result pptp.CallResult, general pptp.GeneralError) {
	c.request(func(now time.Time) { c.core.Refuse(now, peerCallID, result, general) })
}

// Clear ends the call that we know as callID.
func (c *Control) Clear(callID uint16) {
	c.request(func(now time.Time) { c.core.Clear(now, callID) })
}

// Stop ends the connection and all of its calls in an orderly way; Run returns
// when the peer has agreed, or has not answered in time.
func (c *Control) Stop(reason pptp.StopReason) {
	c.request(func(now time.Time) { c.core.Stop(now, reason) })
}

// SetLinkInfo tells the peer the call's asynchronous control character maps.
func (c *Control) SetLinkInfo(callID uint16, send, recv uint32) {
	c.request(func(now time.Time) { c.core.SetLinkInfo(now, callID, send, recv) })
}

// LocalAddr returns our end of the TCP connection.
func (c *Control) LocalAddr() netip.AddrPort { return addrPort(c.conn.LocalAddr()) }

// RemoteAddr returns the peer's end of the TCP connection.
func (c *Control) RemoteAddr() netip.AddrPort { return addrPort(c.conn.RemoteAddr()) }

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// Start begins. ended is called once, from the loop, when the connection is
// closed: with nil if it ended in an orderly way. The loop is whichever
// goroutine has something to do for the connection, one at a time.
func (c *Control) Start(ended func(error)) {
	c.ended = ended
	c.begun.Store(true)
	c.loop.wake()
}

// Run runs the connection until it is closed and returns why; nil means that
// it ended in an orderly way. When ctx is done the connection is closed at
// once: for an orderly end call Stop.
func (c *Control) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	c.Start(func(err error) { ended <- err })
	defer context.AfterFunc(ctx, func() { c.Abort(context.Cause(ctx)) })()
	return <-ended
}

// Abort closes the connection at once, without a word to the peer; err is what
// Run returns. A write to a peer that reads nothing ends, too.
func (c *Control) Abort(err error) {
	if c.aborted.CompareAndSwap(nil, &err) {
		c.conn.Close()
		c.loop.wake()
	}
}

// attend is the work of the loop.
func (c *Control) attend() {
	if c.closed || !c.begun.Load() {
		return
	}
	if !c.started {
		c.started = true
		c.core.Start(time.Now())
		if c.reader != nil {
			c.reader.start()
		}
	}
	closed, err := c.drain()
	for _, request := range c.requests.take() {
		if !closed {
			request(time.Now())
			closed, err = c.drain()
		}
	}
	if !closed {
		closed, err = c.listen()
	}
	if now := time.Now(); c.alarm.due(now) && !closed {
		c.core.Advance(now)
		closed, err = c.drain()
	}
	if cause := c.aborted.Load(); cause != nil {
		closed, err = true, *cause
	}
	if !closed {
		c.alarm.set(c.core.Deadline(), &c.loop)
		return
	}
	c.closed = true
	c.alarm.set(time.Time{}, &c.loop)
	c.conn.Close()
	if c.reader != nil {
		c.reader.stop()
	}
	c.ended(err)
}

// drain performs what the core asks for and reports whether it is done.
func (c *Control) drain() (closed bool, err error) {
	for {
		switch ev := c.core.NextEvent().(type) {
		case nil:
			return false, nil
		case pptp.Send:
			c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if _, err := c.conn.Write(ev.Data); err != nil {
				c.core.ConnectionLost(time.Now(), err)
			}
		case pptp.Closed:
			c.onEvent(ev)
			return true, ev.Err
		default:
			c.onEvent(ev)
		}
	}
}
