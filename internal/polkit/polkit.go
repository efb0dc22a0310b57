// Package polkit asks polkit, the desktop's authority on what a user may do,
// over the system bus. Where there is no bus or no polkit it answers
// [ErrUnavailable], and nobody gains.
package polkit

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// ErrUnavailable says that there is no polkit to ask.
var ErrUnavailable = errors.New("polkit: not available")

// A Process is whom the question is about. The three together name it for
// good: the number alone may be another's by the time polkit looks.
type Process struct {
	PID   int
	UID   uint32
	Start uint64 // clock ticks after boot, field 22 of /proc/PID/stat
}

const (
	name      = "org.freedesktop.PolicyKit1"
	path      = "/org/freedesktop/PolicyKit1/Authority"
	method    = name + ".Authority.CheckAuthorization"
	cancel    = name + ".Authority.CancelCheckAuthorization"
	mayAsk    = uint32(1) // AllowUserInteraction
	cancelKey = "goppptp-%p"
)

type subject struct {
	Kind    string
	Details map[string]dbus.Variant
}

type result struct {
	Authorized bool
	Challenge  bool // a password would help
	Details    map[string]string
}

// Check returns whether polkit lets process do action, with details that its
// rules can look up. The user may be asked for a password, which takes as long
// as it takes; when ctx ends the question is withdrawn.
func Check(ctx context.Context, process Process, action string, details map[string]string) (bool, error) {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(context.WithoutCancel(ctx)))
	if err != nil {
		return false, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	defer conn.Close()
	who := subject{"unix-process", map[string]dbus.Variant{
		"pid":        dbus.MakeVariant(uint32(process.PID)),
		"start-time": dbus.MakeVariant(process.Start),
		"uid":        dbus.MakeVariant(int32(process.UID)),
	}}
	if details == nil {
		details = map[string]string{}
	}
	id := fmt.Sprintf(cancelKey, &who)
	authority := conn.Object(name, path)
	call := authority.Go(method, 0, make(chan *dbus.Call, 1), who, action, details, mayAsk, id)
	select {
	case <-ctx.Done():
		authority.Call(cancel, dbus.FlagNoReplyExpected, id)
		return false, context.Cause(ctx)
	case <-call.Done:
	}
	var r result
	if err := call.Store(&r); err != nil {
		if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == "org.freedesktop.DBus.Error.ServiceUnknown" {
			return false, fmt.Errorf("%w: %v", ErrUnavailable, err)
		}
		return false, fmt.Errorf("polkit: %s: %w", action, err)
	}
	return r.Authorized, nil
}
