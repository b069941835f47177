//go:build wasip1

// lowercase puts keys in lower case and a prefix before them. See ../README.md.
package main

import (
	"encoding/binary"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

type plugin struct{ prefix string }

func init() {
	var p plugin
	edgecache.Register(edgecache.Plugin{Init: p.configure, Before: p.before})
}

func main() {}

func (p *plugin) configure(config []byte) error {
	return edgecache.ReadConfig(config, edgecache.Fields{
		"prefix": func(r *edgecache.Reader) { p.prefix = r.Text() },
	})
}

func (p *plugin) before(c *edgecache.Call) edgecache.Action {
	key := c.Key()
	changed := lower(key)
	switch {
	case p.prefix != "":
		return c.ReplaceKey(append(append(c.Out(), p.prefix...), key...))
	case changed:
		return c.ReplaceKey(key)
	default:
		return edgecache.Continue
	}
}

// lower puts A-Z in lower case, eight bytes at a time, and reports whether there were any.
func lower(b []byte) (changed bool) {
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		if capitals := capitals(x); capitals != 0 {
			binary.LittleEndian.PutUint64(b, x|capitals>>2) // 0x20 makes a letter small
			changed = true
		}
	}
	for i, c := range b {
		if c-'A' < 26 {
			b[i], changed = c|0x20, true
		}
	}
	return changed
}

// capitals returns the highest bit of every byte from A to Z.
func capitals(x uint64) uint64 {
	const each = 0x0101010101010101
	low := x & (0x7f * each)
	fromA, beyondZ := low+(0x80-'A')*each, low+(0x7f-'Z')*each
	return fromA &^ beyondZ &^ x & (0x80 * each)
}
