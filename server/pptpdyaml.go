package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"goppptp/internal/ppp/auth"
)

// yaml writes server.yaml for what was read.
func (im *importer) yaml(path string) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Made from %s.", oneLine(path))
	if im.listen != "" {
		line("listen: [%s]", quoteYAML(im.listen+":1723"))
	}
	im.writeAddresses(line)
	if im.name != "" {
		line("name: %s", quoteYAML(im.name))
	}
	line("chap_secrets: %s", defaultChapSecrets)
	if im.strip {
		line("strip_domain: true")
	}
	im.writeSecurity(line)
	if len(im.dns) > 0 {
		line("dns: [%s]", strings.Join(im.dns, ", "))
	}
	if len(im.wins) > 0 {
		line("wins: [%s]", strings.Join(im.wins, ", "))
	}
	line("proxy_arp: %v", im.proxyARP)
	line("forward: true   # pptpd left it to the system: false does the same")
	if im.ipv6 {
		line("ipv6: true")
	}
	if im.connections > 0 {
		line("max_sessions: %d", im.connections)
	} else {
		line("max_sessions: 0   # pptpd took 100 where nothing else was said")
	}
	if im.mtu > 0 {
		line("mtu: %d", im.mtu)
	}
	im.writeKeepalive(line)
	im.checkSecrets()
	if len(im.notes) > 0 {
		line("")
		line("# Not carried over:")
		for _, n := range im.notes {
			line("#   %s", oneLineNote(n))
		}
	}
	return []byte(b.String())
}

func (im *importer) writeAddresses(line func(string, ...any)) {
	local := im.local
	remote := listed(im.remote)
	if local == "" {
		local = im.pppLocal
	}
	if local == "" && im.remote != "" {
		if addrs, err := ParseAddresses(im.remote); err == nil {
			if a := im.localFor(addrs[0]); a.IsValid() {
				local = a.String()
				im.note("localip was not set: local is this host's address in the subnet of remoteip")
			}
		}
	}
	if local != "" {
		line("local: %s", listed(local))
	} else {
		line("local: []   # localip was not set: write the server's address inside the tunnels here")
	}
	if remote == "" {
		line("# remote: []   # pptpd left the clients' addresses to chap-secrets")
		return
	}
	line("remote: %s", remote)
}

// listed writes pptpd's list of addresses as a YAML list; a single one as it is.
func listed(s string) string {
	if s == "" || !strings.ContainsAny(s, ",-") {
		return s
	}
	return "[" + strings.Join(strings.Split(s, ","), ", ") + "]"
}

func (im *importer) writeSecurity(line func(string, ...any)) {
	var methods []string
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAP, auth.MSCHAP, auth.CHAP, auth.PAP} {
		if len(im.require) > 0 && !im.require[m] || im.refuse[m] && !im.require[m] {
			continue
		}
		if len(im.require) == 0 && m == auth.EAP {
			continue // it was never offered by itself
		}
		if im.mppe && (m == auth.PAP || m == auth.CHAP) {
			im.note("auth: %s gives no keys for MPPE, and is left out", m)
			continue
		}
		methods = append(methods, m.String())
	}
	if len(methods) == 0 {
		im.note("auth: every method was refused: mschapv2 stands for them")
		methods = []string{auth.MSCHAPv2.String()}
	}
	if slices.Contains(methods, "pap") {
		im.note("auth: pap-secrets is not read: chap-secrets counts for PAP too")
	}
	if im.noauth {
		im.note("noauth: clients without a password are not let in")
	}
	line("auth: [%s]", strings.Join(methods, ", "))
	var bits []string
	only40, only128 := im.no128 && !im.no40, im.no40 && !im.no128
	if !only40 {
		bits = append(bits, "128")
	}
	if !only128 {
		bits = append(bits, "40")
	}
	if im.mppe {
		line("mppe: {require: true, bits: [%s], stateful: %v}", strings.Join(bits, ", "), im.stateful)
	} else {
		line("mppe: {require: false, bits: []}   # the traffic is not encrypted, as before: {require: true, bits: [128]} would")
	}
}

func (im *importer) writeKeepalive(line func(string, ...any)) {
	switch {
	case im.echo == "" || im.echo == "0":
		im.note("lcp-echo-interval was off: dead clients are now found out by the default keepalive, every 30 s")
	case im.echoFailed == "" || im.echoFailed == "0":
		line("keepalive: {interval: %ss, failures: 4}", im.echo)
	default:
		line("keepalive: {interval: %ss, failures: %s}", im.echo, im.echoFailed)
	}
}

// checkSecrets notes what of chap-secrets will not do.
func (im *importer) checkSecrets() {
	data, err := im.read(defaultChapSecrets)
	if err != nil {
		im.note("chap-secrets: %v", err)
		return
	}
	lines, errs := secretLines(defaultChapSecrets, string(data))
	for _, e := range errs {
		im.note("%v", e)
	}
	usable := 0
	for _, l := range lines {
		if l.server.Text != "*" && l.server.Text != im.name {
			if im.name == "" {
				im.note("%s:%d: it names the server %s: set name, unless that is this host's name", defaultChapSecrets, l.server.Line, strconv.Quote(l.server.Text))
			}
			continue
		}
		usable++
		if rules, bad := parseAddressRules(l.addresses); bad != nil {
			im.note("%s:%d: %s", defaultChapSecrets, bad.word.Line, bad.message)
		} else if rules != nil && len(rules.rules) == 0 {
			im.note("%s:%d: the line allows no address, so that this client cannot come in: a fourth word * allows any", defaultChapSecrets, l.client.Line)
		}
	}
	if usable == 0 {
		im.note("chap-secrets has no user for this server")
	}
}

// quoteYAML writes a string as a YAML scalar in double quotes.
func quoteYAML(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return strconv.QuoteToASCII(strings.ToValidUTF8(s, "?"))
}

// oneLineNote keeps a comment a comment; it may be long.
func oneLineNote(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
}
