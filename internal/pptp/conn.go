package pptp

import (
	"strings"
	"time"
	"unicode"
)

// Role says which side of a control connection we are.
type Role uint8

const (
	Client Role = iota // opens the connection and places calls: the PNS
	Server             // answers: the PAC
)

func (r Role) String() string { return name([]string{"client", "server"}, uint(r), "role") }

// What is used where Config leaves a field zero.
const (
	DefaultReplyTimeout = 10 * time.Second
	DefaultEchoInterval = 60 * time.Second // RFC 2637, Section 3.1.4
	DefaultEchoTimeout  = 60 * time.Second
	DefaultMaxCalls     = 32
	DefaultWindow       = 64
	DefaultMinBPS       = 2400
	DefaultMaxBPS       = 100_000_000
)

// partingTimeout is how long the peer has to confirm the end of a call or of the connection; ReplyTimeout, if that is less.
// Nothing depends on the answer, so this is short.
const partingTimeout = 3 * time.Second

// unknownLimit is how many unknown messages are ignored in unknownPeriod.
const (
	unknownLimit  = 32
	unknownPeriod = time.Minute
)

// Config is how a Conn behaves; the zero value is a client with the defaults above.
type Config struct {
	Role         Role
	HostName     string // default "local"; at most 64 octets
	Vendor       string // default "goppptp"; at most 64 octets
	Firmware     uint16
	MaxCalls     int    // at a time
	Window       uint16 // data packets we buffer, told to the peer
	MinBPS       uint32 // bit/s, in calls we place
	MaxBPS       uint32 // bit/s; a server answers with the least of this and what the client asks for
	Phone        string // number in calls we place, for the rare server that wants one
	ReplyTimeout time.Duration
	EchoInterval time.Duration // silence after which we ask for an echo; negative: never
	EchoTimeout  time.Duration

	// Trace, if set, is told of each message, as it is read or queued for sending.
	Trace func(sent bool, m Message)
}

type state uint8

const (
	idle        state = iota // before Start
	waitReply                // client: Start-Control-Connection-Request is out
	waitRequest              // server: nothing came yet
	established
	waitStopReply // Stop-Control-Connection-Request is out
	closed
)

// Conn is the core of a control connection. It is not safe for concurrent use.
type Conn struct {
	cfg     Config
	state   state
	timer   time.Time // of waitReply, waitRequest and waitStopReply
	heard   time.Time // when the last message came
	echo    time.Time // when the Echo-Request without a reply went out; zero: none
	echoID  uint32
	serial  uint16
	calls   []*call
	parted  bool   // a call has ended, so that a bare TCP close is a goodbye
	partial []byte // the beginning of a message
	queue   queue

	unknown      int // messages ignored since
	unknownSince time.Time
}

// NewConn returns a connection that does nothing until Start.
func NewConn(cfg Config) *Conn {
	orString(&cfg.HostName, "local")
	orString(&cfg.Vendor, "goppptp")
	orDuration(&cfg.ReplyTimeout, DefaultReplyTimeout)
	orDuration(&cfg.EchoInterval, DefaultEchoInterval)
	orDuration(&cfg.EchoTimeout, DefaultEchoTimeout)
	if cfg.MaxCalls <= 0 {
		cfg.MaxCalls = DefaultMaxCalls
	}
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.MinBPS == 0 {
		cfg.MinBPS = DefaultMinBPS
	}
	if cfg.MaxBPS == 0 {
		cfg.MaxBPS = DefaultMaxBPS
	}
	return &Conn{cfg: cfg}
}

func orString(s *string, def string) {
	if *s == "" {
		*s = def
	}
}

