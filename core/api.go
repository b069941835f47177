package core

import (
	"context"
	"time"
)

// EntryOptions are a write's options. The zero value means the cache's defaults.
type EntryOptions struct {
	// TTL is a positive duration, DefaultTTL, NoExpiry or KeepTTL.
	TTL time.Duration
	// Jitter is Command.Jitter: 0 is the cache's default, a negative one is none.
	Jitter float32
	// Flags and Codec are stored with the value.
	Flags uint32
	Codec uint8
	// Decoded, if not nil, is kept beside the value in memory tiers, which count DecodedWeight bytes for it.
	Decoded       any
	DecodedWeight uint32
}

// call is a command and its result, reused by the methods of Cache.
type call struct {
	cmd Command
	res Result
}

// call returns a command for Do; free must follow.
func (c *Cache) call(op Op, key string) *call {
	k, _ := c.engine.calls.Get().(*call)
	if k == nil {
		k = new(call)
	}
	k.cmd.Op, k.cmd.Key = op, key
	return k
}

// options sets what a write stores beside the value.
func (k *call) options(o EntryOptions) *call {
	k.cmd.TTL, k.cmd.Jitter, k.cmd.EntryFlags, k.cmd.Codec = o.TTL, o.Jitter, o.Flags, o.Codec
	k.cmd.Decoded, k.cmd.DecodedWeight = o.Decoded, o.DecodedWeight
	return k
}

// free gives the call back, without what it points to but with its buffers.
func (c *Cache) free(k *call) {
	cmd, res := &k.cmd, &k.res
	clear(cmd.Keys)
	clear(cmd.Values)
	clear(res.Items)
	clear(res.Keys)
	*cmd = Command{
		Keys: cmd.Keys[:0], Values: cmd.Values[:0],
		cookies: cmd.cookies, arena: cmd.arena, pending: cmd.pending,
	}
	*res = Result{Items: res.Items[:0], Keys: res.Keys[:0]}
	c.engine.calls.Put(k)
}

// Get returns the value of key, or ErrNotFound. The bytes are shared and must not be changed. A hit in the nearest tier,
// with no hook or observer for OpGet, allocates nothing and reads no clock.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, error) {
	e, err := c.GetEntry(ctx, key)
	if err != nil {
		return nil, err
	}
	return e.Value, nil
}

// GetEntry returns the entry of key, or ErrNotFound.
func (c *Cache) GetEntry(ctx context.Context, key string) (*Entry, error) {
	if e, err := c.quickGet(ctx, key); err != errSlow { //nolint:errorlint // a marker that never leaves this file
		return e, err
	}
	return c.entry(ctx, key, 0, 0)
}

// GetRenew is a sliding read: it returns the value of key, or ErrNotFound, and lets an entry that expires live for ttl from
// now on. One that never expires goes on so. ttl must be positive.
func (c *Cache) GetRenew(ctx context.Context, key string, ttl time.Duration) ([]byte, error) {
	if ttl <= 0 {
		return nil, &OpError{Op: OpGet, Namespace: c.ns.path, Key: key, Err: ErrBadTTL}
	}
	e, err := c.entry(ctx, key, 0, ttl)
	if err != nil {
		return nil, err
	}
	return e.Value, nil
}

// GetAuthority returns the entry of key from the farthest tier, past nearer copies, or ErrNotFound.
func (c *Cache) GetAuthority(ctx context.Context, key string) (*Entry, error) {
	return c.entry(ctx, key, FlagAuthority, 0)
}

func (c *Cache) entry(ctx context.Context, key string, flags CommandFlags, renew time.Duration) (*Entry, error) {
	k := c.call(OpGet, key)
	defer c.free(k)
	k.cmd.Flags, k.cmd.Renew = flags, renew
	switch err := c.Do(ctx, &k.cmd, &k.res); {
	case err != nil:
		return nil, err
	case k.res.Outcome != OutcomeHit:
		return nil, ErrNotFound
	default:
		return k.res.Entry, nil
	}
}

