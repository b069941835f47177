package file

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/edgecache/edgecache/core"
)

// GetMany reads one file after the other.
func (b *Backend) GetMany(ctx context.Context, keys []string, out []*core.Entry) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	for i, key := range keys {
		e, err := b.get(key, true)
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			return err
		}
		out[i] = e
		if err := b.goOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// SetMany writes one file after the other. It goes on where one can't be written.
func (b *Backend) SetMany(ctx context.Context, keys []string, entries []*core.Entry, errs []error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	for i, key := range keys {
		if errs[i] = b.goOn(ctx); errs[i] == nil {
			errs[i] = b.set(key, entries[i])
		}
	}
	return nil
}

// DeleteMany removes one file after the other.
func (b *Backend) DeleteMany(ctx context.Context, keys []string, found []bool) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	for i, key := range keys {
		err := b.goOn(ctx)
		if err == nil {
			found[i], err = b.drop(b.hash(key), key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// items are all that have not expired, in no order. What comes or goes meanwhile may be there or not.
func (b *Backend) items(ctx context.Context) iter.Seq2[*item, error] {
	return func(yield func(*item, error) bool) {
		t := now()
		for i := range b.index.shards {
			if err := b.goOn(ctx); err != nil {
				yield(nil, err)
				return
			}
			for _, it := range b.index.shard(i) {
				if !it.expired(t) && !yield(it, nil) {
					return
				}
			}
		}
	}
}

// Scan looks at the whole index, and no file, once for each 32,768 keys that it finds. Keys of equal hash come together, so
// that a page may be longer than count.
func (b *Backend) Scan(ctx context.Context, cursor uint64, prefix, match string, count int) ([]string, uint64, error) {
	if err := b.enter(ctx); err != nil {
		return nil, 0, err
	}
	defer b.leave()
	keys := func(yield func(string, error) bool) {
		for it, err := range b.items(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			if !yield(it.key, nil) {
				return
			}
		}
	}
	page, next, err := b.scans.Page(ctx, keys, cursor, prefix, match, count)
	if err != nil {
		return nil, 0, err
	}
	gone := func(key string) bool { return b.index.get(b.hash(key), key, now(), false) == nil }
	return slices.DeleteFunc(page, gone), next, nil
}

// Clear removes every key that begins with prefix, one file after the other. Folders stay.
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	from, to := core.PrefixRange(prefix)
	_, err := b.DeleteRange(ctx, from, to)
	return err
}

// DeleteRange looks at the whole index and removes one file after the other. Folders stay.
func (b *Backend) DeleteRange(ctx context.Context, from, to string) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	var n int64
	for it, err := range b.items(ctx) {
		if err == nil && it.key >= from && (to == "" || it.key < to) {
			if err = b.goOn(ctx); err == nil {
				err = b.discard(it, core.CauseCleared, &n)
			}
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
