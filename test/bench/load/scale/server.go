package scale

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Server is a running `goppptp serve`.
type Server struct {
	Pid  int
	Log  string // its file
	cmd  *exec.Cmd
	done chan error
}

// Serve starts the server, with users and addresses for that many sessions, and
// returns when it serves. more are further lines of its configuration.
func (p *Place) Serve(users int, more ...string) (*Server, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "local: %v\nremote: [%s]\nmppe: {require: true, bits: [128]}\n", tunnelAddr, pool)
	for _, line := range more {
		text.WriteString(line + "\n")
	}
	text.WriteString("users:\n")
	for i := range users {
		fmt.Fprintf(&text, "- {name: %s, password: %s}\n", userName(i), password)
	}
	config := filepath.Join(p.Dir, "server.yaml")
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	s := &Server{Log: filepath.Join(p.Dir, "server.log"), done: make(chan error, 1)}
	log, err := os.Create(s.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd = exec.Command(p.Program, "serve", "--config", config, "--run-dir", p.Dir)
	s.cmd.Stdout, s.cmd.Stderr = in, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = p.server.do(s.cmd.Start)
	in.Close()
	if err != nil {
		return nil, err
	}
	s.Pid = s.cmd.Process.Pid
	line, _ := bufio.NewReader(out).ReadString('\n')
	go func() { s.done <- s.cmd.Wait() }()
	if !strings.HasPrefix(line, "serving") {
		s.cmd.Process.Kill()
		<-s.done
		return nil, fmt.Errorf("goppptp serve: %s", s.tail())
	}
	return s, nil
}

// tail is the end of what it said.
func (s *Server) tail() string {
	text, _ := os.ReadFile(s.Log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// Stop has the server end, by force if it does not want to, which is an error.
func (s *Server) Stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.done:
		if err != nil {
			return fmt.Errorf("goppptp serve: %w: %s", err, s.tail())
		}
		return nil
	case <-time.After(time.Minute):
	}
	s.cmd.Process.Kill()
	<-s.done
	return errors.New("goppptp serve does not end")
}
