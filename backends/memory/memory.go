// Package memory is the tier inside the process: entries bounded by bytes, of which a policy chooses those that go. It is
// otter's adaptive W-TinyLFU, or any that is an evict.Policy.
package memory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/backends/internal/keyscan"
	"github.com/edgecache/edgecache/core"
)

// Options configures a Backend.
type Options struct {
	// MaxBytes bounds what the entries weigh: keys, values and the structures that hold them. The garbage collector
	// needs room beside it. 0 means 256 MiB.
	MaxBytes int64
	// MaxEntryBytes bounds a single entry's weight: heavier ones get core.ErrTooLarge, so that one entry never evicts
	// most of the others. 0 means a quarter of MaxBytes.
	MaxEntryBytes int64
	// Policy chooses what goes when there is no room. nil is Default. Its own tables come on top of MaxBytes: what it keeps of
	// a number, 10 to 50 bytes, for each entry that could be there and each key that it may remember, as far as they are used.
	Policy *Policy
	// Lossless lets the policy learn of every hit, for which readers may wait. Else a hit that finds no place to be noted at
	// once is none to the policy. Default ignores it.
	Lossless bool
	// Logger is told when a policy fails. nil logs nothing.
	Logger *slog.Logger
}

const (
	defaultMaxBytes = 256 << 20
	// resolution is how far the clock that decides about expiry may lag. A hit reads a variable instead of the time.
	resolution = 5 * time.Millisecond
	// overhead is what an entry costs beside its key and value: the store's node, its place in the hash table, the
	// frequency sketch and the queues, the core.Entry, and what the allocator rounds up. TestOverhead measures it.
	overhead = 224
)

func (o Options) withDefaults() (Options, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxEntryBytes == 0 {
		o.MaxEntryBytes = o.MaxBytes / 4
	}
	if o.MaxBytes < 0 || o.MaxEntryBytes < 0 {
		return o, fmt.Errorf("memory: MaxBytes %d and MaxEntryBytes %d must not be negative", o.MaxBytes, o.MaxEntryBytes)
	}
	o.MaxEntryBytes = min(o.MaxEntryBytes, o.MaxBytes, math.MaxUint32)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// slack is by how much writers may be ahead of eviction.
func (o *Options) slack() int64 { return o.MaxBytes / 16 }

// Backend keeps entries in memory: those that Set got are those that Get returns, shared and not copied. It evicts as its
// policy says once MaxBytes is reached, and drops entries that have expired at most 5 ms after they did. What a policy does
// not let in was set for a moment only.
//
// No method waits for anything but other writers of the same few keys, and eviction, so contexts are not looked at.
type Backend struct {
	open    atomic.Pointer[opened] // nil once closed
	scans   *keyscan.Scans
	notices notices
	moving  sync.RWMutex // held by Reconfigure and Close, and shared by what works on all keys
}

var (
	_ core.Backend           = (*Backend)(nil)
	_ core.Updater           = (*Backend)(nil)
	_ core.Counter           = (*Backend)(nil)
	_ core.ConditionalSetter = (*Backend)(nil)
	_ core.Expirer           = (*Backend)(nil)
	_ core.BatchGetter       = (*Backend)(nil)
	_ core.BatchSetter       = (*Backend)(nil)
	_ core.BatchDeleter      = (*Backend)(nil)
	_ core.Scanner           = (*Backend)(nil)
	_ core.Clearer           = (*Backend)(nil)
	_ core.Pinger            = (*Backend)(nil)
	_ core.Sizer             = (*Backend)(nil)
	_ core.EvictionCounter   = (*Backend)(nil)
	_ core.PolicyNamer       = (*Backend)(nil)
	_ core.RangeDeleter      = (*Backend)(nil)
	_ core.ExpiredDeleter    = (*Backend)(nil)
	_ core.Evictor           = (*Backend)(nil)
	_ core.Popper            = (*Backend)(nil)
	_ core.Peeker            = (*Backend)(nil)
	_ core.Persister         = (*Backend)(nil)
	_ core.Inspector         = (*Backend)(nil)
	_ core.Notifier          = (*Backend)(nil)
	_ core.Swapper           = (*Backend)(nil)
)

// New returns an empty Backend. Close stops its goroutines.
func New(o Options) (*Backend, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Backend{scans: keyscan.New()}
	h, err := o.openStore(&b.notices)
	if err != nil {
		return nil, err
	}
	b.open.Store(h)
	return b, nil
}

// weight is what an entry counts. Views into larger buffers hold them whole, so the capacity counts.
func weight(key string, e *core.Entry) int64 {
	return overhead + int64(len(key)) + int64(cap(e.Value)) + int64(e.DecodedWeight())
}

// Get returns the entry that was set, shared. It does not allocate.
func (b *Backend) Get(ctx context.Context, key string) (*core.Entry, error) {
	h := b.open.Load()
	if h == nil {
		return nil, core.ErrClosed
	}
	if h.otter != nil {
		if e, ok := h.otter.cache.GetIfPresent(key); ok {
			return e, nil
		}
	} else if e, ok := h.get(key); ok {
		return e, nil
	}
	if e := h.older(key); e != nil {
		return e, nil
	}
	if b.open.Load() != h { // it may have been moved away
		return b.Get(ctx, key)
	}
	return nil, core.ErrNotFound
}

// Set keeps the entry itself. One that is too large also drops what was there: it is no longer what was written.
func (b *Backend) Set(_ context.Context, key string, e *core.Entry) error {
	for {
		h := b.open.Load()
		if h == nil {
			return core.ErrClosed
		}
		large := h.tooLarge(key, e)
		if large || e.Expires != 0 && e.Expired(time.Now()) {
			h.remove(key)
		} else {
			h.set(key, e)
		}
		switch {
		case b.open.Load() != h: // it may have been too late
		case large:
			return core.ErrTooLarge
		default:
			return nil
		}
	}
}

// Delete removes the entry.
func (b *Backend) Delete(_ context.Context, key string) (bool, error) {
	for found := false; ; {
		h := b.open.Load()
		if h == nil {
			return found, core.ErrClosed
		}
		found = h.remove(key) || found
		if b.open.Load() == h {
			return found, nil
		}
	}
}

// Update calls fn once, while writers of a few other keys wait: fn must be quick and must not call the backend.
func (b *Backend) Update(
	_ context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	for {
		h := b.open.Load()
		if h == nil {
			return nil, core.ErrClosed
		}
		var err error
		late := false
		now := h.compute(key, func(old *core.Entry) (*core.Entry, verdict) {
			if late = h.retired.Load(); late {
				return old, keep
			}
			stay := keep
			if old == nil {
				if old = h.pull(key); old != nil {
					stay = write // it is in neither store at the moment
				}
			}
			var e *core.Entry
			if e, err = fn(old); err == nil && e != old && e != nil && h.tooLarge(key, e) {
				err = core.ErrTooLarge
			}
			switch {
			case err != nil || e == old:
				return old, stay
			case e == nil || e.Expires != 0 && e.Expired(time.Now()):
				return nil, drop
			default:
				return e, write
			}
		})
		switch {
		case late:
			runtime.Gosched() // the newer store is about to be there
		case err != nil:
			return nil, err
		default:
			return now, nil
		}
	}
}

// SetIf stores the entry if cond holds.
func (b *Backend) SetIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		return e, cond.Check(old)
	})
	return err
}

