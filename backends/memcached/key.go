package memcached

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// Memcached's keys have 1 to 250 bytes above the space, without DEL. Keys that fit are stored as they are, so that other
// programs find them. The others are stored escaped, with bytes that don't fit as %XX, or, if that is too long, hashed:
// as a digest and the escaped beginning, which Clear and Scan look at. The value then begins with the whole key.
const (
	maxStoredKey = 250
	escapedMark  = "%="
	hashedMark   = "%#"
	digestSize   = 43 // SHA-256 in base64
	headSize     = 64 // bytes of the key beside the digest
)

// storeKey returns what key is stored as, and whether that is its hash.
func storeKey(key string) (stored string, hashed bool) {
	if len(key) <= maxStoredKey && key != "" && !strings.HasPrefix(key, escapedMark) && !strings.HasPrefix(key, hashedMark) &&
		strings.IndexFunc(key, unfit) < 0 {
		return key, false
	}
	if len(key) <= maxStoredKey {
		if stored = escapedMark + escape(key); len(stored) <= maxStoredKey {
			return stored, false
		}
	}
	digest := sha256.Sum256([]byte(key))
	return hashedMark + base64.RawURLEncoding.EncodeToString(digest[:]) + escape(key[:min(len(key), headSize)]), true
}

// unfit reports whether memcached refuses the character in a key. Bytes above 0x7f are fine, in UTF-8 or not.
func unfit(r rune) bool { return r <= ' ' || r == 0x7f }

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unfit(rune(c)) || c == '%' {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape, and returns false for what it never makes.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		if len(after) < 2 {
			return "", false
		}
		c, err := strconv.ParseUint(after[:2], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		s = after[2:]
	}
}

// loadKey undoes storeKey. Of a hashed key it returns the beginning, and false for keys that storeKey never makes.
func loadKey(stored string) (key string, hashed, ok bool) {
	if rest, is := strings.CutPrefix(stored, escapedMark); is {
		key, ok = unescape(rest)
		return key, false, ok
	}
	if rest, is := strings.CutPrefix(stored, hashedMark); is {
		if len(rest) < digestSize {
			return "", true, false
		}
		key, ok = unescape(rest[digestSize:])
		return key, true, ok
	}
	return stored, false, true
}

// mayBegin reports whether a key that is stored hashed, and begins with head, may begin with prefix.
func mayBegin(head, prefix string) bool {
	return strings.HasPrefix(head, prefix[:min(len(prefix), len(head))])
}
