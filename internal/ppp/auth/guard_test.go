package auth

import (
	"bytes"
	"testing"

	"goppptp/internal/mschap"
)

// TestProofOfNothing: before there is anything to prove, a server can compute a
// "proof" over zeros. It must not be looked at.
func TestProofOfNothing(t *testing.T) {
	zero := mschap.AuthenticatorResponse(mschap.NTHash{}.Hash(), [24]byte{}, [16]byte{}, [16]byte{}, "u")
	for _, own := range []mschap.NTHash{{}, mschap.NTPasswordHash("p")} {
		proof := mschap.AuthenticatorResponse(own.Hash(), [24]byte{}, [16]byte{}, [16]byte{}, "u")
		for _, text := range []string{zero, proof, "E=691 R=0", "E=648 R=0 C=00000000000000000000000000000000 V=3"} {
			for _, op := range []byte{chapSuccess, chapFailure} {
				p := NewPeer(MSCHAPv2, PeerConfig{User: "u", NTHash: &own, NewPassword: "q"})
				p.Start(epoch)
				p.Handle(epoch, ProtocolCHAP, appendPacket(nil, op, 0, []byte(text)))
				if got := events(p); got != nil {
					t.Errorf("mschapv2, %q: %v", text, got)
				}
				s := newScript(t, PeerConfig{NTHash: &own, NewPassword: "q"})
				s.want(s.recv(eapRequest, 1, askName), eapResponse, 1, "\x01u")
				if got := s.recv(eapRequest, 2, string(appendInner(nil, inner{op, 0, []byte(text)}))); got != nil {
					t.Errorf("eap, %q: %v", text, got)
				}
				if got := s.recv(eapSuccess, 2, ""); got != nil {
					t.Errorf("eap, %q, success: %v", text, got)
				}
			}
		}
	}
}

