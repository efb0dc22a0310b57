package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A pinger sends ICMP echo requests. It waits in the system call, as ping(8)
// does: the runtime's network poller would add its own time to each answer.
type pinger struct {
	fd int
	to unix.SockaddrInet4
	id uint16
}

func (h *host) newPinger(to netip.Addr) (*pinger, error) {
	p := &pinger{id: uint16(rand.Uint32()), to: unix.SockaddrInet4{Addr: to.As4()}}
	err := h.do(func() (err error) {
		p.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	return p, nil
}

func (p *pinger) close() { unix.Close(p.fd) }

// ping sends one request and waits for its answer. Without one the error
// satisfies errors.Is(err, os.ErrDeadlineExceeded).
func (p *pinger) ping(seq uint16, size int, wait time.Duration) (time.Duration, error) {
	request := echoRequest(p.id, seq, size)
	buf := make([]byte, 2048)
	start := time.Now()
	if err := unix.Sendto(p.fd, request, 0, &p.to); err != nil {
		return 0, err
	}
	for {
		left := wait - time.Since(start)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		tv := unix.NsecToTimeval(max(left, time.Microsecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return 0, err
		}
		n, _, err := unix.Recvfrom(p.fd, buf, 0)
		took := time.Since(start)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
		case err != nil:
			return 0, err
		case answers(buf[:n], p.id, seq):
			return took, nil
		}
	}
}

// echoRequest is an ICMP echo request (RFC 792) with size octets of data.
func echoRequest(id, seq uint16, size int) []byte {
	b := make([]byte, 8+size)
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	return b
}

// answers tells whether an IP packet is the reply to an echo request.
func answers(packet []byte, id, seq uint16) bool {
	if len(packet) < 20 {
		return false
	}
	b := packet[min(len(packet), int(packet[0]&0xf)*4):]
	return len(b) >= 8 && b[0] == 0 && binary.BigEndian.Uint16(b[4:]) == id && binary.BigEndian.Uint16(b[6:]) == seq
}

// firstPing asks until there is an answer, and tells when it came.
func (s *site) firstPing(ctx context.Context, to netip.Addr) (time.Time, error) {
	p, err := s.a.newPinger(to)
	if err != nil {
		return time.Time{}, err
	}
	defer p.close()
	for seq := uint16(0); ; seq++ {
		_, err := p.ping(seq, 56, 20*time.Millisecond)
		if err == nil {
			return time.Now(), nil
		}
		for _, end := range s.ends() {
			select {
			case <-end.done:
				return time.Time{}, fmt.Errorf("%s has ended: %v", end.name, end.err)
			default:
			}
		}
		if ctx.Err() != nil {
			return time.Time{}, errors.Join(ctx.Err(), err)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) { // no route yet
			time.Sleep(time.Millisecond)
		}
	}
}

// listens waits until a UDP port of the host is bound.
func (h *host) listens(ctx context.Context, p *process, port int) error {
	want := fmt.Sprintf(":%04X ", port)
	for {
		var table []byte
		err := h.do(func() (err error) {
			table, err = os.ReadFile("/proc/thread-self/net/udp")
			return err
		})
		if err != nil {
			return err
		}
		if strings.Contains(string(table), want) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s has ended: %v", p.name, p.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}
