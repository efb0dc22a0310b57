package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"goppptp/internal/control"
	"goppptp/profiles"
)

func (a *app) routeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "route",
		Short: "change the routes of a live tunnel",
		Long: `Changes what goes through a tunnel that is up: subnets, addresses, and host names,
which are resolved and kept current. The change outlives a reconnection; with
--save it is written into the profile too.`,
		Example: "  sudo goppptp route add office 172.20.0.0/16\n  sudo goppptp route add office build.lab.example --save\n  sudo goppptp route del office 172.20.0.0/16",
	}
	var add, del routeChange
	addCmd := &cobra.Command{
		Use: "add PROFILE SUBNET|HOST", Short: "send one more subnet or host through the tunnel",
		Example: "  sudo goppptp route add office 172.20.0.0/16 --metric 5 --save",
		Args:    usageArgs(cobra.ExactArgs(2)), ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return add.run(cmd.Context(), a, args[0], args[1])
		},
	}
	addCmd.Flags().IntVar(&add.metric, "metric", 0, "the route's metric (default: the profile's)")
	delCmd := &cobra.Command{
		Use: "del PROFILE SUBNET|HOST", Short: "take a subnet or host out of the tunnel",
		Example: "  sudo goppptp route del office 172.20.0.0/16",
		Args:    usageArgs(cobra.ExactArgs(2)), ValidArgsFunction: a.profileNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return del.run(cmd.Context(), a, args[0], args[1])
		},
	}
	del.del = true
	for c, r := range map[*cobra.Command]*routeChange{addCmd: &add, delCmd: &del} {
		c.Flags().BoolVar(&r.save, "save", false, "change the profile too; also where the tunnel is not up")
		c.Flags().BoolVar(&r.asJSON, "json", false, "print what was changed as JSON")
	}
	cmd.AddCommand(addCmd, delCmd)
	group(cmd)
	return cmd
}

// A routeChange is one route add or del.
type routeChange struct {
	del, save, asJSON bool
	metric            int

	Added    []control.Route `json:"added"`
	Removed  []control.Route `json:"removed"`
	Warnings []string        `json:"warnings"` // that were not there before
	Saved    string          `json:"saved,omitempty"`
}

func (r *routeChange) run(ctx context.Context, a *app, name, destination string) error {
	route, err := parseDestination(destination)
	if err != nil {
		return err
	}
	route.Metric = r.metric
	r.Added, r.Removed, r.Warnings = []control.Route{}, []control.Route{}, []string{}
	live := r.change(ctx, a, name, route)
	if live != nil && !(r.save && notUp(live)) {
		return live
	}
	if r.save {
		if err := r.saveTo(a, name, route); err != nil {
			return err
		}
	}
	return r.print(a, name, live != nil)
}

// parseDestination reads a subnet, an address or a host name.
func parseDestination(s string) (control.Route, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return control.Route{To: netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())}, nil
	}
	if profiles.IsHostName(s) {
		return control.Route{Host: strings.TrimSuffix(s, ".")}, nil
	}
	to, err := netip.ParsePrefix(s)
	if err != nil {
		return control.Route{}, usageError("%q is no subnet and no host: write it as 172.20.0.0/16 or build.lab.example", s)
	}
	if to != to.Masked() {
		return control.Route{}, usageError("%v has host bits set: did you mean %v?", to, to.Masked())
	}
	return control.Route{To: to}, nil
}

// notUpError says that there is no tunnel to change.
type notUpError struct{ error }

func (e notUpError) Unwrap() error { return e.error }

func notUp(err error) bool {
	_, ok := errors.AsType[notUpError](err)
	return ok
}

// change asks the daemon, and notes what is different then.
func (r *routeChange) change(ctx context.Context, a *app, name string, route control.Route) error {
	c, err := a.dial()
	if errors.Is(err, control.ErrNoDaemon) {
		return notUpError{usageError("%s is not up", name)}
	}
	if err != nil {
		return err
	}
	defer c.Close()
	before, err := c.Status(ctx, name)
	if err != nil {
		return err
	}
	if before.State == control.StateDown || before.State == control.StateFailed {
		return notUpError{usageError("%s is not up", name)}
	}
	if r.del {
		err = c.DelRoute(ctx, name, route)
	} else {
		err = c.AddRoute(ctx, name, route)
	}
	if err != nil {
		return err
	}
	after, err := c.Status(ctx, name)
	if err != nil {
		return err
	}
	for _, x := range after.Routes {
		if !slices.Contains(before.Routes, x) {
			r.Added = append(r.Added, x)
		}
	}
	for _, x := range before.Routes {
		if !slices.Contains(after.Routes, x) {
			r.Removed = append(r.Removed, x)
		}
	}
	for _, w := range after.Warnings {
		if !slices.Contains(before.Warnings, w) {
			r.Warnings = append(r.Warnings, w)
		}
	}
	return nil
}

// saveTo writes the change into the profile. What is so already is no error.
func (r *routeChange) saveTo(a *app, name string, route control.Route) error {
	p, err := a.load(name)
	if err != nil {
		return err
	}
	entry := profiles.Route{To: route.To, Host: route.Host, Metric: route.Metric}
	switch {
	case r.del:
		err = p.RemoveRoute(entry.String())
		if errors.Is(err, profiles.ErrNoRoute) {
			return nil
		}
	case slices.ContainsFunc(p.Routes, func(have profiles.Route) bool { return have.String() == entry.String() && have.Metric == entry.Metric }):
		return nil
	default:
		if err = p.RemoveRoute(entry.String()); err == nil || errors.Is(err, profiles.ErrNoRoute) {
			err = p.AddRoute(entry)
		}
	}
	if err == nil {
		err = p.Save()
	}
	if err != nil {
		return fmt.Errorf("the profile is as before: %w", err)
	}
	r.Saved = p.Path
	return nil
}

func (r *routeChange) print(a *app, name string, down bool) error {
	if r.asJSON {
		return a.printJSON(r)
	}
	for _, x := range r.Added {
		fmt.Fprintf(a.stdout, "+ %s\n", routeText(x))
	}
	for _, x := range r.Removed {
		fmt.Fprintf(a.stdout, "- %s\n", routeText(x))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", w)
	}
	if down {
		fmt.Fprintf(a.stderr, "%s is not up: the change takes effect with the next `goppptp up`\n", name)
	}
	if r.Saved != "" {
		fmt.Fprintf(a.stdout, "saved in %s\n", r.Saved)
	}
	return nil
}
