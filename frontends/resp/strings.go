package resp

import (
	"context"
	"math"
	"time"

	"github.com/edgecache/edgecache/core"
)

func get(ctx context.Context, c *conn, args [][]byte) {
	c.begin(core.OpGet, args[1])
	if c.do(ctx) {
		c.entry(c.res.Entry)
	}
}

// writeOptions are what SET and GETEX take after their key and value.
type writeOptions struct {
	ifAbsent, ifPresent bool
	old                 bool // GET
	keep, persist       bool
	expiry              expiry
}

// expiry is when a key is to end, as the client wrote it.
type expiry struct {
	given    []byte // nil: no expiry
	seconds  bool   // else milliseconds
	absolute bool   // since 1970, else from now
}

// parseExpiry recognises EX, PX, EXAT and PXAT.
func parseExpiry(word []byte) (e expiry, ok bool) {
	switch {
	case is(word, "ex"):
		return expiry{seconds: true}, true
	case is(word, "px"):
		return expiry{}, true
	case is(word, "exat"):
		return expiry{seconds: true, absolute: true}, true
	case is(word, "pxat"):
		return expiry{absolute: true}, true
	default:
		return expiry{}, false
	}
}

// conflicts reports whether another expiry than one of e's kind has been given.
func (o *writeOptions) conflicts(e expiry) bool {
	return o.keep || o.persist ||
		o.expiry.given != nil && (o.expiry.seconds != e.seconds || o.expiry.absolute != e.absolute)
}

// parseWriteOptions reads the options of SET (isSet) or GETEX, and reports whether they go together.
func parseWriteOptions(args [][]byte, isSet bool) (o writeOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		word := args[i]
		switch {
		case isSet && is(word, "nx") && !o.ifPresent:
			o.ifAbsent = true
		case isSet && is(word, "xx") && !o.ifAbsent:
			o.ifPresent = true
		case isSet && is(word, "get"):
			o.old = true
		case isSet && is(word, "keepttl") && o.expiry.given == nil:
			o.keep = true
		case !isSet && is(word, "persist") && o.expiry.given == nil:
			o.persist = true
		default:
			e, known := parseExpiry(word)
			if !known || o.conflicts(e) || i+1 == len(args) {
				return o, false
			}
			i++
			e.given = args[i]
			o.expiry = e
		}
	}
	return o, true
}

// ttl returns how long the key will live, or appends an error and returns false. What has passed already is a
// nanosecond.
func (c *conn) ttl(e expiry) (time.Duration, bool) {
	n, ok := c.integer(e.given, notInteger)
	if !ok {
		return 0, false
	}
	now := time.Now()
	if n <= 0 || e.seconds && n > math.MaxInt64/1000 {
		c.badExpiry()
		return 0, false
	}
	if e.seconds {
		n *= 1000
	}
	if e.absolute {
		return until(n, now), true
	}
	if n > math.MaxInt64-now.UnixMilli() {
		c.badExpiry()
		return 0, false
	}
	return milliseconds(n), true
}

func (c *conn) badExpiry() { c.err("invalid expire time in '" + c.cur.fullName() + "' command") }

// milliseconds returns a positive number of them, or the longest duration.
func milliseconds(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Millisecond
}

// until returns how long it is from now to a time in unix milliseconds, at least a nanosecond.
func until(ms int64, now time.Time) time.Duration {
	d := milliseconds(max(ms, 0))
	if d == math.MaxInt64 {
		return d
	}
	return max(d-time.Duration(now.UnixNano()), 1)
}

// set is SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL].
func set(ctx context.Context, c *conn, args [][]byte) {
	if len(args) == 3 {
		c.begin(core.OpSet, args[1]).Value = args[2]
		if c.do(ctx) {
			c.ok()
		}
		return
	}
	o, ok := parseWriteOptions(args[3:], true)
	if !ok {
		c.fail(syntaxError)
		return
	}
	c.setWith(ctx, args, &o)
}

func (c *conn) setWith(ctx context.Context, args [][]byte, o *writeOptions) {
	cmd := c.begin(core.OpSet, args[1])
	cmd.Value = args[2]
	switch {
	case o.ifAbsent:
		cmd.Op = core.OpAdd
	case o.ifPresent:
		cmd.Op = core.OpReplace
	}
	var ok bool
	switch {
	case o.keep:
		cmd.TTL = core.KeepTTL
	case o.expiry.given != nil:
		if cmd.TTL, ok = c.ttl(o.expiry); !ok {
			return
		}
	}
	if o.old {
		cmd.Flags |= core.FlagOld
	}
	if !c.do(ctx) {
		return
	}
	switch {
	case o.old:
		c.entry(c.res.Entry)
	case c.held():
		c.ok()
	default:
		c.null()
	}
}

