package client

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/tunnel"
	"goppptp/profiles"
)

// Hooks are the commands that a profile names, run when the tunnel has come up,
// has gone, or has changed in between. They run one after the other, in the
// order of what they are about. Package profiles has made sure that nobody but
// their owner has written them.
const (
	hookPath   = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	hookGrace  = 2 * time.Second // between being asked to end, and killed
	hookOutput = 16 << 10        // octets of what it prints that are logged
)

// hooks is what a session runs.
type hooks struct {
	tail    chan struct{}     // closed when the last one is over; nil: none yet
	changes int               // of on_change that wait their turn
	failed  map[string]string // by event: what went wrong the last time
}

// startHooks runs the commands of an event after all that were started before.
// The channel gets the error of a required one, or nil, when they are done.
func (s *Session) startHooks(ctx context.Context, event string, list []profiles.Hook, env []string) <-chan error {
	result := make(chan error, 1)
	if len(list) == 0 {
		result <- nil
		return result
	}
	s.mu.Lock()
	if event == onChange {
		if s.hooks.changes > 0 { // one that has yet to start sees this change too
			s.mu.Unlock()
			result <- nil
			return result
		}
		s.hooks.changes++
	}
	before, done := s.hooks.tail, make(chan struct{})
	s.hooks.tail = done
	s.mu.Unlock()
	env = append(slices.Clip(env), "GOPPPTP_EVENT="+strings.TrimPrefix(event, "on_"))
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		if event == onChange {
			s.mu.Lock()
			s.hooks.changes--
			s.mu.Unlock()
		}
		result <- s.runHooks(ctx, event, list, env)
	}()
	return result
}

const (
	onUp     = "on_up"
	onDown   = "on_down"
	onChange = "on_change"
)

// runOnUp starts on_up, and waits for it where one of its commands is required.
func (s *Session) runOnUp(ctx context.Context) error {
	p := s.cfg.Profile
	s.startOnDown() // of the addresses before, where the tunnel has new ones
	env := s.hookEnv()
	s.mu.Lock()
	s.upEnv, s.upSince = env, time.Now()
	s.mu.Unlock()
	result := s.startHooks(ctx, onUp, p.OnUp, env)
	if slices.ContainsFunc(p.OnUp, func(h profiles.Hook) bool { return h.Required }) {
		return <-result
	}
	return nil
}

// endOnDown completes the environment of on_down.
func (s *Session) endOnDown(stats tunnel.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upEnv != nil {
		s.upEnv = endEnv(s.upEnv, stats, time.Since(s.upSince))
	}
}

// startOnDown starts on_down, where on_up was.
func (s *Session) startOnDown() {
	s.mu.Lock()
	env := s.upEnv
	s.upEnv = nil
	s.mu.Unlock()
	if env != nil {
		s.startHooks(context.Background(), onDown, s.cfg.Profile.OnDown, env)
	}
}

// waitHooks returns when all that were started are over.
func (s *Session) waitHooks() {
	s.mu.Lock()
	tail := s.hooks.tail
	s.mu.Unlock()
	if tail != nil {
		<-tail
	}
}

// runHooks runs commands in their order. One that fails becomes a warning; one
// that is required is the last.
func (s *Session) runHooks(ctx context.Context, event string, list []profiles.Hook, env []string) error {
	var trouble []string
	var required error
	for _, h := range list {
		err := s.runHook(ctx, event, h, env)
		if err == nil {
			continue
		}
		trouble = append(trouble, err.Error())
		s.log.Warn("a hook failed", "event", event, "error", err)
		if h.Required {
			required = &control.Error{Reason: control.ReasonFailed, Text: err.Error(), Hint: "it is required; the log has what it printed"}
			break
		}
		s.note(err.Error())
	}
	s.mu.Lock()
	if s.hooks.failed == nil {
		s.hooks.failed = map[string]string{}
	}
	s.hooks.failed[event] = strings.Join(trouble, "; ")
	if s.inside {
		s.showRoutesLocked()
	}
	s.mu.Unlock()
	return required
}

// runHook runs one command to its end or for its time.
func (s *Session) runHook(ctx context.Context, event string, h profiles.Hook, env []string) error {
	timeout := h.Timeout
	if timeout == 0 {
		timeout = profiles.DefaultHookTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c := exec.CommandContext(limited, h.Run[0], h.Run[1:]...)
	c.Dir, c.Env = "/", env
	out := &tailBuffer{max: hookOutput}
	c.Stdout, c.Stderr = out, out
	// A group of its own, so that what it starts ends with it.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = hookGrace
	start := time.Now()
	err := c.Run()
	if limited.Err() != nil && c.Process != nil {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what is left of the group
	}
	for line := range strings.Lines(printableText(out.buf.String())) {
		s.log.Info("hook", "event", event, "program", h.Run[0], "printed", strings.TrimRight(line, "\n"))
	}
	s.log.Debug("hook", "event", event, "argv", fmt.Sprintf("%q", h.Run), "took", time.Since(start).Round(time.Millisecond))
	switch {
	case ctx.Err() == nil && limited.Err() != nil:
		err = fmt.Errorf("%s: %s was ended after %v", event, h.Run[0], timeout)
	case err != nil:
		err = fmt.Errorf("%s: %s: %w", event, h.Run[0], err)
	default:
		return nil
	}
	if last := out.lastLine(); last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// hookEnv is the environment of a command: pppd's names, see pppd(8), and what
// those have no name for.
func (s *Session) hookEnv() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.status
	env := []string{
		"PATH=" + hookPath,
		"LINKNAME=" + st.Profile,
		"IFNAME=" + s.routes.Link,
		"IPLOCAL=" + addrText(s.routes.Local),
		"IPREMOTE=" + addrText(s.routes.Peer),
		"PEERNAME=" + s.cfg.Profile.Gateway,
		"GOPPPTP_PROFILE=" + st.Profile,
		"GOPPPTP_GATEWAY=" + addrText(s.routes.Gateway),
		"GOPPPTP_DOMAINS=" + strings.Join(st.Domains, " "),
	}
	for i, a := range s.servers {
		if i < 2 {
			env = append(env, "DNS"+strconv.Itoa(i+1)+"="+a.String())
		}
	}
	if s.cfg.Profile.DNS != profiles.DNSKeep {
		env = append(env, "USEPEERDNS=1")
	}
	var routes []string
	for _, r := range s.routes.Routes {
		routes = append(routes, r.To.String())
	}
	return append(env, "GOPPPTP_ROUTES="+strings.Join(routes, " "))
}

// endEnv adds what is known only at the end.
func endEnv(env []string, stats tunnel.Stats, connected time.Duration) []string {
	return append(slices.Clone(env),
		"CONNECT_TIME="+strconv.FormatInt(int64(connected/time.Second), 10),
		"BYTES_SENT="+strconv.FormatUint(stats.TxBytes, 10),
		"BYTES_RCVD="+strconv.FormatUint(stats.RxBytes, 10))
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	buf bytes.Buffer
	max int
}

func (b *tailBuffer) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > b.max {
		p = p[len(p)-b.max:]
	}
	b.buf.Write(p)
	if over := b.buf.Len() - b.max; over > 0 {
		b.buf.Next(over)
	}
	return n, nil
}

func (b *tailBuffer) lastLine() string {
	lines := strings.Split(strings.TrimSpace(b.buf.String()), "\n")
	last := printable(strings.TrimSpace(lines[len(lines)-1]))
	return last[:min(len(last), 200)]
}

// printableText is printable for several lines.
func printableText(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
