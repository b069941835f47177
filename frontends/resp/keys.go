package resp

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/core"
)

func del(ctx context.Context, c *conn, args [][]byte) {
	if len(args) == 2 {
		c.begin(core.OpDelete, args[1])
		if c.do(ctx) {
			c.bool(c.found())
		}
		return
	}
	if c.doMany(ctx, core.OpDeleteMany, c.views(args[1:]), nil) {
		c.int(c.res.N)
	}
}

// found reports whether the key was there.
func (c *conn) found() bool { return c.res.Outcome == core.OutcomeHit }

// exists is EXISTS and TOUCH: a key that is named twice counts twice.
func exists(ctx context.Context, c *conn, args [][]byte) {
	n := int64(0)
	for _, key := range args[1:] {
		c.begin(core.OpExists, key)
		if !c.do(ctx) {
			return
		}
		if c.found() {
			n++
		}
	}
	c.int(n)
}

func typeOf(ctx context.Context, c *conn, args [][]byte) {
	c.begin(core.OpExists, args[1])
	if !c.do(ctx) {
		return
	}
	if c.found() {
		c.simple("string")
	} else {
		c.simple("none")
	}
}

// What TTL and the like reply where there is no time.
const (
	noKey    = -2
	noExpiry = -1
)

func ttl(ctx context.Context, c *conn, args [][]byte) {
	c.replyTTL(ctx, args[1], func(ttl time.Duration) int64 { return rounded(ttlMillis(ttl)) })
}

func pttl(ctx context.Context, c *conn, args [][]byte) { c.replyTTL(ctx, args[1], ttlMillis) }

func expiretime(ctx context.Context, c *conn, args [][]byte) {
	c.replyTTL(ctx, args[1], func(ttl time.Duration) int64 { return rounded(endMillis(ttl)) })
}

func pexpiretime(ctx context.Context, c *conn, args [][]byte) { c.replyTTL(ctx, args[1], endMillis) }

// replyTTL replies with what is left of the key's time to live, as format has it.
func (c *conn) replyTTL(ctx context.Context, key []byte, format func(time.Duration) int64) {
	c.begin(core.OpTTL, key)
	switch {
	case !c.do(ctx):
	case !c.found():
		c.int(noKey)
	case c.res.TTL < 0:
		c.int(noExpiry)
	default:
		c.int(format(c.res.TTL))
	}
}

// ttlMillis rounds up, so that what was set a moment ago reads as it was set.
func ttlMillis(ttl time.Duration) int64 {
	return int64((ttl + time.Millisecond - 1) / time.Millisecond)
}

// endMillis returns when a time to live ends in unix milliseconds, to the nearest: it was measured a little before now.
func endMillis(ttl time.Duration) int64 {
	return (time.Now().UnixNano() + int64(ttl) + int64(time.Millisecond)/2) / int64(time.Millisecond)
}

// rounded turns milliseconds into seconds as Redis does.
func rounded(ms int64) int64 { return (ms + 500) / 1000 }

func expire(ctx context.Context, c *conn, args [][]byte) {
	c.expire(ctx, args, expiry{given: args[2], seconds: true})
}

func pexpire(ctx context.Context, c *conn, args [][]byte) {
	c.expire(ctx, args, expiry{given: args[2]})
}

func expireat(ctx context.Context, c *conn, args [][]byte) {
	c.expire(ctx, args, expiry{given: args[2], seconds: true, absolute: true})
}

func pexpireat(ctx context.Context, c *conn, args [][]byte) {
	c.expire(ctx, args, expiry{given: args[2], absolute: true})
}

// expireConditions are the options of EXPIRE and the like.
type expireConditions struct{ nx, xx, gt, lt bool }

// expire sets when a key ends; a time that has passed deletes it.
func (c *conn) expire(ctx context.Context, args [][]byte, e expiry) {
	conditions, ok := c.expireConditions(args[3:])
	if !ok {
		return
	}
	now := time.Now()
	end, ok := c.expireEnd(e, now)
	if !ok {
		return
	}
	if len(args) > 3 && !c.expireAllowed(ctx, args[1], conditions, end) {
		return
	}
	cmd := c.begin(core.OpExpire, args[1])
	switch {
	case end <= now.UnixMilli():
		cmd.Op = core.OpDelete
	case e.absolute:
		cmd.TTL = until(end, now)
	default:
		cmd.TTL = milliseconds(end - now.UnixMilli())
	}
	if c.do(ctx) {
		c.bool(c.found())
	}
}

func (c *conn) expireConditions(words [][]byte) (o expireConditions, ok bool) {
	for _, word := range words {
		switch {
		case is(word, "nx"):
			o.nx = true
		case is(word, "xx"):
			o.xx = true
		case is(word, "gt"):
			o.gt = true
		case is(word, "lt"):
			o.lt = true
		default:
			c.err("Unsupported option " + cString(word))
			return o, false
		}
	}
	switch {
	case o.nx && (o.xx || o.gt || o.lt):
		c.err("NX and XX, GT or LT options at the same time are not compatible")
		return o, false
	case o.gt && o.lt:
		c.err("GT and LT options at the same time are not compatible")
		return o, false
	}
	return o, true
}

