package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A frame is what was on the link.
type frame struct {
	at   time.Duration // since the epoch
	data []byte
}

// Block types and the one option that matters, of the pcapng format.
const (
	sectionHeader        = 0x0a0d0d0a
	interfaceDescription = 1
	enhancedPacket       = 6
	optionTimeResolution = 9
	byteOrderMagic       = 0x1a2b3c4d
)

// readFrames reads a little-endian pcapng file.
func readFrames(b []byte) ([]frame, error) {
	le := binary.LittleEndian
	var frames []frame
	var ticks []uint64 // a second, by interface
	for len(b) > 0 {
		if len(b) < 12 {
			return nil, errors.New("pcapng: cut off")
		}
		kind, size := le.Uint32(b), int(le.Uint32(b[4:]))
		if size < 12 || size > len(b) {
			return nil, fmt.Errorf("pcapng: a block of %d octets where %d are left", size, len(b))
		}
		body := b[8 : size-4]
		switch kind {
		case sectionHeader:
			if len(body) < 4 || le.Uint32(body) != byteOrderMagic {
				return nil, errors.New("pcapng: not little-endian")
			}
		case interfaceDescription:
			ticks = append(ticks, resolution(body))
		case enhancedPacket:
			if len(body) < 20 || int(le.Uint32(body[12:])) > len(body)-20 || int(le.Uint32(body)) >= len(ticks) {
				return nil, errors.New("pcapng: malformed packet block")
			}
			stamp, second := uint64(le.Uint32(body[4:]))<<32|uint64(le.Uint32(body[8:])), ticks[le.Uint32(body)]
			at := time.Duration(stamp/second)*time.Second + time.Duration(stamp%second*1e9/second)
			frames = append(frames, frame{at, body[20 : 20+le.Uint32(body[12:])]})
		}
		b = b[size:]
	}
	return frames, nil
}

// resolution is how many ticks of an interface's clock make a second.
func resolution(description []byte) uint64 {
	le := binary.LittleEndian
	const beforeOptions = 8
	for o := description[min(beforeOptions, len(description)):]; len(o) >= 4; {
		code, size := le.Uint16(o), int(le.Uint16(o[2:]))
		if code == 0 || size > len(o)-4 {
			break
		}
		if code == optionTimeResolution && size == 1 && o[4] < 20 {
			n := uint64(1)
			for range o[4] {
				n *= 10
			}
			return n
		}
		o = o[min(len(o), 4+(size+3)&^3):]
	}
	return 1e6
}
