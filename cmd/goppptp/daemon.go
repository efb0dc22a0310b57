package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"goppptp/client"
	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
)

func (a *app) daemonCmd() *cobra.Command {
	var untilIdle bool
	cmd := &cobra.Command{
		Use:     "daemon",
		Short:   "host sessions and answer the control socket",
		Example: "  sudo goppptp daemon -v",
		Long: `Hosts sessions and answers the control socket, until SIGTERM. systemd can start it
through its socket unit; where no daemon runs, ` + "`goppptp up`" + ` starts one that ends
with its last session.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := osnet.CheckPrivileges(); err != nil {
				return needRoot(err)
			}
			ctx, stop := untilHangup(cmd.Context())
			defer stop()
			defer tunnel.AdaptProcessors()()
			return client.Daemon(ctx, client.DaemonOptions{RunDir: a.runDir, Profiles: a.dirs(), UntilIdle: untilIdle, Log: a.log()})
		},
	}
	cmd.Flags().BoolVar(&untilIdle, "until-idle", false, "end when the last session has ended")
	return cmd
}

func (a *app) repairCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "take back whatever a killed run left behind",
		Long: `Takes back the routes that a killed run left behind, by its journal and by the
route protocol number that all of ours carry. Sessions that live are left alone.
Every start of a session or of the daemon does the same.`,
		Example: "  sudo goppptp repair",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if err := osnet.CheckPrivileges(); err != nil {
				return needRoot(err)
			}
			done, err := client.Repair(a.runDir)
			if asJSON {
				if done == nil {
					done = []string{}
				}
				a.printJSON(map[string]any{"repaired": done})
			} else if len(done) == 0 && err == nil {
				fmt.Fprintln(a.stdout, "nothing to repair")
			} else {
				for _, line := range done {
					fmt.Fprintln(a.stdout, line)
				}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) manCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "man [DIR]",
		Short:   "write the manual pages, into DIR or for one page to stdout",
		Example: "  goppptp man | man -l -\n  goppptp man /usr/local/share/man/man1",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			header := &doc.GenManHeader{Title: "GOPPPTP", Section: "1"}
			if len(args) == 0 {
				return doc.GenMan(cmd.Root(), header, a.stdout)
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return doc.GenManTree(cmd.Root(), header, args[0])
		},
	}
}

// version is set at link time by whoever makes a release.
var version = ""

func (a *app) versionCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version",
		Example: "  goppptp version",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v, goVersion, revision := version, "", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				goVersion = info.GoVersion
				if v == "" {
					v = info.Main.Version
				}
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			if asJSON {
				return a.printJSON(map[string]string{"version": v, "revision": revision, "go": goVersion})
			}
			fmt.Fprintf(a.stdout, "goppptp %s %s %s\n", v, revision, goVersion)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
