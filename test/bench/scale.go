package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"goppptp/test/bench/figures"
	"goppptp/test/bench/load/scale"
)

func init() { register("scale", scaling) }

// scaleSessions are the numbers of sessions that are compared.
var scaleSessions = []int{1, 100, 1000, 5000}

// What the part scale measures.
var (
	scaleRate = figures.Measure{Key: "set-ups", Name: "Set-ups", Unit: "1/s", Group: "sessions", Higher: true}
	scaleP50  = figures.Measure{Key: "set-up-p50", Name: "Set-up, p50", Unit: "ms", Group: "sessions"}
	scaleP99  = figures.Measure{Key: "set-up-p99", Name: "Set-up, p99", Unit: "ms", Group: "sessions"}
	scaleCPU  = figures.Measure{Key: "set-up-cpu", Name: "Server CPU, each", Unit: "ms", Group: "sessions"}
	scaleRest = figures.Measure{Key: "rest", Name: "CPU at rest", Unit: "%", Group: "sessions"}
	scaleEnd  = figures.Measure{Key: "ends", Name: "Orderly ends", Unit: "1/s", Group: "sessions", Higher: true}

	scaleUser   = figures.Measure{Key: "user", Name: "Server's memory", Unit: "kB", Group: "memory of an idle session"}
	scaleKernel = figures.Measure{Key: "kernel", Name: "Kernel's", Unit: "kB", Group: "memory of an idle session"}
	scaleAll    = figures.Measure{Key: "all", Name: "Both", Unit: "kB", Group: "memory of an idle session"}
	scaleFall   = figures.Measure{Key: "available", Name: "Fall of MemAvailable", Unit: "kB", Group: "memory of an idle session"}

	scaleLost = figures.Measure{Key: "lost", Name: "Packets lost at most", Unit: "%", Group: "server CPU for a packet"}

	scaleTraffic = []struct {
		figures.Measure
		spread, down bool
	}{
		{figures.Measure{Key: "up-one", Name: "Up, one session", Unit: "us", Group: "server CPU for a packet"}, false, false},
		{figures.Measure{Key: "up-all", Name: "Up, all in turn", Unit: "us", Group: "server CPU for a packet"}, true, false},
		{figures.Measure{Key: "down-one", Name: "Down, one session", Unit: "us", Group: "server CPU for a packet"}, false, true},
		{figures.Measure{Key: "down-all", Name: "Down, all in turn", Unit: "us", Group: "server CPU for a packet"}, true, true},
	}
)

const (
	// Traffic that leaves the server time to rest, as the packets of a loaded one
	// come in larger batches, and are cheaper for that.
	scalePackets = 10000
	scalePace    = 10000 // packets a second
	scaleSize    = 1000
	scaleTrain   = 16  // what a window of TCP brings at a time
	scaleRepeats = 2   // of each traffic in a round
	scaleFew     = 100 // sessions: memory divided by fewer says nothing
	// Longer than a server waits before it gives memory back.
	scaleQuiet = 4 * time.Second
)

// scaleName names a contender.
func scaleName(build string, sessions int) string {
	name := fmt.Sprintf("%d sessions", sessions)
	if sessions == 1 {
		name = "1 session"
	}
	if build != "" {
		name = build + ", " + name
	}
	return name
}

func scaleTargets() []figures.Target {
	most := scaleName("", scaleSessions[len(scaleSessions)-1])
	t := []figures.Target{
		{Text: "set-ups a second", Measure: scaleRate.Key, Contender: most, Bound: 300},
		{Text: "user memory of an idle session", Measure: scaleUser.Key, Contender: most, Bound: 6, Below: true},
		{Text: "all memory of an idle session", Measure: scaleAll.Key, Contender: most, Bound: 55, Below: true},
	}
	for _, m := range scaleTraffic {
		t = append(t, figures.Target{Text: "a packet's cost against that with one session: " + m.Name, Measure: m.Key,
			Contender: most, Against: scaleName("", 1), Bound: 1.2, Below: true})
	}
	for i := range t {
		t[i].Part = "scale"
	}
	return t
}

// A scaled is a contender of this part: one server with its sessions.
type scaled struct {
	name     string
	program  string
	sessions int
	rig      *scale.Rig
}

