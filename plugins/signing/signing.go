// Package signing signs plugins and checks their signatures, in the format of minisign: its keys and signatures can be
// used here, and those made here by it.
package signing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"aead.dev/minisign"
)

// PublicKey checks signatures.
type PublicKey struct{ key minisign.PublicKey }

// SecretKey signs.
type SecretKey struct{ key minisign.PrivateKey }

// Signed is what a good signature says.
type Signed struct {
	// KeyID names the key, for people: 16 hexadecimal digits. It proves nothing.
	KeyID string
	// Comment is the signer's, and signed.
	Comment string
}

// Errors of Verify, ParseSignature and ParseSecretKey.
var (
	// ErrOtherKey says that the signature was made with another key.
	ErrOtherKey = errors.New("the signature is another key's")
	// ErrForm says that a signature is none of minisign's.
	ErrForm = errors.New("the signature has not the form of one")
	// ErrForged says that the signature does not belong to what it is said to have signed.
	ErrForged = errors.New("the signature does not fit: the file or the signature was changed")
	// ErrPassword says that the password is not the secret key's.
	ErrPassword = errors.New("the password is wrong, or the secret key is damaged")
	// ErrEncrypted says that the secret key needs a password.
	ErrEncrypted = errors.New("the secret key is encrypted: its password is needed")
)

// Generate returns a new pair of keys as the texts of their files. With an empty password the secret key is not
// encrypted; else encrypting takes about a second and a gigabyte of memory, by minisign's parameters.
func Generate(password string) (public, secret []byte, err error) {
	pub, key, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	if public, err = pub.MarshalText(); err != nil {
		return nil, nil, err
	}
	if password == "" {
		secret, err = key.MarshalText()
	} else {
		secret, err = minisign.EncryptKey(password, key)
	}
	return append(public, '\n'), append(secret, '\n'), err
}

// ParsePublicKey reads a public key: the text of its file, or the line of it that is the key.
func ParsePublicKey(text []byte) (PublicKey, error) {
	var k PublicKey
	if err := k.key.UnmarshalText(bytes.TrimSpace(text)); err != nil {
		return k, fmt.Errorf("public key: %w", err)
	}
	return k, nil
}

// ID returns the key's name, for people.
func (k PublicKey) ID() string { return id(k.key.ID()) }

// Verify checks a signature of message and returns what it says.
func (k PublicKey) Verify(message, signature []byte) (Signed, error) {
	s, err := ParseSignature(signature)
	switch {
	case err != nil:
		return Signed{}, err
	case s.KeyID != k.ID():
		return Signed{}, fmt.Errorf("%w: that of %s, not %s", ErrOtherKey, s.KeyID, k.ID())
	case !minisign.Verify(k.key, message, signature):
		return Signed{}, ErrForged
	}
	return s, nil
}

// ParseSignature returns what a signature says, without knowing whether it is good.
func ParseSignature(signature []byte) (Signed, error) {
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return Signed{KeyID: id(s.KeyID), Comment: s.TrustedComment}, nil
}

// ParseSecretKey reads the text of a secret key's file. A key that is not encrypted needs no password.
func ParseSecretKey(text []byte, password string) (SecretKey, error) {
	var k SecretKey
	text = bytes.TrimSpace(text)
	if !minisign.IsEncrypted(text) {
		if err := k.key.UnmarshalText(text); err != nil {
			return k, fmt.Errorf("secret key: %w", err)
		}
		return k, nil
	}
	if password == "" {
		return k, ErrEncrypted
	}
	key, err := minisign.DecryptKey(password, text)
	if err != nil {
		return k, ErrPassword
	}
	return SecretKey{key}, nil
}

// Sign returns the text of a signature of message. comment is signed too; it is one line.
func (k SecretKey) Sign(message []byte, comment string) ([]byte, error) {
	if strings.ContainsAny(comment, "\r\n") {
		return nil, fmt.Errorf("comment %.80q: it must be one line", comment)
	}
	r := minisign.NewReader(bytes.NewReader(message))
	if _, err := io.Copy(io.Discard, r); err != nil { // it hashes what is read
		return nil, err
	}
	return r.SignWithComments(k.key, comment, "signature from minisign secret key "+id(k.key.ID())), nil
}

func id(n uint64) string { return fmt.Sprintf("%016X", n) }
