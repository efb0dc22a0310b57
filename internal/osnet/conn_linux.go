package osnet

import (
	"fmt"
	"net"
	"sync"
)

// A Conn is a TCP connection that no goroutine waits for.
type Conn struct {
	*net.TCPConn
	watch *Watch
	once  sync.Once
}

// WatchConn makes a Conn of conn, which it closes in failure.
func WatchConn(conn *net.TCPConn) (*Conn, error) {
	p, err := sharedPoller()
	if err != nil {
		conn.Close()
		return nil, err
	}
	w, err := p.Add(conn)
	if err != nil {
		conn.Close()
		releaseShared()
		return nil, err
	}
	return &Conn{TCPConn: conn, watch: w}, nil
}

// TryRead reads what there is, without waiting: 0, nil if there is nothing, and
// io.EOF at the end.
func (c *Conn) TryRead(b []byte) (int, error) { return TryRead(c.TCPConn, b) }

// WhenReadable has ready called once as soon as TryRead has something or an error,
// as Watch.Arm does. Close does not call it.
func (c *Conn) WhenReadable(ready func()) error { return c.watch.Arm(ready) }

// Close closes the connection.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.watch.Close()
		releaseShared()
	})
	return c.TCPConn.Close()
}

// ListenTCP listens for connections that are each a *Conn: at an address like
// "0.0.0.0:1723", of IPv4.
func ListenTCP(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, err
	}
	return listener{l.(*net.TCPListener)}, nil
}

type listener struct{ *net.TCPListener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	c, err := WatchConn(conn)
	if err != nil {
		return nil, fmt.Errorf("osnet: accept a connection: %w", err)
	}
	return c, nil
}
