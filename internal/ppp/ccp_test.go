package ppp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// authenticated is a client that the server has let in; it has asked for what
// it wants of CCP, which is left in sent.
func authenticated(t *testing.T, mppe MPPE) *script {
	t.Helper()
	s := newScript(t, clientConfig(auth.MSCHAPv2, mppe))
	s.recv("LCP Configure-Request id=1 <auth mschapv2> <magic 0x86e0f350> <pcomp> <accomp>")
	s.recv("LCP Configure-Ack %ours")
	s.sent = nil
	s.authenticate()
	return s
}

// encrypted goes on until MPPE and the network are up.
func encrypted(t *testing.T, mppe MPPE, bits string) *script {
	t.Helper()
	s := authenticated(t, mppe)
	s.want("CCP Configure-Request id=1 <mppe " + bits + ">")
	s.recv("CCP Configure-Request id=1 <mppe " + bits + ">")
	s.recv("CCP Configure-Ack %ours")
	if s.comp == nil {
		t.Fatal("MPPE is not up")
	}
	s.recv("IPCP Configure-Request id=1 <addr 192.168.13.3>")
	s.recv("IPCP Configure-Nak id=1 <addr 192.168.13.200> <dns1 192.168.13.1> <dns2 192.168.13.1>")
	s.recv("IPCP Configure-Ack %ours")
	if s.net == nil {
		t.Fatal("IPCP is not up")
	}
	s.sent = nil
	return s
}

const (
	stateless128 = "+H -M +S -L -D -C"
	stateful128  = "-H -M +S -L -D -C"
	stateless40  = "+H -M -S +L -D -C"
)

func TestCCPReview(t *testing.T) {
	only := MPPE{Require: true}
	all := MPPE{Require: true, Bits: []int{40, 56, 128}}
	stateful := MPPE{Require: true, Stateful: true}
	willing := MPPE{}
	for _, tt := range []struct {
		name          string
		mppe          MPPE
		asked, answer string
	}{
		{"what we want", only, "<mppe +H +S>", "Configure-Ack <mppe " + stateless128 + ">"},
		{"many strengths, one of them ours", only, "<mppe +H +M +S +L>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"all that Windows asks", only, "<mppe +H +M +S +L +C>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"compression as well", only, "<mppe +H +S +C>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"the obsolete bit as well", only, "<mppe +H +S +D>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"compression alone", only, "<mppe +C>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"stateful, which we do not", only, "<mppe -H +S>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"stateful, which we do", stateful, "<mppe -H +S>", "Configure-Ack <mppe " + stateful128 + ">"},
		{"stateless where we prefer stateful", stateful, "<mppe +H +S>", "Configure-Ack <mppe " + stateless128 + ">"},
		{"the weakest of ours", all, "<mppe +H +L>", "Configure-Ack <mppe " + stateless40 + ">"},
		{"two of ours", all, "<mppe +H +L +M>", "Configure-Nak <mppe +H +M -S -L -D -C>"},
		{"none of ours", only, "<mppe +H +L>", "Configure-Nak <mppe " + stateless128 + ">"},
		{"nothing", only, "", "Configure-Nak <mppe " + stateless128 + ">"},
		{"nothing, and we may do without", willing, "", "Configure-Ack"},
		{"none of ours, and we may do without", willing, "<mppe +H +L>", "Configure-Reject <mppe " + stateless40 + ">"},
		{"real compression", only, "<option 26 7800> <option 24 7800> <option 21 2f>", "Configure-Reject <option 26 7800> <option 24 7800> <option 21 2f>"},
		{"MPPE and real compression", only, "<mppe +H +S> <option 21 2f>", "Configure-Reject <option 21 2f>"},
		{"MPPE of the wrong length", only, "<option 18 01000040 00>", "Configure-Reject <option 18 01000040>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := authenticated(t, tt.mppe)
			s.sent = nil
			s.recv("CCP Configure-Request id=9 " + strings.Replace(tt.asked, "01000040 00", "01000040", 1))
			code, opts, _ := strings.Cut(tt.answer, " ")
			if strings.Contains(tt.name, "wrong length") {
				s.sent = nil
				s.frame(unhex(t, "80fd 0109 0009 1205 010000"))
				s.want("CCP Configure-Reject id=9 <option 18 010000>")
				return
			}
			s.want("CCP " + code + " id=9 " + opts)
		})
	}
}