// GetMany returns the values of keys in their order, nil for a miss. Reads that fail in one of several tiers count as
// misses; where the only tier failed, or a hook refused a key, the error is a *BatchError. The bytes are shared.
func (c *Cache) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	k := c.call(OpGetMany, "")
	defer c.free(k)
	k.cmd.Keys = append(k.cmd.Keys, keys...)
	err := c.Do(ctx, &k.cmd, &k.res)
	values := make([][]byte, len(keys))
	for i := range k.res.Items {
		if e := k.res.Items[i].Entry; e != nil {
			values[i] = e.Value
			if values[i] == nil {
				values[i] = []byte{}
			}
		}
	}
	return values, err
}

// Set stores value at key. value belongs to the cache from here on.
func (c *Cache) Set(ctx context.Context, key string, value []byte, opts EntryOptions) error {
	return c.store(ctx, OpSet, key, value, 0, opts)
}

// Add stores value only if key is absent; else it returns ErrExists.
func (c *Cache) Add(ctx context.Context, key string, value []byte, opts EntryOptions) error {
	return c.store(ctx, OpAdd, key, value, 0, opts)
}

// Replace stores value only if key is present; else it returns ErrNotFound.
func (c *Cache) Replace(ctx context.Context, key string, value []byte, opts EntryOptions) error {
	return c.store(ctx, OpReplace, key, value, 0, opts)
}

// CompareAndSwap stores value only if key still has the entry whose Token is given; else it returns ErrConflict, or
// ErrNotFound if the key is gone. Read the token with GetAuthority.
func (c *Cache) CompareAndSwap(ctx context.Context, key string, token uint64, value []byte, opts EntryOptions) error {
	return c.store(ctx, OpCompareAndSwap, key, value, token, opts)
}

func (c *Cache) store(ctx context.Context, op Op, key string, value []byte, token uint64, opts EntryOptions) error {
	k := c.call(op, key).options(opts)
	defer c.free(k)
	k.cmd.Value, k.cmd.Version = value, token
	if err := c.Do(ctx, &k.cmd, &k.res); err != nil {
		return err
	}
	return conditionError(op, k.res.Outcome)
}

// conditionError turns the outcome of a conditional write that did not take place into its error.
func conditionError(op Op, o Outcome) error {
	switch {
	case o != OutcomeNotStored && o != OutcomeMiss:
		return nil
	case op == OpAdd:
		return ErrExists
	case op == OpCompareAndSwap && o == OutcomeNotStored:
		return ErrConflict
	default:
		return ErrNotFound
	}
}

// SetMany stores values[i] at keys[i], in one batch. The values belong to the cache from here on. Keys that failed are
// in a *BatchError.
func (c *Cache) SetMany(ctx context.Context, keys []string, values [][]byte, opts EntryOptions) error {
	k := c.call(OpSetMany, "").options(opts)
	defer c.free(k)
	k.cmd.Keys, k.cmd.Values = append(k.cmd.Keys, keys...), append(k.cmd.Values, values...)
	return c.Do(ctx, &k.cmd, &k.res)
}

// Append adds bytes at the end of the value, keeping its expiry, and returns the new length. An absent key counts as
// empty and gets opts.
func (c *Cache) Append(ctx context.Context, key string, suffix []byte, opts EntryOptions) (int64, error) {
	return c.number(ctx, OpAppend, key, suffix, 0, opts)
}

// Prepend adds bytes at the front of the value, as Append does at the end.
func (c *Cache) Prepend(ctx context.Context, key string, prefix []byte, opts EntryOptions) (int64, error) {
	return c.number(ctx, OpPrepend, key, prefix, 0, opts)
}

// Increment adds delta to the decimal number at key, keeping its expiry, and returns the sum. An absent key counts as 0
// and gets opts. It returns ErrNotInteger or ErrOverflow and changes nothing where there is no sum.
func (c *Cache) Increment(ctx context.Context, key string, delta int64, opts EntryOptions) (int64, error) {
	return c.number(ctx, OpIncrement, key, nil, delta, opts)
}

