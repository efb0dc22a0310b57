package ppp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// plain is a client without authentication and encryption.
func plain() Config { return Config{MPPE: MPPE{Refuse: true}, Rand: seeded(1)} }

const ourLCP = "<mru 1400> <asyncmap 0x0> <magic *> <pcomp> <accomp>"

// established is a script whose LCP is open, without authentication.
func established(t *testing.T, cfg Config) *script {
	t.Helper()
	s := newScript(t, cfg)
	s.want("LCP Configure-Request id=1 " + ourLCP)
	s.recv("LCP Configure-Request id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	s.want("LCP Configure-Ack id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	s.recv("LCP Configure-Ack %ours")
	if s.linkUp == nil || s.Phase() != Network {
		t.Fatalf("LCP is not open, phase %v", s.Phase())
	}
	return s
}

func TestLCPReview(t *testing.T) {
	client := Config{Auth: []auth.Method{auth.MSCHAPv2, auth.EAP}, MPPE: MPPE{Require: true}, Rand: seeded(1)}
	server := serverConfig(auth.MSCHAPv2, MPPE{})
	for _, tt := range []struct {
		name   string
		cfg    Config
		asked  string
		answer string // without "LCP" and identifier
	}{
		{"nothing", client, "", "Configure-Ack"},
		{"all that pppd asks", client, "<mru 1400> <asyncmap 0x0> <auth mschapv2> <magic 0x5> <pcomp> <accomp>",
			"Configure-Ack <mru 1400> <asyncmap 0x0> <auth mschapv2> <magic 0x00000005> <pcomp> <accomp>"},
		{"any character map", client, "<asyncmap 0xffffffff>", "Configure-Ack <asyncmap 0xffffffff>"},
		{"an MRU too small to live with", client, "<mru 127>", "Configure-Nak <mru 128>"},
		{"the smallest MRU", client, "<mru 128>", "Configure-Ack <mru 128>"},
		{"a large MRU", client, "<mru 9000>", "Configure-Ack <mru 9000>"},
		{"a magic number of zero", client, "<magic 0x0>", "Configure-Nak <magic *>"},
		{"another method we do", client, "<auth eap>", "Configure-Ack <auth eap>"},
		{"a method we do not", client, "<auth pap>", "Configure-Nak <auth mschapv2>"},
		{"a method nobody knows", client, "<option 3 c123>", "Configure-Nak <auth mschapv2>"},
		{"a method without keys, encryption required", Config{Auth: []auth.Method{auth.PAP, auth.MSCHAPv2}, MPPE: MPPE{Require: true}, Rand: seeded(1)},
			"<auth pap>", "Configure-Nak <auth mschapv2>"},
		{"no authentication at all", plain(), "<auth mschapv2>", "Configure-Reject <auth mschapv2>"},
		{"a client that would have the server log in", server, "<auth pap>", "Configure-Reject <auth pap>"},
		{"callback, as Windows asks", client, "<mru 1400> <magic 0x5> <option 13 06>", "Configure-Reject <option 13 06>"},
		{"multilink and the like", client, "<option 17 05dc> <option 18> <option 19 0101> <magic 0x5>", "Configure-Reject <option 17 05dc> <option 18> <option 19 0101>"},
		{"rejecting comes before naking", client, "<mru 1> <option 4 c025>", "Configure-Reject <option 4 c025>"},
		{"lengths that do not fit", client, "<option 1 00> <option 2 00> <option 5 00> <option 7 00> <option 8 00>",
			"Configure-Reject <option 1 00> <option 2 00> <option 5 00> <option 7 00> <option 8 00>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.cfg)
			s.sent = nil
			s.recv("LCP Configure-Request id=77 " + tt.asked)
			code, opts, _ := strings.Cut(tt.answer, " ")
			s.want("LCP " + code + " id=77 " + opts)
		})
	}
}

