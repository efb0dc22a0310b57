package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"goppptp/internal/strictyaml"
)

// SystemDir holds the profiles that everybody may bring up.
const SystemDir = "/etc/goppptp/profiles"

var extensions = []string{".yaml", ".yml"}

// Dirs returns where profiles are looked for, first found first taken:
// override alone if it is not empty, else the colon-separated list in
// GOPPPTP_PROFILES alone, else SystemDir and then goppptp/profiles in the
// user's configuration directory (XDG_CONFIG_HOME, ~/.config).
func Dirs(override string) []string {
	if override != "" {
		return []string{override}
	}
	if dirs := filepath.SplitList(os.Getenv("GOPPPTP_PROFILES")); len(dirs) > 0 {
		return dirs
	}
	dirs := []string{SystemDir}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) { // "relative paths are to be ignored", XDG Base Directory Specification
		config = ""
		if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
			config = filepath.Join(home, ".config")
		}
	}
	if config != "" {
		dirs = append(dirs, filepath.Join(config, "goppptp", "profiles"))
	}
	return dirs
}

// CheckName reports why name cannot be a profile's, or nil: letters, digits
// and any of ". - _ @", not first a dot or dash, at most 64.
func CheckName(name string) error {
	bad := name == "" || len(name) > 64 || name[0] == '.' || name[0] == '-'
	for _, c := range []byte(name) {
		bad = bad || !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte(".-_@", c) >= 0)
	}
	if bad {
		return &Error{File: fmt.Sprintf("profile %q", strictyaml.Clip(name)), Message: "not a name for a profile",
			Suggestion: "use at most 64 letters, digits and . - _ @, a letter or digit first"}
	}
	return nil
}

// Load reads the profile called name: a file if name has a slash, else the
// first name.yaml (or .yml) in dirs. The error is an *Error or an Errors;
// errors.Is(err, os.ErrNotExist) where there is no such profile.
func Load(dirs []string, name string) (*Profile, error) {
	if strings.ContainsRune(name, '/') {
		return loadFile(name)
	}
	return LoadInstalled(dirs, name)
}

// LoadInstalled is Load for a name that came from somebody else: it is never
// taken for a path.
func LoadInstalled(dirs []string, name string) (*Profile, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		for _, ext := range extensions {
			p, err := loadFile(filepath.Join(dir, name+ext))
			if !errors.Is(err, os.ErrNotExist) {
				return p, err
			}
		}
	}
	return nil, &notFoundError{name: name, dirs: dirs, near: nearest(dirs, name)}
}

// notFoundError is what Load returns where no file is.
type notFoundError struct {
	name, near string
	dirs       []string // nil: name is a file
}

func (e *notFoundError) Error() string {
	if e.dirs == nil {
		return e.name + ": no such file"
	}
	s := fmt.Sprintf("no profile %q in %s", e.name, strings.Join(e.dirs, ", "))
	if e.near != "" {
		return s + ": " + e.near
	}
	return s
}

func (e *notFoundError) Unwrap() error { return os.ErrNotExist }

func nearest(dirs []string, name string) string {
	var names []string
	for _, e := range List(dirs) {
		names = append(names, e.Name)
	}
	return didYouMean(name, names)
}

func loadFile(path string) (*Profile, error) {
	// Without waiting: a FIFO would have it wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &notFoundError{name: path}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{File: path, Message: "not a regular file"}
	}
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(f, maxSize+1)); err != nil {
		return nil, err
	}
	p, err := Parse(path, data.Bytes())
	if err != nil {
		return nil, err
	}
	if CheckName(p.Name) != nil { // sessions and journals are called by it
		return nil, &Error{File: path, Message: "the file's name is not one for a profile",
			Suggestion: "rename it: at most 64 letters, digits and . - _ @, then .yaml"}
	}
	if err := p.checkMode(info.Mode()); err != nil {
		return nil, err
	}
	if err := p.checkHooks(info, os.Geteuid()); err != nil {
		return nil, err
	}
	return p, nil
}

// checkMode refuses a secret that others can read or replace, and a command
// that others can change.
func (p *Profile) checkMode(mode os.FileMode) error {
	perm := mode.Perm()
	var key, what string
	switch {
	case p.Password != "" && perm&0o044 != 0:
		key, what = "password", "holds a password and others can read it"
	case p.Password != "" && perm&0o022 != 0:
		key, what = "password", "holds a password and others can write it"
	case len(p.PasswordCommand) > 0 && perm&0o022 != 0:
		key, what = "password_command", "names a command to run and others can write it"
	default:
		return nil
	}
	e := &Error{File: p.Path, Key: key, Message: fmt.Sprintf("%s (mode %04o)", what, perm), Suggestion: "chmod 600 " + shellQuote(p.Path)}
	if n := keyNode(p.source(), key); n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	return e
}

// shellQuote makes s one word for a shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Entry is a profile found by List.
type Entry struct {
	Name, Path string
	Profile    *Profile // nil if Err is set
	Err        error    // why it cannot be used
}

// List returns the profiles in dirs by name. Of two with one name the one in
// the earlier directory counts, as for Load. A directory that does not exist
// or cannot be read has none.
func List(dirs []string) []Entry {
	var out []Entry
	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, ext := range extensions {
			files, err := os.ReadDir(dir)
			if err != nil {
				continue
			}
			for _, f := range files {
				name, ok := strings.CutSuffix(f.Name(), ext)
				if !ok || seen[name] || CheckName(name) != nil || f.IsDir() {
					continue
				}
				seen[name] = true
				e := Entry{Name: name, Path: filepath.Join(dir, f.Name())}
				e.Profile, e.Err = loadFile(e.Path)
				out = append(out, e)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
