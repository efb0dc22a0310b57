package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"goppptp/client"
	"goppptp/internal/control"
	"goppptp/internal/keyring"
	"goppptp/profiles"
)

func (a *app) profileCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "list, show, check, add and edit profiles",
		Example: `  sudo goppptp profile add office --gateway vpn.example.com --user 'CORP\jdoe' --route 172.16.0.0/16
  goppptp profile check office`,
	}
	cmd.AddCommand(a.profileList(), a.profileShow(), a.profileCheck(), a.profileAdd(), a.profileEdit(), a.profilePasswd(),
		a.profileImport(), a.profileExport())
	group(cmd)
	return cmd
}

// load reads a profile. One that is bad, or not there, is a usage error.
func (a *app) load(name string) (*profiles.Profile, error) {
	p, err := profiles.Load(a.dirs(), name)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, os.ErrPermission):
		return nil, needRoot(err)
	}
	return nil, usageError("%v", err)
}

func (a *app) profileList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "the installed profiles", Example: "  goppptp profile list", Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			list := profiles.List(a.dirs())
			if asJSON {
				infos := []control.ProfileInfo{}
				for _, e := range list {
					infos = append(infos, client.ProfileInfo(e))
				}
				return a.printJSON(infos)
			}
			if len(list) == 0 {
				fmt.Fprintf(a.stderr, "no profiles in %s; `goppptp profile add` makes one\n", strings.Join(a.dirs(), ", "))
			}
			w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
			for _, e := range list {
				i := client.ProfileInfo(e)
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
					err = keyring.Set(args[0], secret.Reveal())
				} else if err = p.SetPassword(secret); err == nil {
					data = p.YAML()
				}
				if err != nil {
					return err
				}
			}
			if dir == "" {
				dir = a.dirs()[0]
			}
			path, err := profiles.Add(dir, args[0], data)
			if errors.Is(err, os.ErrExist) {
				return usageError("%v", err)
			}
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
		if !strings.ContainsAny(from, "/.") {
			if data, err := profiles.Example(from); err == nil {
				return data, nil
			}
			return nil, usageError("no example %q: there are %s; a file is named with its path, ./%s", from, strings.Join(profiles.Examples(), ", "), from)
		}
		data, err := os.ReadFile(from)
		if errors.Is(err, os.ErrNotExist) {
			return nil, usageError("%v", err)
		}
		return data, needRoot(err)
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
	keep := false
	defer func() {
		if !keep {
			os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	editor := strings.Fields(envOr("VISUAL", envOr("EDITOR", "")))
	if len(editor) == 0 {
		editor = []string{"vi"}
	}
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
		keep = true
		return &control.Error{Reason: control.ReasonUsage, Text: "not saved: " + err.Error(), Hint: "what you wrote is in " + tmp.Name()}
	}
	return os.Rename(tmp.Name(), path)
}
