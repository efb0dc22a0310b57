package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"goppptp/nm"
)

// networkManagerPart is the choice of the VPN plugin for NetworkManager, whose
// files are not known before it is seen what is there.
type networkManagerPart struct {
	chosen, replace bool
	programs        string
}

func (p *networkManagerPart) flags(cmd *cobra.Command, remove bool) {
	f := cmd.Flags()
	f.BoolVar(&p.chosen, "networkmanager", false, "the VPN plugin for NetworkManager")
	if remove {
		return
	}
	f.BoolVar(&p.replace, "replace-pptp", false, "with --networkmanager: serve connections of type pptp for good, in place of network-manager-pptp, whose .name file is set aside (by dpkg-divert on Debian)")
	f.StringVar(&p.programs, "nm-programs", "", "`directory` of nm-goppptp-service and nm-goppptp-auth-dialog (default: this program's)")
}

func (p *networkManagerPart) run(a *app, root string, remove bool) error {
	if p.programs == "" && !remove {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		p.programs = filepath.Dir(exe)
	}
	i := nm.Installer{Root: root, Programs: p.programs, ReplacePPTP: p.replace, Done: func(what string) { fmt.Fprintln(a.stdout, what) }}
	if remove {
		return needRoot(i.Uninstall())
	}
	if err := i.Install(); err != nil {
		return needRoot(err)
	}
	if root == "/" {
		fmt.Fprintln(a.stderr, "now: systemctl restart NetworkManager     if it knew the plugin, or another for pptp, already")
	}
	return nil
}