// TestCCPAnswers: how our request changes by what the peer says to it.
func TestCCPAnswers(t *testing.T) {
	many := MPPE{Require: true, Bits: []int{40, 128}}
	for _, tt := range []struct {
		name         string
		mppe         MPPE
		answer, next string // next empty: the link ends
	}{
		{"one of many", many, "Configure-Nak id=1 <mppe +H +S>", "<mppe " + stateless128 + ">"},
		{"the other of many", many, "Configure-Nak id=1 <mppe +H +L>", "<mppe " + stateless40 + ">"},
		{"both of many", many, "Configure-Nak id=1 <mppe +H +L +S>", "<mppe " + stateless128 + ">"},
		{"an Ack of many", many, "Configure-Ack id=1 <mppe +H +S +L>", "<mppe " + stateless128 + ">"},
		{"stateful instead", MPPE{Require: true}, "Configure-Nak id=1 <mppe -H +S>", "<mppe " + stateless128 + ">"},
		{"stateless instead", MPPE{Require: true, Stateful: true}, "Configure-Nak id=1 <mppe +H +S>", "<mppe " + stateless128 + ">"},
		{"no stateful", MPPE{Require: true, Stateful: true}, "Configure-Reject id=1 <mppe -H +S>", "<mppe " + stateless128 + ">"},
		{"a strength we do not", MPPE{Require: true}, "Configure-Nak id=1 <mppe +H +L>", ""},
		{"none", MPPE{Require: true}, "Configure-Reject id=1 <mppe +H +S>", ""},
		{"none, and we may do without", MPPE{}, "Configure-Reject id=1 <mppe +H +S>", " "},
		{"a strength we do not, and we may do without", MPPE{}, "Configure-Nak id=1 <mppe +H +L>", " "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := authenticated(t, tt.mppe)
			s.sent = nil
			s.recv("CCP " + tt.answer)
			if tt.next == "" {
				s.want(`LCP Terminate-Request id=2 "MPPE required but not agreed on"`)
				var failed *MPPEError
				if !errors.As(s.err, &failed) || failed.Peer != "server" {
					t.Errorf("ended with %v", s.err)
				}
				return
			}
			s.want("CCP Configure-Request id=2 " + tt.next)
		})
	}
}

// TestCCPHoldsIPCP: with MPPE required, the peer's early Configure-Request of
// IPCP is neither lost nor refused, and only the newest counts.
func TestCCPHoldsIPCP(t *testing.T) {
	s := authenticated(t, MPPE{Require: true})
	s.sent = nil
	s.recv("IPCP Configure-Request id=1 <addr 192.168.13.3> <compress 002d0f01>")
	s.recv("IPCP Configure-Request id=2 <addr 192.168.13.3>")
	s.want()
	s.recv("CCP Configure-Request id=1 <mppe +H +S>")
	s.want("CCP Configure-Ack id=1 <mppe " + stateless128 + ">")
	s.recv("CCP Configure-Ack %ours")
	s.want("IPCP Configure-Request id=1 <addr 0.0.0.0> <dns1 0.0.0.0> <dns2 0.0.0.0>", "IPCP Configure-Ack id=2 <addr 192.168.13.3>")
}

// TestCCPBeforeSuccess: what overtakes the end of authentication is kept, too.
func TestCCPBeforeSuccess(t *testing.T) {
	s := newScript(t, clientConfig(auth.MSCHAPv2, MPPE{Require: true}))
	s.recv("LCP Configure-Request id=1 <auth mschapv2> <magic 0x86e0f350>")
	s.recv("LCP Configure-Ack %ours")
	s.sent = nil
	s.recv("CCP Configure-Request id=1 <mppe +H +S>")
	s.want()
	s.authenticate()
	s.want("CCP Configure-Request id=1 <mppe "+stateless128+">", "CCP Configure-Ack id=1 <mppe "+stateless128+">")
}

