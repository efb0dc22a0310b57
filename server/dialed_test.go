package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
	"goppptp/internal/tunnel"
)

// dialed is a client: a control connection with one call.
type dialed struct {
	from    netip.Addr
	control *tunnel.Control
	session *tunnel.Session
	gre     *osnettest.GRE
	tun     *osnettest.TUN
	network tunnel.Network
	up      chan struct{} // closed when packets flow
	ended   chan struct{} // closed when all is over
	err     error         // of the session, or of the call
	events  []tunnel.Event

	cancel context.CancelFunc
}

type dialOptions struct {
	from       string
	to         netip.Addr
	user, pass string
	mppe       ppp.MPPE
	auth       []auth.Method
}

// dial calls the server; wait for up or ended.
func (r *running) dial(o dialOptions) *dialed {
	if o.from == "" {
		o.from = "198.51.100.1"
	}
	if !o.to.IsValid() {
		o.to = serverAddr
	}
	if o.auth == nil {
		o.auth = []auth.Method{auth.MSCHAPv2}
	}
	if o.mppe.Bits == nil {
		o.mppe = ppp.MPPE{Require: true, Bits: []int{128}}
	}
	d := &dialed{from: netip.MustParseAddr(o.from), up: make(chan struct{}), ended: make(chan struct{})}
	d.gre = r.net.Dial(d.from, o.to)
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	callID := randomCallID()
	var sessions sync.WaitGroup
	var called bool
	d.control = tunnel.NewControl(r.connectTo(o.to, d.from), tunnel.ControlConfig{
		PPTP: pptp.Config{Role: pptp.Client, HostName: "client"},
		OnEvent: func(ev pptp.Event) {
			switch ev := ev.(type) {
			case pptp.Established:
				d.control.PlaceCall(callID)
			case pptp.CallConnected:
				called = true
				d.session = d.makeSession(o, ev.CallID, ev.PeerCallID)
				sessions.Go(func() { d.readGRE() })
				sessions.Go(func() {
					d.err = d.session.Run(context.Background())
					d.gre.Close()
					d.control.Stop(pptp.StopNone)
				})
			case pptp.CallEnded:
				if d.session != nil {
					d.abortLater(ev.Err)
				} else {
					d.err = ev.Err
				}
			case pptp.Closed:
				if d.session != nil {
					d.abortLater(errors.New("control connection closed"))
				} else if !called && d.err == nil {
					d.err = ev.Err
				}
			}
		},
	})
	go func() {
		err := d.control.Run(ctx)
		if d.session != nil {
			d.abortLater(errors.New("control connection gone"))
		} else if d.err == nil {
			d.err = err
		}
		d.gre.Close()
		sessions.Wait()
		cancel()
		close(d.ended)
	}()
	return d
}

func (d *dialed) makeSession(o dialOptions, callID, peerCallID uint16) *tunnel.Session {
	return tunnel.New(tunnel.Config{
		PPP: ppp.NewSettings(ppp.Config{Role: ppp.Client, Auth: o.auth, MPPE: o.mppe, WantDNS: true,
			Peer: auth.PeerConfig{User: o.user, Password: auth.Secret(o.pass)}}),
		CallID: callID, PeerCallID: peerCallID,
		Send: func(packets [][]byte) error { return d.gre.WriteBatch(packets, osnet.Path{}) },
		OpenTUN: func(n tunnel.Network) (tunnel.TUN, error) {
			d.network = n
			d.tun = osnettest.NewTUN(osnet.TUNConfig{Local: n.Local, Peer: n.Peer, MTU: n.MTU})
			return d.tun, nil
		},
		OnEvent: func(ev tunnel.Event) {
			d.events = append(d.events, ev)
			if _, ok := ev.(tunnel.Up); ok {
				close(d.up)
			}
		},
	})
}

// abortLater ends the session when the control connection says that it is over,
// but lets it first hear what the server said by GRE: the one may overtake the
// other.
func (d *dialed) abortLater(err error) {
	time.AfterFunc(10*time.Second, func() { d.session.Abort(err) })
}

func (d *dialed) readGRE() {
	pkts := make([]osnet.Packet, 16)
	for i := range pkts {
		pkts[i].Buf = make([]byte, 2048)
	}
	for {
		n, err := d.gre.ReadBatch(pkts)
		if err != nil {
			return
		}
		var batch [][]byte
		for _, p := range pkts[:n] {
			batch = append(batch, p.Data)
		}
		d.session.Receive(batch)
	}
}

// hangUp ends the session as a user does, and waits.
func (d *dialed) hangUp() {
	if d.session != nil {
		d.session.Close("bye")
	} else {
		d.control.Stop(pptp.StopNone)
	}
	<-d.ended
}

// vanish ends the client without a word, TCP apart.
func (d *dialed) vanish() {
	d.cancel()
	<-d.ended
}

// told returns what the client was told of the end.
func (d *dialed) told() string {
	s := fmt.Sprint(d.err)
	for _, ev := range d.events {
		if m, ok := ev.(tunnel.Message); ok {
			s += "; " + m.Text
		}
	}
	return s
}

// wantUp waits for the session.
func (d *dialed) wantUp(t *testing.T) {
	t.Helper()
	select {
	case <-d.up:
	case <-d.ended:
		t.Fatalf("the session of %v did not come up: %v", d.from, d.err)
	case <-time.After(5 * time.Minute):
		t.Fatalf("the session of %v neither came up nor ended", d.from)
	}
}

// wantRefused waits for the end of a session that must not come up.
func (d *dialed) wantRefused(t *testing.T) {
	t.Helper()
	select {
	case <-d.up:
		t.Fatalf("the session of %v came up", d.from)
	case <-d.ended:
	case <-time.After(5 * time.Minute):
		t.Fatalf("the session of %v neither came up nor ended", d.from)
	}
}
