package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"goppptp/internal/ppp/auth"
	"goppptp/internal/pppdfile"
)

// pppOptions reads a file of pppd options.
func (im *importer) pppOptions(file, data string, depth int) {
	words, _ := pppdfile.Words(data)
	for i := 0; i < len(words); i++ {
		w := words[i]
		at := fmt.Sprintf("%s:%d", file, w.Line)
		value := func() string {
			if i+1 >= len(words) {
				return ""
			}
			i++
			return words[i].Text
		}
		if set, ok := pppFlags[w.Text]; ok {
			set(im)
		} else if set, ok := pppValues[w.Text]; ok {
			v := value()
			if bad := set(im, v); bad != "" {
				im.note("%s: %s %s: %s", at, w.Text, oneLine(v), bad)
			}
		} else if n, ok := pppIdle[w.Text]; ok {
			i += n
		} else if w.Text == "mppe" { // the notation of older versions
			im.mppeWord(value())
		} else if w.Text == "file" || w.Text == "call" {
			im.include(at, w.Text, value(), depth)
		} else if slices.Contains(pppTake, w.Text) {
			im.noEquivalent(at, w.Text, value())
		} else if local, remote, ok := strings.Cut(w.Text, ":"); ok && (isAddr(local) || local == "") && (isAddr(remote) || remote == "") {
			im.pppLocal = local
			if remote != "" {
				im.note("%s: no equivalent: %s gave every client one address", at, w.Text)
			}
		} else if _, err := strconv.Atoi(w.Text); err != nil && !strings.HasPrefix(w.Text, "/dev/") { // not a speed or a line
			im.note("%s: no equivalent: %s", at, oneLine(w.Text))
		}
	}
}

// pppFlags are options of pppd without a value, and what they mean.
var pppFlags = map[string]func(*importer){
	"require-pap":         func(im *importer) { im.require[auth.PAP] = true },
	"+pap":                func(im *importer) { im.require[auth.PAP] = true },
	"require-chap":        func(im *importer) { im.require[auth.CHAP] = true },
	"+chap":               func(im *importer) { im.require[auth.CHAP] = true },
	"require-mschap":      func(im *importer) { im.require[auth.MSCHAP] = true },
	"+mschap":             func(im *importer) { im.require[auth.MSCHAP] = true },
	"require-mschap-v2":   func(im *importer) { im.require[auth.MSCHAPv2] = true },
	"+mschap-v2":          func(im *importer) { im.require[auth.MSCHAPv2] = true },
	"require-eap":         func(im *importer) { im.require[auth.EAP] = true },
	"refuse-pap":          func(im *importer) { im.refuse[auth.PAP] = true },
	"refuse-chap":         func(im *importer) { im.refuse[auth.CHAP] = true },
	"refuse-mschap":       func(im *importer) { im.refuse[auth.MSCHAP] = true },
	"refuse-mschap-v2":    func(im *importer) { im.refuse[auth.MSCHAPv2] = true },
	"refuse-eap":          func(im *importer) { im.refuse[auth.EAP] = true },
	"require-mppe":        func(im *importer) { im.mppe = true },
	"+mppe":               func(im *importer) { im.mppe = true },
	"require-mppe-40":     func(im *importer) { im.mppe, im.no128 = true, true },
	"+mppe-40":            func(im *importer) { im.mppe, im.no128 = true, true },
	"require-mppe-128":    func(im *importer) { im.mppe, im.no40 = true, true },
	"+mppe-128":           func(im *importer) { im.mppe, im.no40 = true, true },
	"nomppe":              func(im *importer) { im.mppe = false },
	"-mppe":               func(im *importer) { im.mppe = false },
	"nomppe-40":           func(im *importer) { im.no40 = true },
	"-mppe-40":            func(im *importer) { im.no40 = true },
	"nomppe-128":          func(im *importer) { im.no128 = true },
	"-mppe-128":           func(im *importer) { im.no128 = true },
	"mppe-stateful":       func(im *importer) { im.stateful = true },
	"proxyarp":            func(im *importer) { im.proxyARP = true },
	"noproxyarp":          func(im *importer) { im.proxyARP = false },
	"+ipv6":               func(im *importer) { im.ipv6 = true },
	"noipv6":              func(im *importer) { im.ipv6 = false },
	"chapms-strip-domain": func(im *importer) { im.strip = true },
	"noauth":              func(im *importer) { im.noauth = true },
	"auth":                func(im *importer) { im.noauth = false },
}

