package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"time"
)

// openvpn is OpenVPN with TLS and AES-128-GCM over UDP, in user space, one
// process at each end, everything else as it is by itself.
func openvpn() *contender {
	c := &contender{name: "openvpn", at: innerServer, atClient: innerClient}
	exe := "openvpn"
	c.prepare = func(ctx context.Context, b *bench) error {
		path, err := exec.LookPath("openvpn")
		if err != nil {
			if path, err = exec.LookPath("/usr/sbin/openvpn"); err != nil {
				c.missing = "there is no openvpn (Debian's package openvpn)"
				return nil
			}
		}
		exe = path
		out, _ := exec.CommandContext(ctx, exe, "--version").Output() // its status is 1
		fields := strings.Fields(string(out))
		c.version = strings.Join(fields[:min(2, len(fields))], " ") + packageVersion(ctx, "openvpn") + ", TLS, AES-128-GCM, UDP, no kernel offload"
		return nil
	}
	common := []string{"--dev", "tun0", "--proto", "udp4", "--cipher", "AES-128-GCM", "--data-ciphers", "AES-128-GCM", "--disable-dco",
		"--ca", "ca.pem", "--verb", "1"}
	c.server = func(ctx context.Context, s *site) (err error) {
		if err := certificates(s); err != nil {
			return err
		}
		args := append([]string{"--tls-server", "--dh", "none", "--cert", "server.pem", "--key", "server.key",
			"--local", serverOuter.String(), "--port", "1194", "--ifconfig", innerServer.String(), innerClient.String()}, common...)
		if s.serverEnd, err = s.b.run(s.dir, "server", nil, exe, args...); err != nil {
			return err
		}
		return s.b.listens(ctx, s.serverEnd, 1194)
	}
	c.client = func(ctx context.Context, s *site) (err error) {
		args := append([]string{"--tls-client", "--cert", "client.pem", "--key", "client.key", "--nobind",
			"--remote", serverOuter.String(), "1194", "--ifconfig", innerClient.String(), innerServer.String()}, common...)
		s.clientEnd, err = s.a.run(s.dir, "client", nil, exe, args...)
		return err
	}
	return c
}

// certificates makes an authority and a certificate for each end.
func certificates(s *site) error {
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := certificate(s, "ca", authority, authority, nil)
	if err != nil {
		return err
	}
	for i, name := range []string{"server", "client"} {
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: name},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if _, err := certificate(s, name, cert, authority, authorityKey); err != nil {
			return err
		}
	}
	return nil
}

// certificate makes a key and its certificate and writes both; without a
// signer it signs itself.
func certificate(s *site, name string, cert, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return key, os.WriteFile(s.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}
