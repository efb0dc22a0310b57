//go:build tray

package tray

import (
	"strings"
	"sync/atomic"

	"github.com/getlantern/systray"
)

// A line is a Row in a menu of GTK's. Only what differs is set: setting
// anything of a hidden item shows it.
type line struct {
	item   *systray.MenuItem
	row    Row  // what it shows
	opens  bool // it has a submenu, and is not greyed although it does nothing
	action atomic.Pointer[Action]
}

// line makes a hidden line of item, and hands its clicks on. A click that finds
// the loop busy is kept, so that none is lost.
func (d *Desktop) line(item *systray.MenuItem) *line {
	l := &line{item: item}
	item.Hide()
	go func() {
		for range item.ClickedCh {
			if a := l.action.Load(); a != nil && a.Verb != Nothing {
				d.clicks <- *a
			}
		}
	}()
	return l
}

func (l *line) set(want Row) {
	if want == l.row {
		return
	}
	l.action.Store(&want.Action)
	was := l.row
	l.row = want
	if want.Text == "" {
		l.item.Hide()
		return
	}
	if want.Text != was.Text {
		// An underscore alone would mark the letter after it as a key (dbusmenu).
		l.item.SetTitle(strings.ReplaceAll(want.Text, "_", "__"))
	}
	if idle := want.Action.Verb == Nothing && !l.opens; idle != l.item.Disabled() {
		if idle {
			l.item.Disable()
		} else {
			l.item.Enable()
		}
	}
	if want.Check != l.item.Checked() {
		if want.Check {
			l.item.Check()
		} else {
			l.item.Uncheck()
		}
	}
	if was.Text == "" {
		l.item.Show()
	}
}
