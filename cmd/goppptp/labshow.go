package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"goppptp/internal/control"
	"goppptp/internal/netlab"
)

// compare shows the client's table with what is new in it, which must be the
// requested subnets, the peer and the gateway, and nothing else.
func (l *lab) compare(before []string) error {
	after, err := l.net.Client.Routes()
	if err != nil {
		return err
	}
	l.title("after: ip route    (at the client; + is new)")
	want := map[string]string{
		"172.16.0.0/16":   "via 192.168.13.254 dev ppp0",
		"192.168.13.0/24": "via 192.168.13.254 dev ppp0",
		"192.168.14.0/24": "via 192.168.13.254 dev ppp0",
		"192.168.13.254":  "dev ppp0",
		"203.235.199.133": "via 10.250.166.1 dev eth0",
	}
	for _, r := range after {
		if slices.Contains(before, r) {
			l.say("  %s", r)
			continue
		}
		l.say("+ %s", r)
		to, path, _ := strings.Cut(r, " ")
		path, _, _ = strings.Cut(path, " proto")
		expected, ok := want[to]
		l.check(ok && path == expected, "not asked for: "+r)
		delete(want, to)
	}
	for _, r := range before {
		l.check(slices.Contains(after, r), "gone: "+r)
	}
	for to, path := range want {
		l.check(false, "missing: "+to+" "+path)
	}
	return nil
}

// ping sends three echo requests from the client and says whether what came
// back is what should.
func (l *lab) ping(ctx context.Context, to netip.Addr, reachable bool, comment string) {
	count := 3
	if !reachable {
		count = 1
	}
	r, err := netlab.Ping(ctx, l.net.Client, to, count, 56)
	if err != nil {
		l.check(!reachable, fmt.Sprintf("ping %v: %v", to, err))
		return
	}
	text := "no answer"
	if r.Received > 0 {
		var sum time.Duration
		for _, d := range r.RTTs {
			sum += d
		}
		text = fmt.Sprintf("%d of %d answered, %.2f ms", r.Received, r.Sent, float64(sum.Microseconds())/1000/float64(r.Received))
	}
	l.say("ping %-14v %s (%s)", to, text, comment)
	l.check(reachable == (r.Received == r.Sent && r.Sent > 0), fmt.Sprintf("ping %v: %s", to, text))
}

func (l *lab) check(good bool, what string) bool {
	if !good {
		l.failed = append(l.failed, what)
	}
	return good
}

func (l *lab) verdict(start time.Time) error {
	if len(l.failed) > 0 {
		return &control.Error{Reason: control.ReasonFailed, Text: "the lab found: " + strings.Join(l.failed, "; ")}
	}
	l.say("\nAll as it should be, in %.1f s.", time.Since(start).Seconds())
	return nil
}

func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.stdout, format+"\n", args...) }

func (l *lab) title(format string, args ...any) { l.say("\n$ "+format, args...) }

func (l *lab) lines(indent string, lines []string) {
	for _, s := range lines {
		l.say("%s%s", indent, s)
	}
}
