package tray

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// A watcher is the panel's half of a tray icon: the StatusNotifierWatcher, a
// reader of the menu, and the service that shows notifications.
type watcher struct {
	t    *testing.T
	conn *dbus.Conn
	item chan dbus.BusObject

	mu            sync.Mutex
	notifications []notification // mu guards
}

type notification struct{ summary, body string }

// watch takes the panel's place on d.
func watch(d *desktop) *watcher {
	d.t.Helper()
	w := &watcher{t: d.t, conn: d.conn, item: make(chan dbus.BusObject, 8)}
	const path, name = "/StatusNotifierWatcher", "org.kde.StatusNotifierWatcher"
	err := w.conn.ExportMethodTable(map[string]any{
		"RegisterStatusNotifierItem": func(sender dbus.Sender, service string) *dbus.Error {
			if !strings.HasPrefix(service, "/") {
				service = "/StatusNotifierItem"
			}
			w.item <- w.conn.Object(string(sender), dbus.ObjectPath(service))
			return nil
		},
		"RegisterStatusNotifierHost": func(string) *dbus.Error { return nil },
	}, path, name)
	if err == nil {
		_, err = prop.Export(w.conn, path, prop.Map{name: {
			"IsStatusNotifierHostRegistered": {Value: true},
			"ProtocolVersion":                {Value: int32(0)},
			"RegisteredStatusNotifierItems":  {Value: []string{}},
		}})
	}
	if err == nil {
		err = w.conn.ExportMethodTable(map[string]any{
			"Notify": func(app string, replaces uint32, icon, summary, body string, actions []string, hints map[string]dbus.Variant, expire int32) (uint32, *dbus.Error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.notifications = append(w.notifications, notification{summary, body})
				return uint32(len(w.notifications)), nil
			},
			"GetCapabilities": func() ([]string, *dbus.Error) { return []string{"body"}, nil },
		}, "/org/freedesktop/Notifications", "org.freedesktop.Notifications")
	}
	if err != nil {
		d.t.Fatal(err)
	}
	for _, service := range []string{"org.freedesktop.Notifications", name} {
		if _, err := w.conn.RequestName(service, dbus.NameFlagDoNotQueue); err != nil {
			d.t.Fatal(err)
		}
	}
	return w
}

// awaitNotification waits for one with these words in its summary and body.
func (w *watcher) awaitNotification(summary, body string) {
	w.t.Helper()
	await(w.t, "a notification "+summary, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, n := range w.notifications {
			if n.summary == summary && strings.Contains(n.body, body) {
				return true
			}
		}
		return false
	})
}

// An icon is a tray icon that has registered.
type icon struct {
	t    *testing.T
	conn *dbus.Conn
	item dbus.BusObject
	menu dbus.BusObject
}

// next waits for the next icon.
func (w *watcher) next() *icon {
	w.t.Helper()
	var item dbus.BusObject
	await(w.t, "a tray icon", func() bool {
		select {
		case item = <-w.item:
			return true
		default:
			return false
		}
	})
	v, err := item.GetProperty("org.kde.StatusNotifierItem.Menu")
	if err != nil {
		w.t.Fatal(err)
	}
	return &icon{t: w.t, conn: w.conn, item: item, menu: w.conn.Object(item.Destination(), v.Value().(dbus.ObjectPath))}
}

// picture returns the picture that is shown, as it is in its file.
func (i *icon) picture() string {
	v, err := i.item.GetProperty("org.kde.StatusNotifierItem.IconName")
	if err != nil {
		return ""
	}
	b, _ := os.ReadFile(v.Value().(string)) // it may have been replaced since
	return string(b)
}

// An entry is one line of a menu that is shown.
type entry struct {
	id       int32
	label    string
	disabled bool
	checked  bool
	children []entry
}

type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// read returns the entries that are shown, separators aside.
func (i *icon) read() []entry {
	i.t.Helper()
	var revision uint32
	var root layout
	var update bool
	if err := i.menu.Call("com.canonical.dbusmenu.AboutToShow", 0, int32(0)).Store(&update); err != nil {
		i.t.Fatal(err)
	}
	if err := i.menu.Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
		i.t.Fatal(err)
	}
	return i.entries(root)
}

func (i *icon) entries(l layout) (list []entry) {
	for _, v := range l.Children {
		var child layout
		if err := dbus.Store([]any{v.Value()}, &child); err != nil {
			i.t.Fatal(err)
		}
		if visible, ok := child.Properties["visible"].Value().(bool); ok && !visible {
			continue
		}
		if child.Properties["type"].Value() == "separator" {
			continue
		}
		e := entry{id: child.ID, children: i.entries(child)}
		label, _ := child.Properties["label"].Value().(string)
		// As a panel shows it: two underscores are one, and one alone is none.
		e.label = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(label, "__", "\x00"), "_", ""), "\x00", "_")
		if enabled, ok := child.Properties["enabled"].Value().(bool); ok {
			e.disabled = !enabled
		}
		e.checked = child.Properties["toggle-state"].Value() == int32(1)
		list = append(list, e)
	}
	return list
}

// labels are the labels of entries.
func labels(list []entry) (out []string) {
	for _, e := range list {
		out = append(out, e.label)
	}
	return out
}

// await waits until the menu has an entry whose label starts so, and returns it.
func (i *icon) await(start string) entry {
	i.t.Helper()
	var found entry
	var last []string
	defer func() {
		if found.id == 0 {
			i.t.Logf("the menu: %q", last)
		}
	}()
	await(i.t, "an entry "+start, func() bool {
		list := i.read()
		last = labels(list)
		for _, e := range list {
			if strings.HasPrefix(e.label, start) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// click clicks an entry.
func (i *icon) click(e entry) {
	i.t.Helper()
	if e.disabled {
		i.t.Fatalf("%q cannot be clicked", e.label)
	}
	if err := i.menu.Call("com.canonical.dbusmenu.Event", 0, e.id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err; err != nil {
		i.t.Fatal(err)
	}
}
