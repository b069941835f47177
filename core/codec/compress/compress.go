// Package compress is a codec around another that makes its bytes smaller.
package compress

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/edgecache/edgecache/core/codec"
)

// Method is how bytes are compressed.
type Method uint8

// The methods. The numbers are stored and never change.
const (
	stored Method = iota
	S2            // fast both ways (github.com/klauspost/compress/s2)
	Zstd          // smaller and slower to write (RFC 8878)
)

// Options configures a Codec.
type Options struct {
	// Method is S2 or Zstd. 0 means S2. Every Codec reads both.
	Method Method
	// MinSize is the size in bytes from which values are compressed. 0 means 1 KiB. Those that do not shrink stay as
	// they are.
	MinSize int
	// MaxSize bounds the size of a value in bytes, not compressed: a larger one can't be written, and what claims to be
	// larger is not read. 0 means 64 MiB.
	MaxSize int
}

// Codec compresses the bytes of another codec. What it stores begins with the number of that codec, the method and, if
// compressed, the size as it was.
type Codec struct {
	inner   codec.Codec
	options Options
	enc     *zstd.Encoder
	dec     *zstd.Decoder
}

var _ codec.Codec = (*Codec)(nil)

// New returns a Codec around inner.
func New(inner codec.Codec, o Options) (*Codec, error) {
	if inner == nil {
		return nil, errors.New("compress: no codec to compress the bytes of")
	}
	if o.Method > Zstd {
		return nil, fmt.Errorf("compress: method %d is neither S2 nor Zstd", o.Method)
	}
	if o.MinSize < 0 || o.MaxSize < 0 {
		return nil, fmt.Errorf("compress: MinSize %d and MaxSize %d must not be negative", o.MinSize, o.MaxSize)
	}
	if o.Method == stored {
		o.Method = S2
	}
	if o.MinSize == 0 {
		o.MinSize = 1 << 10
	}
	if o.MaxSize == 0 {
		o.MaxSize = 64 << 20
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(o.MaxSize)), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &Codec{inner: inner, options: o, enc: enc, dec: dec}, nil
}

// ID returns codec.IDCompress.
func (*Codec) ID() uint8 { return codec.IDCompress }

// Name returns the inner codec's name with "compress" before it.
func (c *Codec) Name() string { return "compress " + c.inner.Name() }

// Append takes what the inner codec takes.
func (c *Codec) Append(dst []byte, v any) ([]byte, error) {
	data, err := c.inner.Append(nil, v)
	if err != nil {
		return dst, err
	}
	if len(data) > c.options.MaxSize {
		return dst, codec.EncodeError(c, v, fmt.Errorf("%d bytes are more than the limit of %d", len(data), c.options.MaxSize))
	}
	if len(data) >= c.options.MinSize {
		if small := c.compress(dst, data); len(small)-len(dst) < 2+len(data) {
			return small, nil
		}
	}
	dst = append(dst, c.inner.ID(), byte(stored))
	return append(dst, data...), nil
}

func (c *Codec) compress(dst, data []byte) []byte {
	dst = append(dst, c.inner.ID(), byte(c.options.Method))
	dst = binary.AppendUvarint(dst, uint64(len(data)))
	if c.options.Method == Zstd {
		return c.enc.EncodeAll(data, dst)
	}
	return append(dst, s2.Encode(nil, data)...)
}

// Decode takes what the inner codec takes.
func (c *Codec) Decode(data []byte, v any) error {
	plain, err := c.expand(data)
	if err != nil {
		return codec.DecodeError(c, err)
	}
	return c.inner.Decode(plain, v)
}

func (c *Codec) expand(data []byte) ([]byte, error) {
	if len(data) < 2 {
		return nil, errors.New("cut short")
	}
	if data[0] != c.inner.ID() {
		return nil, fmt.Errorf("made of codec %d, not %d", data[0], c.inner.ID())
	}
	method, data := Method(data[1]), data[2:]
	if method == stored {
		return data, nil
	}
	size, n := binary.Uvarint(data)
	if n <= 0 || size > uint64(c.options.MaxSize) {
		return nil, fmt.Errorf("claims a size of %d, at most %d bytes are allowed", size, c.options.MaxSize)
	}
	plain, err := c.decompress(method, data[n:], int(size))
	if err == nil && uint64(len(plain)) != size {
		err = fmt.Errorf("holds %d bytes and claims %d", len(plain), size)
	}
	return plain, err
}

// maxRatio bounds what is allocated at once on the word of a few bytes.
const maxRatio = 256

// decompress returns what data hold, which claim to be size bytes.
func (c *Codec) decompress(method Method, data []byte, size int) ([]byte, error) {
	switch method {
	case S2:
		if n, err := s2.DecodedLen(data); err != nil || n != size {
			return nil, fmt.Errorf("an s2 block of another size than %d", size)
		}
		return s2.Decode(nil, data)
	case Zstd:
		return c.dec.DecodeAll(data, make([]byte, 0, min(size, maxRatio*len(data))))
	default:
		return nil, fmt.Errorf("unknown method %d", method)
	}
}
