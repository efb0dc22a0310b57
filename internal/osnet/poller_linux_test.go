package osnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func newPoller(t testing.TB) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func newPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// a watched pipe, and a count of the calls of what it is armed with.
type watched struct {
	r, w  *os.File
	watch *Watch
	calls atomic.Int32
	ready chan struct{}
}

func watchPipe(t testing.TB, p *Poller) *watched {
	t.Helper()
	x := &watched{ready: make(chan struct{}, 10)}
	x.r, x.w = newPipe(t)
	var err error
	if x.watch, err = p.Add(x.r); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *watched) arm(t testing.TB) {
	t.Helper()
	if err := x.watch.Arm(func() { x.calls.Add(1); x.ready <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
}

// settle returns when the poller has dealt with all that came before.
func settle(t testing.TB, p *Poller) {
	t.Helper()
	x := watchPipe(t, p)
	x.arm(t)
	x.w.Write([]byte{1})
	<-x.ready
	x.watch.Close()
}

func TestPoller(t *testing.T) {
	p := newPoller(t)
	x := watchPipe(t, p)
	// Armed before there is something, and after.
	x.arm(t)
	x.w.Write([]byte{1})
	<-x.ready
	x.arm(t)
	<-x.ready
	// Once is once.
	x.w.Write([]byte{2})
	settle(t, p)
	if n := x.calls.Load(); n != 2 {
		t.Errorf("called %d times, armed twice", n)
	}
	// The other end's going away counts.
	io.ReadFull(x.r, make([]byte, 2))
	x.arm(t)
	settle(t, p)
	if n := x.calls.Load(); n != 2 {
		t.Errorf("called %d times with nothing to read", n)
	}
	x.w.Close()
	<-x.ready
}

// TestPollerArmedAgain: a later function takes an earlier one's place.
func TestPollerArmedAgain(t *testing.T) {
	p := newPoller(t)
	x := watchPipe(t, p)
	if err := x.watch.Arm(func() { t.Error("the first was called") }); err != nil {
		t.Fatal(err)
	}
	x.arm(t)
	x.w.Write([]byte{1})
	<-x.ready
}

// TestWatchClose: nothing is called after Close, also not by an event that was
// under way to the one who had the slot before.
func TestWatchClose(t *testing.T) {
	p := newPoller(t)
	x := watchPipe(t, p)
	x.arm(t)
	number, gen := x.watch.number, x.watch.gen
	if err := x.watch.Close(); err != nil {
		t.Fatal(err)
	}
	x.w.Write([]byte{1})
	settle(t, p)
	if x.calls.Load() != 0 {
		t.Error("a closed watch was called")
	}
	if err := x.watch.Arm(func() {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Arm after Close: %v, want ErrClosed", err)
	}
	if err := x.watch.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}

	y := watchPipe(t, p)
	if y.watch.number != number {
		t.Fatalf("slot %d was not used again, but %d", number, y.watch.number)
	}
	y.arm(t)
	stale := []unix.EpollEvent{{Events: unix.EPOLLIN, Fd: number, Pad: gen}, {Fd: 1000}}
	p.dispatch(stale, make([]*Watch, 2))
	if y.calls.Load() != 0 {
		t.Error("an event of the watch before was taken for this one's")
	}
	y.watch.fire(gen)
	if y.calls.Load() != 0 {
		t.Error("an event of the watch before reached this one")
	}
	y.w.Write([]byte{1})
	<-y.ready
}

// TestPollerDescriptorReuse: a connection is closed before its watch; what gets
// its number is not touched.
func TestPollerDescriptorReuse(t *testing.T) {
	p := newPoller(t)
	x := watchPipe(t, p)
	x.arm(t)
	fd := x.watch.fd
	x.r.Close()
	y := watchPipe(t, p)
	if y.watch.fd != fd {
		t.Skipf("the number %d was not given again", fd)
	}
	y.arm(t)
	if err := x.watch.Arm(func() {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Arm of a closed descriptor: %v, want ErrClosed", err)
	}
	if err := x.watch.Close(); err != nil {
		t.Error(err)
	}
	y.w.Write([]byte{1})
	<-y.ready
	if x.calls.Load() != 0 {
		t.Error("the watch of the closed descriptor was called")
	}
}

func TestPollerClose(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPoller(t)
	x := watchPipe(t, p)
	x.arm(t)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	x.w.Write([]byte{1})
	if err := x.watch.Arm(func() {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Arm: %v, want ErrClosed", err)
	}
	if err := x.watch.Close(); err != nil {
		t.Errorf("closing a watch: %v", err)
	}
	if _, err := p.Add(x.r); !errors.Is(err, ErrClosed) {
		t.Errorf("Add: %v, want ErrClosed", err)
	}
	if x.calls.Load() != 0 {
		t.Error("called after the poller was closed")
	}
}

// TestPollerStress has many watches made, armed and closed at once, so that the
// race detector sees it, and every octet that is written is read.
func TestPollerStress(t *testing.T) {
	p := newPoller(t)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for round := range 40 {
				r, w, err := os.Pipe()
				if err != nil {
					t.Error(err)
					return
				}
				watch, err := p.Add(r)
				if err != nil {
					t.Error(err)
					return
				}
				const octets = 20
				got := make(chan int, 1)
				total := 0
				var ready func()
				ready = func() {
					var b [8]byte
					n, err := TryRead(r, b[:])
					total += n
					if total == octets || err != nil {
						got <- total
						return
					}
					watch.Arm(ready)
				}
				if err := watch.Arm(ready); err != nil {
					t.Error(err)
				}
				if round%4 == 3 { // closed while it may be called
					w.Write(make([]byte, 1))
					watch.Close()
				} else {
					for range octets {
						w.Write(make([]byte, 1))
					}
					if n := <-got; n != octets {
						t.Errorf("goroutine %d, round %d: read %d octets of %d", g, round, n, octets)
					}
					watch.Close()
				}
				r.Close()
				w.Close()
			}
		})
	}
	all.Wait()
}

// TestWatchMemory: what a watched descriptor costs besides its own.
func TestWatchMemory(t *testing.T) {
	if n := unsafe.Sizeof(Watch{}) + unsafe.Sizeof(slot{}) + 4; n > 150 {
		t.Errorf("a watch takes %d octets", n)
	}
	p := newPoller(t)
	x := watchPipe(t, p)
	ready := func() { x.ready <- struct{}{} }
	w := &Watch{}
	if err := p.add(w, int(x.watch.fd)); err != nil {
		t.Fatal(err)
	}
	x.w.Write([]byte{1})
	if n := testing.AllocsPerRun(100, func() {
		w.Arm(ready)
		<-x.ready
	}); n != 0 {
		t.Errorf("an event allocates %v times", n)
	}
}

func TestTryRead(t *testing.T) {
	if os.Geteuid() != 0 {
		tryRead(t)
		return
	}
	// There the loopback is up for certain.
	newNetns(t).do(t, func() error {
		tryRead(t)
		return nil
	})
}

func tryRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tcp := conn.(*net.TCPConn)
	conn.SetReadDeadline(time.Unix(1, 0)) // is none of its business
	b := make([]byte, 10)
	if n, err := TryRead(tcp, b); n != 0 || err != nil {
		t.Errorf("with nothing there: %d, %v", n, err)
	}
	p := newPoller(t)
	w, err := p.Add(tcp)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{}, 1)
	for _, step := range []struct {
		do   func()
		want string
		err  error
	}{
		{func() { peer.Write([]byte("echo")) }, "echo", nil},
		{func() { peer.Close() }, "", io.EOF},
	} {
		if err := w.Arm(func() { ready <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
		step.do()
		<-ready
		if n, err := TryRead(tcp, b); string(b[:n]) != step.want || err != step.err {
			t.Errorf("%q, %v, want %q, %v", b[:n], err, step.want, step.err)
		}
	}
	if n, err := TryRead(tcp, nil); n != 0 || err != nil {
		t.Errorf("into nothing: %d, %v", n, err)
	}
	conn.Close()
	if n, err := TryRead(tcp, b); n != 0 || err == nil || err == io.EOF {
		t.Errorf("closed: %d, %v", n, err)
	}
}

// BenchmarkPoller is an event through the poller and one through the runtime's
// own, a goroutine that waits.
func BenchmarkPoller(b *testing.B) {
	one := []byte{1}
	b.Run("poller", func(b *testing.B) {
		p := newPoller(b)
		x := watchPipe(b, p)
		buf := make([]byte, 1)
		done := make(chan struct{}, 1)
		w := &Watch{}
		if err := p.add(w, int(x.watch.fd)); err != nil {
			b.Fatal(err)
		}
		ready := func() { unix.Read(int(w.fd), buf); done <- struct{}{} }
		for b.Loop() {
			w.Arm(ready)
			x.w.Write(one)
			<-done
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		r, w := newPipe(b)
		done := make(chan struct{}, 1)
		go func() {
			buf := make([]byte, 1)
			for {
				if _, err := r.Read(buf); err != nil {
					return
				}
				done <- struct{}{}
			}
		}()
		for b.Loop() {
			w.Write(one)
			<-done
		}
	})
}

// Example of a poller that looks after a connection.
func ExamplePoller() {
	p, err := NewPoller()
	if err != nil {
		return
	}
	defer p.Close()
	r, w, _ := os.Pipe()
	watch, _ := p.Add(r)
	done := make(chan struct{})
	watch.Arm(func() { close(done) })
	w.Write([]byte("x"))
	<-done
	var b [10]byte
	n, _ := TryRead(r, b[:])
	fmt.Println(n)
	// Output: 1
}
