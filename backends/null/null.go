// Package null is the tier that keeps nothing: every read misses and every write succeeds. It switches caching off
// without a change elsewhere, and measures what a cache costs beside its store.
package null

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Backend keeps nothing. Conditional writes see an absent key: Update calls fn with nil, and what fn returns counts as
// stored though no later call sees it. The zero value is ready to use.
type Backend struct{ closed atomic.Bool }

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
	_ core.RangeDeleter      = (*Backend)(nil)
	_ core.Inspector         = (*Backend)(nil)
)

// New returns a Backend.
func New() *Backend { return &Backend{} }

// open returns ErrClosed after Close.
func (b *Backend) open() error {
	if b.closed.Load() {
		return core.ErrClosed
	}
	return nil
}

// Get misses.
func (b *Backend) Get(context.Context, string) (*core.Entry, error) {
	if b.closed.Load() {
		return nil, core.ErrClosed
	}
	return nil, core.ErrNotFound
}

// Set succeeds.
func (b *Backend) Set(context.Context, string, *core.Entry) error { return b.open() }

// Delete finds nothing.
func (b *Backend) Delete(context.Context, string) (bool, error) { return false, b.open() }

// Update returns what fn makes of an absent key.
func (b *Backend) Update(
	_ context.Context, _ string, fn func(old *core.Entry) (*core.Entry, error),
) (*core.Entry, error) {
	if b.closed.Load() {
		return nil, core.ErrClosed
	}
	e, err := fn(nil)
	if err != nil || e == nil || e.Expired(time.Now()) {
		return nil, err
	}
	return e, nil
}

// Increment counts from 0.
func (b *Backend) Increment(_ context.Context, _ string, delta, _ int64) (int64, error) {
	if b.closed.Load() {
		return 0, core.ErrClosed
	}
	return delta, nil
}

// SetIf succeeds under IfAbsent.
func (b *Backend) SetIf(_ context.Context, _ string, _ *core.Entry, cond core.Condition) error {
	if cond == core.IfPresent && !b.closed.Load() {
		return core.ErrNotFound
	}
	return b.open()
}

// Expire finds nothing.
func (b *Backend) Expire(context.Context, string, int64) (bool, error) { return false, b.open() }

// GetMany misses.
func (b *Backend) GetMany(context.Context, []string, []*core.Entry) error { return b.open() }

// SetMany succeeds.
func (b *Backend) SetMany(context.Context, []string, []*core.Entry, []error) error { return b.open() }

// DeleteMany finds nothing.
func (b *Backend) DeleteMany(context.Context, []string, []bool) error { return b.open() }

// Scan finds nothing.
func (b *Backend) Scan(context.Context, uint64, string, string, int) ([]string, uint64, error) {
	return nil, 0, b.open()
}

// Clear succeeds.
func (b *Backend) Clear(context.Context, string) error { return b.open() }

// DeleteRange finds nothing.
func (b *Backend) DeleteRange(context.Context, string, string) (int64, error) { return 0, b.open() }

// Inspect says that there is nothing.
func (b *Backend) Inspect(context.Context) (core.Info, error) {
	return core.Info{Name: "Null"}, b.open()
}

// Ping succeeds.
func (b *Backend) Ping(context.Context) error { return b.open() }

// Size is 0.
func (b *Backend) Size() (entries, bytes int64) { return 0, 0 }

// Close is all that changes the backend.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}
