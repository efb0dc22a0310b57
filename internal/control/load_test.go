package control

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What is asked of the daemon at one time: 200 watchers, and as many requests
// as 1,000 a second make in 10 s.
const (
	watchers = 200
	requests = 10000
	callers  = 8
	hangers  = 12 // read nothing of what they asked for
	vandals  = 4
)

// TestLoad has the watchers see every change to its end while others ask, hang,
// write garbage and are killed; then nothing is left of any of them.
func TestLoad(t *testing.T) {
	before := runtime.NumGoroutine()
	d := newDaemon()
	var uid atomic.Uint32
	path, srv, stop := serve(t, d, Options{
		Backend: d, MayChange: func(Peer) bool { return true },
		// Of many users, as no single one may have so many connections.
		PeerOf: func(net.Conn) (Peer, error) { return Peer{UID: 1000 + uid.Add(1)%64}, nil },
	})
	steady, err := NewClient(dialer(path)).Up(t.Context(), "home", nil)
	if err != nil {
		t.Fatal(err)
	}

	var clients sync.WaitGroup
	watching := make(chan struct{}, watchers)
	const last = "the last one"
	for range watchers {
		clients.Go(func() {
			c := NewClient(dialer(path))
			defer c.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			seen := false
			c.Watch(ctx, func(e Event) {
				if e.Type == EventState && e.Profile == "home" {
					watching <- struct{}{} // the state as it is comes first
				}
				if e.Text == last {
					seen = true
					cancel()
				}
			})
			if !seen {
				t.Error("a watcher missed the last event")
			}
		})
	}
	for range watchers {
		<-watching
	}

	// Whoever hangs asks for events and reads none, until it is killed.
	var hanging []net.Conn
	for range hangers {
		conn := dialRaw(t, path)
		fmt.Fprint(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
		hanging = append(hanging, conn)
	}
	for range vandals {
		clients.Go(func() { vandalise(t, path) })
	}

	began := time.Now()
	var left, answered atomic.Int64
	left.Store(requests)
	if underRace {
		left.Store(requests / 5)
	}
	var asking sync.WaitGroup
	for range callers {
		asking.Go(func() {
			c := NewClient(dialer(path))
			defer c.Close()
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				var err error
				switch n % 4 {
				case 0:
					_, err = c.Sessions(t.Context())
				case 1:
					_, err = c.Status(t.Context(), "lab")
				case 2:
					_, err = c.Profiles(t.Context())
				case 3:
					r := Route{To: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)}
					if err = c.AddRoute(t.Context(), "lab", r); err == nil {
						err = c.DelRoute(t.Context(), "lab", r)
					}
				}
				if err != nil {
					t.Errorf("request %d: %v", n, err)
					return
				}
				answered.Add(1)
				if n%20 == 0 {
					d.Publish(Event{Type: EventNote, Profile: "lab", Text: strings.Repeat("x", 1000)})
				}
			}
		})
	}
	asking.Wait()
	t.Logf("%d requests in %v beside %d watchers", answered.Load(), time.Since(began).Round(time.Millisecond), watchers)
	for _, conn := range hanging {
		conn.Close()
	}
	d.Publish(Event{Type: EventNote, Text: last})
	clients.Wait()

	c := NewClient(dialer(path))
	if st, err := c.Status(t.Context(), "home"); err != nil || !reflect.DeepEqual(st, steady) {
		t.Errorf("the session was touched: %+v, %v, was %+v", st, err, steady)
	}
	c.Close()
	await(t, "the requests to end", func() bool { return srv.InFlight() == 0 })
	stop()
	await(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before+2 })
}

func dialer(path string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

func dialRaw(t *testing.T, path string) net.Conn {
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
	}
	return conn
}

// vandalise sends what nobody should, and leaves in the middle of it.
func vandalise(t *testing.T, path string) {
	for i := range 50 {
		conn := dialRaw(t, path)
		if conn == nil {
			return
		}
		switch i % 5 {
		case 0:
			io.WriteString(conn, strings.Repeat("\x00\xff garbage\r\n", 20))
		case 1: // a body larger than is taken
			fmt.Fprintf(conn, "POST /v1/sessions/lab/up HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", maxBody*4)
			go io.WriteString(conn, strings.Repeat("x", maxBody*4))
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && res.StatusCode == http.StatusOK {
				t.Error("a body that is too large was taken")
			}
		case 2: // a header larger than is taken
			fmt.Fprintf(conn, "GET /v1/sessions HTTP/1.1\r\nX: %s\r\n\r\n", strings.Repeat("x", maxHeader*2))
		case 3: // leaves in the middle of a request
			fmt.Fprint(conn, "POST /v1/sessions/lab/up HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
		case 4: // leaves in the middle of a stream
			fmt.Fprint(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
			conn.Read(make([]byte, 10))
		}
		conn.Close()
	}
}

// await waits until done says so.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			buf := make([]byte, 1<<20)
			t.Fatalf("%s: not after 30 s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
	}
}
