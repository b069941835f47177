package file

import (
	"context"
	"runtime"
	"time"

	"github.com/edgecache/edgecache/core"
)

// slice is how many files are removed before others are let through.
const slice = 64

// serve is the janitor: it removes what has expired and what is too much, and keeps the journal short.
func (b *Backend) serve() {
	clock := time.NewTicker(b.options.JanitorInterval)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			b.tidy()
			b.renew(b.journal.incomplete)
		case <-b.wake:
			b.trim()
			b.renew(b.journal.long)
		case <-b.quit:
			return
		}
	}
}

// renew writes the journal anew if it must be.
func (b *Backend) renew(must func(entries int64) bool) {
	if entries, _ := b.index.size(); !must(entries) {
		return
	}
	if err := b.rewrite(false); err != nil {
		b.complain("index of the cache can't be written", err)
	}
}

// poke wakes the janitor where the journal has become too long.
func (b *Backend) poke() {
	if entries, _ := b.index.size(); !b.journal.long(entries) {
		return
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// tidy removes what has expired.
func (b *Backend) tidy() {
	if _, err := b.deleteExpired(context.Background()); err != nil && b.goOn(context.Background()) == nil {
		b.complain("expired file of the cache can't be removed", err)
	}
}

// DeleteExpired removes the files of all entries that have expired.
func (b *Backend) DeleteExpired(ctx context.Context) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	return b.deleteExpired(ctx)
}

func (b *Backend) deleteExpired(ctx context.Context) (int64, error) {
	t := now()
	return b.purge(ctx, func() (*item, core.Cause) { return b.index.ended(t), core.CauseExpired })
}

// Evict removes what has expired, and then what was used longest ago until the rest is within the bounds.
func (b *Backend) Evict(ctx context.Context) (int64, error) {
	if err := b.enter(ctx); err != nil {
		return 0, err
	}
	defer b.leave()
	expired, err := b.deleteExpired(ctx)
	if err != nil {
		return expired, err
	}
	excess, err := b.purge(ctx, b.excess)
	return expired + excess, err
}

// excess returns what is to be removed next to get within the bounds, and why; nil if nothing.
func (b *Backend) excess() (*item, core.Cause) {
	t := now()
	it := b.index.excess(b.options.MaxEntries, b.options.MaxBytes, t)
	if it != nil && it.expired(t) {
		return it, core.CauseExpired
	}
	return it, core.CauseEvicted
}

// trim gets within the bounds after a write.
func (b *Backend) trim() {
	if it, _ := b.excess(); it == nil {
		return
	}
	ctx := context.Background()
	if _, err := b.purge(ctx, b.excess); err != nil && b.goOn(ctx) == nil {
		b.complain("file of the cache can't be removed to make room", err)
	}
}

// purge removes what next returns until that is nil, and returns how many it removed. It yields after each slice.
func (b *Backend) purge(ctx context.Context, next func() (*item, core.Cause)) (int64, error) {
	var n int64
	for round := 1; ; round++ {
		it, cause := next()
		if it == nil {
			return n, nil
		}
		if err := b.goOn(ctx); err != nil {
			return n, err
		}
		if err := b.discard(it, cause, &n); err != nil {
			return n, err
		}
		if round%slice == 0 {
			runtime.Gosched()
		}
	}
}

// discard removes an item's file and counts it in n, unless that has been done or another took its place.
func (b *Backend) discard(it *item, cause core.Cause, n *int64) error {
	file := b.hash(it.key)
	mu := b.stripe(file)
	mu.Lock()
	defer mu.Unlock()
	if b.index.at(file) != it {
		return nil
	}
	if err := b.erase(file, it, cause); err != nil {
		return err
	}
	*n++
	if cause == core.CauseEvicted {
		b.evictions.Add(1)
	}
	return nil
}

// Victim returns the key that was used longest ago. It passes over those that do not begin with prefix, in memory.
func (b *Backend) Victim(ctx context.Context, prefix string) (string, error) {
	if err := b.enter(ctx); err != nil {
		return "", err
	}
	defer b.leave()
	key, ok := b.index.oldest(prefix, now())
	if !ok {
		return "", core.ErrNotFound
	}
	return key, nil
}
