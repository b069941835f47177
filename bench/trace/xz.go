package trace

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
)

// newXZ returns a reader of what is compressed as xz. Package xz makes dictionaries as large as the file wants, and takes a
// file that ends between two blocks for a whole one, so the structure is looked at on its way there.
//
// https://tukaani.org/xz/xz-file-format.txt
func newXZ(source io.Reader) (io.Reader, error) {
	looked := &xzStructure{source: bufio.NewReaderSize(source, 4<<10), part: (*xzStructure).streamHeader}
	plain, err := xz.NewReader(looked)
	if looked.err != nil {
		err = looked.err
	}
	if err != nil {
		return nil, err
	}
	return &xzReader{plain: plain, structure: looked}, nil
}

type xzReader struct {
	plain     io.Reader
	structure *xzStructure
}

func (x *xzReader) Read(p []byte) (int, error) {
	n, err := x.plain.Read(p)
	switch {
	case err == nil:
		return n, nil
	case x.structure.err != nil:
		return n, x.structure.err
	case errors.Is(err, io.EOF) && !x.structure.whole:
		return n, io.ErrUnexpectedEOF
	default:
		return n, err
	}
}

// xzStructure hands out what it reads, part by part, and refuses dictionaries that are too large. What is wrong in another
// way it leaves to who reads it.
type xzStructure struct {
	source *bufio.Reader
	part   func(*xzStructure) error // finds out how long the next part is
	left   int64                    // bytes of the part
	check  int64                    // bytes behind each block
	packed int64                    // bytes of the block
	rows   uint64                   // of the index
	whole  bool                     // a stream is over
	err    error                    // why nothing comes any more
}

func (x *xzStructure) Read(p []byte) (int, error) {
	if x.left == 0 {
		if x.err = x.part(x); x.err != nil {
			return 0, x.err
		}
	}
	n, err := x.source.Read(p[:min(int64(len(p)), max(x.left, 1))])
	x.left -= min(int64(n), x.left)
	return n, err
}

// is says how long this part is and what is behind it.
func (x *xzStructure) is(length int64, next func(*xzStructure) error) {
	x.left, x.part = length, next
}

// rest gives up on what is not as it should be: the reader will find that out.
func (x *xzStructure) rest() error {
	x.is(1<<62, (*xzStructure).rest)
	return nil
}

func (x *xzStructure) streamHeader() error {
	const length, flags = 12, 7
	b, err := x.source.Peek(length)
	if err != nil || b[0] == 0 { // the end, or padding between streams
		x.is(4, (*xzStructure).streamHeader)
		return nil
	}
	x.whole = false
	x.check = int64([...]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[b[flags]&15])
	x.is(length, (*xzStructure).blockHeader)
	return nil
}

func (x *xzStructure) blockHeader() error {
	b, err := x.source.Peek(1)
	if err != nil {
		return x.rest()
	}
	if b[0] == 0 {
		x.packed = 1
		x.is(1, (*xzStructure).indexRows)
		return nil
	}
	length := 4 * (int(b[0]) + 1)
	if b, err = x.source.Peek(length); err != nil {
		return x.rest()
	}
	if size := xzDictionary(b[1:]); size > largestXZ {
		return fmt.Errorf("expected a dictionary of at most %d MiB, found one of %d: compress it again with a smaller one (xz -9)",
			largestXZ>>20, size>>20)
	}
	x.packed = 0
	x.is(int64(length), (*xzStructure).chunk)
	return nil
}

// xzDictionary returns the size of the dictionary of the block with that header, or 0 if it is none of LZMA2 alone.
func xzDictionary(header []byte) uint64 {
	const (
		filters, packed, unpacked = 0x03, 0x40, 0x80
		lzma2                     = 0x21
	)
	flags, b := header[0], header[1:]
	for _, there := range []byte{packed, unpacked} {
		if flags&there != 0 {
			_, n := binary.Uvarint(b)
			b = b[max(n, 0):]
		}
	}
	if flags&filters != 0 || !bytes.HasPrefix(b, []byte{lzma2, 1}) || len(b) < 3 {
		return 0
	}
	size := b[2] & 63
	return (2 | uint64(size&1)) << (size/2 + 11)
}

// chunk is one of LZMA2's, or the end of the block.
func (x *xzStructure) chunk() error {
	const plain, packed = 3, 6
	b, err := x.source.Peek(1)
	if err != nil {
		return x.rest()
	}
	length := int64(0)
	switch control := b[0]; {
	case control == 0:
		x.packed++
		padding := -x.packed & 3
		x.is(1+padding+x.check, (*xzStructure).blockHeader)
		return nil
	case control < 0x80:
		if b, err = x.source.Peek(plain); err != nil {
			return x.rest()
		}
		length = plain + int64(binary.BigEndian.Uint16(b[1:])) + 1
	default:
		if b, err = x.source.Peek(packed); err != nil {
			return x.rest()
		}
		length = packed - 1 + int64(binary.BigEndian.Uint16(b[3:])) + 1
		if control >= 0xc0 {
			length++ // properties
		}
	}
	x.packed += length
	x.is(length, (*xzStructure).chunk)
	return nil
}

// number looks at a number of the index.
func (x *xzStructure) number() (n uint64, length int) {
	b, _ := x.source.Peek(binary.MaxVarintLen64)
	return binary.Uvarint(b)
}

func (x *xzStructure) indexRows() error {
	n, length := x.number()
	if length <= 0 || n > 1<<60 {
		return x.rest()
	}
	x.rows = 2 * n
	x.packed += int64(length)
	x.is(int64(length), (*xzStructure).indexRow)
	return nil
}

func (x *xzStructure) indexRow() error {
	if x.rows == 0 {
		const checksum, footer = 4, 12
		x.is(-x.packed&3+checksum+footer-1, (*xzStructure).lastByte)
		return nil
	}
	_, length := x.number()
	if length <= 0 {
		return x.rest()
	}
	x.rows--
	x.packed += int64(length)
	x.is(int64(length), (*xzStructure).indexRow)
	return nil
}

func (x *xzStructure) lastByte() error {
	_, err := x.source.Peek(1)
	x.whole = err == nil
	x.is(1, (*xzStructure).streamHeader)
	return nil
}
