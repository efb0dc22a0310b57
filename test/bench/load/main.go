// Command load holds many PPTP sessions with one server, without an interface for
// any of them, and sends packets through them. It says how fast they came up, what
// came back, and what went wrong.
//
//	sudo go run ./test/bench/load -server 192.0.2.1 -user alice -password secret -sessions 100 -hold 1m
//	sudo go run ./test/bench/load -server 192.0.2.1 -user 'u%d' -password secret -sessions 5000 -packets 100000 -across 1
//
// It needs a raw socket, and so root, and call IDs that nobody else on this host
// uses with that server. What is sent is UDP with contents that are checked
// (package generator): to another of its sessions with -across, or to -to, where
// something may send it back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"goppptp/internal/mschap"
	"goppptp/internal/osnet"
	"goppptp/test/bench/load/generator"
	"goppptp/test/bench/load/scale"
)

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	server   netip.Addr
	sources  []netip.Addr
	sessions int
	user     string
	password string
	pending  int
	hold     time.Duration
	load     generator.Load
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.SetOutput(stderr)
	addr := func(to *netip.Addr) func(string) error {
		return func(s string) (err error) {
			*to, err = netip.ParseAddr(s)
			if err == nil && !to.Is4() {
				return errors.New("not an IPv4 address")
			}
			return err
		}
	}
	fs.Func("server", "the server's `address`", addr(&o.server))
	fs.Func("source", "an own `address` to come from (may be repeated: sessions take turns; without it the route decides)", func(s string) error {
		var a netip.Addr
		if err := addr(&a)(s); err != nil {
			return err
		}
		o.sources = append(o.sources, a)
		return nil
	})
	fs.IntVar(&o.sessions, "sessions", 1, "how many sessions")
	fs.StringVar(&o.user, "user", "", "`name` of the user; %d in it becomes the session's number")
	fs.StringVar(&o.password, "password", "", "everybody's password")
	fs.IntVar(&o.pending, "pending", 32, "how many sessions are set up at a time")
	fs.DurationVar(&o.hold, "hold", 0, "how long to keep the sessions once all else is done")
	fs.IntVar(&o.load.Packets, "packets", 0, "how many packets to send")
	fs.Float64Var(&o.load.Rate, "rate", 0, "packets a second; 0: as fast as they go")
	fs.IntVar(&o.load.Train, "train", 1, "packets into one session before it is the next one's turn")
	fs.IntVar(&o.load.Size, "size", 1000, "octets of an IP packet")
	fs.IntVar(&o.load.Across, "across", 0, "send to the session so many further on, over the server")
	fs.BoolVar(&o.load.TCP, "tcp", false, "segments of TCP instead of UDP, with -across")
	fs.Func("to", "`address:port` to send to; 0.0.0.0: the server's end of each session", func(s string) (err error) {
		o.load.To, err = netip.ParseAddrPort(s)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("what is %q?", fs.Arg(0))
	case !o.server.IsValid() || o.user == "":
		return o, errors.New("-server and -user are needed")
	case o.sessions < 1 || o.sessions > generator.MaxSessions:
		return o, fmt.Errorf("-sessions is from 1 to %d", generator.MaxSessions)
	case o.load.Packets > 0 && o.load.Across == 0 && !o.load.To.IsValid():
		return o, errors.New("-packets needs -across or -to")
	case o.load.TCP && o.load.Across == 0:
		return o, errors.New("-tcp needs -across: a host answers it with resets")
	case o.load.Packets < 0 || o.load.Across < 0 || o.load.Rate < 0 || o.pending < 1:
		return o, errors.New("-packets, -across, -rate and -pending cannot be negative")
	}
	return o, nil
}

// userName is the name of session i.
func (o *options) userName(i int) string {
	return strings.ReplaceAll(o.user, "%d", fmt.Sprint(i))
}

func run(ctx context.Context, o options, out io.Writer) error {
	if err := scale.RaiseFiles(); err != nil {
		return err
	}
	gre, err := osnet.ListenGRE()
	if err != nil {
		return err
	}
	hash := mschap.NTPasswordHash(o.password)
	g := generator.New(generator.Config{
		Server: o.server, GRE: gre, Pending: o.pending,
		Dial: func(ctx context.Context, source netip.Addr) (net.Conn, error) {
			d := net.Dialer{KeepAlive: -1}
			if source.IsValid() {
				d.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
			}
			return d.DialContext(ctx, "tcp4", netip.AddrPortFrom(o.server, 1723).String())
		},
		Source: func(i int) netip.Addr {
			if len(o.sources) == 0 {
				return netip.Addr{}
			}
			return o.sources[i%len(o.sources)]
		},
		User: func(i int) (string, mschap.NTHash) { return o.userName(i), hash },
	})
	defer g.Close()
	return drive(ctx, o, g, out)
}

// drive does what the options say with g's sessions.
func drive(ctx context.Context, o options, g *generator.Generator, out io.Writer) error {
	up, err := g.Up(ctx, o.sessions)
	if up.Up > 0 {
		slices.Sort(up.Each)
		fmt.Fprintf(out, "%d sessions up in %v: %.0f a second, p50 %v, p99 %v\n", up.Up, up.Took.Round(time.Millisecond),
			float64(up.Up)/up.Took.Seconds(), up.Each[up.Up/2].Round(time.Microsecond), up.Each[up.Up*99/100].Round(time.Microsecond))
	}
	if err == nil && o.load.Packets > 0 && up.Up > 0 {
		err = sendLoad(ctx, o, g, out)
	}
	if err == nil && o.hold > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(o.hold):
		}
		fmt.Fprintf(out, "%d sessions up after %v\n", g.Alive(), o.hold)
	}
	ended := g.Down(context.WithoutCancel(ctx))
	fmt.Fprintf(out, "%d sessions ended in order\n", ended)
	if failures := scale.Failures(g); failures != "" {
		fmt.Fprintln(out, "failures:", failures)
		err = errors.Join(err, errors.New("not all went well"))
	}
	return err
}

func sendLoad(ctx context.Context, o options, g *generator.Generator, out io.Writer) error {
	sent, err := g.Send(ctx, o.load)
	if err != nil {
		return err
	}
	g.Settle(ctx, 300*time.Millisecond)
	got := g.Traffic()
	fmt.Fprintf(out, "%d packets sent in %v: %.0f a second; %d came, out of %d sessions\n", sent.Packets, sent.Took.Round(time.Millisecond),
		float64(sent.Packets)/sent.Took.Seconds(), got.Packets, got.Sessions)
	for name, n := range got.Bad {
		fmt.Fprintf(out, "%d %s\n", n, name)
	}
	return nil
}
