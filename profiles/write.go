package profiles

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Add writes a new profile, name.yaml in dir, which is made if need be, and
// returns its path. data must parse. The file is complete or not there, only
// its owner can read it, and an existing profile is never overwritten:
// errors.Is(err, os.ErrExist) then.
func Add(dir, name string, data []byte) (path string, err error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	path = filepath.Join(dir, name+extensions[0])
	if _, err := Parse(path, data); err != nil {
		return "", err
	}
	for _, ext := range extensions {
		if _, err := os.Lstat(filepath.Join(dir, name+ext)); err == nil {
			return "", existsError(filepath.Join(dir, name+ext))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	temp, err := writeTemp(dir, data, 0o600)
	if err != nil {
		return "", err
	}
	defer os.Remove(temp)
	// link, unlike rename, fails where the name has come into being meanwhile.
	if err := os.Link(temp, path); errors.Is(err, os.ErrExist) {
		return "", existsError(path)
	} else if err != nil {
		return "", err
	}
	return path, syncDir(dir)
}

func existsError(path string) error {
	return fmt.Errorf("%s: %w; change it with \"profile edit\"", path, os.ErrExist)
}

// Save writes a profile that was loaded, as AddRoute, RemoveRoute and
// SetPassword left it, back to its file: comments, mode and owner stay. A
// profile made in memory goes to Path. Fields set by hand on a loaded profile
// cannot be saved, and are an error.
func (p *Profile) Save() error {
	if p.Path == "" {
		return errors.New("profiles: the profile has no file to be saved to")
	}
	text := p.source()
	if text == nil {
		text = p.YAML()
	}
	if got, err := Parse(p.Path, text); err != nil {
		return err
	} else if p.text != nil && !same(got, p) {
		return fmt.Errorf("%s: fields were changed without their text; not saved", p.Path)
	}
	path, err := filepath.EvalSymlinks(p.Path)
	if errors.Is(err, os.ErrNotExist) {
		path, err = p.Path, nil
	}
	if err != nil {
		return err
	}
	mode := os.FileMode(0o600)
	info, statErr := os.Stat(path)
	if statErr == nil && p.Password == "" {
		mode = info.Mode().Perm()
	}
	temp, err := writeTemp(filepath.Dir(path), text, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if statErr == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			if err := os.Chown(temp, int(st.Uid), int(st.Gid)); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes and syncs a hidden file in dir and returns its path.
func writeTemp(dir string, data []byte, mode os.FileMode) (path string, err error) {
	f, err := os.CreateTemp(dir, ".goppptp-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
