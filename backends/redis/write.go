package redis

import (
	"context"
	"fmt"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// Set stores the entry whatever was there.
func (b *Backend) Set(ctx context.Context, key string, e *core.Entry) error {
	cmd, err := b.setCommand(ctx, key, e, "")
	if err != nil {
		return err
	}
	return b.write(ctx, cmd)
}

// SetIf stores the entry if the key is absent or present. What counts is whether the server has the key: a damaged value
// is present until it expires or is overwritten.
func (b *Backend) SetIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	mode, unmet := "nx", core.ErrExists
	if cond == core.IfPresent {
		mode, unmet = "xx", core.ErrNotFound
	}
	if e.Expired(time.Now()) {
		return b.dropIf(ctx, key, cond == core.IfPresent, unmet)
	}
	cmd, err := b.setCommand(ctx, key, e, mode)
	if err != nil {
		return err
	}
	if err = b.write(ctx, cmd); err == core.ErrNotFound { //nolint:errorlint // fail's form of the nil reply
		return unmet
	}
	return err
}

// dropIf is SetIf of an entry that has already ended: only the condition is left to check and the key to remove.
func (b *Backend) dropIf(ctx context.Context, key string, present bool, unmet error) error {
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		if (old != nil) != present {
			return old, unmet
		}
		return nil, nil
	})
	return err
}

// SetMany stores entries[i] at keys[i] in one round trip, to each node of a cluster.
func (b *Backend) SetMany(ctx context.Context, keys []string, entries []*core.Entry, errs []error) error {
	cmds := make([]redis.Cmder, 0, len(keys))
	indexes := make([]int, 0, len(keys))
	for i, key := range keys {
		cmd, err := b.setCommand(ctx, key, entries[i], "")
		if err != nil {
			errs[i] = err
			continue
		}
		cmds, indexes = append(cmds, cmd), append(indexes, i)
	}
	if len(cmds) == 0 {
		return nil
	}
	fail, err := b.writeAll(ctx, cmds)
	if err != nil {
		return err
	}
	for n, cmd := range cmds {
		errs[indexes[n]] = fail(cmd.Err())
	}
	return nil
}

// setCommand makes the command that stores e, or that deletes key if e has ended. mode is "", "nx" or "xx".
func (b *Backend) setCommand(ctx context.Context, key string, e *core.Entry, mode string) (redis.Cmder, error) {
	data, err := b.encode(key, e)
	if err != nil {
		return nil, err
	}
	args := append(make([]any, 0, 6), "set", key, data)
	if e.Expires != 0 {
		left := millisecondsUntil(e.Expires)
		if left <= 0 {
			return redis.NewIntCmd(ctx, "del", key), nil
		}
		args = append(args, "px", left)
	}
	if mode != "" {
		args = append(args, mode)
	}
	return redis.NewStatusCmd(ctx, args...), nil
}

// encode returns the bytes that stand for e in the store.
func (b *Backend) encode(key string, e *core.Entry) ([]byte, error) {
	if len(e.Value)+codec.EnvelopeSize > b.opts.MaxValue {
		return nil, fmt.Errorf("redis: %w: %d bytes, at most %d", core.ErrTooLarge, len(e.Value), b.opts.MaxValue-codec.EnvelopeSize)
	}
	env := codec.Envelope{Value: e.Value, Expires: e.Expires, Version: e.Version, Flags: e.Flags, Codec: e.Codec}
	if b.opts.Values == Raw || env.Plain() {
		return e.Value, nil
	}
	return codec.AppendEnvelope(make([]byte, 0, codec.EnvelopeSize+len(e.Value)), key, env), nil
}

// Delete removes the key, whatever type it has.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	cmd := redis.NewIntCmd(ctx, "del", key)
	err := b.write(ctx, cmd)
	return cmd.Val() > 0, err
}

// DeleteMany removes keys in one round trip, to each node of a cluster. On an error some may be gone.
func (b *Backend) DeleteMany(ctx context.Context, keys []string, found []bool) error {
	if len(keys) == 0 {
		return nil
	}
	cmds := make([]redis.Cmder, len(keys))
	for i, key := range keys {
		cmds[i] = redis.NewIntCmd(ctx, "del", key)
	}
	fail, err := b.writeAll(ctx, cmds)
	if err != nil {
		return err
	}
	for i, cmd := range cmds {
		if err := fail(cmd.Err()); err != nil {
			return err
		}
		found[i] = cmd.(*redis.IntCmd).Val() > 0
	}
	return nil
}

// Expire sets the expiry. In an enveloped database it rewrites the envelope, so that it agrees with the server.
func (b *Backend) Expire(ctx context.Context, key string, expires int64) (bool, error) {
	left := millisecondsUntil(expires)
	switch {
	case expires != 0 && left <= 0:
		return b.Delete(ctx, key)
	case b.opts.Values == Enveloped:
		return b.rewriteExpiry(ctx, key, expires)
	case expires == 0:
		return b.persist(ctx, key)
	}
	cmd := redis.NewIntCmd(ctx, "pexpire", key, left)
	err := b.write(ctx, cmd)
	return cmd.Val() == 1, err
}

func (b *Backend) rewriteExpiry(ctx context.Context, key string, expires int64) (found bool, err error) {
	_, err = b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		found = old != nil
		if !found || old.Expires == expires {
			return old, nil
		}
		return old.Until(expires), nil
	})
	return found, err
}

// persist takes the expiry away. PERSIST alone does not tell an absent key from one without expiry.
func (b *Backend) persist(ctx context.Context, key string) (bool, error) {
	exists, persist := redis.NewIntCmd(ctx, "exists", key), redis.NewIntCmd(ctx, "persist", key)
	fail, err := b.writeAll(ctx, []redis.Cmder{exists, persist})
	if err != nil {
		return false, err
	}
	if err := fail(persist.Err()); err != nil {
		return false, err
	}
	return exists.Val() == 1, fail(exists.Err())
}

// millisecondsUntil returns what is left until expires (unix nanoseconds), rounded up. It is at most 0 if expires has
// passed, and has no meaning for 0.
func millisecondsUntil(expires int64) int64 {
	left := expires - time.Now().UnixNano()
	if left <= 0 {
		return 0
	}
	return (left-1)/int64(time.Millisecond) + 1
}

// bytesOf returns the bytes of a reply without copying. They are read-only, and never nil.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}
