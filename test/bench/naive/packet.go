package naive

import (
	"crypto/rc4"
	"crypto/sha1"
	"encoding/binary"
	"errors"
)

const keySize = 16

// The first session keys, of the two directions.
var (
	clientKey = [keySize]byte{0: 0xc1, 15: 1}
	serverKey = [keySize]byte{0: 0x5e, 15: 2}
)

// What stands around a packet: GRE with a sequence number, PPP's address and
// control, the protocol of compressed datagrams, MPPE's bits and count, and,
// encrypted, the protocol IPv4.
const (
	greSize  = 12
	pppSize  = 4
	mppeSize = 2
	headers  = greSize + pppSize + mppeSize + 2
)

// MTU is that of the TUN device: what 1500 octets leave beside an IP header, the
// headers here, and GRE's acknowledgement, which others send.
const MTU = 1500 - 20 - headers - 4

const (
	greFlags  = 0x3001 // key and sequence number present, version 1
	greType   = 0x880b
	flushed   = 0x8000 // MPPE's bits A and D
	encrypted = 0x1000
	countMask = 0x0fff
)

// pads of the key derivation, RFC 3078 Section 7.3 and RFC 3079
var pad1, pad2 [40]byte

func init() {
	for i := range pad2 {
		pad2[i] = 0xf2
	}
}

// A chain is the stateless keys of one direction.
type chain struct {
	start, key [keySize]byte
}

func newChain(start [keySize]byte) *chain {
	c := &chain{start: start, key: start}
	copy(c.key[:], c.hash())
	return c
}

func (c *chain) hash() []byte {
	h := sha1.New()
	h.Write(c.start[:])
	h.Write(pad1[:])
	h.Write(c.key[:])
	h.Write(pad2[:])
	return h.Sum(nil)[:keySize]
}

// next moves to the key of the next packet.
func (c *chain) next() error {
	interim := c.hash()
	cipher, err := rc4.NewCipher(interim)
	if err != nil {
		return err
	}
	cipher.XORKeyStream(c.key[:], interim)
	return nil
}

// A sealer makes what goes into the network.
type sealer struct {
	chain *chain
	seq   uint32
}

// seal puts GRE, PPP and MPPE around an IPv4 packet.
func (s *sealer) seal(packet []byte) ([]byte, error) {
	if err := s.chain.next(); err != nil {
		return nil, err
	}
	out := make([]byte, headers+len(packet))
	binary.BigEndian.PutUint16(out[0:], greFlags)
	binary.BigEndian.PutUint16(out[2:], greType)
	binary.BigEndian.PutUint16(out[4:], uint16(len(out)-greSize))
	binary.BigEndian.PutUint16(out[6:], 1) // call ID
	binary.BigEndian.PutUint32(out[8:], s.seq)
	copy(out[greSize:], []byte{0xff, 0x03, 0x00, 0xfd})
	binary.BigEndian.PutUint16(out[greSize+pppSize:], flushed|encrypted|uint16(s.seq)&countMask)
	s.seq++
	plain := out[greSize+pppSize+mppeSize:]
	plain[0], plain[1] = 0x00, 0x21
	copy(plain[2:], packet)
	cipher, err := rc4.NewCipher(s.chain.key[:])
	if err != nil {
		return nil, err
	}
	cipher.XORKeyStream(plain, plain)
	return out, nil
}

// errPacket is a packet that is not ours, or late.
var errPacket = errors.New("naive: not a packet of this tunnel")

// An opener takes apart what comes out of the network.
type opener struct {
	chain *chain
	seq   uint32 // the next packet's
}

// open gives the IPv4 packet inside a GRE packet; it aliases b.
func (o *opener) open(b []byte) ([]byte, error) {
	if len(b) < headers || binary.BigEndian.Uint16(b) != greFlags || binary.BigEndian.Uint16(b[2:]) != greType {
		return nil, errPacket
	}
	seq := binary.BigEndian.Uint32(b[8:])
	const most = 4096 // keys to skip
	if ahead := seq - o.seq; ahead >= most {
		return nil, errPacket
	}
	for {
		if err := o.chain.next(); err != nil {
			return nil, err
		}
		o.seq++
		if o.seq == seq+1 {
			break
		}
	}
	cipher, err := rc4.NewCipher(o.chain.key[:])
	if err != nil {
		return nil, err
	}
	plain := b[greSize+pppSize+mppeSize:]
	cipher.XORKeyStream(plain, plain)
	if plain[0] != 0x00 || plain[1] != 0x21 {
		return nil, errPacket
	}
	return plain[2:], nil
}
