// Package msgpack is the codec of MessagePack (github.com/vmihailenco/msgpack).
package msgpack

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/edgecache/edgecache/core/codec"
)

// Codec is the codec of what the msgpack package marshals: structs as maps by field name, or as the field's msgpack tag
// says. In a value of type any, maps come back as map[string]any and numbers in the smallest type that holds them.
type Codec struct{}

var _ codec.Codec = Codec{}

// ID returns codec.IDMessagePack.
func (Codec) ID() uint8 { return codec.IDMessagePack }

// Name returns "msgpack".
func (Codec) Name() string { return "msgpack" }

// Append takes whatever msgpack.Marshal takes.
func (c Codec) Append(dst []byte, v any) (_ []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = codec.EncodeError(c, v, fmt.Errorf("panic: %v", r))
		}
	}()
	b := bytes.NewBuffer(dst)
	e := msgpack.GetEncoder()
	defer msgpack.PutEncoder(e)
	e.Reset(b)
	if err := e.Encode(v); err != nil {
		return dst, codec.EncodeError(c, v, err)
	}
	return b.Bytes(), nil
}

// Decode takes whatever msgpack.Unmarshal takes. The bytes are walked first: the library believes the sizes that they
// claim, and follows nesting without end.
func (c Codec) Decode(data []byte, v any) (err error) {
	if err := check(data); err != nil {
		return codec.DecodeError(c, err)
	}
	defer func() {
		if r := recover(); r != nil {
			err = codec.DecodeError(c, fmt.Errorf("panic: %v", r))
		}
	}()
	r := bytes.NewReader(data)
	d := msgpack.GetDecoder()
	defer msgpack.PutDecoder(d)
	d.Reset(r)
	if err := d.Decode(v); err != nil {
		return codec.DecodeError(c, err)
	}
	if r.Len() > 0 {
		return codec.DecodeError(c, errors.New("bytes after the end"))
	}
	return nil
}
