package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"goppptp/internal/gre"
	"goppptp/internal/mppe"
	"goppptp/internal/ppp"
)

// A TUN is the network interface at the near end of a tunnel; *osnet.TUN is
// one. A frame is an IP packet behind a virtio-net header of 10 octets, as
// package offload describes it: up to 65,545 octets.
type TUN interface {
	// ReadFrame reads one frame. It does not wait: 0 and no error mean that
	// there is none. One goroutine at a time calls it.
	ReadFrame(b []byte) (int, error)
	// WhenReadable has ready called once, as soon as ReadFrame has a frame or
	// an error. ready does not block.
	WhenReadable(ready func()) error
	// Linger waits for a frame for up to d and reports whether there is one, or an
	// error. It wakes up sooner than WhenReadable and costs more; it may also not
	// wait at all.
	Linger(d time.Duration) (bool, error)
	// WriteFrame writes the frame that the parts make together.
	WriteFrame(parts [][]byte) error
	// Offload tells which packets may be written joined to larger ones.
	Offload() (tcp, udp bool)
	Name() string
	Close() error
}

// Config says how a session behaves and where its packets go.
type Config struct {
	PPP *ppp.Settings // sessions may share them
	// Owner is asked what ppp.Owner says; nil: PPP says it all.
	Owner ppp.Owner
	Log   *slog.Logger
	// CallID is what the peer puts into packets to us, PeerCallID what we put
	// into packets to the peer.
	CallID, PeerCallID uint16
	// PeerWindow is how many packets the peer says that it holds; 0: it does not
	// say, or is not to be believed.
	PeerWindow int
	// Workers move packets; sessions share them. nil: the session's own.
	Workers *Workers
	// Send sends GRE packets, from their GRE header on, to the peer. It is not
	// called concurrently and must not keep the packets.
	Send func(packets [][]byte) error
	// OpenTUN makes the network interface once the addresses are known. It is
	// called from the loop; the session closes the TUN.
	OpenTUN func(n Network) (TUN, error)
	// OnEvent is told what happens, in the order it does, from the loop's
	// goroutine: it must not block.
	OnEvent func(Event)
	// PathMTU is the largest IP packet, in octets, that the way to the peer
	// takes; 0 means 1500.
	PathMTU int
	// Outer is the peer's IPv4 address outside the tunnel. GRE to it never goes
	// through: a route that sends it there would make it go in circles. Not
	// valid: there is no such check.
	Outer netip.Addr
	// MTU bounds the size, in octets, of the IP packets inside the tunnel; 0:
	// what PathMTU leaves.
	MTU int
}

// A Session runs one call: authentication, negotiation and the data path.
type Session struct {
	cfg  settings
	recv receiver
	send transmitter

	loop     turn
	frames   mailbox[[]byte]       // control frames to the loop
	requests mailbox[func()]       // from any goroutine to the loop
	flags    atomic.Uint32         // notices of the data path to the loop
	heard    atomic.Int64          // when the peer was last heard, nanoseconds after born
	sendErr  atomic.Pointer[error] // the first error of Send
	ended    func(error)           // set before begun
	begun    atomic.Bool
	acks     ackState // what is to be acknowledged
	stats    counters

	// owned by loop
	link       *ppp.Link
	born       time.Time
	alarm      alarm
	tun        TUN
	network    Network    // as agreed on last; all but the addresses may change
	local      netip.Addr // those of the interface
	peer       netip.Addr
	linkMTU    int
	compressed bool
	up         bool
	opened     bool  // the link was told to open
	told       int64 // what the link knows of heard
	finished   bool
	err        error
}

// settings are what a session keeps of its Config; PPP and Owner are the link's.
type settings struct {
	requireMPPE, refuseMPPE bool
	log                     *slog.Logger
	workers                 *Workers
	callID                  uint16
	send                    func(packets [][]byte) error
	openTUN                 func(n Network) (TUN, error)
	onEvent                 func(Event)
	pathMTU, mtu            int
}

