package mppe

import (
	"bytes"
	"crypto/rc4"
	"math/rand/v2"
	"testing"
)

// forEachLoop runs f with the loops in assembly, where there are any, and with
// those in Go. The race detector has nothing to find in either, and makes those
// in Go very slow.
func forEachLoop(t *testing.T, f func(t *testing.T)) {
	for name, use := range map[string]bool{"assembly": true, "go": false} {
		if use && !haveAssembly || !use && haveAssembly && raceEnabled {
			continue
		}
		t.Run(name, func(t *testing.T) {
			defer func(before bool) { useAssembly = before }(useAssembly)
			useAssembly = use
			f(t)
		})
	}
}

// light is how many of n there are to be when the race detector looks on.
func light(n int) int {
	if raceEnabled {
		return n / 8
	}
	return n
}

// A turn leaves behind what RC4 says in all lanes that take part, and the lanes
// that do not are as they were.
func TestTurn(t *testing.T) {
	forEachLoop(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(12, 12))
		kinds := map[turnKind]int{}
		for range 400 {
			e := new(Engine)
			n, scheduling, steps := 1+r.IntN(lanes), uint8(0), 16*(1+r.IntN(stride/16))
			for lane := range lanes {
				for i := range e.s[lane] {
					e.s[lane][i] = uint32(i)
				}
				r.Shuffle(256, func(a, b int) { e.s[lane][a], e.s[lane][b] = e.s[lane][b], e.s[lane][a] })
				e.j[lane] = byte(r.Uint32())
				if lane < n && r.IntN(2) == 0 {
					scheduling |= 1 << lane
					e.key[lane] = testKey(byte(r.Uint32()))
				}
			}
			want := *e
			for lane := range n {
				s, j := &want.s[lane], want.j[lane]
				for at := range steps {
					i := uint8(at)
					j += uint8(s[i]) + want.key[lane][at%longKey]
					s[i], s[j] = s[j], s[i]
					want.stream[lane][at] = uint8(s[uint8(s[i]+s[j])])
				}
				want.j[lane] = j
			}
			kind := kindOf(n, scheduling)
			kinds[kind]++
			e.turn(kind, steps)
			for lane := range n {
				if e.s[lane] != want.s[lane] || e.j[lane] != want.j[lane] {
					t.Fatalf("%d lanes, %04b of them scheduling, %d steps: state %d differs", n, scheduling, steps, lane)
				}
				if scheduling>>lane&1 == 0 && e.stream[lane] != want.stream[lane] {
					t.Fatalf("%d lanes, %04b of them scheduling, %d steps: stream %d differs", n, scheduling, steps, lane)
				}
			}
			if e.key != want.key || e.n != 0 || e.todo != 0 || e.chains != 0 {
				t.Fatalf("%d lanes, %04b of them scheduling, %d steps: something else changed", n, scheduling, steps)
			}
		}
		for kind := turnSchedule2; kind <= turnMixed4; kind++ {
			if kinds[kind] == 0 {
				t.Errorf("no turn of kind %d", kind)
			}
		}
	})
}

// What an engine was given is RC4 with the key given, whatever is beside it.
func TestEngineIsRC4(t *testing.T) {
	forEachLoop(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 13))
		var e Engine
		for range 300 {
			var got, want [][]byte
			for range r.IntN(20) {
				n := []int{1, 14, 15, 16, 17, 255, 256, 257, 1402, 2047, 2048, 2049, 4097, r.IntN(300), r.IntN(9000)}[r.IntN(15)]
				data := make([]byte, n)
				for i := range data {
					data[i] = byte(r.Uint32())
				}
				key := testKey(byte(r.Uint32()))
				c, err := rc4.NewCipher(key[:])
				if err != nil {
					t.Fatal(err)
				}
				w := bytes.Clone(data)
				c.XORKeyStream(w, w)
				got, want = append(got, data), append(want, w)
				e.addKeyed(&key, data)
			}
			e.Run()
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("packet %d of %d, of %d octets, differs", i, len(got), len(got[i]))
				}
			}
		}
	})
}
