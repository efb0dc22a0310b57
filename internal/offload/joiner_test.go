package offload

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// stream is n segments of size octets in sequence, each changed by f.
func stream(s packet, n, size int, f func(i int, s *packet)) []packet {
	var out []packet
	for i := range n {
		p := s
		p.payload = random(size + i)[:size]
		if f != nil {
			f(i, &p)
		}
		out = append(out, p)
		s.seq += uint32(len(p.payload))
		s.id++
	}
	return out
}

func at(i int, f func(s *packet)) func(int, *packet) {
	return func(k int, s *packet) {
		if k == i {
			f(s)
		}
	}
}

// sizes is how many packets each frame has, as cutting it up shows.
func sizes(t testing.TB, frames [][]byte) (n []int, all [][]byte) {
	t.Helper()
	for i, f := range frames {
		out, err := split(f)
		if err != nil {
			t.Fatalf("frame %d cannot be cut: %v", i, err)
		}
		if h := parseHeader(f); len(out) == 1 && h != (header{}) || len(out) > 1 && h.flags != needsChecksum {
			t.Errorf("frame %d of %d packets has the header %+v", i, len(out), h)
		}
		n = append(n, len(out))
		all = append(all, out...)
	}
	return n, all
}

// TestJoiner has what is joined, and above all what is not.
func TestJoiner(t *testing.T) {
	usual := packet{seq: 0xffffff00, ack: 5, window: 500, id: 0xfffd, fragment: 0x4000, options: []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}}
	six := packet{src: host6, dst: peer6, seq: 9, window: 500, label: 7}
	udp := packet{udp: true, id: 4}
	for _, c := range []struct {
		name    string
		packets []packet
		want    []int
	}{
		{"a run", stream(usual, 10, 1400, nil), []int{10}},
		{"a shorter last", stream(usual, 5, 1400, at(4, func(s *packet) { s.payload = s.payload[:1] })), []int{5}},
		{"a shorter one ends it", stream(usual, 5, 1400, at(2, func(s *packet) { s.payload = s.payload[:1399] })), []int{3, 2}},
		{"a longer one begins anew", stream(usual, 5, 1300, at(2, func(s *packet) { s.payload = random(1301) })), []int{2, 2, 1}},
		{"PSH ends it", stream(usual, 5, 1400, at(2, func(s *packet) { s.flags = flagACK | flagPSH })), []int{3, 2}},
		{"PSH on each", stream(usual, 3, 1400, func(_ int, s *packet) { s.flags = flagACK | flagPSH }), []int{1, 1, 1}},
		{"FIN", stream(usual, 3, 1400, at(2, func(s *packet) { s.flags = flagACK | flagFIN })), []int{2, 1}},
		{"SYN", stream(usual, 3, 1400, at(1, func(s *packet) { s.flags = flagACK | flagSYN })), []int{1, 1, 1}},
		{"RST", stream(usual, 3, 1400, at(1, func(s *packet) { s.flags = flagACK | flagRST })), []int{1, 1, 1}},
		{"URG", stream(usual, 3, 1400, at(1, func(s *packet) { s.flags = flagACK | flagURG })), []int{1, 1, 1}},
		{"no ACK", stream(usual, 3, 1400, func(_ int, s *packet) { s.flags = flagPSH }), []int{1, 1, 1}},
		{"CWR", stream(usual, 4, 1400, at(1, func(s *packet) { s.flags = flagACK | flagCWR })), []int{1, 1, 2}},
		{"CWR on all", stream(usual, 3, 1400, func(_ int, s *packet) { s.flags = flagACK | flagCWR }), []int{1, 1, 1}},
		{"ECE on all", stream(usual, 3, 1400, func(_ int, s *packet) { s.flags = flagACK | flagECE }), []int{3}},
		{"ECE from the second on", stream(usual, 3, 1400, func(i int, s *packet) { s.flags = flagACK | flagECE*byte(min(i, 1)) }), []int{1, 2}},
		{"reserved bits", stream(usual, 3, 1400, at(1, func(s *packet) { s.reserved = 1 })), []int{1, 1, 1}},
		{"an urgent pointer without URG", stream(usual, 3, 1400, at(1, func(s *packet) { s.urgent = 1 })), []int{1, 1, 1}},
		{"another acknowledgement", stream(usual, 4, 1400, func(i int, s *packet) { s.ack += uint32(i / 2) }), []int{2, 2}},
		{"another window", stream(usual, 4, 1400, func(i int, s *packet) { s.window += uint16(i / 2) }), []int{2, 2}},
		{"another timestamp", stream(usual, 4, 1400, func(i int, s *packet) { s.options = slices.Clone(s.options); s.options[7] += byte(i / 2) }), []int{2, 2}},
		{"fewer options", stream(usual, 4, 1400, func(i int, s *packet) {
			if i > 1 {
				s.options = nil
			}
		}), []int{2, 2}},
		{"fewer options than the packet is long", stream(usual, 2, 2, at(1, func(s *packet) { s.options = nil })), []int{1, 1}},
		{"another time to live", stream(usual, 4, 1400, func(i int, s *packet) { s.ttl = 60 + byte(i/2) }), []int{2, 2}},
		{"a congestion mark", stream(usual, 4, 1400, func(i int, s *packet) { s.tos = 2 + byte(i/2) }), []int{2, 2}},
		{"DF on some", stream(usual, 4, 1400, func(i int, s *packet) { s.fragment = uint16(i/2) << 14 }), []int{2, 2}},
		{"another port", stream(usual, 4, 1400, func(i int, s *packet) { s.sport = uint16(i / 2) }), []int{2, 2}},
		{"a gap", stream(usual, 4, 1400, func(i int, s *packet) { s.seq += uint32(i / 2) }), []int{2, 2}},
		{"the same again", stream(usual, 3, 1400, func(_ int, s *packet) { s.seq = 1 }), []int{1, 1, 1}},
		{"the identification jumps", stream(usual, 4, 1400, func(i int, s *packet) { s.id += uint16(i / 2) }), []int{2, 2}},
		{"the identification grows by two", stream(usual, 3, 1400, func(i int, s *packet) { s.id += uint16(i) }), []int{1, 1, 1}},
		{"the identification stays, with DF", stream(usual, 4, 1400, func(_ int, s *packet) { s.id = 0 }), []int{4}},
		{"the identification stays, without DF", stream(usual, 2, 1400, func(_ int, s *packet) { s.id, s.fragment = 0, 0 }), []int{1, 1}},
		{"the identification stays at times", stream(usual, 4, 1400, func(i int, s *packet) { s.id = uint16(i / 2) }), []int{2, 2}},
		{"the identification grows, without DF", stream(usual, 4, 1400, func(_ int, s *packet) { s.fragment = 0 }), []int{4}},
		{"IP options", stream(usual, 2, 1300, func(_ int, s *packet) { s.ipOptions = []byte{1, 1, 1, 1} }), []int{1, 1}},
		{"IP options in between", stream(usual, 3, 1300, at(1, func(s *packet) { s.ipOptions = []byte{1, 1, 1, 1} })), []int{1, 1, 1}},
		{"fragments", stream(usual, 2, 1400, func(_ int, s *packet) { s.fragment = 0x2000 }), []int{1, 1}},
		{"last fragments", stream(usual, 2, 1400, func(_ int, s *packet) { s.fragment = 3 }), []int{1, 1}},
		{"another flow's fragment in between", slices.Insert(stream(usual, 2, 1400, nil), 1, packet{udp: true, fragment: 3}), []int{1, 1, 1}},
		{"other hosts' fragment in between", slices.Insert(stream(usual, 2, 1400, nil), 1, packet{src: "10.0.0.3", fragment: 3}), []int{2, 1}},
		{"a later one overtakes", slices.Insert(stream(usual, 2, 1400, nil), 1, packet{seq: 1, payload: random(1)}), []int{1, 1, 1}},
		{"a later one overtakes with PSH", slices.Insert(stream(usual, 2, 1400, nil), 1, packet{seq: 1, flags: flagACK | flagPSH, payload: random(1)}), []int{1, 1, 1}},
		{"a fragment in between", stream(usual, 3, 1400, at(1, func(s *packet) { s.fragment = 3 })), []int{1, 1, 1}},
		{"padding", stream(usual, 2, 1400, func(_ int, s *packet) { s.padding = 1 }), []int{1, 1}},
		{"no data", stream(usual, 3, 0, nil), []int{1, 1, 1}},
		{"no data in between", stream(usual, 3, 1400, at(1, func(s *packet) { s.payload = nil })), []int{1, 1, 1}},
		{"small segments", stream(usual, 1200, 8, nil), []int{1023, 177}},
		{"64 kB and a half", stream(usual, 70, 1400, nil), []int{46, 24}},
		{"TCP over IPv6", stream(six, 5, 1380, nil), []int{5}},
		{"64 kB of IPv6", stream(six, 50, 1400, nil), []int{46, 4}},
		{"another flow label", stream(six, 4, 1380, func(i int, s *packet) { s.label += uint32(i / 2) }), []int{2, 2}},
		{"another hop limit", stream(six, 4, 1380, func(i int, s *packet) { s.ttl = 60 + byte(i/2) }), []int{2, 2}},
		{"IPv6 padding", stream(six, 2, 1380, func(_ int, s *packet) { s.padding = 1 }), []int{1, 1}},
		{"an extension header", stream(six, 2, 1300, func(_ int, s *packet) { s.extension, s.kind = make([]byte, 8), extDestination }), []int{1, 1}},
		{"one in between", stream(six, 3, 1300, at(1, func(s *packet) { s.extension, s.kind = make([]byte, 8), extDestination })), []int{1, 1, 1}},
		{"datagrams", stream(udp, 5, 1200, nil), []int{5}},
		{"datagrams, the last shorter", stream(udp, 5, 1200, at(3, func(s *packet) { s.payload = s.payload[:700] })), []int{4, 1}},
		{"datagrams of IPv6", stream(packet{src: host6, dst: peer6, udp: true}, 5, 1200, nil), []int{5}},
		{"many datagrams", stream(udp, 70, 100, nil), []int{64, 6}},
		{"datagrams without a checksum", stream(udp, 3, 1200, func(_ int, s *packet) { s.noChecksum = true }), []int{1, 1, 1}},
		{"empty datagrams", stream(udp, 3, 0, nil), []int{1, 1, 1}},
	} {
		in := encode(c.packets)
		got, out := sizes(t, join(&Joiner{TCP: true, UDP: true}, clone(in)))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: frames of %v, want %v", c.name, got, c.want)
		}
		same(t, in, out)
	}
}

