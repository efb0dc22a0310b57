package tunnel

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
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
	conn net.Conn
	cfg  ControlConfig
	core *pptp.Conn // owned by loop

	requests mailbox[func(now time.Time)]
}

// NewControl prepares a control connection over conn, which Run will close.
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
	return &Control{conn: conn, cfg: cfg, core: pptp.NewConn(cfg.PPTP), requests: newMailbox[func(time.Time)]()}
}

// PlaceCall asks the server for a call (Outgoing-Call-Request) that we know as
// callID; it is sent when the connection is established.
func (c *Control) PlaceCall(callID uint16) {
	c.requests.put(func(now time.Time) { c.core.PlaceCall(now, callID) })
}

// Answer accepts the call that the client offered as peerCallID; we know it
// as callID.
func (c *Control) Answer(peerCallID, callID uint16) {
	c.requests.put(func(now time.Time) { c.core.Answer(now, peerCallID, callID) })
}

// Refuse declines the call that the client offered as peerCallID.
func (c *Control) Refuse(peerCallID uint16, result pptp.CallResult, general pptp.GeneralError) {
	c.requests.put(func(now time.Time) { c.core.Refuse(now, peerCallID, result, general) })
}

// Clear ends the call that we know as callID.
func (c *Control) Clear(callID uint16) {
	c.requests.put(func(now time.Time) { c.core.Clear(now, callID) })
}

// Stop ends the connection and all of its calls in an orderly way; Run returns
// when the peer has agreed, or has not answered in time.
func (c *Control) Stop(reason pptp.StopReason) {
	c.requests.put(func(now time.Time) { c.core.Stop(now, reason) })
}

// SetLinkInfo tells the peer the call's asynchronous control character maps.
func (c *Control) SetLinkInfo(callID uint16, send, recv uint32) {
	c.requests.put(func(now time.Time) { c.core.SetLinkInfo(now, callID, send, recv) })
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

// Run runs the connection until it is closed and returns why; nil means that
// it ended in an orderly way. When ctx is done the connection is closed at
// once: for an orderly end call Stop.
func (c *Control) Run(ctx context.Context) error {
	type input struct {
		data []byte
		err  error
	}
	inputs := make(chan input)
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			buf := make([]byte, 512)
			n, err := c.conn.Read(buf)
			select {
			case inputs <- input{buf[:n], err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	})
	defer func() {
		close(done)
		c.conn.Close()
		reader.Wait()
	}()

	// A write to a peer that reads nothing ends with ctx, too.
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()

	timer := newTimer()
	defer timer.stop()
	c.core.Start(time.Now())
	for {
		closed, err := c.drain()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if closed {
			return err
		}
		timer.arm(c.core.Deadline())
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case in := <-inputs:
			now := time.Now()
			if len(in.data) > 0 {
				c.core.Handle(now, in.data)
			}
			if in.err != nil {
				c.core.ConnectionLost(now, in.err)
			}
		case <-c.requests.ready():
			now := time.Now()
			for _, f := range c.requests.take() {
				f(now)
			}
		case <-timer.fired():
			c.core.Advance(time.Now())
		}
	}
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
			c.cfg.OnEvent(ev)
			return true, ev.Err
		default:
			c.cfg.OnEvent(ev)
		}
	}
}
