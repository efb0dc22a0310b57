package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestUpStatusDown(t *testing.T) {
	d := newDaemon()
	c := dialled(t, d, Options{})
	ctx := t.Context()

	st, err := c.Status(ctx, "lab")
	if err != nil || st.State != StateDown {
		t.Fatalf("before: %+v, %v", st, err)
	}
	up, err := c.Up(ctx, "lab", nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err = c.Status(ctx, "lab")
	if err != nil || !reflect.DeepEqual(st, up) || !reflect.DeepEqual(st, d.status["lab"]) {
		t.Errorf("Status = %+v, %v\nUp     = %+v\nwant     %+v", st, err, up, d.status["lab"])
	}
	list, err := c.Sessions(ctx)
	if err != nil || len(list) != 1 || list[0].Profile != "lab" {
		t.Errorf("Sessions = %+v, %v", list, err)
	}
	routes, err := c.Routes(ctx, "lab")
	if err != nil || len(routes) != 1 || routes[0].To.String() != "172.16.0.0/16" {
		t.Errorf("Routes = %v, %v", routes, err)
	}
	if err := c.Down(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	if list, err := c.Sessions(ctx); err != nil || len(list) != 0 {
		t.Errorf("after down: %v, %v", list, err)
	}
	ps, err := c.Profiles(ctx)
	if err != nil || len(ps) != 2 || ps[0].Gateway != "station" || !ps[1].Asks {
		t.Errorf("Profiles = %+v, %v", ps, err)
	}
}

func TestUpStreamsItsOwnEvents(t *testing.T) {
	d := newDaemon()
	d.up = func(_ context.Context, req UpRequest) error {
		for _, s := range []Stage{StageResolve, StageTCP, StageAuth} {
			d.Publish(Event{Type: EventStage, Profile: "home", Stage: StageGone})
			d.Publish(Event{Type: EventStage, Profile: req.Profile, Stage: s, Text: "now " + string(s)})
		}
		return nil
	}
	c := dialled(t, d, Options{})
	var got []string
	_, err := c.UpWith(t.Context(), UpRequest{Profile: "lab", Password: "pw", NewPassword: "new"}, func(e Event) {
		got = append(got, e.Profile+" "+string(e.Stage)+" "+e.Text)
	})
	want := []string{"lab resolve now resolve", "lab tcp now tcp", "lab auth now auth"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("events %q, %v; want %q", got, err, want)
	}
	if r := d.asked[0]; r.Profile != "lab" || string(r.Password) != "pw" || string(r.NewPassword) != "new" {
		t.Error("the request's secrets did not arrive")
	}
}

// StageGone is a stage of another profile's session.
const StageGone Stage = "gone"

func TestErrorsKeepTheirReason(t *testing.T) {
	for reason, want := range map[Reason]int{ReasonFailed: 1, ReasonUsage: 2, ReasonUnreachable: 3, ReasonAuth: 4,
		ReasonMPPE: 5, ReasonGRE: 6, ReasonConflict: 7, ReasonPermission: 8} {
		d := newDaemon()
		sent := &Error{Reason: reason, Text: "text of " + string(reason), Hint: "a hint"}
		d.up = func(context.Context, UpRequest) error { return fmt.Errorf("wrapped: %w", sent) }
		c := dialled(t, d, Options{})
		_, err := c.Up(t.Context(), "lab", nil)
		got, ok := errors.AsType[*Error](err)
		if !ok || *got != *sent {
			t.Errorf("%s: streamed up gave %#v", reason, err)
		}
		if !errors.Is(err, &Error{Reason: reason}) || errors.Is(err, &Error{Reason: "other"}) || ReasonOf(err) != reason || ReasonOf(err).ExitCode() != want {
			t.Errorf("%s: Is, ReasonOf or ExitCode %d disagree with %v", reason, ReasonOf(err).ExitCode(), err)
		}
		err = c.call(t.Context(), http.MethodPost, "/v1/sessions/lab/up", nil, nil)
		if got, ok := errors.AsType[*Error](err); !ok || *got != *sent {
			t.Errorf("%s: plain up gave %#v", reason, err)
		}
	}
	if ReasonOf(nil) != "" || ReasonOf(io.EOF) != ReasonFailed || Reason("new").ExitCode() != 1 {
		t.Error("ReasonOf of nil, of a foreign error, or ExitCode of an unknown reason")
	}
}

func TestRoutes(t *testing.T) {
	d := newDaemon()
	c := dialled(t, d, Options{})
	r := Route{To: netip.MustParsePrefix("192.168.14.0/24"), Metric: 5}
	if err := c.AddRoute(t.Context(), "lab", r); err != nil {
		t.Fatal(err)
	}
	if err := c.AddRoute(t.Context(), "lab", r); ReasonOf(err) != ReasonConflict {
		t.Errorf("a second time: %v", err)
	}
	if got, _ := c.Routes(t.Context(), "lab"); len(got) != 1 || got[0] != r {
		t.Errorf("routes %v", got)
	}
	if err := c.DelRoute(t.Context(), "lab", r); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Routes(t.Context(), "lab"); len(got) != 0 {
		t.Errorf("after DelRoute: %v", got)
	}
	host := Route{Host: "build.lab.example", Metric: 7}
	if err := c.AddRoute(t.Context(), "lab", host); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Routes(t.Context(), "lab"); len(got) != 1 || got[0] != host {
		t.Errorf("with a host name: %v", got)
	}
	both := Route{To: r.To, Host: "build.lab.example"}
	if err := c.AddRoute(t.Context(), "lab", both); ReasonOf(err) != ReasonUsage {
		t.Errorf("a subnet and a host name: %v", err)
	}
	bad := Route{To: netip.MustParsePrefix("192.168.14.1/24")}
	if err := c.AddRoute(t.Context(), "lab", bad); ReasonOf(err) != ReasonUsage || !strings.Contains(err.Error(), "host bits") {
		t.Errorf("host bits: %v", err)
	}
}

func TestWhoMayChange(t *testing.T) {
	member := func(p Peer) bool { return p.UID == 0 || slices.Contains(p.Groups, 99) }
	for _, tt := range []struct {
		name string
		peer Peer
		may  bool
	}{
		{"root", Peer{UID: 0}, true},
		{"member", Peer{UID: 1000, Groups: []uint32{4, 99}}, true},
		{"stranger", Peer{UID: 1000, GID: 1000, Groups: []uint32{4}}, false},
	} {
		d := newDaemon()
		c := dialled(t, d, Options{PeerOf: peer(tt.peer), MayChange: member})
		ctx := t.Context()
		if _, err := c.Sessions(ctx); err != nil {
			t.Errorf("%s may not read: %v", tt.name, err)
		}
		route := Route{To: netip.MustParsePrefix("10.0.0.0/8")}
		_, upErr := c.Up(ctx, "lab", nil)
		for what, err := range map[string]error{"up": upErr, "add": c.AddRoute(ctx, "lab", route), "delete": c.DelRoute(ctx, "lab", route),
			"down": c.Down(ctx, "lab"), "kick": c.Kick(ctx, "3")} {
			if tt.may && err != nil {
				t.Errorf("%s: %s: %v", tt.name, what, err)
			}
			if !tt.may && ReasonOf(err) != ReasonPermission {
				t.Errorf("%s: %s gave %v, want a refusal", tt.name, what, err)
			}
		}
		if !tt.may && (len(d.asked) > 0 || len(d.downed) > 0 || len(d.kicked) > 0) {
			t.Errorf("%s reached the backend", tt.name)
		}
	}
}

// TestAuthorize has somebody decide about those who may not change things by
// themselves.
func TestAuthorize(t *testing.T) {
	own := &Error{Reason: ReasonPermission, Text: "not at this hour"}
	d := newDaemon()
	var asked []string // of one request at a time
	c := dialled(t, d, Options{
		PeerOf: peer(Peer{PID: 7, UID: 1000, Start: 8}), MayChange: func(Peer) bool { return false },
		Authorize: func(_ context.Context, p Peer, profile string) error {
			asked = append(asked, fmt.Sprint(p.PID, " ", p.Start, " ", profile))
			switch profile {
			case "lab":
				return nil
			case "home":
				return errors.New("some reason inside")
			}
			return own
		},
	})
	if _, err := c.Up(t.Context(), "lab", nil); err != nil {
		t.Errorf("allowed, and %v", err)
	}
	_, err := c.Up(t.Context(), "home", nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != ReasonPermission || !strings.Contains(e.Hint, "usermod") {
		t.Errorf("refused: %v", err)
	}
	if err := c.Kick(t.Context(), "3"); !reflect.DeepEqual(err, own) {
		t.Errorf("refused in words of its own: %v", err)
	}
	if err := c.Down(t.Context(), "../etc"); ReasonOf(err) != ReasonPermission {
		t.Errorf("no profile's name: %v", err)
	}
	if want := []string{"7 8 lab", "7 8 home", "7 8 "}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestPeerCredentialsAreTheKernels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	p, err := PeerOf(a.(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := os.Getgroups()
	if p.PID != os.Getpid() || p.UID != uint32(os.Getuid()) || p.GID != uint32(os.Getgid()) || len(p.Groups) != len(groups) {
		t.Errorf("PeerOf = %+v; pid %d uid %d gid %d groups %v", p, os.Getpid(), os.Getuid(), os.Getgid(), groups)
	}
	if !MayChange(Peer{UID: 0, GID: 7}) || MayChange(Peer{UID: 4711, GID: 4711}) {
		t.Error("MayChange: root may, a stranger may not")
	}
}

// raw sends one request and returns status and body.
func raw(t *testing.T, h http.Handler, method, target, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req = req.WithContext(context.WithValue(req.Context(), peerKey{}, Peer{UID: 0}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

func TestRequestsThatAreRefused(t *testing.T) {
	d := newDaemon()
	srv := NewServer(Options{Backend: d, Server: d})
	for _, tt := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"POST", "/v1/sessions/..%2f..%2fetc%2fpasswd/up", "", 400, "not a profile name"},
		{"POST", "/v1/sessions/%2ftmp%2flab.yaml/up", "", 400, "not a profile name"},
		{"GET", "/v1/sessions/.hidden", "", 400, "not a profile name"},
		{"POST", "/v1/sessions/nolab/up", "", 400, "no such profile"},
		{"POST", "/v1/sessions/lab/up", `{"file": "/etc/passwd"}`, 400, "not understood"},
		{"POST", "/v1/sessions/lab/up", `{} {}`, 400, "not understood"},
		{"POST", "/v1/sessions/lab/up", `{`, 400, "not understood"},
		{"POST", "/v1/sessions/lab/up", strings.Repeat(" ", maxBody+1), 400, "too large"},
		{"POST", "/v1/sessions/lab/routes", ``, 400, "names no subnet"},
		{"POST", "/v1/sessions/lab/routes", `{"to": "10.0.0.1/8"}`, 400, "host bits"},
		{"POST", "/v1/sessions/lab/routes", `{"to": "10.0.0.0/8", "metric": -1}`, 400, "names no subnet"},
		{"DELETE", "/v1/sessions/lab/routes?to=lab", ``, 400, "not a subnet"},
		{"POST", "/v1/server/sessions/4/kick", ``, 400, "no such session"},
		{"GET", "/v1/nothing", "", 404, "no such request"},
		{"GET", "/v1/sessions/lab/up", "", 404, "no such request"},
	} {
		status, body := raw(t, srv, tt.method, tt.target, tt.body)
		if status != tt.status || !strings.Contains(body, tt.want) || !strings.Contains(body, `"reason":"usage"`) {
			t.Errorf("%s %s %.40q: %d %s; want %d with %q", tt.method, tt.target, tt.body, status, body, tt.status, tt.want)
		}
	}
	if len(d.asked) != 1 {
		t.Errorf("%d requests reached Up, want that of nolab alone", len(d.asked))
	}
}

func TestDeleteRouteByQuery(t *testing.T) {
	d := newDaemon()
	srv := NewServer(Options{Backend: d})
	if err := d.AddRoute(t.Context(), "lab", Route{To: netip.MustParsePrefix("10.0.0.0/8")}); err != nil {
		t.Fatal(err)
	}
	if status, body := raw(t, srv, "DELETE", "/v1/sessions/lab/routes?to=10.0.0.0/8", ""); status != 200 || strings.Contains(body, "10.0.0.0") {
		t.Errorf("%d %s", status, body)
	}
}

func TestWithoutPeerNothingChanges(t *testing.T) {
	srv := NewServer(Options{Backend: newDaemon(), MayChange: func(Peer) bool { return true }})
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, httptest.NewRequest("POST", "/v1/sessions/lab/up", nil))
	if rec.Code != http.StatusForbidden {
		t.Errorf("a caller nobody knows: status %d", rec.Code)
	}
}

func TestServerSessionsAndMetrics(t *testing.T) {
	d := newDaemon()
	c := dialled(t, d, Options{})
	if _, err := c.Up(t.Context(), "lab", nil); err != nil {
		t.Fatal(err)
	}
	list, err := c.ServerSessions(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "3" || list[0].Counters.RxBytes != 42 {
		t.Errorf("ServerSessions = %+v, %v", list, err)
	}
	if err := c.Kick(t.Context(), "3"); err != nil || !slices.Equal(d.kicked, []string{"3"}) {
		t.Errorf("Kick: %v, kicked %v", err, d.kicked)
	}
	if err := c.Kick(t.Context(), "../3"); ReasonOf(err) != ReasonUsage && err == nil {
		t.Errorf("Kick of a path: %v", err)
	}
	_, body := raw(t, NewServer(Options{Backend: d, Server: d}), "GET", "/metrics", "")
	for _, want := range []string{
		`goppptp_session_up{profile="lab"} 1`,
		`goppptp_session_receive_bytes_total{profile="lab"} 7`,
		`goppptp_session_transmit_packets_total{profile="lab"} 9`,
		"goppptp_server_sessions 1\n",
		`goppptp_server_session_receive_bytes_total{id="3",user="a\"b",interface="ppp0"} 42`,
		"# TYPE goppptp_session_receive_bytes_total counter",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

func TestWatch(t *testing.T) {
	d := newDaemon()
	d.status["lab"] = Status{Profile: "lab", State: StateUp}
	c := dialled(t, d, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := c.Watch(ctx, func(e Event) {
		got = append(got, string(e.Type)+" "+e.Profile+" "+e.Text)
		switch len(got) {
		case 1: // the state as it is comes first: now we are subscribed
			d.Publish(Event{Type: EventNote, Profile: "lab", Text: "one"})
			d.Publish(Event{Type: EventNote, Profile: "home", Text: "two"})
		case 3:
			cancel()
		}
	})
	want := []string{"state lab ", "note lab one", "note home two"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Watch: %q, %v; want %q", got, err, want)
	}
}

func TestWatchEndsWithTheDaemon(t *testing.T) {
	d := newDaemon()
	d.status["lab"] = Status{Profile: "lab", State: StateUp}
	path, _, stop := serve(t, d, Options{})
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Watch(t.Context(), func(Event) { go stop() })
	if !errors.Is(err, ErrNoDaemon) {
		t.Errorf("Watch = %v, want ErrNoDaemon", err)
	}
}

func TestUpIsGivenUpWhenTheCallerLeaves(t *testing.T) {
	d := newDaemon()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	d.up = func(up context.Context, _ UpRequest) error {
		cancel()
		<-up.Done()
		ended <- up.Err()
		return up.Err()
	}
	c := dialled(t, d, Options{})
	if _, err := c.Up(ctx, "lab", nil); !errors.Is(err, context.Canceled) && ctx.Err() == nil {
		t.Errorf("Up = %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the backend's context: %v", err)
	}
}

func TestDownIsFinishedAlthoughTheCallerLeaves(t *testing.T) {
	d := newDaemon()
	d.inDown, d.downIn = make(chan struct{}), make(chan struct{})
	path, _, stop := serve(t, d, Options{})
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.Down(ctx, "lab") }()
	<-d.inDown
	cancel()
	if err := <-result; err == nil {
		t.Error("Down of a caller that left returned nil")
	}
	c.Close()
	close(d.downIn)
	stop() // waits for the request
	if len(d.downed) != 1 || d.downed[0] != nil {
		t.Errorf("Down's context at its end: %v", d.downed)
	}
}

func TestNobodyListens(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dial(filepath.Join(dir, "none")); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("no socket: %v", err)
	}
	path, _, stop := serve(t, newDaemon(), Options{})
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	c.Close()
	if _, err := c.Sessions(t.Context()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("a daemon that left: %v", err)
	}
}

func TestSecretsPrintAsNothing(t *testing.T) {
	r := UpRequest{Profile: "lab", Password: "hunter2", NewPassword: "hunter3"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "password", r.Password)
	if s := fmt.Sprintf("%v %+v %#v %s", r, r, r, r.Password) + b.String(); strings.Contains(s, "hunter") {
		t.Errorf("a secret shows: %s", s)
	}
}

func TestProfileNames(t *testing.T) {
	for name, want := range map[string]bool{"lab": true, "a.b-c_d@e": true, "9": true, strings.Repeat("x", 64): true,
		"": false, ".": false, "..": false, ".x": false, "-x": false, "a/b": false, "a b": false, "a\x00": false, "ä": false, strings.Repeat("x", 65): false} {
		if ValidProfileName(name) != want {
			t.Errorf("ValidProfileName(%q) = %v", name, !want)
		}
	}
}