// held reports whether the condition of a conditional write held. One that a hook kept from the tiers counts as done.
func (c *conn) held() bool {
	return c.res.Outcome != core.OutcomeNotStored && c.res.Outcome != core.OutcomeMiss
}

func setnx(ctx context.Context, c *conn, args [][]byte) {
	c.begin(core.OpAdd, args[1]).Value = args[2]
	if c.do(ctx) {
		c.bool(c.held())
	}
}

func setex(ctx context.Context, c *conn, args [][]byte) {
	c.setExpiring(ctx, args, expiry{given: args[2], seconds: true})
}

func psetex(ctx context.Context, c *conn, args [][]byte) {
	c.setExpiring(ctx, args, expiry{given: args[2]})
}

func (c *conn) setExpiring(ctx context.Context, args [][]byte, e expiry) {
	ttl, ok := c.ttl(e)
	if !ok {
		return
	}
	cmd := c.begin(core.OpSet, args[1])
	cmd.Value, cmd.TTL = args[3], ttl
	if c.do(ctx) {
		c.ok()
	}
}

func getset(ctx context.Context, c *conn, args [][]byte) {
	cmd := c.begin(core.OpSet, args[1])
	cmd.Value = args[2]
	c.withOld(ctx, cmd)
}

func getdel(ctx context.Context, c *conn, args [][]byte) {
	c.withOld(ctx, c.begin(core.OpDelete, args[1]))
}

// withOld runs a command and replies with the value that was there before.
func (c *conn) withOld(ctx context.Context, cmd *core.Command) {
	cmd.Flags |= core.FlagOld
	if c.do(ctx) {
		c.entry(c.res.Entry)
	}
}

// getex is GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST].
func getex(ctx context.Context, c *conn, args [][]byte) {
	o, ok := parseWriteOptions(args[2:], false)
	switch {
	case !ok:
		c.fail(syntaxError)
	case o.persist:
		cmd := c.begin(core.OpExpire, args[1])
		cmd.TTL = core.NoExpiry
		c.withOld(ctx, cmd)
	case o.expiry.given == nil:
		get(ctx, c, args)
	default:
		c.getExpiring(ctx, args[1], o.expiry)
	}
}

func (c *conn) getExpiring(ctx context.Context, key []byte, e expiry) {
	mark := len(c.out)
	ttl, ok := c.ttl(e)
	if !ok { // which an absent key forgives
		c.begin(core.OpExists, key)
		complaint := string(c.out[mark:])
		c.out = c.out[:mark]
		if c.do(ctx) {
			if c.res.Outcome == core.OutcomeHit {
				c.out = append(c.out, complaint...)
			} else {
				c.null()
			}
		}
		return
	}
	cmd := c.begin(core.OpExpire, key)
	if cmd.TTL = ttl; ttl == 1 {
		cmd.Op = core.OpDelete
	}
	c.withOld(ctx, cmd)
}

func mget(ctx context.Context, c *conn, args [][]byte) {
	if !c.doMany(ctx, core.OpGetMany, c.views(args[1:]), nil) {
		return
	}
	c.array(len(args) - 1)
	for i := range c.res.Items {
		c.entry(c.res.Items[i].Entry)
	}
}

func mset(ctx context.Context, c *conn, args [][]byte) {
	if len(args)%2 == 0 {
		c.err(c.cur.wrongArity())
		return
	}
	keys, values := c.keys[:0], c.values[:0]
	for i := 1; i < len(args); i += 2 {
		keys, values = append(keys, view(args[i])), append(values, args[i+1])
	}
	if c.doMany(ctx, core.OpSetMany, keys, values) {
		c.ok()
	}
}

func strlen(ctx context.Context, c *conn, args [][]byte) {
	c.begin(core.OpGet, args[1])
	if !c.do(ctx) {
		return
	}
	n := 0
	if e := c.res.Entry; e != nil {
		n = len(e.Value)
	}
	c.int(int64(n))
}

// getrange is GETRANGE key start end, which counts from the end below zero.
func getrange(ctx context.Context, c *conn, args [][]byte) {
	start, ok := c.integer(args[2], notInteger)
	if !ok {
		return
	}
	end, ok := c.integer(args[3], notInteger)
	if !ok {
		return
	}
	c.begin(core.OpGet, args[1])
	if !c.do(ctx) {
		return
	}
	var value []byte
	if e := c.res.Entry; e != nil {
		value = e.Value
	}
	c.bulk(slice(value, start, end))
}

// slice returns b from start to end, both included and counted from the end of b where negative.
func slice(b []byte, start, end int64) []byte {
	size := int64(len(b))
	if start < 0 && end < 0 && start > end {
		return nil
	}
	if start < 0 {
		start = max(start+size, 0)
	}
	if end < 0 {
		end = max(end+size, 0)
	}
	end = min(end, size-1)
	if start > end {
		return nil
	}
	return b[start : end+1]
}