// TestMPPEErrors: how the ways not to agree read.
func TestMPPEErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		mppe MPPE
		recv []string
		want string
	}{
		{"CCP is rejected", MPPE{Require: true}, []string{"LCP Protocol-Reject id=9 80fd 0101000a"},
			"MPPE not agreed: we require 128-bit stateless; the server has no MPPE: it rejected CCP"},
		{"another strength in a Nak", MPPE{Require: true}, []string{"CCP Configure-Nak id=1 <mppe +H +L>"},
			"MPPE not agreed: we require 128-bit stateless; the server offers 40-bit stateless"},
		{"pppd with nomppe", MPPE{Require: true}, []string{"CCP Configure-Request id=1", "CCP Configure-Reject id=1 <mppe +H +S>"},
			"MPPE not agreed: we require 128-bit stateless; the server offers none (it rejected MPPE)"},
		{"pppd with another strength", MPPE{Require: true, Bits: []int{40}},
			[]string{"CCP Configure-Request id=1 <mppe +H +S>", "LCP Terminate-Request id=2 4d505045207265717569726564"},
			`MPPE not agreed: we require 40-bit stateless; the server offers 128-bit stateless (it said "MPPE required")`},
		{"the same, overtaken", MPPE{Require: true, Bits: []int{40}},
			[]string{"LCP Terminate-Request id=2 4d505045207265717569726564", "CCP Configure-Request id=1 <mppe +H +S>"},
			`MPPE not agreed: we require 40-bit stateless; the server offers 128-bit stateless (it said "MPPE required")`},
		{"CCP is closed", MPPE{Require: true}, []string{"CCP Terminate-Request id=9"},
			"MPPE not agreed: we require 128-bit stateless; the server closed CCP"},
		{"the peer leaves without a word", MPPE{Require: true}, []string{"LCP Terminate-Request id=9"},
			"MPPE not agreed: we require 128-bit stateless; the server ended the session"},
		{"silence", MPPE{Require: true}, nil,
			"MPPE not agreed: we require 128-bit stateless; the server does not answer CCP"},
		{"stateful and nothing else", MPPE{Require: true},
			[]string{"CCP Configure-Nak id=1 <mppe -H +S>", "CCP Configure-Nak id=2 <mppe -H +S>", "CCP Configure-Nak id=3 <mppe -H +S>"},
			"MPPE not agreed: we require 128-bit stateless; the server offers 128-bit stateful (it keeps to what it asked for)"},
		{"a request we cannot agree to, again and again", MPPE{Require: true, Bits: []int{40, 128}},
			[]string{"CCP Configure-Request id=1 <mppe +H +M>", "CCP Configure-Request id=2 <mppe +H +M>", "CCP Configure-Request id=3 <mppe +H +M>",
				"CCP Configure-Request id=4 <mppe +H +M>", "CCP Configure-Request id=5 <mppe +H +M>", "CCP Configure-Request id=6 <mppe +H +M>"},
			"MPPE not agreed: we require 40 or 128-bit stateless; the server offers 56-bit stateless"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := authenticated(t, tt.mppe)
			for _, r := range tt.recv {
				s.recv(r)
			}
			s.advance(time.Minute)
			var failed *MPPEError
			if s.over == nil || !errors.As(s.over.Err, &failed) {
				t.Fatalf("ended with %+v", s.over)
			}
			if got := failed.Error(); got != tt.want {
				t.Errorf("%q, want\n%q", got, tt.want)
			}
			if s.ups != 0 {
				t.Error("the network was up")
			}
		})
	}
}

// TestCCPWithout: where MPPE is a wish the session goes on without.
func TestCCPWithout(t *testing.T) {
	for _, answer := range []string{"LCP Protocol-Reject id=9 80fd 0101000a", "CCP Configure-Reject id=1 <mppe +H +S>", "CCP Terminate-Request id=1"} {
		s := authenticated(t, MPPE{})
		s.want("CCP Configure-Request id=1 <mppe "+stateless128+">", "IPCP Configure-Request id=1 <addr 0.0.0.0> <dns1 0.0.0.0> <dns2 0.0.0.0>")
		s.recv(answer)
		s.recv("IPCP Configure-Request id=1 <addr 192.168.13.3>")
		s.recv("IPCP Configure-Nak id=1 <addr 192.168.13.200> <dns1 192.168.13.1> <dns2 192.168.13.1>")
		s.recv("IPCP Configure-Ack %ours")
		s.advance(5 * time.Minute)
		if s.net == nil || s.comp != nil || s.over != nil {
			t.Errorf("after %q: network %v, encryption %v, over %v", answer, s.net, s.comp, s.over)
		}
	}
}

