package tray

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"

	"goppptp/internal/control"
	"goppptp/internal/keyring"
)

// An Asker finds the password of a profile: in the user's keyring where the
// profile says so, else by a dialog.
type Asker struct {
	Texts *Texts
	// Tell says, where no dialog can be shown, how to go on without one.
	Tell func(summary, body string)
	// LookPath finds programs; nil: exec.LookPath.
	LookPath func(string) (string, error)
}

// Password answers q. A password from a dialog is kept in the keyring once it
// has proved right, where the profile says keyring.
func (a *Asker) Password(ctx context.Context, q Question) (Answer, error) {
	if q.Profile.Keyring && !q.Again {
		password, err := keyring.Get(ctx, q.Profile.Name)
		if err == nil {
			return Answer{Password: control.Secret(password)}, nil
		}
		if ctx.Err() != nil {
			return Answer{}, ErrNoAnswer
		}
	}
	if q.Silent {
		return Answer{}, ErrNoAnswer
	}
	password, err := a.dialog(ctx, q.Profile)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Password: control.Secret(password)}
	if q.Profile.Keyring {
		answer.Keep = func() error { return keyring.Set(q.Profile.Name, password) }
	}
	return answer, nil
}

// dialog asks with the desktop's own program, whichever is there.
func (a *Asker) dialog(ctx context.Context, p control.ProfileInfo) (string, error) {
	look := a.LookPath
	if look == nil {
		look = exec.LookPath
	}
	commands := dialogs(p, a.Texts)
	if a.Texts.Language != English.Language {
		// A locale that is not installed makes zenity refuse all but ASCII.
		commands = append(commands, dialogs(p, English)...)
	}
	for _, command := range commands {
		path, err := look(command[0])
		if err != nil {
			continue
		}
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, path, command[1:]...)
		cmd.Stdout = &out
		if err := cmd.Run(); err != nil {
			if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 1 {
				return "", ErrNoAnswer // cancelled
			}
			continue
		}
		if password := strings.TrimSuffix(out.String(), "\n"); password != "" {
			return password, nil
		}
		return "", ErrNoAnswer
	}
	if a.Tell != nil {
		a.Tell(a.Texts.Say("notice.ask", p.Name), a.Texts.Say("notice.ask.body", p.Name))
	}
	return "", ErrNoAnswer
}

// dialogs are the commands that ask for the password of p.
func dialogs(p control.ProfileInfo, t *Texts) [][]string {
	title, text := t.Say("ask.title", p.Name), t.Say("ask.text", p.User, p.Gateway)
	return [][]string{
		// zenity's entry without echo has a text of one's own, unlike --password.
		{"zenity", "--entry", "--hide-text", "--title", title, "--text", escapeMarkup(text)},
		{"kdialog", "--title", title, "--password", text},
	}
}

// escapeMarkup makes s plain text in Pango's markup, which zenity reads.
func escapeMarkup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
