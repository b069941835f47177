package codec

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// JSON is the codec of what encoding/json marshals.
type JSON struct {
	// Raw also reads plain bytes, as other clients store them, and where they are no JSON and v is a *any, *string or
	// *[]byte, returns them as they are: as a string, or as bytes where they are no UTF-8.
	Raw bool
}

var (
	_ Codec    = JSON{}
	_ Accepter = JSON{}
)

// ID returns IDJSON.
func (JSON) ID() uint8 { return IDJSON }

// Name returns "json".
func (JSON) Name() string { return "json" }

// Accepts reports whether id is IDBytes, if c.Raw.
func (c JSON) Accepts(id uint8) bool { return c.Raw && id == IDBytes }

// Append takes whatever json.Marshal takes.
func (c JSON) Append(dst []byte, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return dst, EncodeError(c, v, err)
	}
	if dst == nil {
		return slices.Clip(data), nil
	}
	return append(dst, data...), nil
}

// Decode takes whatever json.Unmarshal takes.
func (c JSON) Decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil || c.Raw && decodeRaw(data, v) {
		return nil
	}
	return DecodeError(c, err)
}

// decodeRaw gives v the data as they are, if it can take them and they are no JSON of another type.
func decodeRaw(data []byte, v any) bool {
	if json.Valid(data) {
		return false
	}
	switch p := v.(type) {
	case *string:
		*p = string(data)
	case *[]byte:
		*p = slices.Clone(data)
	case *any:
		if *p = string(data); !utf8.Valid(data) {
			*p = slices.Clone(data)
		}
	default:
		return false
	}
	return true
}
