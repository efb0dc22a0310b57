package generator

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/mschap"
	"goppptp/internal/osnet"
	"goppptp/internal/osnet/osnettest"
	"goppptp/internal/ppp"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/pptp"
)

const secret = "sesame"

// The addresses are this host's own, so that TCP can really be dialled; GRE goes
// over a network in memory.
var (
	peerAddr  = netip.MustParseAddr("127.0.0.1")
	peerInner = netip.MustParseAddr("10.9.0.1")
)

const peerClients = 8 // addresses that clients come from

func clientSource(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, 1, byte(i % peerClients)})
}

// A peer is a server made of the same cores as the generator: what comes for its
// inner address it sends back, what is for another call's it hands on.
type peer struct {
	t   *testing.T
	l   net.Listener
	gre *osnettest.GRE
	wg  sync.WaitGroup

	// What it does wrong, if anything; set before the first client comes.
	refuse  func(call int) bool // the call
	hangUp  func(call int) bool // the TCP connection, instead of an answer
	clear   bool                // no encryption
	mistake func(reply []byte)  // done to what goes to clients, before it is encrypted

	mu    sync.Mutex // guards the rest, the calls' cores as well
	calls []*peerCall
	story map[int][]string // how each call ended
}

type peerCall struct {
	p         *peer
	number    int
	conn      net.Conn
	ctl       *pptp.Conn
	link      *ppp.Link
	path      osnet.Path
	id        uint16 // our call ID
	out       *gre.Sender
	sealer    *mppe.Sealer
	opener    *mppe.Opener
	acfc, pfc bool
	inner     netip.Addr // the client's
	answered  bool       // a probe of ours
}

func newPeer(t *testing.T) *peer {
	l, err := net.Listen("tcp4", peerAddr.String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, l: l, story: map[int][]string{}}
}