// scaling measures one server with more and more sessions.
func scaling(ctx context.Context, b *bench) error {
	if err := b.build(ctx); err != nil {
		return err
	}
	builds := []namedPath{{"", b.exe}}
	for _, w := range b.with {
		path, err := filepath.Abs(w.path)
		if err != nil {
			return err
		}
		builds = append(builds, namedPath{w.name, path})
	}
	var list []*scaled
	for _, n := range scaleSessions {
		for _, build := range builds {
			if name := scaleName(build.name, n); b.wants(name) || len(b.parts) > 1 {
				list = append(list, &scaled{name: name, program: build.path, sessions: n})
			}
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("-only names none of the numbers of sessions, as %q", scaleName("", scaleSessions[0]))
	}
	for _, build := range builds {
		b.version(scaleName(build.name, 1)+" and more", describe(ctx, b.root, build.path))
	}
	b.targets = append(b.targets, scaleTargets()...)
	for round := range b.rounds {
		b.say("scale, round %d of %d", round+1, b.rounds)
		if err := b.scaleRound(ctx, list); err != nil {
			return err
		}
		// Nobody is always the first, or the last.
		list = append(list[1:], list[0])
	}
	return nil
}

// scaleRound brings all servers up with their sessions, measures, and takes them
// down.
func (b *bench) scaleRound(ctx context.Context, list []*scaled) (err error) {
	defer func() {
		for _, s := range list {
			if s.rig != nil {
				err = errors.Join(err, s.rig.Close())
				s.rig = nil
			}
		}
	}()
	for _, s := range list {
		if _, err := locked(b, func() (none struct{}, err error) { return none, b.bringUp(ctx, s) }); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	type key struct {
		s *scaled
		m figures.Measure
	}
	costs := map[key][]float64{}
	lost := map[*scaled]float64{}
	for range scaleRepeats {
		for _, m := range scaleTraffic {
			_, err := locked(b, func() (none struct{}, err error) {
				for _, s := range list {
					cost, err := s.rig.Cost(ctx, scale.Traffic{Packets: scalePackets, Rate: scalePace, Size: scaleSize, Train: scaleTrain, Spread: m.spread, Down: m.down})
					if err != nil {
						return none, fmt.Errorf("%s: %w", s.name, err)
					}
					lost[s] = max(lost[s], cost.Lost)
					k := key{s, m.Measure}
					costs[k] = append(costs[k], float64(cost.CPU.Nanoseconds())/1e3)
				}
				return none, nil
			})
			if err != nil {
				return err
			}
		}
	}
	for _, m := range scaleTraffic {
		for _, s := range list {
			values := costs[key{s, m.Measure}]
			slices.Sort(values)
			b.set.Add("scale", s.name, m.Measure, figures.Summarize(values).Median)
		}
	}
	for _, s := range list {
		b.set.Add("scale", s.name, scaleLost, 100*lost[s])
		_, rate := s.rig.Down(ctx)
		b.set.Add("scale", s.name, scaleEnd, rate)
		for _, wrong := range []string{s.rig.Wrong(), scale.Failures(s.rig.Clients)} {
			if wrong != "" {
				b.failed(s.name, errors.New(wrong))
			}
		}
	}
	return ctx.Err()
}

// bringUp starts a server and its sessions.
func (b *bench) bringUp(ctx context.Context, s *scaled) error {
	dir, err := os.MkdirTemp(b.dir, "scale-")
	if err != nil {
		return err
	}
	if s.rig, err = scale.Start(ctx, scale.Options{Program: s.program, Dir: dir, Clients: s.sessions}); err != nil {
		return err
	}
	if err := s.rig.Prepare(ctx); err != nil {
		return err
	}
	up, err := s.rig.Up(ctx, s.sessions)
	if err != nil {
		return err
	}
	memory, err := s.rig.Memory(ctx, scaleQuiet)
	if err != nil {
		return err
	}
	rest, err := s.rig.Rest(ctx, scaleQuiet)
	if err != nil {
		return err
	}
	b.say("  %s: %.0f set-ups/s, p50 %v, p99 %v, %v CPU each; user %.1f, kernel %.1f kB each", s.name, up.Rate, up.P50.Round(time.Millisecond),
		up.P99.Round(time.Millisecond), up.CPU.Round(10*time.Microsecond), memory.User/1024, memory.Kernel/1024)
	for _, v := range []struct {
		figures.Measure
		value float64
	}{
		{scaleRate, up.Rate}, {scaleP50, up.P50.Seconds() * 1e3}, {scaleP99, up.P99.Seconds() * 1e3}, {scaleCPU, up.CPU.Seconds() * 1e3}, {scaleRest, 100 * rest},
		{scaleUser, memory.User / 1024}, {scaleKernel, memory.Kernel / 1024}, {scaleAll, memory.All / 1024}, {scaleFall, memory.Available / 1024},
	} {
		if v.Group == scaleUser.Group && s.sessions < scaleFew {
			continue
		}
		b.set.Add("scale", s.name, v.Measure, v.value)
	}
	return nil
}
