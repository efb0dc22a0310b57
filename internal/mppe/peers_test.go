package mppe

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkSealBatch measures the engine and others who do the same, batch about
// batch, so that a busy machine disturbs all alike; medians of all batches count.
//
//	ns/packet     the engine's, for a batch of 64 packets of one session
//	ns/packet-go  the same without assembly
//	x/rc4         how many times as long code with crypto/rc4 takes
//	x/byteloop    ... and plain Go code that encrypts octet by octet
//	x/c           ... and testdata/arc4.c, with what SHA-1 takes here added
//	go-x/...      the same for the engine without assembly
func BenchmarkSealBatch(b *testing.B) {
	for _, length := range []int{1400, 52} {
		b.Run(fmt.Sprint(length), func(b *testing.B) { sealBatch(b, length) })
	}
}

func sealBatch(b *testing.B, length int) {
	packets := benchPackets(length)
	var e Engine
	assembly, loops := NewSealer(testKey(1), Bits128, false), NewSealer(testKey(1), Bits128, false)
	plain, octets := newPlain(testKey(1), Bits128, false), &byteLoop{start: testKey(1), key: testKey(1)}
	program := startC(b)
	engine := func(s *Sealer, use bool) {
		defer func(before bool) { useAssembly = before }(useAssembly)
		useAssembly = use
		for _, packet := range packets {
			s.Queue(&e, packet)
		}
		e.Run()
	}
	var hashed [2*longKey + 2*pad]byte
	all := map[string][]time.Duration{}
	measure := func(name string, f func()) {
		start := time.Now()
		f()
		all[name] = append(all[name], time.Since(start))
	}
	for b.Loop() {
		measure("engine", func() { engine(assembly, haveAssembly) })
		measure("go", func() { engine(loops, false) })
		measure("rc4", func() {
			for _, packet := range packets {
				plain.seal(packet, false)
			}
		})
		measure("byteloop", func() {
			for _, packet := range packets {
				octets.seal(packet)
			}
		})
		if program == nil {
			continue
		}
		measure("sha1", func() {
			for range packets {
				digest := sha1.Sum(hashed[:])
				copy(hashed[:], digest[:longKey])
			}
		})
		took, err := program.run(len(packets), Overhead+length)
		if err != nil {
			b.Fatal(err)
		}
		all["c"] = append(all["c"], took)
	}
	median := func(name string) float64 {
		slices.Sort(all[name])
		return float64(all[name][len(all[name])/2]) / float64(len(packets))
	}
	fast, slow := median("engine"), median("go")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(fast, "ns/packet")
	b.ReportMetric(slow, "ns/packet-go")
	others := map[string]float64{"rc4": median("rc4"), "byteloop": median("byteloop")}
	if program != nil {
		others["c"] = median("c") + median("sha1")
	}
	for name, other := range others {
		b.ReportMetric(other/fast, "x/"+name)
		b.ReportMetric(other/slow, "go-x/"+name)
	}
}

// byteLoop is stateless MPPE-128 in plain code, but with no allocations.
type byteLoop struct {
	s          [256]byte
	start, key [longKey]byte
	count      uint16
}

func (p *byteLoop) schedule() {
	for i := range p.s {
		p.s[i] = byte(i)
	}
	var j byte
	for i := range p.s {
		j += p.s[i] + p.key[i%longKey]
		p.s[i], p.s[j] = p.s[j], p.s[i]
	}
}

func (p *byteLoop) xor(b []byte) {
	var i, j byte
	for n := range b {
		i++
		j += p.s[i]
		p.s[i], p.s[j] = p.s[j], p.s[i]
		b[n] ^= p.s[p.s[i]+p.s[j]]
	}
}

func (p *byteLoop) seal(packet []byte) {
	b := longPads
	copy(b[:], p.start[:])
	copy(b[longKey+pad:], p.key[:])
	digest := sha1.Sum(b[:])
	copy(p.key[:], digest[:])
	p.schedule()
	p.xor(p.key[:])
	p.schedule()
	binary.BigEndian.PutUint16(packet, flagFlushed|flagEncrypted|p.count)
	p.count = (p.count + 1) & countMask
	p.xor(packet[Overhead:])
}

// cProgram is testdata/arc4.c, waiting for work.
type cProgram struct {
	in  io.Writer
	out *bufio.Reader
}

// startC compiles and starts the program. Without a compiler it says so, and
// returns nil.
func startC(b *testing.B) *cProgram {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		b.Logf("not compared with C: %v", err)
		return nil
	}
	binary := filepath.Join(b.TempDir(), "arc4")
	if out, err := exec.Command(compiler, "-O2", "-o", binary, "testdata/arc4.c").CombinedOutput(); err != nil {
		b.Logf("not compared with C: %v: %s", err, out)
		return nil
	}
	cmd := exec.Command(binary)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("testdata/arc4.c: %v", err)
		}
	})
	return &cProgram{in: in, out: bufio.NewReader(out)}
}

func (p *cProgram) run(packets, octets int) (took time.Duration, err error) {
	if _, err := fmt.Fprintf(p.in, "%d %d\n", packets, octets); err != nil {
		return 0, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("testdata/arc4.c: %w", err)
	}
	_, err = fmt.Sscan(line, &took)
	return took, err
}