// Decrement subtracts delta, as Increment adds it. It goes below zero.
func (c *Cache) Decrement(ctx context.Context, key string, delta int64, opts EntryOptions) (int64, error) {
	return c.number(ctx, OpDecrement, key, nil, delta, opts)
}

func (c *Cache) number(ctx context.Context, op Op, key string, value []byte, delta int64, opts EntryOptions) (int64, error) {
	k := c.call(op, key).options(opts)
	defer c.free(k)
	k.cmd.Value, k.cmd.Delta = value, delta
	err := c.Do(ctx, &k.cmd, &k.res)
	return k.res.N, err
}

// Exists reports whether key is there.
func (c *Cache) Exists(ctx context.Context, key string) (bool, error) {
	return c.found(ctx, OpExists, key, DefaultTTL)
}

// Expire sets what is left of key's time to live and reports whether the key is there. NoExpiry persists the key,
// DefaultTTL gives it the cache's default and KeepTTL changes nothing.
func (c *Cache) Expire(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return c.found(ctx, OpExpire, key, ttl)
}

// Delete removes key and reports whether it was there.
func (c *Cache) Delete(ctx context.Context, key string) (bool, error) {
	return c.found(ctx, OpDelete, key, DefaultTTL)
}

func (c *Cache) found(ctx context.Context, op Op, key string, ttl time.Duration) (bool, error) {
	k := c.call(op, key)
	defer c.free(k)
	k.cmd.TTL = ttl
	err := c.Do(ctx, &k.cmd, &k.res)
	return k.res.Outcome == OutcomeHit, err
}

// TTL returns what is left of key's time to live: NoExpiry for a key that has none, ErrNotFound for an absent key.
func (c *Cache) TTL(ctx context.Context, key string) (time.Duration, error) {
	k := c.call(OpTTL, key)
	defer c.free(k)
	err := c.Do(ctx, &k.cmd, &k.res)
	if err == nil && k.res.Outcome != OutcomeHit {
		err = ErrNotFound
	}
	return k.res.TTL, err
}

// DeleteMany removes keys in one batch and returns how many were there.
func (c *Cache) DeleteMany(ctx context.Context, keys []string) (int64, error) {
	k := c.call(OpDeleteMany, "")
	defer c.free(k)
	k.cmd.Keys = append(k.cmd.Keys, keys...)
	err := c.Do(ctx, &k.cmd, &k.res)
	return k.res.N, err
}

// Clear removes everything in this namespace and the namespaces below it, and nothing else.
func (c *Cache) Clear(ctx context.Context) error {
	k := c.call(OpClear, "")
	defer c.free(k)
	return c.Do(ctx, &k.cmd, &k.res)
}

// Keys returns all keys of this namespace that match the glob pattern ("" and "*" match all), in no order. In the root
// these are all keys as the store has them.
func (c *Cache) Keys(ctx context.Context, pattern string) ([]string, error) {
	keys, _, err := c.Scan(ctx, 0, pattern, 0)
	return keys, err
}

// Scan returns about count keys of this namespace that match pattern, and the cursor to go on with; 0 begins and 0 ends.
// A key that is there all the while is returned at least once. count 0 asks for all at once.
func (c *Cache) Scan(ctx context.Context, cursor uint64, pattern string, count int) (keys []string, next uint64, err error) {
	k := c.call(OpKeys, pattern)
	defer c.free(k)
	k.cmd.Cursor, k.cmd.Count = cursor, count
	err = c.Do(ctx, &k.cmd, &k.res)
	return append(keys, k.res.Keys...), k.res.Cursor, err
}

// Raw runs a command of the farthest tier's store and returns its client's form of the reply. Nearer copies of what it
// changes stay as they are.
func (c *Cache) Raw(ctx context.Context, args ...any) (any, error) {
	k := c.call(OpRaw, "")
	defer c.free(k)
	k.cmd.Args = args
	err := c.Do(ctx, &k.cmd, &k.res)
	return k.res.Raw, err
}
