package tray

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"goppptp/internal/control"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func info(name string) control.ProfileInfo {
	return control.ProfileInfo{Name: name, Gateway: "station", User: "sio4", Routes: []string{"172.16.0.0/16"}}
}

func route(s string) control.Route { return control.Route{To: netip.MustParsePrefix(s)} }

// up is lab, up for twelve minutes.
func up() control.Status {
	return control.Status{
		Profile: "lab", State: control.StateUp, Gateway: "station", User: "sio4", Interface: "ppp0", MTU: 1456,
		Local: netip.MustParseAddr("192.168.13.240"), Peer: netip.MustParseAddr("192.168.13.254"),
		MPPE: &control.MPPE{Bits: 128}, Since: noon.Add(-12*time.Minute - 30*time.Second),
		Routes:   []control.Route{route("172.16.0.0/16"), route("192.168.13.0/24"), {To: netip.MustParsePrefix("10.9.8.7/32"), Host: "build.lab"}},
		Counters: control.Counters{RxBytes: 1234567, TxBytes: 999},
	}
}

func in(state control.State, e *control.Error) control.Status {
	return control.Status{Profile: "lab", State: state, Error: e}
}

// text writes a menu as a person sees it: a line each, what cannot be clicked
// in parentheses, submenus indented.
func text(m Menu) string {
	var b strings.Builder
	line := func(indent string, r Row) {
		if r.Text == "" {
			return
		}
		s := r.Text
		if r.Action.Verb == ToggleLogin {
			s = map[bool]string{true: "[x] ", false: "[ ] "}[r.Check] + s
		}
		if r.Action.Verb == Nothing {
			s = "(" + s + ")"
		}
		fmt.Fprintln(&b, indent+s)
	}
	fmt.Fprintln(&b, "icon:", m.Icon)
	line("", m.Notices[0])
	line("", m.Notices[1])
	for _, s := range m.Sections {
		line("", s.State)
		line("  ", s.Login)
		for _, d := range s.Details {
			line("  ", d)
		}
		line("", s.Act)
		line("", s.Error)
		line("", s.Fix)
	}
	line("", m.More)
	line("", m.Log)
	line("", m.Quit)
	return b.String()
}

const tail = "Open log\nQuit (sessions stay up)\n"
const plainLab = "  [ ] Connect at login\n  (gateway station, user sio4)\n  (will route: 172.16.0.0/16)\n"

