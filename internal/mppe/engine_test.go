package mppe

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// One engine takes the packets of many sessions, of all kinds, as they come.
func TestManySessionsInOneEngine(t *testing.T) { forEachLoop(t, manySessionsInOneEngine) }

func manySessionsInOneEngine(t *testing.T) {
	type session struct {
		name   string
		sealer *Sealer
		opener *Opener
		plain  *plain
		seq    uint32
	}
	type queued struct {
		s                        *session
		packet, want, back, text []byte
	}
	var sessions []*session
	for i := range 30 {
		bits, stateful := allBits[i%3], i%5 == 4
		key := testKey(byte(i))
		sessions = append(sessions, &session{
			name:   fmt.Sprintf("session %d of %d bits, stateful %v", i, bits, stateful),
			sealer: NewSealer(key, bits, stateful), opener: NewOpener(key, bits, stateful), plain: newPlain(key, bits, stateful),
		})
	}
	r := rand.New(rand.NewPCG(11, 11))
	var sealing, opening Engine
	for round := range 120 {
		var batch []queued
		few := 1 + r.IntN(len(sessions)) // the packets are those of so many sessions
		for range r.IntN(200) {
			s := sessions[r.IntN(few)]
			n := 1 + r.IntN(100)
			if r.IntN(10) == 0 {
				n = 1 + r.IntN(4500)
			}
			q := queued{s: s, packet: testPacket(r, n)}
			q.text = bytes.Clone(q.packet[Overhead:])
			q.want = bytes.Clone(q.packet)
			s.plain.seal(q.want, false)
			s.sealer.Queue(&sealing, q.packet)
			batch = append(batch, q)
		}
		sealing.Run()
		for i := range batch {
			q := &batch[i]
			if !bytes.Equal(q.packet, q.want) {
				t.Fatalf("round %d, packet %d of %d, %s: not what crypto/rc4 makes", round, i, len(batch), q.s.name)
			}
			q.s.seq++
			var err error
			if q.back, err = q.s.opener.Queue(&opening, q.packet, q.s.seq); err != nil {
				t.Fatalf("round %d, packet %d, %s: %v", round, i, q.s.name, err)
			}
		}
		opening.Run()
		for i, q := range batch {
			if !bytes.Equal(q.back, q.text) {
				t.Fatalf("round %d, packet %d of %d, %s: opens as something else", round, i, len(batch), q.s.name)
			}
		}
	}
}
