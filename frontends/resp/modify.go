package resp

import (
	"bytes"
	"context"
	"math"
	"math/big"
	"strings"

	"github.com/edgecache/edgecache/core"
)

func incr(ctx context.Context, c *conn, args [][]byte) { c.add(ctx, core.OpIncrement, args[1], 1) }

func decr(ctx context.Context, c *conn, args [][]byte) { c.add(ctx, core.OpDecrement, args[1], 1) }

func incrby(ctx context.Context, c *conn, args [][]byte) {
	if n, ok := c.integer(args[2], notInteger); ok {
		c.add(ctx, core.OpIncrement, args[1], n)
	}
}

func decrby(ctx context.Context, c *conn, args [][]byte) {
	n, ok := c.integer(args[2], notInteger)
	switch {
	case !ok:
	case n == math.MinInt64:
		c.err("decrement would overflow")
	default:
		c.add(ctx, core.OpDecrement, args[1], n)
	}
}

func (c *conn) add(ctx context.Context, op core.Op, key []byte, delta int64) {
	c.begin(op, key).Delta = delta
	if c.do(ctx) {
		c.int(c.res.N)
	}
}

func appendTo(ctx context.Context, c *conn, args [][]byte) {
	c.begin(core.OpAppend, args[1]).Value = args[2]
	if c.do(ctx) {
		c.int(c.res.N)
	}
}

// setrange is SETRANGE key offset value.
func setrange(ctx context.Context, c *conn, args [][]byte) {
	offset, ok := c.integer(args[2], notInteger)
	switch {
	case !ok:
		return
	case offset < 0:
		c.err("offset is out of range")
		return
	}
	c.update(ctx, args[1], func(old []byte, _ bool) []byte {
		value := args[3]
		if len(value) == 0 {
			c.int(int64(len(old)))
			return nil
		}
		if offset > int64(c.server.opts.MaxBulk-len(value)) {
			c.fail(tooLong)
			return nil
		}
		next := make([]byte, max(len(old), int(offset)+len(value)))
		copy(next, old)
		copy(next[offset:], value)
		return next
	}, func(value []byte) { c.int(int64(len(value))) })
}

// maxTries bounds how often update begins again. That many writers do not come between by chance.
const maxTries = 128

// update replaces a key's value by what next makes of it, keeping its expiry, and calls done with it. next is called
// again where another writer came between; it returns nil if it has replied itself.
func (c *conn) update(ctx context.Context, key []byte, next func(old []byte, found bool) []byte, done func([]byte)) {
	for range maxTries {
		c.begin(core.OpGet, key).Flags |= core.FlagAuthority
		if !c.do(ctx) {
			return
		}
		old := c.res.Entry
		value := next(valueOf(old), old != nil)
		if value == nil || !c.swap(ctx, key, old, value) {
			return
		}
		if c.held() {
			done(value)
			return
		}
	}
	c.err("the key is changed too often")
}

func valueOf(e *core.Entry) []byte {
	if e == nil {
		return nil
	}
	return e.Value
}

// swap tries to write value where old was.
func (c *conn) swap(ctx context.Context, key []byte, old *core.Entry, value []byte) bool {
	cmd := c.begin(core.OpAdd, key)
	cmd.Value = value
	if old != nil {
		cmd.Op, cmd.Version, cmd.TTL = core.OpCompareAndSwap, old.Token(), core.KeepTTL
		cmd.EntryFlags = old.Flags
	}
	ok := c.do(ctx)
	cmd.Version, cmd.EntryFlags = 0, 0
	return ok
}

const (
	notFloat = "ERR value is not a valid float"
	// floatBits is the mantissa of C's long double on the usual machines, in which Redis adds; floatExponent bounds its
	// exponent, decimals is how many it prints, and floatLength how long a number it reads.
	floatBits     = 64
	floatExponent = 16384
	decimals      = 17
	floatLength   = 5<<10 - 1
)

func incrbyfloat(ctx context.Context, c *conn, args [][]byte) {
	c.update(ctx, args[1], func(old []byte, found bool) []byte {
		if !found {
			old = []byte{'0'}
		}
		n, ok := parseFloat(old)
		delta, deltaOK := parseFloat(args[2])
		if !ok || !deltaOK {
			c.fail(notFloat)
			return nil
		}
		if n.IsInf() || delta.IsInf() || n.Add(n, delta).MantExp(nil) > floatExponent {
			c.err("increment would produce NaN or Infinity")
			return nil
		}
		return formatFloat(n)
	}, func(value []byte) { c.bulk(value) })
}

// parseFloat reads a number as strtold would: decimal, or hexadecimal after 0x.
func parseFloat(b []byte) (*big.Float, bool) {
	base, others := 10, "pP"
	if hex := bytes.TrimLeft(b, "+-"); len(hex) > 1 && hex[0] == '0' && hex[1]|0x20 == 'x' {
		base, others = 0, "_"
	}
	if len(b) > floatLength || bytes.ContainsAny(b, others) {
		return nil, false
	}
	f, _, err := big.ParseFloat(string(b), base, floatBits, big.ToNearestEven)
	if err != nil {
		return nil, false
	}
	if e := f.MantExp(nil); e > floatExponent || e < -floatExponent {
		return nil, false
	}
	return f, true
}

// formatFloat prints a number without needless digits.
func formatFloat(f *big.Float) []byte {
	s := f.Text('f', decimals)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		s = "0"
	}
	return []byte(s)
}
