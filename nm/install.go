package nm

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed files
var files embed.FS

// Where things are, in the root that is installed into.
const (
	programsDir = "/usr/lib/NetworkManager"
	namesDir    = "/usr/lib/NetworkManager/VPN"
	policyDir   = "/usr/share/dbus-1/system.d"

	ownName    = namesDir + "/nm-goppptp-service.name"
	pptpName   = namesDir + "/nm-pptp-service.name"
	pptpAside  = namesDir + "/nm-pptp-service.name.network-manager-pptp" // theirs, while ours stands in
	ownPolicy  = policyDir + "/nm-goppptp-service.conf"
	pptpPolicy = policyDir + "/nm-goppptp-pptp.conf"
)

// Programs are the names of the two programs of the plugin.
var Programs = []string{"nm-goppptp-service", "nm-goppptp-auth-dialog"}

// Installer puts the plugin into a system, and takes it away again.
type Installer struct {
	Root        string // "/" for this system
	Programs    string // the directory that Programs are in
	ReplacePPTP bool   // stand in for network-manager-pptp, whichever is newer
	Done        func(what string)
}

func (i *Installer) path(p string) string { return filepath.Join(i.Root, p) }

// Install installs, also over an earlier installation. NetworkManager needs
// not be restarted for a new plugin; for a changed one it does.
func (i *Installer) Install() error {
	for _, name := range Programs {
		data, err := os.ReadFile(filepath.Join(i.Programs, name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is not in %s: build it with `go build ./cmd/%s`, or name the directory that has it", name, i.Programs, name)
		}
		if err != nil {
			return err
		}
		if err := i.write(programsDir+"/"+name, data, 0o755); err != nil {
			return err
		}
	}
	// The policy comes first: NetworkManager looks at a .name at once.
	if err := i.copy(ownPolicy); err != nil {
		return err
	}
	if !i.ReplacePPTP {
		if err := i.putBack(); err != nil {
			return err
		}
		return i.copy(ownName)
	}
	if err := i.copy(pptpPolicy); err != nil {
		return err
	}
	if err := i.setAside(); err != nil {
		return err
	}
	// An alias beside a .name of that type would only be a second claim to it.
	own := strings.Replace(string(embedded(ownName)), "aliases="+servicePPTP+";\n", "", 1)
	if err := i.write(ownName, []byte(own), 0o644); err != nil {
		return err
	}
	return i.write(pptpName, i.standIn(), 0o644)
}

const servicePPTP = "org.freedesktop.NetworkManager.pptp"

// embedded returns the file that is installed at path.
func embedded(path string) []byte {
	data, err := files.ReadFile("files/" + filepath.Base(path))
	if err != nil {
		panic(err) // it is in the program
	}
	return data
}

func (i *Installer) copy(path string) error { return i.write(path, embedded(path), 0o644) }

// write puts a file in place, whole or not at all.
func (i *Installer) write(path string, data []byte, mode os.FileMode) error {
	dest := i.path(path)
	dir := filepath.Dir(dest)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Not a name that ends in .name or .conf while it is incomplete.
	f, err := os.CreateTemp(dir, ".goppptp-*.new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), dest)
	}
	if err == nil {
		i.Done("installed " + dest)
	}
	return err
}

// standIn is our .name of the type pptp, with the editor that
// network-manager-pptp's names, where that is installed.
func (i *Installer) standIn() []byte {
	text := string(embedded(pptpName))
	theirs, err := os.ReadFile(i.path(pptpAside))
	if err != nil {
		return []byte(text)
	}
	for _, line := range strings.Split(string(theirs), "\n") {
		switch {
		case strings.HasPrefix(line, "plugin="):
			text = strings.Replace(text, "\n[GNOME]", "\n[libnm]\n"+line+"\n\n[GNOME]", 1)
		case strings.HasPrefix(line, "properties="):
			text = strings.Replace(text, "\n[GNOME]\n", "\n[GNOME]\n"+line+"\n", 1)
		}
	}
	return []byte(text)
}

// setAside moves network-manager-pptp's .name out of the way, so that an
// upgrade of that package does not bring it back.
func (i *Installer) setAside() error {
	if _, err := os.Lstat(i.path(pptpAside)); err == nil {
		return nil // it is aside, and what is in its place is ours
	}
	if divert, ok := i.dpkgDivert(); ok {
		if err := divert("--rename", "--divert", pptpAside, "--add", pptpName); err != nil {
			return err
		}
		i.Done("diverted " + i.path(pptpName) + " to " + i.path(pptpAside))
		return nil
	}
	data, err := os.ReadFile(i.path(pptpName))
	if errors.Is(err, fs.ErrNotExist) || err == nil && ours(data) {
		return nil
	}
	if err != nil {
		return err
	}
	i.Done("moved " + i.path(pptpName) + " to " + i.path(pptpAside))
	return os.Rename(i.path(pptpName), i.path(pptpAside))
}

// ours reports whether a .name is one of ours.
func ours(data []byte) bool { return strings.Contains(string(data), "nm-goppptp-service") }

// dpkgDivert returns what runs dpkg-divert in the root, where it is Debian's.
func (i *Installer) dpkgDivert() (run func(args ...string) error, ok bool) {
	program, err := exec.LookPath("dpkg-divert")
	if err != nil {
		return nil, false
	}
	if _, err := os.Stat(i.path("/var/lib/dpkg/status")); err != nil {
		return nil, false
	}
	return func(args ...string) error {
		args = append([]string{"--local", "--quiet", "--root", filepath.Clean(i.Root)}, args...)
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-divert: %w: %s", err, strings.TrimSpace(string(out)))
		}
		return nil
	}, true
}

// Uninstall takes away what Install put there, and puts network-manager-pptp's
// .name back.
func (i *Installer) Uninstall() error {
	var all error
	remove := func(path string) { all = errors.Join(all, i.remove(path)) }
	remove(ownName)
	all = errors.Join(all, i.putBack())
	remove(ownPolicy)
	for _, name := range Programs {
		remove(programsDir + "/" + name)
	}
	return all
}

func (i *Installer) remove(path string) error {
	switch err := os.Remove(i.path(path)); {
	case err == nil:
		i.Done("removed " + i.path(path))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// putBack ends our standing in for network-manager-pptp.
func (i *Installer) putBack() error {
	data, err := os.ReadFile(i.path(pptpName))
	if err != nil || !ours(data) {
		return i.remove(pptpPolicy)
	}
	err = i.remove(pptpName)
	if divert, ok := i.dpkgDivert(); ok {
		err = errors.Join(err, divert("--rename", "--remove", pptpName))
	} else if e := os.Rename(i.path(pptpAside), i.path(pptpName)); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, i.remove(pptpPolicy))
}
