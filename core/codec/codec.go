package codec

import (
	"errors"
	"fmt"
)

// Codec turns values into bytes and back. It is safe for concurrent use.
//
// What Append makes of a value, Decode turns into an equal one, in this process or another. Neither keeps its arguments,
// and what they return shares no memory with them.
type Codec interface {
	// ID is the number that is stored beside the bytes (Envelope.Codec), so that no other codec ever reads them. Numbers
	// below 64 are this module's, 255 is taken; others are free.
	ID() uint8
	// Name is the codec's name in errors.
	Name() string
	// Append appends the bytes of v to dst. v is the value or a pointer to it that is not nil; a pointer to a nil pointer,
	// map or slice is a value like any other. It returns ErrEncode for what the codec has no bytes for.
	Append(dst []byte, v any) ([]byte, error)
	// Decode reads data into what v points to, which should be a zero value. It returns ErrDecode for bytes that Append
	// can't have made of such a value; what v points to is then undefined. Whatever the bytes are, it ends, and takes
	// memory in proportion to them or to a bound that the codec has.
	Decode(data []byte, v any) error
}

// Keyed is a Codec whose bytes are good for one key alone: those of one key, moved to another, are ErrDecode.
type Keyed interface {
	Codec
	// AppendFor and DecodeFor are Append and Decode for key.
	AppendFor(dst []byte, key string, v any) ([]byte, error)
	DecodeFor(data []byte, key string, v any) error
}

// Accepter is a Codec that also reads bytes stored under other numbers.
type Accepter interface {
	// Accepts reports whether Decode can make something of bytes that have the number id.
	Accepts(id uint8) bool
}

// The numbers of this module's codecs. They are stored and never change.
const (
	IDBytes       = 0
	IDString      = 1
	IDJSON        = 2
	IDMessagePack = 3
	IDCBOR        = 4
	IDGob         = 5
	IDForm        = 6 // of frontends/forms
	IDCompress    = 16
	IDSeal        = 17
	IDHMAC        = 18
	// IDAbsent is no codec's: it marks an entry that remembers that there is no value.
	IDAbsent = 255
)

// What goes wrong with values, for errors.Is.
var (
	// ErrEncode marks a value that a codec has no bytes for.
	ErrEncode = errors.New("value can't be encoded")
	// ErrDecode marks stored bytes that are damaged or of another form.
	ErrDecode = errors.New("stored value is damaged")
)

// EncodeError returns an ErrEncode that says which codec and why.
func EncodeError(c Codec, v any, cause error) error {
	return fmt.Errorf("%w: %s of %T: %w", ErrEncode, c.Name(), v, cause)
}

// DecodeError returns an ErrDecode that says which codec and why.
func DecodeError(c Codec, cause error) error {
	return fmt.Errorf("%w: %s: %w", ErrDecode, c.Name(), cause)
}

// AppendFor appends the bytes of v for key, which only means something to a Keyed codec. A panic of the value's own
// methods is an error.
func AppendFor(c Codec, dst []byte, key string, v any) (_ []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = EncodeError(c, v, fmt.Errorf("panic: %v", r))
		}
	}()
	if k, ok := c.(Keyed); ok {
		return k.AppendFor(dst, key, v)
	}
	return c.Append(dst, v)
}

// DecodeFor reads what AppendFor made. A panic of the value's own methods is an error.
func DecodeFor(c Codec, data []byte, key string, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = DecodeError(c, fmt.Errorf("panic: %v", r))
		}
	}()
	if k, ok := c.(Keyed); ok {
		return k.DecodeFor(data, key, v)
	}
	return c.Decode(data, v)
}

// Accepts reports whether c reads bytes that have the number id.
func Accepts(c Codec, id uint8) bool {
	if c.ID() == id {
		return true
	}
	a, ok := c.(Accepter)
	return ok && a.Accepts(id)
}

var (
	errType     = errors.New("not a type for this codec")
	errTrailing = errors.New("bytes after the end")
)
