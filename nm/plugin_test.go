package nm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/ppp/auth"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
	"goppptp/routing"
)

// testTime is how long a test waits for what has to come.
const testTime = 20 * time.Second

// script is the sessions of a test: what each does.
type script struct {
	sessions chan *fakeSession
}

// A fakeSession is told what to do by the test.
type fakeSession struct {
	cfg  client.Config
	ends chan error // what Run returns
	over chan struct{}
}

func (s *script) new(cfg client.Config) Session {
	f := &fakeSession{cfg: cfg, ends: make(chan error, 1), over: make(chan struct{})}
	s.sessions <- f
	return f
}

func (f *fakeSession) Run(ctx context.Context) error {
	defer close(f.over)
	select {
	case err := <-f.ends:
		return err
	case <-ctx.Done():
		return nil
	}
}

// up does what a session does when it is up.
func (f *fakeSession) up(t *testing.T, more ...netip.Prefix) {
	t.Helper()
	cfg := f.cfg.Profile.RoutingConfig()
	cfg.Gateway = netip.MustParseAddr("198.51.100.10")
	for _, to := range more {
		cfg.Routes = append(cfg.Routes, routing.Route{To: to})
	}
	tun := osnet.TUNConfig{Name: "ppp%d", Local: netip.MustParseAddr("192.168.13.240"), Peer: netip.MustParseAddr("192.168.13.254"), MTU: 1456}
	if _, err := f.cfg.Platform.OpenTUN(tun); err != nil {
		t.Fatal(err)
	}
	cfg.Link, cfg.Local, cfg.Peer = "ppp7", tun.Local, tun.Peer
	if err := f.cfg.Routes.Set(t.Context(), &cfg); err != nil {
		t.Fatal(err)
	}
	f.cfg.OnEvent(control.Event{Type: control.EventState, Status: &control.Status{
		State: control.StateUp, Interface: "ppp7", Local: tun.Local, Peer: tun.Peer, MTU: 1456, DNS: []netip.Addr{netip.MustParseAddr("192.168.13.1")},
	}})
}

// fakePlatform notes what interfaces are asked for.
type fakePlatform struct {
	client.Platform
	opened chan osnet.TUNConfig
}

func (p fakePlatform) OpenTUN(cfg osnet.TUNConfig) (tunnel.TUN, error) {
	p.opened <- cfg
	return nil, nil
}

// A rig is a plugin on a bus of its own, and NetworkManager's end.
type rig struct {
	t       *testing.T
	plugin  *Plugin
	object  dbus.BusObject
	manager *dbus.Conn
	signals chan *dbus.Signal
	script  *script
	opened  chan osnet.TUNConfig
}

func newRig(t *testing.T) *rig {
	t.Helper()
	address := privateBus(t)
	r := &rig{t: t, signals: make(chan *dbus.Signal, 64), script: &script{make(chan *fakeSession, 8)}, opened: make(chan osnet.TUNConfig, 8)}
	service := dial(t, address)
	r.plugin = NewPlugin(Options{
		Emit: func(signal string, args ...any) {
			if err := service.Emit(pluginPath, pluginInterface+"."+signal, args...); err != nil && service.Connected() {
				t.Errorf("signal %s: %v", signal, err)
			}
		},
		NewSession: r.script.new, Platform: fakePlatform{opened: r.opened}, Notes: t.TempDir(), RetryPause: time.Millisecond,
	})
	if err := r.plugin.Export(service); err != nil {
		t.Fatal(err)
	}
	if _, err := service.RequestName(profiles.NMService, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	r.manager = dial(t, address)
	if err := r.manager.AddMatchSignal(dbus.WithMatchInterface(pluginInterface)); err != nil {
		t.Fatal(err)
	}
	r.manager.Signal(r.signals)
	r.object = r.manager.Object(profiles.NMService, pluginPath)
	return r
}

// privateBus starts a bus and returns its address.
func privateBus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon")
	}
	address := "unix:path=" + t.TempDir() + "/bus"
	cmd := exec.Command(program, "--session", "--nofork", "--nopidfile", "--address="+address, "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	buf := make([]byte, 1)
	if _, err := out.Read(buf); err != nil { // it is ready
		t.Fatal(err)
	}
	return address
}

func dial(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (r *rig) call(method string, args ...any) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), testTime)
	defer cancel()
	return r.object.CallWithContext(ctx, pluginInterface+"."+method, 0, args...).Err
}

// must is call for what has to work.
func (r *rig) must(method string, args ...any) {
	r.t.Helper()
	if err := r.call(method, args...); err != nil {
		r.t.Fatalf("%s: %v", method, err)
	}
}

