package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"goppptp/internal/control"
	"goppptp/internal/osnet"
	"goppptp/internal/tunnel"
	"goppptp/server"
)

// defaultServerConfig is where the server's configuration is looked for.
const defaultServerConfig = "/etc/goppptp/server.yaml"

func (a *app) serveCmd() *cobra.Command {
	var config, importFile string
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "the server",
		Long: `Serves PPTP as server.yaml says, until SIGTERM. SIGHUP has it read the file again:
users, addresses and policy change for new sessions, and those there are stay.`,
		Example: `  sudo goppptp serve
  goppptp serve --config ./server.yaml --check
  sudo goppptp serve --import /etc/pptpd.conf > server.yaml`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if importFile != "" {
				text, err := server.ImportPptpd(importFile)
				if err != nil {
					return needRoot(err)
				}
				_, err = a.stdout.Write(text)
				return err
			}
			cfg, err := server.LoadConfig(config)
			if err != nil {
				return err
			}
			if check {
				fmt.Fprintf(a.stdout, "%s: ok\n", config)
				return nil
			}
			return a.serve(cmd.Context(), cfg, config)
		},
	}
	cmd.Flags().StringVar(&config, "config", defaultServerConfig, "the configuration `file`")
	cmd.Flags().BoolVar(&check, "check", false, "read the configuration, report what is wrong with it, and end")
	cmd.Flags().StringVar(&importFile, "import", "", "print server.yaml for the set-up of this pptpd.conf `file`")
	return cmd
}

// serverGCPercent is GOGC of a server.
const serverGCPercent = 30

func (a *app) serverSocket() string { return filepath.Join(a.runDir, "server.sock") }

func (a *app) serve(ctx context.Context, cfg *server.Config, path string) error {
	if err := osnet.CheckPrivileges(); err != nil {
		return needRoot(err)
	}
	defer tunnel.AdaptProcessors()()
	// What a server keeps is small beside what set-ups throw away, and lies between
	// it: the sooner that is used again the denser the rest lies.
	debug.SetGCPercent(serverGCPercent)
	signal.Ignore(syscall.SIGPIPE) // see untilHangup
	a.verbose = max(a.verbose, 1)  // a server's log is what it says
	log := a.log()
	srv, err := server.New(cfg, server.Options{Log: log, Ready: func() {
		fmt.Fprintf(a.stdout, "serving PPTP on %v\n", cfg.Listen)
	}})
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	l, err := control.Listen(a.serverSocket())
	if err != nil {
		return err
	}
	ctlCtx, stop := context.WithCancel(context.Background())
	ctlDone := make(chan error, 1)
	ctl := control.NewServer(control.Options{Server: serverBackend{srv}, Log: log})
	go func() { ctlDone <- ctl.Serve(ctlCtx, l) }()
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	for {
		select {
		case <-hup:
			if cfg, err := server.LoadConfig(path); err != nil {
				log.Error("configuration not reloaded", "error", err)
			} else if err := srv.Reload(cfg); err != nil {
				log.Error("configuration not reloaded", "error", err)
			}
		case err := <-done:
			stop()
			return errors.Join(err, <-ctlDone)
		}
	}
}

// serverBackend answers the server's control socket.
type serverBackend struct{ srv *server.Server }

func (b serverBackend) ServerSessions(context.Context) ([]control.ServerSession, error) {
	list := []control.ServerSession{}
	for _, s := range b.srv.Sessions() {
		out := control.ServerSession{
			ID: s.ID, User: s.User, Client: s.Client.String(), Interface: s.Interface,
			Local: s.Local, Peer: s.Peer, Auth: s.Auth, Since: s.Since,
			Counters: control.Counters{
				RxBytes: s.Stats.RxBytes, TxBytes: s.Stats.TxBytes, RxPackets: s.Stats.RxPackets, TxPackets: s.Stats.TxPackets,
				RxLost: s.Stats.Lost, RxLate: s.Stats.Late,
			},
		}
		if s.Bits > 0 {
			out.MPPE = &control.MPPE{Bits: s.Bits, Stateful: s.Stateful}
		}
		list = append(list, out)
	}
	return list, nil
}

func (b serverBackend) Kick(_ context.Context, id string) error {
	if err := b.srv.Kick(id); err != nil {
		return usageError("%v: %s", err, id)
	}
	return nil
}

func (a *app) sessionsCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sessions", Short: "the server's sessions", Example: "  sudo goppptp sessions", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dialServer()
			if err != nil {
				return err
			}
			defer c.Close()
			list, err := c.ServerSessions(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(list)
			}
			w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tUSER\tCLIENT\tINTERFACE\tADDRESS\tENCRYPTION\tSINCE\tRECEIVED\tSENT")
			for _, s := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%s\t%v\t%s\t%s\n", s.ID, s.User, s.Client, s.Interface, s.Peer,
					mppeText(s.MPPE), time.Since(s.Since).Round(time.Second), size(s.Counters.RxBytes), size(s.Counters.TxBytes))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) kickCmd() *cobra.Command {
	return &cobra.Command{
		Use: "kick ID", Short: "end a session of the server", Example: "  sudo goppptp kick 3", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.dialServer()
			if err != nil {
				return err
			}
			defer c.Close()
			return c.Kick(cmd.Context(), args[0])
		},
	}
}

func (a *app) dialServer() (*control.Client, error) {
	c, err := control.Dial(a.serverSocket())
	if errors.Is(err, control.ErrNoDaemon) {
		return nil, &control.Error{Reason: control.ReasonFailed, Text: "no server runs here: nothing listens at " + a.serverSocket()}
	}
	return c, err
}
