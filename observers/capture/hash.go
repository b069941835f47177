package capture

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Plain is the xxHash64 of a key as a store has it. Who guesses a key can check the guess.
func Plain(prefix, key string) uint64 {
	if prefix == "" {
		return xxhash.Sum64String(key)
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(prefix) // it never fails
	_, _ = d.WriteString(key)
	return d.Sum64()
}

// Salted returns a hash of keys as a store has them, for core.Options.KeyHash, that is the same wherever the salt is. Without
// the salt, no guess of a key can be checked.
func Salted(salt string) func(prefix, key string) uint64 {
	sum := sha256.Sum256([]byte("edgecache capture\x00" + salt))
	k0, k1 := binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])
	return func(prefix, key string) uint64 {
		h := newSip(k0, k1)
		h.write(prefix)
		h.write(key)
		return h.sum()
	}
}

// newSecret is a key that nobody else has.
func newSecret() [2]uint64 {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return [2]uint64{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// sipHash64 is the hash of the eight bytes of n.
func sipHash64(key [2]uint64, n uint64) uint64 {
	h := newSip(key[0], key[1])
	h.word(n)
	h.length = 8
	return h.sum()
}

// sip is SipHash-2-4: J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF, INDOCRYPT 2012.
type sip struct {
	v0, v1, v2, v3 uint64
	tail           uint64 // bytes that are no word yet
	length         uint64
}

func newSip(k0, k1 uint64) sip {
	return sip{
		v0: k0 ^ 0x736f6d6570736575, v1: k1 ^ 0x646f72616e646f6d, v2: k0 ^ 0x6c7967656e657261, v3: k1 ^ 0x7465646279746573,
	}
}

func (h *sip) write(s string) {
	for len(s) > 0 && h.length%8 != 0 {
		h.byte(s[0])
		s = s[1:]
	}
	h.length += uint64(len(s) &^ 7)
	v0, v1, v2, v3 := h.v0, h.v1, h.v2, h.v3
	for ; len(s) >= 8; s = s[8:] {
		m := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3^m)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	h.v0, h.v1, h.v2, h.v3 = v0, v1, v2, v3
	for i := range len(s) {
		h.byte(s[i])
	}
}

func (h *sip) byte(b byte) {
	h.tail |= uint64(b) << (8 * (h.length % 8))
	if h.length++; h.length%8 == 0 {
		h.word(h.tail)
		h.tail = 0
	}
}

func (h *sip) word(m uint64) {
	h.v0, h.v1, h.v2, h.v3 = sipRound(h.v0, h.v1, h.v2, h.v3^m)
	h.v0, h.v1, h.v2, h.v3 = sipRound(h.v0, h.v1, h.v2, h.v3)
	h.v0 ^= m
}

func (h *sip) sum() uint64 {
	h.word(h.tail | h.length<<56)
	v0, v1, v2, v3 := h.v0, h.v1, h.v2^0xff, h.v3
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (w0, w1, w2, w3 uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}
