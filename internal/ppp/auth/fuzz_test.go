package auth

import (
	"testing"
	"time"
)

// feed cuts input into steps: an octet chooses between the clock and a packet
// of one of the protocols, with the header made right most of the time, so that
// the fuzzer gets further than that.
func feed(input []byte, proto uint16, advance func(), handle func(proto uint16, b []byte)) {
	for steps := 0; len(input) > 2 && steps < 64; steps++ {
		op, n := input[0], int(input[1])
		input = input[2:]
		n = min(n, len(input))
		data := input[:n]
		input = input[n:]
		switch {
		case op&0x0f == 0:
			advance()
		case op&0x0f == 1:
			handle(proto, data)
		case op&0x0f == 2:
			handle([]uint16{ProtocolPAP, ProtocolCHAP, ProtocolEAP, 0}[op>>4&3], data)
		case len(data) >= 2:
			handle(proto, appendPacket(nil, data[0], data[1], data[2:]))
		}
	}
}

// check looks at what comes out of a core.
func check(t *testing.T, m Method, c interface{ NextEvent() Event }, mayPass bool, sent func([]byte)) {
	for ev := c.NextEvent(); ev != nil; ev = c.NextEvent() {
		switch ev := ev.(type) {
		case Send:
			if _, ok := parsePacket(ev.Packet); !ok || ev.Protocol != m.Protocol() {
				t.Fatalf("%v sends %x as %x", m, ev.Packet, ev.Protocol)
			}
			if sent != nil {
				sent(ev.Packet)
			}
		case Done:
			if _, _, keys := ev.StartKeys(false); !mayPass || keys && m == EAP {
				t.Fatalf("%v: done without proof: %+v", m, ev)
			}
		case Renewed:
			if !mayPass {
				t.Fatalf("%v: renewed without proof: %+v", m, ev)
			}
		case Failed:
			if ev.Err == nil || ev.Err.Error() == "" {
				t.Fatalf("%v: failed without a reason", m)
			}
		}
	}
}

func seeds(f *testing.F) {
	for _, v := range recordings {
		for _, list := range [][]string{v.server, v.client} {
			var all []byte
			for _, s := range list {
				b := unhex(f, s)
				all = append(append(all, 1, byte(len(b))), b...)
			}
			f.Add(uint8(v.m-1), all)
			if v.m == EAP {
				f.Add(uint8(0x81), all) // MD5 allowed
			}
		}
	}
	f.Add(uint8(EAP-1), []byte("\x03\x03\x01\x05\x01\x03\x1a\x01\x06\x1a\x01\x07\x00\x16\x100123456789abcdefs\x03\x02\x03\x06\x00\x00\x00\x00"))
	f.Add(uint8(MSCHAPv2-1), []byte("\x03\x0e\x04\x07E=648 R=0 V=3\x03\x04\x03\x08S="))
}

// FuzzPeer: whatever a server sends, the peer does not fall over, and where the
// method asks the server for proof it is never Done: the server here has none.
func FuzzPeer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, m uint8, input []byte) {
		method := Method(m%uint8(EAP)) + 1
		p := NewPeer(method, PeerConfig{User: "sio4", Password: "kq7-Vx2!m0", NewPassword: "another", AllowEAPMD5: m&0x80 != 0, Rand: chaCha(m)})
		now := epoch
		// PAP, CHAP and version 1 take the server's word, and so does EAP with MD5.
		mayPass := method == PAP || method == CHAP || method == MSCHAP || method == EAP && m&0x80 != 0
		p.Start(now)
		check(t, method, p, mayPass, nil)
		feed(input, method.Protocol(), func() {
			if d := p.Deadline(); !d.IsZero() {
				now = d
				p.Advance(now)
				check(t, method, p, mayPass, nil)
			}
		}, func(proto uint16, b []byte) {
			p.Handle(now, proto, b)
			check(t, method, p, mayPass, nil)
		})
	})
}

// FuzzAuthenticator: whatever a peer sends, it is not let in: it does not know
// the password.
func FuzzAuthenticator(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, m uint8, input []byte) {
		method := Method(m%uint8(EAP)) + 1
		a := NewAuthenticator(method, AuthenticatorConfig{
			Name: "server", EAPMD5: m&0x80 != 0, Rand: chaCha(m), Rechallenge: time.Minute,
			Lookup: func(user string) (Credential, error) {
				return Credential{Password: "kq7-Vx2!m0", Expired: m&0x40 != 0}, nil
			},
			ChangePassword: func(string, Secret) error { t.Fatal("password changed"); return nil },
		})
		now := epoch
		a.Start(now)
		var last byte // identifier of what was sent last: the answer to it gets further
		note := func(b []byte) { last = b[1] }
		check(t, method, a, false, note)
		feed(input, method.Protocol(), func() {
			if d := a.Deadline(); !d.IsZero() {
				now = d
				a.Advance(now)
				check(t, method, a, false, note)
			}
		}, func(proto uint16, b []byte) {
			if len(b) > 1 && m&0x20 == 0 {
				b = append([]byte(nil), b...)
				b[1] = last
			}
			a.Handle(now, proto, b)
			check(t, method, a, false, note)
		})
	})
}
