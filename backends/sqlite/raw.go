package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/edgecache/edgecache/core"
)

// Raw runs one of a few commands, in place of SQL, which could do anything to the file:
//
//	KEYS LIKE pattern    returns the keys that match, a []string
//	DELETE LIKE pattern  deletes them and returns how many there were, an int64
//	CHECK                returns what SQLite finds wrong with the file, a []string; "ok" alone is nothing. It reads all of it
//
// The words are one argument or several. A pattern is one of SQL's LIKE: % is any bytes, _ is one byte, and \ takes the
// next as it is. Unlike SQLite's it knows small letters from capital ones. Other commands are core.ErrUnsupported.
func (b *Backend) Raw(ctx context.Context, args ...any) (any, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	words := make([]string, 0, len(args)+1)
	for _, arg := range args {
		if text, ok := arg.([]byte); ok {
			arg = string(text)
		}
		words = append(words, fmt.Sprint(arg))
	}
	if len(words) == 2 {
		words = append(strings.Fields(words[0]), words[1])
	}
	switch {
	case len(words) == 3 && is(words, "KEYS", "LIKE"):
		return b.like(ctx, words[2])
	case len(words) == 3 && is(words, "DELETE", "LIKE"):
		return b.deleteLike(ctx, words[2])
	case len(words) == 1 && is(words, "CHECK"):
		return b.check(ctx)
	}
	return nil, fmt.Errorf("sqlite: %w: raw commands are KEYS LIKE pattern, DELETE LIKE pattern and CHECK", core.ErrUnsupported)
}

// is reports whether words begins with those, in any case.
func is(words []string, want ...string) bool {
	for i, w := range want {
		if !strings.EqualFold(words[i], w) {
			return false
		}
	}
	return true
}

func (b *Backend) like(ctx context.Context, pattern string) ([]string, error) {
	prefix, match := glob(pattern)
	keys, _, err := b.Scan(ctx, 0, prefix, match, 0)
	if match != "" {
		return keys, err
	}
	for _, key := range keys {
		if key == prefix { // no wildcard: the key itself
			return []string{key}, err
		}
	}
	return nil, err
}

func (b *Backend) deleteLike(ctx context.Context, pattern string) (int64, error) {
	keys, err := b.like(ctx, pattern)
	if err != nil {
		return 0, err
	}
	found := make([]bool, len(keys))
	err = b.DeleteMany(ctx, keys, found)
	n := int64(0)
	for _, live := range found {
		if live {
			n++
		}
	}
	return n, err
}

// glob turns a pattern of LIKE into the bytes that it begins with and a glob pattern for the rest, "" where there is
// nothing but those bytes.
func glob(like string) (prefix, match string) {
	var b strings.Builder
	wild := false
	for i := 0; i < len(like); i++ {
		c := like[i]
		switch {
		case (c == '%' || c == '_') && !wild:
			prefix, wild = b.String(), true
			b.Reset()
			fallthrough
		case c == '%' || c == '_':
			b.WriteByte(map[byte]byte{'%': '*', '_': '?'}[c])
			continue
		case c == '\\' && i+1 < len(like):
			i++
			c = like[i]
		}
		if wild && strings.IndexByte(`*?[\`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	if !wild {
		return b.String(), ""
	}
	return prefix, b.String()
}

func (b *Backend) check(ctx context.Context) (lines []string, err error) {
	err = b.read(ctx, func(c *conn) error {
		lines = nil
		return c.each(1, func() error {
			line, _ := c.row[0].(string)
			lines = append(lines, line)
			return nil
		}, "PRAGMA quick_check")
	})
	return lines, err
}
