//go:build linux

package roaming

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleVariable in the environment makes this program one of the roles, at one
// of the hosts. A role says "ready" and then answers lines with lines.
const roleVariable = "GOPPPTP_TEST_ROLE"

var roles = map[string]func() error{"sink": sink, "source": source, "echo": echo, "beat": beat, "sniff": sniff, "flood": flood}

const (
	chunk  = 1 << 20
	chunks = 10

	sinkAddress = inner + ":7001"
	echoAddress = inner + ":7002"
)

// An actor is a role being played.
type actor struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func (p *place) play(host, role string) *actor {
	p.t.Helper()
	a := &actor{t: p.t, name: role, cmd: p.command(host, "/proc/self/exe")}
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	a.cmd.Args[len(a.cmd.Args)-1] = self
	a.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	a.cmd.Stderr = os.Stderr
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	a.out = bufio.NewReader(out)
	if err := a.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		a.in.Close()
		a.cmd.Process.Kill()
		a.cmd.Wait()
	})
	if got := a.line(); got != "ready" {
		p.t.Fatalf("%s says %q", role, got)
	}
	return a
}

// line reads what the role says.
func (a *actor) line() string {
	a.t.Helper()
	type said struct {
		text string
		err  error
	}
	c := make(chan said, 1)
	go func() {
		s, err := a.out.ReadString('\n')
		c <- said{s, err}
	}()
	select {
	case s := <-c:
		if s.err != nil {
			a.t.Fatalf("%s: %v", a.name, s.err)
		}
		return strings.TrimSpace(s.text)
	case <-time.After(patience):
		a.t.Fatalf("%s says nothing for %v", a.name, patience)
		return ""
	}
}

func (a *actor) tell(line string) {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.in, line); err != nil {
		a.t.Fatalf("%s: %v", a.name, err)
	}
}

func (a *actor) ask(line string) string {
	a.t.Helper()
	a.tell(line)
	return a.line()
}

// sink receives, tells of each chunk and goes on when it is told to; in the end
// it tells the checksum.
func sink() error {
	l, err := net.Listen("tcp4", sinkAddress)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	lines, sum := bufio.NewScanner(os.Stdin), sha256.New()
	for n := 1; n <= chunks; n++ {
		if _, err := io.CopyN(sum, conn, chunk); err != nil {
			return err
		}
		fmt.Println("chunk", n)
		lines.Scan()
	}
	fmt.Printf("%x\n", sum.Sum(nil))
	return conn.Close()
}

func content() []byte {
	b := make([]byte, chunks*chunk)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

// source sends it all, once it is told to.
func source() error {
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
	conn, err := net.Dial("tcp4", sinkAddress)
	if err != nil {
		return err
	}
	if _, err := conn.Write(content()); err != nil {
		return err
	}
	io.Copy(io.Discard, conn) // until the sink has it all
	return conn.Close()
}

// echo sends UDP packets back.
func echo() error {
	conn, err := net.ListenPacket("udp4", echoAddress)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	buf := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		conn.WriteTo(buf[:n], from)
	}
}

// beat sends a packet every 5 ms and hears them come back. "gap" answers with
// the longest time without, since it was asked the last time, in milliseconds;
// "wait" answers when a packet sent after the question has come back.
func beat() error {
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return err
	}
	to, err := net.ResolveUDPAddr("udp4", echoAddress)
	if err != nil {
		return err
	}
	var sent, heard atomic.Uint64
	var last, longest atomic.Int64 // nanoseconds
	start := time.Now()
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			conn.WriteTo(binary.BigEndian.AppendUint64(nil, sent.Add(1)), to) // an error is a packet lost
		}
	}()
	go func() {
		buf := make([]byte, 64)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil || n != 8 {
				continue
			}
			now := int64(time.Since(start))
			longest.Store(max(longest.Load(), now-last.Load()))
			last.Store(now)
			heard.Store(max(heard.Load(), binary.BigEndian.Uint64(buf)))
		}
	}()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "wait":
			asked, began := sent.Load(), time.Now()
			for tick := time.Tick(time.Millisecond); heard.Load() <= asked; {
				<-tick
			}
			fmt.Println(time.Since(began).Milliseconds())
		case "gap":
			fmt.Println(max(longest.Swap(0), int64(time.Since(start))-last.Load()) / int64(time.Millisecond))
		}
	}
	return nil
}

// flood sends packets to a host behind the tunnel, without a pause that counts.
func flood() error {
	fmt.Println("ready")
	to := &net.UDPAddr{IP: net.IPv4(172, 16, 0, 1), Port: 9}
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return err
	}
	go func() {
		for range time.Tick(200 * time.Microsecond) {
			conn.WriteTo([]byte("secret"), to) // refused while the place is held
		}
	}()
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// sniff counts the flood's packets in clear, on all links; any line is answered
// with how many there have been.
func sniff() error {
	var b [2]byte // the kernel wants it as it is on the wire
	binary.BigEndian.PutUint16(b[:], unix.ETH_P_IP)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(binary.NativeEndian.Uint16(b[:])))
	if err != nil {
		return err
	}
	var seen atomic.Int64
	go func() {
		buf := make([]byte, 2048)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err == nil && n >= 20 && buf[16] == 172 && buf[17] == 16 {
				seen.Add(1)
			}
		}
	}()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(seen.Load())
	}
	return nil
}
