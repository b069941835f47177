package core

import (
	"context"
	"errors"
)

// lease waits until this process may load the key, or finds what another one has loaded. It waits for the lease at most:
// who holds it for longer has given it up. release is never nil unless found.
func (l *loader[T]) lease(ctx context.Context, f *loading) (release func(context.Context), found bool) {
	release = func(context.Context) {}
	lock, err := l.cache.LockOrWait(ctx, l.key, l.o.Lease)
	switch {
	case err == nil:
		release = func(ctx context.Context) { l.release(ctx, lock) }
	case !errors.Is(err, ErrLocked):
		l.cache.engine.loadTrouble(ctx, OpAdd, err)
		return release, false
	}
	if l.found(ctx, f) { // whoever had the lease before may be done
		release(context.WithoutCancel(ctx))
		return nil, true
	}
	return release, false
}

// release gives the lease back, if it has not run out.
func (l *loader[T]) release(ctx context.Context, lock *Lease) {
	if err := lock.Release(ctx); err != nil && !errors.Is(err, ErrLockLost) {
		l.cache.engine.loadTrouble(ctx, OpDelete, err)
	}
}
