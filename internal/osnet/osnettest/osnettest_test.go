package osnettest

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"goppptp/internal/osnet"
)

func packets(n, size int) []osnet.Packet {
	p := make([]osnet.Packet, n)
	for i := range p {
		p[i].Buf = make([]byte, size)
	}
	return p
}

// through gives which of the packets 1..n come out of a filter, in order.
func through(f Filter, n int) []int {
	var out []int
	for i := 1; i <= n; i++ {
		for _, p := range f.apply([]byte{byte(i)}) {
			out = append(out, int(p[0]))
		}
	}
	return out
}

func TestFilters(t *testing.T) {
	for _, tt := range []struct {
		f    Filter
		want []int
	}{
		{Pass(), []int{1, 2, 3, 4, 5, 6}},
		{Blackhole(), nil},
		{Lose(1, 5), []int{2, 3, 4, 6}},
		{LoseEvery(2), []int{1, 3, 5}},
		{LoseBurst(2, 3), []int{1, 5, 6}},
		{LoseIf("lose 4", func(p []byte) bool { return p[0] == 4 }), []int{1, 2, 3, 5, 6}},
		{DuplicateEvery(3), []int{1, 2, 3, 3, 4, 5, 6, 6}},
		{ReplayEvery(4, 2), []int{1, 2, 3, 4, 2, 5, 6}},
		{DelayEvery(2, 1), []int{1, 3, 2, 5, 4}},
		{DelayEvery(3, 2), []int{1, 2, 4, 5, 3}},
		{CorruptEvery(2), []int{1, 2 ^ 0x10, 3, 4 ^ 0x10, 5, 6 ^ 0x10}},
		{Chain(LoseEvery(2), DuplicateEvery(2)), []int{1, 3, 3, 5}},
	} {
		if got := through(tt.f, 6); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.f, got, tt.want)
		}
	}
	a, b := through(LoseRandom(.5, 3), 100), through(LoseRandom(.5, 3), 100)
	if !reflect.DeepEqual(a, b) || len(a) < 20 || len(a) > 80 {
		t.Errorf("LoseRandom(.5, 3): %d and %d of 100, want the same and about half", len(a), len(b))
	}
}

func TestPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := Pair()
		if err := client.WriteBatch([][]byte{{1}, {2}}, osnet.Path{}); err != nil {
			t.Fatal(err)
		}
		p := packets(4, 100)
		n, err := server.ReadBatch(p)
		if n != 2 || err != nil || p[1].Data[0] != 2 {
			t.Fatalf("server reads %d, %v, want both packets", n, err)
		}
		if p[0].Path.Remote != client.Path().Local {
			t.Errorf("came from %v, want %v", p[0].Path.Remote, client.Path().Local)
		}
		server.WriteBatch([][]byte{{3}}, p[0].Path)
		// Not from the client's peer: it must not see it.
		server.WriteBatch([][]byte{{4}}, osnet.Path{Local: netip.MustParseAddr("192.0.2.9"), Remote: p[0].Path.Remote})
		if n, err := client.ReadBatch(p); n != 1 || err != nil || p[0].Data[0] != 3 {
			t.Fatalf("client reads %d, %v, want the one answer", n, err)
		}
		if s := server.Stats(); s.Lost != 1 {
			t.Errorf("server lost %d, want 1", s.Lost)
		}
		go func() {
			synctest.Wait()
			client.Close()
		}()
		if _, err := client.ReadBatch(p); !errors.Is(err, osnet.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}

func TestLatencyAndErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := Pair()
		client.SetLatency(30 * time.Millisecond)
		start := time.Now()
		client.WriteBatch([][]byte{{1}}, osnet.Path{})
		p := packets(4, 100)
		if n, err := server.ReadBatch(p); n != 1 || err != nil || time.Since(start) != 30*time.Millisecond {
			t.Errorf("read %d, %v after %v, want 1 after 30ms", n, err, time.Since(start))
		}
		want := &osnet.ICMPError{Type: 3, Code: 2}
		client.InjectError(want)
		var got *osnet.ICMPError
		if _, err := client.ReadBatch(p); !errors.As(err, &got) || got != want {
			t.Errorf("read: %v, want the injected error", err)
		}
		server.SetQueue(1)
		client.SetLatency(0)
		client.WriteBatch([][]byte{make([]byte, 100), {2}}, osnet.Path{})
		if s := server.Stats(); s.Overflow != 1 {
			t.Errorf("overflow %d, want 1", s.Overflow)
		}
		client.FailWrites(want)
		if err := client.WriteBatch([][]byte{{1}}, osnet.Path{}); err != want {
			t.Errorf("write: %v, want the error set", err)
		}
	})
}

func TestTUN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tun := NewTUN(osnet.TUNConfig{MTU: 1400})
		tun.Inject([]byte{1, 2})
		tun.Inject([]byte{3})
		b := make([]byte, 50)
		for _, want := range [][]byte{{1, 2}, {3}, nil} {
			n, err := tun.ReadFrame(b)
			if len(want) > 0 && (n != 10+len(want) || !bytes.Equal(b[10:n], want)) || len(want) == 0 && n != 0 || err != nil {
				t.Fatalf("read % x, %v, want % x behind a header", b[:n], err, want)
			}
		}
		if err := tun.WriteFrame([][]byte{make([]byte, 10), {7}, {8}}); err != nil {
			t.Fatal(err)
		}
		if got := <-tun.Received(); !bytes.Equal(got, []byte{7, 8}) {
			t.Errorf("host received %v, want [7 8]", got)
		}
		if err := tun.WriteFrame([][]byte{{7}}); err == nil {
			t.Error("a frame shorter than its header was taken")
		}
		told := 0
		ready := func() { told++ }
		tun.WhenReadable(ready)
		tun.Inject([]byte{1})
		tun.Inject([]byte{2})
		if told != 1 {
			t.Errorf("told %d times of two packets, want once", told)
		}
		if tun.WhenReadable(ready); told != 2 {
			t.Error("not told of what was there already")
		}
		tun.ReadFrame(b)
		tun.ReadFrame(b)
		tun.WhenReadable(ready)
		if tun.Close(); told != 3 {
			t.Error("not told of the end")
		}
		if _, err := tun.ReadFrame(b); !errors.Is(err, osnet.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}
