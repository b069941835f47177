package file

import (
	"context"

	"github.com/edgecache/edgecache/core"
)

// Update calls fn once, while writers of a few other keys wait: fn must be quick and must not call the backend.
func (b *Backend) Update(
	ctx context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	e, err := b.update(key, fn)
	b.trim()
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (b *Backend) update(key string, fn func(old *core.Entry) (*core.Entry, error)) (*core.Entry, error) {
	n := b.hash(key)
	mu := b.stripe(n)
	mu.Lock()
	defer mu.Unlock() // also where fn panics
	old, err := b.current(n, key)
	if err != nil {
		return nil, err
	}
	e, err := fn(old)
	switch {
	case err != nil:
		return nil, err
	case e == old:
		return old, nil
	case e == nil || e.Expires != 0 && e.Expires <= now():
		_, err := b.dropLocked(n, key)
		return nil, err
	case b.tooLarge(key, e):
		return nil, core.ErrTooLarge
	default:
		return e, b.write(n, key, e)
	}
}

// SetIf stores the entry if cond holds.
func (b *Backend) SetIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		return e, cond.Check(old)
	})
	return err
}

// Expire writes the file again with another expiry, unless it is the same.
func (b *Backend) Expire(ctx context.Context, key string, expires int64) (bool, error) {
	if err := b.enter(ctx); err != nil {
		return false, err
	}
	defer b.leave()
	it := b.index.get(b.hash(key), key, now(), false)
	if it == nil {
		return false, nil
	}
	found := false
	_, err := b.update(it.key, func(old *core.Entry) (*core.Entry, error) { // the item's key may be kept
		if found = old != nil; !found || old.Expires == expires {
			return old, nil
		}
		return old.Until(expires), nil
	})
	return found && err == nil, err
}

// Expiry asks the index alone.
func (b *Backend) Expiry(ctx context.Context, key string) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	it := b.index.get(b.hash(key), key, now(), false)
	if it == nil {
		return 0, core.ErrNotFound
	}
	return it.expires, nil
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
