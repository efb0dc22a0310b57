package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"goppptp/internal/control"
)

// stageText is what each stage is called while it is worked on.
var stageText = map[control.Stage]string{
	control.StageResolve: "resolving",
	control.StageTCP:     "connecting to",
	control.StageControl: "control connection with",
	control.StageCall:    "placing the call",
	control.StageLCP:     "waiting for GRE, negotiating the link",
	control.StageAuth:    "authenticating",
	control.StageMPPE:    "negotiating encryption",
	control.StageAddress: "asking for an address",
	control.StageRoutes:  "setting routes",
	control.StageUp:      "up",
}

// stages shows how far connecting has come: on a terminal one line that
// changes, otherwise one line a stage.
type stages struct {
	w       io.Writer
	profile string
	live    bool // w is a terminal
	start   time.Time

	mu    sync.Mutex
	shown bool // mu guards: there is a line to be cleared
	after bool // mu guards: connected; states are told instead
	lost  bool // mu guards: the latest of them is not up
}

func newStages(w io.Writer, profile string) *stages {
	f, ok := w.(*os.File)
	return &stages{w: w, profile: profile, live: ok && term.IsTerminal(int(f.Fd())), start: time.Now()}
}

// event is told what the session reports.
func (s *stages) event(e control.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Type {
	case control.EventStage:
		if s.after {
			return
		}
		text := stageText[e.Stage]
		if text == "" {
			text = string(e.Stage)
		}
		if e.Text != "" {
			text += " " + plain(e.Text)
		}
		s.showLocked(text)
	case control.EventNote:
		s.clearLocked()
		fmt.Fprintf(s.w, "%s: %s\n", s.profile, plain(e.Text))
	case control.EventState:
		if s.after && e.Status != nil {
			s.stateLocked(*e.Status)
		}
	}
}

func (s *stages) stateLocked(st control.Status) {
	switch st.State {
	case control.StateUp:
		if !s.lost {
			return // something about it has changed
		}
		s.lost = false
		fmt.Fprintf(s.w, "%s: up again, %v on %s\n", s.profile, st.Local, st.Interface)
	case control.StateReconnecting:
		s.lost = true
		why := ""
		if st.Error != nil {
			why = ": " + plain(st.Error.Text)
		}
		if st.NextAttempt.IsZero() {
			fmt.Fprintf(s.w, "%s: lost%s; dialling again when there is a network\n", s.profile, why)
			return
		}
		in := max(0, time.Until(st.NextAttempt).Round(100*time.Millisecond))
		fmt.Fprintf(s.w, "%s: lost%s; dialling again in %v\n", s.profile, why, in)
	}
}

func (s *stages) showLocked(text string) {
	if !s.live {
		fmt.Fprintf(s.w, "%s: %s\n", s.profile, text)
		return
	}
	line := []rune(fmt.Sprintf("%s: %s … %.1f s", s.profile, text, time.Since(s.start).Seconds()))
	// A line that wraps could not be taken back.
	fmt.Fprintf(s.w, "\r\x1b[K%s", string(line[:min(len(line), s.width()-1)]))
	s.shown = true
}

func (s *stages) clearLocked() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

// width is how many columns the terminal has.
func (s *stages) width() int {
	if f, ok := s.w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 1 {
			return w
		}
	}
	return 80
}

// end clears the live line.
func (s *stages) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearLocked()
}

// follow clears the live line, and tells states from now on instead of stages.
func (s *stages) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearLocked()
	s.after = true
}
