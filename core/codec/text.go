package codec

import (
	"bytes"
	"errors"
	"strconv"
)

// Bytes is the codec of []byte: the bytes themselves.
type Bytes struct{}

var _ Codec = Bytes{}

// ID returns IDBytes.
func (Bytes) ID() uint8 { return IDBytes }

// Name returns "bytes".
func (Bytes) Name() string { return "bytes" }

// Append takes a []byte or *[]byte.
func (c Bytes) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return append(dst, v...), nil
	case *[]byte:
		return append(dst, *v...), nil
	default:
		return dst, EncodeError(c, v, errType)
	}
}

// Decode takes a *[]byte and gives it a copy, which is never nil.
func (c Bytes) Decode(data []byte, v any) error {
	p, ok := v.(*[]byte)
	if !ok {
		return DecodeError(c, errType)
	}
	*p = append([]byte{}, data...)
	return nil
}

// String is the codec of strings: their bytes. It also reads plain bytes, as other clients store them.
type String struct{}

var (
	_ Codec    = String{}
	_ Accepter = String{}
)

// ID returns IDString.
func (String) ID() uint8 { return IDString }

// Name returns "string".
func (String) Name() string { return "string" }

// Accepts reports whether id is IDBytes.
func (String) Accepts(id uint8) bool { return id == IDBytes }

// Append takes a string or *string.
func (c String) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return append(dst, v...), nil
	case *string:
		return append(dst, *v...), nil
	default:
		return dst, EncodeError(c, v, errType)
	}
}

// Decode takes a *string.
func (c String) Decode(data []byte, v any) error {
	p, ok := v.(*string)
	if !ok {
		return DecodeError(c, errType)
	}
	*p = string(data)
	return nil
}

// Integer is the codec of int and int64: decimal digits, stored as plain bytes, so that counters of the same key add to
// them in every store.
type Integer struct{}

var _ Codec = Integer{}

// ID returns IDBytes.
func (Integer) ID() uint8 { return IDBytes }

// Name returns "integer".
func (Integer) Name() string { return "integer" }

// Append takes an int or int64, or a pointer to one.
func (c Integer) Append(dst []byte, v any) ([]byte, error) {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case *int:
		n = int64(*v)
	case int64:
		n = v
	case *int64:
		n = *v
	default:
		return dst, EncodeError(c, v, errType)
	}
	return strconv.AppendInt(dst, n, 10), nil
}

// Decode takes an *int or *int64.
func (c Integer) Decode(data []byte, v any) error {
	n, ok := ParseCounter(bytes.TrimSpace(data))
	if !ok {
		return DecodeError(c, errors.New("no decimal integer"))
	}
	switch p := v.(type) {
	case *int64:
		*p = n
	case *int:
		if *p = int(n); int64(*p) != n {
			return DecodeError(c, errors.New("out of int's range"))
		}
	default:
		return DecodeError(c, errType)
	}
	return nil
}
