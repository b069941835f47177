//go:build wasip1

// compress stores values compressed and restores what is read. See ../README.md.
package main

import edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"

const (
	maxValue = 1 << 20
	// maxDeflated bounds values that are compressed. DEFLATE here burns 300 units for a byte, and 600 to restore it: for
	// larger ones a call would take too long.
	maxDeflated = 128 << 10
)

type plugin struct {
	minBytes int
	value    memory // as clients see it
	form     memory // as it is stored
	codec    codec
}

func init() {
	p := plugin{minBytes: 256}
	edgecache.Register(edgecache.Plugin{Init: p.configure, Before: p.before, After: p.after})
}

func main() {}

func (p *plugin) configure(config []byte) error {
	return edgecache.ReadConfig(config, edgecache.Fields{
		"min_bytes": func(r *edgecache.Reader) { p.minBytes = int(r.Int(64, maxValue)) },
	})
}

func (p *plugin) before(c *edgecache.Call) edgecache.Action {
	switch c.Op() {
	case edgecache.OpSet, edgecache.OpSetMany, edgecache.OpAdd, edgecache.OpReplace, edgecache.OpCompareAndSwap:
		return p.write(c)
	case edgecache.OpAppend, edgecache.OpPrepend:
		return c.Deny("append and prepend would damage a compressed value")
	default:
		return edgecache.Continue
	}
}

func (p *plugin) write(c *edgecache.Call) edgecache.Action {
	n := c.ValueLen()
	_, looksCompressed := readHeader(c)
	switch {
	case n > maxValue && looksCompressed:
		return c.Deny("the value begins as a compressed one, and has more than 1048576 bytes")
	case (n > maxDeflated || n < p.minBytes) && !looksCompressed:
		return edgecache.Continue
	}
	v := p.value.take(n)
	c.ReadValue(v, 0)
	h := header{method: deflated, length: n, check: check(v)}
	f := p.form.take(headerLen + n)
	body, ok := f[headerLen:headerLen], false
	if n <= maxDeflated {
		body, ok = p.codec.deflate(body, v, n-headerLen-1)
	}
	switch {
	case ok:
	case looksCompressed:
		h.method, body = stored, append(f[headerLen:headerLen], v...)
	default:
		return edgecache.Continue
	}
	h.put(f)
	c.WriteValue(f[:headerLen+len(body)])
	return edgecache.Continue
}

func (p *plugin) after(c *edgecache.Call) edgecache.Action {
	h, ok := readHeader(c)
	if !ok {
		return edgecache.Continue
	}
	if v, ok := p.restore(c, h); ok {
		c.WriteValue(v)
	} else {
		edgecache.Log(edgecache.LogWarn, "a compressed value is damaged, or by a method that is not known")
	}
	return edgecache.Continue
}

// restore returns what the call's stored form stands for.
func (p *plugin) restore(c *edgecache.Call, h header) (v []byte, ok bool) {
	n := c.ValueLen() - headerLen
	if h.length > maxValue || n > maxValue {
		return nil, false
	}
	body := p.form.take(n)
	c.ReadValue(body, headerLen)
	switch h.method {
	case stored:
		v, ok = body, n == h.length
	case deflated:
		v = p.value.take(h.length)
		ok = h.length <= maxDeflated && p.codec.inflate(v, body)
	}
	return v, ok && check(v) == h.check
}

// memory grows once or twice and is kept, so that calls allocate nothing.
type memory []byte

// take returns n bytes, up to headerLen + maxValue, whatever they hold.
func (m *memory) take(n int) []byte {
	switch {
	case n <= len(*m):
	case n <= headerLen+maxDeflated:
		*m = make([]byte, headerLen+maxDeflated)
	default:
		*m = make([]byte, headerLen+maxValue)
	}
	return (*m)[:n]
}
