package tray

import (
	"github.com/godbus/dbus/v5"
)

// A Notifier shows notifications, by the Desktop Notifications Specification.
// A profile's new one takes the place of its last. Without a session bus or a
// notification service it does nothing.
type Notifier struct {
	texts *Texts
	conn  *dbus.Conn
	jobs  chan message
	ids   map[string]uint32 // the last one about each profile; owned by run
}

type message struct{ about, summary, body string }

// NewNotifier returns a Notifier on conn, which may be nil.
func NewNotifier(conn *dbus.Conn, texts *Texts) *Notifier {
	n := &Notifier{texts: texts, conn: conn, jobs: make(chan message, 16), ids: map[string]uint32{}}
	if conn != nil {
		go n.run()
	}
	return n
}

// Notify shows what n says. It does not block.
func (n *Notifier) Notify(notice Notice) {
	summary, body := Words(notice, n.texts)
	n.Tell(notice.Profile, summary, body)
}

// Tell shows summary and body, in place of the last one about the same.
func (n *Notifier) Tell(about, summary, body string) {
	if n.conn == nil {
		return
	}
	select {
	case n.jobs <- message{about, summary, body}:
	default: // nobody shows them
	}
}

func (n *Notifier) run() {
	service := n.conn.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
	for m := range n.jobs {
		var id uint32
		err := service.Call("org.freedesktop.Notifications.Notify", 0, "goppptp", n.ids[m.about], "goppptp",
			m.summary, escapeMarkup(m.body), []string{}, map[string]dbus.Variant{"desktop-entry": dbus.MakeVariant("goppptp-tray")}, int32(-1)).Store(&id)
		if err == nil {
			n.ids[m.about] = id
		}
	}
}

// Words returns what a notice says.
func Words(n Notice, t *Texts) (summary, body string) {
	switch n.Kind {
	case NoticeUp:
		return t.Say("notice.up", n.Profile), t.Say("notice.up.body", n.Status.Local, t.Count("routes", len(n.Status.Routes)))
	case NoticeBack:
		return t.Say("notice.back", n.Profile), t.Say("notice.up.body", n.Status.Local, t.Count("routes", len(n.Status.Routes)))
	case NoticeLost:
		body = t.Say("notice.lost.body")
		if n.Error != nil {
			body = t.Reason(n.Error) + "\n" + body
		}
		return t.Say("notice.lost", n.Profile), body
	case NoticeRefused:
		if n.Error != nil {
			body = t.Reason(n.Error)
			if fix := t.Fix(n.Error); fix != "" {
				body += "\n" + fix
			}
		}
		return t.Say("notice.refused", n.Profile), body
	case NoticeDaemonGone:
		return t.Say("notice.daemon"), t.Say("notice.daemon.body")
	}
	return "", ""
}
