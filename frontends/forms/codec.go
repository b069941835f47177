package forms

import (
	"errors"
	"net/url"

	"github.com/edgecache/edgecache/core/codec"
)

// form is the codec of url.Values: application/x-www-form-urlencoded, which holds any bytes, sorted by the names of fields.
type form struct{}

var _ codec.Codec = form{}

var errType = errors.New("not url.Values")

// ID is codec.IDForm.
func (form) ID() uint8 { return codec.IDForm }

// Name is "form".
func (form) Name() string { return "form" }

// Append takes url.Values or a pointer to them.
func (f form) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case url.Values:
		return append(dst, v.Encode()...), nil
	case *url.Values:
		return append(dst, v.Encode()...), nil
	default:
		return dst, codec.EncodeError(f, v, errType)
	}
}

// Decode reads into *url.Values.
func (f form) Decode(data []byte, v any) error {
	to, ok := v.(*url.Values)
	if !ok {
		return codec.DecodeError(f, errType)
	}
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return codec.DecodeError(f, err)
	}
	*to = values
	return nil
}
