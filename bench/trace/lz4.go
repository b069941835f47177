package trace

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/pierrec/lz4/v4"
)

// newLZ4 returns a reader of what is compressed as lz4. Package lz4 takes a file that ends between two blocks for a whole one,
// so the structure is looked at on its way there.
//
// https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
func newLZ4(source io.Reader) io.Reader {
	l := &lz4Parts{structure: structure{source: bufio.NewReaderSize(source, 4<<10)}}
	l.part = l.header
	return &structured{lz4.NewReader(l), &l.structure}
}

// lz4Parts are those of an lz4 file.
type lz4Parts struct {
	structure
	behindBlock, behindAll int64 // bytes of checksums
}

func (l *lz4Parts) header() error {
	const (
		fixed                                  = 7
		number, skippable                      = 0x184d2204, 0x184d2a50
		dictionary, contentSum, size, blockSum = 1, 4, 8, 16
	)
	b, err := l.source.Peek(fixed)
	switch {
	case err != nil:
		return l.is(1, l.header) // the end
	case binary.LittleEndian.Uint32(b)&^15 == skippable:
		return l.skipped()
	case binary.LittleEndian.Uint32(b) != number:
		return l.rest()
	}
	l.whole = false
	length, flags := int64(fixed), b[4]
	for flag, bytes := range map[byte]int64{dictionary: 4, size: 8} {
		if flags&flag != 0 {
			length += bytes
		}
	}
	l.behindBlock, l.behindAll = int64(flags&blockSum)/blockSum*4, int64(flags&contentSum)/contentSum*4
	return l.is(length, l.block)
}

// skipped is a frame that is for others.
func (l *lz4Parts) skipped() error {
	const header = 8
	b, err := l.source.Peek(header)
	if err != nil {
		return l.rest()
	}
	return l.is(header+int64(binary.LittleEndian.Uint32(b[4:])), l.header)
}

func (l *lz4Parts) block() error {
	const length, plain = 4, 1 << 31
	b, err := l.source.Peek(length)
	if err != nil {
		return l.rest()
	}
	if size := binary.LittleEndian.Uint32(b); size != 0 {
		return l.is(length+int64(size&^plain)+l.behindBlock, l.block)
	}
	return l.ends(length+l.behindAll, l.header)
}
