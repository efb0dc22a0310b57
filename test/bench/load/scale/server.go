package scale

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
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

// Serve starts the server, with addresses for that many clients, and returns when
// it serves. more are further lines of its configuration. Any name will do with it:
// a list of thousands of users would leave more behind in memory, once read, than
// the sessions take that are to be measured. So would a large pool.
func (p *Place) Serve(clients int, more ...string) (*Server, error) {
	files := map[string]string{
		"server.yaml": fmt.Sprintf("local: %v\nremote: [%s]\nmppe: {require: true, bits: [128]}\nchap_secrets: chap-secrets\n%s\n",
			tunnelAddr, fmt.Sprintf("%v-%v", poolFirst, poolLast(clients)), strings.Join(more, "\n")),
		"chap-secrets": "* * " + password + " *\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(p.Dir, "server.yaml")
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
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL} // it does not outlive us
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

// poolLast is the last of so many addresses.
func poolLast(clients int) netip.Addr {
	last := poolFirst.As4()
	binary.BigEndian.PutUint32(last[:], binary.BigEndian.Uint32(last[:])+uint32(clients)-1)
	return netip.AddrFrom4(last)
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
