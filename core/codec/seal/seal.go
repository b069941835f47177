// Package seal has codecs around another that prove who wrote a value: Codec also hides it, HMAC leaves it readable.
// Both tie a value to its key, so that whoever can write to the store can neither make values nor move them to other
// keys; putting an older value of the same key back remains possible.
//
// To change secrets, add the new key at the end everywhere, then make it the first everywhere, then drop the old one
// when what it sealed has expired.
package seal

import (
	"crypto/rand"
	"errors"
	"slices"

	"github.com/edgecache/edgecache/core/codec"
)

// Codec encrypts and signs the bytes of another codec with XAES-256-GCM (C2SP): AES-256-GCM under a key that is derived
// for each value from the secret and half of a random nonce of 192 bits, so that no count of values wears a secret out.
//
// What it stores is the inner codec's number, the key's (32 bits, big-endian), the nonce and what GCM seals.
type Codec struct {
	inner codec.Codec
	keys  ring[*xaes]
}

var _ codec.Keyed = (*Codec)(nil)

// New returns a Codec around inner. The first key seals, all open.
func New(inner codec.Codec, keys ...Key) (*Codec, error) {
	if inner == nil {
		return nil, errors.New("seal: no codec to seal the bytes of")
	}
	r, err := newRing(keys, newXAES)
	if err != nil {
		return nil, err
	}
	return &Codec{inner: inner, keys: r}, nil
}

// ID returns codec.IDSeal.
func (*Codec) ID() uint8 { return codec.IDSeal }

// Name returns the inner codec's name with "seal" before it.
func (c *Codec) Name() string { return "seal " + c.inner.Name() }

// Append takes what the inner codec takes. The bytes are good for any key.
func (c *Codec) Append(dst []byte, v any) ([]byte, error) { return c.AppendFor(dst, "", v) }

// Decode takes what the inner codec takes, and reads what Append made.
func (c *Codec) Decode(data []byte, v any) error { return c.DecodeFor(data, "", v) }

// AppendFor is Append for one key, where key is not "".
func (c *Codec) AppendFor(dst []byte, key string, v any) ([]byte, error) {
	plain, err := c.inner.Append(nil, v)
	if err != nil {
		return dst, err
	}
	n := len(dst)
	dst = c.keys.header(dst, c.inner)
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // it never fails: it ends the process instead
	dst = append(dst, nonce[:]...)
	dst = slices.Grow(dst, len(plain)+tagSize)
	var extra [headerSize + 32]byte
	x := c.keys.states[c.keys.first]
	return x.seal(dst, &nonce, plain, bound(extra[:0], dst[n:], key))
}

// DecodeFor reads what AppendFor made for the same key.
func (c *Codec) DecodeFor(data []byte, key string, v any) error {
	x, err := c.keys.open(data, c.inner)
	if err != nil {
		return codec.DecodeError(c, err)
	}
	if len(data) < headerSize+nonceSize+tagSize {
		return codec.DecodeError(c, errors.New("cut short"))
	}
	var extra [headerSize + 32]byte
	nonce := [nonceSize]byte(data[headerSize:])
	plain, err := x.open(&nonce, data[headerSize+nonceSize:], bound(extra[:0], data, key))
	if err != nil {
		return codec.DecodeError(c, err)
	}
	return c.inner.Decode(plain, v)
}
