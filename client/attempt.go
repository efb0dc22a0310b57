package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// attempt dials once and stays until the tunnel is gone. It reports whether it
// was up, and why it ended; nil means that the server ended it in an orderly
// way, or that ctx was done.
func (s *Session) attempt(ctx context.Context) (wasUp bool, err error) {
	p := s.cfg.Profile
	s.stage(control.StageResolve, p.Gateway)
	addrs, err := resolve(ctx, s.cfg.Platform, p.Gateway)
	if err != nil {
		return false, err
	}
	// Every address of the name is tried; what is wrong beyond TCP would be
	// wrong at the next one too.
	for _, addr := range addrs {
		wasUp, err = s.dial(ctx, netip.AddrPortFrom(addr.Unmap(), p.Port))
		if e, ok := errors.AsType[*control.Error](err); !ok || e.Reason != control.ReasonUnreachable {
			break
		}
	}
	return wasUp, err
}

func resolve(ctx context.Context, platform Platform, host string) ([]netip.Addr, error) {
	addrs, err := platform.Resolve(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no IPv4 address")
	}
	if err != nil {
		return nil, explainResolve(host, err)
	}
	return addrs, nil
}

// ResolveGateway returns the address that a session to host dials first.
func ResolveGateway(ctx context.Context, platform Platform, host string) (netip.Addr, error) {
	addrs, err := resolve(ctx, platform, host)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0].Unmap(), nil
}

// A call is one attempt from the TCP connection on.
type call struct {
	s       *Session
	server  netip.AddrPort
	control *tunnel.Control
	gre     GRE
	id      uint16
	events  chan any // what the two loops report
}

