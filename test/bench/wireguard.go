package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	wireguardModule  = "golang.zx2c4.com/wireguard"
	wireguardVersion = "v0.0.0-20260522210424-ecfc5a8d5446"
	wireguardPort    = 51820
	wireguardMTU     = 1420 // what wg-quick gives a tunnel over 1500
)

// wireguard is wireguard-go as its authors publish it today, built from the
// module proxy; split, on a cable that carries its UDP packets one by one.
func wireguard(name string, split bool) *contender {
	var exe string
	c := wireguardTunnel(name, &exe)
	c.split = split
	c.prepare = func(ctx context.Context, b *bench) error {
		path, version, err := b.installWireguard(ctx)
		if err != nil {
			c.missing = err.Error()
			return nil
		}
		exe = path
		c.version = wireguardModule + " " + version
		if split {
			c.version += ", its UDP packets split on the cable as on a real network"
		}
		return nil
	}
	return c
}

// installWireguard builds the newest version that the module proxy has, or,
// where that cannot be asked, the one that was the newest when this was written
// and may be in the module cache.
func (b *bench) installWireguard(ctx context.Context) (path, version string, err error) {
	bin := filepath.Join(b.dir, "wireguard-go")
	path = filepath.Join(bin, "wireguard")
	if _, err := os.Stat(path); err != nil {
		for _, version := range []string{"latest", wireguardVersion} {
			install := exec.CommandContext(ctx, "go", "install", wireguardModule+"@"+version)
			install.Dir = b.dir
			install.Env = append(os.Environ(), "GOBIN="+bin, "CGO_ENABLED=0", "GOFLAGS=")
			out, failed := install.CombinedOutput()
			if err = failed; err == nil {
				break
			}
			err = fmt.Errorf("go install %s@%s: %w: %s", wireguardModule, version, err, lastLine(string(out)))
		}
		if err != nil {
			return "", "", err
		}
	}
	out, err := exec.CommandContext(ctx, "go", "version", "-m", path).Output()
	if err != nil {
		return "", "", fmt.Errorf("go version -m %s: %w", path, err)
	}
	return path, moduleVersion(string(out), wireguardModule), nil
}

// moduleVersion finds a main module's version in what `go version -m` says.
func moduleVersion(text, module string) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "mod" && fields[1] == module {
			return fields[2]
		}
	}
	return "of an unknown version"
}

// debianWireguard is Debian's package.
func debianWireguard() *contender {
	var exe string
	c := wireguardTunnel("wireguard-go-debian", &exe)
	c.prepare = func(ctx context.Context, b *bench) (err error) {
		if exe, err = exec.LookPath("wireguard-go"); err != nil {
			c.missing = "there is no wireguard-go (Debian's package wireguard-go)"
			return nil
		}
		out, _ := exec.CommandContext(ctx, exe, "--version").Output()
		first, _, _ := strings.Cut(string(out), "\n")
		c.version = strings.TrimSpace(first) + packageVersion(ctx, "wireguard-go")
		return nil
	}
	return c
}

// packageVersion is what Debian calls an installed package, in parentheses.
func packageVersion(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return ""
	}
	return " (Debian " + string(out) + ")"
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// A wireguardEnd is one end's key and place.
type wireguardEnd struct {
	private *ecdh.PrivateKey
	name    string // of the interface; the control socket's too, so unique on this machine
}

// wireguardEnds counts the ends that there were.
var wireguardEnds int

func newWireguardEnd() (wireguardEnd, error) {
	wireguardEnds++
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	return wireguardEnd{key, fmt.Sprintf("wgb%d-%d", os.Getpid(), wireguardEnds)}, err
}

func wireguardTunnel(name string, exe *string) *contender {
	var ends [2]wireguardEnd // client, server
	c := &contender{name: name, at: innerServer, atClient: innerClient}
	c.server = func(ctx context.Context, s *site) (err error) {
		for i := range ends {
			if ends[i], err = newWireguardEnd(); err != nil {
				return err
			}
		}
		s.serverEnd, err = s.wireguardEnd(ctx, s.b, "server", *exe, ends[1], ends[0], netip.AddrPort{}, innerServer)
		return err
	}
	c.client = func(ctx context.Context, s *site) (err error) {
		s.clientEnd, err = s.wireguardEnd(ctx, s.a, "client", *exe, ends[0], ends[1], netip.AddrPortFrom(serverOuter, wireguardPort), innerClient)
		return err
	}
	return c
}

// wireguardEnd starts and configures one end.
func (s *site) wireguardEnd(ctx context.Context, h *host, role, exe string, own, other wireguardEnd, endpoint netip.AddrPort, inner netip.Addr) (*process, error) {
	socket := "/var/run/wireguard/" + own.name + ".sock"
	s.leftover = append(s.leftover, socket) // of one that was killed
	p, err := h.run(s.dir, role, []string{"LOG_LEVEL=error"}, exe, "--foreground", own.name)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("set=1\nprivate_key=%s\npublic_key=%s\nallowed_ip=0.0.0.0/0\n",
		hex.EncodeToString(own.private.Bytes()), hex.EncodeToString(other.private.PublicKey().Bytes()))
	if endpoint.IsValid() {
		config += fmt.Sprintf("endpoint=%v\n", endpoint)
	} else {
		config = strings.Replace(config, "public_key=", fmt.Sprintf("listen_port=%d\npublic_key=", wireguardPort), 1)
	}
	if err := tellWireguard(ctx, p, socket, config+"\n"); err != nil {
		return p, err
	}
	return p, h.address(own.name, netip.PrefixFrom(inner, 24), netip.Addr{}, wireguardMTU)
}

// tellWireguard sends a configuration to the control socket, which appears some
// time after the program has started.
func tellWireguard(ctx context.Context, p *process, socket, config string) error {
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", socket)
		if err == nil {
			defer conn.Close()
			if _, err := io.WriteString(conn, config); err != nil {
				return err
			}
			buf := make([]byte, 256)
			n, err := conn.Read(buf)
			if answer := strings.TrimSpace(string(buf[:n])); answer != "errno=0" {
				return fmt.Errorf("wireguard-go does not take its configuration: %s %v", answer, err)
			}
			return nil
		}
		select {
		case <-p.done:
			return errors.New("wireguard-go has ended")
		case <-ctx.Done():
			return err
		case <-time.After(time.Millisecond):
		}
	}
}
