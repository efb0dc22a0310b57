package tray

import (
	"fmt"
	"strings"
	"time"

	"goppptp/internal/control"
)

// Icon is which picture the panel shows.
type Icon uint8

// The icons.
const (
	IconOff        Icon = iota // nothing is up
	IconConnecting             // something is on its way, and goes round
	IconUp
	IconFailed // something is not as it should be
)

func (i Icon) String() string {
	return [...]string{"off", "connecting", "up", "failed"}[i]
}

// Verb is what a click does.
type Verb uint8

// The verbs.
const (
	Nothing Verb = iota
	Connect
	Disconnect
	ToggleLogin
	OpenLog
	Quit
)

// An Action is what a click on a row does, and to which profile.
type Action struct {
	Verb    Verb
	Profile string
}

// A Row is one line of the menu. One without text is not shown; one that does
// nothing cannot be clicked.
type Row struct {
	Text   string
	Action Action
	Check  bool // for ToggleLogin: the box has its mark
}

// A Section is what the menu says of one profile: its state with a submenu of
// details, the click that connects or disconnects, and what went wrong.
type Section struct {
	Profile    string
	State      Row
	Login      Row // first in the submenu
	Details    []Row
	Act        Row
	Error, Fix Row
}

// A Menu is all that the tray shows.
type Menu struct {
	Icon     Icon
	Title    string
	Notices  [2]Row // what concerns no profile: no daemon, no profile
	Sections []Section
	More     Row // profiles that found no room
	Log      Row
	Quit     Row
}

// MaxSections is how many profiles the menu has room for. Those that are up
// or on their way come first where there are more.
const MaxSections = 12

// The longest lines that go into a menu, in characters.
const (
	maxLine    = 72
	maxDetails = 24
)

// Build makes the menu of w as it is at now, in the language of t.
func Build(w *World, now time.Time, t *Texts) Menu {
	m := Menu{
		Log:  Row{Text: t.Say("menu.log"), Action: Action{Verb: OpenLog}},
		Quit: Row{Text: t.Say("menu.quit"), Action: Action{Verb: Quit}},
	}
	switch {
	case w.Daemon == DaemonUnknown:
		m.Title = t.Say("daemon.unknown")
		m.Notices[0].Text = m.Title
		return m
	case w.Daemon == DaemonGone:
		m.Icon, m.Title = IconFailed, t.Say("daemon.gone")
		m.Notices = [2]Row{{Text: m.Title}, {Text: t.Say("daemon.gone.fix")}}
		if w.DaemonErr != "" {
			m.Title = t.Say("daemon.silent")
			m.Notices = [2]Row{{Text: m.Title}, {Text: clip(w.DaemonErr)}}
		}
		return m
	}
	shown := w.Profiles
	if len(shown) > MaxSections {
		shown = busiest(w)
		m.More.Text = t.Say("menu.more", len(w.Profiles)-len(shown))
	}
	if len(shown) == 0 {
		m.Title = t.Say("profiles.none")
		m.Notices = [2]Row{{Text: m.Title}, {Text: t.Say("profiles.none.fix")}}
		return m
	}
	var titles []string
	for _, p := range shown {
		s, icon := section(w, p, now, t)
		m.Sections = append(m.Sections, s)
		m.Icon = stronger(m.Icon, icon)
		if icon != IconOff {
			titles = append(titles, s.State.Text)
		}
	}
	m.Title = strings.Join(titles, "\n")
	if m.Title == "" {
		m.Title = t.Say("title.off")
	}
	return m
}

// stronger returns which of two icons speaks for both: what is under way, then
// what went wrong, then what is well.
func stronger(a, b Icon) Icon {
	order := [...]int{IconOff: 0, IconUp: 1, IconFailed: 2, IconConnecting: 3}
	if order[b] > order[a] {
		return b
	}
	return a
}

// busiest returns as many profiles as there is room for, those with a live
// session first, each group by name.
func busiest(w *World) []control.ProfileInfo {
	var busy, idle []control.ProfileInfo
	for _, p := range w.Profiles {
		if live(w.Sessions[p.Name].State) {
			busy = append(busy, p)
		} else {
			idle = append(idle, p)
		}
	}
	return append(busy, idle...)[:MaxSections]
}

