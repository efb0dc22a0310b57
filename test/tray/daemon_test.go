package tray

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"goppptp/internal/control"
)

// A daemon is one without an engine: what it does is what the test says.
type daemon struct {
	control.Hub
	dir string

	mu       sync.Mutex
	profiles []control.ProfileInfo     // mu guards, as all that follows
	status   map[string]control.Status // of those that are not down
	asked    []control.UpRequest
	downs    []string
	// up is what Up does between "connecting" and its end; nil: comes up.
	up func(control.UpRequest) *control.Error
}

func newDaemon(t *testing.T, profiles ...control.ProfileInfo) *daemon {
	return &daemon{dir: t.TempDir(), profiles: profiles, status: map[string]control.Status{}}
}

var labProfile = control.ProfileInfo{Name: "lab", Gateway: "station", User: "sio4", Routes: []string{"172.16.0.0/16"}}

// serve answers the control socket until the returned function is called.
func (d *daemon) serve(t *testing.T) (stop func()) {
	t.Helper()
	l, err := control.Listen(filepath.Join(d.dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.NewServer(control.Options{Backend: d, MayChange: func(control.Peer) bool { return true }}).Serve(ctx, l)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

// set changes a session's status and says so.
func (d *daemon) set(st control.Status) {
	d.mu.Lock()
	if st.Routes == nil {
		st.Routes = []control.Route{}
	}
	d.status[st.Profile] = st
	d.mu.Unlock()
	d.Publish(control.Event{Type: control.EventState, Profile: st.Profile, Status: &st, Error: st.Error})
}

func (d *daemon) Sessions(context.Context) ([]control.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []control.Status
	for _, st := range d.status {
		out = append(out, st)
	}
	return out, nil
}

func (d *daemon) Session(_ context.Context, profile string) (control.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if st, ok := d.status[profile]; ok {
		return st, nil
	}
	return control.Status{Profile: profile, State: control.StateDown, Routes: []control.Route{}}, nil
}

func (d *daemon) Up(_ context.Context, req control.UpRequest) (control.Status, error) {
	d.mu.Lock()
	d.asked = append(d.asked, req)
	up := d.up
	d.mu.Unlock()
	d.set(control.Status{Profile: req.Profile, State: control.StateConnecting, Stage: control.StageAuth})
	if up != nil {
		if e := up(req); e != nil {
			d.set(control.Status{Profile: req.Profile, State: control.StateFailed, Error: e})
			return control.Status{}, e
		}
	}
	d.set(upStatus(req.Profile))
	return d.Session(context.Background(), req.Profile)
}

func upStatus(profile string) control.Status {
	peer := netip.MustParseAddr("192.168.13.254")
	return control.Status{
		Profile: profile, State: control.StateUp, Interface: "ppp0", Local: netip.MustParseAddr("192.168.13.240"), Peer: peer, MTU: 1456,
		Gateway: "station", User: "sio4", MPPE: &control.MPPE{Bits: 128}, Since: time.Now(),
		Routes:        []control.Route{{To: netip.MustParsePrefix("172.16.0.0/16"), Via: peer, Dev: "ppp0", Metric: 1}},
		RoutesOffered: []control.OfferedRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Source: "dhcp option 121", Why: "default_route is false"}},
	}
}

func (d *daemon) Down(_ context.Context, profile string) (control.Status, error) {
	d.mu.Lock()
	d.downs = append(d.downs, profile)
	d.mu.Unlock()
	d.set(control.Status{Profile: profile, State: control.StateDown})
	return d.Session(context.Background(), profile)
}

func (d *daemon) AddRoute(context.Context, string, control.Route) error { return nil }
func (d *daemon) DelRoute(context.Context, string, control.Route) error { return nil }

func (d *daemon) Profiles(context.Context) ([]control.ProfileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.profiles), nil
}