// TestEAPOutOfTurn: whatever the peer says out of turn is ignored, at every
// step: only the right operation, in its step, with its identifier, goes on.
func TestEAPOutOfTurn(t *testing.T) {
	operations := [][]byte{
		{eapTypeMSCHAPv2, chapSuccess}, {eapTypeMSCHAPv2, chapFailure}, {eapTypeMSCHAPv2, chapChange}, {eapTypeMSCHAPv2, chapChallenge},
		{eapTypeMSCHAPv2}, {eapTypeMSCHAPv2, chapResponse}, {eapTypeMSCHAPv2, 0}, {eapTypeNotification}, {0}, {},
		appendInner(nil, inner{chapResponse, 1, nil}),
		appendInner(nil, inner{chapChange, 1, make([]byte, v2ChangeLen)}),
		append([]byte{eapTypeMD5, 16}, make([]byte, 16)...), {eapTypeMD5},
	}
	for _, v := range variants {
		if v.m != EAP {
			continue
		}
		x := v.pair(t, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p"), EAPMD5: true})
		filter := x.lose
		x.lose = func(fromPeer bool, n int, b []byte) bool {
			if filter != nil && filter(fromPeer, n, b) {
				return true
			}
			if !fromPeer {
				return false
			}
			a := x.auth.m.(*eapAuthenticator)
			for _, op := range operations {
				if len(op) > 1 && len(b) > 5 && op[0] == b[4] && (op[1] == b[5] || a.step == stepProof && op[1] == chapFailure) {
					continue // what is due now, or a No to our proof
				}
				step, id := a.step, a.id
				x.auth.Handle(x.now, ProtocolEAP, appendPacket(nil, eapResponse, b[1], op))
				if a.step != step || a.id != id || len(a.queue) != 0 {
					t.Fatalf("%s: step %d, %x: step %d, %v", v.name, step, op, a.step, a.queue)
				}
			}
			for id := range 256 { // the due thing with another identifier
				if byte(id) != b[1] {
					other := append([]byte(nil), b...)
					other[1] = byte(id)
					x.auth.Handle(x.now, ProtocolEAP, other)
				}
			}
			if len(a.queue) != 0 {
				t.Fatalf("%s: %v", v.name, a.queue)
			}
			return false
		}
		x.run().wantDone("u", v.keys)
	}
}

// TestEAPRenewalRefused: a Failure during the session counts only while a
// response of ours awaits a verdict.
func TestEAPRenewalRefused(t *testing.T) {
	x := newPair(t, EAP, PeerConfig{User: "u", Password: "p"}, AuthenticatorConfig{Lookup: fixed("u", "p")})
	x.run().wantDone("u", true)
	id := x.a.sent[len(x.a.sent)-1][1]
	fail := func(id byte) []Event {
		x.peer.Handle(x.now, ProtocolEAP, []byte{eapFailure, id, 0, 4})
		return events(x.peer)
	}
	for i := range 256 {
		if got := fail(byte(i)); got != nil {
			t.Fatalf("%v", got)
		}
	}
	x.peer.Handle(x.now, ProtocolEAP, appendPacket(nil, eapRequest, id+1, []byte(askName)))
	answered(t, events(x.peer))
	if !x.peer.Deadline().IsZero() {
		t.Error("a deadline during the session")
	}
	x.peer.Handle(x.now, ProtocolEAP, appendPacket(nil, eapRequest, id+2, []byte(askV2)))
	answered(t, events(x.peer))
	if got := fail(id + 5); got != nil {
		t.Fatalf("another identifier: %v", got)
	}
	if got := fail(id + 2); len(got) != 1 {
		t.Fatalf("%v", got)
	} else if _, ok := got[0].(Failed); !ok {
		t.Fatalf("%v", got)
	}
}

// TestChangeIdentifiers: the Change-Password packet counts one on from the
// Failure, outside and inside EAP, and has the length of RFC 2759, Section 7.
func TestChangeIdentifiers(t *testing.T) {
	for _, m := range []Method{MSCHAPv2, EAP} {
		x := newPair(t, m, PeerConfig{User: "u", Password: "old", NewPassword: "new"}, AuthenticatorConfig{
			Lookup: one("u", Credential{Password: "old", Expired: true}), ChangePassword: func(string, Secret) error { return nil },
		})
		x.run().wantDone("u", true)
		failure, change, success := x.a.sent[1], x.p.sent[1], x.a.sent[2]
		code := change[0]
		if m == EAP {
			failure, change, success = x.a.sent[2][5:], x.p.sent[2][5:], x.a.sent[3][5:]
			code = change[0]
		}
		if code != chapChange || change[1] != failure[1]+1 || success[1] != change[1] || len(change) != 586 || change[2] != 586>>8 || change[3] != 586&0xff {
			t.Errorf("%v: failure %x, change %x of %d, success %x", m, failure[:4], change[:4], len(change), success[:4])
		}
	}
}

// TestExpiredAgain: a server that says "expired" to the change itself.
func TestExpiredAgain(t *testing.T) {
	x := newPair(t, MSCHAPv2, PeerConfig{User: "u", Password: "old", NewPassword: "new"}, AuthenticatorConfig{
		Lookup: one("u", Credential{Password: "old", Expired: true}), ChangePassword: func(string, Secret) error { return nil },
	})
	x.lose = func(fromPeer bool, n int, b []byte) bool {
		if fromPeer && b[0] == chapChange {
			x.peer.Handle(x.now, ProtocolCHAP, appendPacket(nil, chapFailure, b[1], []byte("E=648 R=0 V=3")))
			return true
		}
		return false
	}
	x.run()
	if e, ok := x.p.failed.(*Error); !ok || e.Code != 648 || e.Why != WhyChange || len(x.p.sent) != 2 {
		t.Errorf("%v, after %d packets", x.p.failed, len(x.p.sent))
	}
}

// TestPAPOnce: a second answer is old news.
func TestPAPOnce(t *testing.T) {
	for _, first := range []byte{papAck, papNak} {
		p := NewPeer(PAP, PeerConfig{User: "u", Password: "p"})
		p.Start(epoch)
		p.Handle(epoch, ProtocolPAP, []byte{first, 1, 0, 4}) // no message at all
		if got := events(p); len(got) != 2 {
			t.Fatalf("%v", got)
		}
		for _, code := range []byte{papAck, papNak, papAck} {
			p.Handle(epoch, ProtocolPAP, []byte{code, 1, 0, 5, 0})
		}
		if got := events(p); got != nil {
			t.Errorf("%v", got)
		}
	}
}

// TestSendBelongsToReceiver: who gets a packet may write over it.
func TestSendBelongsToReceiver(t *testing.T) {
	a := NewAuthenticator(CHAP, AuthenticatorConfig{Rand: chaCha(1)})
	a.Start(epoch)
	first := events(a)[0].(Send).Packet
	want := bytes.Clone(first)
	clear(first)
	a.Advance(a.Deadline())
	if got := events(a)[0].(Send).Packet; !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestPacketLengths: the length in the header is believed only where it can be.
func TestPacketLengths(t *testing.T) {
	for n, want := range map[byte]int{0: -1, 3: -1, 4: 0, 5: 1, 6: 2, 7: -1} {
		p, ok := parsePacket([]byte{1, 2, 0, n, 8, 9})
		if ok != (want >= 0) || ok && len(p.data) != want {
			t.Errorf("length %d: %v, %x", n, ok, p.data)
		}
	}
}

// TestLongName: a name longer than any account's is refused without a look-up,
// and only the beginning of it is told.
func TestLongName(t *testing.T) {
	for _, tt := range []struct {
		length int
		asked  bool
	}{{255, true}, {256, false}, {9000, false}} {
		name := bytes.Repeat([]byte("n"), tt.length)
		asked := false
		a := NewAuthenticator(CHAP, AuthenticatorConfig{Rand: chaCha(1), Lookup: func(string) (Credential, error) {
			asked = true
			return Credential{Password: "p"}, nil
		}})
		a.Start(epoch)
		var failed *Error
		for _, ev := range events(a) {
			if s, ok := ev.(Send); ok {
				a.Handle(epoch, ProtocolCHAP, appendPacket(nil, chapResponse, s.Packet[1], appendValue(nil, make([]byte, 16)), name))
			}
		}
		for _, ev := range events(a) {
			if f, ok := ev.(Failed); ok {
				failed, _ = f.Err.(*Error)
			}
		}
		if asked != tt.asked || failed == nil || failed.Why != WhyCredentials || len(failed.Error()) > 400 {
			t.Errorf("%d octets: asked %v, %v", tt.length, asked, failed)
		}
	}
}