// TestCCPOneDirection: encryption that was agreed on in one direction only is
// taken back.
func TestCCPOneDirection(t *testing.T) {
	s := authenticated(t, MPPE{})
	s.recv("CCP Configure-Request id=1 <mppe +H +S>")
	s.recv("CCP Configure-Reject id=1 <mppe +H +S>")
	s.sent = nil
	s.recv("CCP Configure-Ack id=2")
	if s.comp != nil {
		t.Error("MPPE is up in one direction")
	}
	s.want(`CCP Terminate-Request id=3 "MPPE in one direction only"`)
}

func TestCCPResets(t *testing.T) {
	s := encrypted(t, MPPE{Require: true, Stateful: true}, stateful128)
	s.sent = nil
	s.recv("CCP Reset-Request id=7")
	s.want("CCP Reset-Ack id=7")
	if s.flushes != 1 {
		t.Errorf("%d flushes", s.flushes)
	}

	s.sent = nil
	for range 3 { // as many packets that cannot be opened
		s.RequestReset(s.now)
	}
	s.drain()
	s.want("CCP Reset-Request id=2")
	s.recv("CCP Reset-Ack id=1")
	if s.resets != 0 {
		t.Error("an Ack of something else counts")
	}
	s.advance(resetWait)
	s.want("CCP Reset-Request id=2") // it seems lost: more packets are missing
	s.recv("CCP Reset-Ack id=2")
	if s.resets != 1 {
		t.Errorf("%d resets acknowledged", s.resets)
	}
	s.recv("CCP Reset-Ack id=2")
	if s.resets != 1 {
		t.Error("an Ack counts twice")
	}
	s.RequestReset(s.now)
	s.drain()
	s.want("CCP Reset-Request id=3")
	s.advance(10 * resetWait) // RFC 3078 has no Ack, and no further packet was missing
	for _, text := range s.sent {
		if strings.HasPrefix(text, "CCP") {
			t.Errorf("sent %q", text)
		}
	}
}

// TestCCPAgain: a negotiation in the middle of a session takes encryption down
// first, and NetworkUp does not come before it is up again.
func TestCCPAgain(t *testing.T) {
	s := encrypted(t, MPPE{Require: true}, stateless128)
	s.recv("CCP Configure-Request id=5 <mppe +H +S>")
	s.want("CCP Configure-Request id=2 <mppe "+stateless128+">", "CCP Configure-Ack id=5 <mppe "+stateless128+">")
	if s.comp != nil {
		t.Fatal("still up")
	}
	s.recv("IPCP Configure-Request id=5 <addr 192.168.13.3>") // and IPCP begins anew meanwhile
	s.recv("IPCP Configure-Ack %ours")
	if s.net != nil {
		t.Fatal("the network is up")
	}
	s.recv("CCP Configure-Ack %ours")
	if s.comp == nil || s.net == nil || s.compUps != 2 || s.ups != 2 {
		t.Fatalf("encryption %v, network %v", s.comp, s.net)
	}

	s.sent = nil
	s.Renegotiate(s.now)
	s.drain()
	s.want("CCP Configure-Request id=3 <mppe " + stateless128 + ">")
	if s.comp != nil || s.net == nil {
		t.Fatalf("encryption %v, network %v", s.comp, s.net)
	}
	s.recv("CCP Configure-Reject id=3 <mppe +H +S>")
	s.advance(10 * time.Second)
	var failed *MPPEError
	if s.over == nil || !errors.As(s.over.Err, &failed) {
		t.Fatalf("ended with %+v", s.over)
	}
}

