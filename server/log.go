package server

import (
	"context"
	"log/slog"
)

// named is a log handler that says first whose line it is. Prepared loggers
// (slog.Logger.With) would cost each session, which seldom logs, ten times as
// much memory.
type named struct {
	to  slog.Handler
	ctl *control
	of  *session // nil: of the connection
}

// logOf returns the logger of a connection, and of one of its sessions if of is
// not nil.
func logOf(to slog.Handler, ctl *control, of *session) *slog.Logger {
	return slog.New(&named{to, ctl, of})
}

func (n *named) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("client", n.ctl.peer.Addr().String())}
	if n.of != nil {
		attrs = append(attrs, slog.String("session", n.of.id()))
	}
	return attrs
}

// Enabled is of slog.Handler, as the rest.
func (n *named) Enabled(ctx context.Context, level slog.Level) bool { return n.to.Enabled(ctx, level) }

func (n *named) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	line.AddAttrs(n.attrs()...)
	r.Attrs(func(a slog.Attr) bool {
		line.AddAttrs(a)
		return true
	})
	return n.to.Handle(ctx, line)
}

func (n *named) WithAttrs(attrs []slog.Attr) slog.Handler {
	return n.to.WithAttrs(append(n.attrs(), attrs...))
}

func (n *named) WithGroup(name string) slog.Handler {
	return n.to.WithAttrs(n.attrs()).WithGroup(name)
}
