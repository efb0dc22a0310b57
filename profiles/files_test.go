package profiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

const small = "gateway: a\nuser: b\n"

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDirs(t *testing.T) {
	for _, c := range []struct{ override, env, xdg, home, want string }{
		{"/o", "/a:/b", "/x", "/h", "/o"},
		{"", "/a:/b", "/x", "/h", "/a /b"},
		{"", "", "/x", "/h", "/etc/goppptp/profiles /x/goppptp/profiles"},
		{"", "", "", "/h", "/etc/goppptp/profiles /h/.config/goppptp/profiles"},
		{"", "", "relative", "/h", "/etc/goppptp/profiles /h/.config/goppptp/profiles"},
		{"", "", "", "", "/etc/goppptp/profiles"},
	} {
		t.Setenv("GOPPPTP_PROFILES", c.env)
		t.Setenv("XDG_CONFIG_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		if got := strings.Join(Dirs(c.override), " "); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestLoad(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, one+"/lab.yaml", "gateway: first\nuser: b\n", 0o644)
	write(t, two+"/lab.yaml", "gateway: second\nuser: b\n", 0o644)
	write(t, two+"/office.yml", "gateway: office\nuser: b\n", 0o644)
	write(t, two+"/broken.yaml", "gateway: a\n", 0o644)
	write(t, two+"/my file.yaml", small, 0o644)
	write(t, two+"/.hidden.yaml", small, 0o644)
	write(t, two+"/notes.txt", small, 0o644)
	if err := os.Mkdir(two+"/dir.yaml", 0o755); err != nil {
		t.Fatal(err)
	}
	dirs := []string{one, two, two + "/none"}
	for _, c := range []struct{ name, gateway, err string }{
		{"lab", "first", ""},
		{"office", "office", ""},
		{two + "/lab.yaml", "second", ""},
		{"broken", "", two + `/broken.yaml:1:1: the key "user" is missing: add "user: " and the account's name`},
		{"ofice", "", `no profile "ofice" in ` + strings.Join(dirs, ", ") + `: did you mean "office"?`},
		{two + "/none.yaml", "", two + "/none.yaml: no such file"},
		{"dir", "", two + "/dir.yaml: not a regular file"},
		{two + "/my file.yaml", "", two + "/my file.yaml: the file's name is not one for a profile: rename it: at most 64 letters, digits and . - _ @, then .yaml"},
		{"", "", `profile "": not a name for a profile: use at most 64 letters, digits and . - _ @, a letter or digit first`},
		{"..", "", `profile "..": not a name for a profile: use at most 64 letters, digits and . - _ @, a letter or digit first`},
	} {
		p, err := Load(dirs, c.name)
		switch {
		case c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%s: %v, want %s", c.name, err, c.err)
		case c.err == "" && (err != nil || p.Gateway != c.gateway):
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	if _, err := Load(dirs, "none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v is not ErrNotExist", err)
	}
	if _, err := LoadInstalled(dirs, two+"/lab.yaml"); err == nil {
		t.Error("LoadInstalled took a path")
	}
	var names []string
	for _, e := range List(dirs) {
		names = append(names, fmt.Sprintf("%s %t", e.Name, e.Err == nil && e.Profile != nil))
	}
	if got := strings.Join(names, ", "); got != "broken false, lab true, office true" {
		t.Errorf("list: %s", got)
	}
	if got := List(dirs)[1].Profile.Gateway; got != "first" {
		t.Errorf("the list's lab is the %s", got)
	}
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	secret, command := small+"password: x\n", small+"password_command: [x]\n"
	for i, c := range []struct {
		text string
		mode os.FileMode
		err  string // after the file's name; %[1]s is it
	}{
		{secret, 0o600, ""},
		{secret, 0o400, ""},
		{secret, 0o644, `:3:1: holds a password and others can read it (mode 0644): chmod 600 %[1]s`},
		{secret, 0o640, `:3:1: holds a password and others can read it (mode 0640): chmod 600 %[1]s`},
		{secret, 0o604, `:3:1: holds a password and others can read it (mode 0604): chmod 600 %[1]s`},
		{secret, 0o602, `:3:1: holds a password and others can write it (mode 0602): chmod 600 %[1]s`},
		{command, 0o644, ""},
		{command, 0o664, `:3:1: names a command to run and others can write it (mode 0664): chmod 600 %[1]s`},
		{small + "on_up: [/bin/up]\n", 0o600, ""},
		{small + "on_up: [/bin/up]\n", 0o644, ""},
		{small + "on_change: [/bin/up]\n", 0o664, `:3:1: names commands to run and others can write it (mode 0664): chmod go-w %[1]s`},
		{small + "on_down: [/bin/up]\n", 0o646, `:3:1: names commands to run and others can write it (mode 0646): chmod go-w %[1]s`},
		{small, 0o666, ""},
		{small + "keyring: true\n", 0o644, ""},
	} {
		path := write(t, fmt.Sprintf("%s/%d.yaml", dir, i), c.text, c.mode)
		_, err := Load(nil, path)
		want := ""
		if c.err != "" {
			want = path + fmt.Sprintf(c.err, path)
		}
		if got := fmt.Sprint(err); c.err != "" && got != want || c.err == "" && err != nil {
			t.Errorf("%q, mode %04o: %v, want %q", c.text, c.mode, err, want)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Key == "") {
			t.Errorf("%q, mode %04o: %#v", c.text, c.mode, err)
		}
	}
	path := write(t, dir+"/it's mine/a.yaml", secret, 0o644)
	if _, err := Load(nil, path); err == nil || !strings.HasSuffix(err.Error(), `chmod 600 '`+dir+`/it'\''s mine/a.yaml'`) {
		t.Errorf("a path with blanks: %v", err)
	}
}

// TestHookOwners: commands run as who runs the program, so nobody else may
// have written them.
func TestHookOwners(t *testing.T) {
	me := os.Geteuid()
	load := func(path string) *Profile {
		p, err := Parse(path, []byte(small+"on_up: [/bin/up]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	dir := t.TempDir()
	path := write(t, dir+"/lab.yaml", small+"on_up: [/bin/up]\n", 0o600)
	check := func(path string, euid int) error {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return load(path).checkHooks(info, euid)
	}
	if err := check(path, me); err != nil {
		t.Errorf("one's own: %v", err)
	}
	if err := check(path, me+1); me != 0 && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("belongs to the user %d, not to you or root", me))) {
		t.Errorf("another user's: %v", err)
	}
	if me != 0 {
		if err := check(path, 0); err == nil || !strings.Contains(err.Error(), "not to root: sudo chown root "+path) {
			t.Errorf("a user's, run by root: %v", err)
		}
	} else {
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(nil, path); err == nil || !strings.Contains(err.Error(), "belongs to the user 12345, not to root: sudo chown root "+path) {
			t.Errorf("a user's, run by root: %v", err)
		}
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(nil, path); err == nil || !strings.Contains(err.Error(), "others can write its folder "+dir+" (mode 0777): chmod go-w "+dir) {
		t.Errorf("in a folder that others can write: %v", err)
	}
	link := t.TempDir() + "/lab.yaml"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(nil, link); err == nil || !strings.Contains(err.Error(), "others can write its folder "+dir) {
		t.Errorf("a link to one in such a folder: %v", err)
	}
}

func TestAdd(t *testing.T) {
	dir := t.TempDir() + "/new/profiles"
	text, err := Example("lab")
	if err != nil {
		t.Fatal(err)
	}
	path, err := Add(dir, "lab", text)
	if err != nil || path != dir+"/lab.yaml" {
		t.Fatalf("%q, %v", path, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if p, err := Load([]string{dir}, "lab"); err != nil || p.Password != "p4ssw0rd" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := Add(dir, "lab", []byte(small)); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwriting: %v", err)
	}
	write(t, dir+"/other.yml", small, 0o600)
	if _, err := Add(dir, "other", []byte(small)); !errors.Is(err, os.ErrExist) {
		t.Errorf("beside other.yml: %v", err)
	}
	var e *Error
	if _, err := Add(dir, "bad", []byte("gateway: a\n")); !errors.As(err, &e) {
		t.Errorf("an invalid one: %v", err)
	}
	if _, err := Add(dir, "../bad", []byte(small)); !errors.As(err, &e) {
		t.Errorf("a path: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
		t.Errorf("the file is now %q, %v", now, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("the directory has %v, %v", files, err)
	}
}

func TestEdits(t *testing.T) {
	add := func(s string) func(*Profile) error {
		return func(p *Profile) error {
			r := Route{Metric: 0}
			if to, err := netip.ParsePrefix(s); err == nil {
				r.To = to
			} else {
				r.Host = s
			}
			return p.AddRoute(r)
		}
	}
	del := func(s string) func(*Profile) error { return func(p *Profile) error { return p.RemoveRoute(s) } }
	for _, c := range []struct {
		name, text string
		edit       func(*Profile) error
		want       string
	}{
		{"behind the last", small + "routes:\n\n  # ours\n  - 10.1.0.0/16   # one\n\n# end\nmetric: 2\n", add("10.2.0.0/16"),
			small + "routes:\n\n  # ours\n  - 10.1.0.0/16   # one\n  - 10.2.0.0/16\n\n# end\nmetric: 2\n"},
		{"no indentation", small + "routes:\n- 10.1.0.0/16\nmetric: 2\n", add("lab.example"), small + "routes:\n- 10.1.0.0/16\n- lab.example\nmetric: 2\n"},
		{"no line end", small + "routes:\n- 10.1.0.0/16", add("10.2.0.0/16"), small + "routes:\n- 10.1.0.0/16\n- 10.2.0.0/16\n"},
		{"a long last entry", small + "routes:\n  - to: 10.1.0.0/16\n    metric: 3\n", add("10.2.0.0/16"),
			small + "routes:\n  - to: 10.1.0.0/16\n    metric: 3\n  - 10.2.0.0/16\n"},
		{"no key", small + "# end", add("10.2.0.0/16"), small + "# end\nroutes:\n  - 10.2.0.0/16\n"},
		{"an empty key", small + "routes:   # none\nmetric: 2\n", add("10.2.0.0/16"), small + "routes:   # none\n  - 10.2.0.0/16\nmetric: 2\n"},
		{"a flow list", small + "# keep\nroutes: [10.1.0.0/16] # me\n", add("10.2.0.0/16"), small + "# keep\nroutes: [10.1.0.0/16, 10.2.0.0/16] # me\n"},
		{"a single value", small + "routes: 10.1.0.0/16\n", add("10.2.0.0/16"), small + "routes:\n  - 10.1.0.0/16\n  - 10.2.0.0/16\n"},
		{"a flow document", "{gateway: a, user: b}\n", add("10.2.0.0/16"), "{gateway: a, user: b, routes: [10.2.0.0/16]}\n"},
		{"an alias", "exclude: &x [10.1.0.0/16]\n" + small + "routes: *x\n", add("10.2.0.0/16"), "exclude: &x [10.1.0.0/16]\n" + small + "routes:\n  - 10.1.0.0/16\n  - 10.2.0.0/16\n"},
		{"remove the first", small + "routes:\n  - 10.1.0.0/16 # gone\n  # stays\n  - 10.2.0.0/16\n", del("10.1.0.0/16"), small + "routes:\n  # stays\n  - 10.2.0.0/16\n"},
		{"remove the only one", small + "routes:\n  - 10.1.0.0/16\nmetric: 2\n", del("10.1.0.0/16"), small + "routes:\nmetric: 2\n"},
		{"remove both", small + "routes:\n  - 10.1.0.0/16\n  - {to: 10.2.0.0/16}\n  - to: 10.1.0.0/16\n    metric: 2\n", del("10.1.0.0/16"), small + "routes:\n  - {to: 10.2.0.0/16}\n"},
		{"remove from a flow list", small + "routes: [10.1.0.0/16, lab.example]\n", del("lab.example"), small + "routes: [10.1.0.0/16]\n"},
		{"a password", small + "\n# end\n", func(p *Profile) error { return p.SetPassword(`a "b" #c`) }, small + "\n# end\npassword: \"a \\\"b\\\" #c\"\n"},
		{"another password", "gateway: a\npassword: x # mine\nuser: b\n", func(p *Profile) error { return p.SetPassword("y") }, "gateway: a\npassword: \"y\" # mine\nuser: b\n"},
	} {
		path := write(t, t.TempDir()+"/p.yaml", c.text, 0o600)
		p, err := Load(nil, path)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := c.edit(p); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := p.Save(); err != nil {
			t.Errorf("%s: save: %v", c.name, err)
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s(%v)", c.name, got, c.want, err)
		}
		if again, err := Load(nil, path); err != nil || !same(again, p) {
			t.Errorf("%s: reads as %+v, %v", c.name, again, err)
		}
	}
}

func TestEditErrors(t *testing.T) {
	p, err := Parse("p.yaml", []byte(small+"routes: [10.1.0.0/16]\npassword_file: f\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveRoute("10.2.0.0/16"); !errors.Is(err, ErrNoRoute) {
		t.Errorf("removing what is not there: %v", err)
	}
	if err := p.AddRoute(Route{To: netip.MustParsePrefix("10.1.0.0/16")}); !errors.Is(err, ErrRouteExists) {
		t.Errorf("adding what is there: %v", err)
	}
	if err := p.SetPassword("x"); err == nil {
		t.Error("a password beside password_file")
	}
	if err := p.AddRoute(Route{To: netip.MustParsePrefix("10.1.2.3/16")}); err == nil {
		t.Error("a subnet with host bits")
	}
	if len(p.Routes) != 1 || string(p.source()) != small+"routes: [10.1.0.0/16]\npassword_file: f\n" {
		t.Errorf("changed: %s", p.source())
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir+"/p.yaml", small, 0o640)
	if err := os.Symlink(path, dir+"/link.yaml"); err != nil {
		t.Fatal(err)
	}
	p, err := Load(nil, dir+"/link.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddRoute(Route{Host: "lab.example"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(dir + "/link.yaml"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := p.SetPassword("x"); err != nil {
		t.Fatal(err)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode with a password %v, %v", info.Mode(), err)
	}
	p.Gateway = "other"
	if err := p.Save(); err == nil {
		t.Error("saved a field that the text does not have")
	}
	q := New("made")
	if err := q.Save(); err == nil {
		t.Error("saved without a path")
	}
	q.Path, q.Gateway, q.User = dir+"/made.yaml", "a", "b"
	if err := q.Save(); err != nil {
		t.Fatal(err)
	}
	if again, err := Load(nil, q.Path); err != nil || !same(again, q) {
		t.Errorf("%+v, %v", again, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("the directory has %v, %v", files, err)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/good", "p4ss\r\nsecond line\n", 0o600)
	write(t, dir+"/open", "p4ss\n", 0o644)
	write(t, dir+"/empty", "", 0o600)
	write(t, dir+"/blank", "\np4ss\n", 0o600)
	ctx := context.Background()
	for _, c := range []struct{ line, want, err string }{
		{"password: direct", "direct", ""},
		{"password_file: good", "p4ss", ""},
		{"password_file: " + dir + "/good", "p4ss", ""},
		{"password_file: open", "", dir + "/open: holds a password and others can read or write it (mode 0644): chmod 600 " + dir + "/open"},
		{"password_file: empty", "", dir + "/empty: the first line, which is the password, is empty"},
		{"password_file: blank", "", dir + "/blank: the first line, which is the password, is empty"},
		{"password_file: none", "", "password_file: open " + dir + "/none: no such file or directory"},
		{"password_file: .", "", dir + ": not a regular file"},
		{"password_command: [printf, 'a b\\nc']", "a b", ""},
		{"password_command: ['false']", "", "password_command false: exit status 1"},
		{"password_command: [head, -c, '4096', /dev/zero]", strings.Repeat("\x00", 4096), ""},
		{"password_command: [head, -c, '4097', /dev/zero]", "", "password_command head: printed more than a password can be"},
		{"password_command: [cat, /dev/zero]", "", "password_command cat: printed more than a password can be"},
		{"password_command: ['true']", "", "password_command true: printed no password"},
		{"keyring: true", "", ErrAsk.Error()},
		{"metric: 1", "", ErrAsk.Error()},
	} {
		p, err := Parse(dir+"/p.yaml", []byte(small+c.line+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.ReadSecret(ctx)
		if got.Reveal() != c.want || c.err != "" && (err == nil || err.Error() != c.err) || c.err == "" && err != nil {
			t.Errorf("%s: %q, %v; want %q, %s", c.line, got.Reveal(), err, c.want, c.err)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	p, err := Parse("p.yaml", []byte(small+"password: hunter2\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]v", "%10.3s"} {
		fmt.Fprintf(&out, verb+"\n", p.Password)
		fmt.Fprintf(&out, verb+"\n", []Secret{p.Password})
		fmt.Fprintf(&out, verb+"\n", struct{ S Secret }{p.Password})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "p", p.Password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "p", p.Password, "s", struct{ S Secret }{p.Password})
	j, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(struct{ S Secret }{p.Password})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	out.Write(y)
	out.Write(p.Show())
	fmt.Fprint(&out, p.Password)
	if s := out.String(); strings.Contains(s, "hunter2") || strings.Contains(s, fmt.Sprintf("%x", "hunter2")) || strings.Contains(s, "hun") {
		t.Errorf("printed:\n%s", s)
	}
	if n := strings.Count(out.String(), redacted); n < 30 {
		t.Errorf("redacted %d times only:\n%s", n, out.String())
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} { // the whole profile, its text included
		if s := fmt.Sprintf(verb, p); strings.Contains(s, "hunter2") || strings.Contains(s, fmt.Sprint([]byte("hunter2"))[1:20]) {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if s := Secret("").String(); s != "" {
		t.Errorf("no secret is %q", s)
	}
}

func TestShow(t *testing.T) {
	p, err := Parse("p.yaml", []byte("gateway: station\nuser: LAB\\sio4\npassword: x\nroutes: [10.0.0.0/8, {to: lab.example, metric: 3}, '2001:db8::/32']\n"))
	if err != nil {
		t.Fatal(err)
	}
	p.Keepalive.Interval = time.Minute
	want := `gateway: "station:1723"
user: "LAB\\sio4"
password: "[redacted]"
routes:
  - 10.0.0.0/8
  - {to: lab.example, metric: 3}
  - "2001:db8::/32"
exclude: []
default_route: false
pushed_routes: ignore
metric: 1
dns: keep
domains: []
mppe: {require: true, bits: [128], stateful: false}
auth: [mschapv2]
mtu: auto
keepalive: {interval: 1m, failures: 4}
reconnect: true
on_conflict: refuse
leak: allow
on_up: []
on_down: []
on_change: []
`
	if got := string(p.Show()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
