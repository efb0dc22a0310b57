package auth

import (
	"fmt"
	"io"
	"time"
)

// Peer proves who we are: the one who is authenticated. It is not safe for
// concurrent use.
type Peer struct{ core }

// Authenticator checks who the other side is. It is not safe for concurrent use.
type Authenticator struct{ core }

// NewPeer makes a Peer for the method that LCP agreed on. An unknown method
// fails at Start.
func NewPeer(m Method, cfg PeerConfig) *Peer {
	b := newBase(m, cfg.Rand, cfg.Restart, cfg.Retries)
	switch m {
	case PAP:
		return &Peer{core{b, &papPeer{base: b, cfg: &cfg}}}
	case CHAP, MSCHAP, MSCHAPv2:
		return &Peer{core{b, newCHAPPeer(b, &cfg)}}
	case EAP:
		return &Peer{core{b, newEAPPeer(b, &cfg)}}
	}
	return &Peer{core{b, noMethod{b}}}
}

// NewAuthenticator makes an Authenticator for the method that LCP agreed on. An
// unknown method fails at Start.
func NewAuthenticator(m Method, cfg AuthenticatorConfig) *Authenticator {
	b := newBase(m, cfg.Rand, cfg.Restart, cfg.Retries)
	users := &users{base: b, cfg: &cfg}
	switch m {
	case PAP:
		return &Authenticator{core{b, &papAuthenticator{base: b, users: users}}}
	case CHAP, MSCHAP, MSCHAPv2:
		return &Authenticator{core{b, newCHAPAuthenticator(b, users)}}
	case EAP:
		return &Authenticator{core{b, newEAPAuthenticator(b, users)}}
	}
	return &Authenticator{core{b, noMethod{b}}}
}

// machine is a method in one role.
type machine interface {
	start(now time.Time)
	handle(now time.Time, p packet)
	// expired is called when the wait that arm or wait began came to nothing.
	expired(now time.Time)
}

// core is what both roles show to their owner.
type core struct {
	base *base
	m    machine
}

// Format keeps what a core holds out of every verb of fmt.
func (c core) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "auth(%v)", c.base.method) }

// Start begins: call it once, when LCP is open. A Peer of PAP sends, one of the
// other methods waits; an Authenticator the other way round.
func (c *core) Start(now time.Time) {
	if c.base.state != stateIdle {
		return
	}
	c.base.state = stateRunning
	c.m.start(now)
}

// Handle takes the information field of a PPP frame of the given protocol.
// What is not for this method is ignored. The slice is not kept.
func (c *core) Handle(now time.Time, protocol uint16, b []byte) {
	if c.base.state == stateIdle || protocol != c.base.method.Protocol() {
		return
	}
	if p, ok := parsePacket(b); ok {
		c.m.handle(now, p)
	}
}

// Advance is called when Deadline has passed; earlier it does nothing.
func (c *core) Advance(now time.Time) {
	b := c.base
	if b.deadline.IsZero() || now.Before(b.deadline) {
		return
	}
	if b.left > 0 {
		b.left--
		b.deadline = now.Add(b.restart)
		b.send(b.repeat)
		return
	}
	b.deadline = time.Time{}
	c.m.expired(now)
}

// Deadline gives when Advance is due; zero: not at all.
func (c *core) Deadline() time.Time { return c.base.deadline }

// NextEvent gives what happened, in order; nil when there is nothing more.
func (c *core) NextEvent() Event { return next(&c.base.queue) }

// next takes the first event of a queue; nil when there is none.
func next(queue *[]Event) Event {
	q := *queue
	if len(q) == 0 {
		return nil
	}
	ev := q[0]
	q[0] = nil
	if *queue = q[1:]; len(q) == 1 {
		*queue = nil
	}
	return ev
}

// state is how far authentication has come.
type state uint8

const (
	stateIdle    state = iota // before Start
	stateRunning              // no verdict yet
	stateOpen                 // Done
	stateFailed               // Failed
)

// base is what all machines share: the way out, one timer, the outcome.
type base struct {
	method  Method
	rand    io.Reader
	restart time.Duration
	retries int

	state state
	queue []Event

	deadline time.Time
	repeat   []byte // what is sent again when the deadline passes
	left     int    // how often
}

func newBase(m Method, r io.Reader, restart time.Duration, retries int) *base {
	if restart <= 0 {
		restart = defaultRestart
	}
	if retries <= 0 {
		retries = defaultRetries
	}
	return &base{method: m, rand: orRand(r), restart: restart, retries: retries}
}

func (b *base) emit(ev Event) { b.queue = append(b.queue, ev) }

// send hands out a copy: the packet may be sent again.
func (b *base) send(packet []byte) {
	b.emit(Send{b.method.Protocol(), append([]byte(nil), packet...)})
}

// arm sends a packet, and again every restart, retries times in all.
func (b *base) arm(now time.Time, packet []byte) {
	b.send(packet)
	b.repeat, b.left = packet, b.retries-1
	b.deadline = now.Add(b.restart)
}

// wait sets the deadline without anything to send again.
func (b *base) wait(now time.Time, d time.Duration) {
	b.repeat, b.left = nil, 0
	b.deadline = now.Add(d)
}

// patience is how long arm goes on.
func (b *base) patience() time.Duration { return b.restart * time.Duration(b.retries) }

func (b *base) disarm() {
	b.repeat, b.left = nil, 0
	b.deadline = time.Time{}
}

// done reports success, the first time as Done, later as Renewed.
func (b *base) done(r Result) {
	if b.state == stateFailed {
		return
	}
	b.disarm()
	r.Method = b.method
	if b.state == stateOpen {
		b.emit(Renewed{r})
		return
	}
	b.state = stateOpen
	b.emit(Done{r})
}

// fail reports failure, once.
func (b *base) fail(err error) {
	b.disarm()
	if b.state != stateFailed {
		b.state = stateFailed
		b.emit(Failed{err})
	}
}

// random fills b, or fails.
func (b *base) random(p []byte) bool {
	if _, err := io.ReadFull(b.rand, p); err != nil {
		b.fail(fmt.Errorf("auth: no random numbers: %w", err))
		return false
	}
	return true
}

// noMethod is the machine of a Method that is none.
type noMethod struct{ *base }

func (n noMethod) start(time.Time)          { n.fail(fmt.Errorf("auth: unknown %v", n.method)) }
func (n noMethod) handle(time.Time, packet) {}
func (n noMethod) expired(time.Time)        {}
