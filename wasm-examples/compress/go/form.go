//go:build wasip1

package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

const (
	magic     = "\xec\x5a\xf1"
	headerLen = 12 // magic, method, u32 length, u32 check

	stored   = 0
	deflated = 2
)

// header is what stands before a compressed value.
type header struct {
	method byte
	length int
	check  uint32
}

// readHeader reads the header of the call's value, if that has one.
func readHeader(c *edgecache.Call) (h header, ok bool) {
	b := c.Out()[:headerLen]
	if c.ValueLen() < headerLen || c.ReadValue(b, 0) != headerLen || string(b[:3]) != magic {
		return h, false
	}
	return header{b[3], int(binary.LittleEndian.Uint32(b[4:])), binary.LittleEndian.Uint32(b[8:])}, true
}

// put writes the header to the front of b.
func (h header) put(b []byte) {
	copy(b, magic)
	b[3] = h.method
	binary.LittleEndian.PutUint32(b[4:], uint32(h.length))
	binary.LittleEndian.PutUint32(b[8:], h.check)
}

func check(value []byte) uint32 { return uint32(edgecache.Hash(value)) }

// codec is both ends of DEFLATE, which are large, and made when they are needed first.
type codec struct {
	writer *flate.Writer
	reader io.ReadCloser
	sink   limited
	source bytes.Reader
	more   [1]byte // what comes behind a value: nothing
}

// limited takes bytes up to a limit.
type limited struct {
	b     []byte
	limit int
}

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.limit-len(l.b) {
		return 0, io.ErrShortWrite
	}
	l.b = append(l.b, b...)
	return len(b), nil
}

// deflate appends value compressed to b, or returns false if that takes more than limit bytes.
func (c *codec) deflate(b, value []byte, limit int) ([]byte, bool) {
	c.sink = limited{b, limit}
	if c.writer == nil {
		c.writer, _ = flate.NewWriter(&c.sink, flate.BestSpeed) // the level is right
	} else {
		c.writer.Reset(&c.sink)
	}
	if _, err := c.writer.Write(value); err != nil {
		return nil, false
	}
	if err := c.writer.Close(); err != nil {
		return nil, false
	}
	return c.sink.b, true
}

// inflate fills value with what b was made from, and reports whether it was that long.
func (c *codec) inflate(value, b []byte) bool {
	c.source.Reset(b)
	if c.reader == nil {
		c.reader = flate.NewReader(&c.source)
	} else if err := c.reader.(flate.Resetter).Reset(&c.source, nil); err != nil {
		return false
	}
	if _, err := io.ReadFull(c.reader, value); err != nil {
		return false
	}
	n, err := c.reader.Read(c.more[:])
	return n == 0 && err == io.EOF
}
