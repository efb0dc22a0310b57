package server

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// DHCP as far as DHCPINFORM goes (RFC 2131, Section 4.4.3): a client that has its
// address asks for the rest, and Windows does so for the routes into the network
// behind the server.

// optionMSRoutes has the contents of option 121; older Windows asks for it alone.
const optionMSRoutes = dhcpv4.GenericOptionCode(249)

const (
	minDHCPSize   = 576  // octets of a datagram that every client takes (RFC 2131, Section 2)
	usualDHCPSize = 1500 // those that do not say how much they take, take a frame
	udpOverhead   = 28   // octets of IP and UDP
)

var errNotInform = errors.New("not a DHCPINFORM")

// An informAnswer is what a client is told.
type informAnswer struct {
	local, peer netip.Addr // of the tunnel; the routes lead through local
	dns         []netip.Addr
	domain      string
	routes      []netip.Prefix
}

// reply answers a DHCPINFORM. dropped is the number of routes for which the
// client has no room.
func (a *informAnswer) reply(request []byte) (reply []byte, dropped int, err error) {
	m, err := dhcpv4.FromBytes(request)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest || m.MessageType() != dhcpv4.MessageTypeInform {
		return nil, 0, errNotInform
	}
	// An ACK of it has no lease time and no "yiaddr" (RFC 2131, Section 4.3.5).
	r, err := dhcpv4.NewReplyFromRequest(m,
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithServerIP(netip.IPv4Unspecified().AsSlice()),
		dhcpv4.WithClientIP(a.peer.AsSlice()), // nobody but this client gets an answer
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(a.local.AsSlice())))
	if err != nil {
		return nil, 0, err
	}
	if len(a.dns) > 0 {
		var servers []net.IP
		for _, s := range a.dns {
			servers = append(servers, s.AsSlice())
		}
		r.UpdateOption(dhcpv4.OptDNS(servers...))
	}
	if a.domain != "" {
		r.UpdateOption(dhcpv4.OptDomainName(a.domain))
	}
	size := usualDHCPSize
	if n, err := m.MaxMessageSize(); err == nil {
		size = max(int(n), minDHCPSize)
	}
	size -= udpOverhead
	return a.withRoutes(r, m, size)
}

// withRoutes adds the routes in both notations, then in the one that the client
// prefers, then as many as there is room for.
func (a *informAnswer) withRoutes(r, request *dhcpv4.DHCPv4, size int) (reply []byte, dropped int, err error) {
	codes := []dhcpv4.OptionCode{dhcpv4.OptionClasslessStaticRoute, optionMSRoutes}
	for n := len(a.routes); n > 0; {
		data := classlessRoutes(a.routes[:n], a.local)
		for _, code := range codes {
			r.UpdateOption(dhcpv4.OptGeneric(code, data))
		}
		b := r.ToBytes()
		switch {
		case len(b) <= size:
			return b, len(a.routes) - n, nil
		case len(codes) > 1:
			drop := 1
			if !request.IsOptionRequested(dhcpv4.OptionClasslessStaticRoute) && request.IsOptionRequested(optionMSRoutes) {
				drop = 0
			}
			r.Options.Del(codes[drop])
			codes = []dhcpv4.OptionCode{codes[1-drop]}
		default:
			n -= 1 + (len(b)-size)/10 // a route is 9 octets at most, in options of 255
			r.Options.Del(codes[0])
		}
	}
	return r.ToBytes(), len(a.routes), nil
}

// classlessRoutes encodes routes as option 121 has them (RFC 3442).
func classlessRoutes(list []netip.Prefix, router netip.Addr) []byte {
	var routes dhcpv4.Routes
	for _, p := range list {
		p = p.Masked()
		routes = append(routes, &dhcpv4.Route{
			Dest:   &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)},
			Router: router.AsSlice(),
		})
	}
	return routes.ToBytes()
}

// answerDHCP answers the client's DHCPINFORM with the routes of push_routes, the
// name servers and the domain, for as long as the interface lives.
func (i *clientInterface) answerDHCP(log *slog.Logger, plat Platform, cfg *Config, local, peer netip.Addr) {
	answer := &informAnswer{local: local, peer: peer, dns: cfg.DNS, domain: cfg.Domain, routes: cfg.PushRoutes}
	conn, err := plat.ListenDHCP(i.Name())
	if err != nil {
		log.Warn("push_routes is not answered", "reason", err)
		return
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				log.Debug("reading DHCP", "reason", err)
				return
			}
			u, ok := from.(*net.UDPAddr)
			if !ok || u.AddrPort().Addr().Unmap() != peer {
				continue
			}
			reply, dropped, err := answer.reply(buf[:n])
			if err != nil {
				continue
			}
			if dropped > 0 {
				log.Warn("not all of push_routes fit into an answer that this client takes", "dropped", dropped)
			}
			log.Debug("DHCPINFORM answered", "routes", len(cfg.PushRoutes)-dropped)
			conn.WriteTo(reply, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 68)))
		}
	})
	i.undo = append(i.undo, func() {
		conn.Close()
		reader.Wait()
	})
}
