package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"goppptp/internal/netlab"
	"goppptp/internal/osnet"
	"goppptp/profiles"
)

// keptLab is where a lab that is left up has its files, and the prefix of its
// namespaces.
const (
	keptLab    = "/run/goppptp-lab"
	labPrefix  = "lab"
	labTimeout = time.Minute
)

// labServer is the server's configuration: the how-to's, with an address of
// its own for the server's end of the tunnels.
const labServer = `local: 192.168.13.254
remote: [192.168.13.240-249]
users:
  - {name: sio4, password: p4ssw0rd}
`

func (a *app) labCmd() *cobra.Command {
	var keep, remove bool
	cmd := &cobra.Command{
		Use:   "lab [-- CMD…]",
		Short: "see it work: a closed network behind a NAT gateway, server and client, in this machine",
		Long: `Builds, out of network namespaces, a closed network behind a NAT gateway, starts the
server inside and connects the profile "lab" from outside, with the commands a user
would give. It shows the route table before and after, pings into the closed network
and to a host outside, disconnects, and takes everything away again. The machine's
own network is not touched.

With a CMD, that runs at the client while the tunnel is up.`,
		Example: `  sudo goppptp lab
  sudo goppptp lab -- ip route
  sudo goppptp lab --keep            then: sudo ip netns exec lab-client ping 192.168.13.50
  sudo goppptp lab --remove`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := osnet.CheckPrivileges(); err != nil {
				return needRoot(err)
			}
			if remove {
				return errors.Join(netlab.Remove(labPrefix), os.RemoveAll(keptLab))
			}
			// Output that nobody reads any more must not keep it from tidying up.
			signal.Ignore(syscall.SIGPIPE)
			ctx, cancel := context.WithTimeout(cmd.Context(), labTimeout)
			defer cancel()
			if keep || len(args) > 0 {
				ctx = cmd.Context()
			}
			l := &lab{app: a, keep: keep}
			err := l.run(ctx, args)
			return errors.Join(err, l.close())
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave it up, in the namespaces lab-client, lab-server, …")
	cmd.Flags().BoolVar(&remove, "remove", false, "take away one that was left up")
	return cmd
}

// A lab is one run of the command.
type lab struct {
	*app
	keep   bool
	dir    string
	exe    string
	net    *netlab.Lab
	server *exec.Cmd
	failed []string
}

func (l *lab) run(ctx context.Context, args []string) (err error) {
	start := time.Now()
	if l.exe, err = os.Executable(); err != nil {
		return err
	}
	if l.net, err = netlab.New(ctx, netlab.Options{Prefix: labPrefix, Persist: l.keep}); err != nil {
		return err
	}
	if err := l.files(); err != nil {
		return err
	}
	l.say(`The network: client 10.250.166.10 — gateway 10.250.166.1, public address %v — closed network %v
with the server %v, %v, and behind it %v and %v. An outside host %v.`,
		netlab.PublicAddr, netlab.ClosedNet, netlab.ServerAddr, netlab.InnerAddr, netlab.BehindNets[0], netlab.BehindNets[1], netlab.OutsideAddr)
	if l.net.NAT != netlab.Translated {
		l.say("(This kernel translates no addresses: the server owns the public address itself.)")
	}
	l.title("goppptp serve    (at %v)", netlab.ServerAddr)
	if err := l.serve(ctx); err != nil {
		return err
	}
	before, err := l.net.Client.Routes()
	if err != nil {
		return err
	}
	l.title("before: ip route    (at the client)")
	l.lines("  ", before)
	l.ping(ctx, netlab.InnerAddr, false, "closed to the client")
	l.ping(ctx, netlab.OutsideAddr, true, "over the default route")

	l.title("goppptp up lab")
	if err := l.client(ctx, "up", "lab"); err != nil {
		return err
	}
	if err := l.compare(before); err != nil {
		return err
	}
	for _, to := range []netip.Addr{netlab.ServerAddr, netlab.InnerAddr, netlab.BehindAddrs[0], netlab.BehindAddrs[1]} {
		l.ping(ctx, to, true, "through the tunnel")
	}
	l.ping(ctx, netlab.OutsideAddr, true, "as before, not through the tunnel")
	if len(args) > 0 {
		if err := l.command(ctx, args); err != nil {
			return err
		}
	}
	if l.keep {
		l.say(`
Left up. At the client, our commands want to know where its profiles and its daemon are:
  ip netns exec %[1]s-client env GOPPPTP_PROFILES=%[2]s/profiles GOPPPTP_RUN_DIR=%[2]s/client goppptp status
  ip netns exec %[1]s-client ping %[3]v
The server's: goppptp sessions --run-dir %[2]s/server. To end it: goppptp lab --remove`, labPrefix, l.dir, netlab.InnerAddr)
		return l.verdict(start)
	}
	l.title("goppptp down lab")
	if err := l.client(ctx, "down", "lab"); err != nil {
		return err
	}
	after, err := l.net.Client.Routes()
	if err != nil {
		return err
	}
	if l.check(slices.Equal(before, after), "after down the route table differs from before") {
		l.say("The route table is as it was before.")
	} else {
		l.lines("  ", after)
	}
	return l.verdict(start)
}

// files lays out what the server and the client read.
func (l *lab) files() (err error) {
	if l.keep {
		l.dir = keptLab
		if err := os.RemoveAll(l.dir); err != nil {
			return err
		}
		err = os.Mkdir(l.dir, 0o700)
	} else {
		l.dir, err = os.MkdirTemp("", "goppptp-lab-")
	}
	if err != nil {
		return err
	}
	profile, err := profiles.Example("lab")
	if err != nil {
		return err
	}
	if _, err := profiles.Add(filepath.Join(l.dir, "profiles"), "lab", profile); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, "server.yaml"), []byte(labServer), 0o600)
}

