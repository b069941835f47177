//go:build wasip1

// accesslog writes a line for each key of each command. See ../README.md.
package main

import (
	"strconv"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

// shown is how much of a key a line shows, in bytes.
const shown = 128

type plugin struct {
	sample int64 // one line of so many
	passed int64 // how many went by since the last
	line   [4*shown + 256]byte
}

func init() {
	p := plugin{sample: 1}
	edgecache.Register(edgecache.Plugin{Init: p.configure, After: p.after})
}

func main() {}

func (p *plugin) configure(config []byte) error {
	return edgecache.ReadConfig(config, edgecache.Fields{
		"sample": func(r *edgecache.Reader) { p.sample = r.Int(1, 1e9) },
	})
}

func (p *plugin) after(c *edgecache.Call) edgecache.Action {
	if p.passed++; p.passed < p.sample {
		return edgecache.Continue
	}
	p.passed = 0
	if !edgecache.LogEnabled(edgecache.LogInfo) {
		return edgecache.Continue
	}
	b := append(p.line[:0], "op="...)
	b = appendName(b, c.Op().String(), int64(c.Op()))
	b = appendKey(append(b, " key="...), c.Key())
	b = appendName(append(b, " outcome="...), c.Outcome().String(), int64(c.Outcome()))
	b = strconv.AppendInt(append(b, " tier="...), int64(c.Tier()), 10)
	b = strconv.AppendInt(append(b, " bytes="...), int64(c.ValueLen()), 10)
	b = strconv.AppendInt(append(b, " us="...), c.Elapsed()/1000, 10)
	edgecache.LogBytes(edgecache.LogInfo, b)
	return edgecache.Continue
}

// appendName appends a name, or the number of what a newer host knows.
func appendName(b []byte, name string, number int64) []byte {
	if name == "unknown" {
		return strconv.AppendInt(b, number, 10)
	}
	return append(b, name...)
}

// appendKey appends the key in quotes, what is not printable as \xNN.
func appendKey(b, key []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range key[:min(len(key), shown)] {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ' && c <= '~':
			b = append(b, c)
		default:
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, '"')
	if len(key) > shown {
		b = append(b, "..."...)
	}
	return b
}
