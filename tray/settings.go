package tray

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// AutostartName is the file in an autostart folder that starts the tray with
// the desktop.
const AutostartName = "goppptp-tray.desktop"

// Settings are what the user chose in the tray: which profiles are connected
// at login. They live in ConfigDir/goppptp/tray.json; with a choice made there
// is also ConfigDir/autostart/goppptp-tray.desktop, without which nothing
// would start the tray.
type Settings struct {
	ConfigDir string // $XDG_CONFIG_HOME, or ~/.config
	Program   string // what the autostart file starts
}

type settingsFile struct {
	Login []string `json:"connect_at_login"`
}

func (s *Settings) path() string { return filepath.Join(s.ConfigDir, "goppptp", "tray.json") }

// Login returns the profiles to connect at login, by name.
func (s *Settings) Login() ([]string, error) {
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f settingsFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(), err)
	}
	return f.Login, nil
}

// SetLogin keeps whether profile is connected at login.
func (s *Settings) SetLogin(profile string, on bool) error {
	list, err := s.Login()
	if err != nil {
		list = nil // a file that cannot be read is written anew
	}
	list = slices.DeleteFunc(list, func(name string) bool { return name == profile })
	if on {
		list = append(list, profile)
		slices.Sort(list)
		if err := s.autostart(); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(settingsFile{list}, "", "\t")
	if err != nil {
		return err
	}
	return writeFile(s.path(), append(b, '\n'))
}

// autostart makes the file that starts the tray with the desktop, unless there
// is one.
func (s *Settings) autostart() error {
	path := filepath.Join(s.ConfigDir, "autostart", AutostartName)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return writeFile(path, []byte("[Desktop Entry]\nType=Application\nName=goppptp\nExec="+desktopQuote(s.Program)+" --login\nIcon=goppptp\nNoDisplay=true\n"))
}

// writeFile writes a file whole or not at all, and the folders it is in.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// desktopQuote quotes s as an argument in the Exec line of a desktop entry
// (Desktop Entry Specification, "The Exec key").
func desktopQuote(s string) string {
	out := []byte{'"'}
	for _, c := range []byte(s) {
		switch c {
		case '"', '`', '$', '\\':
			// Once for the argument, and the backslash once more for the
			// string that the whole line is.
			out = append(out, '\\', '\\', c)
			if c == '\\' {
				out = append(out, '\\')
			}
		case '%':
			out = append(out, '%', '%')
		default:
			out = append(out, c)
		}
	}
	return string(append(out, '"'))
}
