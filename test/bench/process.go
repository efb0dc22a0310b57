package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a program that was started in a host and runs until stop.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // of Wait, once done
	said *firstLine    // of its standard output
}

// start runs a program at a host; what it says goes to a file in dir.
func (h *host) run(dir, name string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{}), said: newFirstLine()}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, log
	// A session of its own, so that Ctrl-C reaches us alone; and none outlives us.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := h.start(p.cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process, by force if it does not want to.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(5 * time.Second):
	}
	p.cmd.Process.Kill()
	<-p.done
}

// tail is the end of what it said.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// firstLine lets another goroutine wait for a program's first line.
type firstLine struct {
	mu    sync.Mutex
	line  []byte
	ready chan struct{} // closed when the line is complete
	full  bool
}

func newFirstLine() *firstLine { return &firstLine{ready: make(chan struct{})} }

func (f *firstLine) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.full {
		line, _, complete := bytes.Cut(b, []byte("\n"))
		f.line = append(f.line, line...)
		if complete {
			f.full = true
			close(f.ready)
		}
	}
	return len(b), nil
}

// A command is a program that ends by itself.
type command struct {
	done   chan struct{}
	output bytes.Buffer // standard output, once done
	err    error
}

// command starts a program at a host; it is killed when ctx ends.
func (h *host) command(ctx context.Context, program string, args ...string) (*command, error) {
	c := &command{done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout = &c.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := h.start(cmd); err != nil {
		return nil, err
	}
	go func() {
		c.err = cmd.Wait()
		if ctx.Err() != nil {
			c.err = ctx.Err()
		}
		close(c.done)
	}()
	return c, nil
}
