package profiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrAsk says that the profile holds no secret itself: it is in the keyring,
// or is to be asked of the user.
var ErrAsk = errors.New("profiles: the password is not in the profile")

const maxSecret = 4096 // octets of a password file or of a command's output

// ReadSecret returns the password from where the profile says it is: in it, in
// a file (its first line), or printed by a command (the first line of its
// standard output; the command sees our standard error and no standard input).
// ErrAsk where the profile says "keyring" or nothing.
func (p *Profile) ReadSecret(ctx context.Context) (Secret, error) {
	switch {
	case p.Password != "":
		return p.Password, nil
	case p.PasswordFile != "":
		return p.readPasswordFile()
	case len(p.PasswordCommand) > 0:
		return p.runPasswordCommand(ctx)
	}
	return "", ErrAsk
}

func (p *Profile) readPasswordFile() (Secret, error) {
	path := p.PasswordFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.Path), path)
	}
	fail := func(message, suggestion string) (Secret, error) {
		return "", &Error{File: path, Key: "password_file", Message: message, Suggestion: suggestion}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fail("not a regular file", "")
	}
	if perm := info.Mode().Perm(); perm&0o066 != 0 {
		return fail(fmt.Sprintf("holds a password and others can read or write it (mode %04o)", perm), "chmod 600 "+shellQuote(path))
	}
	data := make([]byte, maxSecret+1)
	n, err := f.Read(data)
	if err != nil && n == 0 {
		return fail("the first line, which is the password, is empty", "")
	}
	s := firstLine(data[:n])
	if s == "" {
		return fail("the first line, which is the password, is empty", "")
	}
	if len(s) > maxSecret {
		return fail("longer than a password can be", "")
	}
	return s, nil
}

func (p *Profile) runPasswordCommand(ctx context.Context) (Secret, error) {
	cmd := exec.CommandContext(ctx, p.PasswordCommand[0], p.PasswordCommand[1:]...)
	cmd.Stderr = os.Stderr
	var out limited
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second // for what it has started and left behind
	err := cmd.Run()
	if out.over {
		return "", fmt.Errorf("password_command %s: printed more than a password can be", p.PasswordCommand[0])
	}
	if err != nil {
		return "", fmt.Errorf("password_command %s: %w", p.PasswordCommand[0], err)
	}
	s := firstLine(out.text)
	if s == "" {
		return "", fmt.Errorf("password_command %s: printed no password", p.PasswordCommand[0])
	}
	return s, nil
}

// limited takes what a command prints, up to maxSecret octets.
type limited struct {
	text []byte
	over bool // there was more
}

func (l *limited) Write(b []byte) (int, error) {
	if l.over = l.over || len(l.text)+len(b) > maxSecret; l.over {
		return 0, io.ErrShortWrite
	}
	l.text = append(l.text, b...)
	return len(b), nil
}

func firstLine(b []byte) Secret {
	line, _, _ := strings.Cut(string(b), "\n")
	return Secret(strings.TrimSuffix(line, "\r"))
}
