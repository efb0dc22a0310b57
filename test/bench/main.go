package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == naiveCommand {
		os.Exit(runNaive(os.Args[2], os.Stdout, os.Stderr))
	}
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err = run(ctx, opts, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and writes what came out. An interrupted run, or one in which a
// contender failed, is an error; what was measured until then is printed all
// the same, but only a whole run is written to files.
func run(ctx context.Context, opts options, out *os.File) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("needs root, to make network namespaces")
	}
	b := &bench{options: opts, stdout: out}
	if b.root, err = checkout(ctx); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "goppptp-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.describeMachine(ctx)
	for _, name := range opts.parts {
		if err := parts[name](ctx, b); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return b.write()
}

// checkout is where the product's source is.
func checkout(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "goppptp").Output()
	if err != nil {
		return "", errors.New("run it inside the checkout: go run ./test/bench")
	}
	return strings.TrimSpace(string(out)), nil
}
