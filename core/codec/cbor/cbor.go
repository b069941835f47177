// Package cbor is the codec of CBOR (RFC 8949; github.com/fxamacker/cbor).
package cbor

import (
	"math"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/edgecache/edgecache/core/codec"
)

// maxDepth is how deep arrays, maps and tags may nest.
const maxDepth = 1000

// Codec is the codec of what the cbor package marshals. New makes one. In a value of type any, maps come back as
// map[any]any.
type Codec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

var _ codec.Codec = (*Codec)(nil)

// New returns a Codec. Times keep their nanoseconds and zone: they are text with tag 0.
func New() *Codec {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic(err) // the options above are constants
	}
	// The library checks the whole structure before it makes anything: sizes that the bytes claim are there.
	dec, err := cbor.DecOptions{
		MaxNestedLevels: maxDepth, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
	}.DecMode()
	if err != nil {
		panic(err) // as above
	}
	return &Codec{enc: enc, dec: dec}
}

// ID returns codec.IDCBOR.
func (*Codec) ID() uint8 { return codec.IDCBOR }

// Name returns "cbor".
func (*Codec) Name() string { return "cbor" }

// Append takes whatever cbor.Marshal takes.
func (c *Codec) Append(dst []byte, v any) ([]byte, error) {
	data, err := c.enc.Marshal(v)
	if err != nil {
		return dst, codec.EncodeError(c, v, err)
	}
	if dst == nil {
		return slices.Clip(data), nil
	}
	return append(dst, data...), nil
}

// Decode takes whatever cbor.Unmarshal takes.
func (c *Codec) Decode(data []byte, v any) error {
	if err := c.dec.Unmarshal(data, v); err != nil {
		return codec.DecodeError(c, err)
	}
	return nil
}