// TestLCPAnswers: how our request changes by what the peer says to it.
func TestLCPAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, answer, next string
	}{
		{"a smaller MRU", "Configure-Nak id=1 <mru 1300>", "<mru 1300> <asyncmap 0x0> <magic *> <pcomp> <accomp>"},
		{"a larger MRU", "Configure-Nak id=1 <mru 1500>", "<asyncmap 0x0> <magic *> <pcomp> <accomp>"},
		{"an absurd MRU", "Configure-Nak id=1 <mru 5>", "<asyncmap 0x0> <magic *> <pcomp> <accomp>"},
		{"no MRU", "Configure-Reject id=1 <mru 1400>", "<asyncmap 0x0> <magic *> <pcomp> <accomp>"},
		{"no character map, as Windows says", "Configure-Reject id=1 <asyncmap 0x0>", "<mru 1400> <magic *> <pcomp> <accomp>"},
		{"another character map", "Configure-Nak id=1 <asyncmap 0xa0000>", "<mru 1400> <magic *> <pcomp> <accomp>"},
		{"another magic number", "Configure-Nak id=1 <magic 0x7>", "<mru 1400> <asyncmap 0x0> <magic *> <pcomp> <accomp>"},
		{"no compression", "Configure-Reject id=1 <pcomp> <accomp>", "<mru 1400> <asyncmap 0x0> <magic *>"},
		{"options we did not ask for", "Configure-Nak id=1 <option 17 05dc>", "<mru 1400> <asyncmap 0x0> <magic *> <pcomp> <accomp>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, plain())
			s.sent = nil
			s.recv("LCP " + tt.answer)
			s.want("LCP Configure-Request id=2 " + tt.next)
		})
	}
}

// TestLCPIgnores: answers to something else, and those that lie, change nothing.
func TestLCPIgnores(t *testing.T) {
	for _, tt := range []struct{ name, packet string }{
		{"an Ack with another identifier", "Configure-Ack id=2 <mru 1400>"},
		{"an Ack of other options", "Configure-Ack id=1 <mru 1399>"},
		{"an Ack of nothing", "Configure-Ack id=1"},
		{"a Nak with another identifier", "Configure-Nak id=0 <mru 1300>"},
		{"a Reject of what was not asked", "Configure-Reject id=1 <option 13 06>"},
		{"a Reject of nothing", "Configure-Reject id=1"},
		{"options that end early", "Configure-Request id=1 0104"},
		{"an option of no length", "Configure-Nak id=1 0100"},
		{"an echo before LCP is open", "Echo-Request id=1 00000000"},
		{"an echo too short for its number", "Echo-Request id=1 0000"},
		{"a rejected protocol before LCP is open", "Protocol-Reject id=1 8021"},
		{"a Code-Reject of nothing", "Code-Reject id=1"},
		{"Identification", "Identification id=1 00000000 4d535241"},
		{"Time-Remaining", "Time-Remaining id=1 00000000 00000010"},
		{"Discard-Request", "Discard-Request id=1 00000000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, plain())
			s.sent = nil
			before := s.lcpM.state
			s.recv("LCP " + tt.packet)
			s.want()
			if s.lcpM.state != before {
				t.Errorf("state %v, was %v", s.lcpM.state, before)
			}
		})
	}
	s := newScript(t, plain())
	s.sent = nil
	for _, junk := range []string{"", "ff03", "ff03c021", "ff03c021 01", "ff03c021 01010003", "ff03c021 0101ffff", "c0"} {
		s.frame(unhex(t, junk))
	}
	s.want()
	if got := s.Stats().Malformed; got != 7 {
		t.Errorf("%d malformed frames counted, want 7", got)
	}
}