// peerWindowMax is how many packets a peer is believed to hold at most.
const peerWindowMax = 1024

// framesMax is how many control frames wait for the loop at most.
const framesMax = 64

// Notices from the data path to the loop.
const (
	noticeLost     = 1 << iota // stateful MPPE: a packet is missing
	noticeNonsense             // decrypted packets make no sense
	noticeTUN                  // the TUN failed
	noticeHeld                 // packets wait for an earlier one, and not for ever
)

// New prepares a session for a call that is connected; Run runs it.
func New(cfg Config) *Session {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(Event) {}
	}
	if cfg.PathMTU == 0 {
		cfg.PathMTU = 1500
	}
	if cfg.Workers == nil {
		cfg.Workers = new(Workers)
	}
	s := &Session{link: cfg.PPP.NewLink(MRU(cfg.PathMTU), cfg.Owner), born: time.Now(), cfg: settings{
		requireMPPE: cfg.PPP.MPPE().Require, refuseMPPE: cfg.PPP.MPPE().Refuse,
		log: cfg.Log, workers: cfg.Workers, callID: cfg.CallID, send: cfg.Send, openTUN: cfg.OpenTUN, onEvent: cfg.OnEvent,
		pathMTU: cfg.PathMTU, mtu: cfg.MTU,
	}}
	s.loop.do, s.loop.start = s.attend, onOwnGoroutine
	s.send.pump.do, s.send.pump.start = s.transmit, cfg.Workers.start
	s.send.stay.do, s.send.stay.start = s.linger, onOwnGoroutine
	s.send.ready = s.send.pump.wake
	s.send.slack = min(cfg.PeerWindow, peerWindowMax)
	s.recv.desk.do, s.recv.desk.start = s.receiveHanded, cfg.Workers.start
	s.acks.policy = gre.Acks{Delay: ackDelay, Every: ackEvery}
	s.send.seq = gre.NewSender(cfg.PeerCallID, 0)
	if outer := cfg.Outer.Unmap(); outer.Is4() {
		b := outer.As4()
		s.send.outer = binary.BigEndian.Uint32(b[:])
	}
	return s
}

// Start begins the negotiation. ended is called once, from the loop, when the
// session is over: with nil if it ended as we asked. The loop is whichever
// goroutine has something to do for the session, one at a time.
func (s *Session) Start(ended func(error)) {
	s.ended = ended
	s.begun.Store(true)
	s.loop.wake()
}

// Run runs the session until it is over and returns why: nil if it ended as
// we asked. When ctx is done the session says goodbye to the peer and ends,
// within the few seconds that PPP allows for it.
func (s *Session) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	s.Start(func(err error) { ended <- err })
	defer context.AfterFunc(ctx, func() { s.Close("closed by the user") })()
	return <-ended
}

// attend is the work of the loop.
func (s *Session) attend() {
	if s.finished || !s.begun.Load() {
		return
	}
	activity.done.Add(attendShare)
	if !s.opened {
		s.opened = true
		s.link.Open(time.Now())
		s.drain()
	}
	for _, frame := range s.frames.take() {
		s.handle(time.Now(), frame)
		s.drain()
	}
	for _, request := range s.requests.take() {
		request()
		s.drain()
	}
	now := time.Now()
	s.notice(now)
	if s.alarm.due(now) {
		if heard := s.heard.Load(); heard != s.told {
			s.told = heard
			s.link.Activity(s.born.Add(time.Duration(heard)))
		}
		s.link.Advance(now)
		s.expireQueue(now)
	}
	s.drain()
	if s.finished {
		s.alarm.set(time.Time{}, &s.loop)
		s.setMode(modeClosed)
		s.cfg.onEvent(Finished{s.err})
		s.closeTUN()
		s.ended(s.err)
		return
	}
	s.alarm.set(earliest(s.link.Deadline(), s.recv.deadline()), &s.loop)
}

// request has the loop do something.
func (s *Session) request(f func()) {
	s.requests.put(f, 0)
	s.loop.wake()
}