func TestBuild(t *testing.T) {
	refused := &control.Error{Reason: control.ReasonAuth, Text: "authentication refused (E=691)", Hint: "check the password"}
	tests := []struct {
		name  string
		world func(w *World)
		want  string
	}{
		{"before the daemon was asked", func(w *World) { w.Daemon = DaemonUnknown }, "icon: off\n(asking the daemon …)\n" + tail},
		{"no daemon", func(w *World) { w.Gone("") },
			"icon: failed\n(the goppptp daemon is not running)\n(→ sudo systemctl enable --now goppptp.socket)\n" + tail},
		{"no access", func(w *World) { w.Gone("no access to the daemon's socket") },
			"icon: failed\n(the goppptp daemon does not answer)\n(no access to the daemon's socket)\n" + tail},
		{"no profiles", func(w *World) { w.Profiles = nil },
			"icon: off\n(no profile is installed)\n(→ sudo goppptp profile add NAME --gateway … --user …)\n" + tail},
		{"down", func(w *World) {}, "icon: off\n(○ lab: not connected)\n" + plainLab + "Connect lab\n" + tail},
		{"down, as the daemon says", func(w *World) { w.status(in(control.StateDown, nil)) }, "icon: off\n(○ lab: not connected)\n" + plainLab + "Connect lab\n" + tail},
		{"at login", func(w *World) { w.Login["lab"] = true },
			"icon: off\n(○ lab: not connected)\n" + strings.Replace(plainLab, "[ ]", "[x]", 1) + "Connect lab\n" + tail},
		{"connecting", func(w *World) {
			w.Event(control.Event{Type: control.EventStage, Profile: "lab", Stage: control.StageMPPE})
		},
			"icon: connecting\n(◌ lab: connecting: agreeing on encryption)\n" + plainLab + "Stop connecting lab\n" + tail},
		{"asking", func(w *World) { w.Asking["lab"] = true }, "icon: off\n(○ lab: waiting for the password)\n" + plainLab + "(Connect lab)\n" + tail},
		{"up", func(w *World) { w.status(up()) }, "icon: up\n(● lab: connected, 192.168.13.240, 3 routes, 12 min)\n" +
			"  [ ] Connect at login\n  (gateway station, user sio4)\n  (ppp0, peer 192.168.13.254, MTU 1456)\n  (encryption: MPPE 128-bit)\n" +
			"  (received 1.2 MB, sent 999 B)\n  (route in: 172.16.0.0/16)\n  (route in: 192.168.13.0/24)\n  (route in: 10.9.8.7/32 (build.lab))\nDisconnect lab\n" + tail},
		{"up, with what was offered", func(w *World) {
			st := up()
			st.Routes, st.MPPE, st.Warnings = st.Routes[:1], nil, []string{"a warning"}
			st.RoutesOffered = []control.OfferedRoute{
				{To: netip.MustParsePrefix("0.0.0.0/0"), Why: "default_route is false"},
				{To: netip.MustParsePrefix("10.0.0.0/8"), Taken: true},
			}
			w.status(st)
		}, "icon: up\n(● lab: connected, 192.168.13.240, 1 route, 12 min)\n" +
			"  [ ] Connect at login\n  (gateway station, user sio4)\n  (ppp0, peer 192.168.13.254, MTU 1456)\n  (no encryption)\n  (received 1.2 MB, sent 999 B)\n" +
			"  (route in: 172.16.0.0/16)\n  (route ignored: 0.0.0.0/0 (default_route is false))\n  (note: a warning)\nDisconnect lab\n" + tail},
		{"lost", func(w *World) {
			w.status(in(control.StateReconnecting, &control.Error{Reason: control.ReasonFailed, Text: "silent"}))
		},
			"icon: connecting\n(◌ lab: lost, connecting again (try 1))\n" + plainLab + "Disconnect lab\n(silent)\n" + tail},
		{"disconnecting", func(w *World) { w.status(in(control.StateDisconnecting, nil)) },
			"icon: connecting\n(◌ lab: disconnecting)\n" + plainLab + "(Connect lab)\n" + tail},
		{"failed", func(w *World) { w.status(in(control.StateFailed, refused)) },
			"icon: failed\n(▲ lab: could not connect)\n" + plainLab + "Connect lab\n(authentication refused (E=691))\n(→ check the password)\n" + tail},
		{"refused", func(w *World) {
			w.Refused("lab", &control.Error{Reason: control.ReasonPermission, Text: "not in the group"})
		},
			"icon: failed\n(▲ lab: could not connect)\n" + plainLab + "Connect lab\n(not in the group)\n" +
				"(→ sudo usermod -aG goppptp $USER, then log in again)\n" + tail},
		{"asked again after a refusal", func(w *World) { w.Refused("lab", refused); w.Trying("lab") },
			"icon: off\n(○ lab: not connected)\n" + plainLab + "Connect lab\n" + tail},
		{"bad profile", func(w *World) { w.Profiles[0] = control.ProfileInfo{Name: "lab", Error: "lab.yaml:2:1: unknown key"} },
			"icon: failed\n(▲ lab: the profile has a mistake)\n  [ ] Connect at login\n(Connect lab)\n(lab.yaml:2:1: unknown key)\n(→ goppptp profile check lab)\n" + tail},
		{"bad profile, and up", func(w *World) {
			w.Profiles[0].Error = "lab.yaml:2:1: unknown key"
			st := up()
			st.Routes = nil
			w.status(st)
		}, "icon: up\n(● lab: connected, 192.168.13.240, 0 routes, 12 min)\n  [ ] Connect at login\n  (gateway station, user sio4)\n" +
			"  (ppp0, peer 192.168.13.254, MTU 1456)\n  (encryption: MPPE 128-bit)\n  (received 1.2 MB, sent 999 B)\nDisconnect lab\n" + tail},
	}
	for _, test := range tests {
		w := NewWorld()
		w.Snapshot([]control.ProfileInfo{info("lab")}, nil)
		test.world(w)
		if got := text(Build(w, noon, English)); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

func TestIconOfManySpeaksForAll(t *testing.T) {
	states := map[control.State]Icon{
		control.StateDown: IconOff, control.StateUp: IconUp, control.StateFailed: IconFailed, control.StateConnecting: IconConnecting,
	}
	order := []control.State{control.StateDown, control.StateUp, control.StateFailed, control.StateConnecting}
	for i, a := range order {
		for j, b := range order {
			w := NewWorld()
			w.Snapshot([]control.ProfileInfo{info("a"), info("b")}, []control.Status{{Profile: "a", State: a}, {Profile: "b", State: b}})
			if got, want := Build(w, noon, English).Icon, states[order[max(i, j)]]; got != want {
				t.Errorf("%s and %s: %v, want %v", a, b, got, want)
			}
		}
	}
}

func TestMoreProfilesThanRoom(t *testing.T) {
	w := NewWorld()
	var list []control.ProfileInfo
	for i := range MaxSections + 5 {
		list = append(list, info(fmt.Sprintf("p%02d", i)))
	}
	slices.Reverse(list)
	w.Snapshot(list, []control.Status{{Profile: "p16", State: control.StateUp}})
	m := Build(w, noon, English)
	if len(m.Sections) != MaxSections || m.Sections[0].Profile != "p16" || m.Sections[1].Profile != "p00" || m.More.Text != "… and 5 more: goppptp status" {
		t.Errorf("%d sections, the first %s, then %s; %q", len(m.Sections), m.Sections[0].Profile, m.Sections[1].Profile, m.More.Text)
	}
}

// TestLinesFit gives the menu what no menu can show, and looks at every line.
func TestLinesFit(t *testing.T) {
	long := strings.Repeat("한글 word\n", 100)
	e := &control.Error{Reason: control.ReasonFailed, Text: long, Hint: long}
	st := up()
	for i := range 100 {
		st.Routes = append(st.Routes, control.Route{To: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)})
	}
	st.Warnings = []string{long}
	for _, st := range []control.Status{st, in(control.StateFailed, e), in(control.StateReconnecting, e)} {
		for i := range languages {
			w := NewWorld()
			w.Snapshot([]control.ProfileInfo{info("lab")}, []control.Status{st})
			s := Build(w, noon, &Texts{languages[i], i}).Sections[0]
			if len(s.Details) > maxDetails {
				t.Errorf("%s: %d details", st.State, len(s.Details))
			}
			for _, r := range append(s.Details, s.State, s.Act, s.Error, s.Fix) {
				if n := len([]rune(r.Text)); n > maxLine || strings.Contains(r.Text, "\n") {
					t.Errorf("%s: a line of %d characters: %q", st.State, n, r.Text)
				}
			}
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1234: "1.2 kB", 9949: "9.9 kB", 9950: "10 kB", 999499: "999 kB", 999500: "1.0 MB",
		1234567: "1.2 MB", 5_000_000_000: "5.0 GB", 1<<64 - 1: "18 EB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 59999 * time.Millisecond: "59 s", time.Minute: "1 min", 59*time.Minute + 59*time.Second: "59 min",
		time.Hour: "1 h 0 min", 47*time.Hour + 59*time.Minute: "47 h 59 min", 48 * time.Hour: "2 days",
	} {
		if got := English.Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