// TestLCPDuplicates: an answer that comes twice counts once, and a request that
// comes twice is answered twice, without taking the link down.
func TestLCPDuplicates(t *testing.T) {
	s := established(t, plain())
	s.sent = nil
	s.recv("LCP Configure-Ack " + s.ours["LCP"])
	s.want()
	s.recv("LCP Configure-Request id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	s.want("LCP Configure-Ack id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	if s.Phase() != Network {
		t.Fatalf("phase %v", s.Phase())
	}
	s.recv("LCP Configure-Request id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	s.want("LCP Configure-Ack id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	// A third time, and our answer is not what it misses.
	s.recv("LCP Configure-Request id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	s.want("LCP Configure-Request id=2 "+ourLCP, "LCP Configure-Ack id=1 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")

	// Another identifier: the peer begins anew.
	s = established(t, plain())
	s.sent = nil
	s.recv("LCP Configure-Request id=2 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	s.want("LCP Configure-Request id=2 "+ourLCP, "LCP Configure-Ack id=2 <asyncmap 0x0> <magic 0x86e0f350> <pcomp> <accomp>")
	if s.Phase() != Establish {
		t.Fatalf("phase %v", s.Phase())
	}
}

// TestLCPHurry: a peer that is heard without having answered gets our request
// again before the timer would have it so, but not so soon that an answer on
// its way could be overtaken.
func TestLCPHurry(t *testing.T) {
	s := newScript(t, plain())
	s.want("LCP Configure-Request id=1 " + ourLCP)
	s.advance(400 * time.Millisecond)
	s.want("LCP Configure-Request id=1 " + ourLCP) // nothing has been heard for 250 ms
	s.recv("LCP Configure-Request id=1 <magic 0x86e0f350>")
	s.want("LCP Configure-Ack id=1 <magic 0x86e0f350>")
	s.advance(340 * time.Millisecond)
	s.want()
	s.advance(20 * time.Millisecond)
	s.want("LCP Configure-Request id=1 " + ourLCP)

	s = newScript(t, plain())
	s.sent = nil
	s.advance(10 * time.Millisecond)
	s.recv("LCP Configure-Request id=1 <magic 0x86e0f350>")
	s.sent = nil
	s.advance(480 * time.Millisecond)
	s.want()
	s.advance(20 * time.Millisecond)
	s.want("LCP Configure-Request id=1 " + ourLCP)
}

// TestLCPTimer: retransmissions keep their identifier, wait longer each time,
// and end; the first come soon while nothing is heard.
func TestLCPTimer(t *testing.T) {
	s := newScript(t, plain())
	first := s.sent[0]
	s.sent = nil
	for i, wait := range []time.Duration{250, 500, 1000, 2000, 3000, 3000, 3000, 3000, 3000} {
		s.advance((wait - 1) * time.Millisecond)
		s.want()
		s.advance(time.Millisecond)
		if len(s.sent) != 1 || s.sent[0] != first {
			t.Fatalf("retransmission %d: %q, want %q", i+1, s.sent, first)
		}
		s.sent = nil
	}
	s.advance(3 * time.Second)
	s.want()
	var timeout *TimeoutError
	if s.over == nil || !errors.As(s.over.Err, &timeout) || timeout.HeardPeer || timeout.Protocol != ProtocolLCP || timeout.Phase != Establish {
		t.Fatalf("ended with %+v", s.over)
	}
	if !s.Deadline().IsZero() {
		t.Error("a timer runs after the end")
	}
}

func TestLCPHeardPeer(t *testing.T) {
	s := newScript(t, plain())
	s.recv("LCP Configure-Request id=1 <magic 0x86e0f350>")
	s.advance(time.Minute)
	var timeout *TimeoutError
	if s.over == nil || !errors.As(s.over.Err, &timeout) || !timeout.HeardPeer {
		t.Fatalf("ended with %+v", s.over)
	}
}

func TestLCPEchoes(t *testing.T) {
	cfg := plain()
	cfg.Echo.Interval, cfg.Echo.Failures = 2*time.Second, 3
	s := established(t, cfg)
	s.sent = nil
	s.recv("LCP Echo-Request id=9 86e0f350 aabb")
	s.want("LCP Echo-Reply id=9 *")
	s.recv("IPCP Configure-Nak id=1 <addr 10.0.0.2>")
	s.recv("IPCP Configure-Ack %ours")
	s.recv("IPCP Configure-Request id=1 <addr 10.0.0.1>")
	if s.net == nil {
		t.Fatal("no network")
	}
	s.advance(2 * time.Second)
	if len(s.sent) == 0 || !strings.HasPrefix(s.sent[len(s.sent)-1], "LCP Echo-Request id=2") {
		t.Fatalf("sent %q", s.sent)
	}
	s.sent = nil
	s.advance(30 * time.Millisecond)
	s.recv("LCP Echo-Reply id=2 86e0f350")
	if s.rtts != 1 {
		t.Errorf("%d round trip times", s.rtts)
	}
	s.recv("LCP Echo-Reply id=2 86e0f350") // again
	if s.rtts != 1 {
		t.Errorf("%d round trip times after a repetition", s.rtts)
	}
	// Data counts as life.
	for range 10 {
		s.advance(1500 * time.Millisecond)
		s.Activity(s.now)
	}
	for _, text := range s.sent {
		if strings.HasPrefix(text, "LCP Echo-Request") {
			t.Errorf("sent %q although data came", text)
		}
	}
	s.sent = nil
	s.advance(time.Minute)
	var silent *EchoError
	if s.over == nil || !errors.As(s.over.Err, &silent) || silent.Failures != 3 {
		t.Fatalf("ended with %+v", s.over)
	}
}

// A probe asks at once, and again; only a reply to one of its requests counts.
func TestLCPProbe(t *testing.T) {
	cfg := plain()
	cfg.Echo.Interval = 0 // silence is not watched for
	l := NewLink(cfg)
	l.Probe(epoch, time.Second)
	if d := l.Deadline(); !d.IsZero() {
		t.Fatal("a link that is not open probes")
	}
	s := established(t, cfg)
	s.recv("IPCP Configure-Nak id=1 <addr 10.0.0.2>")
	s.recv("IPCP Configure-Ack %ours")
	s.recv("IPCP Configure-Request id=1 <addr 10.0.0.1>")
	s.sent = nil
	s.Probe(s.now, time.Second)
	s.drain()
	s.want("LCP Echo-Request id=2 *")
	s.advance(600 * time.Millisecond)
	s.want("LCP Echo-Request id=3 *", "LCP Echo-Request id=4 *")
	s.recv("LCP Echo-Request id=9 86e0f350") // life, but no answer
	s.want("LCP Echo-Reply id=9 *")
	s.recv("LCP Echo-Reply id=1 86e0f350")
	s.recv("LCP Echo-Reply id=5 86e0f350")
	if s.rtts != 0 {
		t.Fatal("an answer to something else counts")
	}
	s.recv("LCP Echo-Reply id=3 86e0f350")
	if s.rtts != 1 {
		t.Fatalf("%d round trip times", s.rtts)
	}
	s.recv("LCP Echo-Reply id=4 86e0f350")
	s.advance(time.Minute)
	if s.rtts != 1 || s.probes != 0 || s.over != nil {
		t.Errorf("%d round trip times, %d probes failed, ended %v", s.rtts, s.probes, s.over)
	}
	s.sent = nil
	s.Probe(s.now, time.Second)
	s.advance(time.Minute)
	if len(s.sent) != probeTries || s.probes != 1 {
		t.Errorf("sent %q; %d probes failed", s.sent, s.probes)
	}
	s.sent = nil
	s.Close(s.now, "enough")
	s.drain()
	s.want("LCP Terminate-Request id=9 *")
	s.Probe(s.now, time.Second)
	s.drain()
	s.want()
}

func TestLCPUnknownCode(t *testing.T) {
	s := established(t, plain())
	s.sent = nil
	s.recv("LCP code-99 id=5 0102")
	s.want("LCP Code-Reject id=2 code 99")
	s.recv("LCP Code-Reject id=1 0c010008") // Identification: nothing we need
	s.want()
	s.recv("LCP Code-Reject id=1 09010008") // Echo-Request
	s.want()
	s.recv("LCP Code-Reject id=1 01010004") // Configure-Request: nothing works without
	s.want("LCP Terminate-Request id=3")
	s.recv("LCP Terminate-Ack id=3")
	var failed *NegotiationError
	if s.over == nil || !errors.As(s.over.Err, &failed) {
		t.Fatalf("ended with %+v", s.over)
	}
}

func TestLCPLoop(t *testing.T) {
	l := NewLink(plain())
	now := epoch
	l.Open(now)
	for range 10000 {
		ev := l.NextEvent()
		switch ev := ev.(type) {
		case nil:
			d := l.Deadline()
			if d.IsZero() {
				t.Fatal("nothing more happens")
			}
			now = d
			l.Advance(now)
		case SendFrame:
			l.Handle(now, ev.Frame)
		case Finished:
			var loop *LoopError
			if !errors.As(ev.Err, &loop) {
				t.Fatalf("ended with %v", ev.Err)
			}
			if now.Sub(epoch) > 5*time.Second {
				t.Errorf("it took %v to notice", now.Sub(epoch))
			}
			return
		}
	}
	t.Fatal("no end")
}

// TestLCPMaxFailure: Naks that help nothing become Rejects.
func TestLCPMaxFailure(t *testing.T) {
	s := newScript(t, plain())
	s.sent = nil
	for id := 1; id <= 5; id++ {
		for range 3 { // only the first is another try, the rest are repetitions
			s.recv(fmt.Sprintf("LCP Configure-Request id=%d <mru 5> <pcomp>", id))
			s.want(fmt.Sprintf("LCP Configure-Nak id=%d <mru 128>", id))
		}
	}
	s.recv("LCP Configure-Request id=6 <mru 5> <pcomp>")
	s.want("LCP Configure-Reject id=6 <mru 5>")
	s.recv("LCP Configure-Request id=7 <pcomp>")
	s.want("LCP Configure-Ack id=7 <pcomp>")
}

// TestLCPNeverAgreed: a peer that Naks without end does not keep us for ever.
func TestLCPNeverAgreed(t *testing.T) {
	s := newScript(t, plain())
	for range 100 {
		id := strings.Fields(s.ours["LCP"])[0]
		s.recv("LCP Configure-Nak " + id + " <magic 0x7>")
	}
	s.advance(10 * time.Second)
	var failed *NegotiationError
	if s.over == nil || !errors.As(s.over.Err, &failed) {
		t.Fatalf("ended with %+v", s.over)
	}
}

func TestProtocolRejects(t *testing.T) {
	s := established(t, plain())
	s.sent = nil
	s.frame(unhex(t, "ff03 8057 0101000e 010a 1021da9c4938008d"))
	s.want("LCP Protocol-Reject id=2 IPV6CP")
	s.frame(unhex(t, "0057 60000000"))
	s.want("LCP Protocol-Reject id=3 IPv6")
	s.frame(unhex(t, "80fd 01010004"))
	s.want("LCP Protocol-Reject id=4 CCP")
	s.frame(unhex(t, "824b 822c"))
	s.want("LCP Protocol-Reject id=5 protocol 0x824b")
	s.frame(unhex(t, "002d 45"))
	s.want("LCP Protocol-Reject id=6 protocol 0x002d")
	for range 100 { // a flood is not answered in kind
		s.frame(unhex(t, "824b 822c"))
	}
	if len(s.sent) > rejectLimit {
		t.Errorf("%d Protocol-Rejects in a second", len(s.sent))
	}
	for _, data := range []string{"0021 4500", "fd 9000 00"} {
		s.sent = nil
		s.frame(unhex(t, data))
		s.want()
	}
}

func TestTerminateWhileNegotiating(t *testing.T) {
	s := newScript(t, plain())
	s.sent = nil
	s.recv("LCP Terminate-Request id=4 627965")
	s.want("LCP Terminate-Ack id=4", `LCP Terminate-Request id=2 "as the peer asked"`)
	s.recv("LCP Terminate-Ack id=2")
	var left *PeerError
	if s.over == nil || !errors.As(s.over.Err, &left) || left.Message != "bye" {
		t.Fatalf("ended with %+v", s.over)
	}
}

// TestClose: what Close, Down and silence lead to.
func TestClose(t *testing.T) {
	s := established(t, plain())
	s.sent = nil
	s.Close(s.now, "user request")
	s.drain()
	s.want(`LCP Terminate-Request id=2 "user request"`)
	s.recv("LCP Terminate-Ack id=1") // of something else
	if s.over != nil {
		t.Fatal("over by an Ack of something else")
	}
	s.advance(time.Second)
	s.want(`LCP Terminate-Request id=2 "user request"`)
	s.advance(10 * time.Second)
	s.want()
	if s.over == nil || s.over.Err != nil {
		t.Fatalf("ended with %+v", s.over)
	}

	lost := errors.New("the control connection is gone")
	s = established(t, plain())
	s.Down(s.now, lost)
	s.drain()
	if s.over == nil || s.over.Err != lost {
		t.Fatalf("ended with %+v", s.over)
	}
	s.frame(unhex(t, "ff03c021 05010004")) // nothing happens any more
	s.Advance(s.now.Add(time.Hour))
	s.Close(s.now, "again")
	s.drain()

	s = newScript(t, plain())
	s.Close(s.now, "never mind")
	s.drain()
	if s.over == nil || s.over.Err != nil {
		t.Fatalf("nobody was heard; ended with %+v", s.over)
	}
}

func TestNoUsableMethod(t *testing.T) {
	s := newScript(t, Config{Auth: []auth.Method{auth.PAP}, MPPE: MPPE{Require: true}})
	s.want()
	var failed *MPPEError
	if s.over == nil || !errors.As(s.over.Err, &failed) {
		t.Fatalf("ended with %+v", s.over)
	}
}

// TestFewMessages: whatever the peer says, and however often, few of its texts
// reach the log, but later ones do.
func TestFewMessages(t *testing.T) {
	l := NewLink(plain())
	l.Open(epoch)
	count := func() (n int) {
		for ev := l.NextEvent(); ev != nil; ev = l.NextEvent() {
			if _, ok := ev.(Message); ok {
				n++
			}
		}
		return n
	}
	frame := []byte{0xff, 0x03, 0xc0, 0x21, byte(Identification), 1, 0, 9, 0, 0, 0, 0, 'x'}
	for range 1000 {
		l.Handle(epoch, frame)
	}
	if n := count(); n != tellLimit {
		t.Errorf("%d messages at once, want %d", n, tellLimit)
	}
	l.Handle(epoch.Add(tellSpan-1), frame)
	if n := count(); n != 0 {
		t.Errorf("%d messages within the span", n)
	}
	l.Handle(epoch.Add(tellSpan), frame)
	if n := count(); n != 1 {
		t.Errorf("%d messages after it, want 1", n)
	}
}
