package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"goppptp/test/bench/figures"
)

func init() { register("soak", soaking) }

// soakSpell is the length of one load, in seconds.
const soakSpell = 15

// What the part soak measures, of each spell.
var (
	soakClient = figures.Measure{Key: "rss-client", Name: "Client's RSS", Unit: "MB", Group: "Full load without end"}
	soakServer = figures.Measure{Key: "rss-server", Name: "Server's RSS", Unit: "MB", Group: "Full load without end"}
	soakRate   = figures.Measure{Key: "goodput", Name: "Goodput", Unit: "Mbit/s", Group: "Full load without end", Higher: true}
)

// soakQuarters name the parts of the time that are compared.
var soakQuarters = []string{"first quarter", "second quarter", "third quarter", "last quarter"}

// soaking keeps one tunnel under full load, with one flow and with four, one way
// and the other, for -soak, and watches its memory.
func soaking(ctx context.Context, b *bench) error {
	if _, err := exec.LookPath("iperf3"); err != nil {
		return errors.New("there is no iperf3 (Debian's package iperf3)")
	}
	c := goppptp("goppptp", "")
	if err := c.prepare(ctx, b); err != nil {
		return err
	}
	b.version(c.name, c.version)
	b.version("duration", b.soak.String())
	for _, m := range []figures.Measure{soakClient, soakServer} {
		b.targets = append(b.targets, figures.Target{Part: "soak", Text: m.Name + " at the end, against the beginning", Measure: m.Key,
			Contender: soakQuarters[3], Against: soakQuarters[0], Below: true, Bound: 1.1})
	}
	s, err := c.open(ctx, filepath.Join(b.dir, "soak"))
	if err != nil {
		return err
	}
	defer s.close()
	began, failed := time.Now(), 0
	for n := 0; ; n++ {
		spent := time.Since(began)
		if spent >= b.soak {
			return nil
		}
		s.load, s.loadAtServer = 0, 0
		moved, err := s.iperf3(ctx, 1+n%4/2*3, n%2 == 1, soakSpell)
		if err != nil {
			// iperf3 itself fails now and then. Twice in a row is no accident.
			err = fmt.Errorf("after %v: %w", spent.Round(time.Second), err)
			if failed++; failed == 2 || ctx.Err() != nil {
				return fmt.Errorf("%w%s", err, s.logs())
			}
			b.failed(c.name, err)
			continue
		}
		failed = 0
		quarter := soakQuarters[min(3, int(4*spent/b.soak))]
		b.set.Add("soak", quarter, soakClient, s.load/1e6)
		b.set.Add("soak", quarter, soakServer, s.loadAtServer/1e6)
		b.set.Add("soak", quarter, soakRate, moved.bitRate/1e6)
		b.say("  %8v  client %5.1f MB  server %5.1f MB  %6.0f Mbit/s", spent.Round(time.Second), s.load/1e6, s.loadAtServer/1e6, moved.bitRate/1e6)
	}
}
