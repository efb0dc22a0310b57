//go:build tray

package tray

import (
	"bytes"
	"os"

	"github.com/getlantern/systray"

	"goppptp/tray/icons"
)

// Desktop is the Shell made of GTK and the panel's status area. Its methods
// are called from one goroutine, the loop's.
type Desktop struct {
	icons    *icons.Set
	shown    []byte // the picture now in the panel
	clicks   chan Action
	notices  [2]*line
	sections [MaxSections]slot
	more     *line
	log      *line
	quit     *line
}

// A slot is the room for one profile. Rows of details are added as they are
// needed; what was added to a menu stays in it, hidden.
type slot struct {
	state, act, fault, fix *line
	login                  *line
	details                []*line
}

// RunDesktop shows an icon and calls loop with its Shell; it returns when loop
// has. It must be called from the main goroutine. The screen must be there:
// without one GTK ends the process.
func RunDesktop(set *icons.Set, loop func(Shell)) {
	if os.Getenv("GDK_GL") == "" {
		// A menu draws nothing with OpenGL, and looking for it loads a renderer
		// of tens of megabytes.
		os.Setenv("GDK_GL", "disable")
	}
	systray.Run(func() {
		d := newDesktop(set)
		go func() {
			loop(d)
			systray.Quit()
		}()
	}, func() {})
}

func newDesktop(set *icons.Set) *Desktop {
	d := &Desktop{icons: set, clicks: make(chan Action, 8)}
	d.Icon(IconOff, 0)
	for i := range d.notices {
		d.notices[i] = d.line(systray.AddMenuItem("", ""))
	}
	for i := range d.sections {
		s := &d.sections[i]
		s.state = d.line(systray.AddMenuItem("", ""))
		s.login = d.line(s.state.item.AddSubMenuItemCheckbox("", "", false))
		s.act = d.line(systray.AddMenuItem("", ""))
		s.fault = d.line(systray.AddMenuItem("", ""))
		s.fix = d.line(systray.AddMenuItem("", ""))
	}
	d.more = d.line(systray.AddMenuItem("", ""))
	systray.AddSeparator()
	d.log = d.line(systray.AddMenuItem("", ""))
	d.quit = d.line(systray.AddMenuItem("", ""))
	return d
}

// Clicks implements Shell.
func (d *Desktop) Clicks() <-chan Action { return d.clicks }

// Icon implements Shell. Each picture is a file for the panel, so that one
// already shown is left alone.
func (d *Desktop) Icon(icon Icon, frame int) {
	picture := d.icons.Off
	switch icon {
	case IconUp:
		picture = d.icons.Up
	case IconFailed:
		picture = d.icons.Failed
	case IconConnecting:
		picture = d.icons.Connecting[frame%icons.Frames]
	}
	if !bytes.Equal(picture, d.shown) {
		d.shown = picture
		systray.SetIcon(picture)
	}
}

// Show implements Shell.
func (d *Desktop) Show(m Menu) {
	for i := range d.notices {
		d.notices[i].set(m.Notices[i])
	}
	for i := range d.sections {
		var s Section
		if i < len(m.Sections) {
			s = m.Sections[i]
		}
		d.sections[i].set(d, s)
	}
	d.more.set(m.More)
	d.log.set(m.Log)
	d.quit.set(m.Quit)
}

func (s *slot) set(d *Desktop, want Section) {
	s.login.set(want.Login)
	for len(s.details) < len(want.Details) {
		s.details = append(s.details, d.line(s.state.item.AddSubMenuItem("", "")))
	}
	for i, l := range s.details {
		if i < len(want.Details) {
			l.set(want.Details[i])
		} else {
			l.set(Row{})
		}
	}
	if want.State.Text != "" {
		s.state.opens = true
	}
	s.state.set(want.State)
	s.act.set(want.Act)
	s.fault.set(want.Error)
	s.fix.set(want.Fix)
}
