package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/edgecache/edgecache/core"
)

// maxDeletions is how many keys are deleted in one transaction.
const maxDeletions = 1000

// Set stores the entry in memory, from where it is committed. It waits where commits don't keep up.
func (b *Backend) Set(ctx context.Context, key string, e *core.Entry) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	batch, err := b.put(ctx, key, e)
	if err != nil {
		return err
	}
	return b.await(ctx, batch)
}

// SetMany is many times Set.
func (b *Backend) SetMany(ctx context.Context, keys []string, entries []*core.Entry, errs []error) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	batches := make([]*batch, len(keys))
	for i, key := range keys {
		batches[i], errs[i] = b.put(ctx, key, entries[i])
	}
	for i, batch := range batches {
		if batch != nil {
			errs[i] = b.await(ctx, batch)
		}
	}
	return nil
}

// put gives the entry to a batch and returns that. A key whose write fails reads as absent.
func (b *Backend) put(ctx context.Context, key string, e *core.Entry) (*batch, error) {
	if err := b.tooLarge(key, e); err != nil {
		b.writes.forget(key)
		signal(b.dirty)
		return nil, err
	}
	for {
		if err := b.failing(); err != nil {
			b.writes.forget(key)
			return nil, err
		}
		batch, full, wait, err := b.writes.put(key, e)
		if err != nil {
			return nil, err
		}
		if signal(b.dirty); full {
			signal(b.full)
		}
		if batch != nil {
			return batch, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await waits for the commit where the options want that.
func (b *Backend) await(ctx context.Context, batch *batch) error {
	if b.opts.BatchDelay > 0 {
		return nil
	}
	select {
	case <-batch.done:
		return batch.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Backend) tooLarge(key string, e *core.Entry) error {
	size, limit := int64(len(key)+len(e.Value)), min(b.opts.MaxBytes/4, maxEntryBytes)
	if size <= limit {
		return nil
	}
	return fmt.Errorf("sqlite: %w: %d bytes, at most %d", core.ErrTooLarge, size, limit)
}

// Delete removes the entry, for good when it returns. Where it fails the key reads as absent until the process ends.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	found := make([]bool, 1)
	err := b.DeleteMany(ctx, []string{key}, found)
	return found[0], err
}

// DeleteMany removes keys in transactions of a thousand.
func (b *Backend) DeleteMany(ctx context.Context, keys []string, found []bool) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	for first := 0; first < len(keys); first += maxDeletions {
		part := keys[first:min(first+maxDeletions, len(keys))]
		err := b.commit(ctx, func(t *tx) error {
			for i, key := range part {
				live, err := t.delete(key)
				if err != nil {
					return err
				}
				found[first+i] = live
			}
			return nil
		})
		if err != nil {
			b.forgetAll(keys[first:], found[first:])
			return err
		}
	}
	return nil
}

// forgetAll has keys that could not be deleted read as absent.
func (b *Backend) forgetAll(keys []string, found []bool) {
	clear(found)
	for _, key := range keys {
		b.writes.forget(string(append([]byte(nil), key...)))
	}
	signal(b.dirty)
}

// Update runs fn in a transaction of its own, beside which nobody writes, not even another process. fn may be called
// twice.
func (b *Backend) Update(
	ctx context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	var now *core.Entry
	var refused error
	err := b.commit(ctx, func(t *tx) error {
		old, err := b.load(t.conn, key)
		if err != nil {
			return err
		}
		if old != nil && old.Expired(t.now) {
			old = nil
		}
		if now, refused = fn(old); refused == nil && now != nil && now != old {
			refused = b.tooLarge(key, now)
		}
		switch {
		case refused != nil || now == old:
			return nil //nolint:nilerr // refused is fn's: the transaction is whole
		case now == nil || now.Expired(time.Now()):
			now = nil
		}
		return t.store(key, now)
	})
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, refused
	}
	return now, nil
}

// Increment adds to the number in one Update. What it stores carries no version, as counters have none in other stores.
func (b *Backend) Increment(ctx context.Context, key string, delta, expires int64) (int64, error) {
	var sum int64
	_, err := b.Update(ctx, key, func(old *core.Entry) (next *core.Entry, err error) {
		next, sum, err = core.Sum(old, delta, expires)
		return next, err
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// SetIf stores the entry if cond holds.
func (b *Backend) SetIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		return e, cond.Check(old)
	})
	return err
}

// Expire writes the entry anew with the other expiry.
func (b *Backend) Expire(ctx context.Context, key string, expires int64) (found bool, err error) {
	_, err = b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		if found = old != nil; !found || old.Expires == expires {
			return old, nil
		}
		return old.Until(expires), nil
	})
	return found, err
}
