package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"goppptp/internal/control"
)

func TestProfiles(t *testing.T) {
	p := newPlace(t)
	path := filepath.Join(p.profiles, "new.yaml")
	p.run("profile", "add", "new", "--gateway", "vpn.example.com:1724", "--user", `CORP\o'neil`, "--route", "172.16.0.0/16", "--route", "build.lab.example").
		want(t, 0, path+"\n", "")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	p.run("profile", "show", "new").want(t, 0, `user: "CORP\\o'neil"`, "")
	p.run("profile", "check", "new", path).want(t, 0, path+": ok\n"+path+": ok\n", "")
	p.run("profile", "list").want(t, 0, "vpn.example.com:1724", "")
	var infos []control.ProfileInfo
	p.run("profile", "list", "--json").unmarshal(t, &infos)
	if len(infos) != 2 || infos[0].Name != "new" || !infos[0].Asks || infos[1].Name != "office" || infos[1].Asks {
		t.Errorf("profile list --json: %+v", infos)
	}

	p.run("profile", "add", "lab", "--from", "lab").want(t, 0, "lab.yaml", "")
	p.run("profile", "check", "lab").want(t, 0, "lab.yaml: ok", "")
	p.run("profile", "add", "copy", "--from", path).want(t, 0, "copy.yaml", "")
	p.write("typo.yaml", "gatway: x\n", 0o600)
	p.run("profile", "list").want(t, 0, `unknown key "gatway"`, "")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	p.run("profile", "add", "far", "--from", "lab", "--dir", elsewhere).want(t, 0, elsewhere, "")
	// Of a flag's directory, not the environment's.
	p.run("--profiles", elsewhere, "profile", "check", "far").want(t, 0, "far.yaml: ok", "")
	if o := p.run("profile", "show", "office"); strings.Contains(o.stdout, "secret") {
		t.Errorf("the password is shown: %s", o.stdout)
	}
}

func TestPasswd(t *testing.T) {
	p := newPlace(t)
	// RFC 2759, Section 9.2.
	p.child("clientPass\n", nil, "profile", "passwd", "--nt-hash").want(t, 0, "44ebba8d5312b8d611474411f56989ae\n", "")
	p.child("clientPass", nil, "profile", "passwd", "--nt-hash").want(t, 0, "44ebba8d5312b8d611474411f56989ae\n", "")
	p.child("", nil, "profile", "passwd", "--nt-hash").want(t, 2, "", "no password was given")

	p.write("plain.yaml", "gateway: vpn.onion # the old one\nuser: x\n", 0o600)
	p.child("s3cr'et: #1\n", nil, "profile", "passwd", "plain").want(t, 0, "", "")
	text, err := os.ReadFile(filepath.Join(p.profiles, "plain.yaml"))
	if err != nil || !strings.Contains(string(text), "# the old one") || !strings.Contains(string(text), "s3cr") {
		t.Errorf("%v: %s", err, text)
	}
	p.run("profile", "check", "plain").want(t, 0, "ok", "")
	p.child("\n", nil, "profile", "passwd", "plain").want(t, 2, "", "no password was given")

	p.child("pw\n", nil, "profile", "add", "asked", "--gateway", "vpn.onion", "--user", "x", "--password").want(t, 0, "asked.yaml", "")
	if text, _ := os.ReadFile(filepath.Join(p.profiles, "asked.yaml")); !strings.Contains(string(text), "pw") {
		t.Errorf("no password in %s", text)
	}
	p.write("file.yaml", "gateway: vpn.onion\nuser: x\npassword_file: /etc/x\n", 0o600)
	p.child("pw\n", nil, "profile", "passwd", "file").want(t, 2, "", "the profile has its password from elsewhere")
}

// TestAsks: a profile without a password cannot be brought up where there is
// nobody to ask.
func TestAsks(t *testing.T) {
	p := newPlace(t)
	p.write("asks.yaml", "gateway: vpn.onion\nuser: x\n", 0o600)
	for _, args := range [][]string{{"up", "asks"}, {"up", "--foreground", "asks"}} {
		p.child("", nil, args...).want(t, 2, "", "profile asks stores no password and there is no terminal to ask on")
	}
	p.write("broken.yaml", "gateway: vpn.onion\nuser: x\npassword_command: ['false']\n", 0o600)
	p.child("", nil, "up", "--foreground", "broken").want(t, 2, "", "password_command")
}

// TestEdit: what was edited is saved if it is good, and never lost.
func TestEdit(t *testing.T) {
	p := newPlace(t)
	editor := func(script string) func(*exec.Cmd) {
		path := filepath.Join(t.TempDir(), "editor")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "VISUAL=", "EDITOR="+path) }
	}
	path := filepath.Join(p.profiles, "office.yaml")
	before, _ := os.ReadFile(path)

	p.child("", editor("true"), "profile", "edit", "office").want(t, 0, "unchanged\n", "")
	p.child("", editor("exit 3"), "profile", "edit", "office").want(t, 1, "", "exit status 3")
	o := p.child("", editor("echo 'gatway: x' > $1"), "profile", "edit", "office")
	o.want(t, 2, "", `not saved: `)
	if now, _ := os.ReadFile(path); string(now) != string(before) {
		t.Errorf("the profile is now %s", now)
	}
	_, kept, ok := strings.Cut(o.stderr, "what you wrote is in ")
	text, err := os.ReadFile(strings.TrimSpace(kept))
	if !ok || err != nil || string(text) != "gatway: x\n" {
		t.Errorf("what was written is lost: %v, %q, %s", err, text, o.stderr)
	}
	p.child("", editor("echo 'metric: 7' >> $1"), "profile", "edit", "office").want(t, 0, "", "")
	p.run("profile", "show", "office").want(t, 0, "metric: 7", "")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	left, _ := filepath.Glob(filepath.Join(p.profiles, ".*"))
	if len(left) != 1 {
		t.Errorf("left beside the profiles: %v", left)
	}
}