func encode(list []packet) [][]byte {
	var out [][]byte
	for _, s := range list {
		out = append(out, s.bytes())
	}
	return out
}

// TestJoinerLies: packets whose lengths contradict each other, or that have no
// checksum, go alone even where the sums happen to come out right.
func TestJoinerLies(t *testing.T) {
	header := func(p []byte) {
		p[10], p[11] = 0, 0
		putChecksum(p[10:], sum(p[:ipv4Len], 0))
	}
	for _, c := range []struct {
		name string
		of   packet
		lie  func(p []byte)
	}{
		{"IPv4 length", packet{}, func(p []byte) { p[3]--; header(p) }},
		{"IPv6 length", packet{src: host6, dst: peer6}, func(p []byte) { p[5]-- }},
		{"UDP length", packet{udp: true}, func(p []byte) { p[25]--; repair(p) }},
		{"no checksum", packet{udp: true}, func(p []byte) {
			p[26], p[27], p[28], p[29] = 0, 0, 0, 0
			putChecksum(p[28:], sum(p[20:], add(addresses(p, protocolUDP), lengthWord(len(p)-20))))
		}},
	} {
		in := encode(stream(c.of, 2, 100, nil))
		for _, p := range in {
			c.lie(p)
			if s := parse(p); !intact(p, s.ip, s.kind) {
				t.Fatalf("%s: the sums are wrong, too", c.name)
			}
		}
		if got, _ := sizes(t, join(&Joiner{TCP: true, UDP: true}, in)); !slices.Equal(got, []int{1, 1}) {
			t.Errorf("%s: frames of %v, want 1 and 1", c.name, got)
		}
	}
}

