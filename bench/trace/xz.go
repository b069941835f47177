package trace

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
)

// newXZ returns a reader of what is compressed as xz. Package xz makes dictionaries as large as the file wants, and takes a
// file that ends between two blocks for a whole one, so the structure is looked at on its way there.
//
// https://tukaani.org/xz/xz-file-format.txt
func newXZ(source io.Reader) (io.Reader, error) {
	x := &xzParts{structure: structure{source: bufio.NewReaderSize(source, 4<<10)}}
	x.part = x.streamHeader
	plain, err := xz.NewReader(x)
	if x.err != nil {
		err = x.err
	}
	if err != nil {
		return nil, err
	}
	return &structured{plain, &x.structure}, nil
}

// xzParts are those of an xz file. Dictionaries that are too large are refused.
type xzParts struct {
	structure
	check  int64  // bytes behind each block
	packed int64  // bytes of the block, or of the index
	rows   uint64 // of the index
}

func (x *xzParts) streamHeader() error {
	const length, flags = 12, 7
	b, err := x.source.Peek(length)
	if err != nil || b[0] == 0 { // the end, or padding between streams
		return x.is(4, x.streamHeader)
	}
	x.whole = false
	x.check = int64([...]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[b[flags]&15])
	return x.is(length, x.blockHeader)
}

func (x *xzParts) blockHeader() error {
	b, err := x.source.Peek(1)
	if err != nil {
		return x.rest()
	}
	if b[0] == 0 {
		x.packed = 1
		return x.is(1, x.indexRows)
	}
	length := 4 * (int(b[0]) + 1)
	if b, err = x.source.Peek(length); err != nil {
		return x.rest()
	}
	if size := xzDictionary(b[1:]); size > largestXZ {
		return fmt.Errorf("expected an xz dictionary of at most %d MiB, found one of %d: compress it again with a smaller one (xz -9)",
			largestXZ>>20, size>>20)
	}
	x.packed = 0
	return x.is(int64(length), x.chunk)
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
func (x *xzParts) chunk() error {
	const plain, packed = 3, 6
	b, err := x.source.Peek(1)
	if err != nil {
		return x.rest()
	}
	var length int64
	switch control := b[0]; {
	case control == 0:
		x.packed++
		padding := -x.packed & 3
		return x.is(1+padding+x.check, x.blockHeader)
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
	return x.is(length, x.chunk)
}

// number looks at a number of the index.
func (x *xzParts) number() (n uint64, length int) {
	b, _ := x.source.Peek(binary.MaxVarintLen64)
	return binary.Uvarint(b)
}

func (x *xzParts) indexRows() error {
	n, length := x.number()
	if length <= 0 || n > 1<<60 {
		return x.rest()
	}
	x.rows = 2 * n
	x.packed += int64(length)
	return x.is(int64(length), x.indexRow)
}

func (x *xzParts) indexRow() error {
	if x.rows == 0 {
		const checksum, footer = 4, 12
		return x.ends(-x.packed&3+checksum+footer, x.streamHeader)
	}
	_, length := x.number()
	if length <= 0 {
		return x.rest()
	}
	x.rows--
	x.packed += int64(length)
	return x.is(int64(length), x.indexRow)
}
