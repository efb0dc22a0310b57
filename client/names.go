package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	nameTimeout  = 2 * time.Second // for one name server to answer
	nameTries    = 2               // each of them is asked
	maxNameReply = 1232            // octets that every path carries (DNS flag day 2020)
	maxAddresses = 64              // of one name
	resolvConf   = "/etc/resolv.conf"
)

// A nameError is what a name server says of a name.
type nameError string

func (e nameError) Error() string { return string(e) }

const (
	errNoSuchHost nameError = "no such host"
	errNoAddress  nameError = "no IPv4 address"
)

// A nameDialer connects to a name server, over "udp4" or "tcp4".
type nameDialer func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error)

// askServers asks servers, one after the other, for the addresses of host,
// and returns them with the time that they hold. Of a name that does not exist
// the first server to say so is believed.
func askServers(ctx context.Context, dial nameDialer, servers []netip.AddrPort, host string) (addrs []netip.Addr, ttl time.Duration, err error) {
	err = errors.New("no name server to ask")
	for range nameTries {
		for _, server := range servers {
			addrs, ttl, err = askServer(ctx, dial, server, host)
			if _, final := errors.AsType[nameError](err); err == nil || final {
				return addrs, ttl, err
			}
			if ctx.Err() != nil {
				return nil, 0, ctx.Err()
			}
		}
	}
	return nil, 0, err
}

func askServer(ctx context.Context, dial nameDialer, server netip.AddrPort, host string) ([]netip.Addr, time.Duration, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return nil, 0, errNoSuchHost
	}
	var id [2]byte
	rand.Read(id[:])
	question := dnsmessage.Question{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	header := dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true}
	query, err := packQuery(header, question)
	if err != nil {
		return nil, 0, err
	}
	for _, network := range []string{"udp4", "tcp4"} {
		reply, err := exchange(ctx, dial, network, server, query, header.ID, question)
		if err != nil {
			return nil, 0, fmt.Errorf("%v: %w", server.Addr(), err)
		}
		addrs, ttl, truncated, err := readReply(reply, question)
		if !truncated {
			return addrs, ttl, err
		}
	}
	return nil, 0, fmt.Errorf("%v: its answer is cut off", server.Addr())
}

func packQuery(h dnsmessage.Header, q dnsmessage.Question) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, h)
	b.EnableCompression()
	var edns dnsmessage.ResourceHeader
	for _, err := range []error{
		b.StartQuestions(), b.Question(q), b.StartAdditionals(),
		edns.SetEDNS0(maxNameReply, dnsmessage.RCodeSuccess, false), b.OPTResource(edns, dnsmessage.OPTResource{}),
	} {
		if err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

// exchange sends query and returns the answer to it, whatever else may come.
func exchange(ctx context.Context, dial nameDialer, network string, server netip.AddrPort, query []byte, id uint16, q dnsmessage.Question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	conn, err := dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp4" {
		query = append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, maxAnswer)
	for {
		var n int
		if network == "tcp4" {
			if _, err := io.ReadFull(conn, buf[:2]); err != nil {
				return nil, err
			}
			n = int(binary.BigEndian.Uint16(buf))
			_, err = io.ReadFull(conn, buf[:n])
		} else {
			n, err = conn.Read(buf)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, errors.New("no answer")
			}
			return nil, err
		}
		if answers(buf[:n], id, q) {
			return buf[:n], nil
		}
	}
}

// answers reports whether b is the answer to the question.
func answers(b []byte, id uint16, q dnsmessage.Question) bool {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.ID != id || !h.Response {
		return false
	}
	got, err := p.Question()
	return err == nil && got.Type == q.Type && got.Class == q.Class && sameName(got.Name, q.Name)
}

func sameName(a, b dnsmessage.Name) bool { return strings.EqualFold(a.String(), b.String()) }

// readReply returns the addresses in an answer, those of the name itself or of
// what it is another name for.
func readReply(b []byte, q dnsmessage.Question) (addrs []netip.Addr, ttl time.Duration, truncated bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return nil, 0, false, err
	}
	switch {
	case h.Truncated:
		return nil, 0, true, nil
	case h.RCode == dnsmessage.RCodeNameError:
		return nil, 0, false, errNoSuchHost
	case h.RCode != dnsmessage.RCodeSuccess:
		return nil, 0, false, errors.New("the name server answered " + h.RCode.GoString())
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, 0, false, err
	}
	lowest, name := ^uint32(0), q.Name
	for {
		rh, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil {
			return nil, 0, false, err
		}
		switch {
		case rh.Class == dnsmessage.ClassINET && rh.Type == dnsmessage.TypeCNAME && sameName(rh.Name, name):
			r, err := p.CNAMEResource()
			if err != nil {
				return nil, 0, false, err
			}
			name, lowest = r.CNAME, min(lowest, rh.TTL)
		case rh.Class == dnsmessage.ClassINET && rh.Type == dnsmessage.TypeA && sameName(rh.Name, name) && len(addrs) < maxAddresses:
			r, err := p.AResource()
			if err != nil {
				return nil, 0, false, err
			}
			addrs, lowest = append(addrs, netip.AddrFrom4(r.A)), min(lowest, rh.TTL)
		default:
			if err := p.SkipAnswer(); err != nil {
				return nil, 0, false, err
			}
		}
	}
	if len(addrs) == 0 {
		return nil, 0, false, errNoAddress
	}
	return addrs, time.Duration(lowest) * time.Second, false, nil
}

// systemServers returns the name servers that the resolv.conf at path names.
func systemServers(path string) (out []netip.AddrPort) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" || len(out) == 3 { // resolv.conf(5): MAXNS
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil && a.Is4() {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	return out
}

// within reports whether host is one of domains or in one.
func within(host string, domains []string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, d := range domains {
		d = strings.ToLower(strings.TrimSuffix(d, "."))
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}
