package nm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A window is a program that asks for a password, and its arguments for a
// title and a text.
type window struct {
	program string
	args    func(title, text string) []string
}

var (
	zenity = window{"zenity", func(title, text string) []string {
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
		return []string{"--entry", "--hide-text", "--title=" + title, "--text=" + escaped}
	}}
	kdialog = window{"kdialog", func(title, text string) []string {
		return []string{"--title", title, "--password", text}
	}}
)

// askOnScreen asks for the password in a window, of the desktop's own kind
// where both kinds are installed.
func askOnScreen(ctx context.Context, title, text string) (string, error) {
	if !hasScreen() {
		return "", errors.New("the password is missing, and there is no display to ask on")
	}
	windows := []window{zenity, kdialog}
	if strings.Contains(strings.ToUpper(os.Getenv("XDG_CURRENT_DESKTOP")), "KDE") {
		windows = []window{kdialog, zenity}
	}
	for _, w := range windows {
		path, err := exec.LookPath(w.program)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, w.args(title, text)...)
		var answer bytes.Buffer
		cmd.Stdout = &answer
		if err := cmd.Run(); err != nil {
			if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 1 {
				return "", errors.New("cancelled")
			}
			return "", fmt.Errorf("%s: %w", w.program, err)
		}
		return strings.TrimSuffix(answer.String(), "\n"), nil
	}
	return "", errors.New("neither zenity nor kdialog is installed, and the password is missing")
}