// TestCCPClosedLater: a peer that closes CCP is asked again, and never is
// anything sent in clear.
func TestCCPClosedLater(t *testing.T) {
	s := encrypted(t, MPPE{Require: true}, stateless128)
	s.recv("CCP Terminate-Request id=5")
	s.want("CCP Terminate-Ack id=5")
	if s.comp != nil {
		t.Fatal("still up")
	}
	s.advance(time.Second)
	s.want("CCP Configure-Request id=2 <mppe " + stateless128 + ">")
	s.recv("CCP Configure-Request id=6 <mppe +H +S>")
	s.recv("CCP Configure-Ack %ours")
	if s.comp == nil || s.net == nil {
		t.Fatalf("encryption %v, network %v", s.comp, s.net)
	}
	s.recv("CCP Terminate-Request id=7")
	s.advance(time.Minute)
	var failed *MPPEError
	if s.over == nil || !errors.As(s.over.Err, &failed) {
		t.Fatalf("ended with %+v", s.over)
	}
}

// TestCCPOutOfStep: a peer that rejects protocols nobody sent decrypts noise;
// so it is with stateful MPPE of Linux when a flushed packet is lost.
func TestCCPOutOfStep(t *testing.T) {
	s := encrypted(t, MPPE{Require: true, Stateful: true}, stateful128)
	s.recv("LCP Protocol-Reject id=2 0063 6363")
	s.recv("LCP Protocol-Reject id=3 94cd fbb1")
	s.want()
	s.recv("LCP Protocol-Reject id=4 6add 60a1")
	s.want("CCP Configure-Request id=2 <mppe " + stateful128 + ">")
	if s.comp != nil {
		t.Error("still up")
	}
}

// TestCCPNotForEver: encryption that keeps failing ends the session.
func TestCCPNotForEver(t *testing.T) {
	s := encrypted(t, MPPE{Require: true}, stateless128)
	for id := byte(10); id < 30 && s.err == nil; id++ {
		s.Renegotiate(s.now)
		s.drain()
		s.frame(AppendFrame(nil, ProtocolCCP, AppendPacket(nil, Packet{ConfigureRequest, id, unhex(t, "1206 01000040")}), false, false))
		s.recv("CCP Configure-Ack %ours")
		s.advance(time.Second)
	}
	s.advance(10 * time.Second)
	var failed *MPPEError
	if s.over == nil || !errors.As(s.over.Err, &failed) {
		t.Fatalf("ended with %+v", s.over)
	}
	if s.compUps != 1+renegotiateLimit {
		t.Errorf("MPPE was up %d times", s.compUps)
	}
}

// TestMPPERefused: one side requires what the other refuses.
func TestMPPERefused(t *testing.T) {
	w := join(t, clientConfig(auth.MSCHAPv2, MPPE{Require: true}), serverConfig(auth.MSCHAPv2, MPPE{Refuse: true}), good)
	w.open()
	w.run(time.Minute, w.bothOver)
	var failed *MPPEError
	if c := w.client(); c.over == nil || !errors.As(c.over.Err, &failed) || c.ups != 0 {
		t.Errorf("client ended with %+v\n%s", c.over, w.tail())
	}
	w = join(t, clientConfig(auth.MSCHAPv2, MPPE{Refuse: true}), serverConfig(auth.MSCHAPv2, MPPE{Require: true}), good)
	w.open()
	w.run(time.Minute, w.bothOver)
	if s := w.server(); s.over == nil || !errors.As(s.over.Err, &failed) || s.ups != 0 || failed.Peer != "client" {
		t.Errorf("server ended with %+v\n%s", s.over, w.tail())
	}
}

// TestIPCPAfterCCP: a peer that was not ready for IPCP before CCP is asked
// again as soon as it may be.
func TestIPCPAfterCCP(t *testing.T) {
	s := authenticated(t, MPPE{})
	s.recv("IPCP Terminate-Ack id=1")
	s.sent = nil
	s.recv("CCP Configure-Request id=1 <mppe +H +S>")
	s.recv("CCP Configure-Ack %ours")
	s.advance(0)
	s.want("CCP Configure-Ack id=1 <mppe "+stateless128+">", "IPCP Configure-Request id=1 <addr 0.0.0.0> <dns1 0.0.0.0> <dns2 0.0.0.0>")
}
