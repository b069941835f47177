package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/edgecache/edgecache/core/codec"
)

// Key is a secret with a number, which is stored beside what the secret has sealed.
type Key struct {
	ID uint32
	// Secret is 32 random bytes.
	Secret []byte
}

// secretSize is the size of secrets, in bytes.
const secretSize = 32

// headerSize is how many bytes come before the rest: the inner codec's number and the key's.
const headerSize = 1 + 4

// ring finds a key's state by number. The first is the one that seals.
type ring[S any] struct {
	first  uint32
	states map[uint32]S
}

func newRing[S any](keys []Key, state func(secret []byte) (S, error)) (ring[S], error) {
	if len(keys) == 0 {
		return ring[S]{}, errors.New("seal: no keys")
	}
	r := ring[S]{first: keys[0].ID, states: make(map[uint32]S, len(keys))}
	for _, k := range keys {
		if len(k.Secret) != secretSize {
			return ring[S]{}, fmt.Errorf("seal: key %d has %d bytes, it must have %d random ones", k.ID, len(k.Secret), secretSize)
		}
		if _, twice := r.states[k.ID]; twice {
			return ring[S]{}, fmt.Errorf("seal: two keys have the number %d", k.ID)
		}
		s, err := state(slices.Clone(k.Secret))
		if err != nil {
			return ring[S]{}, fmt.Errorf("seal: key %d: %w", k.ID, err)
		}
		r.states[k.ID] = s
	}
	return r, nil
}

// header appends what comes first.
func (r *ring[S]) header(dst []byte, inner codec.Codec) []byte {
	return binary.BigEndian.AppendUint32(append(dst, inner.ID()), r.first)
}

// open reads the header and returns the state of the key that sealed data.
func (r *ring[S]) open(data []byte, inner codec.Codec) (s S, err error) {
	if len(data) < headerSize {
		return s, errors.New("cut short")
	}
	if data[0] != inner.ID() {
		return s, fmt.Errorf("made of codec %d, not %d", data[0], inner.ID())
	}
	id := binary.BigEndian.Uint32(data[1:])
	s, ok := r.states[id]
	if !ok {
		return s, fmt.Errorf("key %d is not known here", id)
	}
	return s, nil
}

// bound appends what is authenticated beside the value: the header, and the hash of the cache's key if there is one.
func bound(dst, header []byte, key string) []byte {
	dst = append(dst, header[:headerSize]...)
	if key == "" {
		return dst
	}
	sum := sha256.Sum256([]byte(key))
	return append(dst, sum[:]...)
}
