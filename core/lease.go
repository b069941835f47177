package core

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// leaseSuffix makes the key under which a load's lease is held from the key that is loaded.
const leaseSuffix = "-lock"

// How often a process that waits for another's load looks whether it is done.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// lease waits until this process may load the key, or finds what another one has loaded. It waits for the lease at most:
// who holds it for longer has given it up. release is never nil unless found.
func (l *loader[T]) lease(ctx context.Context, f *loading) (release func(context.Context), found bool) {
	deadline := time.NewTimer(l.o.Lease)
	defer deadline.Stop()
	for wait := firstLook; ; wait = min(2*wait, lastLook) {
		release, err := l.cache.acquire(ctx, l.key, l.o.Lease)
		if err != nil {
			l.cache.engine.loadTrouble(ctx, OpAdd, err)
			return func(context.Context) {}, false
		}
		if l.found(ctx, f) { // whoever had the lease before may be done
			if release != nil {
				release(context.WithoutCancel(ctx))
			}
			return nil, true
		}
		if release != nil {
			return release, false
		}
		select {
		case <-time.After(wait):
		case <-deadline.C:
			return func(context.Context) {}, false
		case <-ctx.Done():
			return func(context.Context) {}, false
		}
	}
}

// acquire takes the lease of key's load. release is nil where somebody else has it.
func (c *Cache) acquire(ctx context.Context, key string, lease time.Duration) (release func(context.Context), err error) {
	key += leaseSuffix
	token := rand.Text()
	err = c.Add(ctx, key, []byte(token), EntryOptions{TTL: lease, Jitter: -1})
	if errors.Is(err, ErrExists) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.giveBack(ctx, key, token) }, nil
}

// giveBack ends the lease if it is still the token's.
func (c *Cache) giveBack(ctx context.Context, key, token string) {
	e, err := c.GetAuthority(ctx, key)
	if err == nil && string(e.Value) == token {
		err = c.CompareAndSwap(ctx, key, e.Token(), nil, EntryOptions{TTL: 1, Jitter: -1}) // ends at once
	}
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) {
		c.engine.loadTrouble(ctx, OpDelete, err)
	}
}
