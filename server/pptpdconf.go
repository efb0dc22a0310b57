package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"goppptp/internal/ppp/auth"
	"goppptp/internal/strictyaml"
)

// What pptpd and pppd read where nothing else is said.
const (
	defaultPPPOptions  = "/etc/ppp/options"
	defaultChapSecrets = "/etc/ppp/chap-secrets"
)

// maxIncluded is how many files of options others may name, all in all.
const maxIncluded = 64

// ImportPptpd reads an existing set-up, path being its pptpd.conf, with the
// pppd options and the chap-secrets that belong to it, and returns the server.yaml
// that does the same. What has no equivalent is in it as a comment. The
// secrets stay where they are. The error is a *[ConfigError] or [ConfigErrors].
func ImportPptpd(path string) ([]byte, error) {
	im := &importer{
		read: func(file string) ([]byte, error) {
			b, _, err := readFile(file)
			return b, err
		},
		localFor: localAddressFor,
	}
	return im.run(path)
}

// localAddressFor returns the address of this host in whose subnet a lies.
func localAddressFor(a netip.Addr) netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}
	}
	for _, x := range addrs {
		p, err := netip.ParsePrefix(x.String())
		if err == nil && p.Bits() < 32 && p.Contains(a) {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// importer gathers what server.yaml says.
type importer struct {
	read     func(file string) ([]byte, error)
	localFor func(netip.Addr) netip.Addr
	notes    []string // comments on what is not carried over
	included int      // files of pppd's that others named

	// pptpd.conf
	listen, local, remote, optionFile string
	connections                       int
	delegate                          bool

	// pppd's options
	name             string
	require, refuse  map[auth.Method]bool
	mppe             bool
	no40, no128      bool
	stateful         bool
	dns, wins        []string
	proxyARP, ipv6   bool
	strip, noauth    bool
	mtu              int
	echo, echoFailed string
	pppLocal         string // of a word LOCAL:REMOTE
}

func (im *importer) note(format string, args ...any) {
	im.notes = append(im.notes, fmt.Sprintf(format, args...))
}

func (im *importer) run(path string) ([]byte, error) {
	im.require, im.refuse = map[auth.Method]bool{}, map[auth.Method]bool{}
	data, err := im.read(path)
	if err != nil {
		return nil, err
	}
	if err := im.pptpdConf(path, string(data)); err != nil {
		return nil, err
	}
	// pppd reads its general options first, whatever file it is given.
	files := []string{defaultPPPOptions}
	if im.optionFile != "" && im.optionFile != defaultPPPOptions {
		files = append(files, im.optionFile)
	}
	for _, f := range files {
		data, err := im.read(f)
		if err != nil {
			if f != im.optionFile && (errors.Is(err, fs.ErrNotExist) || isConfigError(err)) {
				continue
			}
			return nil, err
		}
		im.pppOptions(f, string(data), 0)
	}
	return im.yaml(path), nil
}

func isConfigError(err error) bool {
	_, ok := errors.AsType[*ConfigError](err)
	return ok
}

// pptpdConf reads pptpd.conf: a keyword and its value a line. Of several lines
// with a keyword pptpd takes the first.
func (im *importer) pptpdConf(path, data string) error {
	seen := map[string]bool{}
	var errs ConfigErrors
	n := 0
	for line := range strings.Lines(data) {
		n++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 || seen[fields[0]] {
			continue
		}
		key, value := fields[0], strings.Join(fields[1:], " ")
		seen[key] = true
		addresses := func(to *string) {
			if _, err := ParseAddresses(value); err != nil {
				errs = append(errs, &ConfigError{File: path, Line: n, Message: fmt.Sprintf("%s: %v", key, err)})
			}
			*to = value
		}
		switch key {
		case "option":
			im.optionFile = value
		case "localip":
			addresses(&im.local)
		case "remoteip":
			addresses(&im.remote)
		case "listen":
			if _, err := netip.ParseAddr(value); err != nil {
				errs = append(errs, &ConfigError{File: path, Line: n, Message: fmt.Sprintf("listen: %q is not an address", strictyaml.Clip(value))})
			}
			im.listen = value
		case "connections":
			v, err := strconv.Atoi(value)
			if err != nil || v < 0 || v > 65535 {
				errs = append(errs, &ConfigError{File: path, Line: n, Message: fmt.Sprintf("connections: %q is not a number", strictyaml.Clip(value))})
			}
			im.connections = v
		case "delegate":
			im.delegate = true
		case "debug", "pidfile", "ppp", "speed", "noipparam":
			// Of no meaning here: there is no pppd to start.
		case "logwtmp":
			im.note("%s:%d: logwtmp: sessions are in the log, not in wtmp", path, n)
		case "stimeout":
			im.note("%s:%d: stimeout %s: silent control connections end after 10 s", path, n, value)
		default:
			im.note("%s:%d: no equivalent: %s", path, n, strings.TrimSpace(key+" "+value))
		}
	}
	if im.delegate && (im.local != "" || im.remote != "") {
		im.note("%s: delegate: localip and remoteip were ignored, and are left out", path)
		im.local, im.remote = "", ""
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// oneLine makes a text fit for a comment.
func oneLine(s string) string {
	return strictyaml.Clip(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd {
			return '?'
		}
		return r
	}, s))
}
