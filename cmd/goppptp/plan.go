package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/routing"
)

func (a *app) planCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan PROFILE",
		Short: "what `up` would change, in the syntax of ip route, and every conflict found; changes nothing",
		Long: `Prints what ` + "`up`" + ` would change in the route table, without dialling: the peer's
address and the interface's final name are known only once connected, so the
routes are shown without the peer. Findings follow, each with what to do.`,
		Example:           "  goppptp plan office",
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.load(args[0])
			if err != nil {
				return err
			}
			gateway, err := client.ResolveGateway(cmd.Context(), client.Linux{}, p.Gateway)
			if err != nil {
				return err
			}
			cfg := p.RoutingConfig()
			cfg.Gateway = gateway
			return a.plan(&cfg, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) plan(cfg *routing.Config, asJSON bool) error {
	st, err := routing.ReadState()
	if err != nil {
		return err
	}
	cfg.Link = freeName(st)
	plan := routing.NewPlan(cfg, st)
	if asJSON {
		if plan.Ops == nil {
			plan.Ops = []routing.Op{}
		}
		if plan.Findings == nil {
			plan.Findings = []routing.Finding{}
		}
		err = a.printJSON(struct {
			Gateway netip.Addr `json:"gateway"`
			*routing.Plan
		}{cfg.Gateway, plan})
	} else {
		for _, op := range plan.Ops {
			fmt.Fprintln(a.stdout, op)
		}
		for _, f := range plan.Findings {
			fmt.Fprintln(a.stdout, f)
		}
	}
	if err != nil {
		return err
	}
	return reportedIf(true, plan.Err(cfg.OnConflict))
}

// freeName returns the interface that up would make.
func freeName(st *routing.State) string {
	for n := 0; ; n++ {
		name := fmt.Sprintf("ppp%d", n)
		taken := false
		for _, l := range st.Links {
			taken = taken || l.Name == name
		}
		if !taken {
			return name
		}
	}
}

func (a *app) routeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "route",
		Short:   "change the routes of a live tunnel",
		Example: "  sudo goppptp route add office 172.20.0.0/16\n  sudo goppptp route del office 172.20.0.0/16",
		Args:    usageArgs(cobra.NoArgs),
	}
	var metric int
	add := &cobra.Command{
		Use: "add PROFILE CIDR", Short: "send one more subnet through the tunnel",
		Example: "  sudo goppptp route add office 172.20.0.0/16 --metric 5",
		Args:    usageArgs(cobra.ExactArgs(2)), ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeRoute(cmd.Context(), args, metric, (*control.Client).AddRoute)
		},
	}
	add.Flags().IntVar(&metric, "metric", 0, "the route's metric (default: the profile's)")
	del := &cobra.Command{
		Use: "del PROFILE CIDR", Short: "take a subnet out of the tunnel",
		Example: "  sudo goppptp route del office 172.20.0.0/16",
		Args:    usageArgs(cobra.ExactArgs(2)), ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeRoute(cmd.Context(), args, 0, (*control.Client).DelRoute)
		},
	}
	cmd.AddCommand(add, del)
	return cmd
}

func (a *app) changeRoute(ctx context.Context, args []string, metric int, change func(*control.Client, context.Context, string, control.Route) error) error {
	to, err := netip.ParsePrefix(args[1])
	if err != nil {
		return usageError("%q is no subnet: write it as 172.20.0.0/16", args[1])
	}
	if to != to.Masked() {
		return usageError("%v has host bits set: did you mean %v?", to, to.Masked())
	}
	c, err := control.Dial(a.socket())
	if errors.Is(err, control.ErrNoDaemon) {
		return usageError("%s is not up", args[0])
	}
	if err != nil {
		return err
	}
	defer c.Close()
	return change(c, ctx, args[0], control.Route{To: to, Metric: metric})
}
