package scale

import (
	"context"
	"net"
	"net/netip"
	"os"
)

// TCPCost measures how much kernel memory one end of an idle TCP connection over
// the cable takes, in octets, with n of them.
func (p *Place) TCPCost(ctx context.Context, n int) (float64, error) {
	var l net.Listener
	err := p.server.do(func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(ServerAddr, 0).String())
		return err
	})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	conns := make([]net.Conn, 0, 2*n)
	defer func() {
		for _, c := range conns {
			// Without a farewell, which would leave something behind for a minute.
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	before, err := Measure(os.Getpid())
	if err != nil {
		return 0, err
	}
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -1}
	for range n {
		err := p.client.do(func() error {
			c, err := d.DialContext(ctx, "tcp4", l.Addr().String())
			if err == nil {
				conns = append(conns, c)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		c, err := l.Accept()
		if err != nil {
			return 0, err
		}
		conns = append(conns, c)
	}
	after, err := Measure(os.Getpid())
	if err != nil {
		return 0, err
	}
	return (after.Kernel - before.Kernel) / float64(2*n), nil
}
