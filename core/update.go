package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// maxUpdates is how often Update begins anew because others have written meanwhile. Each time one of them succeeded.
const maxUpdates = 256

// Update replaces the value of key by what fn makes of its entry, nil if absent, provided that nobody else writes the key
// meanwhile; if somebody does, it begins anew, after a pause of up to 20 ms. fn may so be called several times, without
// any lock held; the last call is the one that counts. Its error leaves the key as it is and is returned as it is. The
// value that it returns belongs to the cache; it must not change the entry.
//
// A key that is absent is created only if it still is: two Updates that both find nothing do not overwrite each other.
// Update gives up with ErrConflict after 256 attempts, or with ctx's error.
//
// It is a read past nearer copies (GetAuthority) and an Add or CompareAndSwap, so what a CompareAndSwap can't see, Update
// does not either: a store of plain values keeps no versions, and a value that went and came back counts as unchanged.
func (c *Cache) Update(ctx context.Context, key string, fn func(old *Entry) ([]byte, error), opts EntryOptions) error {
	pause := backoff{time.Millisecond, 20 * time.Millisecond}
	for range maxUpdates {
		old, err := c.GetAuthority(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		value, err := fn(old)
		if err != nil {
			return err
		}
		if err = c.succeed(ctx, key, old, value, opts); !outrun(err) {
			return err
		}
		if err := pause.pause(ctx); err != nil {
			return &OpError{Op: OpCompareAndSwap, Namespace: c.ns.path, Key: key, Err: fmt.Errorf("%w: %w", ErrConflict, err)}
		}
	}
	return &OpError{
		Op: OpCompareAndSwap, Namespace: c.ns.path, Key: key,
		Err: fmt.Errorf("%w: %d times while it was updated", ErrConflict, maxUpdates),
	}
}

// succeed stores value if the key still has the entry old, nil for none.
func (c *Cache) succeed(ctx context.Context, key string, old *Entry, value []byte, opts EntryOptions) error {
	if old == nil {
		return c.Add(ctx, key, value, opts)
	}
	return c.CompareAndSwap(ctx, key, old.Token(), value, opts)
}

// outrun reports whether err says that somebody else has written first.
func outrun(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) || errors.Is(err, ErrNotFound)
}

// fenceSpace is the namespace below the locks that counts their fences, fenceTTL how long a count stays unused.
const (
	fenceSpace = "fences"
	fenceTTL   = 24 * time.Hour
)

// nextFence counts the fence of a lock on.
func (c *Cache) nextFence(ctx context.Context, key string) (n uint64, err error) {
	count := func(old *Entry) ([]byte, error) {
		n = uint64(time.Now().UnixMicro())
		if old != nil {
			last, err := strconv.ParseUint(string(old.Value), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("fence %.128q: %w: %.64q is no number", key, ErrDecode, old.Value)
			}
			n = max(n, last+1)
		}
		return strconv.AppendUint(nil, n, 10), nil
	}
	err = c.Namespace(fenceSpace).Update(ctx, key, count, EntryOptions{TTL: fenceTTL, Jitter: -1})
	return n, err
}

// backoff is pauses that grow, each up to half as long again or half as long, by chance.
type backoff struct{ next, longest time.Duration }

// pause waits, until ctx ends.
func (b *backoff) pause(ctx context.Context) error {
	t := time.NewTimer(b.next/2 + rand.N(b.next))
	defer t.Stop()
	b.next = min(2*b.next, b.longest)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
