package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"goppptp/client"
	"goppptp/internal/osnet"
	"goppptp/routing"
)

func (a *app) planCmd() *cobra.Command {
	var asJSON, dial bool
	cmd := &cobra.Command{
		Use:   "plan PROFILE",
		Short: "what `up` would change, in the syntax of ip route, and every conflict found; changes nothing",
		Long: `Prints what ` + "`up`" + ` would change in the route table, without dialling: the peer's
address and the interface's final name are known only once connected, so the
routes are shown without the peer. Findings follow, each with what to do.

With --dial it connects, asks the server for its addresses and routes, and hangs
up again. Nothing is changed on this machine then either.`,
		Example:           "  goppptp plan office\n  sudo goppptp plan office --dial",
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if dial {
				return a.survey(cmd.Context(), args[0], asJSON)
			}
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
			routes, found := client.ResolveHosts(cmd.Context(), client.Linux{}, p)
			cfg.Routes = append(cfg.Routes, routes...)
			return a.plan(&cfg, found, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&dial, "dial", false, "connect, to know what the server offers")
	return cmd
}

// survey plans with what the server says.
func (a *app) survey(ctx context.Context, name string, asJSON bool) error {
	p, password, err := a.loadWithSecret(ctx, name)
	if err != nil {
		return err
	}
	if err := osnet.CheckPrivileges(); err != nil {
		return needRoot(err)
	}
	s, err := client.Survey(ctx, client.Config{Profile: p, Password: password, Log: a.log()})
	if err != nil {
		return err
	}
	cfg := &s.Routing
	routes, found := client.ResolveHosts(ctx, client.Linux{}, p)
	cfg.Routes = append(cfg.Routes, routes...)
	for _, o := range s.Offered {
		text := fmt.Sprintf("the server offers %v (%s): ignored, %s", o.To, o.Source, o.Why)
		if o.Taken {
			text = fmt.Sprintf("the server offers %v (%s): taken", o.To, o.Source)
		}
		found = append(found, routing.Finding{Severity: routing.Info, Code: routing.RouteOffered, Text: text})
	}
	return a.plan(cfg, found, asJSON)
}

// plan prints the plan for cfg, with what was found about it before.
func (a *app) plan(cfg *routing.Config, found []routing.Finding, asJSON bool) error {
	st, err := routing.ReadState()
	if err != nil {
		return err
	}
	cfg.Link = freeName(st)
	plan := routing.NewPlan(cfg, st)
	plan.Findings = append(plan.Findings, found...)
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