// start serves, and returns a generator of clients; both end with the test.
func (p *peer) start(password func(i int) string) *Generator {
	network := osnettest.NewNetwork()
	p.gre = network.Listen(peerAddr)
	var sources []netip.Addr
	for i := range peerClients {
		sources = append(sources, clientSource(i))
	}
	g := New(Config{
		Server: peerAddr, GRE: network.Listen(sources...), Source: clientSource, Pending: 4, Timeout: 20 * time.Second,
		Dial: p.dial,
		User: func(i int) (string, mschap.NTHash) { return fmt.Sprint("user", i), mschap.NTPasswordHash(password(i)) },
	})
	p.wg.Go(p.accept)
	p.wg.Go(p.read)
	p.t.Cleanup(func() {
		g.Close()
		p.l.Close()
		p.gre.Close()
		p.mu.Lock()
		for _, c := range p.calls {
			c.conn.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return g
}

func right(int) string { return secret }

func (p *peer) accept() {
	for {
		conn, err := p.l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		c := &peerCall{p: p, number: len(p.calls), conn: conn, ctl: pptp.NewConn(pptp.Config{Role: pptp.Server})}
		c.path = osnet.Path{Local: peerAddr, Remote: conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()}
		c.id = uint16(1000 + c.number)
		c.inner = netip.AddrFrom4([4]byte{10, 9, 1, byte(c.number)})
		p.calls = append(p.calls, c)
		cfg := ppp.Config{
			Role: ppp.Server, Auth: []auth.Method{auth.MSCHAPv2}, MPPE: ppp.MPPE{Require: !p.clear, Refuse: p.clear},
			Local: peerInner, Remote: c.inner,
			Authenticator: auth.AuthenticatorConfig{Lookup: func(string) (auth.Credential, error) { return auth.Credential{Password: secret}, nil }},
		}
		c.link = ppp.NewLink(cfg)
		c.ctl.Start(time.Now())
		p.mu.Unlock()
		p.wg.Go(c.serve)
	}
}

func (c *peerCall) serve() {
	buf := make([]byte, 512)
	for {
		n, err := c.conn.Read(buf)
		c.p.mu.Lock()
		now := time.Now()
		c.ctl.Handle(now, buf[:n])
		if err != nil {
			c.ctl.ConnectionLost(now, err)
		}
		c.drain(now)
		c.p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *peerCall) tell(text string) { c.p.story[c.number] = append(c.p.story[c.number], text) }

// drain does what the cores want. p.mu is held.
func (c *peerCall) drain(now time.Time) {
	for ev := c.ctl.NextEvent(); ev != nil; ev = c.ctl.NextEvent() {
		switch ev := ev.(type) {
		case pptp.Send:
			c.conn.Write(ev.Data)
		case pptp.CallOffered:
			switch {
			case c.p.hangUp != nil && c.p.hangUp(c.number):
				c.conn.Close()
			case c.p.refuse != nil && c.p.refuse(c.number):
				c.ctl.Refuse(now, ev.PeerCallID, pptp.CallBusy, 0)
			default:
				c.out = gre.NewSender(ev.PeerCallID, 0)
				c.ctl.Answer(now, ev.PeerCallID, c.id)
				c.link.Open(now)
			}
		case pptp.CallEnded:
			c.tell("call cleared")
		case pptp.Closed:
			if ev.Err == nil {
				c.tell("connection stopped")
			}
			c.conn.Close()
		}
	}
	for ev := c.link.NextEvent(); ev != nil; ev = c.link.NextEvent() {
		switch ev := ev.(type) {
		case ppp.SendFrame:
			c.send(ev.Frame)
		case ppp.LinkUp:
			c.acfc, c.pfc = ev.SendACFC, ev.SendPFC
		case ppp.CompressionUp:
			c.sealer = mppe.NewSealer(ev.SendKey, mppe.Bits128, false)
			c.opener = mppe.NewOpener(ev.RecvKey, mppe.Bits128, false)
		case ppp.EchoReplied:
			c.answered = true
		case ppp.PhaseChanged:
			if ev.Phase == ppp.Terminate {
				c.tell("link ends")
			}
		}
	}
}

// send sends a PPP frame. p.mu is held.
func (c *peerCall) send(frame []byte) {
	h := c.out.Next(0, false)
	b := make([]byte, h.Len())
	h.Put(b, len(frame))
	c.p.gre.WriteBatch([][]byte{append(b, frame...)}, c.path)
}

// sendIP sends an IP packet as the link has it.
func (c *peerCall) sendIP(packet []byte) {
	if c.sealer == nil {
		c.send(ppp.AppendFrame(nil, ppp.ProtocolIP, packet, c.acfc, c.pfc))
		return
	}
	sealed := append(make([]byte, mppe.Overhead), ppp.AppendFrame(nil, ppp.ProtocolIP, packet, true, c.pfc)...)
	c.sealer.Seal(sealed)
	c.send(ppp.AppendFrame(nil, ppp.ProtocolMPPE, sealed, c.acfc, c.pfc))
}

func (p *peer) read() {
	pkts := make([]osnet.Packet, osnet.BatchSize)
	for i := range pkts {
		pkts[i].Buf = make([]byte, 4<<10)
	}
	for {
		n, err := p.gre.ReadBatch(pkts)
		if err != nil {
			return
		}
		p.mu.Lock()
		now := time.Now()
		for _, pkt := range pkts[:n] {
			h, payload, err := gre.Parse(pkt.Data)
			number := int(h.CallID) - 1000
			if err != nil || number < 0 || number >= len(p.calls) || p.calls[number].path.Remote != pkt.Path.Remote {
				p.t.Errorf("a packet of no call: %v %v", h, err)
				continue
			}
			if h.HasSeq {
				p.calls[number].take(now, h.Seq, payload)
			}
		}
		p.mu.Unlock()
	}
}

func (c *peerCall) take(now time.Time, seq uint32, payload []byte) {
	protocol, info, err := ppp.ParseFrame(payload)
	if err != nil {
		c.p.t.Errorf("a bad frame: %v", err)
		return
	}
	if protocol != ppp.ProtocolMPPE {
		c.link.Handle(now, payload)
		c.drain(now)
		return
	}
	plain, err := c.opener.Open(info, seq)
	if err != nil {
		c.p.t.Errorf("MPPE: %v", err)
		return
	}
	_, packet, _ := ppp.ParseFrame(plain)
	c.forward(packet)
}

// forward routes an IP packet from a client.
func (c *peerCall) forward(packet []byte) {
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	for _, other := range c.p.calls {
		if to == other.inner {
			other.reply(packet)
			return
		}
	}
	if to != peerInner {
		c.p.t.Errorf("a packet to %v", to)
		return
	}
	var swapped [4]byte // neither checksum minds
	copy(swapped[:], packet[12:16])
	copy(packet[12:16], packet[16:20])
	copy(packet[16:20], swapped[:])
	from := binary.BigEndian.Uint16(packet[20:])
	binary.BigEndian.PutUint16(packet[20:], binary.BigEndian.Uint16(packet[22:]))
	binary.BigEndian.PutUint16(packet[22:], from)
	c.reply(packet)
}

func (c *peerCall) reply(packet []byte) {
	if c.p.mistake != nil {
		c.p.mistake(packet)
	}
	c.sendIP(packet)
}

// What a peer may do wrong.

func ppp21(packet []byte) []byte { return ppp.AppendFrame(nil, ppp.ProtocolIP, packet, false, false) }

// renumbered is the sender of a call that has forgotten how many packets it sent.
func renumbered(c *peerCall) *gre.Sender { return gre.NewSender(c.out.Next(0, false).CallID, 0) }

func otherSealer() *mppe.Sealer { return mppe.NewSealer([16]byte{1, 2, 3}, mppe.Bits128, false) }

// greHeader is the header of a packet for that call of the client's, with a
// sequence number and so many octets to follow.
func greHeader(call uint16, length byte) []byte {
	return []byte{0x30, 0x01, 0x88, 0x0b, 0, length, byte(call >> 8), byte(call), 0xff, 0xff, 0, 0}
}

// badGREPacket promises more than it has.
func badGREPacket(c *peerCall) []byte { return greHeader(c.out.Next(0, false).CallID, 200) }

func strayPacket() []byte { return greHeader(0x7fff, 0) }
