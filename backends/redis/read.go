package redis

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// Replies of PTTL that are no durations.
const (
	pttlNone   = -1 // the key has no expiry
	pttlAbsent = -2
)

// Get returns the entry with its expiry. An enveloped value takes one round trip, a plain one in an enveloped database
// two, and any value in a raw database one. A key that holds no string gives Redis's WRONGTYPE.
func (b *Backend) Get(ctx context.Context, key string) (*core.Entry, error) {
	if b.opts.Values == Enveloped {
		e, plain, err := b.getEnveloped(ctx, key)
		if !plain {
			return e, err
		}
	}
	data, pttl, err := b.load(ctx, key)
	if err != nil {
		return nil, err
	}
	if e := b.decode(key, data, pttl); e != nil {
		return e, nil
	}
	return nil, core.ErrNotFound
}

// getEnveloped reads key with one GET. plain says that only the server knows the expiry of what is there.
func (b *Backend) getEnveloped(ctx context.Context, key string) (e *core.Entry, plain bool, err error) {
	var cmd *redis.StringCmd
	err = b.read(ctx, func(ctx context.Context) error {
		cmd = b.client.Get(ctx, key)
		return cmd.Err()
	})
	if err != nil {
		return nil, false, err
	}
	data, _ := cmd.Bytes()
	e, plain = b.open(key, data)
	if e == nil && !plain {
		err = core.ErrNotFound
	}
	return e, plain, err
}

// endsNow is the expiry, from now, of an entry that by its envelope has ended and that the server still has: it will go
// within moments, the clocks differ, or another client has prolonged it. The server decides whether a key is there.
const endsNow = time.Millisecond

// open makes the entry of an envelope: nil where it is damaged, and nil and plain where data is none.
func (b *Backend) open(key string, data []byte) (e *core.Entry, plain bool) {
	env, err := codec.OpenEnvelope(key, data)
	switch {
	case err != nil:
		b.damaged.Add(1)
		return nil, false
	case len(env.Value) == len(data):
		return nil, true
	}
	e = &core.Entry{Value: env.Value, Expires: env.Expires, Version: env.Version, Flags: env.Flags, Codec: env.Codec}
	if now := time.Now(); e.Expired(now) {
		e.Expires = core.Deadline(now, endsNow)
	}
	return e, false
}

// decode makes the entry of what load read, or nil if it is absent or damaged.
func (b *Backend) decode(key string, data []byte, pttl int64) *core.Entry {
	if data == nil || pttl == pttlAbsent {
		return nil
	}
	if b.opts.Values == Enveloped {
		if e, plain := b.open(key, data); !plain {
			return e
		}
	}
	e := &core.Entry{Value: data}
	if pttl != pttlNone {
		e.Expires = core.Deadline(time.Now(), time.Duration(max(pttl, 1))*time.Millisecond)
	}
	return e
}

// load reads a value as it stands in the store, nil if absent, and its time to live, in one round trip.
func (b *Backend) load(ctx context.Context, key string) (data []byte, pttl int64, err error) {
	var get *redis.StringCmd
	var left *redis.IntCmd
	err = b.read(ctx, func(ctx context.Context) error {
		pipe := b.client.Pipeline()
		get, left = queueLoad(ctx, pipe, key)
		_, err := pipe.Exec(ctx)
		return err
	})
	if err == core.ErrNotFound { //nolint:errorlint // fail returns it as it is
		return nil, pttlAbsent, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return bytesOf(get.Val()), left.Val(), nil
}

func queueLoad(ctx context.Context, pipe redis.Pipeliner, key string) (*redis.StringCmd, *redis.IntCmd) {
	get, left := redis.NewStringCmd(ctx, "get", key), redis.NewIntCmd(ctx, "pttl", key)
	_ = pipe.Process(ctx, get) // a pipeline only queues here
	_ = pipe.Process(ctx, left)
	return get, left
}

// GetMany reads keys in one round trip, and plain values of an enveloped database in a second one. In a cluster each node
// is asked at the same time; one that does not answer fails the whole call. Keys that hold no string are misses.
func (b *Backend) GetMany(ctx context.Context, keys []string, out []*core.Entry) error {
	if len(keys) == 0 {
		return nil
	}
	indexes := make([]int, 0, len(keys))
	if b.opts.Values == Raw {
		for i := range keys {
			indexes = append(indexes, i)
		}
		return b.loadMany(ctx, keys, indexes, out)
	}
	values, err := b.values(ctx, keys)
	if err != nil {
		return err
	}
	for i, v := range values {
		if v == nil {
			continue
		}
		e, plain := b.open(keys[i], v)
		if out[i] = e; plain {
			indexes = append(indexes, i)
		}
	}
	return b.loadMany(ctx, keys, indexes, out)
}

// loadMany reads keys[i] with its time to live to out[i] for each index i.
func (b *Backend) loadMany(ctx context.Context, keys []string, indexes []int, out []*core.Entry) error {
	if len(indexes) == 0 {
		return nil
	}
	gets, lefts := make([]*redis.StringCmd, len(indexes)), make([]*redis.IntCmd, len(indexes))
	err := b.read(ctx, func(ctx context.Context) error {
		pipe := b.client.Pipeline()
		for n, i := range indexes {
			gets[n], lefts[n] = queueLoad(ctx, pipe, keys[i])
		}
		cmds, _ := pipe.Exec(ctx)
		return firstFailure(cmds)
	})
	if err != nil {
		return err
	}
	for n, i := range indexes {
		if gets[n].Err() == nil {
			out[i] = b.decode(keys[i], bytesOf(gets[n].Val()), lefts[n].Val())
		}
	}
	return nil
}

// values reads what stands at keys, nil where there is no string.
func (b *Backend) values(ctx context.Context, keys []string) (values [][]byte, err error) {
	get := b.mget
	if b.cluster != nil {
		get = b.pipelinedGets
	}
	err = b.read(ctx, func(ctx context.Context) error {
		values, err = get(ctx, keys)
		return err
	})
	return values, err
}

func (b *Backend) mget(ctx context.Context, keys []string) ([][]byte, error) {
	replies, err := b.client.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i := range min(len(replies), len(keys)) {
		if v, ok := replies[i].(string); ok {
			values[i] = bytesOf(v)
		}
	}
	return values, nil
}

// pipelinedGets is mget for a cluster, whose keys live in different places.
func (b *Backend) pipelinedGets(ctx context.Context, keys []string) ([][]byte, error) {
	pipe := b.client.Pipeline()
	for _, k := range keys {
		pipe.Get(ctx, k)
	}
	cmds, _ := pipe.Exec(ctx)
	if err := firstFailure(cmds); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, cmd := range cmds {
		if cmd.Err() == nil {
			values[i] = bytesOf(cmd.(*redis.StringCmd).Val())
		}
	}
	return values, nil
}

// firstFailure returns the first error that is neither a miss nor a key of another type.
func firstFailure(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil && !strings.HasPrefix(err.Error(), "WRONGTYPE") { //nolint:errorlint // as go-redis returns it
			return err
		}
	}
	return nil
}