// dial pins the route to the server, connects, and runs the call.
func (s *Session) dial(ctx context.Context, server netip.AddrPort) (wasUp bool, err error) {
	s.mu.Lock()
	s.status.GatewayAddress = server.Addr()
	s.routes.Gateway, s.routes.Link = server.Addr(), ""
	routes := s.routes
	s.mu.Unlock()
	if err := s.cfg.Routes.Set(ctx, &routes); err != nil {
		return false, err
	}
	pathMTU, err := s.cfg.Platform.PathMTU(server.Addr())
	if err != nil {
		return false, unreachable("check the machine's network", "no way to %v: %v", server.Addr(), last(err))
	}
	s.stage(control.StageTCP, server.String())
	dialled := time.Now()
	conn, err := s.cfg.Platform.DialControl(ctx, server)
	if err != nil {
		return false, explainDial(server, err)
	}
	rtt := time.Since(dialled)
	c := &call{s: s, server: server, id: randomCallID(), events: make(chan any, 16)}
	// The socket is there before the call: the server's first packet may come
	// before the message that says that the call is connected.
	if c.gre, err = s.cfg.Platform.OpenGRE(server.Addr()); err != nil {
		conn.Close()
		return false, err
	}
	defer c.gre.Close()

	s.stage(control.StageControl, server.String())
	c.control = tunnel.NewControl(conn, tunnel.ControlConfig{PPTP: controlConfig(), Log: s.log, OnEvent: c.onControl})
	c.control.PlaceCall(c.id)
	controlCtx, cancel := context.WithCancel(context.Background())
	controlDone := make(chan error, 1)
	go func() { controlDone <- c.control.Run(controlCtx) }()
	defer func() {
		// Orderly where the peer answers, and bounded where it does not.
		c.control.Clear(c.id)
		c.control.Stop(pptp.StopNone)
		select {
		case <-controlDone:
		case <-time.After(goodbyeTimeout):
			cancel()
			<-controlDone
		}
		cancel()
	}()

	var connected pptp.CallConnected
	for connected.CallID == 0 && connected.Reply == nil {
		select {
		case <-ctx.Done():
			return false, nil
		case err := <-controlDone:
			controlDone <- err
			return false, explainControl(server, err)
		case ev := <-c.events:
			switch ev := ev.(type) {
			case pptp.CallConnected:
				connected = ev
			case pptp.CallEnded:
				return false, explainControl(server, ev.Err)
			}
		}
	}
	return c.run(ctx, connected, pathMTU, rtt, controlDone)
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
func (c *call) run(ctx context.Context, connected pptp.CallConnected, pathMTU int, rtt time.Duration, controlDone chan error) (wasUp bool, err error) {
	s := c.s
	cfg, err := pppConfig(s.cfg.Profile, s.cfg.Password, s.cfg.NewPassword, rtt)
	if err != nil {
		return false, err
	}
	ups := make(chan tunnel.Up, 1)
	sess := tunnel.New(tunnel.Config{
		PPP: cfg, Log: s.log, CallID: c.id, PeerCallID: connected.PeerCallID, PathMTU: pathMTU, MTU: s.cfg.Profile.MTU,
		Send: func(packets [][]byte) error {
			return c.gre.WriteBatch(packets, osnet.Path{Remote: c.server.Addr()})
		},
		OpenTUN: func(n tunnel.Network) (tunnel.TUN, error) { return c.openTUN(n) },
		OnEvent: func(ev tunnel.Event) { c.onSession(ev, ups) },
	})
	s.mu.Lock()
	s.live = sess
	s.mu.Unlock()

	var reader sync.WaitGroup
	reader.Go(func() { c.read(sess) })
	defer func() {
		c.gre.Close()
		reader.Wait()
	}()
	done := make(chan error, 1)
	go func() { done <- sess.Run(ctx) }()
	stopCtx := ctx.Done()
	silence := time.NewTimer(greTimeout)
	defer silence.Stop()
	for {
		select {
		case <-stopCtx:
			stopCtx = nil
			s.update(func(st *control.Status) { st.State = control.StateDisconnecting })
			s.publishState()
		case <-silence.C:
			if sess.Stats().GREReceived == 0 {
				sess.Abort(errNoGRE)
			}
		case up := <-ups:
			if err := s.up(ctx, up); err != nil {
				sess.Close("the routes could not be made")
				<-done
				return false, err
			}
			wasUp = true
		case err := <-controlDone:
			controlDone <- err
			if err == nil {
				err = errors.New("the server closed the control connection")
			}
			sess.Abort(err)
			return wasUp, <-done
		case ev := <-c.events:
			if ended, ok := ev.(pptp.CallEnded); ok {
				err := ended.Err
				if err == nil {
					err = errors.New("the server ended the call")
				}
				sess.Abort(err)
			}
		case err := <-done:
			stats := sess.Stats()
			return wasUp, explainSession(err, stats.GREReceived > 0, sess.SendError())
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
	// bufferSize leaves room after a packet for those that are coalesced with
	// it on the way to the TUN; pages never written to cost nothing.
	bufferSize = 64 << 10
)

// openTUN makes the interface; it is called from the session's loop.
func (c *call) openTUN(n tunnel.Network) (tunnel.TUN, error) {
	return c.s.cfg.Platform.OpenTUN(osnet.TUNConfig{Name: "ppp%d", Local: n.Local, Peer: n.Peer, MTU: n.MTU, LocalID6: n.Local6, PeerID6: n.Peer6})
}

// onSession hears the session's loop.
func (c *call) onSession(ev tunnel.Event, ups chan<- tunnel.Up) {
	s := c.s
	switch ev := ev.(type) {
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
		ups <- ev
	}
}

func mppeText(m tunnel.MPPEUp) string {
	how := "stateless"
	if m.SendStateful || m.RecvStateful {
		how = "stateful"
	}
	return fmt.Sprintf("MPPE %d-bit %s", min(m.SendBits, m.RecvBits), how)
}

// up makes the routes, and says that it is up.
func (s *Session) up(ctx context.Context, up tunnel.Up) error {
	n := up.Network
	s.stage(control.StageRoutes, fmt.Sprintf("%v, peer %v, on %s", n.Local, n.Peer, up.Interface))
	s.setting.Lock()
	defer s.setting.Unlock()
	s.mu.Lock()
	s.routes.Link, s.routes.Local, s.routes.Peer = up.Interface, n.Local, n.Peer
	routes := s.routes
	s.mu.Unlock()
	if err := s.cfg.Routes.Set(ctx, &routes); err != nil {
		return err
	}
	s.mu.Lock()
	st := &s.status
	st.State, st.Stage, st.Error, st.Since = control.StateUp, control.StageUp, nil, time.Now()
	st.Interface, st.Local, st.Peer, st.MTU, st.DNS = up.Interface, n.Local, n.Peer, n.MTU, n.DNS
	s.showRoutesLocked()
	first := !s.wasUp
	s.wasUp = true
	s.mu.Unlock()
	s.publishState()
	if first {
		close(s.ready)
	}
	return nil
}

// randomCallID returns a call ID that another call to the same gateway, from
// this host or from behind the same NAT, is unlikely to have.
func randomCallID() uint16 {
	var b [2]byte
	for {
		rand.Read(b[:])
		if id := binary.BigEndian.Uint16(b[:]); id != 0 {
			return id
		}
	}
}