// TestJoinerOff: what the TUN does not take is not made.
func TestJoinerOff(t *testing.T) {
	tcp, udp := stream(packet{}, 3, 1000, nil), stream(packet{udp: true}, 3, 1000, nil)
	in := encode(slices.Concat(tcp, udp))
	for _, c := range []struct {
		tcp, udp bool
		want     []int
	}{{false, false, []int{1, 1, 1, 1, 1, 1}}, {true, false, []int{3, 1, 1, 1}}, {false, true, []int{1, 1, 1, 3}}} {
		got, out := sizes(t, join(&Joiner{TCP: c.tcp, UDP: c.udp}, clone(in)))
		if !slices.Equal(got, c.want) {
			t.Errorf("TCP %v, UDP %v: frames of %v, want %v", c.tcp, c.udp, got, c.want)
		}
		same(t, in, out)
	}
}

// TestJoinerDamage: every bit of a segment that is part of a run, turned over,
// makes it go alone and as it is; the rest is joined all the same.
func TestJoinerDamage(t *testing.T) {
	for _, s := range []packet{{fragment: 0x4000}, {src: host6, dst: peer6}, {udp: true}, {src: host6, dst: peer6, udp: true}} {
		in := encode(stream(s, 5, 60, nil))
		var j Joiner
		j.TCP, j.UDP = true, true
		for bit := range 8 * len(in[2]) {
			bad := clone(in)
			bad[2][bit/8] ^= 0x80 >> (bit % 8)
			want := slices.Clone(bad[2])
			frames := join(&j, clone(bad))
			found := false
			for _, f := range frames {
				if h := parseHeader(f); h == (header{}) && bytes.Equal(f[HeaderLen:], want) {
					found = true
				} else if h != (header{}) {
					out, err := split(f)
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range out {
						if !slices.ContainsFunc(in, func(o []byte) bool { return bytes.Equal(normal(o), normal(p)) }) {
							t.Fatalf("bit %d: a packet that was not sent: % x", bit, p)
						}
					}
				}
			}
			if !found {
				t.Fatalf("bit %d of a packet to %q: it did not leave alone and unchanged", bit, s.dst)
			}
			if len(frames) > 3 {
				t.Fatalf("bit %d: %d frames of five packets, one of them damaged", bit, len(frames))
			}
		}
		// The first is looked at only once there is a second.
		bad := clone(in)
		bad[0][len(bad[0])-1] ^= 1
		if got, _ := sizes(t, join(&j, clone(bad))); !slices.Equal(got, []int{1, 4}) {
			t.Errorf("the first damaged: frames of %v, want 1 and 4", got)
		}
	}
}

