package profiles

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"goppptp/internal/pppdfile"
)

// ReadFile returns the contents of a file that another one names.
type ReadFile func(path string) ([]byte, error)

// pppdArgs are the options of pppd that are followed by a value.
var pppdArgs = words(`active-filter asyncmap bsdcomp call chap-interval chap-max-challenge chap-restart chapms-strip-domain
	connect connect-delay defaultroute-metric deflate disconnect domain endpoint eap-interval file holdoff idle init ipcp-max-configure
	ipcp-max-failure ipcp-max-terminate ipcp-restart ipparam ipv6 kdebug lcp-echo-failure lcp-echo-interval lcp-max-configure
	lcp-max-failure lcp-max-terminate lcp-restart linkname logfd logfile login-user maxconnect maxfail mru ms-dns ms-wins mtu name
	pap-max-authreq pap-restart pap-timeout pass-filter password plugin pty record remotename set socket unit unset user vrf welcome
	bundle escape mp-endpoint mrru nthreads map-to-user ifname`)

// pppdIdle are the options that say nothing about a tunnel of ours: of pppd's
// own running, of its terminal line, or of compressions that do not exist here.
var pppdIdle = words(`lock nolock noauth nodetach updetach detach debug dump dryrun hide-password show-password noipdefault ipparam linkname
	nobsdcomp nodeflate nopredictor1 noccp novj novjccomp nopcomp noaccomp noproxyarp noipv6 noipx local modem crtscts nocrtscts
	asyncmap default-asyncmap logfile logfd nolog kdebug record nomagic sync silent passive noktune nolocalbind ipcp-accept-local
	ipcp-accept-remote notty noreplacedefaultroute remotename name user noremoteip nomultilink
	noendpoint usehostname nomp connect-delay bsdcomp deflate`)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// pppdOption is an option with its value, and the file that has it.
type pppdOption struct{ name, value, file string }

// FromPPPD reads a set-up of pppd with pptp-linux, as pptpsetup writes it: a
// file of /etc/ppp/peers, the files that it names, and the password from
// /etc/ppp/chap-secrets. root is the folder that stands for /. The notes name,
// one line each, what the profile does not carry.
func FromPPPD(path string, data []byte, root string, read ReadFile) (p *Profile, notes []string, err error) {
	options, err := pppdOptions(path, data, root, read, 0)
	if err != nil {
		return nil, nil, err
	}
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	im := &pppdImport{note: note, c: &NMConnection{ID: nameOf(path), Type: NMServicePPTP, Data: map[string]string{}, Secrets: map[string]string{}, NeverDefault: true}}
	for _, o := range options {
		im.option(o)
	}
	im.strengths()
	if im.c.Data["user"] == "" {
		im.c.Data["user"] = im.name
	}
	if im.c.Secrets["password"] == "" {
		im.secret(root, read)
	}
	if im.c.Data["gateway"] == "" {
		return nil, nil, fmt.Errorf(`%s: no line such as pty "pptp SERVER --nolaunchpppd": it is no set-up of pptp-linux`, path)
	}
	if p, err = im.c.Profile(); err != nil {
		return nil, nil, err
	}
	p.DNS, p.Reconnect = DNSKeep, true
	if im.dns {
		p.DNS = DNSUse
	}
	switch im.reconnect {
	case "nopersist":
		p.Reconnect = false
	case "":
		note("reconnect is true: pppd without persist dials once")
	}
	if p.Password == "" {
		note("no password was found: it is asked for")
	}
	if !p.DefaultRoute {
		note("routes made by scripts (/etc/ppp/ip-up.d, or by hand) are not known: name them under routes")
	}
	return p, notes, nil
}

