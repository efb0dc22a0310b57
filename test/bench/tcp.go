package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"goppptp/test/bench/figures"
)

const (
	groupGoodput = "Goodput"
	groupCPU     = "CPU of the tunnel's processes"
	groupUDP     = "UDP without loss"
	groupRTT     = "Round trip, added to the bare cable's median"
	groupRest    = "Memory under load, and time to connect"
)

// measureTCP moves data with iperf3 and notes what arrived and what CPU time the
// tunnel's processes took for it.
func measureTCP(flows int, down bool) func(context.Context, *bench, *site) ([]reading, error) {
	key, name := fmt.Sprintf("tcp%d-up", flows), plural(flows, "flow")+" up"
	if down {
		key, name = fmt.Sprintf("tcp%d-down", flows), plural(flows, "flow")+" down"
	}
	return func(ctx context.Context, b *bench, s *site) ([]reading, error) {
		before, err := s.cpu()
		if err != nil {
			return nil, err
		}
		moved, err := s.iperf3(ctx, flows, down, b.seconds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		after, err := s.cpu()
		if err != nil {
			return nil, err
		}
		list := []reading{{figures.Measure{Key: key, Name: name, Unit: "Mbit/s", Group: groupGoodput, Higher: true}, moved.bitRate / 1e6}}
		if len(s.ends()) > 0 {
			list = append(list, reading{figures.Measure{Key: "cpu-" + key, Name: name, Unit: "s/GB", Group: groupCPU}, (after - before) / (moved.octets / 1e9)})
		}
		return list, nil
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// An iperfEnd is the part of iperf3's report that says what was received.
type iperfEnd struct {
	octets  float64
	bitRate float64 // bit/s
}

// iperf3 runs one TCP test from the client, and looks at the memory meanwhile.
func (s *site) iperf3(ctx context.Context, flows int, down bool, seconds float64) (iperfEnd, error) {
	args := []string{"-c", s.at.String(), "-J", "-P", strconv.Itoa(flows), "--connect-timeout", "3000"}
	if whole := int(seconds); float64(whole) == seconds {
		args = append(args, "-t", strconv.Itoa(whole))
	} else {
		// iperf3 counts time in whole seconds alone.
		args = append(args, "-n", strconv.Itoa(int(shortTest*seconds)))
	}
	if down {
		args = append(args, "-R")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second))+15*time.Second)
	defer cancel()
	p, err := s.a.command(ctx, "iperf3", args...)
	if err != nil {
		return iperfEnd{}, err
	}
	weigh := time.NewTicker(200 * time.Millisecond)
	defer weigh.Stop()
	for {
		select {
		case <-weigh.C:
			s.weigh()
			continue
		case <-p.done:
		}
		s.weigh()
		return parseIperf(p.output.Bytes(), p.err)
	}
}

// shortTest is how many octets a second the tests of less than a second move.
const shortTest = 16 << 20

// parseIperf reads iperf3's JSON.
func parseIperf(text []byte, status error) (iperfEnd, error) {
	var r struct {
		Error string `json:"error"`
		End   struct {
			Received struct {
				Bytes      float64 `json:"bytes"`
				BitsPerSec float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&r); err != nil {
		return iperfEnd{}, fmt.Errorf("iperf3: %w, %w", err, errors.Join(status))
	}
	if r.Error != "" {
		return iperfEnd{}, errors.New("iperf3: " + strings.TrimSpace(r.Error))
	}
	if r.End.Received.Bytes <= 0 || r.End.Received.BitsPerSec <= 0 {
		return iperfEnd{}, errors.New("iperf3: nothing arrived")
	}
	return iperfEnd{r.End.Received.Bytes, r.End.Received.BitsPerSec}, nil
}
