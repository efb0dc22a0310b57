package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"goppptp/profiles"
)

// A client that has its address may ask for the rest with a DHCPINFORM (RFC
// 2131, Section 4.4.3). That is how PPTP servers offer routes: Windows asks for
// them through the tunnel, once the address is there.

// informed is what a server answered.
type informed struct {
	offers []offer
	dns    []netip.Addr
	domain string
	// trouble is what could not be read, one sentence each.
	trouble []string
}

// optionMSRoutes has the contents of option 121; older Windows knows only this.
const optionMSRoutes = dhcpv4.GenericOptionCode(249)

// maxAnswer is the longest answer there can be: of UDP.
const maxAnswer = 65535

// informWaits are the times for an answer to each question.
var informWaits = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

var errNoAnswer = errors.New("the server does not answer DHCPINFORM")

// informRequest makes the question of the client with address local. Its
// hardware address, which a tunnel has not, is made of that.
func informRequest(local netip.Addr) (*dhcpv4.DHCPv4, error) {
	a := local.As4()
	var id dhcpv4.TransactionID
	rand.Read(id[:])
	return dhcpv4.New(
		dhcpv4.WithMessageType(dhcpv4.MessageTypeInform),
		dhcpv4.WithTransactionID(id),
		dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, a[0], a[1], a[2], a[3]}), // locally administered
		dhcpv4.WithClientIP(local.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(maxAnswer)),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier(vendor)),
		dhcpv4.WithOption(dhcpv4.OptParameterRequestList(
			dhcpv4.OptionClasslessStaticRoute, optionMSRoutes, dhcpv4.OptionStaticRoutingTable, dhcpv4.OptionRouter,
			dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName, dhcpv4.OptionSubnetMask)),
	)
}

// inform asks through conn and returns the answer, or errNoAnswer.
func inform(ctx context.Context, conn net.PacketConn, local netip.Addr) (*informed, error) {
	request, err := informRequest(local)
	if err != nil {
		return nil, err
	}
	// A read is broken off by closing or by a deadline in the past alone.
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	to := &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ServerPort}
	buf := make([]byte, maxAnswer)
	start := time.Now()
	for _, wait := range informWaits {
		request.NumSeconds = uint16(time.Since(start) / time.Second)
		if _, err := conn.WriteTo(request.ToBytes(), to); err != nil {
			return nil, fmt.Errorf("sending DHCPINFORM: %w", err)
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		for ctx.Err() == nil {
			n, _, err := conn.ReadFrom(buf)
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("awaiting the answer to DHCPINFORM: %w", err)
			}
			if answer, ok := parseAnswer(buf[:n], request); ok {
				return answer, nil
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, errNoAnswer
}

// parseAnswer reads what may be the answer to request; ok is false where it is
// another's, or none at all.
func parseAnswer(b []byte, request *dhcpv4.DHCPv4) (answer *informed, ok bool) {
	// The transaction is looked at first: an answer that is ours and cannot be
	// read is one all the same.
	if len(b) < 240 || b[0] != byte(dhcpv4.OpcodeBootReply) || !bytes.Equal(b[4:8], request.TransactionID[:]) {
		return nil, false
	}
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		return &informed{trouble: []string{"its answer to DHCPINFORM is malformed: " + printable(err.Error())}}, true
	}
	if m.MessageType() != dhcpv4.MessageTypeAck || !bytes.Equal(m.ClientHWAddr, request.ClientHWAddr) ||
		!m.ClientIPAddr.IsUnspecified() && !m.ClientIPAddr.Equal(request.ClientIPAddr) {
		return nil, false
	}
	return readOptions(m.Options), true
}

// readOptions reads the options about routes and names.
func readOptions(options dhcpv4.Options) *informed {
	in := &informed{}
	malformed := func(code dhcpv4.OptionCode, why string) {
		in.trouble = append(in.trouble, fmt.Sprintf("its DHCP option %d is malformed and ignored: %s", code.Code(), why))
	}
	// RFC 3442: "If the DHCP server returns both a Classless Static Routes option
	// and a Router option, the DHCP client MUST ignore the Router option", and
	// likewise the Static Routes option. 249 stands in where there is no 121.
	instead := ""
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClasslessStaticRoute, optionMSRoutes} {
		data := options.Get(code)
		if len(data) == 0 {
			continue
		}
		var routes dhcpv4.Routes
		if err := routes.FromBytes(data); err != nil {
			malformed(code, printable(err.Error()))
			continue
		}
		for _, r := range routes {
			to, _ := netip.AddrFromSlice(r.Dest.IP)
			bits, _ := r.Dest.Mask.Size()
			in.add(netip.PrefixFrom(to, bits), address(r.Router), code, instead)
		}
		if instead == "" {
			instead = fmt.Sprintf("DHCP option %d counts instead", code.Code())
		}
	}
	if data := options.Get(dhcpv4.OptionStaticRoutingTable); len(data)%8 != 0 {
		malformed(dhcpv4.OptionStaticRoutingTable, fmt.Sprintf("%d octets are no pairs of addresses", len(data)))
	} else {
		for pair := range slices.Chunk(data, 8) {
			a := address(pair[:4])
			if !a.IsValid() {
				a = netip.IPv4Unspecified()
			}
			if to, ok := classful(a); ok {
				in.add(to, address(pair[4:]), dhcpv4.OptionStaticRoutingTable, instead)
			}
		}
	}
	if data := options.Get(dhcpv4.OptionRouter); len(data)%4 != 0 {
		malformed(dhcpv4.OptionRouter, fmt.Sprintf("%d octets are no addresses", len(data)))
	} else {
		for a := range slices.Chunk(data, 4) {
			in.add(netip.PrefixFrom(netip.IPv4Unspecified(), 0), address(a), dhcpv4.OptionRouter, instead)
		}
	}
	if data := options.Get(dhcpv4.OptionDomainNameServer); len(data)%4 != 0 {
		malformed(dhcpv4.OptionDomainNameServer, fmt.Sprintf("%d octets are no addresses", len(data)))
	} else {
		for a := range slices.Chunk(data, 4) {
			if a := address(a); a.IsValid() && len(in.dns) < maxNameServers {
				in.dns = append(in.dns, a)
			}
		}
	}
	if data := options.Get(dhcpv4.OptionDomainName); len(data) > 0 {
		name := strings.TrimSuffix(strings.TrimRight(string(data), "\x00"), ".")
		if profiles.IsHostName(name) {
			in.domain = name
		} else {
			malformed(dhcpv4.OptionDomainName, "not a domain")
		}
	}
	return in
}

const maxNameServers = 8

// add notes an offer, up to a bound.
func (in *informed) add(to netip.Prefix, via netip.Addr, code dhcpv4.OptionCode, instead string) {
	switch {
	case len(in.offers) < maxOffers:
		in.offers = append(in.offers, offer{to: to.Masked(), via: via, source: fmt.Sprintf("dhcp option %d", code.Code()), instead: instead})
	case len(in.offers) == maxOffers && !slices.Contains(in.trouble, tooMany):
		in.trouble = append(in.trouble, tooMany)
	}
}

var tooMany = fmt.Sprintf("it offers more than %d routes: those beyond are ignored", maxOffers)

// address returns an IPv4 address, not valid for 0.0.0.0 and what is none.
func address(b []byte) netip.Addr {
	a, ok := netip.AddrFromSlice(b)
	if !ok || !a.Unmap().Is4() || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}

// printable is s without what a terminal would act on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