// pppValues are options of pppd with one value. What they return is why the value
// was not taken.
var pppValues = map[string]func(*importer, string) string{
	"name": func(im *importer, v string) string { im.name = v; return "" },
	"ms-dns": func(im *importer, v string) string {
		return addServer(&im.dns, v)
	},
	"ms-wins": func(im *importer, v string) string {
		return addServer(&im.wins, v)
	},
	"mtu": (*importer).limitMTU,
	"mru": (*importer).limitMTU,
	"lcp-echo-interval": func(im *importer, v string) string {
		if n, err := strconv.Atoi(v); err != nil || n < 0 || n > 3600 {
			return "not a number of seconds"
		}
		im.echo = v
		return ""
	},
	"lcp-echo-failure": func(im *importer, v string) string {
		if n, err := strconv.Atoi(v); err != nil || n < 0 || n > 100 {
			return "not a small number"
		}
		im.echoFailed = v
		return ""
	},
}

func addServer(to *[]string, v string) string {
	if a, err := netip.ParseAddr(v); err != nil || !a.Is4() {
		return "not an IPv4 address"
	}
	if len(*to) == 2 {
		return "a client can be told two, no more"
	}
	*to = append(*to, v)
	return ""
}

func (im *importer) limitMTU(v string) string {
	n, err := strconv.Atoi(v)
	if err != nil || n < 576 || n > 9000 {
		return "not from 576 to 9000"
	}
	if im.mtu == 0 || n < im.mtu {
		im.mtu = n
	}
	return ""
}

// pppIdle are options that mean nothing here, or what is so anyway; with how
// many values.
var pppIdle = map[string]int{
	"lock": 0, "nolock": 0, "debug": 0, "nodebug": 0, "dump": 0, "nologfd": 0, "nodetach": 0, "updetach": 0, "hide-password": 0,
	"nobsdcomp": 0, "nodeflate": 0, "novj": 0, "novjccomp": 0, "nopcomp": 0, "noaccomp": 0, "nodefaultroute": 0, "noipx": 0,
	"crtscts": 0, "nocrtscts": 0, "modem": 0, "local": 0, "silent": 0, "noipdefault": 0, "passive": 0, "default-asyncmap": 0,
	"default-mru": 0, "noccp": 0, "noendpoint": 0, "nomultilink": 0, "nomp": 0, "nopersist": 0, "ipcp-accept-remote": 0, "ipcp-accept-local": 0,
	"-vj": 0, "-bsdcomp": 0, "-ipv6": 0, "nologwtmp": 0, "dryrun": 0,
	"asyncmap": 1, "logfile": 1, "logfd": 1, "linkname": 1, "kdebug": 1, "unit": 1, "child-timeout": 1, "connect-delay": 1,
}

// pppTake are options with a value that have no equivalent: the value must not be
// taken for an option.
var pppTake = []string{"plugin", "domain", "idle", "maxconnect", "ipparam", "remotename", "user", "password", "linkname", "holdoff", "maxfail",
	"lcp-restart", "lcp-max-configure", "lcp-max-terminate", "lcp-max-failure", "ipcp-restart", "ipcp-max-configure", "chap-interval",
	"chap-restart", "chap-max-challenge", "pap-timeout", "pap-restart", "netmask", "record", "active-filter", "pass-filter", "ip-up-script", "ip-down-script",
	"radius-config-file", "radattr-dump", "bsdcomp", "deflate", "set", "unset", "endpoint", "mrru", "connect", "disconnect", "welcome", "init", "pty", "vrf"}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func (im *importer) noEquivalent(at, option, value string) {
	switch {
	case option == "password":
		value = "[redacted]"
	case option == "plugin" && strings.Contains(value, "radius"):
		im.note("%s: RADIUS is not supported yet: the users must be in server.yaml or chap-secrets", at)
		return
	case option == "plugin" && strings.Contains(value, "winbind"):
		im.note("%s: winbind is not supported: the users must be in server.yaml or chap-secrets", at)
		return
	}
	im.note("%s: no equivalent: %s %s", at, option, oneLine(value))
}

func (im *importer) mppeWord(v string) {
	im.mppe = true
	for w := range strings.SplitSeq(v, ",") {
		switch w {
		case "no40":
			im.no40 = true
		case "no128":
			im.no128 = true
		case "stateless":
			im.stateful = false
		}
	}
}

func (im *importer) include(at, option, file string, depth int) {
	if option == "call" {
		file = "/etc/ppp/peers/" + file
	}
	im.included++
	data, err := im.read(file)
	if err != nil || depth > 4 || im.included > maxIncluded { // files may name each other, and more than once
		im.note("%s: %s %s: cannot be read", at, option, oneLine(file))
		return
	}
	im.pppOptions(file, string(data), depth+1)
}
