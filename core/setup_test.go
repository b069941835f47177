package core_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newMemory returns a memory backend that the test need not close if a cache does.
func newMemory(tb testing.TB) core.Backend {
	tb.Helper()
	b, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// newCache returns a cache that is closed with the test.
func newCache(tb testing.TB, o core.Options) *core.Cache {
	tb.Helper()
	c, err := core.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return c
}

// oneTier and twoTiers are the options of the usual caches.
func oneTier(tb testing.TB) core.Options {
	return core.Options{Tiers: []core.Tier{{Name: "memory", Backend: newMemory(tb)}}}
}

func twoTiers(tb testing.TB, far core.Backend) core.Options {
	return core.Options{Tiers: []core.Tier{
		{Name: "memory", Backend: newMemory(tb), MaxTTL: time.Minute},
		{Name: "far", Backend: far, Remote: true, System: "test"},
	}}
}

// farStore is a store in reach of the test: it counts calls, and can be slow, stopped or broken.
type farStore struct {
	core.Backend
	core.Updater
	core.Scanner
	gets   atomic.Int64
	sets   atomic.Int64
	yields int                             // how often calls give way to other goroutines
	onGet  func(ctx context.Context) error // after the entry was read, before it is returned
	broken atomic.Bool
}

func newFar(tb testing.TB) *farStore {
	b := newMemory(tb)
	return &farStore{Backend: b, Updater: b.(core.Updater), Scanner: b.(core.Scanner)}
}

func (f *farStore) give() {
	for range f.yields {
		runtime.Gosched()
	}
}

func (f *farStore) Get(ctx context.Context, key string) (*core.Entry, error) {
	f.gets.Add(1)
	if f.broken.Load() {
		return nil, core.ErrUnavailable
	}
	f.give()
	e, err := f.Backend.Get(ctx, key)
	f.give()
	if f.onGet != nil {
		if err := f.onGet(ctx); err != nil {
			return nil, err
		}
	}
	return e, err
}

func (f *farStore) Set(ctx context.Context, key string, e *core.Entry) error {
	f.sets.Add(1)
	if f.broken.Load() {
		return core.ErrUnavailable
	}
	f.give()
	defer f.give()
	return f.Backend.Set(ctx, key, e)
}

func (f *farStore) Delete(ctx context.Context, key string) (bool, error) {
	if f.broken.Load() {
		return false, core.ErrUnavailable
	}
	f.give()
	defer f.give()
	return f.Backend.Delete(ctx, key)
}
