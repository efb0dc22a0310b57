package nm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goppptp/profiles"
)

func ask(t *testing.T, stdin string, more ...string) (stdout string, status int) {
	t.Helper()
	args := append([]string{"-u", "6e1c9a52", "-n", "office", "-s", profiles.NMService}, more...)
	var out, errs bytes.Buffer
	status = AuthDialog(args, strings.NewReader(stdin), &out, &errs)
	if status == 0 && errs.Len() > 0 {
		t.Errorf("it complains: %s", errs.String())
	}
	return out.String(), status
}

const (
	someone = "DATA_KEY=gateway\nDATA_VAL=vpn.test\n\nDATA_KEY=user\nDATA_VAL=kate\n\n"
	done    = "DONE\nQUIT\n\n"
	known   = "SECRET_KEY=password\nSECRET_VAL=se\\cret\n=second line\n\n"
)

func TestExternalUI(t *testing.T) {
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  []string
	}{
		"asks":          {someone + done, []string{"-i"}, []string{"Value=\n", "ShouldAsk=true\n", "Description=The password of kate is required to connect to the PPTP server vpn.test.\n"}},
		"knows":         {someone + known + done, nil, []string{`Value=se\\cret\nsecond line` + "\n", "ShouldAsk=false\n"}},
		"asks again":    {someone + known + done, []string{"--allow-interaction", "--reprompt"}, []string{"Value=\n", "ShouldAsk=true\n", "Description=The password was refused."}},
		"hints":         {someone + known + done, []string{"-t", "password", "-t", "x-vpn-message:  Look!"}, []string{"ShouldAsk=true\n", `Description=\s\sLook!` + "\n"}},
		"not required":  {someone + "DATA_KEY=password-flags\nDATA_VAL=4\n\n" + done, nil, []string{"ShouldAsk=false\n"}},
		"always asked":  {someone + "DATA_KEY=password-flags\nDATA_VAL=2\n\n" + done, nil, []string{"ShouldAsk=true\n"}},
		"type pptp too": {someone + done, []string{"--service=" + profiles.NMServicePPTP}, []string{"ShouldAsk=true\n"}},
	} {
		out, status := ask(t, c.stdin, append([]string{"--external-ui-mode"}, c.args...)...)
		if status != 0 || !strings.HasPrefix(out, "[VPN Plugin UI]\nVersion=2\nTitle=Connect to office\nDescription=") {
			t.Errorf("%s: status %d, %s", name, status, out)
		}
		for _, want := range append(c.want, "\n[password]\n", "Label=Password\n", "IsSecret=true\n") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
}

func TestDialogRefuses(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	for name, c := range map[string]struct {
		stdin  string
		args   []string
		status int
	}{
		"another's connection":     {done, []string{"-s", "org.freedesktop.NetworkManager.l2tp"}, 2},
		"unknown argument":         {done, []string{"--colour"}, 2},
		"no end":                   {someone, nil, 1},
		"nothing may be asked":     {someone + done, nil, 1},
		"no screen to ask on":      {someone + done, []string{"-i"}, 1},
		"no end, external UI mode": {someone, []string{"--external-ui-mode"}, 1},
	} {
		if out, status := ask(t, c.stdin, c.args...); status != c.status || out != "" {
			t.Errorf("%s: status %d, %q", name, status, out)
		}
	}
}

// TestOwnQuestion: where nobody else shows the question, a window of the desktop's does.
func TestOwnQuestion(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("DISPLAY", ":99")
	window := func(name, script string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, status := ask(t, someone+known+done, "-i"); status != 0 || out != "password\nse\\cret\nsecond line\n\n\n" {
		t.Errorf("what is known is asked for: %d, %q", status, out)
	}
	if _, status := ask(t, someone+done, "-i"); status != 1 {
		t.Error("it asks without a program to ask with")
	}
	window("zenity", `echo "$@" >`+bin+`/args; echo "from zenity"`)
	if out, status := ask(t, someone+done, "-i", "-t", "x-vpn-message:a < b & c"); status != 0 || out != "password\nfrom zenity\n\n\n" {
		t.Errorf("zenity: %d, %q", status, out)
	}
	if args, _ := os.ReadFile(bin + "/args"); !strings.Contains(string(args), "--hide-text") || !strings.Contains(string(args), "a &lt; b &amp; c") {
		t.Errorf("zenity %s", args)
	}
	window("kdialog", `echo "from kdialog"`)
	if out, _ := ask(t, someone+done, "-i"); !strings.Contains(out, "from zenity") {
		t.Errorf("not KDE: %q", out)
	}
	t.Setenv("XDG_CURRENT_DESKTOP", "KDE")
	if out, _ := ask(t, someone+done, "-i"); !strings.Contains(out, "from kdialog") {
		t.Errorf("KDE: %q", out)
	}
	window("kdialog", "exit 1")
	if out, status := ask(t, someone+done, "-i"); status != 1 || out != "" {
		t.Errorf("cancelled: %d, %q", status, out)
	}
}
