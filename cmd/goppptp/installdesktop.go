package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"goppptp/client"
	"goppptp/tray/icons"
)

// The folders of the system.
const (
	binDir     = "/usr/bin"
	unitDir    = "/usr/lib/systemd/system"
	polkitDir  = "/usr/share/polkit-1/actions"
	entryDir   = "/usr/share/applications"
	startDir   = "/etc/xdg/autostart"
	trayBinary = "goppptp-tray"
)

var daemonPart = part{
	flag:  "daemon",
	usage: "systemd's units, the group goppptp and polkit's action",
	files: daemonFiles,
	then: []string{
		"systemd-sysusers && systemctl daemon-reload && systemctl enable --now goppptp.socket goppptp.service",
		"usermod -aG goppptp USER    for each who may connect without a question",
	},
}

func daemonFiles() ([]installedFile, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		return nil, err
	}
	list := []installedFile{{filepath.Join(binDir, "goppptp"), 0o755, program}}
	for from, to := range map[string]string{
		"systemd/goppptp.socket":    unitDir + "/goppptp.socket",
		"systemd/goppptp.service":   unitDir + "/goppptp.service",
		"systemd/goppptp.sysusers":  "/usr/lib/sysusers.d/goppptp.conf",
		"polkit/org.goppptp.policy": polkitDir + "/org.goppptp.policy",
	} {
		data, err := fs.ReadFile(client.Installed, from)
		if err != nil {
			return nil, err
		}
		list = append(list, installedFile{to, 0o644, data})
	}
	return list, nil
}

var desktopPart = part{
	flag:  "desktop",
	usage: "the tray: its desktop entry, autostart and icons (and goppptp-tray itself, where it lies beside goppptp)",
	files: desktopFiles,
	then:  []string{"goppptp-tray    or log in again"},
	missing: func() string {
		if exe, err := os.Executable(); err == nil {
			if _, err := os.Stat(filepath.Join(filepath.Dir(exe), trayBinary)); err == nil {
				return ""
			}
		}
		if _, err := exec.LookPath(trayBinary); err == nil {
			return ""
		}
		return "the entries are installed without the tray itself: `go build -tags tray ./cmd/goppptp-tray` makes it, beside goppptp"
	},
}

func desktopFiles() ([]installedFile, error) {
	list := []installedFile{
		{filepath.Join(entryDir, "goppptp-tray.desktop"), 0o644, icons.Entry},
		{filepath.Join(startDir, "goppptp-tray.desktop"), 0o644, icons.Autostart},
	}
	for _, size := range icons.Sizes {
		list = append(list, installedFile{fmt.Sprintf("/usr/share/icons/hicolor/%dx%d/apps/goppptp.png", size, size), 0o644, icons.App(size)})
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(filepath.Join(filepath.Dir(exe), trayBinary))
	if err == nil {
		list = append(list, installedFile{filepath.Join(binDir, trayBinary), 0o755, program})
	}
	return list, nil
}