// expireEnd returns when the key is to end in unix milliseconds, or appends an error and returns false.
func (c *conn) expireEnd(e expiry, now time.Time) (int64, bool) {
	n, ok := c.integer(e.given, notInteger)
	if !ok {
		return 0, false
	}
	begin := int64(0)
	if !e.absolute {
		begin = now.UnixMilli()
	}
	if e.seconds {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			c.badExpiry()
			return 0, false
		}
		n *= 1000
	}
	if n > math.MaxInt64-begin {
		c.badExpiry()
		return 0, false
	}
	return n + begin, true
}

// expireAllowed reports whether the conditions hold for the expiry that the key has, or else replies.
func (c *conn) expireAllowed(ctx context.Context, key []byte, o expireConditions, end int64) bool {
	c.begin(core.OpTTL, key)
	if !c.do(ctx) {
		return false
	}
	current := int64(noExpiry)
	if c.res.TTL > 0 {
		current = endMillis(c.res.TTL)
	}
	switch {
	case !c.found(),
		o.nx && current != noExpiry,
		o.xx && current == noExpiry,
		o.gt && (current == noExpiry || end <= current),
		o.lt && current != noExpiry && end >= current:
		c.int(0)
		return false
	}
	return true
}

func persist(ctx context.Context, c *conn, args [][]byte) {
	cmd := c.begin(core.OpExpire, args[1])
	cmd.TTL = core.NoExpiry
	cmd.Flags |= core.FlagOld
	if c.do(ctx) {
		old := c.res.Entry
		c.bool(old != nil && old.Expires != 0)
	}
}

// keys is KEYS pattern. The empty pattern, which matches the empty key alone, would be all keys to the cache.
func keys(ctx context.Context, c *conn, args [][]byte) {
	if len(args[1]) == 0 {
		c.emptyKey(ctx)
		return
	}
	cmd := c.begin(core.OpKeys, args[1])
	cmd.Cursor, cmd.Count = 0, 0
	if c.do(ctx) {
		c.texts(c.res.Keys)
	}
}

func (c *conn) emptyKey(ctx context.Context) {
	c.begin(core.OpExists, nil)
	switch {
	case !c.do(ctx):
	case c.found():
		c.texts([]string{""})
	default:
		c.texts(nil)
	}
}

// scan is SCAN cursor [MATCH pattern] [COUNT count] [TYPE type].
func scan(ctx context.Context, c *conn, args [][]byte) {
	cursor, err := strconv.ParseUint(string(args[1]), 10, 64)
	if err != nil {
		c.err("invalid cursor")
		return
	}
	o, ok := c.scanOptions(args[2:])
	if !ok {
		return
	}
	cmd := c.begin(core.OpKeys, o.match)
	cmd.Cursor, cmd.Count = cursor, o.count
	if !c.do(ctx) {
		return
	}
	found := c.res.Keys
	switch {
	case o.kind != nil && !is(o.kind, "string"):
		found = nil
	case o.match != nil && len(o.match) == 0:
		found = slices.DeleteFunc(found, func(key string) bool { return key != "" })
	}
	c.array(2)
	c.text(strconv.FormatUint(c.res.Cursor, 10))
	c.texts(found)
}

type scanOptions struct {
	match, kind []byte
	count       int
}

func (c *conn) scanOptions(args [][]byte) (o scanOptions, ok bool) {
	o.count = 10
	for i := 0; i < len(args); i += 2 {
		last := i+1 == len(args)
		switch {
		case !last && is(args[i], "count"):
			n, ok := c.integer(args[i+1], notInteger)
			if !ok {
				return o, false
			}
			if n < 1 {
				c.fail(syntaxError)
				return o, false
			}
			o.count = int(min(n, math.MaxInt32))
		case !last && is(args[i], "match"):
			o.match = args[i+1]
		case !last && is(args[i], "type"):
			o.kind = args[i+1]
		default:
			c.fail(syntaxError)
			return o, false
		}
	}
	return o, true
}

func dbsize(ctx context.Context, c *conn, _ [][]byte) {
	n, err := c.server.cache.Len(ctx)
	if err != nil {
		c.fail(errorText(err))
		return
	}
	c.int(n)
}

// flush is FLUSHDB and FLUSHALL, which are the same: there is one database.
func flush(ctx context.Context, c *conn, args [][]byte) {
	if len(args) > 2 || len(args) == 2 && !is(args[1], "async") && !is(args[1], "sync") {
		c.fail(syntaxError)
		return
	}
	c.begin(core.OpClear, nil)
	if c.do(ctx) {
		c.ok()
	}
}

// objectEncoding is OBJECT ENCODING: what Redis would choose for the value.
func objectEncoding(ctx context.Context, c *conn, args [][]byte) {
	c.begin(core.OpGet, args[2])
	if !c.do(ctx) {
		return
	}
	e := c.res.Entry
	if e == nil {
		c.null()
		return
	}
	_, number := core.ParseInt(e.Value)
	switch {
	case number:
		c.text("int")
	case len(e.Value) <= 44:
		c.text("embstr")
	default:
		c.text("raw")
	}
}

func objectRefcount(ctx context.Context, c *conn, args [][]byte) { c.objectNumber(ctx, args[2], 1) }

func objectIdletime(ctx context.Context, c *conn, args [][]byte) { c.objectNumber(ctx, args[2], 0) }

// objectNumber replies with n if the key is there.
func (c *conn) objectNumber(ctx context.Context, key []byte, n int64) {
	c.begin(core.OpExists, key)
	switch {
	case !c.do(ctx):
	case c.found():
		c.int(n)
	default:
		c.null()
	}
}