func earliest(times ...time.Time) time.Time {
	var min time.Time
	for _, t := range times {
		if !t.IsZero() && (min.IsZero() || t.Before(min)) {
			min = t
		}
	}
	return min
}

// Close ends the session in an orderly way: Terminate-Request, and Run
// returns when the peer has agreed or has not answered in time.
func (s *Session) Close(reason string) {
	s.request(func() { s.link.Close(time.Now(), reason) })
}

// Probe asks the peer at once whether it is there: an EchoReply event tells
// that it is, ProbeFailed that nothing answered within that time. Before the
// link is negotiated, and when it ends, nothing is asked and nothing told.
func (s *Session) Probe(within time.Duration) {
	s.request(func() { s.link.Probe(time.Now(), within) })
}

// Abort ends the session at once, without a word to the peer, because what
// carries it is gone. Run returns the link's own reason, if it had one, or else
// err.
func (s *Session) Abort(err error) {
	s.request(func() {
		// What the peer said before, as why it refuses us, may still wait.
		for _, frame := range s.frames.take() {
			s.handle(time.Now(), frame)
		}
		s.link.Down(time.Now(), err)
	})
}

// handle takes a control frame from the peer.
func (s *Session) handle(now time.Time, frame []byte) {
	s.debugFrame("frame received", frame)
	s.link.Handle(now, frame)
}

// debugFrame logs a control frame, decoded.
func (s *Session) debugFrame(text string, frame []byte) {
	if s.cfg.log.Enabled(context.Background(), slog.LevelDebug) {
		s.cfg.log.Debug(text, "frame", ppp.Describe(frame))
	}
}

// notify asks the loop to look at the given notice.
func (s *Session) notify(bit uint32) {
	if s.flags.Or(bit)&bit == 0 { // else it has been told and has not looked yet
		s.loop.wake()
	}
}

// notice does what the data path asked for.
func (s *Session) notice(now time.Time) {
	bits := s.flags.Swap(0)
	if bits&noticeLost != 0 {
		s.link.RequestReset(now)
	}
	if bits&noticeNonsense != 0 {
		s.cfg.log.Warn("decrypted packets make no sense, negotiating encryption anew")
		s.link.Renegotiate(now)
	}
	// noticeHeld: the alarm is set in any case.
	if bits&noticeTUN != 0 {
		s.link.Close(now, "the network interface is gone")
		s.err = errTUNGone
	}
}

var errTUNGone = errors.New("the tunnel's network interface was removed")

// isGone reports whether a device will give no more packets.
func isGone(err error) bool {
	return errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EBADFD) || errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.ENODEV)
}

// drain performs what the link asks for.
func (s *Session) drain() {
	for !s.finished {
		switch ev := s.link.NextEvent().(type) {
		case nil:
			return
		case ppp.SendFrame:
			s.debugFrame("frame sent", ev.Frame)
			s.sendFrame(ev.Frame)
		case ppp.PhaseChanged:
			s.cfg.onEvent(Phase{ev.Phase})
		case ppp.LinkUp:
			s.linkMTU = MTU(s.cfg.pathMTU, ev, !s.cfg.refuseMPPE)
			if s.cfg.mtu > 0 {
				s.linkMTU = min(s.linkMTU, s.cfg.mtu)
			}
			s.setLink(ev)
			s.cfg.onEvent(LinkUp{ev})
		case ppp.Authenticated:
			s.recv.hold()
			s.cfg.onEvent(Authenticated{ev.Result})
		case ppp.CompressionUp:
			s.compressionUp(ev)
		case ppp.CompressionDown:
			s.compressed = false
			s.installSealer(nil)
			s.installOpener(nil, false)
			s.setMode(s.mode())
			s.cfg.onEvent(MPPEDown{})
		case ppp.CompressionFlush:
			s.flushSealer()
		case ppp.CompressionResetAcked:
			s.resetOpener()
		case ppp.NetworkUp:
			s.network.Local, s.network.Peer = ev.Local, ev.Peer
			s.network.DNS, s.network.WINS = ev.DNS, ev.WINS
			s.networkUp()
		case ppp.NetworkDown:
			s.up = false
			s.setMode(modeClosed)
			s.cfg.onEvent(Down{})
		case ppp.Network6Up:
			s.network.Local6, s.network.Peer6 = ev.LocalID, ev.PeerID
			s.network6Up()
		case ppp.Network6Down:
			s.allowIPv6(false)
			s.cfg.onEvent(IPv6{})
		case ppp.EchoReplied:
			s.stats.echoRTT.Store(int64(ev.RTT))
			s.cfg.onEvent(EchoReply{ev.RTT})
		case ppp.ProbeFailed:
			s.cfg.onEvent(ProbeFailed{})
		case ppp.Message:
			s.cfg.log.Info("message from the peer", "text", ev.Text)
			s.cfg.onEvent(Message{ev.Text})
		case ppp.Finished:
			s.finished = true
			if s.err == nil {
				s.err = ev.Err
			}
		default:
			s.cfg.log.Debug("link event", "event", fmt.Sprintf("%T", ev))
		}
	}
}

