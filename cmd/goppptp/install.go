package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// A part is one choice of `goppptp install`: the files that it puts into the
// system, and what is left to do by hand.
type part struct {
	flag, usage string
	files       func() ([]installedFile, error)
	then        []string      // commands to give afterwards
	missing     func() string // what the part needs and is not there, "" for nothing; may be nil
}

// An installedFile is put at path, from the root of the system.
type installedFile struct {
	path string
	mode fs.FileMode
	data []byte
}

func (a *app) parts() []part { return []part{daemonPart, desktopPart} }

func (a *app) installCmd() *cobra.Command { return a.installation(false) }

func (a *app) uninstallCmd() *cobra.Command { return a.installation(true) }

func (a *app) installation(remove bool) *cobra.Command {
	var root string
	var networkManager networkManagerPart
	parts := a.parts()
	chosen := make([]bool, len(parts))
	cmd := &cobra.Command{
		Use:   "install",
		Short: "put units, desktop entries and the like into the system",
		Long: `Puts what the system has to know of goppptp where it looks for it, with the program
itself in /usr/bin. What is there already with the same contents is left alone.`,
		Example: `  sudo goppptp install --daemon --desktop
  sudo goppptp install --networkmanager --replace-pptp
  goppptp install --daemon --desktop --root ./package     for whoever makes one`,
		Args: usageArgs(cobra.NoArgs),
	}
	if remove {
		cmd.Use, cmd.Short, cmd.Long = "uninstall", "take away what install put into the system", ""
		cmd.Example = "  sudo goppptp uninstall --daemon --desktop"
	}
	for i, p := range parts {
		cmd.Flags().BoolVar(&chosen[i], p.flag, false, p.usage)
	}
	networkManager.flags(cmd, remove)
	cmd.Flags().StringVar(&root, "root", "/", "`directory` that is taken for the root of the system")
	cmd.RunE = func(*cobra.Command, []string) error {
		any := false
		for i, p := range parts {
			if !chosen[i] {
				continue
			}
			any = true
			files, err := p.files()
			if err != nil {
				return err
			}
			if !remove && p.missing != nil {
				if text := p.missing(); text != "" {
					fmt.Fprintf(a.stderr, "goppptp: %s\n", text)
				}
			}
			for _, f := range files {
				if remove {
					err = a.removeFile(root, f)
				} else {
					err = a.installFile(root, f)
				}
				if err != nil {
					return needRoot(err)
				}
			}
			if root == "/" && !remove {
				for _, line := range p.then {
					fmt.Fprintln(a.stderr, "now:", line)
				}
			}
		}
		if networkManager.chosen {
			return networkManager.run(a, root, remove)
		}
		if networkManager.replace || networkManager.programs != "" {
			return usageError("--replace-pptp and --nm-programs go with --networkmanager")
		}
		if !any {
			return usageError("nothing is chosen; see `%s -h`", cmd.CommandPath())
		}
		return nil
	}
	return cmd
}

// installFile writes f under root, whole or not at all.
func (a *app) installFile(root string, f installedFile) error {
	path := filepath.Join(root, f.path)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, f.data, f.mode); err != nil {
		return err
	}
	err := errors.Join(os.Chmod(tmp, f.mode), os.Rename(tmp, path))
	if err == nil {
		fmt.Fprintln(a.stdout, path)
	}
	return err
}

func (a *app) removeFile(root string, f installedFile) error {
	path := filepath.Join(root, f.path)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		fmt.Fprintln(a.stdout, path)
	}
	return err
}
