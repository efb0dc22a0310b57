package netlab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"
)

// replyTimeout is how long Ping waits for each answer.
const replyTimeout = time.Second

// A PingResult is what became of echo requests.
type PingResult struct {
	Sent, Received int
	RTTs           []time.Duration // of those received, in order
	Unreachable    int             // answered by "destination unreachable" or "time exceeded"
	From           netip.Addr      // who said so last
}

// Ping sends count ICMP echo requests with size octets of data from the
// namespace to an IPv4 address, each when the one before is answered or a second
// has passed. Requests without an answer are no error; that they cannot be
// sent (no route) is one, and so is the end of ctx.
func Ping(ctx context.Context, n *Namespace, to netip.Addr, count, size int) (PingResult, error) {
	return ping(ctx, n, to, count, size, replyTimeout)
}

func ping(ctx context.Context, n *Namespace, to netip.Addr, count, size int, wait time.Duration) (PingResult, error) {
	var r PingResult
	var conn net.PacketConn
	err := n.Do(func() (err error) {
		conn, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	})
	if err != nil {
		return r, fmt.Errorf("netlab: ping %s: %w", to, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	id := uint16(rand.Uint32())
	buf := make([]byte, 65536)
	for seq := range count {
		start := time.Now()
		conn.SetReadDeadline(start.Add(wait))
		if err := ctx.Err(); err != nil { // after the deadline, which ctx may have set
			return r, err
		}
		if _, err := conn.WriteTo(echoRequest(id, uint16(seq), size), &net.IPAddr{IP: to.AsSlice()}); err != nil {
			return r, fmt.Errorf("netlab: ping %s: %w", to, err)
		}
		r.Sent++
		for waiting := true; waiting; {
			k, from, err := conn.ReadFrom(buf)
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return r, fmt.Errorf("netlab: ping %s: %w", to, err)
			}
			switch parseEcho(buf[:k], id, uint16(seq)) {
			case echoAnswered:
				r.Received++
				r.RTTs = append(r.RTTs, time.Since(start))
				waiting = false
			case echoUnreachable:
				r.Unreachable++
				r.From, _ = netip.AddrFromSlice(from.(*net.IPAddr).IP.To4())
				waiting = false
			}
		}
	}
	return r, nil
}

// echoRequest is an ICMP echo request (RFC 792).
func echoRequest(id, seq uint16, size int) []byte {
	b := make([]byte, 8+size)
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	for i := range size {
		b[8+i] = byte(i)
	}
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

type echoVerdict uint8

const (
	echoForeign     echoVerdict = iota // not about this request
	echoAnswered                       // its reply
	echoUnreachable                    // a complaint about it
)

// parseEcho tells what an ICMP message is to the request id, seq.
func parseEcho(b []byte, id, seq uint16) echoVerdict {
	about := func(b []byte) bool {
		return len(b) >= 8 && binary.BigEndian.Uint16(b[4:]) == id && binary.BigEndian.Uint16(b[6:]) == seq
	}
	if len(b) < 8 {
		return echoForeign
	}
	switch b[0] {
	case 0:
		if about(b) {
			return echoAnswered
		}
	case 3, 11:
		// The IP header of what it complains about follows, then 8 octets.
		inner := b[8:]
		if len(inner) < 20 || inner[9] != 1 {
			return echoForeign
		}
		if h := int(inner[0]&0xf) * 4; len(inner) > h && inner[h] == 8 && about(inner[h:]) {
			return echoUnreachable
		}
	}
	return echoForeign
}
