//go:build linux

package realpeers

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

var pingNumber atomic.Uint32

// ping sends one echo request of that many octets of data and waits for its
// reply.
func (p *place) ping(addr string, size int, wait time.Duration) error {
	return p.pingThrough("", addr, size, wait)
}

// pingThrough is ping by that link, whatever the routes say.
func (p *place) pingThrough(link, addr string, size int, wait time.Duration) error {
	return p.do(func() error {
		dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
			if link == "" {
				return nil
			}
			c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), link) })
			return err
		}}
		conn, err := dialer.Dial("ip4:icmp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		id, data := int(pingNumber.Add(1)&0xffff), make([]byte, size)
		for i := range data {
			data[i] = byte(i)
		}
		ask, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: 1, Data: data}}).Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := conn.Write(ask); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		b := make([]byte, 65536)
		for {
			n, _, err := conn.(*net.IPConn).ReadFrom(b)
			if err != nil {
				return fmt.Errorf("ping %s, %d octets: %w", addr, size, err)
			}
			m, err := icmp.ParseMessage(1, b[:n])
			if err != nil {
				return err
			}
			if echo, ok := m.Body.(*icmp.Echo); ok && m.Type == ipv4.ICMPTypeEchoReply && echo.ID == id && len(echo.Data) == size {
				return nil
			}
		}
	})
}

// mustPing pings all of those addresses, small, near the tunnel's MTU and in
// fragments. Until the first answer it asks again: the other end may be up a
// moment later.
func (p *place) mustPing(t *testing.T, addrs ...string) {
	t.Helper()
	eventually(t, 5*time.Second, "an answer from "+addrs[0], func() bool { return p.ping(addrs[0], 56, 500*time.Millisecond) == nil })
	for _, addr := range addrs {
		for _, size := range []int{56, 1300, 3000} {
			if err := p.ping(addr, size, 5*time.Second); err != nil {
				t.Error(err)
			}
		}
	}
}

const (
	transferPort = ":4711"
	upSeed       = 1
	downSeed     = 2
)

// blob is size pseudo-random octets, told by a seed.
func blob(seed uint64, size int64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return io.LimitReader(rand.NewChaCha8(key), size)
}

func digest(r io.Reader) (sum [sha256.Size]byte, n int64, err error) {
	h := sha256.New()
	n, err = io.Copy(h, r)
	h.Sum(sum[:0])
	return sum, n, err
}

// serveTransfers answers transfer in this place until the test ends: it takes
// what comes to the end, sends its checksum, and then as much of its own.
func (p *place) serveTransfers(t *testing.T) {
	t.Helper()
	var l net.Listener
	p.must(t, func() (err error) {
		l, err = net.Listen("tcp4", transferPort)
		return err
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				sum, n, err := digest(conn)
				if err != nil {
					return // the other end says why
				}
				conn.Write(sum[:])
				io.Copy(conn, blob(downSeed, n))
			}()
		}
	}()
}

// transfer moves size octets over one TCP connection to addr and as many back,
// and compares the checksums.
func (p *place) transfer(addr string, size int64, limit time.Duration) error {
	var conn net.Conn
	if err := p.do(func() (err error) {
		conn, err = net.DialTimeout("tcp4", addr+transferPort, limit)
		return err
	}); err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	if n, err := io.Copy(conn, blob(upSeed, size)); err != nil {
		return fmt.Errorf("transfer up, after %d octets: %w", n, err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	var got [sha256.Size]byte
	if _, err := io.ReadFull(conn, got[:]); err != nil {
		return fmt.Errorf("transfer up, its checksum: %w", err)
	}
	if want, _, _ := digest(blob(upSeed, size)); got != want {
		return errors.New("transfer up: wrong checksum")
	}
	got, n, err := digest(conn)
	if err != nil {
		return fmt.Errorf("transfer down, after %d octets: %w", n, err)
	}
	if want, _, _ := digest(blob(downSeed, size)); got != want || n != size {
		return fmt.Errorf("transfer down: wrong checksum over %d octets of %d", n, size)
	}
	return nil
}

// mustCarry checks the tunnel from the client's side: pings to each address,
// and a megabyte over TCP both ways to the last.
func (p *place) mustCarry(t *testing.T, addrs ...string) {
	t.Helper()
	p.mustPing(t, addrs...)
	begin := time.Now()
	if err := p.transfer(addrs[len(addrs)-1], 1<<20, 30*time.Second); err != nil {
		t.Error(err)
		return
	}
	t.Logf("1 MiB up and down over TCP in %v", time.Since(begin).Round(time.Millisecond))
}
