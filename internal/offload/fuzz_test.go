package offload

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// FuzzSplitter: no frame is too strange, and the packets of one that was cut
// are right; one that was not is as it was but for its checksum.
func FuzzSplitter(f *testing.F) {
	for _, s := range []packet{
		{payload: random(3000), options: make([]byte, 12)}, {udp: true, payload: random(2500)}, {src: host6, dst: peer6, payload: random(3000)},
		{src: host6, dst: peer6, udp: true, payload: random(100)}, {src: host6, dst: peer6, payload: random(300), extension: make([]byte, 8), kind: extDestination},
	} {
		b := large(s, 1000)
		f.Add(b, uint16(1500))
		b = slices.Clone(b)
		b[1] = gsoNone
		f.Add(b, uint16(9000))
		f.Add(frame(header{}, s.bytes()), uint16(100))
	}
	f.Fuzz(func(t *testing.T, b []byte, room uint16) {
		before := slices.Clone(b)
		var s Splitter
		if err := s.Load(b); err != nil {
			if n, err := s.Next(make([]byte, 100)); n != 0 || err != nil {
				t.Fatalf("after an error of Load: %d, %v", n, err)
			}
			return
		}
		h := parseHeader(b)
		routed := s.kind.v6() && bytes.IndexByte(b[HeaderLen:], extRouting) >= 0
		out := make([]byte, room)
		payload, calls, lost := 0, 0, false
		for {
			n, err := s.Next(out)
			if n == 0 && err == nil {
				break
			}
			if calls++; calls > len(b) {
				t.Fatal("no end of packets")
			}
			if err != nil {
				lost = true
				continue
			}
			p := out[:n]
			if s.kind == whole {
				want := slices.Clone(before[HeaderLen:])
				if h.flags&needsChecksum != 0 {
					at := int(h.checksumStart)
					c := ^uint16(naive(want[at:], 0))
					if c == 0 {
						c = 0xffff
					}
					binary.BigEndian.PutUint16(want[at+int(h.checksumOffset):], c)
				}
				if !bytes.Equal(p, want) {
					t.Fatalf("a whole packet became % x, not % x", p, want)
				}
				continue
			}
			// With a routing header the sum is of what the kernel put there.
			if err := check(p); err != nil && !routed {
				t.Fatalf("packet %d: %v: % x", calls, err, p)
			}
			payload += n - s.head
		}
		if s.kind != whole && !lost && payload != len(b)-HeaderLen-s.head {
			t.Errorf("%d octets of payload became %d", len(b)-HeaderLen-s.head, payload)
		}
		if !bytes.Equal(before, b) {
			t.Error("the frame has changed")
		}
	})
}

// FuzzJoiner makes packets of a script: whatever a peer sends comes back, each
// flow in its order, when the frames are cut.
func FuzzJoiner(f *testing.F) {
	f.Add([]byte("\x00\x10\x00\x00\x00\x00\x10\x00\x00\x00\x00\x10\x00\x00\x00"))
	f.Add([]byte("\x01\x20\x00\x00\x00\x01\x20\x01\x21\x10\x01\x20\x00\x00\x00\x02\x40\x00\x00\x00\x02\x40\x00\x00\x00\x03\x30\x02\x04\x40"))
	f.Fuzz(func(t *testing.T, script []byte) {
		flows := []packet{
			{fragment: 0x4000}, {sport: 1, options: make([]byte, 12)}, {src: host6, dst: peer6}, {udp: true}, {src: host6, dst: peer6, udp: true}, {fragment: 0x4000, sport: 2, ack: 4},
		}
		var in [][]byte
		// Of each five octets: flow, size of the payload, what to change, and how.
		for ; len(script) >= 5 && len(in) < 300; script = script[5:] {
			s := &flows[int(script[0])%len(flows)]
			s.payload = random(int(script[1]))
			p := s.bytes()
			s.seq += uint32(len(s.payload))
			s.id++
			at, with := int(script[3]), script[4]
			switch script[2] % 5 {
			case 1: // changed, with its checksums kept right
				if at%len(p) >= 8 { // not where the kind and length stand
					p[at%len(p)] ^= with
					repair(p)
				}
			case 2: // damaged
				p[at%len(p)] ^= with
			case 3: // cut off
				p = p[:at%(len(p)+1)]
			case 4:
				s.seq += uint32(with)
			}
			in = append(in, p)
		}
		var out [][]byte
		for i, frame := range join(&Joiner{TCP: true, UDP: true}, clone(in)) {
			if h := parseHeader(frame); h == (header{}) {
				out = append(out, frame[HeaderLen:])
				continue
			}
			packets, err := split(frame)
			if err != nil {
				t.Fatalf("frame %d cannot be cut: %v", i, err)
			}
			if len(frame)-HeaderLen > maxPacket || len(packets) < 2 {
				t.Fatalf("frame %d has %d octets in %d packets", i, len(frame), len(packets))
			}
			for _, p := range packets {
				if err := check(p); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
			}
			out = append(out, packets...)
		}
		same(t, in, out)
	})
}

// repair makes the checksums of a packet right, if its headers are.
func repair(p []byte) {
	s := parse(p)
	if s.kind == whole || s.head > len(p) || s.head < s.ip+udpLen {
		return
	}
	if !s.kind.v6() {
		p[10], p[11] = 0, 0
		binary.BigEndian.PutUint16(p[10:], Checksum(p[:s.ip]))
	}
	t := p[s.ip:]
	if c := s.kind.checksumOffset(); len(t) >= c+2 {
		t[c], t[c+1] = 0, 0
		putChecksum(t[c:], sum(t, add(addresses(p, s.kind.protocol()), lengthWord(len(t)))))
	}
}
