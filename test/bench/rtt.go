package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"goppptp/test/bench/figures"
)

// Echo requests are sent so far apart, with so much data, and lost after so long.
const (
	pingInterval = 10 * time.Millisecond
	pingSize     = 56
	pingWait     = time.Second
)

// measureRTT takes round trips over an idle tunnel.
func measureRTT(ctx context.Context, b *bench, s *site) ([]reading, error) {
	p, err := s.a.newPinger(s.at)
	if err != nil {
		return nil, err
	}
	defer p.close()
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	var times []float64 // ms
	lost := 0
	for i := range b.pings {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		took, err := p.ping(uint16(i), pingSize, pingWait)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			lost++
		case err != nil:
			return nil, err
		default:
			times = append(times, took.Seconds()*1e3)
		}
	}
	if lost*20 > b.pings {
		return nil, fmt.Errorf("%d of %d pings were lost", lost, b.pings)
	}
	m := func(key, name string) figures.Measure {
		return figures.Measure{Key: key, Name: name, Unit: "ms", Group: groupRTT}
	}
	return []reading{
		{m("rtt-whole-p50", "p50"), figures.Quantile(times, 0.5)},
		{m("rtt-whole-p99", "p99"), figures.Quantile(times, 0.99)},
	}, nil
}

// addRTT notes what a tunnel adds to a round trip: to the median of the bare
// cable in the same round.
func addRTT(set *figures.Set, round map[string][]reading) {
	value := func(contender, key string) (float64, bool) {
		for _, r := range round[contender] {
			if r.Key == key {
				return r.value, true
			}
		}
		return 0, false
	}
	base, ok := value(bareName, "rtt-whole-p50")
	if !ok {
		return
	}
	for _, name := range set.Contenders("local") {
		if name == bareName {
			continue
		}
		for _, q := range []string{"p50", "p99"} {
			if whole, ok := value(name, "rtt-whole-"+q); ok {
				set.Add("local", name, figures.Measure{Key: "rtt-" + q, Name: "added " + q, Unit: "ms", Group: groupRTT}, whole-base)
			}
		}
	}
}
