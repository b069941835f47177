package memory

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
)

// notices is where entries are told of that went by themselves, if anybody wants to know.
type notices struct {
	fn atomic.Pointer[func(key string, e *core.Entry, cause core.Cause)]
}

// tell may be called below any lock.
func (n *notices) tell(key string, e *core.Entry, cause core.Cause) {
	if fn := n.fn.Load(); fn != nil {
		(*fn)(key, e, cause)
	}
}

// Notify has fn told of what expires, is evicted or cleared.
func (b *Backend) Notify(fn func(key string, e *core.Entry, cause core.Cause)) {
	if fn == nil {
		b.notices.fn.Store(nil)
		return
	}
	b.notices.fn.Store(&fn)
}

// Peek returns the entry, and the policy does not learn of it.
func (b *Backend) Peek(_ context.Context, key string) (*core.Entry, error) {
	_, e, err := b.peek(key)
	return e, err
}

// Clear removes every key that begins with prefix, looking at all keys unless prefix is "".
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	h, release := b.whole()
	defer release()
	switch {
	case h == nil:
		return core.ErrClosed
	case prefix == "" && b.notices.fn.Load() == nil:
		h.clear()
		return nil
	}
	_, err := b.removeAll(ctx, h, func(key string) bool { return strings.HasPrefix(key, prefix) })
	return err
}

// DeleteRange looks at all keys.
func (b *Backend) DeleteRange(ctx context.Context, from, to string) (int64, error) {
	h, release := b.whole()
	defer release()
	if h == nil {
		return 0, core.ErrClosed
	}
	return b.removeAll(ctx, h, func(key string) bool { return key >= from && (to == "" || key < to) })
}

// removeAll removes all keys that go and returns how many were there.
func (b *Backend) removeAll(ctx context.Context, h *opened, goes func(key string) bool) (n int64, err error) {
	for key := range h.keys() {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if !goes(key) {
			continue
		}
		if e := take(h.store, key); e != nil {
			n++
			b.notices.tell(key, e, core.CauseCleared)
		}
	}
	return n, nil
}

// take removes an entry and returns it, nil if there is none.
func take(s store, key string) (taken *core.Entry) {
	s.compute(key, func(old *core.Entry) (*core.Entry, verdict) {
		if taken = old; old == nil {
			return nil, keep
		}
		return nil, drop
	})
	return taken
}

// DeleteExpired removes all that have expired, or, of the default policy's, those of more than about a second ago: that one
// keeps them by the second.
func (b *Backend) DeleteExpired(context.Context) (int64, error) {
	h, release := b.whole()
	defer release()
	if h == nil {
		return 0, core.ErrClosed
	}
	return h.expired(), nil
}

// Evict removes what has expired, as DeleteExpired, and has the policy decide about everything that was written.
func (b *Backend) Evict(context.Context) (int64, error) {
	h, release := b.whole()
	defer release()
	if h == nil {
		return 0, core.ErrClosed
	}
	return h.expired() + h.settleAll(), nil
}

// Victim asks the policy, while it can't do anything else, for what it would evict next. It is core.ErrUnsupported of a
// policy that is no evict.Ranker.
func (b *Backend) Victim(_ context.Context, prefix string) (key string, err error) {
	h, release := b.whole()
	defer release()
	if h == nil {
		return "", core.ErrClosed
	}
	err = core.ErrNotFound
	ranks := h.ranked(func(k string, _ *core.Entry) bool {
		if !strings.HasPrefix(k, prefix) {
			return true
		}
		key, err = k, nil
		return false
	})
	if !ranks {
		return "", fmt.Errorf("memory: policy %s does not tell what it would evict next: %w", h.figures().policy, core.ErrUnsupported)
	}
	return key, err
}

// Inspect returns Size and the policy's name. Both figures lag behind, and count what has expired until it is removed.
func (b *Backend) Inspect(context.Context) (core.Info, error) {
	h := b.open.Load()
	if h == nil {
		return core.Info{}, core.ErrClosed
	}
	f := h.figures()
	return core.Info{Name: "memory (" + f.policy + ")", Entries: f.entries, Bytes: f.bytes, Approximate: true}, nil
}
