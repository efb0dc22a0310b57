package mppe

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// recording is one direction of a session between two Linux kernels (pppd 2.4.9
// and ppp_mppe, pptp-linux and pptpd between them).
type recording struct {
	side     string
	bits     Bits
	stateful bool
	start    [16]byte
	seqs     []uint32
	packets  [][]byte
}

// readRecordings reads a file of testdata: for each direction a line with the
// sender, the key length, the mode and the start key, then a line a packet with
// the GRE sequence number and the MPPE packet.
func readRecordings(t testing.TB, name string) (all []*recording) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) == 4 {
			bits, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			r := &recording{side: f[0], bits: Bits(bits), stateful: f[2] == "stateful"}
			copy(r.start[:], unhex(t, f[3]))
			all = append(all, r)
			continue
		}
		seq, err := strconv.ParseUint(f[0], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		r := all[len(all)-1]
		r.seqs = append(r.seqs, uint32(seq))
		r.packets = append(r.packets, unhex(t, f[1]))
	}
	return all
}

func (r *recording) copied() [][]byte {
	packets := make([][]byte, len(r.packets))
	for i := range packets {
		packets[i] = bytes.Clone(r.packets[i])
	}
	return packets
}

// checkIPv4 tells whether plain text is a whole IPv4 packet behind a protocol
// field, with a right header checksum.
func checkIPv4(plain []byte) bool {
	if !Sensible(plain) {
		return false
	}
	if plain[0] == 0 {
		plain = plain[1:]
	}
	ip := plain[1:]
	if len(ip) < 20 || int(binary.BigEndian.Uint16(ip[2:])) != len(ip) {
		return false
	}
	sum := 0
	for i := 0; i < 20; i += 2 {
		sum += int(binary.BigEndian.Uint16(ip[i:]))
	}
	return sum&0xffff+sum>>16 == 0xffff
}

// lostOf says how many packets of a recording come while a flushed one is
// waited for.
var lostOf = map[string]int{
	"128-stateful-gaps/client":        2,
	"128-stateful-gaps/server":        1,
	"128-stateful-out-of-step/client": 4,
}

var recordings = []string{"128", "40", "128-version1", "128-stateful", "40-stateful", "128-loss", "128-stateful-gaps", "128-stateful-out-of-step"}

// Everything Linux sent in those sessions opens, but what was to be discarded:
// even where the Linux at the other end was out of step for the rest of it.
func TestOpenRecordings(t *testing.T) {
	for _, name := range recordings {
		for _, r := range readRecordings(t, name) {
			what := name + "/" + r.side
			o := NewOpener(r.start, r.bits, r.stateful)
			lost := 0
			for i, packet := range r.copied() {
				plain, err := o.Open(packet, r.seqs[i])
				switch {
				case err == ErrLost:
					lost++
					if !o.Waiting() {
						t.Errorf("%s: packet %d: ErrLost, but not waiting", what, i)
					}
				case err != nil:
					t.Errorf("%s: packet %d: %v", what, i, err)
				case !checkIPv4(plain):
					t.Errorf("%s: packet %d: no IPv4 packet: %x", what, i, plain)
				case o.Waiting():
					t.Errorf("%s: packet %d: opened, but still waiting", what, i)
				}
			}
			if lost != lostOf[what] {
				t.Errorf("%s: %d packets discarded, want %d", what, lost, lostOf[what])
			}

			packets, n := r.copied(), len(r.packets)
			out, errs := make([][]byte, n), make([]error, n)
			NewOpener(r.start, r.bits, r.stateful).OpenBatch(packets, r.seqs, out, errs)
			for i := range out {
				if errs[i] == nil && !checkIPv4(out[i]) || errs[i] != nil && errs[i] != ErrLost {
					t.Errorf("%s: packet %d in a batch: %v, %x", what, i, errs[i], out[i])
				}
			}
		}
	}
}

// What Linux sent is, bit for bit, what a Sealer makes of its plain text.
func TestSealRecordings(t *testing.T) {
	for _, name := range recordings {
		for _, r := range readRecordings(t, name) {
			what := name + "/" + r.side
			if lostOf[what] > 0 {
				continue // Linux flushes in its own way
			}
			s, o := NewSealer(r.start, r.bits, r.stateful), NewOpener(r.start, r.bits, r.stateful)
			next := uint16(0)
			for i, packet := range r.copied() {
				plain, err := o.Open(packet, r.seqs[i])
				if err != nil {
					t.Fatalf("%s: packet %d: %v", what, i, err)
				}
				count := binary.BigEndian.Uint16(r.packets[i]) & countMask
				for ; next != count; next = (next + 1) & countMask {
					s.Seal(make([]byte, 3)) // one that was lost before it was recorded
				}
				next = (next + 1) & countMask
				copy(packet[Overhead:], plain)
				s.Seal(packet)
				if !bytes.Equal(packet, r.packets[i]) {
					t.Errorf("%s: packet %d sealed again:\n%x, want\n%x", what, i, packet, r.packets[i])
				}
			}
		}
	}
}
