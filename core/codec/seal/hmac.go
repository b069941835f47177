package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"

	"github.com/edgecache/edgecache/core/codec"
)

// HMAC signs the bytes of another codec with HMAC-SHA256 (RFC 2104), and does not hide them.
//
// What it stores is the inner codec's number, the key's (32 bits, big-endian), the signature (32 bytes) and the bytes.
type HMAC struct {
	inner codec.Codec
	keys  ring[[]byte]
}

var _ codec.Keyed = (*HMAC)(nil)

// NewHMAC returns an HMAC around inner. The first key signs, all prove.
func NewHMAC(inner codec.Codec, keys ...Key) (*HMAC, error) {
	if inner == nil {
		return nil, errors.New("seal: no codec to sign the bytes of")
	}
	r, err := newRing(keys, func(secret []byte) ([]byte, error) { return secret, nil })
	if err != nil {
		return nil, err
	}
	return &HMAC{inner: inner, keys: r}, nil
}

// ID returns codec.IDHMAC.
func (*HMAC) ID() uint8 { return codec.IDHMAC }

// Name returns the inner codec's name with "hmac" before it.
func (c *HMAC) Name() string { return "hmac " + c.inner.Name() }

// Append takes what the inner codec takes. The bytes are good for any key.
func (c *HMAC) Append(dst []byte, v any) ([]byte, error) { return c.AppendFor(dst, "", v) }

// Decode takes what the inner codec takes, and reads what Append made.
func (c *HMAC) Decode(data []byte, v any) error { return c.DecodeFor(data, "", v) }

// AppendFor is Append for one key, where key is not "".
func (c *HMAC) AppendFor(dst []byte, key string, v any) ([]byte, error) {
	n := len(dst)
	dst = c.keys.header(dst, c.inner)
	dst = append(dst, make([]byte, sha256.Size)...)
	signed, err := c.inner.Append(dst, v)
	if err != nil {
		return dst[:n], err
	}
	b := signed[n:]
	c.sign(b[headerSize:headerSize], c.keys.states[c.keys.first], b, key)
	return signed, nil
}

// DecodeFor reads what AppendFor made for the same key.
func (c *HMAC) DecodeFor(data []byte, key string, v any) error {
	secret, err := c.keys.open(data, c.inner)
	if err != nil {
		return codec.DecodeError(c, err)
	}
	if len(data) < headerSize+sha256.Size {
		return codec.DecodeError(c, errors.New("cut short"))
	}
	if !hmac.Equal(c.sign(nil, secret, data, key), data[headerSize:headerSize+sha256.Size]) {
		return codec.DecodeError(c, errors.New("the signature is wrong"))
	}
	return c.inner.Decode(data[headerSize+sha256.Size:], v)
}

// sign appends the signature of data, which are laid out as they are stored.
func (c *HMAC) sign(dst, secret, data []byte, key string) []byte {
	var extra [headerSize + 32]byte
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte{byte(min(len(key), 1))}) // tells the hash of a key from a value that begins like one
	_, _ = mac.Write(bound(extra[:0], data, key))
	_, _ = mac.Write(data[headerSize+sha256.Size:])
	return mac.Sum(dst)
}
