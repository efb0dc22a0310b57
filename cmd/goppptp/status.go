package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"goppptp/client"
	"goppptp/internal/control"
)

func (a *app) statusCmd() *cobra.Command {
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "status [PROFILE]",
		Short: "state, addresses, encryption, routes and counters",
		Example: `  goppptp status
  goppptp status office --json
  goppptp status --watch`,
		Args:              usageArgs(cobra.MaximumNArgs(1)),
		ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, list, err := known(cmd.Context(), func() (*control.Client, error) { return control.Dial(a.socket()) })
			if err != nil {
				return err
			}
			if c == nil {
				return a.statusWithoutDaemon(args, asJSON)
			}
			defer c.Close()
			if err := a.status(cmd.Context(), c, list, args, asJSON); err != nil || !watch {
				return err
			}
			err = c.Watch(cmd.Context(), func(e control.Event) {
				if len(args) == 1 && e.Profile != args[0] {
					return
				}
				a.showEvent(e, asJSON)
			})
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "stay, and show what happens")
	return cmd
}

// statusWithoutDaemon says what is plain when none runs: nothing is up.
func (a *app) statusWithoutDaemon(args []string, asJSON bool) error {
	if len(args) == 0 {
		if asJSON {
			return a.printJSON([]control.Status{})
		}
		fmt.Fprintln(a.stdout, "nothing is up")
		return nil
	}
	p, err := a.load(args[0])
	if err != nil {
		return err
	}
	st := client.StatusDown(p)
	if asJSON {
		return a.printJSON(st)
	}
	a.printStatus(st)
	return nil
}

func (a *app) status(ctx context.Context, c *control.Client, list []control.Status, args []string, asJSON bool) error {
	if len(args) == 1 {
		st, err := c.Status(ctx, args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(st)
		}
		a.printStatus(st)
		return nil
	}
	if asJSON {
		return a.printJSON(list)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stdout, "nothing is up")
	}
	for i, st := range list {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		a.printStatus(st)
	}
	return nil
}

func (a *app) showEvent(e control.Event, asJSON bool) {
	if asJSON {
		a.printJSON(e)
		return
	}
	text := plain(e.Text)
	if e.Type == control.EventStage {
		text = strings.TrimSpace(stageText[e.Stage] + " " + text)
	}
	if e.Status != nil {
		text = string(e.Status.State)
		if e.Status.Error != nil {
			text += ": " + plain(e.Status.Error.Text)
		}
	}
	fmt.Fprintf(a.stdout, "%s %s: %s\n", e.Time.Format(time.TimeOnly), e.Profile, text)
}

// printStatus writes a session for a person to read.
func (a *app) printStatus(st control.Status) {
	w := a.stdout
	fmt.Fprintf(w, "%s: %s", st.Profile, st.State)
	if st.State == control.StateUp {
		fmt.Fprintf(w, " for %v, on %s", time.Since(st.Since).Round(time.Second), st.Interface)
	}
	fmt.Fprintln(w)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-10s "+format+"\n", append([]any{name}, args...)...)
	}
	gateway := st.Gateway
	if st.GatewayAddress.IsValid() && st.GatewayAddress.String() != gateway {
		gateway += " (" + st.GatewayAddress.String() + ")"
	}
	row("gateway", "%s", gateway)
	row("user", "%s", st.User)
	if st.Error != nil {
		row("why", "%s", plain(st.Error.Text))
		if st.Error.Hint != "" {
			row("", "%s", st.Error.Hint)
		}
	}
	if waiting := st.State == control.StateReconnecting && st.Stage == ""; waiting && st.NextAttempt.IsZero() {
		row("next try", "when there is a network")
	} else if waiting {
		row("next try", "in %v", max(0, time.Until(st.NextAttempt).Round(time.Second)))
	}
	if st.State != control.StateUp {
		return
	}
	row("address", "%v, peer %v, MTU %d", st.Local, st.Peer, st.MTU)
	row("encryption", "%s", mppeText(st.MPPE))
	if len(st.DNS) > 0 {
		row("dns", "%s (%s)", addrs(st.DNS), dnsText(&st))
	}
	for i, r := range st.Routes {
		name := ""
		if i == 0 {
			name = "routes"
		}
		row(name, "%s", routeText(r))
	}
	for i, o := range st.RoutesOffered {
		name := ""
		if i == 0 {
			name = "offered"
		}
		row(name, "%s", offeredText(o))
	}
	for _, warning := range st.Warnings {
		row("warning", "%s", warning)
	}
	c := st.Counters
	row("received", "%d packets, %s", c.RxPackets, size(c.RxBytes))
	row("sent", "%d packets, %s", c.TxPackets, size(c.TxBytes))
	if c.RxLost+c.RxLate+c.RxDropped+c.TxDropped > 0 {
		row("trouble", "%d lost, %d late but used, %d dropped on receipt, %d not sent", c.RxLost, c.RxLate, c.RxDropped, c.TxDropped)
	}
}

// dnsText says what becomes of the name servers that the server names.
func dnsText(st *control.Status) string {
	text := "offered"
	if st.DomainOffered != "" {
		text += " for " + st.DomainOffered
	}
	if len(st.Domains) > 0 {
		text += "; asked about " + strings.Join(st.Domains, ", ")
	}
	return text
}

// offeredText is a route that the server offered, and what became of it.
func offeredText(o control.OfferedRoute) string {
	s := o.To.String()
	if o.To.Bits() == 0 {
		s = "default route"
	}
	if o.Via.IsValid() {
		s += " via " + o.Via.String()
	}
	if o.Taken {
		return s + ": taken, " + o.Why
	}
	return s + ": ignored, " + o.Why
}

func mppeText(m *control.MPPE) string {
	switch {
	case m == nil:
		return "none"
	case m.Stateful:
		return fmt.Sprintf("MPPE %d-bit, stateful", m.Bits)
	}
	return fmt.Sprintf("MPPE %d-bit, stateless", m.Bits)
}

func routeText(r control.Route) string {
	s := r.To.String()
	if r.Host != "" {
		s = r.Host + " (" + s + ")"
	}
	if r.Via.IsValid() {
		s += " via " + r.Via.String()
	}
	s += " dev " + r.Dev
	if r.Metric > 0 {
		s += fmt.Sprintf(" metric %d", r.Metric)
	}
	return s
}

func addrs(list []netip.Addr) string {
	s := make([]string, len(list))
	for i, a := range list {
		s[i] = a.String()
	}
	return strings.Join(s, ", ")
}

// size returns octets as people read them.
func size(n uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
