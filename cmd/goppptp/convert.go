package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"goppptp/profiles"
)

func (a *app) profileExport() *cobra.Command {
	var to, output string
	cmd := &cobra.Command{
		Use: "export --to networkmanager PROFILE", Short: "a profile as a connection of NetworkManager's",
		Long: `Prints a keyfile of NetworkManager's with a connection of type goppptp; it holds the
password if the profile does. What it cannot say is named on stderr.`,
		Example: `  sudo goppptp profile export --to networkmanager office --output /etc/NetworkManager/system-connections/office.nmconnection
  sudo nmcli connection load /etc/NetworkManager/system-connections/office.nmconnection`,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: a.profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			if to != "networkmanager" {
				return usageError("--to %s: a profile can be exported to networkmanager", to)
			}
			p, err := a.load(args[0])
			if err != nil {
				return err
			}
			file, notes := p.ToNetworkManager()
			a.showNotes(notes)
			if output == "" {
				_, err = a.stdout.Write(file)
				return err
			}
			f, err := os.OpenFile(output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return usageError("%s is there already", output)
			}
			if err != nil {
				return needRoot(err)
			}
			_, err = f.Write(file)
			return errors.Join(err, f.Close())
		},
	}
	cmd.Flags().StringVar(&to, "to", "networkmanager", "whose `format`: networkmanager")
	cmd.Flags().StringVarP(&output, "output", "o", "", "a new `file`, readable by its owner alone, instead of standard output")
	return cmd
}

func (a *app) profileImport() *cobra.Command {
	var name, dir string
	var show bool
	cmd := &cobra.Command{
		Use: "import FILE", Short: "make a profile of a connection of NetworkManager's, or a set-up of pppd and pptp-linux",
		Long: `FILE is a keyfile of NetworkManager's (/etc/NetworkManager/system-connections) of type
pptp or goppptp, or a file of /etc/ppp/peers, as pptpsetup writes them; its password is
looked up in /etc/ppp/chap-secrets. What a profile cannot say is named on stderr.`,
		Example: `  sudo goppptp profile import /etc/NetworkManager/system-connections/office.nmconnection
  sudo goppptp profile import /etc/ppp/peers/office
  goppptp profile import --show office.nmconnection        print it, and install nothing`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return needRoot(err)
			}
			p, notes, err := importProfile(args[0], data)
			if err != nil {
				return usageError("%s: %v", args[0], err)
			}
			if name == "" {
				name = p.Name
			}
			a.showNotes(notes)
			if show {
				_, err = a.stdout.Write(p.YAML())
				return err
			}
			if dir == "" {
				dir = a.dirs()[0]
			}
			path, err := profiles.Add(dir, name, p.YAML())
			if err != nil {
				return needRoot(err)
			}
			fmt.Fprintln(a.stdout, path)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the profile's `name` (default: the connection's)")
	cmd.Flags().StringVar(&dir, "dir", "", "`directory` to put it in (default: the first of the profile directories)")
	cmd.Flags().BoolVar(&show, "show", false, "print the profile, with its password, and install nothing")
	return cmd
}

// importProfile reads a file of either kind.
func importProfile(path string, data []byte) (*profiles.Profile, []string, error) {
	if bytes.Contains(data, []byte("[connection]")) {
		return profiles.FromNetworkManager(data)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	return profiles.FromPPPD(abs, data, "/", os.ReadFile)
}

func (a *app) showNotes(notes []string) {
	for _, n := range notes {
		fmt.Fprintf(a.stderr, "not carried over: %s\n", n)
	}
}
