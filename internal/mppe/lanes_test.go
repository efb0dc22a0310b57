package mppe

import (
	"bytes"
	"crypto/rc4"
	"math/rand/v2"
	"testing"
)

// forEachLoop runs f with the loops in assembly, where there are any, and with
// those in Go.
func forEachLoop(t *testing.T, f func(t *testing.T)) {
	for name, use := range map[string]bool{"assembly": true, "go": false} {
		if use && !haveAssembly {
			continue
		}
		t.Run(name, func(t *testing.T) {
			defer func(before bool) { useAssembly = before }(useAssembly)
			useAssembly = use
			f(t)
		})
	}
}

// A turn leaves behind what RC4 says, in all lanes that take part, and nothing
// else changes. Keys are of all kinds, zero among them; so are states.
func TestTurn(t *testing.T) {
	forEachLoop(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(12, 12))
		for range 400 {
			e := new(Engine)
			for lane := range lanes {
				for i := range e.s[lane] {
					e.s[lane][i] = uint32(i)
				}
				r.Shuffle(256, func(a, b int) { e.s[lane][a], e.s[lane][b] = e.s[lane][b], e.s[lane][a] })
				e.j[lane] = byte(r.Uint32())
				if r.IntN(2) == 0 {
					for i := range e.key[lane] {
						e.key[lane][i] = byte(r.Uint32())
					}
				}
			}
			n, steps, mixed := 2+r.IntN(3), 16*(1+r.IntN(stride/16)), r.IntN(2) == 0
			want := *e
			for lane := range n {
				s, j := &want.s[lane], want.j[lane]
				for at := range steps {
					i := uint8(at)
					j += uint8(s[i])
					if mixed {
						j += want.key[lane][at%longKey]
					}
					s[i], s[j] = s[j], s[i]
					want.stream[lane][at] = uint8(s[uint8(s[i]+s[j])])
				}
				want.j[lane] = j
			}
			e.turn(n, steps, mixed)
			for lane := range lanes {
				if e.s[lane] != want.s[lane] || e.j[lane] != want.j[lane] || e.stream[lane] != want.stream[lane] {
					t.Fatalf("%d lanes, %d steps, mixed %v: lane %d differs", n, steps, mixed, lane)
				}
			}
			if e.key != want.key || e.n != 0 {
				t.Fatalf("%d lanes, %d steps, mixed %v: something else changed", n, steps, mixed)
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
