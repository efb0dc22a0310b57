package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"goppptp/internal/control"
)

func (a *app) downCmd() *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:               "down PROFILE | --all",
		Short:             "disconnect, and take back every route",
		Example:           "  sudo goppptp down office",
		ValidArgsFunction: a.profileNames,
		Args: usageArgs(func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return errors.New("name one profile, or --all")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, list, err := known(cmd.Context(), a.dial)
			if err != nil {
				return err
			}
			if c != nil {
				defer c.Close()
			}
			return a.down(cmd.Context(), c, list, args, asJSON)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every session")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return cmd
}

// down takes the named sessions down, or all where none is named. c is nil
// where there are none.
func (a *app) down(ctx context.Context, c *control.Client, sessions []control.Status, names []string, asJSON bool) error {
	live := map[string]bool{}
	for _, s := range sessions {
		live[s.Profile] = isLive(s)
	}
	if len(names) == 0 {
		for name, up := range live {
			if up {
				names = append(names, name)
			}
		}
	} else if !live[names[0]] {
		return usageError("%s is not up", names[0])
	}
	slices.Sort(names)
	done := []string{}
	var failed error
	for _, name := range names {
		if err := c.Down(ctx, name); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		done = append(done, name)
	}
	if err := a.showDown(done, asJSON); err != nil {
		return err
	}
	return reportedIf(len(done) > 0, failed)
}

func (a *app) showDown(done []string, asJSON bool) error {
	if asJSON {
		return a.printJSON(map[string]any{"down": append([]string{}, done...)})
	}
	for _, name := range done {
		fmt.Fprintf(a.stdout, "%s is down\n", name)
	}
	return nil
}

// isLive reports whether there is something to be taken down.
func isLive(st control.Status) bool {
	return st.State != control.StateDown && st.State != control.StateFailed
}