func section(w *World, p control.ProfileInfo, now time.Time, t *Texts) (Section, Icon) {
	st := w.Sessions[p.Name]
	if st.State == "" {
		st.State = control.StateDown
	}
	s := Section{
		Profile: p.Name,
		Login:   Row{Text: t.Say("menu.login"), Action: Action{ToggleLogin, p.Name}, Check: w.Login[p.Name]},
	}
	connect := Row{Text: t.Say("menu.connect", p.Name), Action: Action{Connect, p.Name}}
	disconnect := Row{Text: t.Say("menu.disconnect", p.Name), Action: Action{Disconnect, p.Name}}
	icon, words := IconOff, ""
	switch st.State {
	case control.StateUp:
		icon, s.Act = IconUp, disconnect
		words = t.Say("state.up", st.Local, t.Count("routes", len(st.Routes)), t.Duration(now.Sub(st.Since)))
		s.Details = details(p, st, t)
	case control.StateConnecting:
		icon, s.Act = IconConnecting, Row{Text: t.Say("menu.cancel", p.Name), Action: Action{Disconnect, p.Name}}
		words = t.Say("state.connecting", t.Stage(st.Stage))
	case control.StateReconnecting:
		icon, s.Act = IconConnecting, disconnect
		words = t.Say("state.reconnecting", st.Attempt+1)
		s.fault(st.Error, t)
	case control.StateDisconnecting:
		icon, s.Act = IconConnecting, Row{Text: connect.Text}
		words = t.Say("state.disconnecting")
	case control.StateFailed:
		icon, s.Act = IconFailed, connect
		words = t.Say("state.failed")
		s.fault(st.Error, t)
	default:
		s.Act = connect
		words = t.Say("state.down")
		if e := w.refused[p.Name]; e != nil {
			icon, words = IconFailed, t.Say("state.failed")
			s.fault(e, t)
		}
	}
	switch {
	case w.Asking[p.Name]:
		words, s.Act = t.Say("state.asking"), Row{Text: connect.Text}
	case p.Error != "" && !live(st.State):
		icon, words, s.Act = IconFailed, t.Say("state.bad"), Row{Text: connect.Text}
		s.Error.Text, s.Fix.Text = clip(p.Error), t.Say("state.bad.fix", p.Name)
	}
	if st.State != control.StateUp {
		s.Details = append(s.Details, plain(p, t)...)
	}
	if len(s.Details) > maxDetails {
		rest := len(s.Details) - maxDetails + 1
		s.Details = append(s.Details[:maxDetails-1:maxDetails-1], Row{Text: t.Say("menu.rest", rest)})
	}
	s.State.Text = clip(mark[icon] + " " + p.Name + ": " + words)
	return s, icon
}

// mark stands before a profile's state, as its icon would.
var mark = [...]string{IconOff: "○", IconConnecting: "◌", IconUp: "●", IconFailed: "▲"}

// fault says what went wrong and what mends it.
func (s *Section) fault(e *control.Error, t *Texts) {
	if e == nil {
		return
	}
	reason, fix := t.Reason(e), t.Fix(e)
	s.Error.Text, s.Fix.Text = clip(reason), clip(fix)
	for _, text := range []string{reason, fix} {
		if clip(text) != text { // all of it is in the submenu
			for _, l := range wrap(text) {
				s.Details = append(s.Details, Row{Text: l})
			}
		}
	}
}

// plain is what there is to say of a profile that is not up.
func plain(p control.ProfileInfo, t *Texts) []Row {
	var rows []Row
	if p.Gateway != "" {
		rows = append(rows, Row{Text: clip(t.Say("detail.gateway", p.Gateway, p.User))})
	}
	for _, r := range p.Routes {
		rows = append(rows, Row{Text: clip(t.Say("detail.wanted", r))})
	}
	return rows
}

// details is what there is to say of a session that is up.
func details(p control.ProfileInfo, st control.Status, t *Texts) []Row {
	var rows []Row
	say := func(key string, args ...any) { rows = append(rows, Row{Text: clip(t.Say(key, args...))}) }
	gateway := st.Gateway
	if gateway == "" {
		gateway = p.Gateway
	}
	say("detail.gateway", gateway, st.User)
	if st.Interface != "" {
		say("detail.interface", st.Interface, st.Peer, st.MTU)
	}
	switch {
	case st.MPPE == nil:
		say("detail.clear")
	case st.MPPE.Stateful:
		say("detail.mppe.stateful", st.MPPE.Bits)
	default:
		say("detail.mppe", st.MPPE.Bits)
	}
	say("detail.traffic", Bytes(st.Counters.RxBytes), Bytes(st.Counters.TxBytes))
	for _, r := range st.Routes {
		if r.Host != "" {
			say("detail.route.host", r.To, r.Host)
		} else {
			say("detail.route", r.To)
		}
	}
	for _, r := range st.RoutesOffered {
		if !r.Taken {
			say("detail.ignored", r.To, r.Why)
		}
	}
	for _, warning := range st.Warnings {
		say("detail.warning", warning)
	}
	return rows
}

// Bytes writes a number of octets as people read it: 1.2 MB.
func Bytes(n uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n), 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 || v >= 9.95 {
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// wrap breaks s into lines that a menu can bear, between words.
func wrap(s string) (lines []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = clip(word)
		case len([]rune(line))+1+len([]rune(word)) > maxLine:
			lines = append(lines, line)
			line = clip(word)
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// clip makes one line of s, no longer than a menu can bear.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	r := []rune(s)
	if len(r) <= maxLine {
		return s
	}
	return strings.TrimRight(string(r[:maxLine-1]), " ") + "…"
}
