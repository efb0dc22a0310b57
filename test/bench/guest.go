package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"goppptp/test/bench/figures"
	"goppptp/test/uml"
)

// In a guest the kernel has PPP, so pptpd and pptp-linux run. The part guest
// boots one with this very program in it, as guestCommand, which measures there
// what the part local does here.

const guestPart = "guest"

func init() {
	uml.Init() // returns unless this is process 1 of a guest
	register(guestPart, guest)
	hidden[guestCommand] = runGuest
}

// guestModules are what the contenders need of the guest's kernel.
var guestModules = []string{"ppp_async", "ppp_mppe", "tun", "veth"}

// guest measures real peers and the product with each other.
func guest(ctx context.Context, b *bench) error {
	if missing := guestMissing(); len(missing) > 0 {
		b.missing("pptp-linux and pptpd, in a guest", "not installed: "+strings.Join(missing, " "))
		return nil
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	order, err := json.Marshal(guestOrder{
		Rounds: b.rounds, Seconds: b.seconds, Pings: b.pings, Trial: b.trial, Only: b.only, Measure: b.measure, Exe: b.exe,
		Version: describe(ctx, b.root, b.exe),
	})
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, guestPart)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	r, w := io.Pipe()
	var status int
	var runErr error
	go func() {
		status, runErr = locked(b, func() (int, error) {
			return uml.Run(ctx, uml.Config{
				Init: self, Args: []string{self, guestCommand, string(order)}, Dir: dir, Modules: guestModules, Output: w,
				Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
			})
		})
		w.Close()
	}()
	done, err := b.hearGuest(r)
	switch {
	case runErr != nil:
		return runErr
	case err != nil:
		return err
	case status != 0:
		return fmt.Errorf("the guest's benchmark ended with status %d", status)
	case !done:
		return errors.New("the guest did not say what it measured")
	}
	b.targets = append(b.targets, guestTargets()...)
	return nil
}

// guestMissing names the packages that the guest part lacks.
func guestMissing() []string {
	missing := uml.Missing()
	for _, p := range []struct{ program, name string }{
		{"pppd", "ppp"}, {"pptpd", "pptpd"}, {"pptp", "pptp-linux"}, {"iperf3", "iperf3"}, {"unshare", "util-linux"},
	} {
		if _, err := exec.LookPath(p.program); err == nil {
			continue
		}
		if _, err := os.Stat("/usr/sbin/" + p.program); err != nil {
			missing = append(missing, p.name)
		}
	}
	return missing
}

// hearGuest reads what the guest says, and takes over what it measured. done:
// there was such a thing.
func (b *bench) hearGuest(r io.Reader) (done bool, err error) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		text := strings.TrimRight(line, "\r\n")
		if blob, is := strings.CutPrefix(text, guestResult); is && !done {
			var out guestOutcome
			if err := json.Unmarshal([]byte(blob), &out); err != nil {
				return false, fmt.Errorf("what the guest measured: %w", err)
			}
			b.takeGuest(out)
			done = true
		} else if text != "" {
			b.say("%s", text)
		}
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return done, err
		}
	}
}

// takeGuest puts the guest's figures beside those of other parts.
func (b *bench) takeGuest(out guestOutcome) {
	for i := range out.Figures {
		out.Figures[i].Part = guestPart
	}
	b.set.Merge(figures.Set{Figures: out.Figures})
	b.report.Versions = append(b.report.Versions, out.Versions...)
	b.report.Missing = append(b.report.Missing, out.Missing...)
	b.report.Failed = append(b.report.Failed, out.Failed...)
}

// guestTargets are what the product has to reach in the guest.
func guestTargets() (list []figures.Target) {
	add := func(contender, against, text, measure string, bound float64) {
		list = append(list, figures.Target{Part: guestPart, Text: text, Measure: measure, Contender: contender, Against: against, Bound: bound})
	}
	for _, flows := range []int{1, 4} {
		up, down := "tcp"+strconv.Itoa(flows)+"-up", "tcp"+strconv.Itoa(flows)+"-down"
		name := "goodput, " + plural(flows, "flow")
		add(oursToTheirs, theirsToTheirs, name+" up", up, 2.5)
		add(oursToTheirs, theirsToTheirs, name+" down", down, 1)
		add(oursToOurs, theirsToTheirs, name+" up", up, 4)
		add(oursToOurs, theirsToTheirs, name+" down", down, 4)
		add(theirsToOurs, theirsToTheirs, name+" up", up, 1)
		add(theirsToOurs, theirsToTheirs, name+" down", down, 1)
	}
	add(theirsToOurs, theirsToTheirs, "UDP without loss, up", "udp-up", 1)
	add(theirsToOurs, theirsToTheirs, "UDP without loss, down", "udp-down", 1)
	return list
}
