package sqlite

import (
	"context"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
)

// read calls fn with a connection that reads. fn may be called twice.
func (b *Backend) read(ctx context.Context, fn func(*conn) error) error {
	return b.fail(b.use(func(db *database) error {
		c, err := db.reader(ctx)
		if err != nil {
			return err
		}
		defer db.release(c)
		return fn(c)
	}))
}

// Get returns the entry, with bytes of its own unless it waits to be committed.
func (b *Backend) Get(ctx context.Context, key string) (*core.Entry, error) {
	e, err := b.Peek(ctx, key)
	if err == nil {
		b.used.mark(key)
	}
	return e, err
}

// Peek is Get, except that the entry is evicted as if it had not been read.
func (b *Backend) Peek(ctx context.Context, key string) (e *core.Entry, err error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	e, pending := b.writes.get(key)
	if !pending {
		err = b.read(ctx, func(c *conn) (err error) {
			e, err = b.load(c, key)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if e == nil || e.Expires != 0 && e.Expired(time.Now()) {
		return nil, core.ErrNotFound
	}
	return e, nil
}

// load reads the entry from the table, nil if it is absent or damaged. It may have expired.
func (b *Backend) load(c *conn, key string) (*core.Entry, error) {
	found, err := c.first(1, "SELECT data FROM entries WHERE key = ?", []byte(key))
	if err != nil || !found {
		return nil, err
	}
	return b.decode(key, c.blob(0)), nil
}

// decode opens an envelope, of which the entry keeps the bytes. It returns nil for one that is damaged, and counts it.
func (b *Backend) decode(key string, data []byte) *core.Entry {
	env, err := codec.OpenEnvelope(key, data)
	if err != nil || len(env.Value) == len(data) { // what is no envelope is not ours either
		b.damaged.Add(1)
		return nil
	}
	return &core.Entry{Value: env.Value, Expires: env.Expires, Version: env.Version, Flags: env.Flags, Codec: env.Codec}
}

// GetMany reads from one state of the database.
func (b *Backend) GetMany(ctx context.Context, keys []string, out []*core.Entry) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	missing := make([]int, 0, len(keys))
	for i, key := range keys {
		e, pending := b.writes.get(key)
		if out[i] = e; !pending {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		if err := b.read(ctx, func(c *conn) error { return b.loadMany(ctx, c, keys, missing, out) }); err != nil {
			return err
		}
	}
	now := time.Now()
	for i, e := range out {
		if e == nil || e.Expired(now) {
			out[i] = nil
			continue
		}
		b.used.mark(keys[i])
	}
	return nil
}

func (b *Backend) loadMany(ctx context.Context, c *conn, keys []string, missing []int, out []*core.Entry) (err error) {
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	defer func() { _, _ = c.exec("COMMIT") }() // nothing was written
	for _, i := range missing {
		if err := ctx.Err(); err != nil {
			return err
		}
		if out[i], err = b.load(c, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// Expiry reads the whole entry: what the table says beside it may be damaged.
func (b *Backend) Expiry(ctx context.Context, key string) (int64, error) {
	e, err := b.Peek(ctx, key)
	if err != nil {
		return 0, err
	}
	return e.Expires, nil
}
