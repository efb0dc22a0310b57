package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"goppptp/internal/control"
	"goppptp/internal/keyring"
	"goppptp/internal/mschap"
	"goppptp/profiles"
)

func (a *app) profilePasswd() *cobra.Command {
	var ntHash bool
	cmd := &cobra.Command{
		Use: "passwd PROFILE | --nt-hash", Short: "store a new password in a profile (or the keyring, where it says so), or print a password's NT hash",
		Example: "  sudo goppptp profile passwd office\n  goppptp profile passwd --nt-hash        for `nt_hash:` of a server's user",
		Args: usageArgs(func(_ *cobra.Command, args []string) error {
			if ntHash == (len(args) == 1) || len(args) > 1 {
				return errors.New("name one profile, or --nt-hash")
			}
			return nil
		}),
		ValidArgsFunction: a.profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			if ntHash {
				secret, err := newPassword("")
				if err != nil {
					return err
				}
				h := mschap.NTPasswordHash(secret.Reveal())
				fmt.Fprintf(a.stdout, "%x\n", h[:])
				return nil
			}
			p, err := a.load(args[0])
			if err != nil {
				return err
			}
			secret, err := newPassword(p.User)
			if err != nil {
				return err
			}
			if p.Keyring {
				return keyring.Set(p.Name, secret.Reveal())
			}
			if err := p.SetPassword(secret); err != nil {
				return err
			}
			return needRoot(p.Save())
		},
	}
	cmd.Flags().BoolVar(&ntHash, "nt-hash", false, "print the NT hash of a password read from the terminal or standard input")
	return cmd
}

// newPassword asks for a password twice on a terminal, or reads a line of
// standard input. It is never an argument, where others could see it.
func newPassword(user string) (profiles.Secret, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		data, err := io.ReadAll(io.LimitReader(os.Stdin, 4096))
		line, _, _ := strings.Cut(string(data), "\n")
		return notEmpty(strings.TrimSuffix(line, "\r"), err)
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		return string(b), err
	}
	name := "Password"
	if user != "" {
		name += " of " + user
	}
	first, err := ask(name + ": ")
	if err != nil {
		return "", err
	}
	second, err := ask("Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", usageError("the two passwords differ")
	}
	return notEmpty(first, nil)
}

func notEmpty(password string, err error) (profiles.Secret, error) {
	if err == nil && password == "" {
		err = usageError("no password was given, on the terminal or on standard input")
	}
	return profiles.Secret(password), err
}

// secretOf gets the password of a profile that does not hold it: from the
// user's keyring where the profile says so, else from the terminal.
func (a *app) secretOf(ctx context.Context, p *profiles.Profile) (profiles.Secret, error) {
	if p.Keyring {
		secret, err := keyring.Get(ctx, p.Name)
		if err == nil {
			return profiles.Secret(secret), nil
		}
		fmt.Fprintf(a.stderr, "%v; `goppptp profile passwd %s` keeps one\n", err, p.Name)
	}
	return askPassword(p)
}

// askPassword asks for the password of a profile that stores none.
func askPassword(p *profiles.Profile) (profiles.Secret, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", &control.Error{Reason: control.ReasonUsage, Text: fmt.Sprintf("profile %s stores no password and there is no terminal to ask on", p.Name),
			Hint: "set password, password_file or password_command in it"}
	}
	defer tty.Close()
	fmt.Fprintf(tty, "Password of %s for %s: ", p.User, p.Gateway)
	b, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(tty)
	return notEmpty(string(b), err)
}