func (s *Session) compressionUp(ev ppp.CompressionUp) {
	s.compressed = true
	s.installOpener(mppe.NewOpener(ev.RecvKey, mppe.Bits(ev.RecvBits), ev.RecvStateful), ev.RecvStateful)
	s.installSealer(mppe.NewSealer(ev.SendKey, mppe.Bits(ev.SendBits), ev.SendStateful))
	s.setMode(s.mode())
	s.cfg.onEvent(MPPEUp{SendBits: ev.SendBits, RecvBits: ev.RecvBits, SendStateful: ev.SendStateful, RecvStateful: ev.RecvStateful})
}

// mode is what the data path may carry now.
func (s *Session) mode() mode {
	switch {
	case !s.up:
		return modeClosed
	case s.compressed:
		return modeEncrypted
	case s.cfg.requireMPPE || s.send.encryptedOnce():
		return modeClosed
	}
	return modeClear
}

// networkUp makes the interface when the addresses are agreed on; when they
// are agreed on again after a renegotiation they must be the same.
func (s *Session) networkUp() {
	if s.tun != nil {
		if n := s.network; n.Local != s.local || n.Peer != s.peer {
			s.err = fmt.Errorf("the peer changed the addresses of a live session to %v and %v", n.Local, n.Peer)
			s.link.Close(time.Now(), "the addresses changed")
			return
		}
		s.up = true
		s.setMode(s.mode())
		s.cfg.onEvent(Up{Network: s.network, Interface: s.tun.Name()})
		return
	}
	s.network.MTU = s.linkMTU
	t, err := s.cfg.openTUN(s.network)
	if err != nil {
		s.err = err
		s.link.Close(time.Now(), "no network interface")
		return
	}
	s.tun, s.up = t, true
	s.local, s.peer = s.network.Local, s.network.Peer
	s.recv.open(t, s.network.MTU)
	s.send.open(t, s.network.MTU)
	s.setMode(s.mode())
	s.send.pump.wake()
	s.cfg.onEvent(Up{Network: s.network, Interface: t.Name()})
}

// network6Up gives the interface its link-local addresses; where there is
// none yet it will be made with them.
func (s *Session) network6Up() {
	if t, ok := s.tun.(interface {
		SetIPv6(local, peer uint64) error
	}); ok {
		if err := t.SetIPv6(s.network.Local6, s.network.Peer6); err != nil {
			s.cfg.log.Warn("the interface takes no IPv6 address", "error", err)
			return
		}
	}
	s.allowIPv6(true)
	s.cfg.onEvent(IPv6{s.network.Local6, s.network.Peer6})
}

func (s *Session) closeTUN() {
	if s.tun == nil {
		return
	}
	s.recv.close()
	s.tun.Close()
	s.send.close()
	s.send.pump.stop()
	s.send.stay.stop()
	s.acks.end()
	s.tun = nil
}