// TestJoinerFlows: flows that come interleaved are joined, each for itself;
// more than there is room for keep their order.
func TestJoinerFlows(t *testing.T) {
	for _, n := range []int{2, 8, 16, 17, 40} {
		var in [][]byte
		flows := make([][]packet, n)
		for f := range flows {
			flows[f] = stream(packet{sport: uint16(f), id: uint16(1000 * f)}, 4, 500, nil)
		}
		for k := range 4 {
			for f := range flows {
				in = append(in, flows[f][k].bytes())
			}
		}
		got, out := sizes(t, join(&Joiner{TCP: true}, clone(in)))
		same(t, in, out)
		if n <= maxFlows && len(got) != n {
			t.Errorf("%d flows left in %d frames", n, len(got))
		}
	}
}

// reassembler is a host's TCP: it takes segments in sequence.
type reassembler struct {
	next map[string]uint32
	data map[string][]byte
}

func (r *reassembler) receive(p []byte) error {
	if err := check(p); err != nil {
		return err
	}
	s := parse(p)
	f := fmt.Sprint(s.hash)
	if next, known := r.next[f]; known && next != s.seq {
		return fmt.Errorf("segment %d after %d", s.seq, next)
	}
	r.next[f] = s.seq + uint32(s.payload)
	r.data[f] = append(r.data[f], p[s.head:]...)
	return nil
}