func orDuration(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

// Start begins, once the TCP connection is there: a client asks for the control connection, a server awaits that.
func (c *Conn) Start(now time.Time) {
	if c.state != idle {
		return
	}
	c.heard = now
	c.timer = now.Add(c.cfg.ReplyTimeout)
	if c.cfg.Role == Server {
		c.state = waitRequest
		return
	}
	c.state = waitReply
	c.send(&StartControlConnectionRequest{
		Version: Version1, Framing: FramingAsync | FramingSync, Bearer: BearerAnalog | BearerDigital,
		Firmware: c.cfg.Firmware, HostName: c.cfg.HostName, Vendor: c.cfg.Vendor,
	})
}

// Stop ends the connection and all its calls: the peer is told, and Closed{nil} comes when it has answered, or soon after.
func (c *Conn) Stop(now time.Time, reason StopReason) {
	switch c.state {
	case closed, waitStopReply:
	case established:
		for _, k := range c.calls {
			if c.cfg.Role == Server && k.state == up {
				c.send(&CallDisconnectNotify{CallID: k.peer, Result: DisconnectAdminShutdown})
			}
		}
		c.endCalls(nil)
		if c.send(&StopControlConnectionRequest{Reason: reason}); c.state != closed {
			c.state, c.timer = waitStopReply, now.Add(c.patience())
		}
	default:
		c.close(nil)
	}
}

// patience is how long the peer has to confirm an end.
func (c *Conn) patience() time.Duration { return min(partingTimeout, c.cfg.ReplyTimeout) }

// ConnectionLost says that the TCP connection ended; err as read from it, nil or io.EOF where the peer closed it. After Stop,
// or when the last call has ended or is being cleared, that is an orderly end.
func (c *Conn) ConnectionLost(now time.Time, err error) {
	if c.state == closed {
		return
	}
	if c.parting() {
		c.close(nil)
	} else {
		c.close(&LostError{Err: err})
	}
}

// parting reports whether the end of the connection is no surprise: we asked for it, or for the end of all its calls, or
// its last call has ended.
func (c *Conn) parting() bool {
	for _, k := range c.calls {
		if k.state != clearing {
			return false
		}
	}
	return c.state == waitStopReply || c.parted || len(c.calls) > 0
}

// Advance is called when the deadline has passed.
func (c *Conn) Advance(now time.Time) {
	if !c.timer.IsZero() && !now.Before(c.timer) {
		c.timer = time.Time{}
		switch c.state {
		case waitReply:
			c.close(&TimeoutError{Awaited: TypeStartControlConnectionReply, After: c.cfg.ReplyTimeout})
		case waitRequest:
			c.close(&TimeoutError{Awaited: TypeStartControlConnectionRequest, After: c.cfg.ReplyTimeout})
		case waitStopReply:
			c.close(nil)
		}
	}
	c.advanceCalls(now)
	if at := c.echoDeadline(); !at.IsZero() && !now.Before(at) {
		if !c.echo.IsZero() {
			c.close(&TimeoutError{Awaited: TypeEchoReply, After: c.cfg.EchoTimeout})
			return
		}
		c.echo = now
		c.echoID++
		c.send(&EchoRequest{Identifier: c.echoID})
	}
}

// echoDeadline returns when to ask for an echo, or to give the peer up; zero: neither.
func (c *Conn) echoDeadline() time.Time {
	switch {
	case c.state != established || c.cfg.EchoInterval < 0:
		return time.Time{}
	case !c.echo.IsZero():
		return c.echo.Add(c.cfg.EchoTimeout)
	}
	return c.heard.Add(c.cfg.EchoInterval)
}

// Deadline returns when Advance is to be called; zero: not at all.
func (c *Conn) Deadline() time.Time {
	at := earlier(c.timer, c.echoDeadline())
	for _, k := range c.calls {
		at = earlier(at, k.timer)
	}
	return at
}

// earlier returns the earlier of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// NextEvent returns the next event, nil when there is none.
func (c *Conn) NextEvent() Event { return c.queue.pop() }

func (c *Conn) emit(e Event) {
	if c.state != closed && !c.queue.push(e) {
		c.close(ErrFlood)
	}
}

func (c *Conn) send(m Message) {
	if c.state == closed {
		return
	}
	if c.cfg.Trace != nil {
		c.cfg.Trace(true, m)
	}
	c.emit(Send{Data: Append(nil, m)})
}

// close ends everything; nothing follows.
func (c *Conn) close(err error) {
	if c.state == closed {
		return
	}
	c.state = closed
	c.timer, c.partial = time.Time{}, nil
	for _, k := range c.calls {
		k.timer = time.Time{}
		c.queue.last(k.ended(err))
	}
	c.calls = nil
	c.queue.last(Closed{Err: err})
}

// printable makes a peer's text fit for logs and terminals.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
