package profiles

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"goppptp/internal/strictyaml"
)

// DefaultHookTimeout is how long a hook may run that does not say otherwise.
const DefaultHookTimeout = 30 * time.Second

// Hook is a command of "on_up", "on_down" or "on_change".
type Hook struct {
	Run      []string      `json:"run"`                // argv: an absolute path and arguments; no shell
	Timeout  time.Duration `json:"timeout,omitempty"`  // 0: DefaultHookTimeout
	Required bool          `json:"required,omitempty"` // of on_up: its failure is the session's
}

const maxHookTimeout = 10 * time.Minute

// Values of the key "leak".
const (
	LeakAllow = "allow" // while the tunnel is away its subnets take the path they have without it
	LeakBlock = "block" // while the tunnel is away its subnets are unreachable
)

func setLeak(ps *parser, p *Profile, key string, n *yaml.Node) {
	if s, ok := ps.oneOf(key, n, LeakAllow, LeakBlock); ok {
		p.Leak = s
	}
}

// hooks reads one command, or a list of commands, into what field returns.
func hooks(field func(*Profile) *[]Hook) setter {
	return func(ps *parser, p *Profile, key string, n *yaml.Node) {
		var out []Hook
		one := func(key string, n *yaml.Node) {
			if h, ok := ps.hook(key, n, key == "on_up" || strings.HasPrefix(key, "on_up[")); ok {
				out = append(out, h)
			}
		}
		switch {
		case strictyaml.IsNull(n):
		case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		case n.Kind == yaml.SequenceNode && strictyaml.Follow(n.Content[0]).Kind != yaml.ScalarNode:
			ps.list(key, n, one)
		default:
			one(key, n)
		}
		*field(p) = out
	}
}

const hookExample = "write it as in [/usr/local/sbin/tunnel-up, --quiet]; there is no shell"

// hook reads [PROGRAM, ARGUMENT…] or {run: […], timeout: …, required: …}.
func (ps *parser) hook(key string, n *yaml.Node, mayRequire bool) (h Hook, ok bool) {
	before := len(ps.Errs)
	switch n.Kind {
	case yaml.SequenceNode:
		h.Run = ps.program(key, n)
	case yaml.MappingNode:
		at := ps.mapping(n, key, []string{"run", "timeout", "required"}, func(name string, v *yaml.Node) {
			switch full := key + "." + name; name {
			case "run":
				h.Run = ps.program(full, v)
			case "timeout":
				h.Timeout, _ = ps.duration(full, v, time.Second, maxHookTimeout)
			case "required":
				h.Required, _ = ps.boolean(full, v)
				if h.Required && !mayRequire {
					ps.Fail(v, full, "remove it", "%s: only a command of on_up can be required", full)
				}
			}
		})
		if at["run"] == nil {
			ps.Fail(n, key, "write it as in {run: [/usr/local/sbin/tunnel-up], timeout: 10s}", `%s: the key "run" is missing`, key)
		}
	default:
		ps.Fail(n, key, hookExample, "%s: expected a list of a program and its arguments, found %s", key, strictyaml.Describe(n))
	}
	return h, len(ps.Errs) == before
}

// program is argv with an absolute path in front: hooks get no PATH of ours.
func (ps *parser) program(key string, n *yaml.Node) []string {
	argv := ps.argv(key, n, hookExample)
	if len(argv) > 0 && !filepath.IsAbs(argv[0]) {
		ps.Fail(n, key, "write the path from / on, as in /usr/local/sbin/tunnel-up", "%s: %q is no absolute path", key, strictyaml.Clip(argv[0]))
	}
	return argv
}

// argv reads a list of a program and its arguments.
func (ps *parser) argv(key string, n *yaml.Node, example string) (argv []string) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		ps.Fail(n, key, example, "%s: expected a list of a program and its arguments, found %s", key, strictyaml.Describe(n))
		return nil
	}
	ps.list(key, n, func(key string, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Value == "" && len(argv) > 0 && !strictyaml.IsNull(n) {
			argv = append(argv, "") // an empty argument is one
		} else if s, ok := ps.text(key, n, "a program or an argument"); ok {
			argv = append(argv, s)
		}
	})
	return argv
}

// HasHooks reports whether the profile names commands to run.
func (p *Profile) HasHooks() bool { return len(p.OnUp)+len(p.OnDown)+len(p.OnChange) > 0 }

// checkHooks refuses commands that somebody else could have written: they run
// as the user who runs this program. euid is that user.
func (p *Profile) checkHooks(info fs.FileInfo, euid int) error {
	if !p.HasHooks() {
		return nil
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	path := shellQuote(p.Path)
	e := &Error{File: p.Path, Key: "on_up"}
	for _, key := range []string{"on_up", "on_down", "on_change"} {
		if n := keyNode(p.source(), key); n != nil {
			e.Key, e.Line, e.Column = key, n.Line, n.Column
			break
		}
	}
	switch owner := int(st.Uid); {
	case owner != 0 && owner != euid:
		who := "root"
		if euid != 0 {
			who = "you or root"
		}
		e.Message = fmt.Sprintf("names commands to run and belongs to the user %d, not to %s", owner, who)
		e.Suggestion = "sudo chown root " + path
	case info.Mode().Perm()&0o022 != 0:
		e.Message = fmt.Sprintf("names commands to run and others can write it (mode %04o)", info.Mode().Perm())
		e.Suggestion = "chmod go-w " + path
	default:
		return p.checkHookFolders(e, euid)
	}
	return e
}

// checkHookFolders refuses a folder in which others can put another file in
// the profile's place: that of the file, and that of a link to it.
func (p *Profile) checkHookFolders(e *Error, euid int) error {
	file, err := filepath.EvalSymlinks(p.Path)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(p.Path), filepath.Dir(file)} {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok:
		case st.Uid != 0 && int(st.Uid) != euid:
			e.Message = fmt.Sprintf("names commands to run, and its folder %s belongs to the user %d", dir, st.Uid)
			e.Suggestion = "move it to " + SystemDir + ", or sudo chown root " + shellQuote(dir)
			return e
		case info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0:
			e.Message = fmt.Sprintf("names commands to run, and others can write its folder %s (mode %04o)", dir, info.Mode().Perm())
			e.Suggestion = "chmod go-w " + shellQuote(dir)
			return e
		}
	}
	return nil
}

// flowHooks writes hooks as Parse reads them.
func flowHooks(list []Hook) string {
	out := make([]string, len(list))
	for i, h := range list {
		out[i] = flow(h.Run)
		if h.Timeout != 0 || h.Required {
			s := "{run: " + flow(h.Run)
			if h.Timeout != 0 {
				s += ", timeout: " + short(h.Timeout)
			}
			if h.Required {
				s += ", required: true"
			}
			out[i] = s + "}"
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return "[" + strings.Join(out, ", ") + "]"
}
