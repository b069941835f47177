package file

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/edgecache/edgecache/core"
)

// The file of an entry, format 1. Numbers are little-endian.
//
//	offset  bytes
//	     0      8  magic "ecfile1\n"
//	     8      8  version
//	    16      8  expires, unix nanoseconds, 0 is never
//	    24      4  client flags
//	    28      1  codec
//	    29      3  0
//	    32      4  length of the key
//	    36      4  CRC-32C of the value
//	    40      8  length of the value
//	    48      4  CRC-32C of bytes 0 to 48 and of the key
//	    52         the key, then the value, then nothing
//
// The head has a checksum of its own so that a scan can trust it without reading values. It has the key in full, where
// codec's envelope has a hash of it: names of files are hashes, and a scan must get back to the keys.
const (
	fileMagic  = "ecfile1\n"
	offVersion = 8
	offExpires = 16
	offFlags   = 24
	offCodec   = 28
	offZero    = 29
	offKeyLen  = 32
	offSum     = 36
	offLen     = 40
	offHeadSum = 48
	headSize   = 52
)

// maxValue is the length of the longest values, as core's own bound is by default.
const maxValue = 512 << 20

// castagnoli is the table of CRC-32C, for which processors have an instruction. It is never changed.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileSize is the length of the file of an entry.
func fileSize(key string, e *core.Entry) int64 {
	return headSize + int64(len(key)) + int64(len(e.Value))
}

// appendHead appends what stands before the value in the file of an entry.
func appendHead(dst []byte, key string, e *core.Entry) []byte {
	n := len(dst)
	dst = append(dst, fileMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, e.Version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Expires))
	dst = binary.LittleEndian.AppendUint32(dst, e.Flags)
	dst = append(dst, e.Codec, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(key)))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(e.Value, castagnoli))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(e.Value)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, key...)
	binary.LittleEndian.PutUint32(dst[n+offHeadSum:], headSum(dst[n:]))
	return dst
}

// headSum is the checksum of a head with its key.
func headSum(head []byte) uint32 {
	return crc32.Update(crc32.Checksum(head[:offHeadSum], castagnoli), castagnoli, head[headSize:])
}

// head is what a file says of its entry before the value.
type head struct {
	key     []byte // a view
	value   int64  // its length
	expires int64
}

// size is the length of the whole file.
func (h *head) size() int64 { return headSize + int64(len(h.key)) + h.value }

// damaged is an error that says what is wrong with stored bytes.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{core.ErrDecode}, args...)...)
}

// keyLength returns how long the key of the file is that begins with data, so that a reader knows how much a head takes.
// That number is not proven yet.
func keyLength(data []byte) (int64, error) {
	if len(data) < headSize || string(data[:len(fileMagic)]) != fileMagic {
		return 0, damaged("no file of this cache")
	}
	return int64(binary.LittleEndian.Uint32(data[offKeyLen:])), nil
}

// parseHead reads the head of a file, of which data is the beginning. The key is a view of data.
func parseHead(data []byte) (head, error) {
	n, err := keyLength(data)
	switch {
	case err != nil:
		return head{}, err
	case int64(len(data)) < headSize+n:
		return head{}, damaged("head cut short")
	case headSum(data[:headSize+n]) != binary.LittleEndian.Uint32(data[offHeadSum:]):
		return head{}, damaged("wrong checksum of the head")
	case [3]byte(data[offZero:]) != [3]byte{}:
		return head{}, damaged("unknown fields")
	}
	length := binary.LittleEndian.Uint64(data[offLen:])
	if length > maxValue {
		return head{}, damaged("value of %d bytes", length)
	}
	return head{
		key: data[headSize : headSize+n], value: int64(length),
		expires: int64(binary.LittleEndian.Uint64(data[offExpires:])),
	}, nil
}

// decode reads the file of key's entry, or returns an error that is core.ErrDecode. The entry's value is a view of data.
func decode(key string, data []byte) (*core.Entry, error) {
	h, err := parseHead(data)
	switch {
	case err != nil:
		return nil, err
	case string(h.key) != key:
		return nil, damaged("file of another key")
	case h.size() != int64(len(data)):
		return nil, damaged("%d bytes, not %d", len(data), h.size())
	}
	value := data[headSize+len(h.key):]
	if crc32.Checksum(value, castagnoli) != binary.LittleEndian.Uint32(data[offSum:]) {
		return nil, damaged("wrong checksum of the value")
	}
	e := entryOf(data)
	e.Value = slices.Clip(value)
	return e, nil
}
