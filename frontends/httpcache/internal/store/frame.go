package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// What the cache has as values are frames. Numbers are little-endian.
//
//	offset  bytes
//	     0      4  magic "ehc1", the last byte of which is the version
//	     4      1  kind
//	     5      3  0
//	     8      8  xxHash64 of all that follows
//	    16         of a response: its record (record.go), then the body if it is inline
//	               of an index: its rules and variants (index.go)
//	               of a segment: what it is of (segment.go), then its bytes
const (
	frameMagic = "ehc1"
	offKind    = 4
	offSum     = 8
	frameSize  = 16
)

// kind says what a frame has.
type kind byte

const (
	kindResponse kind = iota + 1
	kindIndex
	kindSegment
)

// errFrame is what a frame is that is damaged, or of another version or kind. Callers take it for a miss.
var errFrame = errors.New("damaged frame")

// beginFrame appends the head of a frame, which endFrame completes.
func beginFrame(dst []byte, k kind) []byte {
	dst = append(dst, frameMagic...)
	return append(dst, byte(k), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// endFrame sets the checksum of a whole frame.
func endFrame(frame []byte) {
	binary.LittleEndian.PutUint64(frame[offSum:], xxhash.Sum64(frame[frameSize:]))
}

// openFrame returns what is behind the head of a proven frame, and its kind.
func openFrame(frame []byte) (kind, []byte, error) {
	k, err := frameKind(frame)
	if err == nil && xxhash.Sum64(frame[frameSize:]) != binary.LittleEndian.Uint64(frame[offSum:]) {
		err = fmt.Errorf("%w: wrong checksum", errFrame)
	}
	if err != nil {
		return 0, nil, err
	}
	return k, frame[frameSize:], nil
}

// frameKind reads the head of a frame, which proves nothing of what follows.
func frameKind(frame []byte) (kind, error) {
	switch {
	case len(frame) < frameSize || string(frame[:len(frameMagic)]) != frameMagic:
		return 0, fmt.Errorf("%w: no frame of this version", errFrame)
	case [3]byte(frame[offKind+1:]) != [3]byte{}:
		return 0, fmt.Errorf("%w: unknown fields", errFrame)
	}
	return kind(frame[offKind]), nil
}

// view returns b as a string without copying. b must never change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// cursor reads numbers and bytes from the front of data. What it returns are views. Once data is too short it has failed, and
// returns zeros.
type cursor struct {
	data   []byte
	failed bool
}

func (c *cursor) bytes(n uint64) []byte {
	if uint64(len(c.data)) < n {
		c.data, c.failed = nil, true
		return nil
	}
	b := c.data[:n:n]
	c.data = c.data[n:]
	return b
}

func (c *cursor) u8() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// text reads a length of 32 bits and so many bytes.
func (c *cursor) text() string { return view(c.bytes(uint64(c.u32()))) }

func appendText[S string | []byte](dst []byte, s S) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendU64(dst []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(dst, n) }
