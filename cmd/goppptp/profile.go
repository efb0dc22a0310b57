package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"goppptp/internal/control"
	"goppptp/internal/keyring"
	"goppptp/internal/mschap"
	"goppptp/profiles"
)

func (a *app) profileCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "list, show, check, add and edit profiles",
		Example: `  sudo goppptp profile add office --gateway vpn.example.com --user 'CORP\jdoe' --route 172.16.0.0/16
  goppptp profile check office`,
		Args: usageArgs(cobra.NoArgs),
	}
	cmd.AddCommand(a.profileList(), a.profileShow(), a.profileCheck(), a.profileAdd(), a.profileEdit(), a.profilePasswd())
	return cmd
}

// load reads a profile for a command that shows it.
func (a *app) load(name string) (*profiles.Profile, error) { return profiles.Load(a.dirs(), name) }

func (a *app) profileList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "the installed profiles", Example: "  goppptp profile list", Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			list := profiles.List(a.dirs())
			if asJSON {
				infos := []control.ProfileInfo{}
				for _, e := range list {
					infos = append(infos, profileInfo(e))
				}
				return a.printJSON(infos)
			}
			if len(list) == 0 {
				fmt.Fprintf(a.stderr, "no profiles in %s; `goppptp profile add` makes one\n", strings.Join(a.dirs(), ", "))
			}
			w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
			for _, e := range list {
				i := profileInfo(e)
				if i.Error != "" {
					fmt.Fprintf(w, "%s\t%s\n", i.Name, i.Error)
					continue
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Name, i.Gateway, i.User, strings.Join(i.Routes, " "))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func profileInfo(e profiles.Entry) control.ProfileInfo {
	i := control.ProfileInfo{Name: e.Name, File: e.Path}
	if e.Err != nil {
		i.Error = e.Err.Error()
		return i
	}
	i.Gateway, i.User, i.Asks = e.Profile.Gateway, e.Profile.User, !e.Profile.HasSecret()
	for _, r := range e.Profile.Routes {
		i.Routes = append(i.Routes, r.String())
	}
	return i
}

func (a *app) profileShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show PROFILE", Short: "a profile with every default filled in, its secret hidden",
		Example: "  goppptp profile show office", Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: a.profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.load(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(p)
			}
			_, err = a.stdout.Write(p.Show())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) profileCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check PROFILE…", Short: "read profiles and report what is wrong with them",
		Example: "  goppptp profile check office\n  goppptp profile check ./office.yaml",
		Args:    usageArgs(cobra.MinimumNArgs(1)), ValidArgsFunction: a.profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			var bad error
			for _, name := range args {
				p, err := a.load(name)
				if err != nil {
					bad = errors.Join(bad, err)
					continue
				}
				fmt.Fprintf(a.stdout, "%s: ok\n", p.Path)
			}
			return bad
		},
	}
}

func (a *app) profileAdd() *cobra.Command {
	var gateway, user, from, dir string
	var routes []string
	var askPass bool
	cmd := &cobra.Command{
		Use: "add PROFILE", Short: "install a profile, from flags, a file or an example",
		Long: "Installs a profile, readable by you alone; one that is there is never overwritten.\nExamples to start from (--from): " + strings.Join(profiles.Examples(), ", ") + ".",
		Example: `  sudo goppptp profile add office --gateway vpn.example.com --user 'CORP\jdoe' --route 172.16.0.0/16
  sudo goppptp profile add lab --from lab
  sudo goppptp profile add office --from ./office.yaml`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := profileText(args[0], from, gateway, user, routes)
			if err != nil {
				return err
			}
			if askPass {
				secret, err := newPassword(user)
				if err != nil {
					return err
				}
				p, err := profiles.Parse(args[0]+".yaml", data)
				if err != nil {
					return err
				}
				if p.Keyring {
					return keyring.Set(p.Name, secret.Reveal())
				}
				if err := p.SetPassword(secret); err != nil {
					return err
				}
				data = p.YAML()
			}
			if dir == "" {
				dir = a.dirs()[0]
			}
			path, err := profiles.Add(dir, args[0], data)
			if err != nil {
				return needRoot(err)
			}
			fmt.Fprintln(a.stdout, path)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&gateway, "gateway", "", "the server's `name` or address, optional :port")
	f.StringVar(&user, "user", "", "`user` or DOMAIN\\user")
	f.StringArrayVar(&routes, "route", nil, "a `subnet` that goes through the tunnel; again for more")
	f.BoolVar(&askPass, "password", false, "ask for the password and store it; without, `up` asks each time")
	f.StringVar(&from, "from", "", "a `file`, or the name of an example")
	f.StringVar(&dir, "dir", "", "`directory` to put it in (default: the first of the profile directories)")
	return cmd
}

