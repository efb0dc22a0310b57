package nm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
	"github.com/godbus/dbus/v5/prop"

	"goppptp/internal/tunnel"
	"goppptp/profiles"
)

// idleTime is how long a service waits for something to do.
const idleTime = 3 * time.Minute

// Service runs nm-goppptp-service with the arguments args and returns its exit
// status: 0 when NetworkManager was done with it.
func Service(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("nm-goppptp-service", flag.ContinueOnError)
	flags.SetOutput(stderr)
	name := flags.String("bus-name", profiles.NMService, "the `name` to own on the system bus")
	flags.Bool("persist", false, "ignored; a service leaves when its connection ends")
	debug := flags.Bool("debug", false, "log every control packet")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: logLevel(*debug), ReplaceAttr: withoutTime})).
		With("program", "nm-goppptp-service")
	defer tunnel.AdaptProcessors()()
	if err := serve(*name, log); err != nil {
		fmt.Fprintf(stderr, "nm-goppptp-service: %v\n", err)
		return 1
	}
	return 0
}

// logLevel is what NetworkManager asks for: a level of syslog, 0 unless its own
// logging of plugins is turned up. Failures are always told.
func logLevel(debug bool) slog.Level {
	n, _ := strconv.Atoi(os.Getenv("NM_VPN_LOG_LEVEL"))
	switch {
	case debug || n >= 7:
		return slog.LevelDebug
	case n >= 5:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// withoutTime leaves the time to the journal.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

// serve owns name on the system bus until the plugin is done.
func serve(name string, log *slog.Logger) error {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return fmt.Errorf("no system bus: %w", err)
	}
	defer conn.Close()
	p := NewPlugin(Options{Log: log, Notes: notesDir, RetryPause: retryPause, Emit: func(signal string, args ...any) {
		if err := conn.Emit(pluginPath, pluginInterface+"."+signal, args...); err != nil {
			log.Error("cannot send a signal", "signal", signal, "error", err)
		}
	}})
	if err := p.Export(conn); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	w, err := watch(conn)
	if err != nil {
		return err
	}
	reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue)
	if err != nil {
		return fmt.Errorf("the bus does not let us own %s (is its policy file installed?): %w", name, err)
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		return fmt.Errorf("%s has an owner already", name)
	}
	idle := time.NewTimer(idleTime)
	defer idle.Stop()
	for {
		select {
		case <-p.Done():
			return nil
		case caller := <-p.used:
			w.follow(caller)
			idle.Reset(idleTime)
		case s := <-w.signals:
			if w.gone(s) {
				go p.Abandon("NetworkManager is gone", true)
			}
		case <-conn.Context().Done():
			go p.Abandon("the system bus is gone", false)
			<-p.Done()
			return nil
		case sig := <-signals:
			go p.Abandon(sig.String(), false)
		case <-idle.C:
			if p.idle() {
				return nil
			}
			idle.Reset(idleTime)
		}
	}
}

// idle reports whether there is no connection.
func (p *Plugin) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run == nil
}

// Export puts the plugin's object on the bus.
func (p *Plugin) Export(conn *dbus.Conn) error {
	if err := conn.Export(p, pluginPath, pluginInterface); err != nil {
		return err
	}
	if err := conn.Export(properties{p}, pluginPath, "org.freedesktop.DBus.Properties"); err != nil {
		return err
	}
	node := &introspect.Node{Name: string(pluginPath), Interfaces: []introspect.Interface{
		introspect.IntrospectData, prop.IntrospectData, description,
	}}
	return conn.Export(introspect.NewIntrospectable(node), pluginPath, "org.freedesktop.DBus.Introspectable")
}

// properties answers for the one property, State.
type properties struct{ p *Plugin }

func (q properties) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	if iface != pluginInterface && iface != "" {
		return dbus.Variant{}, prop.ErrIfaceNotFound
	}
	if name != "State" {
		return dbus.Variant{}, prop.ErrPropNotFound
	}
	return dbus.MakeVariant(uint32(q.p.State())), nil
}

func (q properties) GetAll(iface string) (values, *dbus.Error) {
	if iface != pluginInterface && iface != "" {
		return nil, prop.ErrIfaceNotFound
	}
	return values{"State": dbus.MakeVariant(uint32(q.p.State()))}, nil
}

func (q properties) Set(string, string, dbus.Variant) *dbus.Error { return prop.ErrReadOnly }

// A watcher tells when the callers of our methods leave the bus.
type watcher struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
	callers map[string]bool
}

func watch(conn *dbus.Conn) (*watcher, error) {
	w := &watcher{conn: conn, signals: make(chan *dbus.Signal, 16), callers: map[string]bool{}}
	conn.Signal(w.signals)
	return w, nil
}

// follow watches a caller, unless it is watched already.
func (w *watcher) follow(caller string) {
	if caller == "" || w.callers[caller] {
		return
	}
	w.callers[caller] = true
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	w.conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, caller))
	// It may have left before it was watched.
	var owner string
	if err := w.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, caller).Store(&owner); err != nil {
		w.signals <- &dbus.Signal{Name: "org.freedesktop.DBus.NameOwnerChanged", Body: []any{caller, caller, ""}}
	}
}

// gone reports whether the signal says that a caller has left.
func (w *watcher) gone(s *dbus.Signal) bool {
	if s == nil || s.Name != "org.freedesktop.DBus.NameOwnerChanged" || len(s.Body) != 3 {
		return false
	}
	name, _ := s.Body[0].(string)
	owner, _ := s.Body[2].(string)
	return owner == "" && w.callers[name]
}
