// Package memory is the tier inside the process: an otter cache (adaptive W-TinyLFU) bounded by bytes.
package memory

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

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
}

const (
	defaultMaxBytes = 256 << 20
	// resolution is how far the clock that decides about expiry may lag. A hit reads a variable instead of the time.
	resolution = 5 * time.Millisecond
	// overhead is what an entry costs beside its key and value: otter's node, its place in the hash table, the
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
	return o, nil
}

// Backend keeps entries in memory: those that Set got are those that Get returns, shared and not copied. It evicts by
// frequency and recency once MaxBytes is reached, and drops entries that have expired at most 5 ms after they did.
//
// No method waits for anything but other writers of the same few keys, so contexts are not looked at.
type Backend struct {
	cache     atomic.Pointer[store] // nil once closed
	options   Options
	clock     *otter.CoarseClock
	evictions atomic.Int64
	scans     *keyscan.Scans

	// The worker runs otter's maintenance beside the callers.
	work    chan func()
	quit    chan struct{}
	worker  sync.WaitGroup
	closing sync.Once

	// Otter evicts when it replays writes, which lag behind; unswept is an upper bound of the bytes that lag.
	// Writers that find more than slack wait for each other and for the eviction.
	unswept  atomic.Int64
	slack    int64
	sweeping sync.Mutex
}

type store = otter.Cache[string, *core.Entry]

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
)

// New returns an empty Backend. Close stops its goroutines.
func New(o Options) (*Backend, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Backend{
		options: o,
		clock:   otter.NewCoarseClock(resolution),
		scans:   keyscan.New(),
		work:    make(chan func()),
		quit:    make(chan struct{}),
		slack:   o.MaxBytes / 16,
	}
	cache, err := otter.New(&otter.Options[string, *core.Entry]{
		MaximumWeight:    uint64(o.MaxBytes),
		Weigher:          func(key string, e *core.Entry) uint32 { return uint32(weight(key, e)) },
		ExpiryCalculator: otter.ExpiryWritingFunc(lifetime),
		OnAtomicDeletion: b.deleted,
		Executor:         b.maintain,
		Clock:            b.clock,
	})
	if err != nil {
		b.clock.Stop()
		return nil, fmt.Errorf("memory: %w", err)
	}
	b.cache.Store(cache)
	b.worker.Go(b.serve)
	return b, nil
}

// maintain hands a task to the worker, or runs it where the worker is busy or gone.
func (b *Backend) maintain(task func()) {
	select {
	case b.work <- task:
	default:
		task()
	}
}

func (b *Backend) serve() {
	for {
		select {
		case task := <-b.work:
			task()
		case <-b.quit:
			return
		}
	}
}

// weight is what an entry counts. Views into larger buffers hold them whole, so the capacity counts.
func weight(key string, e *core.Entry) int64 { return overhead + int64(len(key)) + int64(cap(e.Value)) }

// tooLarge reports whether the entry is beyond MaxEntryBytes.
func (b *Backend) tooLarge(key string, e *core.Entry) bool {
	return weight(key, e) > b.options.MaxEntryBytes
}

// lifetime translates Expires, which the wall clock counts, to otter's clock, which does not follow the wall clock's
// steps. While both agree the difference to otter's own reading is exact.
func lifetime(oe otter.Entry[string, *core.Entry]) time.Duration {
	expires := oe.Value.Expires
	if expires == 0 {
		return math.MaxInt64
	}
	now := oe.SnapshotAtNano
	if wall := time.Now().UnixNano(); wall-now > int64(time.Second) || now-wall > int64(time.Second) {
		now = wall
	}
	return time.Duration(max(expires-now, 1)) // otter ignores what is not positive
}

func (b *Backend) deleted(e otter.DeletionEvent[string, *core.Entry]) {
	if e.Cause == otter.CauseOverflow {
		b.evictions.Add(1)
	}
}

// Get returns the entry that was set, shared. It does not allocate.
func (b *Backend) Get(_ context.Context, key string) (*core.Entry, error) {
	c := b.cache.Load()
	if c == nil {
		return nil, core.ErrClosed
	}
	if e, ok := c.GetIfPresent(key); ok {
		return e, nil
	}
	return nil, core.ErrNotFound
}