// Swap replaces the entry itself, and keeps key.
func (b *Backend) Swap(key string, old, next *core.Entry) (done bool) {
	h := b.open.Load()
	if h == nil || h.tooLarge(key, next) {
		return false
	}
	h.compute(key, func(e *core.Entry) (*core.Entry, verdict) {
		if done = e == old && !h.retired.Load(); !done {
			return e, keep
		}
		return next, write
	})
	return done
}

// missing returns nil for a key that is not there, and other errors as they are.
func missing(err error) error {
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return err
}

// Expire replaces the entry by a copy that ends at expires. The copy shares the value and its decoded form.
func (b *Backend) Expire(ctx context.Context, key string, expires int64) (bool, error) {
	own, _, err := b.peek(key)
	if err != nil {
		return false, missing(err)
	}
	found := false
	_, err = b.Update(ctx, own, func(old *core.Entry) (*core.Entry, error) {
		if found = old != nil; !found || old.Expires == expires {
			return old, nil
		}
		return old.Until(expires), nil
	})
	return found, err
}

// Ping returns nil unless the backend is closed.
func (b *Backend) Ping(context.Context) error {
	if b.open.Load() == nil {
		return core.ErrClosed
	}
	return nil
}

// Size returns the number of entries, of which some may have expired, and what they weigh.
func (b *Backend) Size() (entries, bytes int64) {
	f := b.figures()
	return f.entries, f.bytes
}

// Evictions returns how many entries made room for others, or were not let in. It is 0 once the backend is closed.
func (b *Backend) Evictions() int64 { return b.figures().evictions }

// EvictionPolicy returns the name of the policy at work, and, where that is not the one that was asked for, why.
func (b *Backend) EvictionPolicy() (name string, failure error) {
	f := b.figures()
	return f.policy, f.failure
}

func (b *Backend) figures() figures {
	if h := b.open.Load(); h != nil {
		return h.figures()
	}
	return figures{}
}

// Close drops all entries and returns when the backend's goroutines have ended.
func (b *Backend) Close() error {
	b.moving.Lock()
	defer b.moving.Unlock()
	if h := b.open.Swap(nil); h != nil {
		b.scans.Clear()
		h.close()
	}
	return nil
}
