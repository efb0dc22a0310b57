package tray

import (
	"slices"
	"testing"

	"goppptp/internal/control"
)

func kinds(list []Notice) (out []NoticeKind) {
	for _, n := range list {
		out = append(out, n.Kind)
	}
	return out
}

func TestNotices(t *testing.T) {
	const down, connecting, upState, again, failed = control.StateDown, control.StateConnecting, control.StateUp, control.StateReconnecting, control.StateFailed
	for _, c := range []struct {
		states []control.State
		want   []NoticeKind
	}{
		{[]control.State{connecting, upState}, []NoticeKind{NoticeUp}},
		{[]control.State{upState, upState}, []NoticeKind{NoticeUp}},
		{[]control.State{upState, again, again, upState}, []NoticeKind{NoticeUp, NoticeLost, NoticeBack}},
		{[]control.State{upState, again, failed, upState}, []NoticeKind{NoticeUp, NoticeLost, NoticeRefused, NoticeUp}},
		{[]control.State{upState, again, down, upState}, []NoticeKind{NoticeUp, NoticeLost, NoticeUp}},
		{[]control.State{connecting, failed, failed}, []NoticeKind{NoticeRefused}},
		{[]control.State{connecting, down}, nil},
		{[]control.State{again, upState}, []NoticeKind{NoticeUp}}, // it was not seen up before
	} {
		w := NewWorld()
		w.Snapshot([]control.ProfileInfo{info("lab")}, nil)
		var got []NoticeKind
		for _, s := range c.states {
			st := in(s, nil)
			got = append(got, kinds(w.Event(control.Event{Type: control.EventState, Profile: "lab", Status: &st}))...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.states, got, c.want)
		}
	}
}

func TestSnapshot(t *testing.T) {
	w := NewWorld()
	if n := w.Snapshot([]control.ProfileInfo{info("b"), info("a")}, []control.Status{up()}); n != nil {
		t.Errorf("what is so already is no news: %v", kinds(n))
	}
	if w.Profiles[0].Name != "a" {
		t.Error("profiles are not in order")
	}
	if n := w.Snapshot(nil, []control.Status{in(control.StateFailed, nil)}); !slices.Equal(kinds(n), []NoticeKind{NoticeRefused}) {
		t.Errorf("what changed is news: %v", kinds(n))
	}
	w.Snapshot(nil, nil)
	if len(w.Sessions) != 0 {
		t.Errorf("a session that is gone: %v", w.Sessions)
	}
}

func TestDaemonGone(t *testing.T) {
	w := NewWorld()
	if n := w.Gone(""); n != nil {
		t.Error("a daemon that never was is no news")
	}
	w.Snapshot(nil, nil)
	if n := w.Gone(""); n != nil {
		t.Error("nothing was lost with it")
	}
	w.Snapshot(nil, []control.Status{up()})
	if got := w.Up(); !slices.Equal(got, []string{"lab"}) {
		t.Errorf("up: %v", got)
	}
	if n := w.Gone(""); !slices.Equal(kinds(n), []NoticeKind{NoticeDaemonGone}) {
		t.Errorf("%v", kinds(n))
	}
	if w.Live() != 0 {
		t.Error("sessions of a daemon that is gone")
	}
}

func TestRefusalIsSaidOnce(t *testing.T) {
	w := NewWorld()
	w.Snapshot([]control.ProfileInfo{info("lab")}, nil)
	e := &control.Error{Reason: control.ReasonAuth, Text: "no"}
	if n := w.Refused("lab", e); len(n) != 1 || n[0].Error != e {
		t.Errorf("%v", n)
	}
	st := in(control.StateFailed, &control.Error{Reason: control.ReasonAuth, Text: "no"})
	event := control.Event{Type: control.EventState, Profile: "lab", Status: &st}
	if n := w.Event(event); n != nil {
		t.Error("the answer to the request has said so already")
	}
	if n := w.Refused("lab", e); n != nil {
		t.Error("the session has said so already")
	}
	connecting := in(control.StateConnecting, nil)
	w.Event(control.Event{Type: control.EventState, Profile: "lab", Status: &connecting})
	if n := w.Event(event); len(n) != 1 {
		t.Error("refused again, and not said")
	}
}

func TestStageBringsASessionIntoView(t *testing.T) {
	w := NewWorld()
	w.Snapshot([]control.ProfileInfo{info("lab")}, nil)
	stage := func(s control.Stage) { w.Event(control.Event{Type: control.EventStage, Profile: "lab", Stage: s}) }
	stage(control.StageTCP)
	if st := w.Sessions["lab"]; st.State != control.StateConnecting || st.Stage != control.StageTCP {
		t.Errorf("%+v", st)
	}
	w.status(in(control.StateReconnecting, nil))
	stage(control.StageAuth)
	if st := w.Sessions["lab"]; st.State != control.StateReconnecting || st.Stage != control.StageAuth {
		t.Errorf("dialled again: %+v", st)
	}
}
