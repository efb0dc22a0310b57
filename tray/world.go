package tray

import (
	"maps"
	"slices"
	"strings"

	"goppptp/internal/control"
)

// A World is what the tray knows: the daemon, the profiles, and how each
// session is. Its methods are pure but for the World itself.
type World struct {
	Daemon    Daemon
	DaemonErr string // why it cannot be spoken to, where it is not just away

	Profiles []control.ProfileInfo
	Sessions map[string]control.Status // by profile
	Login    map[string]bool           // connected when the tray starts at login
	Asking   map[string]bool           // a question for the password is open

	refused map[string]*control.Error // why the last click did nothing, by profile
	lost    map[string]bool           // was up, and is dialled again
}

// Daemon is whether the daemon answers.
type Daemon uint8

// What is known of the daemon.
const (
	DaemonUnknown Daemon = iota // not yet asked
	DaemonThere
	DaemonGone
)

// A Notice is worth a notification.
type Notice struct {
	Kind    NoticeKind
	Profile string
	Status  control.Status
	Error   *control.Error
}

// NoticeKind tells notices apart.
type NoticeKind uint8

// The notices.
const (
	NoticeUp NoticeKind = iota
	NoticeLost
	NoticeBack
	NoticeRefused
	NoticeDaemonGone
)

// NewWorld returns a World that knows nothing yet.
func NewWorld() *World {
	return &World{
		Sessions: map[string]control.Status{}, Login: map[string]bool{}, Asking: map[string]bool{},
		refused: map[string]*control.Error{}, lost: map[string]bool{},
	}
}

// Snapshot takes in what the daemon says of everything, as it stands. A first
// sight is no news; what changed since the last one is.
func (w *World) Snapshot(profiles []control.ProfileInfo, sessions []control.Status) []Notice {
	first := w.Daemon == DaemonUnknown
	w.Daemon, w.DaemonErr = DaemonThere, ""
	w.Profiles = slices.Clone(profiles)
	slices.SortFunc(w.Profiles, func(a, b control.ProfileInfo) int { return strings.Compare(a.Name, b.Name) })
	var notices []Notice
	seen := map[string]bool{}
	for _, st := range sessions {
		seen[st.Profile] = true
		n := w.status(st)
		if !first {
			notices = append(notices, n...)
		}
	}
	for name := range maps.Clone(w.Sessions) {
		if !seen[name] {
			delete(w.Sessions, name)
			delete(w.lost, name)
		}
	}
	return notices
}

// Event takes in one event of the daemon.
func (w *World) Event(e control.Event) []Notice {
	switch e.Type {
	case control.EventState:
		if e.Status != nil {
			return w.status(*e.Status)
		}
	case control.EventStage:
		st, ok := w.Sessions[e.Profile]
		if !ok || st.State == control.StateDown || st.State == control.StateFailed {
			st = control.Status{Profile: e.Profile, State: control.StateConnecting}
			delete(w.refused, e.Profile)
		}
		st.Stage = e.Stage
		w.Sessions[e.Profile] = st
	}
	return nil
}

func (w *World) status(st control.Status) []Notice {
	name := st.Profile
	before := w.Sessions[name].State
	if before == "" {
		before = control.StateDown
	}
	w.Sessions[name] = st
	told := w.refused[name]
	if st.State != control.StateDown {
		delete(w.refused, name)
	}
	if st.State == before {
		return nil
	}
	switch st.State {
	case control.StateUp:
		kind := NoticeUp
		if w.lost[name] {
			kind = NoticeBack
		}
		delete(w.lost, name)
		return []Notice{{Kind: kind, Profile: name, Status: st}}
	case control.StateReconnecting:
		if before == control.StateUp {
			w.lost[name] = true
			return []Notice{{Kind: NoticeLost, Profile: name, Status: st, Error: st.Error}}
		}
	case control.StateFailed:
		delete(w.lost, name)
		if told != nil && st.Error != nil && *told == *st.Error {
			return nil // the answer to the request was quicker
		}
		return []Notice{{Kind: NoticeRefused, Profile: name, Status: st, Error: st.Error}}
	case control.StateDown:
		delete(w.lost, name)
	}
	return nil
}

// Gone takes in that the daemon does not answer; err says why when that is
// not simply that none runs.
func (w *World) Gone(err string) []Notice {
	was := w.Daemon
	w.Daemon, w.DaemonErr = DaemonGone, err
	var notices []Notice
	if was == DaemonThere && w.Live() > 0 {
		notices = []Notice{{Kind: NoticeDaemonGone}}
	}
	clear(w.Sessions)
	clear(w.lost)
	return notices
}

// Refused takes in that a request for profile came to nothing.
func (w *World) Refused(profile string, e *control.Error) []Notice {
	if st, ok := w.Sessions[profile]; ok && st.State == control.StateFailed {
		return nil // the session has said so itself
	}
	w.refused[profile] = e
	return []Notice{{Kind: NoticeRefused, Profile: profile, Error: e}}
}

// Trying takes in that profile was asked for: what went wrong before is past.
func (w *World) Trying(profile string) { delete(w.refused, profile) }

// AuthRefused reports whether profile is down for want of the right password.
func (w *World) AuthRefused(profile string) bool {
	e := w.refused[profile]
	if st := w.Sessions[profile]; st.State == control.StateFailed {
		e = st.Error
	}
	return e != nil && e.Reason == control.ReasonAuth
}

// Live returns how many sessions are up or on their way.
func (w *World) Live() int {
	n := 0
	for _, st := range w.Sessions {
		if live(st.State) {
			n++
		}
	}
	return n
}

// Up returns the profiles whose sessions are up or meant to be.
func (w *World) Up() []string {
	var names []string
	for name, st := range w.Sessions {
		if live(st.State) && st.State != control.StateDisconnecting {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func live(s control.State) bool {
	return s == control.StateConnecting || s == control.StateUp || s == control.StateReconnecting || s == control.StateDisconnecting
}
