package client

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
	"goppptp/routing"
)

// A call is one attempt from the TCP connection on.
type call struct {
	s       *Session
	server  netip.AddrPort
	control *tunnel.Control
	gre     GRE
	id      uint16
	events  chan pptp.Event // of the call, as the control connection reports them
	ups     chan tunnel.Up  // from the session's loop
	quiet   chan struct{}   // from there: the server does not answer a probe
	six     chan struct{}   // from there: whether the tunnel carries IPv6 has changed
	seen    view            // of the network that the call has been judged by
	linkUp  atomic.Bool     // LCP has been agreed on: packets pass both ways
	over    chan struct{}   // closed when the control connection has ended
	overErr error           // why; read after over
}

// dial pins the route to the server, connects, and runs the call.
func (s *Session) dial(ctx context.Context, server netip.AddrPort) (wasUp bool, err error) {
	s.update(func(st *control.Status) { st.GatewayAddress = server.Addr() })
	s.setting.Lock()
	err = s.setRoutesLocked(ctx, func(r *routing.Config) { r.Gateway, r.Link = server.Addr(), "" })
	s.setting.Unlock()
	if err != nil {
		return false, err
	}
	outer := ctx
	ctx, dialled := s.dialling(ctx, server.Addr())
	defer func() { err = dialled(err) }()
	pathMTU, err := s.cfg.Platform.PathMTU(server.Addr())
	if err != nil {
		return false, unreachable("check the machine's network", "no way to %v: %v", server.Addr(), last(err))
	}
	s.stage(control.StageTCP, server.String())
	began := time.Now()
	conn, err := s.cfg.Platform.DialControl(ctx, server)
	if err != nil {
		return false, explainDial(server, err)
	}
	rtt := time.Since(began)
	c := &call{s: s, server: server, id: randomCallID(),
		events: make(chan pptp.Event, 16), ups: make(chan tunnel.Up, 1), over: make(chan struct{}),
		quiet: make(chan struct{}, 1), six: make(chan struct{}, 1)}
	// The socket is there before the call: the server's first packet may come
	// before the message that says that the call is connected.
	if c.gre, err = s.cfg.Platform.OpenGRE(server.Addr()); err != nil {
		conn.Close()
		return false, err
	}
	defer c.gre.Close()
	if g, ok := c.gre.(interface{ Accept(callID uint16) error }); ok {
		if err := g.Accept(c.id); err != nil { // then it reads the other sessions' packets too
			s.log.Debug("the GRE socket takes no filter", "error", err)
		}
	}

	s.stage(control.StageControl, server.String())
	c.control = tunnel.NewControl(conn, tunnel.ControlConfig{PPTP: controlConfig(), Log: s.log, OnEvent: c.onControl})
	c.control.PlaceCall(c.id)
	controlCtx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(c.over)
		c.overErr = c.control.Run(controlCtx)
	}()
	defer func() {
		if errors.Is(err, errMoved) {
			cancel() // there is nobody to say goodbye to
		}
		// Orderly where the peer answers, and bounded where it does not.
		c.control.Clear(c.id)
		c.control.Stop(pptp.StopNone)
		select {
		case <-c.over:
		case <-time.After(goodbyeTimeout):
		}
		cancel()
		<-c.over
	}()

	for {
		select {
		case <-ctx.Done():
			if context.Cause(ctx) == errMoved {
				return false, errMoved
			}
			return false, nil
		case <-c.over:
			return false, explainControl(server, c.overErr)
		case ev := <-c.events:
			switch ev := ev.(type) {
			case pptp.CallConnected:
				return c.run(outer, ev, pathMTU, rtt)
			case pptp.CallEnded:
				return false, explainControl(server, ev.Err)
			}
		}
	}
}

// onControl hears the control connection's loop.
func (c *call) onControl(ev pptp.Event) {
	switch ev := ev.(type) {
	case pptp.Established:
		c.s.stage(control.StageCall, strings.TrimSpace(ev.Peer.HostName+" "+ev.Peer.Vendor))
	case pptp.CallConnected, pptp.CallEnded:
		select {
		case c.events <- ev:
		default: // more than one call's worth of events: the peer makes noise
		}
	}
}

