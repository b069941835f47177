package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"slices"
)

const (
	nonceSize = 24
	tagSize   = 16
)

// xaes is XAES-256-GCM (C2SP, XAES-256-GCM.md): the key of each message is derived with CMAC (NIST SP 800-108r1) from the
// first half of its nonce.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // CMAC's subkey for whole blocks
}

func newXAES(secret []byte) (*xaes, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	var msb byte
	for i := len(x.k1) - 1; i >= 0; i-- { // shifted left by one, modulo the polynomial of GF(2^128)
		msb, x.k1[i] = x.k1[i]>>7, x.k1[i]<<1|msb
	}
	x.k1[len(x.k1)-1] ^= msb * 0b10000111
	return x, nil
}

// message returns the AEAD of the message with the nonce, of which GCM uses the second half.
func (x *xaes) message(nonce *[nonceSize]byte) (cipher.AEAD, error) {
	key := slices.Concat([]byte{0, 1, 'X', 0}, nonce[:12], []byte{0, 2, 'X', 0}, nonce[:12])
	for half := range slices.Chunk(key, aes.BlockSize) {
		subtle.XORBytes(half, half, x.k1[:])
		x.block.Encrypt(half, half)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (x *xaes) seal(dst []byte, nonce *[nonceSize]byte, plain, extra []byte) ([]byte, error) {
	aead, err := x.message(nonce)
	if err != nil {
		return nil, err
	}
	return aead.Seal(dst, nonce[12:], plain, extra), nil
}

func (x *xaes) open(nonce *[nonceSize]byte, sealed, extra []byte) ([]byte, error) {
	aead, err := x.message(nonce)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nonce[12:], sealed, extra)
}