// refuses is call for what has to be answered with an error.
func (r *rig) refuses(name, text, method string, args ...any) {
	r.t.Helper()
	err := r.call(method, args...)
	e, ok := errors.AsType[dbus.Error](err)
	if !ok || e.Name != errorPrefix+name || !strings.Contains(fmt.Sprint(e.Body), text) {
		r.t.Fatalf("%s: %v, want %s with %q", method, err, name, text)
	}
}

// signal waits for the next one.
func (r *rig) signal(name string) []any {
	r.t.Helper()
	select {
	case s := <-r.signals:
		if s.Name != pluginInterface+"."+name {
			r.t.Fatalf("signal %s %v, want %s", s.Name, s.Body, name)
		}
		return s.Body
	case <-time.After(testTime):
		r.t.Fatalf("no signal %s", name)
		return nil
	}
}

func (r *rig) state(s State) {
	r.t.Helper()
	if got := r.signal("StateChanged"); got[0] != uint32(s) {
		r.t.Fatalf("state %v, want %v", State(got[0].(uint32)), s)
	}
}

func (r *rig) failure(f Failure) {
	r.t.Helper()
	if got := r.signal("Failure"); got[0] != uint32(f) {
		r.t.Fatalf("failure %v, want %v", got[0], f)
	}
}

func (r *rig) session() *fakeSession {
	r.t.Helper()
	select {
	case f := <-r.script.sessions:
		return f
	case <-time.After(testTime):
		r.t.Fatal("no session")
		return nil
	}
}

func (r *rig) left() {
	r.t.Helper()
	select {
	case <-r.plugin.Done():
	case <-time.After(testTime):
		r.t.Fatal("the service does not leave")
	}
}

// office is a connection as NetworkManager sends it.
func office(password string, data ...string) settings {
	d := map[string]string{"gateway": "vpn.example.com", "user": "kate", "routes": "172.16.0.0/16"}
	for i := 0; i < len(data); i += 2 {
		d[data[i]] = data[i+1]
	}
	secrets := map[string]string{}
	if password != "" {
		secrets["password"] = password
	}
	return settings{
		"connection": variants(map[string]any{"id": "office", "uuid": "6e1c9a52-6a0c-4a9e-9b5c-2b6d4c1f0a11"}),
		"vpn":        variants(map[string]any{"service-type": profiles.NMService, "data": d, "secrets": secrets}),
		"ipv4":       variants(map[string]any{"method": "auto"}),
		"ipv6":       variants(map[string]any{"method": "auto"}),
	}
}

var wrong = &auth.Error{Why: auth.WhyCredentials, Code: 691}

func TestConnect(t *testing.T) {
	r := newRig(t)
	r.must("Connect", office("secret"))
	r.state(StateStarting)
	f := r.session()
	if f.cfg.Password != "secret" || f.cfg.Profile.User != "kate" || f.cfg.Profile.Reconnect {
		t.Errorf("%+v", f.cfg.Profile)
	}
	r.refuses(errStarting, "", "Connect", office("secret"))
	f.up(t)
	if tun := <-r.opened; tun.Local.IsValid() || tun.Peer.IsValid() || tun.MTU != 1456 || tun.Name != "ppp%d" {
		t.Errorf("the interface is made with %+v", tun)
	}
	config := r.signal("Config")[0].(values)
	if got := config["tundev"].Value(); got != "ppp7" {
		t.Errorf("tundev %v", got)
	}
	ip4 := r.signal("Ip4Config")[0].(values)
	if got, want := ip4["routes"].Value(), [][]uint32{{word(netip.MustParseAddr("172.16.0.0")), 16, 0, 0}}; !reflect.DeepEqual(got, want) {
		t.Errorf("routes %v", got)
	}
	r.state(StateStarted)
	var state dbus.Variant
	if err := r.object.Call("org.freedesktop.DBus.Properties.Get", 0, pluginInterface, "State").Store(&state); err != nil || state.Value() != uint32(StateStarted) {
		t.Errorf("State: %v, %v", err, state)
	}
	r.refuses(errStarted, "", "ConnectInteractive", office("secret"), values{})
	// The same again tells nothing new; another route does.
	f.up(t)
	f.up(t, netip.MustParsePrefix("10.70.0.0/16"))
	r.signal("Config")
	if got := r.signal("Ip4Config")[0].(values)["routes"].Value().([][]uint32); len(got) != 2 {
		t.Errorf("routes %v", got)
	}
	r.must("Disconnect")
	<-f.over
	r.state(StateStopping)
	r.state(StateStopped)
	r.left()
}

