//go:build linux

// Command exec runs a program in a guest, for tests that want more of a kernel
// than the host's has:
//
//	go build -o /tmp/guest ./test/uml/exec
//	go test -exec /tmp/guest ./internal/netlab
//
// The program runs as root in the current folder with the environment there is,
// and its exit status is the command's.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"goppptp/test/uml"
)

// modules are what tests in network namespaces need of the kernel; what is left
// out loads by itself when used.
var modules = []string{"tun", "veth", "bridge", "dummy", "sch_netem", "nf_tables", "nft_ct", "nft_numgen"}

func main() {
	uml.Init()
	status, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "exec:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

func run() (int, error) {
	if len(os.Args) < 2 {
		return 0, fmt.Errorf("usage: exec PROGRAM [ARGUMENT…]")
	}
	if missing := uml.Missing(); len(missing) > 0 {
		return 0, fmt.Errorf("not installed: %s", strings.Join(missing, " "))
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	program, err := filepath.Abs(os.Args[1])
	if err != nil {
		return 0, err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return uml.Run(ctx, uml.Config{
		Init: self, Args: append([]string{program}, os.Args[2:]...), Env: os.Environ(), WorkDir: cwd,
		Dir: dir, Modules: modules, Output: os.Stdout,
	})
}