// TestJoinerStreams has random streams through random batches: every octet
// arrives, in order, and every packet comes back when the frames are cut.
func TestJoinerStreams(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		var all []packet
		var flows [][]packet
		for f := range 1 + r.IntN(20) {
			s := packet{sport: uint16(f), seq: r.Uint32(), ack: r.Uint32(), id: uint16(r.Uint32()), window: 100, udp: r.IntN(5) == 0}
			if r.IntN(3) == 0 {
				s.src, s.dst = host6, peer6
			}
			if r.IntN(2) == 0 {
				s.fragment = 0x4000
			}
			size := 1 + r.IntN(1400)
			flows = append(flows, stream(s, r.IntN(60), size, func(i int, s *packet) {
				switch r.IntN(12) {
				case 0:
					s.flags = flagACK | flagPSH
				case 1:
					s.payload = s.payload[:r.IntN(len(s.payload))]
				case 2:
					s.ack += uint32(r.IntN(2000))
				case 3:
					s.window = uint16(r.IntN(3))
				}
			}))
		}
		for len(flows) > 0 {
			f := r.IntN(len(flows))
			n := min(1+r.IntN(20), len(flows[f]))
			all = append(all, flows[f][:n]...)
			if flows[f] = flows[f][n:]; len(flows[f]) == 0 {
				flows = slices.Delete(flows, f, f+1)
			}
		}
		in := encode(all)
		var out [][]byte
		frames := 0
		j := Joiner{TCP: true, UDP: true}
		for rest := clone(in); len(rest) > 0; {
			n := min(1+r.IntN(100), len(rest))
			batch := join(&j, rest[:n])
			frames += len(batch)
			_, packets := sizes(t, batch)
			out = append(out, packets...)
			rest = rest[n:]
		}
		same(t, in, out)
		if frames == len(in) && len(in) > 100 {
			t.Errorf("seed %d: of %d packets none was joined", seed, len(in))
		}
		sent := reassembler{map[string]uint32{}, map[string][]byte{}}
		got := reassembler{map[string]uint32{}, map[string][]byte{}}
		for i := range in {
			if parse(in[i]).kind.udp() {
				continue
			}
			if err := sent.receive(in[i]); err != nil {
				t.Fatalf("seed %d: the test's own stream: %v", seed, err)
			}
		}
		for i := range out {
			if parse(out[i]).kind.udp() {
				continue
			}
			if err := got.receive(out[i]); err != nil {
				t.Fatalf("seed %d, packet %d: %v", seed, i, err)
			}
		}
		for f := range sent.data {
			if !bytes.Equal(sent.data[f], got.data[f]) {
				t.Errorf("seed %d: a stream has changed", seed)
			}
		}
	}
}

// TestJoinerWriteError: an error ends the batch, and the next one begins afresh.
func TestJoinerWriteError(t *testing.T) {
	closed := errors.New("closed")
	j := Joiner{TCP: true}
	in := encode(append(stream(packet{}, 3, 100, nil), stream(packet{sport: 1}, 3, 100, nil)...))
	for _, p := range clone(in) {
		j.Add(p)
	}
	calls := 0
	if err := j.Flush(func([][]byte) error { calls++; return closed }); err != closed || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if got, _ := sizes(t, join(&j, in)); !slices.Equal(got, []int{3, 3}) {
		t.Errorf("frames of %v after an error, want 3 and 3", got)
	}
	if frames := join(&j, nil); frames != nil {
		t.Errorf("%d frames of nothing", len(frames))
	}
}

// TestNoAllocations: neither way allocates once it has run.
func TestNoAllocations(t *testing.T) {
	in := encode(stream(packet{fragment: 0x4000}, 64, 1000, nil))
	work := clone(in)
	j := Joiner{TCP: true, UDP: true}
	write := func([][]byte) error { return nil }
	if n := testing.AllocsPerRun(100, func() {
		for i := range work {
			copy(work[i], in[i]) // Flush has changed the first
			j.Add(work[i])
		}
		j.Flush(write)
	}); n != 0 {
		t.Errorf("joining 64 packets allocates %v times", n)
	}
	f, b := large(packet{payload: random(64000)}, 1000), make([]byte, 1500)
	var s Splitter
	if n := testing.AllocsPerRun(100, func() {
		s.Load(f)
		for n, _ := s.Next(b); n > 0; n, _ = s.Next(b) {
		}
	}); n != 0 {
		t.Errorf("cutting a frame allocates %v times", n)
	}
}
