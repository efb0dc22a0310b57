package control

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// daemon is a Backend with two profiles, lab and home.
type daemon struct {
	Hub
	mu     sync.Mutex
	status map[string]Status // mu guards, as all that follows
	asked  []UpRequest
	kicked []string
	downed []error // the state of Down's context when it ended

	up     func(ctx context.Context, req UpRequest) error // what Up does; nil: nothing
	downIn chan struct{}                                  // when not nil, Down waits for it
	inDown chan struct{}                                  // told when Down begins
}

func newDaemon() *daemon {
	return &daemon{status: map[string]Status{
		"lab":  {Profile: "lab", State: StateDown, Routes: []Route{}},
		"home": {Profile: "home", State: StateDown, Routes: []Route{}},
	}}
}

var unknown = &Error{Reason: ReasonUsage, Text: "no such profile", Hint: "goppptp profile list"}

func (d *daemon) Sessions(context.Context) ([]Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Status
	for _, name := range []string{"home", "lab"} {
		if d.status[name].State != StateDown {
			out = append(out, d.status[name])
		}
	}
	return out, nil
}

func (d *daemon) Session(_ context.Context, profile string) (Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st, ok := d.status[profile]
	if !ok {
		return Status{}, unknown
	}
	return st, nil
}

func (d *daemon) Up(ctx context.Context, req UpRequest) (Status, error) {
	d.mu.Lock()
	d.asked = append(d.asked, req)
	d.mu.Unlock()
	if _, err := d.Session(ctx, req.Profile); err != nil {
		return Status{}, err
	}
	if d.up != nil {
		if err := d.up(ctx, req); err != nil {
			return Status{}, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.status[req.Profile]
	st.State = StateUp
	st.Interface = "ppp0"
	st.Local, st.Peer = netip.MustParseAddr("192.168.13.240"), netip.MustParseAddr("192.168.13.254")
	st.MPPE = &MPPE{Bits: 128}
	st.Since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	st.Routes = []Route{{To: netip.MustParsePrefix("172.16.0.0/16"), Via: st.Peer, Dev: "ppp0", Metric: 1}}
	st.RoutesOffered = []OfferedRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Source: "dhcp option 121", Why: "default_route is false"}}
	st.Counters = Counters{RxBytes: 7, TxPackets: 9}
	d.status[req.Profile] = st
	return st, nil
}

func (d *daemon) Down(ctx context.Context, profile string) (Status, error) {
	if d.inDown != nil {
		close(d.inDown)
	}
	if d.downIn != nil {
		<-d.downIn
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.downed = append(d.downed, ctx.Err())
	st, ok := d.status[profile]
	if !ok {
		return Status{}, unknown
	}
	st = Status{Profile: profile, State: StateDown, Routes: []Route{}}
	d.status[profile] = st
	return st, nil
}

func (d *daemon) AddRoute(_ context.Context, profile string, r Route) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.status[profile]
	if slices.ContainsFunc(st.Routes, func(x Route) bool { return x.To == r.To }) {
		return &Error{Reason: ReasonConflict, Text: r.To.String() + " is there already"}
	}
	st.Routes = append(slices.Clone(st.Routes), r)
	d.status[profile] = st
	return nil
}

func (d *daemon) DelRoute(_ context.Context, profile string, r Route) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.status[profile]
	st.Routes = slices.DeleteFunc(slices.Clone(st.Routes), func(x Route) bool { return x.To == r.To })
	d.status[profile] = st
	return nil
}

func (d *daemon) Profiles(context.Context) ([]ProfileInfo, error) {
	return []ProfileInfo{{Name: "lab", Gateway: "station", User: "sio4", Routes: []string{"172.16.0.0/16"}}, {Name: "home", Asks: true}}, nil
}

func (d *daemon) ServerSessions(context.Context) ([]ServerSession, error) {
	return []ServerSession{{ID: "3", User: `a"b`, Client: "198.51.100.1:40000", Interface: "ppp0", Counters: Counters{RxBytes: 42}}}, nil
}

func (d *daemon) Kick(_ context.Context, id string) error {
	if id != "3" {
		return &Error{Reason: ReasonUsage, Text: "no such session"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kicked = append(d.kicked, id)
	return nil
}

// serve runs a server for d on a unix socket, and returns its path.
func serve(t *testing.T, d *daemon, opts Options) (path string, srv *Server, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "run", "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if opts.Backend == nil {
		opts.Backend, opts.Server = d, d
	}
	if opts.MayChange == nil {
		// The tests run as whoever; who may is for tests of that.
		opts.MayChange = func(Peer) bool { return true }
	}
	srv = NewServer(opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return path, srv, stop
}

// dialled is serve and a client of it.
func dialled(t *testing.T, d *daemon, opts Options) *Client {
	t.Helper()
	path, _, _ := serve(t, d, opts)
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// peer has every connection come from p.
func peer(p Peer) func(net.Conn) (Peer, error) {
	return func(net.Conn) (Peer, error) { return p, nil }
}