// profileText returns what the new profile is to hold.
func profileText(name, from, gateway, user string, routes []string) ([]byte, error) {
	if from != "" {
		if gateway != "" || user != "" || len(routes) > 0 {
			return nil, usageError("--from takes the whole profile: leave --gateway, --user and --route out")
		}
		if strings.ContainsAny(from, "/.") {
			return os.ReadFile(from)
		}
		return profiles.Example(from)
	}
	if gateway == "" || user == "" {
		return nil, usageError("a profile needs --gateway and --user, or --from")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "gateway: %s\nuser: %s\n", yamlQuote(gateway), yamlQuote(user))
	if len(routes) > 0 {
		b.WriteString("routes:\n")
	}
	for _, r := range routes {
		fmt.Fprintf(&b, "  - %s\n", yamlQuote(r))
	}
	_, err := profiles.Parse(name+".yaml", b.Bytes())
	return b.Bytes(), err
}

func yamlQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (a *app) profileEdit() *cobra.Command {
	return &cobra.Command{
		Use: "edit PROFILE", Short: "open a profile in $EDITOR; it is replaced only if what you saved is good",
		Example: "  sudo goppptp profile edit office", Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: a.profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.load(args[0])
			if err != nil {
				return err
			}
			return a.edit(p.Path)
		},
	}
}

func (a *app) edit(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return needRoot(err)
	}
	// Beside the profile, so that the replacement is one rename.
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.yaml")
	if err != nil {
		return needRoot(err)
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	editor := strings.Fields(envOr("VISUAL", envOr("EDITOR", "vi")))
	cmd := exec.Command(editor[0], append(editor[1:], tmp.Name())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", editor[0], err)
	}
	edited, err := os.ReadFile(tmp.Name())
	if err != nil {
		return err
	}
	if bytes.Equal(edited, data) {
		fmt.Fprintln(a.stdout, "unchanged")
		return nil
	}
	if _, err := profiles.Parse(path, edited); err != nil {
		return fmt.Errorf("not saved: %w", err)
	}
	return os.Rename(tmp.Name(), path)
}

func (a *app) profilePasswd() *cobra.Command {
	var ntHash bool
	cmd := &cobra.Command{
		Use: "passwd PROFILE | --nt-hash", Short: "store a new password in a profile (or the keyring, where it says so), or print a password's NT hash",
		Example: "  sudo goppptp profile passwd office\n  goppptp profile passwd --nt-hash        for `nt_hash:` of a server's user",
		Args: usageArgs(func(_ *cobra.Command, args []string) error {
			if ntHash == (len(args) == 1) || len(args) > 1 {
				return errors.New("name one profile, or --nt-hash")
			}
			return nil
		}),
		ValidArgsFunction: a.profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			if ntHash {
				secret, err := newPassword("")
				if err != nil {
					return err
				}
				h := mschap.NTPasswordHash(secret.Reveal())
				fmt.Fprintf(a.stdout, "%x\n", h[:])
				return nil
			}
			p, err := a.load(args[0])
			if err != nil {
				return err
			}
			secret, err := newPassword(p.User)
			if err != nil {
				return err
			}
			if err := p.SetPassword(secret); err != nil {
				return err
			}
			return needRoot(p.Save())
		},
	}
	cmd.Flags().BoolVar(&ntHash, "nt-hash", false, "print the NT hash of a password read from the terminal or standard input")
	return cmd
}

// newPassword asks for a password twice on a terminal, or reads a line of
// standard input. It is never an argument, where others could see it.
func newPassword(user string) (profiles.Secret, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		data, err := io.ReadAll(io.LimitReader(os.Stdin, 4096))
		line, _, _ := strings.Cut(string(data), "\n")
		return profiles.Secret(strings.TrimSuffix(line, "\r")), err
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		return string(b), err
	}
	name := "Password"
	if user != "" {
		name += " of " + user
	}
	first, err := ask(name + ": ")
	if err != nil {
		return "", err
	}
	second, err := ask("Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", usageError("the two passwords differ")
	}
	return profiles.Secret(first), nil
}
