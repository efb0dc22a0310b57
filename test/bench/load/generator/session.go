package generator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
)

// state is where a session is in its life.
type state uint8

const (
	pending state = iota // being set up
	up                   // has addresses
	ending               // being torn down
	over
)

var (
	errSetUpTime   = errors.New("not up in time")
	errTearDown    = errors.New("not ended in time")
	errAbandoned   = errors.New("abandoned")
	errEnded       = errors.New("the server ended the link")
	errCallEnded   = errors.New("the call ended")
	errClosed      = errors.New("the server closed the control connection")
	errUnencrypted = errors.New("the link is up without encryption")
)

// writeTime is how long a control message may wait in the socket.
const writeTime = 10 * time.Second

// session is one client.
type session struct {
	g     *Generator
	index int
	id    uint16 // our call ID
	path  osnet.Path
	conn  net.Conn
	// deadline is when advance is to be called, Unix nanoseconds; 0: not at all.
	deadline atomic.Int64
	took     time.Duration // of the set-up
	result   chan error    // of the set-up, and of the tear-down

	mu        sync.Mutex // guards the rest
	state     state
	cause     error // why it ended
	ctl       *pptp.Conn
	link      *ppp.Link
	connected bool     // the call is
	early     [][]byte // control frames that came before we knew
	out       *gre.Sender
	in        gre.Receiver
	acks      gre.Acks
	acfc, pfc bool
	sealer    *mppe.Sealer
	opener    *mppe.Opener
	local     netip.Addr // ours
	remote    netip.Addr // the server's end
	number    uint64     // of the next packet
	seq       uint32     // of TCP's next octet
	got       Count
	frame     []byte // scratch of a control frame
}

func (g *Generator) newSession(i int) *session {
	name, hash := g.cfg.User(i)
	s := &session{g: g, index: i, id: uint16(i + 1), result: make(chan error, 2)}
	s.ctl = pptp.NewConn(pptp.Config{Role: pptp.Client, HostName: "load", MaxCalls: 1})
	s.link = ppp.NewLink(ppp.Config{
		Role: ppp.Client,
		Auth: []auth.Method{auth.MSCHAPv2},
		Peer: auth.PeerConfig{User: name, NTHash: &hash},
		MPPE: ppp.MPPE{Require: true},
	})
	return s
}

// setUp dials and returns when the session is up.
func (s *session) setUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.g.cfg.Timeout)
	defer cancel()
	start := time.Now()
	source := s.g.cfg.Source(s.index)
	conn, err := s.g.cfg.Dial(ctx, source)
	if err != nil {
		return err
	}
	s.conn = conn
	s.path = osnet.Path{Local: source, Remote: s.g.cfg.Server}
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		s.path.Local = a.AddrPort().Addr().Unmap()
	}
	s.g.calls[s.id].Store(s)
	s.mu.Lock()
	now := time.Now()
	s.ctl.Start(now)
	s.ctl.PlaceCall(now, s.id)
	s.drain(now)
	s.mu.Unlock()
	s.g.conns.Go(s.readControl)

	select {
	case err = <-s.result:
	case <-ctx.Done():
		err = errSetUpTime
	}
	s.took = time.Since(start)
	if err != nil {
		s.abandon()
	}
	return err
}

// readControl takes in what the control connection brings, until it ends.
func (s *session) readControl() {
	buf := make([]byte, 160) // the longest that a server sends
	for {
		n, err := s.conn.Read(buf)
		now := time.Now()
		s.mu.Lock()
		if n > 0 {
			s.ctl.Handle(now, buf[:n])
		}
		if err != nil {
			s.ctl.ConnectionLost(now, err)
		}
		s.drain(now)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// advance does what is due.
func (s *session) advance(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctl.Advance(now)
	if s.connected {
		s.link.Advance(now)
		if at := s.acks.Deadline(); !at.IsZero() && !now.Before(at) {
			s.acknowledge()
		}
	}
	s.drain(now)
}

// tearDown ends the session in an orderly way.
func (s *session) tearDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.g.cfg.Timeout)
	defer cancel()
	s.mu.Lock()
	if s.state != up {
		cause := s.cause
		s.mu.Unlock()
		s.abandon()
		return fmt.Errorf("it was over: %w", cause)
	}
	s.state = ending
	now := time.Now()
	s.link.Close(now, "done")
	s.drain(now)
	s.mu.Unlock()
	var err error
	select {
	case err = <-s.result:
	case <-ctx.Done():
		err = errTearDown
	}
	s.abandon()
	return err
}

