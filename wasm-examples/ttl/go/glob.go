//go:build wasip1

package main

import (
	"bytes"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

const (
	maxPattern = 256
	maxStars   = 9
)

// glob is a pattern in which * stands for any run of bytes: the parts between the stars.
type glob [][]byte

// readGlob reads a pattern. A backslash takes away what a star or a backslash means.
func readGlob(r *edgecache.Reader) glob {
	pattern := r.Text()
	g := glob{nil}
	last := &g[0]
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c == '*' {
			g = append(g, nil)
			last = &g[len(g)-1]
			continue
		}
		if c == '\\' {
			i++
			if i == len(pattern) || pattern[i] != '*' && pattern[i] != '\\' {
				r.Fail(`backslash before neither * nor \ in a pattern`)
				break
			}
			c = pattern[i]
		}
		*last = append(*last, c)
	}
	switch {
	case len(pattern) > maxPattern:
		r.Fail("pattern of more than 256 bytes")
	case len(g)-1 > maxStars:
		r.Fail("more than 9 stars in a pattern")
	}
	return g
}

// matches reports whether the pattern matches all of key.
func (g glob) matches(key []byte) bool {
	first, last := g[0], g[len(g)-1]
	if len(g) == 1 {
		return bytes.Equal(key, first)
	}
	if len(key) < len(first)+len(last) || !bytes.HasPrefix(key, first) || !bytes.HasSuffix(key, last) {
		return false
	}
	rest := key[len(first) : len(key)-len(last)]
	for _, part := range g[1 : len(g)-1] {
		i := bytes.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}
