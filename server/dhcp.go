package server

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// DHCP as far as DHCPINFORM goes (RFC 2131, Section 4.4.3): a client that has its
// address asks for the rest, and Windows does so for the routes into the network
// behind the server.
const (
	dhcpHeader   = 240 // octets before the options, the magic cookie included
	dhcpCookie   = 0x63825363
	dhcpRequest  = 1
	dhcpReply    = 2
	dhcpInform   = 8
	dhcpAck      = 5
	optionPad    = 0
	optionDNS    = 6
	optionType   = 53
	optionServer = 54
	optionRoutes = 121 // RFC 3442
	optionEnd    = 255
	// optionMSRoutes has the contents of option 121; older Windows asks for it alone.
	optionMSRoutes = 249
)

var errNotInform = errors.New("not a DHCPINFORM")

// informReply answers a DHCPINFORM of the client that has address peer; the
// routes lead through the server's end of the tunnel, local.
func informReply(request []byte, local, peer netip.Addr, dns []netip.Addr, routes []netip.Prefix) ([]byte, error) {
	if len(request) < dhcpHeader || request[0] != dhcpRequest ||
		binary.BigEndian.Uint32(request[236:]) != dhcpCookie || dhcpMessageType(request[dhcpHeader:]) != dhcpInform {
		return nil, errNotInform
	}
	b := make([]byte, dhcpHeader, 576)
	copy(b[:8], request)           // op, hardware type and length, hops, transaction
	copy(b[10:16], request[10:16]) // flags, client address
	copy(b[28:44], request[28:44]) // hardware address
	b[0] = dhcpReply
	p := peer.As4()
	copy(b[12:16], p[:]) // ciaddr: nobody but this client gets an answer
	binary.BigEndian.PutUint32(b[236:], dhcpCookie)
	option := func(code byte, data []byte) {
		// RFC 3396: what does not fit into one option goes on in another.
		for len(data) > 0 {
			n := min(len(data), 255)
			b = append(b, code, byte(n))
			b = append(b, data[:n]...)
			data = data[n:]
		}
	}
	l := local.As4()
	option(optionType, []byte{dhcpAck})
	option(optionServer, l[:])
	var servers []byte
	for _, a := range dns {
		servers = append(servers, a.AsSlice()...)
	}
	option(optionDNS, servers)
	encoded := classlessRoutes(routes, local)
	option(optionRoutes, encoded)
	option(optionMSRoutes, encoded)
	b = append(b, optionEnd)
	for len(b) < 300 { // the least size of BOOTP
		b = append(b, optionPad)
	}
	return b, nil
}

// dhcpMessageType finds option 53; 0: none.
func dhcpMessageType(options []byte) byte {
	for len(options) > 0 {
		switch options[0] {
		case optionPad:
			options = options[1:]
			continue
		case optionEnd:
			return 0
		}
		if len(options) < 2 || len(options) < 2+int(options[1]) {
			return 0
		}
		n := int(options[1])
		if options[0] == optionType && n == 1 {
			return options[2]
		}
		options = options[2+n:]
	}
	return 0
}

// classlessRoutes encodes routes as RFC 3442 does: the width of the subnet, as
// many octets of it as the width needs, and the router.
func classlessRoutes(routes []netip.Prefix, router netip.Addr) []byte {
	var b []byte
	r := router.As4()
	for _, p := range routes {
		a := p.Masked().Addr().As4()
		b = append(b, byte(p.Bits()))
		b = append(b, a[:(p.Bits()+7)/8]...)
		b = append(b, r[:]...)
	}
	return b
}

// answerDHCP answers the client's DHCPINFORM with the routes of push_routes, for
// as long as the interface lives.
func (i *clientInterface) answerDHCP(plat Platform, cfg *Config, local, peer netip.Addr) {
	conn, err := plat.ListenDHCP(i.Name())
	if err != nil {
		i.log.Warn("push_routes is not answered", "reason", err)
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
				i.log.Debug("reading DHCP", "reason", err)
				return
			}
			u, ok := from.(*net.UDPAddr)
			if !ok || u.AddrPort().Addr().Unmap() != peer {
				continue
			}
			reply, err := informReply(buf[:n], local, peer, cfg.DNS, cfg.PushRoutes)
			if err != nil {
				continue
			}
			i.log.Debug("DHCPINFORM answered", "routes", len(cfg.PushRoutes))
			conn.WriteTo(reply, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 68)))
		}
	})
	i.undo = append(i.undo, func() {
		conn.Close()
		reader.Wait()
	})
}