// run runs the connected call until it is over.
func (c *call) run(ctx context.Context, connected pptp.CallConnected, pathMTU int, rtt time.Duration) (wasUp bool, err error) {
	s := c.s
	cfg, err := pppConfig(s.cfg.Profile, s.cfg.Password, s.cfg.NewPassword, rtt)
	if err != nil {
		return false, err
	}
	sess := tunnel.New(tunnel.Config{
		PPP: ppp.NewSettings(cfg), Log: s.log, CallID: c.id, PeerCallID: connected.PeerCallID, PeerWindow: peerWindow(connected.Reply),
		PathMTU: pathMTU, MTU: s.cfg.Profile.MTU, Outer: c.server.Addr(),
		Send: func(packets [][]byte) error {
			return c.gre.WriteBatch(packets, osnet.Path{Remote: c.server.Addr()})
		},
		OpenTUN: c.openTUN,
		OnEvent: c.onSession,
	})
	s.mu.Lock()
	s.live = sess
	s.mu.Unlock()
	c.connectedFrom(c.control.LocalAddr().Addr())

	var reader sync.WaitGroup
	reader.Go(func() { c.read(sess) })
	defer func() {
		c.gre.Close()
		reader.Wait()
	}()
	attendants := s.attendants(ctx)
	defer func() {
		attendants.stop()
		s.leave(sess.Stats())
	}()
	done := make(chan error, 1)
	go func() { done <- sess.Run(ctx) }()
	stop, over := ctx.Done(), c.over
	silence := time.NewTimer(greTimeout)
	defer silence.Stop()
	var hungUp error               // why the call is over, says the control connection
	var lastWords <-chan time.Time // what the peer had said before has come by then
	hangUp := func(err error, otherwise string) {
		if err == nil {
			err = errors.New(otherwise)
		}
		if hungUp == nil {
			hungUp, lastWords = err, time.After(lastWordsTimeout)
		}
		if wasUp {
			sess.Abort(hungUp)
		}
	}
	for {
		select {
		case <-stop:
			stop = nil
			s.update(func(st *control.Status) { st.State = control.StateDisconnecting })
			s.publishState()
		case <-silence.C:
			if err := noGRE(sess.Stats(), c.linkUp.Load()); err != nil {
				sess.Abort(err)
			}
		case up := <-c.ups:
			if wasUp { // after a renegotiation, and everything as it was
				continue
			}
			if err := s.up(ctx, up); err != nil {
				sess.Close("the routes could not be made")
				<-done
				return false, err
			}
			wasUp = true
			attendants.start(up)
		case <-over:
			over = nil
			hangUp(c.overErr, "the server closed the control connection")
		case ev := <-c.events:
			if ended, ok := ev.(pptp.CallEnded); ok {
				hangUp(ended.Err, "the server ended the call")
			}
		case <-lastWords:
			sess.Abort(hungUp)
		case <-s.net.changed:
			c.moved(sess, wasUp)
		case <-s.net.resumed:
			sess.Probe(probeResumed)
		case <-c.quiet:
			c.silent(sess)
		case <-c.six:
			s.setAnew(ctx)
		case err := <-done:
			s.left()
			return wasUp, explainSession(err, sess.Stats(), c.linkUp.Load(), sess.SendError())
		}
	}
}

// read is the reader of the GRE socket.
func (c *call) read(sess *tunnel.Session) {
	packets := make([]osnet.Packet, batch)
	for i := range packets {
		packets[i].Buf = make([]byte, bufferSize)
	}
	bufs := make([][]byte, 0, batch)
	for {
		n, err := c.gre.ReadBatch(packets)
		bufs = bufs[:0]
		for _, p := range packets[:n] {
			bufs = append(bufs, p.Data)
		}
		if len(bufs) > 0 {
			sess.Receive(bufs)
		}
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*osnet.ICMPError](err); ok {
			if e.NoGRE() && sess.Stats().GREReceived == 0 {
				sess.Abort(err)
			}
			continue
		}
		return // closed
	}
}

const (
	batch = 64
	// bufferSize is the room for one packet: more than an Ethernet with jumbo
	// frames carries. What is not touched of it costs no memory.
	bufferSize = 10 << 10
	// tunQueue is how many of the host's packets wait while the machine is busy
	// with others. A client has one interface; the kernel's 500 are 10 ms of a
	// stream of 50,000 packets a second, and a busy machine makes us wait longer.
	tunQueue = 2000
)

// openTUN makes the interface; it is called from the session's loop.
func (c *call) openTUN(n tunnel.Network) (tunnel.TUN, error) {
	return c.s.cfg.Platform.OpenTUN(osnet.TUNConfig{Name: "ppp%d", Local: n.Local, Peer: n.Peer, MTU: n.MTU, LocalID6: n.Local6, PeerID6: n.Peer6,
		Queue: tunQueue})
}

// onSession hears the session's loop.
func (c *call) onSession(ev tunnel.Event) {
	s := c.s
	switch ev := ev.(type) {
	case tunnel.LinkUp:
		c.linkUp.Store(true)
	case tunnel.Phase:
		switch ev.Phase {
		case ppp.Establish:
			s.stage(control.StageLCP, "")
		case ppp.Authenticate:
			s.stage(control.StageAuth, s.cfg.Profile.User)
		}
	case tunnel.Authenticated:
		s.update(func(st *control.Status) { st.Auth = ev.Method.String() })
		if s.cfg.Profile.MPPE.Require {
			s.stage(control.StageMPPE, "")
		} else {
			s.stage(control.StageAddress, "")
		}
	case tunnel.MPPEUp:
		s.update(func(st *control.Status) {
			st.MPPE = &control.MPPE{Bits: min(ev.SendBits, ev.RecvBits), Stateful: ev.SendStateful || ev.RecvStateful}
		})
		if s.Status().State != control.StateUp {
			s.stage(control.StageAddress, mppeText(ev))
		}
	case tunnel.MPPEDown:
		s.update(func(st *control.Status) { st.MPPE = nil })
	case tunnel.Message:
		s.note(ev.Text)
	case tunnel.Up:
		select {
		case c.ups <- ev:
		default: // it is known already
		}
	case tunnel.IPv6:
		if s.carriesIPv6(ev.Local != 0) {
			signal(c.six)
		}
	case tunnel.ProbeFailed:
		signal(c.quiet)
	}
}

func mppeText(m tunnel.MPPEUp) string {
	how := "stateless"
	if m.SendStateful || m.RecvStateful {
		how = "stateful"
	}
	return fmt.Sprintf("MPPE %d-bit %s", min(m.SendBits, m.RecvBits), how)
}
