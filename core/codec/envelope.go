package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// The envelope, format 1. Numbers are little-endian.
//
//	offset  bytes
//	     0      1  magic 0xEC
//	     1      1  format, 1
//	     2      1  header bits
//	     3      1  codec
//	     4      8  version
//	    12      8  expires, unix nanoseconds, 0 is never
//	    20      4  client flags
//	    24      8  xxhash64 of the full key
//	    32      4  CRC-32C of bytes 0 to 32 and all that follows this field
//	    36         optional sections, then the value
//
// Header bits 0 to 3 are required: a reader that does not know a set one can't read the value. Bits 4 to 7 are optional:
// each set one announces a section between header and value, in the order of the bits, that begins with its length as a
// uint16; a reader skips those it does not know. Format 1 as written here sets none.
const (
	magic        = 0xEC // never begins a decimal number nor UTF-8 text of ASCII
	format       = 1
	offBits      = 2
	offCodec     = 3
	offVersion   = 4
	offExpires   = 12
	offFlags     = 20
	offHash      = 24
	offSum       = 32
	requiredBits = 0x0f
)

// EnvelopeSize is how many bytes an envelope adds to a value.
const EnvelopeSize = 36

// Why a stored value can't be read. Backends report them as damaged.
var (
	// ErrDamaged is returned for an envelope that is cut short or whose checksum does not fit.
	ErrDamaged = errors.New("envelope is damaged")
	// ErrOtherKey is returned for an intact envelope that was written under another key.
	ErrOtherKey = errors.New("envelope belongs to another key")
	// ErrNewer is returned for an envelope of a format, or with required header bits, that this version does not know.
	ErrNewer = errors.New("envelope is of a newer format")
)

// Envelope is a value with the metadata that a remote store keeps beside it.
type Envelope struct {
	// Value is the stored bytes. From OpenEnvelope it is a view of the data.
	Value []byte
	// Expires is when the value ends, in unix nanoseconds. 0 is never.
	Expires int64
	// Version orders the writes of a key. 0 is unknown: a plain value.
	Version uint64
	// Flags are the client's own bits.
	Flags uint32
	// Codec names the codec that made Value. 0 is plain bytes.
	Codec uint8
}

// Plain reports whether the value is stored as it is, without an envelope, so that the store's own counter commands work
// on it: a decimal number without client flags and codec. Its expiry is then the store's alone, and its version is lost.
func (e *Envelope) Plain() bool { return e.Flags == 0 && e.Codec == 0 && IsCounter(e.Value) }

// AppendEnvelope appends the envelope of e as key's value to dst. It wraps every value; ask Plain first.
func AppendEnvelope(dst []byte, key string, e Envelope) []byte {
	n := len(dst)
	dst = append(dst, magic, format, 0, e.Codec)
	dst = binary.LittleEndian.AppendUint64(dst, e.Version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Expires))
	dst = binary.LittleEndian.AppendUint32(dst, e.Flags)
	dst = binary.LittleEndian.AppendUint64(dst, xxhash.Sum64String(key))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, e.Value...)
	binary.LittleEndian.PutUint32(dst[n+offSum:], checksum(dst[n:]))
	return dst
}

// OpenEnvelope reads what a store holds at key. Data that is no envelope is a plain value, of other clients or Plain:
// it is returned as it is, with version 0. Data that was an envelope and can't be read is ErrDamaged, ErrOtherKey or
// ErrNewer. It neither copies nor changes data.
func OpenEnvelope(key string, data []byte) (Envelope, error) {
	if !isEnvelope(key, data) {
		return Envelope{Value: data}, nil
	}
	if err := verify(key, data); err != nil {
		return Envelope{}, err
	}
	value, err := skipSections(data[EnvelopeSize:], data[offBits])
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{
		Value:   value,
		Expires: int64(binary.LittleEndian.Uint64(data[offExpires:])),
		Version: binary.LittleEndian.Uint64(data[offVersion:]),
		Flags:   binary.LittleEndian.Uint32(data[offFlags:]),
		Codec:   data[offCodec],
	}, nil
}

// isEnvelope reports whether data is meant as an envelope: it has the magic, or the key's hash where an envelope has it,
// so that a broken first byte does not turn an envelope into a plain value.
func isEnvelope(key string, data []byte) bool {
	if len(data) > 0 && data[0] == magic {
		return true
	}
	return len(data) >= EnvelopeSize && binary.LittleEndian.Uint64(data[offHash:]) == xxhash.Sum64String(key)
}

func verify(key string, data []byte) error {
	switch {
	case len(data) < EnvelopeSize:
		return fmt.Errorf("%w: %d bytes are too few", ErrDamaged, len(data))
	case binary.LittleEndian.Uint32(data[offSum:]) != checksum(data):
		return fmt.Errorf("%w: wrong checksum", ErrDamaged)
	case data[0] != magic:
		return fmt.Errorf("%w: first byte %#02x", ErrDamaged, data[0])
	case data[1] != format:
		return fmt.Errorf("%w: format %d", ErrNewer, data[1])
	case data[offBits]&requiredBits != 0:
		return fmt.Errorf("%w: required header bits %#02x", ErrNewer, data[offBits]&requiredBits)
	case binary.LittleEndian.Uint64(data[offHash:]) != xxhash.Sum64String(key):
		return ErrOtherKey
	}
	return nil
}

// skipSections returns what follows the optional sections that the header bits announce.
func skipSections(b []byte, header uint8) ([]byte, error) {
	for range bits.OnesCount8(header &^ requiredBits) {
		if len(b) < 2 || len(b)-2 < int(binary.LittleEndian.Uint16(b)) {
			return nil, fmt.Errorf("%w: section cut short", ErrDamaged)
		}
		b = b[2+int(binary.LittleEndian.Uint16(b)):]
	}
	return b, nil
}

// castagnoli is the table of CRC-32C, for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers all of an envelope but the checksum itself.
func checksum(data []byte) uint32 {
	return crc32.Update(crc32.Checksum(data[:offSum], castagnoli), castagnoli, data[EnvelopeSize:])
}
