package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	runHidden()
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

// hidden are commands that this program gives itself, in processes of their own,
// with what follows the name. A file that has one adds it in its init.
var hidden = map[string]func(args []string) int{}

// runHidden runs a hidden command, if this process was started for one.
func runHidden() {
	if len(os.Args) < 2 {
		return
	}
	if f := hidden[os.Args[1]]; f != nil {
		os.Exit(f(os.Args[2:]))
	}
}

// run measures and writes what came out, part by part. An interrupted part
// writes nothing; one in which a contender failed writes the others' figures, and
// is an error all the same.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
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
	var errs []error
	for _, name := range opts.parts {
		b.begin(ctx, name)
		if err := parts[name](ctx, b); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		errs = append(errs, b.finish())
	}
	return errors.Join(errs...)
}

// checkout is where the product's source is.
func checkout(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "goppptp").Output()
	if err != nil {
		return "", errors.New("run it inside the checkout: go run ./test/bench")
	}
	return strings.TrimSpace(string(out)), nil
}
