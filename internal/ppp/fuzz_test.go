package ppp

import (
	"encoding/binary"
	"testing"
	"time"

	"goppptp/internal/ppp/auth"
)

// stages are the points of a session from which FuzzLinkHandle goes on: the
// number of frames of a good peer that are taken first.
const stages = 12

// FuzzLinkHandle gives a link, client or server, somewhere between its first
// frame and a session that is up, frames that a peer should not send. Whatever
// they are there is no panic, no NetworkUp before CompressionUp where MPPE is
// required, nothing after Finished, and no burst of frames in answer to one.
//
// The input is a list of frames: a length octet each, whose upper bit says that
// time passes first.
func FuzzLinkHandle(f *testing.F) {
	frame := func(hex ...string) []byte {
		var b []byte
		for _, h := range hex {
			raw := unhex(f, h)
			b = append(append(b, byte(len(raw))), raw...)
		}
		return b
	}
	for _, seed := range [][]byte{
		frame("ff03c021 01010014 0206 00000000 0506 aacee40d 0702 0802"),
		frame("c021 03010009 0305 c22381"), frame("c021 0901 0008 00000001"), frame("c021 0801 0006 80fd"),
		frame("c021 0501 0004", "c021 0602 0004"), frame("c021 0701 0005 01"), frame("c021 0c01 0008 00000000"),
		frame("80fd 0101000a 1206 01000040", "80fd 0201000a 1206 01000040"), frame("80fd 0101 0004"),
		frame("80fd 0301000a 1206 01000020"), frame("80fd 0401000a 1206 01000040"), frame("80fd 0e010004", "80fd 0f010004"),
		frame("80fd 0501 0004", "80fd 0105000a 1206 01000040"),
		frame("8021 0101000a 0306 00000000"), frame("8021 0301000a 0306 c0a80dc8", "8021 0202000a 0306 c0a80dc8"),
		frame("8021 0501 0004"), frame("8057 0101000e 010a 1021da9c4938008d"),
		frame("c223 017f0015 10 f7eb8b928f8f80af93609026ee04ecc2"), frame("c223 037f0004"), frame("0021 4500", "fd 9000"),
		{0x80, 0xff, 0x80, 0x80},
	} {
		for _, server := range []bool{false, true} {
			for stage := range byte(stages) {
				f.Add(server, stage, seed)
			}
		}
	}
	f.Fuzz(func(t *testing.T, server bool, stage byte, input []byte) {
		c, s := clientConfig(auth.MSCHAPv2, MPPE{Require: true}), serverConfig(auth.MSCHAPv2, MPPE{Require: true})
		c.IPv6, s.IPv6 = true, true
		c.Echo.Interval, s.Echo.Interval = 30*time.Second, 30*time.Second
		taken := 0
		w := join(t, c, s, good)
		w.open()
		me := w.client()
		if server {
			me = w.server()
		}
		w.run(5*time.Second, func() bool { // until me has had stage frames
			if len(w.wire) > 0 && w.ends[w.wire[0].to] == me {
				taken++
			}
			return taken >= int(stage%stages)
		})
		now := w.now
		for n := 0; len(input) > 0 && n < 200; n++ {
			size := int(input[0] & 0x7f)
			if input[0]&0x80 != 0 {
				if d := me.Deadline(); !d.IsZero() && d.After(now) {
					now = d
				}
				me.Advance(now)
			}
			input = input[1:]
			size = min(size, len(input))
			frame := append([]byte(nil), input[:size]...)
			input = input[size:]
			patchID(me, frame)
			me.Handle(now, frame)
			sent := 0
			for ev := me.NextEvent(); ev != nil; ev = me.NextEvent() {
				if _, ok := ev.(SendFrame); ok {
					sent++
				}
				me.take(ev)
			}
			if sent > 12 {
				t.Fatalf("%d frames in answer to %x", sent, frame)
			}
			if me.net != nil && me.comp == nil && me.ups == 1 && me.compUps == 0 {
				t.Fatal("the network is up without encryption")
			}
		}
		me.Down(now, nil)
		for ev := me.NextEvent(); ev != nil; ev = me.NextEvent() {
			me.take(ev)
		}
		if me.over == nil {
			t.Fatal("not finished")
		}
	})
}

// patchID makes an answer of the fuzzer's fit our last request if it says 0xff
// for its identifier, and an Ack its options; it would hardly find them.
func patchID(me *end, frame []byte) {
	p, info, err := ParseFrame(frame)
	if err != nil || len(info) < packetHeader || info[1] != 0xff {
		return
	}
	for _, m := range []*machine{&me.lcpM, &me.ccpM, &me.ipcpM, me.ipv6M} {
		if m != nil && m.talk != nil && m.protocol == p && Code(info[0]) >= ConfigureAck && Code(info[0]) <= ConfigureReject {
			info[1] = m.reqID
			if Code(info[0]) == ConfigureAck && len(info) >= packetHeader+len(m.request) {
				copy(info[packetHeader:], m.request)
				binary.BigEndian.PutUint16(info[2:], uint16(packetHeader+len(m.request)))
			}
		}
	}
}
