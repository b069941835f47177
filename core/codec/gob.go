package codec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
)

// Gob is the codec of what encoding/gob encodes, nil pointers included. Dynamic types in interfaces must be registered
// with gob.Register. It is the slowest and the largest: take another one unless values need it.
type Gob struct{}

var _ Codec = Gob{}

// What comes before the gob stream.
const (
	gobNil   = 0 // and nothing follows
	gobValue = 1
)

// ID returns IDGob.
func (Gob) ID() uint8 { return IDGob }

// Name returns "gob".
func (Gob) Name() string { return "gob" }

// Append takes whatever gob.Encoder.Encode takes, and nil.
func (c Gob) Append(dst []byte, v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	for value.Kind() == reflect.Pointer && !value.IsNil() {
		value = value.Elem()
	}
	if isNil(value) {
		return append(dst, gobNil), nil
	}
	b := bytes.NewBuffer(append(dst, gobValue))
	if value.Kind() == reflect.Interface { // only a pointer to it is sent with the type in it
		value = value.Addr()
	}
	if err := gob.NewEncoder(b).EncodeValue(value); err != nil {
		return dst, EncodeError(c, v, err)
	}
	return b.Bytes(), nil
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return v.IsNil()
	default:
		return false
	}
}

// Decode takes whatever gob.Decoder.Decode takes.
func (c Gob) Decode(data []byte, v any) (err error) {
	if len(data) == 0 {
		return DecodeError(c, errors.New("no bytes"))
	}
	if reflect.ValueOf(v).Kind() != reflect.Pointer {
		return DecodeError(c, errType)
	}
	if data[0] == gobNil && len(data) == 1 {
		reflect.ValueOf(v).Elem().SetZero()
		return nil
	}
	if data[0] != gobValue {
		return DecodeError(c, fmt.Errorf("first byte %#02x", data[0]))
	}
	if err := checkGob(data[1:]); err != nil {
		return DecodeError(c, err)
	}
	defer func() {
		if r := recover(); r != nil { // values' own GobDecode, too
			err = DecodeError(c, fmt.Errorf("panic: %v", r))
		}
	}()
	r := bytes.NewReader(data[1:])
	if err := gob.NewDecoder(r).Decode(v); err != nil {
		return DecodeError(c, err)
	}
	if r.Len() > 0 {
		return DecodeError(c, errTrailing)
	}
	return nil
}
