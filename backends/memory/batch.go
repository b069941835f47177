package memory

import (
	"context"

	"github.com/edgecache/edgecache/core"
)

// GetMany looks the keys up one after the other.
func (b *Backend) GetMany(ctx context.Context, keys []string, out []*core.Entry) error {
	for i, key := range keys {
		e, err := b.Get(ctx, key)
		if missing(err) != nil {
			return err
		}
		out[i] = e
	}
	return b.Ping(ctx)
}

// SetMany stores the entries one after the other.
func (b *Backend) SetMany(ctx context.Context, keys []string, entries []*core.Entry, errs []error) error {
	if b.open.Load() == nil {
		return core.ErrClosed
	}
	for i, key := range keys {
		errs[i] = b.Set(ctx, key, entries[i])
	}
	return nil
}

// DeleteMany deletes the keys one after the other.
func (b *Backend) DeleteMany(ctx context.Context, keys []string, found []bool) error {
	for i, key := range keys {
		var err error
		if found[i], err = b.Delete(ctx, key); err != nil {
			return err
		}
	}
	return b.Ping(ctx)
}
