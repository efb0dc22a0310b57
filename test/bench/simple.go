package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"goppptp/test/bench/naive"
)

// bareName is the contender that all others are held against.
const bareName = "bare"

// bare is the cable without a tunnel: what is left for all others to lose.
func bare() *contender {
	nothing := func(context.Context, *site) error { return nil }
	return &contender{name: bareName, version: "no tunnel", at: serverOuter, atClient: clientOuter, server: nothing, client: nothing}
}

// baseline is package naive, which this program runs as a process of its own.
func baseline() *contender {
	c := &contender{name: "naive", at: innerServer, atClient: innerClient, version: "test/bench/naive: one packet per system call, crypto/rc4, crypto/sha1"}
	c.server = func(ctx context.Context, s *site) (err error) {
		if s.serverEnd, err = s.b.run(s.dir, "server", nil, "/proc/self/exe", naiveCommand, "server"); err != nil {
			return err
		}
		return s.ready(ctx, s.serverEnd)
	}
	c.client = func(ctx context.Context, s *site) (err error) {
		s.clientEnd, err = s.a.run(s.dir, "client", nil, "/proc/self/exe", naiveCommand, "client")
		return err
	}
	return c
}

// naiveCommand is this program's hidden command.
const naiveCommand = "naive-end"

func init() { hidden[naiveCommand] = runNaive }

// runNaive is one end of the baseline's tunnel, in a process of its own.
func runNaive(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := naive.Config{Name: "naive0", Local: clientOuter, Remote: serverOuter, Inner: innerClient, InnerRemote: innerServer}
	if len(args) == 1 && args[0] == "server" {
		cfg = naive.Config{Name: "naive0", Local: serverOuter, Remote: clientOuter, Inner: innerServer, InnerRemote: innerClient, Server: true}
	}
	if err := naive.Run(ctx, cfg, func() { fmt.Println("ready") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