// abandon takes back what is left of the session.
func (s *session) abandon() {
	s.g.calls[s.id].Store(nil)
	s.mu.Lock()
	if s.state != over {
		s.state, s.cause = over, errAbandoned
	}
	s.deadline.Store(0)
	s.mu.Unlock()
	s.conn.Close()
}

// end notes that the session is over, and tells who waits for that.
func (s *session) end(err error) {
	was := s.state
	if was == over {
		return
	}
	s.state, s.cause = over, err
	switch was {
	case up:
		if err == nil {
			err = errEnded
		}
		s.cause = err
		s.g.fail("lost", err)
	case pending:
		if err == nil {
			err = errEnded
		}
		s.result <- err
	case ending:
		s.result <- err
	}
}

// drain does what the cores want, and notes when they want to be called. s.mu is
// held.
func (s *session) drain(now time.Time) {
	for s.drainControl(now) || s.drainLink(now) {
	}
	var at time.Time
	for _, t := range []time.Time{s.ctl.Deadline(), s.linkDeadline(), s.acks.Deadline()} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if at.IsZero() || s.state == over {
		s.deadline.Store(0)
	} else {
		s.deadline.Store(at.UnixNano())
	}
}

func (s *session) linkDeadline() time.Time {
	if !s.connected {
		return time.Time{}
	}
	return s.link.Deadline()
}

// drainControl reports whether there was something.
func (s *session) drainControl(now time.Time) bool {
	any := false
	for ev := s.ctl.NextEvent(); ev != nil; ev = s.ctl.NextEvent() {
		any = true
		switch ev := ev.(type) {
		case pptp.Send:
			s.conn.SetWriteDeadline(now.Add(writeTime))
			if _, err := s.conn.Write(ev.Data); err != nil {
				s.ctl.ConnectionLost(now, err)
			}
		case pptp.CallConnected:
			s.connected = true
			s.out = gre.NewSender(ev.PeerCallID, 0)
			s.link.Open(now)
			for _, frame := range s.early {
				s.drainLink(now)
				s.link.Handle(now, frame)
			}
			s.early = nil
		case pptp.CallEnded:
			if s.state == ending && ev.Err == nil {
				s.ctl.Stop(now, pptp.StopLocalShutdown)
				continue
			}
			err := ev.Err
			if err == nil {
				err = errCallEnded
			}
			if s.connected {
				s.link.Down(now, err)
				s.drainLink(now)
			}
			s.end(err)
		case pptp.Closed:
			err := ev.Err
			if err == nil && s.state != ending {
				err = errClosed
			}
			s.end(err)
			s.conn.Close()
		}
	}
	return any
}

// drainLink reports whether there was something.
func (s *session) drainLink(now time.Time) bool {
	any := false
	for ev := s.link.NextEvent(); ev != nil; ev = s.link.NextEvent() {
		any = true
		switch ev := ev.(type) {
		case ppp.SendFrame:
			s.sendFrame(ev.Frame)
		case ppp.LinkUp:
			s.acfc, s.pfc = ev.SendACFC, ev.SendPFC
		case ppp.CompressionUp:
			s.sealer = mppe.NewSealer(ev.SendKey, mppe.Bits(ev.SendBits), ev.SendStateful)
			s.opener = mppe.NewOpener(ev.RecvKey, mppe.Bits(ev.RecvBits), ev.RecvStateful)
		case ppp.CompressionDown:
			s.sealer, s.opener = nil, nil
		case ppp.NetworkUp:
			s.local, s.remote = ev.Local, ev.Peer
			if s.state != pending {
				continue
			}
			if s.sealer == nil {
				s.end(errUnencrypted)
				continue
			}
			s.state = up
			s.result <- nil
		case ppp.Finished:
			if s.state == ending {
				s.ctl.Clear(now, s.id)
				continue
			}
			s.end(ev.Err)
		}
	}
	return any
}
