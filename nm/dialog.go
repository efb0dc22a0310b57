package nm

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"goppptp/profiles"
)

// A dialog is one run of nm-goppptp-auth-dialog: what it was asked, by its
// arguments and by what it reads.
type dialog struct {
	uuid, name, service string
	external            bool // describe the question to whoever called; do not ask
	interactive         bool // a question may be asked
	reprompt            bool // the password that there is was refused
	message             string
	wanted              []string // hints: the secrets in question

	data, secrets map[string]string
}

// quitTime is how long the dialog stays for the word QUIT after its answer.
const quitTime = 20 * time.Second

// AuthDialog runs nm-goppptp-auth-dialog and returns its exit status: not 0
// where there is no answer.
func AuthDialog(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	d, err := parseDialog(args, stderr)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	in := bufio.NewReader(stdin)
	if err := d.read(in); err != nil {
		fmt.Fprintf(stderr, "nm-goppptp-auth-dialog: %v\n", err)
		return 1
	}
	if d.external {
		io.WriteString(stdout, d.keyfile())
		return 0
	}
	password := d.secrets["password"]
	if d.ask() {
		if !d.interactive {
			fmt.Fprintln(stderr, "nm-goppptp-auth-dialog: the password is missing, and nothing may be asked")
			return 1
		}
		if password, err = askOnScreen(context.Background(), d.title(), d.description()); err != nil {
			fmt.Fprintf(stderr, "nm-goppptp-auth-dialog: %v\n", err)
			return 1
		}
	}
	fmt.Fprintf(stdout, "password\n%s\n\n\n", password)
	d.waitForQuit(in)
	return 0
}

func parseDialog(args []string, stderr io.Writer) (*dialog, error) {
	d := &dialog{data: map[string]string{}, secrets: map[string]string{}}
	f := flag.NewFlagSet("nm-goppptp-auth-dialog", flag.ContinueOnError)
	f.SetOutput(stderr)
	text := func(p *string, long, short, usage string) {
		f.StringVar(p, long, "", usage)
		f.StringVar(p, short, "", "the same as --"+long)
	}
	yes := func(p *bool, long, short, usage string) {
		f.BoolVar(p, long, false, usage)
		f.BoolVar(p, short, false, "the same as --"+long)
	}
	text(&d.uuid, "uuid", "u", "UUID of the connection")
	text(&d.name, "name", "n", "name of the connection")
	text(&d.service, "service", "s", "type of the connection")
	yes(&d.reprompt, "reprompt", "r", "ask although there is a password")
	yes(&d.interactive, "allow-interaction", "i", "a question may be asked")
	f.BoolVar(&d.external, "external-ui-mode", false, "describe the question on standard output")
	hint := func(s string) error {
		if message, ok := strings.CutPrefix(s, "x-vpn-message:"); ok {
			d.message = message
		} else {
			d.wanted = append(d.wanted, s)
		}
		return nil
	}
	f.Func("hint", "a secret that is wanted, or x-vpn-message:TEXT", hint)
	f.Func("t", "the same as --hint", hint)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var err error
	switch {
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	case d.uuid == "" || d.name == "" || d.service == "":
		err = errors.New("--uuid, --name and --service are needed")
	case d.service != profiles.NMService && d.service != profiles.NMServicePPTP:
		err = fmt.Errorf("%q is not a type of connection that this dialog is for", d.service)
	}
	if err != nil {
		fmt.Fprintf(stderr, "nm-goppptp-auth-dialog: %v\n", err)
		return nil, err
	}
	return d, nil
}

// read reads the connection: DATA_KEY=…, DATA_VAL=…, SECRET_KEY=…,
// SECRET_VAL=…, and DONE at the end. A line that begins with "=" goes on with
// the value before it.
func (d *dialog) read(in *bufio.Reader) error {
	var key string
	var into map[string]string
	for {
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return errors.New("the connection ends before DONE")
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, "=")
		switch {
		case line == "DONE":
			return nil
		case name == "DATA_KEY":
			key, into = value, nil
		case name == "SECRET_KEY":
			key, into = value, nil
		case name == "DATA_VAL":
			into = d.data
			into[key] = value
		case name == "SECRET_VAL":
			into = d.secrets
			into[key] = value
		case name == "" && line != "" && into != nil:
			into[key] += "\n" + value
		}
	}
}

// ask reports whether the password has to be asked for.
func (d *dialog) ask() bool {
	if d.reprompt || d.secrets["password"] == "" {
		flags, _ := strconv.Atoi(d.data["password-flags"])
		return d.reprompt || flags&notRequired == 0
	}
	for _, w := range d.wanted {
		if w == "password" {
			return true
		}
	}
	return false
}

func (d *dialog) title() string { return "Connect to " + d.name }

func (d *dialog) description() string {
	if d.message != "" {
		return d.message
	}
	text := "A password is required to connect to the PPTP server " + d.data["gateway"] + "."
	if user := d.data["user"]; user != "" {
		text = fmt.Sprintf("The password of %s is required to connect to the PPTP server %s.", user, d.data["gateway"])
	}
	if d.reprompt {
		text = "The password was refused. " + text
	}
	return text
}

// keyfile describes the question.
func (d *dialog) keyfile() string {
	var b strings.Builder
	group := func(name string, pairs ...string) {
		fmt.Fprintf(&b, "[%s]\n", name)
		for i := 0; i < len(pairs); i += 2 {
			fmt.Fprintf(&b, "%s=%s\n", pairs[i], keyfileEscape(pairs[i+1]))
		}
		b.WriteByte('\n')
	}
	group("VPN Plugin UI", "Version", "2", "Title", d.title(), "Description", d.description())
	// What is asked for stands in the field already; a refused password is of no
	// use there.
	value := d.secrets["password"]
	if d.ask() {
		value = ""
	}
	group("password", "Value", value, "Label", "Password", "IsSecret", "true",
		"ShouldAsk", strconv.FormatBool(d.ask()))
	return b.String()
}

// keyfileEscape writes a value so that GLib's GKeyFile reads it back.
func keyfileEscape(s string) string {
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
	if trimmed := strings.TrimLeft(s, " "); trimmed != s {
		s = strings.Repeat(`\s`, len(s)-len(trimmed)) + trimmed
	}
	return s
}

// waitForQuit stays until the caller has read the answer.
func (d *dialog) waitForQuit(in *bufio.Reader) {
	quit := make(chan struct{})
	go func() {
		defer close(quit)
		for {
			line, err := in.ReadString('\n')
			if err != nil || strings.TrimSpace(line) == "QUIT" {
				return
			}
		}
	}()
	select {
	case <-quit:
	case <-time.After(quitTime):
	}
}

// hasScreen reports whether a window can be opened.
func hasScreen() bool { return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" }
