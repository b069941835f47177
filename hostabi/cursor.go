package hostabi

import (
	"encoding/binary"
	"fmt"
)

// cursor reads a module's bytes. After the first error every method returns zero values and changes nothing.
type cursor struct {
	b    []byte // what is left
	base int    // where the whole ends in the module, for errors: offset = base - len(b)
	err  error
}

func (c *cursor) offset() int { return c.base - len(c.b) }

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("at byte %d: %w", c.offset(), fmt.Errorf(format, args...))
		c.b = nil
	}
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail("the module ends too soon")
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

// take returns the next n bytes.
func (c *cursor) take(n uint32) []byte {
	if uint64(n) > uint64(len(c.b)) {
		c.fail("%d bytes belong here, %d are left", n, len(c.b))
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// sub returns a cursor over the next n bytes.
func (c *cursor) sub(n uint32) cursor {
	b := c.take(n)
	return cursor{b: b, base: c.offset(), err: c.err}
}

// u32 reads a LEB128 number.
func (c *cursor) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		d := c.byte()
		v |= uint64(d&0x7f) << shift
		if d < 0x80 {
			if v > 1<<32-1 {
				c.fail("number is larger than 32 bits")
				return 0
			}
			return uint32(v)
		}
	}
	c.fail("number is longer than 5 bytes")
	return 0
}

// skipLEB reads over a signed or unsigned LEB128 number of at most size bytes.
func (c *cursor) skipLEB(size int) {
	for range size {
		if c.byte() < 0x80 {
			return
		}
	}
	c.fail("number is longer than %d bytes", size)
}

// maxCount bounds every vector, so that what is made of one stays small whatever it is made into.
const maxCount = 1 << 20

// count reads how many elements follow, each of size bytes at least: never more than there can be.
func (c *cursor) count(what string, size int) int {
	n := c.u32()
	if n > maxCount {
		c.fail("%d %s: at most %d are allowed", n, what, maxCount)
		return 0
	}
	if int(n)*size > len(c.b) {
		c.fail("%d %s can't be in the %d bytes left", n, what, len(c.b))
		return 0
	}
	return int(n)
}

// vec returns a vector of bytes.
func (c *cursor) vec() []byte { return c.take(c.u32()) }

// end fails if anything is left.
func (c *cursor) end() {
	if c.err == nil && len(c.b) != 0 {
		c.fail("%d bytes too many in the section", len(c.b))
	}
}

// appendU32 appends v as LEB128.
func appendU32(b []byte, v uint32) []byte { return binary.AppendUvarint(b, uint64(v)) }
