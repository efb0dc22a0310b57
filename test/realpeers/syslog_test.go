//go:build linux

package realpeers

import (
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A syslog collects what programs send to /dev/log.
type syslog struct {
	mu    sync.Mutex
	lines []string // mu guards
}

var priority = regexp.MustCompile(`^<\d+>(?:\w+ +\d+ [\d:]+ )?`)

// openSyslog makes /dev/log; once for all scenarios.
func openSyslog() (*syslog, error) {
	os.Remove("/dev/log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	l := new(syslog)
	go func() {
		b := make([]byte, 8192)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			text := priority.ReplaceAllString(strings.TrimRight(string(b[:n]), "\n\x00"), "")
			l.mu.Lock()
			l.lines = append(l.lines, time.Now().Format("15:04:05.000 ")+text)
			l.mu.Unlock()
		}
	}()
	return l, nil
}

// begin starts afresh, for one test; what was said is in its log if it fails.
func (l *syslog) begin(t *testing.T) {
	l.mu.Lock()
	l.lines = nil
	l.mu.Unlock()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("syslog:\n%s", indent(strings.Join(l.said(""), "\n")))
		}
	})
}

// said returns the lines that contain the text.
func (l *syslog) said(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, text) && !strings.Contains(line, "# (from ") {
			found = append(found, line)
		}
	}
	return found
}

// expect waits a moment for a line, which may be on its way.
func (l *syslog) expect(t *testing.T, text string) {
	t.Helper()
	if !within(3*time.Second, func() bool { return len(l.said(text)) > 0 }) {
		t.Errorf("the peer's log has no line with %q", text)
	}
}

// refuse fails the test if there is such a line.
func (l *syslog) refuse(t *testing.T, text string) {
	t.Helper()
	if found := l.said(text); len(found) > 0 {
		t.Errorf("the peer's log complains: %s", found[0])
	}
}
