package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"goppptp/client"
	"goppptp/profiles"
)

// An app is one run of the program: what the global flags say and where its
// output goes.
type app struct {
	stdout, stderr io.Writer
	profilesDir    string
	runDir         string
	verbose        int
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	asJSON, _ := cmd.Flags().GetBool("json") // of a command that has none: false
	return a.exit(err, asJSON)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "goppptp",
		Short: "PPTP client and server that changes only what you asked for",
		Long: `A PPTP client and server. It dials a PPTP server, negotiates MPPE, sends the
subnets of a profile through the tunnel and leaves everything else as it was.

PPTP is broken as security: use it for closed and legacy networks only.`,
		Example: `  sudo goppptp lab                     see it work, on a network made for it in this machine
  sudo goppptp up office               connect /etc/goppptp/profiles/office.yaml
  goppptp status
  sudo goppptp down office`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&a.profilesDir, "profiles", "", "`directory` of the profiles (default $GOPPPTP_PROFILES, /etc/goppptp/profiles, ~/.config/goppptp/profiles)")
	f.StringVar(&a.runDir, "run-dir", envOr("GOPPPTP_RUN_DIR", client.RunDir), "`directory` of the daemon's socket and journals")
	f.CountVarP(&a.verbose, "verbose", "v", "log to stderr; twice: every control packet")
	root.SetHelpFunc(help)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%v; see `%s -h`", err, cmd.CommandPath())
	})
	root.AddCommand(a.upCmd(), a.downCmd(), a.statusCmd(), a.planCmd(), a.routeCmd(), a.profileCmd(),
		a.serveCmd(), a.sessionsCmd(), a.kickCmd(), a.labCmd(), a.daemonCmd(), a.repairCmd(), a.manCmd(), a.versionCmd(),
		a.installCmd(), a.uninstallCmd())
	group(root)
	return root
}

// group makes cmd one that only has commands: it shows its help, and a word
// that is none of them is a mistake.
func group(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("unknown command %q; see `%s -h`", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += fmt.Sprintf(": did you mean %q?", near[0])
		}
		return usageError("%s", text)
	}
	cmd.Args = cobra.ArbitraryArgs
}

// help begins with an example of the command. It is no template: the linker
// keeps every method there is in a program that has one, which makes it a
// quarter larger.
func help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	example := cmd.Example
	if example != "" {
		fmt.Fprintf(w, "%s\n\n", example)
	}
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	if about != "" {
		fmt.Fprintf(w, "%s\n\n", strings.TrimRight(about, " \n"))
	}
	cmd.Example = "" // told above
	fmt.Fprint(w, cmd.UsageString())
	cmd.Example = example
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (a *app) dirs() []string { return profiles.Dirs(a.profilesDir) }

// log returns the logger that -v asks for; without it warnings alone are
// written, as what matters is told otherwise.
func (a *app) log() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case a.verbose >= 2:
		level = slog.LevelDebug
	case a.verbose == 1:
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// usageArgs turns a complaint about arguments into a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError("%v; see `%s -h`", err, cmd.CommandPath())
		}
		return nil
	}
}

// profileNames completes the name of an installed profile.
func (a *app) profileNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, e := range profiles.List(a.dirs()) {
		names = append(names, e.Name)
	}
	return names, cobra.ShellCompDirectiveDefault
}
