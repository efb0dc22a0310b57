package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"goppptp/test/bench/figures"
)

func init() { register("local", local) }

// local measures the product against others over a cable on this machine.
func local(ctx context.Context, b *bench) error {
	if _, err := exec.LookPath("iperf3"); err != nil {
		return errors.New("there is no iperf3 (Debian's package iperf3)")
	}
	list := []*contender{bare(), goppptp("goppptp", ""), baseline(), wireguard("wireguard-go", false), wireguard("wireguard-go-split", true), debianWireguard(), openvpn()}
	for _, w := range b.with {
		path, err := filepath.Abs(w.path)
		if err != nil {
			return err
		}
		list = append(list, goppptp(w.name, path))
	}
	list, err := b.prepare(ctx, list)
	if err != nil {
		return err
	}
	b.targets = append(b.targets, localTargets()...)
	for round := range b.rounds {
		if list, err = b.round(ctx, round, list); err != nil {
			return err
		}
	}
	return nil
}

// prepare readies the contenders that are asked for, and leaves out those that
// this machine does not have.
func (b *bench) prepare(ctx context.Context, all []*contender) ([]*contender, error) {
	for _, name := range b.only {
		if len(b.parts) == 1 && !slices.ContainsFunc(all, func(c *contender) bool { return c.name == name }) {
			return nil, fmt.Errorf("no contender is called %q", name)
		}
	}
	var list []*contender
	for _, c := range all {
		if !b.wants(c.name) {
			continue
		}
		if c.prepare != nil {
			if err := c.prepare(ctx, b); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
		if c.missing != "" {
			b.missing(c.name, c.missing)
			continue
		}
		c.split = c.split || b.split
		b.version(c.name, c.version)
		list = append(list, c)
	}
	return list, nil
}

// A reading is one value of one measure.
type reading struct {
	figures.Measure
	value float64
}

// A gauge is one kind of measurement.
type gauge struct {
	name    string
	measure func(context.Context, *bench, *site) ([]reading, error)
}

// gauges in the order in which they are run. Memory comes behind the load.
var gauges []gauge

func init() {
	gauges = []gauge{
		{"tcp", measureTCP(1, false)}, {"tcp", measureTCP(1, true)},
		{"tcp", measureTCP(4, false)}, {"tcp", measureTCP(4, true)},
		{"udp", measureUDP(false)}, {"udp", measureUDP(true)},
		{"rtt", measureRTT},
		{"memory", measureMemory},
		{"connect", measureConnect},
	}
}

func gaugeNames() (names []string) {
	for _, g := range gauges {
		if !slices.Contains(names, g.name) {
			names = append(names, g.name)
		}
	}
	return names
}

// round starts every contender, takes each measurement of all of them, one
// contender after the other, and ends them. Each round begins with another one.
// It returns the contenders that are left: one that fails twice is out.
func (b *bench) round(ctx context.Context, round int, list []*contender) ([]*contender, error) {
	order := rotate(list, round)
	b.say("round %d of %d", round+1, b.rounds)
	var sites []*site
	defer func() {
		for _, s := range sites {
			s.close()
		}
	}()
	out, seen := map[*contender]bool{}, map[string][]reading{}
	drop := func(c *contender, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		out[c] = true
		b.failed(c.name, err)
		return nil
	}
	for _, c := range order {
		s, err := twice(ctx, func() (*site, error) {
			return locked(b, func() (*site, error) {
				return c.open(ctx, filepath.Join(b.dir, fmt.Sprintf("%s-%d", c.name, round)))
			})
		})
		if err != nil {
			if err := drop(c, err); err != nil {
				return nil, err
			}
			continue
		}
		sites = append(sites, s)
	}
	for _, g := range gauges {
		if len(b.measure) > 0 && !slices.Contains(b.measure, g.name) {
			continue
		}
		for _, s := range sites {
			if out[s.contender] {
				continue
			}
			readings, err := twice(ctx, func() ([]reading, error) {
				return locked(b, func() ([]reading, error) { return g.measure(ctx, b, s) })
			})
			if err != nil {
				if err := drop(s.contender, fmt.Errorf("%s: %w%s", g.name, err, s.logs())); err != nil {
					return nil, err
				}
				continue
			}
			seen[s.name] = append(seen[s.name], readings...)
			for _, r := range readings {
				b.set.Add("local", s.name, r.Measure, r.value)
				b.say("  %-20s %-28s %10.4g %s", s.name, r.Key, r.value, r.Unit)
			}
		}
	}
	addRTT(&b.set, seen)
	return slices.DeleteFunc(slices.Clone(list), func(c *contender) bool { return out[c] }), nil
}

// rotate has another one of a list come first.
func rotate[T any](list []T, by int) []T {
	if len(list) == 0 {
		return nil
	}
	by %= len(list)
	return append(slices.Clone(list[by:]), list[:by]...)
}

// twice tries again what has failed, once.
func twice[T any](ctx context.Context, f func() (T, error)) (T, error) {
	v, err := f()
	if err != nil && ctx.Err() == nil {
		v, err = f()
	}
	return v, err
}

// measureMemory reports what was seen while the other gauges ran.
func measureMemory(_ context.Context, _ *bench, s *site) ([]reading, error) {
	if s.load == 0 || s.loadAtServer == 0 {
		return nil, nil
	}
	m := func(key, name string) figures.Measure {
		return figures.Measure{Key: key, Name: name, Unit: "MB", Group: groupRest}
	}
	return []reading{{m("rss-client", "RSS, client"), s.load / 1e6}, {m("rss-server", "RSS, server"), s.loadAtServer / 1e6}}, nil
}

// measureConnect reports how long the start took.
func measureConnect(_ context.Context, _ *bench, s *site) ([]reading, error) {
	if s.clientEnd == nil {
		return nil, nil
	}
	return []reading{{figures.Measure{Key: "connect", Name: "connect", Unit: "ms", Group: groupRest}, s.connect.Seconds() * 1e3}}, nil
}

// localTargets are what the product has to reach here.
func localTargets() []figures.Target {
	relative := func(text, measure, against string, below bool, bound float64) figures.Target {
		return figures.Target{Part: "local", Text: text, Measure: measure, Contender: "goppptp", Against: against, Below: below, Bound: bound}
	}
	return []figures.Target{
		relative("goodput, 1 flow up", "tcp1-up", "openvpn", false, 1.8),
		relative("goodput, 1 flow down", "tcp1-down", "openvpn", false, 1.8),
		relative("goodput, 1 flow up", "tcp1-up", "wireguard-go", false, 0.6),
		relative("goodput, 1 flow down", "tcp1-down", "wireguard-go", false, 0.6),
		relative("goodput, 1 flow up", "tcp1-up", "wireguard-go-debian", false, 2.8),
		relative("goodput, 1 flow down", "tcp1-down", "wireguard-go-debian", false, 2.8),
		relative("CPU per GB, 1 flow up", "cpu-tcp1-up", "naive", true, 0.36),
		relative("CPU per GB, 1 flow down", "cpu-tcp1-down", "naive", true, 0.36),
		relative("CPU per GB, 1 flow up", "cpu-tcp1-up", "openvpn", true, 0.6),
		relative("CPU per GB, 1 flow down", "cpu-tcp1-down", "openvpn", true, 0.6),
		relative("added round trip, p50", "rtt-p50", "wireguard-go", true, 0.5),
		{Part: "local", Text: "client's RSS under load", Measure: "rss-client", Contender: "goppptp", Below: true, Strict: true, Bound: 20},
	}
}
