package server

import (
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"

	"goppptp/internal/ppp/auth"
	"goppptp/internal/strictyaml"
)

// ProxyARP says whether the server answers ARP for its clients' addresses.
type ProxyARP uint8

// The values of proxy_arp.
const (
	ProxyARPAuto ProxyARP = iota // when a local subnet holds the client's address
	ProxyARPOn                   // the same, and warn when none does
	ProxyARPOff
)

func (p ProxyARP) String() string {
	switch p {
	case ProxyARPOn:
		return "true"
	case ProxyARPOff:
		return "false"
	}
	return "auto"
}

// MPPE is the encryption the server offers. Bits holds any of 40, 56 and 128.
type MPPE struct {
	Require  bool
	Bits     []int
	Stateful bool
}

// Keepalive is how a silent client is found out: by LCP echo.
type Keepalive struct {
	Interval time.Duration // 0: none
	Failures int
}

// Config is server.yaml, with the users of the files it names. LoadConfig
// makes one that is complete and checked; a Config of one's own wants at least
// Local, Remote, Users and Auth.
type Config struct {
	Path        string
	Listen      []string // host:port; ":1723" when empty
	Name        string   // what the server calls itself when it authenticates clients
	Local       []netip.Addr
	Remote      []netip.Addr
	Users       []User
	StripDomain bool // DOMAIN\user may come in as user
	MPPE        MPPE
	Auth        []auth.Method // best first
	DNS, WINS   []netip.Addr
	PushRoutes  []netip.Prefix // for clients that ask by DHCPINFORM
	Domain      string         // for them too
	ProxyARP    ProxyARP
	Forward     bool
	IPv6        bool // negotiate IPV6CP
	MaxSessions int  // 0: any number
	MTU         int  // of the tunnel interfaces, at most; 0: what the path takes
	Keepalive   Keepalive
}

const defaultListen = ":1723"

func defaultConfig() *Config {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "goppptp"
	}
	return &Config{
		Listen:    []string{defaultListen},
		Name:      name,
		MPPE:      MPPE{Require: true, Bits: []int{128}},
		Auth:      []auth.Method{auth.MSCHAPv2},
		Forward:   true,
		Keepalive: Keepalive{Interval: 30 * time.Second, Failures: 4},
	}
}

// LoadConfig reads the server's configuration and the files with users it
// names (relative ones from its folder). A file with secrets that others can
// read is refused. The error is a *[ConfigError] or a [ConfigErrors].
func LoadConfig(path string) (*Config, error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	p := &configParser{walker: newWalker(path), cfg: defaultConfig(), load: true}
	p.cfg.Path = path
	p.read(data)
	if p.secrets {
		if err := checkSecretMode(path, mode); err != nil {
			return nil, err
		}
	}
	if len(p.Errs) > 0 {
		return nil, p.Errs
	}
	return p.cfg, nil
}

// ParseConfig reads a configuration without the files it names; path is for
// messages. The error is a [ConfigErrors].
func ParseConfig(path string, data []byte) (*Config, error) {
	p := &configParser{walker: newWalker(path), cfg: defaultConfig()}
	p.cfg.Path = path
	p.read(data)
	if len(p.Errs) > 0 {
		return nil, p.Errs
	}
	return p.cfg, nil
}

// configParser reads server.yaml.
type configParser struct {
	walker
	cfg     *Config
	load    bool // read the files that it names
	secrets bool // the file itself holds secrets

	names     map[string]string     // where each user comes from
	userNodes map[string]*yaml.Node // and its node, when it is in this file
	authNode  *yaml.Node
	chapNode  *yaml.Node
	chapFile  string
	sources   int // of users
}

func (p *configParser) read(data []byte) {
	root := p.Document(data)
	if root == nil || strictyaml.IsNull(root) {
		if len(p.Errs) == 0 {
			p.Errs = append(p.Errs, &ConfigError{File: p.File, Message: "holds nothing", Suggestion: "it needs local, remote and users"})
		}
		return
	}
	p.names, p.userNodes = map[string]string{}, map[string]*yaml.Node{}
	p.mapping(root, "the configuration", p.keys())
	p.loadChapSecrets() // it needs name, wherever that stands
	p.check(root)
}

// nearby gives the path of a file that the configuration names.
func (p *configParser) nearby(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(p.File), file)
}