// pppdOptions reads a file of options, and those that it includes.
func pppdOptions(path string, data []byte, root string, read ReadFile, depth int) (out []pppdOption, err error) {
	if depth > 8 {
		return nil, fmt.Errorf("%s: files include each other", path)
	}
	words, unfinished := pppdfile.Words(string(data))
	if unfinished > 0 {
		return nil, fmt.Errorf("%s:%d: a quotation that begins here does not end", path, unfinished)
	}
	for i := 0; i < len(words); i++ {
		o := pppdOption{name: words[i].Text, file: path}
		// "mppe required,stateless" is how older versions had it.
		if (pppdArgs[o.name] || o.name == "mppe") && i+1 < len(words) {
			i++
			o.value = words[i].Text
		}
		include := ""
		switch o.name {
		case "file":
			include = o.value
		case "call":
			include = filepath.Join("/etc/ppp/peers", o.value)
		}
		if include == "" {
			out = append(out, o)
			continue
		}
		text, err := read(filepath.Join(root, include))
		if err != nil {
			out = append(out, pppdOption{name: o.name + " " + o.value, value: err.Error(), file: path})
			continue
		}
		more, err := pppdOptions(include, text, root, read, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// pppdImport gathers options.
type pppdImport struct {
	c                *NMConnection
	note             func(format string, args ...any)
	name, remotename string
	reconnect        string
	dns              bool
	no40, no128      bool // forbidden strengths
}

var (
	pptpCommand  = regexp.MustCompile(`^(?:\S*/)?pptp\s+(.*)$`)
	refusals     = map[string]string{"refuse-eap": "refuse-eap", "refuse-pap": "refuse-pap", "refuse-chap": "refuse-chap", "refuse-mschap": "refuse-mschap", "refuse-mschap-v2": "refuse-mschapv2", "-pap": "refuse-pap", "-chap": "refuse-chap", "-mschap": "refuse-mschap", "-mschap-v2": "refuse-mschapv2"}
	requirements = map[string]string{"require-mppe": "require-mppe", "require-mppe-40": "require-mppe-40", "require-mppe-128": "require-mppe-128"}
)

func (im *pppdImport) option(o pppdOption) {
	d := im.c.Data
	if key := refusals[o.name]; key != "" {
		d[key] = "yes"
		return
	}
	if key := requirements[o.name]; key != "" {
		d[key] = "yes"
		return
	}
	switch o.name {
	case "pty":
		im.pty(o.value)
	case "user":
		d["user"] = o.value
	case "name":
		im.name = o.value
	case "remotename":
		im.remotename = o.value
	case "password":
		im.c.Secrets["password"] = o.value
	case "domain":
		im.note("domain %s: pppd appends it to the name of this host, which MS-CHAP does not use; a Windows domain belongs into user, as %s\\NAME", o.value, o.value)
	case "nomppe":
		delete(d, "require-mppe")
		delete(d, "require-mppe-40")
		delete(d, "require-mppe-128")
	case "nomppe-40":
		im.no40 = true
	case "nomppe-128":
		im.no128 = true
	case "mppe":
		im.mppe(o.value)
	case "mppe-stateful":
		d["mppe-stateful"] = "yes"
	case "nomppe-stateful":
		delete(d, "mppe-stateful")
	case "lcp-echo-interval", "lcp-echo-failure", "mtu":
		d[o.name] = o.value
	case "defaultroute", "replacedefaultroute":
		im.c.NeverDefault = false
	case "nodefaultroute":
		im.c.NeverDefault = true
	case "plugin", "unit":
		im.note("%s %s has no counterpart in a profile", o.name, o.value)
	case "usepeerdns":
		im.dns = true
	case "persist", "nopersist":
		im.reconnect = o.name
	case "ipparam":
		im.note("ipparam %s: scripts of /etc/ppp/ip-up.d may go by it", o.value)
	default:
		switch {
		case pppdIdle[o.name]:
		case strings.HasPrefix(o.name, "file ") || strings.HasPrefix(o.name, "call "):
			im.note("%s: %s", o.name, o.value)
		case strings.HasPrefix(o.name, "require-"):
			im.note("%s: the server proves who it is with MS-CHAPv2 alone; auth names the methods", o.name)
		case o.value != "":
			im.note("%s %s has no counterpart in a profile", o.name, o.value)
		default:
			im.note("%s has no counterpart in a profile", o.name)
		}
	}
}

// strengths has a strength that is forbidden narrow what is required. Where
// MPPE is not required there is no such key.
func (im *pppdImport) strengths() {
	d := im.c.Data
	required := d["require-mppe"] != ""
	for _, f := range []struct {
		set         bool
		name, other string
	}{{im.no40, "nomppe-40", "require-mppe-128"}, {im.no128, "nomppe-128", "require-mppe-40"}} {
		switch {
		case f.set && required:
			d[f.other] = "yes"
		case f.set && d["require-mppe-40"]+d["require-mppe-128"] == "":
			im.note("%s: encryption is not required, so that its strength is not limited either", f.name)
		}
	}
}

// pty reads the command line of pptp-linux.
func (im *pppdImport) pty(command string) {
	m := pptpCommand.FindStringSubmatch(command)
	if m == nil {
		im.note("pty %q runs something other than pptp", command)
		return
	}
	args := strings.Fields(m[1])
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case !strings.HasPrefix(a, "-"):
			if im.c.Data["gateway"] == "" {
				im.c.Data["gateway"] = a
			}
		case a == "--nolaunchpppd" || a == "--debug" || a == "--sync" || a == "--nobuffer" || a == "--nohostroute":
		case a == "--loglevel" || a == "--logstring" || a == "--timeout" || a == "--idle-wait" || a == "--max-echo-wait":
			i++
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") && (a == "--phone" || a == "--localbind" || a == "--rtmark" || a == "--quirks" || a == "--client-hostname"):
			i++
			im.note("pptp's %s %s has no counterpart in a profile", a, args[i])
		default:
			im.note("pptp's %s has no counterpart in a profile", a)
		}
	}
}

// mppe reads the option of pppd's older patch: required,stateless,no40 …
func (im *pppdImport) mppe(value string) {
	for _, v := range strings.Split(value, ",") {
		switch v {
		case "required":
			im.c.Data["require-mppe"] = "yes"
		case "no40":
			im.c.Data["require-mppe-128"] = "yes"
		case "no128":
			im.c.Data["require-mppe-40"] = "yes"
		case "stateful":
			im.c.Data["mppe-stateful"] = "yes"
		case "stateless", "no56":
		default:
			im.note("mppe %s has no counterpart in a profile", v)
		}
	}
}

// secret looks the password up: in the line of chap-secrets for the user and this
// server, or else for any; the first of several.
func (im *pppdImport) secret(root string, read ReadFile) {
	data, err := read(filepath.Join(root, "/etc/ppp/chap-secrets"))
	if err != nil {
		return
	}
	user, exact := im.c.Data["user"], false
	words, _ := pppdfile.Words(string(data))
	for len(words) > 0 {
		n := 1
		for n < len(words) && !words[n].First {
			n++
		}
		line := words[:n]
		words = words[n:]
		if n < 3 || line[0].Text != user || strings.HasPrefix(line[2].Text, "@") {
			continue
		}
		server := line[1].Text
		named := server != "*" && (im.remotename == "" || server == im.remotename)
		if named && !exact || server == "*" && im.c.Secrets["password"] == "" {
			im.c.Secrets["password"], exact = line[2].Text, named
		}
	}
}
