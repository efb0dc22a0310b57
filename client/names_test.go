package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/dns/dnsmessage"
)

// answerTo builds the answer to a query: records are "NAME A TTL ADDRESS" or
// "NAME CNAME TTL NAME", one a line.
func answerTo(query []byte, rcode dnsmessage.RCode, truncated bool, records string) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil {
		panic(err)
	}
	q, err := p.Question()
	if err != nil {
		panic(err)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: h.ID, Response: true, RCode: rcode, Truncated: truncated},
		Questions: []dnsmessage.Question{q},
	}
	for line := range strings.Lines(records) {
		f := strings.Fields(line)
		var ttl uint32
		fmt.Sscan(f[2], &ttl)
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(f[0]), Class: dnsmessage.ClassINET, TTL: ttl}}
		switch f[1] {
		case "A":
			r.Body = &dnsmessage.AResource{A: addr(f[3]).As4()}
		case "CNAME":
			r.Body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(f[3])}
		case "TXT":
			r.Body = &dnsmessage.TXTResource{TXT: f[3:]}
		}
		m.Answers = append(m.Answers, r)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// A nameServer answers queries: nil is no answer. network is "udp4" or "tcp4".
type nameServer func(network string, server netip.AddrPort, query []byte) [][]byte

func (s nameServer) dial(_ context.Context, network string, server netip.AddrPort) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		buf := make([]byte, 2048)
		n, err := theirs.Read(buf)
		if err != nil {
			return
		}
		query := buf[:n]
		if network == "tcp4" {
			query = query[2:]
		}
		for _, reply := range s(network, server, query) {
			if network == "tcp4" {
				reply = append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
			}
			theirs.Write(reply)
		}
		io.Copy(io.Discard, theirs) // until the caller hangs up
	}()
	return ours, nil
}

func TestAskServers(t *testing.T) {
	const name = "build.lab.example"
	one, two := netip.MustParseAddrPort("192.168.13.1:53"), netip.MustParseAddrPort("192.168.13.2:53")
	plain := func(records string) nameServer {
		return func(_ string, _ netip.AddrPort, q []byte) [][]byte { return [][]byte{answerTo(q, 0, false, records)} }
	}
	for _, c := range []struct {
		what   string
		server nameServer
		want   string // addresses and time, or the error
	}{
		{"two addresses", plain("build.lab.example. A 300 10.0.0.2\nbuild.lab.example. A 60 10.0.0.1"), "[10.0.0.2 10.0.0.1] 1m0s"},
		{"other letters", plain("BUILD.lab.Example. A 300 10.0.0.2"), "[10.0.0.2] 5m0s"},
		{"another name for another", plain("build.lab.example. CNAME 40 a.example.\na.example. CNAME 50 b.example.\nb.example. A 300 10.0.0.2"), "[10.0.0.2] 40s"},
		{"of somebody else", plain("else.example. A 300 10.0.0.2"), "no IPv4 address"},
		{"other records", plain("build.lab.example. TXT 300 hello\nbuild.lab.example. A 300 10.0.0.3"), "[10.0.0.3] 5m0s"},
		{"no address", plain(""), "no IPv4 address"},
		{"no such name", func(_ string, s netip.AddrPort, q []byte) [][]byte {
			if s == two {
				panic("the second is asked although the first has answered")
			}
			return [][]byte{answerTo(q, dnsmessage.RCodeNameError, false, "")}
		}, "no such host"},
		{"the first fails", func(_ string, s netip.AddrPort, q []byte) [][]byte {
			if s == one {
				return [][]byte{answerTo(q, dnsmessage.RCodeServerFailure, false, "")}
			}
			return [][]byte{answerTo(q, 0, false, "build.lab.example. A 300 10.0.0.2")}
		}, "[10.0.0.2] 5m0s"},
		{"the first is silent", func(_ string, s netip.AddrPort, q []byte) [][]byte {
			if s == one {
				return nil
			}
			return [][]byte{answerTo(q, 0, false, "build.lab.example. A 300 10.0.0.2")}
		}, "[10.0.0.2] 5m0s"},
		{"all are silent", func(string, netip.AddrPort, []byte) [][]byte { return nil }, "192.168.13.2: no answer"},
		{"others' answers first", func(_ string, _ netip.AddrPort, q []byte) [][]byte {
			right := answerTo(q, 0, false, "build.lab.example. A 300 10.0.0.2")
			wrong := append([]byte(nil), right...)
			wrong[0]++
			other := append([]byte(nil), right...)
			other[13]++ // in the question
			return [][]byte{{1, 2, 3}, wrong, other, q, right}
		}, "[10.0.0.2] 5m0s"},
		{"cut off", func(network string, _ netip.AddrPort, q []byte) [][]byte {
			if network == "udp4" {
				return [][]byte{answerTo(q, 0, true, "")}
			}
			return [][]byte{answerTo(q, 0, false, "build.lab.example. A 300 10.0.0.2")}
		}, "[10.0.0.2] 5m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			addrs, ttl, err := askServers(t.Context(), c.server.dial, []netip.AddrPort{one, two}, name)
			got := fmt.Sprint(addrs, " ", ttl)
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s: %s, want %s", c.what, got, c.want)
			}
		})
	}
	if _, _, err := askServers(t.Context(), nil, nil, name); err == nil {
		t.Error("an answer without a name server")
	}
	if _, _, err := askServers(t.Context(), plain("").dial, []netip.AddrPort{one}, strings.Repeat("a.", 200)); !errors.Is(err, errNoSuchHost) {
		t.Errorf("a name too long: %v", err)
	}
}

func TestSystemServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# nameserver 1.1.1.1\nnameserver 192.0.2.1\nsearch lab\nnameserver ::1\nnameserver 192.0.2.2\nnameserver x\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(systemServers(path)); got != "[192.0.2.1:53 192.0.2.2:53 192.0.2.3:53]" {
		t.Error(got)
	}
	if got := systemServers(path + ".none"); got != nil {
		t.Error(got)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		host string
		want bool
	}{
		{"lab.example", true}, {"build.lab.example", true}, {"Build.LAB.example.", true}, {"a.b.corp", true},
		{"badlab.example", false}, {"lab.example.org", false}, {"example", false},
	} {
		if got := within(c.host, []string{"lab.example", "corp."}); got != c.want {
			t.Errorf("%s: %t", c.host, got)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("build.lab.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	query, err := packQuery(dnsmessage.Header{ID: 7}, q)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answerTo(query, 0, false, "build.lab.example. CNAME 40 a.example.\na.example. A 300 10.0.0.2"))
	f.Add(query)
	f.Fuzz(func(t *testing.T, b []byte) {
		answers(b, 7, q)
		addrs, ttl, truncated, err := readReply(b, q)
		if err == nil && !truncated && (len(addrs) == 0 || len(addrs) > maxAddresses || ttl < 0) {
			t.Fatalf("%v %v", addrs, ttl)
		}
	})
}