// serve starts the server and waits until it can be called.
func (l *lab) serve(ctx context.Context) error {
	log, err := os.Create(filepath.Join(l.dir, "server.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	l.server = exec.Command(l.exe, "serve", "--config", filepath.Join(l.dir, "server.yaml"), "--run-dir", filepath.Join(l.dir, "server"), "-v")
	l.server.Stderr = log
	l.server.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := l.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := l.net.Server.Start(l.server); err != nil {
		return err
	}
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- strings.TrimSpace(line)
	}()
	select {
	case line := <-ready:
		if line != "" {
			l.say("%s", line)
			return nil
		}
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("the server did not start: %s", strings.TrimSpace(string(text)))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// client runs one of our commands at the client.
func (l *lab) client(ctx context.Context, args ...string) error {
	args = append(args, "--profiles", filepath.Join(l.dir, "profiles"), "--run-dir", filepath.Join(l.dir, "client"))
	c := exec.CommandContext(ctx, l.exe, args...)
	c.Stdout, c.Stderr = l.stdout, l.stdout
	if err := l.net.Client.Start(c); err != nil {
		return err
	}
	if err := c.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		server, _ := os.ReadFile(filepath.Join(l.dir, "server.log"))
		return fmt.Errorf("goppptp %s: %w; the server's log:\n%s", args[0], err, server)
	}
	return nil
}

// command runs the user's command at the client.
func (l *lab) command(ctx context.Context, args []string) error {
	l.title("%s    (at the client)", strings.Join(args, " "))
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, l.stdout, l.stderr
	c.Env = append(os.Environ(), "GOPPPTP_PROFILES="+filepath.Join(l.dir, "profiles"), "GOPPPTP_RUN_DIR="+filepath.Join(l.dir, "client"))
	if err := l.net.Client.Start(c); err != nil {
		return err
	}
	if err := c.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

// close ends the server and takes the network away, unless it is kept.
func (l *lab) close() error {
	if l.keep && len(l.failed) == 0 && l.net != nil {
		l.net.Detach()
		return nil
	}
	var errs []error
	if l.server != nil && l.server.Process != nil {
		l.server.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { l.server.Process.Kill() })
		l.server.Wait()
		kill.Stop()
	}
	if l.net != nil {
		errs = append(errs, l.net.Close())
	}
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}
