package tray

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/netlab"
)

// TestLoadLeavesTheTunnelAlone asks the daemon of a live tunnel 10,000 things
// beside 200 watchers: no packet is lost for it, and no descriptor stays open.
func TestLoadLeavesTheTunnelAlone(t *testing.T) {
	n := newNetwork(&desktop{t: t, dir: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH")}})
	socket := filepath.Join(n.dir, "control.sock")
	client := func() *control.Client {
		return control.NewClient(func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		})
	}
	descriptors := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.process.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	c := client()
	defer c.Close()
	up, err := c.Up(t.Context(), "lab", nil)
	if err != nil {
		t.Fatal(err)
	}
	before := descriptors()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients, watching sync.WaitGroup
	for range 200 {
		watching.Add(1)
		clients.Go(func() {
			c := client()
			defer c.Close()
			first := sync.OnceFunc(watching.Done)
			if err := c.Watch(ctx, func(control.Event) { first() }); err != nil {
				t.Error(err)
				first()
			}
		})
	}
	watching.Wait() // each has been told of the session
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			c := client()
			defer c.Close()
			for i := range 2500 {
				var err error
				if i%2 == 0 {
					_, err = c.Sessions(t.Context())
				} else {
					_, err = c.Profiles(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	began := time.Now()
	asked := make(chan struct{})
	go func() {
		asking.Wait()
		close(asked)
	}()
	var sent, received int
	for done := false; !done; {
		r, err := netlab.Ping(t.Context(), n.Client, netlab.InnerAddr, 5, 1000)
		if err != nil {
			t.Fatal(err)
		}
		sent, received = sent+r.Sent, received+r.Received
		select {
		case <-asked:
			done = true
		default:
		}
	}
	t.Logf("10000 requests in %v, %d of %d pings answered meanwhile", time.Since(began).Round(time.Millisecond), received, sent)
	if received != sent || sent == 0 {
		t.Errorf("%d of %d pings were answered", received, sent)
	}
	cancel()
	clients.Wait()
	await(t, "the descriptors to be closed", func() bool { return descriptors() <= before+4 })
	st, err := c.Status(t.Context(), "lab")
	if err != nil || st.State != control.StateUp || !st.Since.Equal(up.Since) {
		t.Errorf("the session was touched: %+v, %v", st, err)
	}
}