// Set keeps the entry itself. One that is too large also drops what was there: it is no longer what was written.
func (b *Backend) Set(_ context.Context, key string, e *core.Entry) error {
	c := b.cache.Load()
	if c == nil {
		return core.ErrClosed
	}
	switch {
	case b.tooLarge(key, e):
		c.Invalidate(key)
		return core.ErrTooLarge
	case e.Expires != 0 && e.Expired(time.Now()):
		c.Invalidate(key)
	default:
		c.Set(key, e)
		b.swept(c, weight(key, e))
	}
	return nil
}

// swept accounts for n bytes just written and makes the writer wait for eviction where too much of it is outstanding.
func (b *Backend) swept(c *store, n int64) {
	if b.unswept.Add(n) <= b.slack {
		return
	}
	b.sweeping.Lock()
	defer b.sweeping.Unlock()
	if done := b.unswept.Load(); done > b.slack {
		c.CleanUp()
		b.unswept.Add(-done)
	}
}

// Delete removes the entry.
func (b *Backend) Delete(_ context.Context, key string) (bool, error) {
	c := b.cache.Load()
	if c == nil {
		return false, core.ErrClosed
	}
	_, ok := c.Invalidate(key)
	return ok, nil
}

// Update calls fn once, while writers of a few other keys wait: fn must be quick and must not call the backend.
func (b *Backend) Update(
	_ context.Context, key string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	c := b.cache.Load()
	if c == nil {
		return nil, core.ErrClosed
	}
	var err error
	written := int64(0)
	now, _ := c.Compute(key, func(old *core.Entry, _ bool) (*core.Entry, otter.ComputeOp) {
		var e *core.Entry
		if e, err = fn(old); err != nil || e == old {
			return old, otter.CancelOp
		}
		if e == nil || e.Expires != 0 && e.Expired(time.Now()) {
			return nil, otter.InvalidateOp
		}
		if b.tooLarge(key, e) {
			err = core.ErrTooLarge
			return old, otter.CancelOp
		}
		written = weight(key, e)
		return e, otter.WriteOp
	})
	b.swept(c, written)
	if err != nil {
		return nil, err
	}
	return now, nil
}

// SetIf stores the entry if cond holds.
func (b *Backend) SetIf(ctx context.Context, key string, e *core.Entry, cond core.Condition) error {
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		switch {
		case cond == core.IfAbsent && old != nil:
			return nil, core.ErrExists
		case cond == core.IfPresent && old == nil:
			return nil, core.ErrNotFound
		default:
			return e, nil
		}
	})
	return err
}

// Expire replaces the entry by a copy that ends at expires. The copy shares the value and its decoded form.
func (b *Backend) Expire(ctx context.Context, key string, expires int64) (bool, error) {
	c := b.cache.Load()
	if c == nil {
		return false, core.ErrClosed
	}
	held, ok := c.GetEntryQuietly(key)
	if !ok {
		return false, nil
	}
	found := false // held.Key is a key that may be kept
	_, err := b.Update(ctx, held.Key, func(old *core.Entry) (*core.Entry, error) {
		if found = old != nil; !found || old.Expires == expires {
			return old, nil
		}
		return old.Until(expires), nil
	})
	return found, err
}

// Clear removes every key that begins with prefix, looking at all keys unless prefix is "".
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	c := b.cache.Load()
	if c == nil {
		return core.ErrClosed
	}
	if prefix == "" {
		c.InvalidateAll()
		return nil
	}
	for key := range c.Keys() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if strings.HasPrefix(key, prefix) {
			c.Invalidate(key)
		}
	}
	return nil
}

// Ping returns nil unless the backend is closed.
func (b *Backend) Ping(context.Context) error {
	if b.cache.Load() == nil {
		return core.ErrClosed
	}
	return nil
}

// Size returns the number of entries, of which some may have expired, and what they weigh.
func (b *Backend) Size() (entries, bytes int64) {
	c := b.cache.Load()
	if c == nil {
		return 0, 0
	}
	return int64(c.EstimatedSize()), int64(c.WeightedSize())
}

// Evictions returns how many entries made room for others.
func (b *Backend) Evictions() int64 { return b.evictions.Load() }

// Close drops all entries and returns when the backend's goroutines have ended.
func (b *Backend) Close() error {
	b.closing.Do(func() {
		c := b.cache.Swap(nil)
		b.scans.Clear()
		close(b.quit)
		b.worker.Wait()
		c.StopAllGoroutines()
		b.clock.Stop()
	})
	return nil
}
