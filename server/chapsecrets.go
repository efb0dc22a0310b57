package server

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"goppptp/internal/ppp/auth"
	"goppptp/internal/pppdfile"
)

// maxFile is the most octets that are read of a configuration or secrets file.
const maxFile = 16 << 20

// LoadChapSecrets reads a file in the format of pppd's /etc/ppp/chap-secrets and
// returns the users in it that may come to a server called name (pppd's
// option of that name): a line each of client, server, secret and the addresses
// the client may have. A file that others can read or write is refused. The error
// is a *[ConfigError] or a [ConfigErrors].
func LoadChapSecrets(path, name string) ([]User, error) {
	data, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	read := func(file string) (string, error) {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		b, err := readSecretFile(file)
		if err != nil {
			return "", err
		}
		text, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSuffix(text, "\r"), nil
	}
	return parseChapSecrets(path, string(data), name, read)
}

// readSecretFile reads a file that holds secrets, unless others can read it.
func readSecretFile(path string) ([]byte, error) {
	b, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if err := checkSecretMode(path, mode); err != nil {
		return nil, err
	}
	return b, nil
}

// readFile reads a configuration file and tells its mode.
func readFile(path string) ([]byte, fs.FileMode, error) {
	fail := func(err error) error {
		if pe, ok := err.(*fs.PathError); ok {
			err = pe.Err
		}
		return &ConfigError{File: path, Message: err.Error()}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fail(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, fail(err)
	}
	if !fi.Mode().IsRegular() {
		return nil, 0, &ConfigError{File: path, Message: "is not a file"}
	}
	if fi.Size() > maxFile {
		return nil, 0, &ConfigError{File: path, Message: fmt.Sprintf("is larger than %d MB", maxFile>>20)}
	}
	b := make([]byte, fi.Size())
	n := 0
	for n < len(b) {
		m, err := f.Read(b[n:])
		n += m
		if err != nil {
			break
		}
	}
	return b[:n], fi.Mode(), nil
}

// checkSecretMode refuses a file with secrets that others can read or write.
func checkSecretMode(path string, mode fs.FileMode) error {
	what := ""
	switch perm := mode.Perm(); {
	case perm&0o044 != 0:
		what = "read"
	case perm&0o022 != 0:
		what = "write"
	default:
		return nil
	}
	return &ConfigError{File: path, Message: fmt.Sprintf("holds secrets and others can %s it (mode %04o)", what, mode.Perm()),
		Suggestion: "chmod 600 " + shellQuote(path)}
}

// shellQuote makes s one word for a shell.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// secretLine is one line of chap-secrets as it stands.
type secretLine struct {
	client, server, secret pppdfile.Word
	addresses              []pppdfile.Word
}

// secretLines reads the lines of chap-secrets; those of fewer than three words
// are mistakes.
func secretLines(path, data string) (lines []secretLine, errs ConfigErrors) {
	words, unfinished := pppdfile.Words(data)
	if unfinished > 0 {
		errs = append(errs, &ConfigError{File: path, Line: unfinished, Message: "a quotation has no end"})
	}
	for len(words) > 0 {
		n := 1
		for n < len(words) && !words[n].First {
			n++
		}
		w := words[:n]
		words = words[n:]
		if len(w) < 3 {
			errs = append(errs, &ConfigError{File: path, Line: w[0].Line, Column: w[0].Column,
				Message: fmt.Sprintf("%d words where client, server and secret belong", len(w))})
			continue
		}
		lines = append(lines, secretLine{w[0], w[1], w[2], w[3:]})
	}
	return lines, errs
}

// parseChapSecrets is LoadChapSecrets on a text; readSecret reads the file
// that a secret of the form @file names.
func parseChapSecrets(path, data, name string, readSecret func(string) (string, error)) ([]User, error) {
	lines, errs := secretLines(path, data)
	type entry struct {
		line  secretLine
		exact bool // the server column names us
	}
	best := map[string]entry{}
	var order []string
	for _, l := range lines {
		exact := l.server.Text == name
		if !exact && l.server.Text != "*" {
			continue // for another server, or a secret that this host dials out with
		}
		// "the match with the fewest wildcards"; of equals pppd takes the first.
		old, seen := best[l.client.Text]
		if !seen {
			order = append(order, l.client.Text)
		}
		if !seen || exact && !old.exact {
			best[l.client.Text] = entry{l, exact}
		}
	}
	var out []User
	for _, client := range order {
		l := best[client].line
		at := func(w pppdfile.Word, format string, args ...any) {
			errs = append(errs, &ConfigError{File: path, Line: w.Line, Column: w.Column, Message: fmt.Sprintf(format, args...)})
		}
		u := User{Name: client, Password: auth.Secret(l.secret.Text), from: fmt.Sprintf("%s:%d", path, l.client.Line)}
		if client == "" {
			at(l.client, "the client has an empty name")
			continue
		}
		if file, ok := strings.CutPrefix(l.secret.Text, "@"); ok && file != "" {
			s, err := readSecret(file)
			if err != nil {
				at(l.secret, "the secret of %q: %v", client, err)
				continue
			}
			u.Password = auth.Secret(s)
		}
		if u.Password == "" {
			at(l.secret, "the secret of %q is empty", client)
			continue
		}
		rules, bad := parseAddressRules(l.addresses)
		if bad != nil {
			at(bad.word, "%s", bad.message)
			continue
		}
		u.allowed = rules
		if client != wildcardUser && rules != nil {
			u.Address = rules.single()
		}
		out = append(out, u)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return out, nil
}

// badWord is a word that was not understood.
type badWord struct {
	word    pppdfile.Word
	message string
}

// parseAddressRules reads the address column. nil means that every address may
// be had; no words, or "-" as the first, that none may (pppd(8), section
// AUTHENTICATION).
func parseAddressRules(words []pppdfile.Word) (*addressRules, *badWord) {
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	r := &addressRules{}
	if len(words) > 0 && words[0].Text == "-" {
		return r, nil
	}
	for _, w := range words {
		text, deny := strings.CutPrefix(w.Text, "!")
		rule := addressRule{deny: deny}
		switch {
		case text == "*":
			rule.subnet = all
		case strings.HasSuffix(text, "+"):
			return nil, &badWord{w, fmt.Sprintf("%q: an address by interface number is not supported: write the address", w.Text)}
		case strings.Contains(text, "/"):
			p, err := netip.ParsePrefix(text)
			if err != nil || !p.Addr().Is4() {
				return nil, &badWord{w, fmt.Sprintf("%q is not an IPv4 subnet", w.Text)}
			}
			rule.subnet = p.Masked()
		case strings.HasPrefix(text, "--"):
			return r, nil // pppd's own options follow
		default:
			a, err := netip.ParseAddr(text)
			if err != nil || !a.Is4() {
				return nil, &badWord{w, fmt.Sprintf("%q is not an IPv4 address", w.Text)}
			}
			rule.subnet = netip.PrefixFrom(a, 32)
		}
		r.rules = append(r.rules, rule)
	}
	if len(r.rules) == 1 && r.rules[0].subnet == all && !r.rules[0].deny {
		return nil, nil
	}
	return r, nil
}
