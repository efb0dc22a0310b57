package tray

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// BusName is owned on the session bus by the tray that runs, so that a second
// one knows.
const BusName = "org.goppptp.Tray"

const watcherName = "org.kde.StatusNotifierWatcher"

// ErrRunning says that another tray runs in this session.
var ErrRunning = errors.New("tray: another one runs")

// OpenSession connects to the session bus and takes [BusName] on it.
func OpenSession() (*dbus.Conn, error) {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err != nil {
			return nil, errors.New("tray: no session bus") // and none is started for the icon alone
		}
	}
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		return nil, fmt.Errorf("tray: no session bus: %w", err)
	}
	reply, err := conn.RequestName(BusName, dbus.NameFlagDoNotQueue)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("tray: session bus: %w", err)
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		conn.Close()
		return nil, ErrRunning
	}
	return conn, nil
}

// HasPanel reports whether some panel shows tray icons.
func HasPanel(conn *dbus.Conn) bool {
	var has bool
	err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, watcherName).Store(&has)
	return err == nil && has
}

// AwaitPanel waits until a panel shows tray icons, at most for wait, and
// reports whether one does.
func AwaitPanel(ctx context.Context, conn *dbus.Conn, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	changes := make(chan *dbus.Signal, 8)
	conn.Signal(changes)
	defer conn.RemoveSignal(changes)
	match := []dbus.MatchOption{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)}
	if conn.AddMatchSignal(match...) != nil {
		return HasPanel(conn)
	}
	defer conn.RemoveMatchSignal(match...)
	for !HasPanel(conn) {
		select {
		case <-changes:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// CheckDisplay reports whether the screen that the environment names answers:
// GTK ends the process without a word to us where it does not.
func CheckDisplay(getenv func(string) string) error {
	if name := getenv("WAYLAND_DISPLAY"); name != "" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(getenv("XDG_RUNTIME_DIR"), name)
		}
		if answers("unix", name) {
			return nil
		}
	}
	display := getenv("DISPLAY")
	host, number, ok := strings.Cut(display, ":")
	if i := strings.LastIndexByte(display, ':'); ok && i >= 0 { // an IPv6 host has colons of its own
		host, number = display[:i], display[i+1:]
	}
	if !ok {
		return fmt.Errorf("tray: no display (DISPLAY is %q)", display)
	}
	number, _, _ = strings.Cut(number, ".")
	if strings.HasPrefix(display, "/") { // the path of a socket
		if answers("unix", display) || answers("unix", strings.TrimSuffix(display, "."+number)) {
			return nil
		}
	}
	if host == "" || host == "unix" {
		if answers("unix", "/tmp/.X11-unix/X"+number) || answers("unix", "@/tmp/.X11-unix/X"+number) {
			return nil
		}
	} else {
		var n int
		if _, err := fmt.Sscanf(number, "%d", &n); err == nil && answers("tcp", net.JoinHostPort(strings.Trim(host, "[]"), fmt.Sprint(6000+n))) {
			return nil
		}
	}
	return fmt.Errorf("tray: display %s does not answer", display)
}

func answers(network, address string) bool {
	conn, err := net.DialTimeout(network, address, 3*time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// PrefersDark asks the desktop's portal whether it is set to dark colours; ok
// is false where it does not say.
func PrefersDark(conn *dbus.Conn) (dark, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var v dbus.Variant
	err := conn.Object("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop").CallWithContext(ctx,
		"org.freedesktop.portal.Settings.Read", 0, "org.freedesktop.appearance", "color-scheme").Store(&v)
	if err != nil {
		return false, false
	}
	for {
		inner, nested := v.Value().(dbus.Variant)
		if !nested {
			break
		}
		v = inner
	}
	switch scheme, _ := v.Value().(uint32); scheme {
	case 1:
		return true, true
	case 2:
		return false, true
	}
	return false, false
}