// TestUnit: the key names the interface, as it does for pppd.
func TestUnit(t *testing.T) {
	r := newRig(t)
	r.must("Connect", office("secret", "unit", "5"))
	r.state(StateStarting)
	r.session().up(t)
	if tun := <-r.opened; tun.Name != "ppp5" {
		t.Errorf("the interface is %s", tun.Name)
	}
}

func TestNeedSecrets(t *testing.T) {
	r := newRig(t)
	for want, s := range map[string]settings{"vpn": office(""), "": office("x")} {
		var got string
		if err := r.object.Call(pluginInterface+".NeedSecrets", 0, s).Store(&got); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	for flags, want := range map[string]string{"0": "vpn", "1": "vpn", "2": "vpn", "4": "", "5": "", "nonsense": "vpn"} {
		var got string
		if err := r.object.Call(pluginInterface+".NeedSecrets", 0, office("", "password-flags", flags)).Store(&got); err != nil || got != want {
			t.Errorf("flags %s: %q, %v, want %q", flags, got, err, want)
		}
	}
}

func TestMistakesAreRefused(t *testing.T) {
	r := newRig(t)
	r.refuses(errConnection, `unknown key "gatway"`, "Connect", office("x", "gatway", "y"))
	r.refuses(errConnection, "the password is missing", "Connect", office(""))
	r.refuses(errWrongState, "", "NewSecrets", office("x"))
	for _, m := range []string{"SetConfig", "SetIp4Config", "SetIp6Config"} {
		r.refuses(errWrongState, "", m, values{})
	}
	r.refuses(errWrongState, "", "SetFailure", "x")
	r.refuses(errStopped, "", "Disconnect")
	r.left()
}

func TestWrongPasswordIsAskedForAgain(t *testing.T) {
	r := newRig(t)
	r.must("ConnectInteractive", office("first"), values{})
	r.state(StateStarting)
	r.session().ends <- wrong
	ask := r.signal("SecretsRequired")
	if !strings.Contains(ask[0].(string), "wrong user name or password") || !slices.Equal(ask[1].([]string), []string{"password"}) {
		t.Errorf("asked: %v", ask)
	}
	r.must("NewSecrets", office("second"))
	r.refuses(errWrongState, "", "NewSecrets", office("second"))
	f := r.session()
	if f.cfg.Password != "second" {
		t.Error("the answer is not used")
	}
	f.ends <- wrong
	r.signal("SecretsRequired")
	r.must("NewSecrets", office("third"))
	r.session().ends <- wrong
	r.failure(FailureLogin)
	r.state(StateStopped)
	r.refuses(errStopped, "", "Disconnect")
	r.left()
}

func TestSameAnswerIsNoAnswer(t *testing.T) {
	r := newRig(t)
	r.must("ConnectInteractive", office("first"), values{})
	r.state(StateStarting)
	r.session().ends <- wrong
	r.signal("SecretsRequired")
	r.must("NewSecrets", office("first"))
	r.failure(FailureLogin)
	r.state(StateStopped)
}

func TestMissingPasswordIsAskedFor(t *testing.T) {
	r := newRig(t)
	r.must("ConnectInteractive", office(""), values{})
	r.state(StateStarting)
	r.signal("SecretsRequired")
	r.must("NewSecrets", office("typed"))
	if f := r.session(); f.cfg.Password != "typed" {
		t.Error("the answer is not used")
	}
}

func TestDisconnectWhileAsked(t *testing.T) {
	r := newRig(t)
	r.must("ConnectInteractive", office("first"), values{})
	r.state(StateStarting)
	r.session().ends <- wrong
	r.signal("SecretsRequired")
	r.must("Disconnect")
	r.state(StateStopping)
	r.state(StateStopped)
	r.left()
}

func TestFailureCodes(t *testing.T) {
	for i, c := range []struct {
		err  error
		want Failure
	}{
		{wrong, FailureLogin},
		{&auth.Error{Why: auth.WhyDisabled, Code: 647}, FailureLogin},
		{&control.Error{Reason: control.ReasonUnreachable, Text: "x"}, FailureConnect},
		{&control.Error{Reason: control.ReasonGRE, Text: "x"}, FailureConnect},
		{&control.Error{Reason: control.ReasonMPPE, Text: "x"}, FailureConnect},
		{&control.Error{Reason: control.ReasonConflict, Text: "x"}, FailureIPConfig},
		{errors.New("else"), FailureConnect},
		{nil, FailureConnect}, // the server ended it
	} {
		t.Run(fmt.Sprintf("case %d", i), func(t *testing.T) {
			r := newRig(t)
			r.must("Connect", office("secret"))
			r.state(StateStarting)
			r.session().ends <- c.err
			r.failure(c.want)
			r.state(StateStopped)
		})
	}
}

// TestNoQuestionHelps: where another password would not do, none is asked for.
func TestNoQuestionHelps(t *testing.T) {
	for _, err := range []error{&auth.Error{Why: auth.WhyDisabled, Code: 647}, &control.Error{Reason: control.ReasonGRE, Text: "x"}} {
		r := newRig(t)
		r.must("ConnectInteractive", office("secret"), values{})
		r.state(StateStarting)
		r.session().ends <- err
		r.signal("Failure")
		r.state(StateStopped)
	}
}

// TestLostSession: a session that was up and is lost is NetworkManager's to
// dial again, and its password is not to blame.
func TestLostSession(t *testing.T) {
	r := newRig(t)
	r.must("ConnectInteractive", office("secret"), values{})
	r.state(StateStarting)
	f := r.session()
	f.up(t)
	r.signal("Config")
	r.signal("Ip4Config")
	r.state(StateStarted)
	f.ends <- wrong
	r.failure(FailureLogin)
	r.state(StateStopped)
}

func TestAbandon(t *testing.T) {
	r := newRig(t)
	r.must("Connect", office("secret"))
	r.state(StateStarting)
	f := r.session()
	r.plugin.Abandon("a test", false)
	<-f.over
	r.left()
}

// TestCallerIsWatched: when NetworkManager leaves the bus the service hears it.
func TestCallerIsWatched(t *testing.T) {
	address := privateBus(t)
	service, caller := dial(t, address), dial(t, address)
	w, err := watch(service)
	if err != nil {
		t.Fatal(err)
	}
	name := caller.Names()[0]
	w.follow(name)
	caller.Close()
	late := time.After(testTime)
	for {
		select {
		case s := <-w.signals:
			if w.gone(s) {
				return
			}
		case <-late:
			t.Fatal("not told")
		}
	}
}

// persistent is office with vpn.persistent.
func persistent(timeout uint32) settings {
	s := office("secret")
	s["vpn"]["persistent"], s["vpn"]["timeout"] = dbus.MakeVariant(true), dbus.MakeVariant(timeout)
	return s
}

var away = &control.Error{Reason: control.ReasonUnreachable, Text: "away"}

// TestComesBack: NetworkManager starts a persistent connection that was lost
// anew, and the service for it waits for the server to be there again.
func TestComesBack(t *testing.T) {
	r := newRig(t)
	up := func() *fakeSession {
		f := r.session()
		f.up(t)
		r.signal("Config")
		r.signal("Ip4Config")
		r.state(StateStarted)
		return f
	}
	r.must("Connect", persistent(0))
	r.state(StateStarting)
	up().ends <- away
	r.failure(FailureConnect)
	r.state(StateStopped)

	r.must("Connect", persistent(0))
	r.state(StateStarting)
	for range 3 {
		r.session().ends <- away
	}
	f := up()
	// Lost once more, and this time the password is wrong: no use in waiting.
	f.ends <- away
	r.failure(FailureConnect)
	r.state(StateStopped)
	r.must("Connect", persistent(0))
	r.state(StateStarting)
	r.session().ends <- wrong
	r.failure(FailureLogin)
	r.state(StateStopped)

	// Whoever connects now wants an answer.
	r.must("Connect", persistent(0))
	r.state(StateStarting)
	r.session().ends <- away
	r.failure(FailureConnect)
	r.state(StateStopped)
}

func TestDoesNotComeBack(t *testing.T) {
	for name, s := range map[string]settings{"not persistent": office("secret"), "no time": persistent(1)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if err := notes(r.plugin.opts.Notes).leave(get[string](s, "connection", "uuid")); err != nil {
				t.Fatal(err)
			}
			r.must("Connect", s)
			r.state(StateStarting)
			r.session().ends <- away
			r.failure(FailureConnect)
			r.state(StateStopped)
		})
	}
}

func TestNotes(t *testing.T) {
	n, now := notes(t.TempDir()+"/notes"), time.Now()
	if n.take("a", now) {
		t.Error("a note that nobody left")
	}
	for _, c := range []struct {
		uuid string
		at   time.Time
		want bool
	}{{"a", now, true}, {"a", now.Add(noteTime + time.Second), false}, {"a", now.Add(-time.Minute), false}, {"../a", now, false}, {"", now, false}} {
		if err := n.leave(c.uuid); err != nil {
			t.Fatal(err)
		}
		if got := n.take(c.uuid, c.at); got != c.want {
			t.Errorf("%q at %v: %t", c.uuid, c.at.Sub(now), got)
		}
		if n.take(c.uuid, now) {
			t.Errorf("%q: a note is not forgotten", c.uuid)
		}
	}
	if err := notes("").leave("a"); err != nil || notes("").take("a", now) {
		t.Error("no directory")
	}
}
