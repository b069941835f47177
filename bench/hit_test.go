package bench

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// The hot set: keys of 32 bytes, all in the cache.
const hotKeys = 1024

func hotSet() []string {
	keys := make([]string, hotKeys)
	for i := range keys {
		keys[i] = hotKey(i)
	}
	return keys
}

func hotKey(i int) string { return fmt.Sprintf("/images/products/%015d", i) }

// newCache returns a cache of one memory tier that holds the hot set.
func newCache(b *testing.B, o core.Options) (*core.Cache, []string) {
	b.Helper()
	backend, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	late := o.Hooks // not for the writes below
	o.Hooks, o.Tiers = nil, []core.Tier{{Name: "memory", Backend: backend}}
	c, err := core.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	keys := hotSet()
	for _, k := range keys {
		if err := c.Set(b.Context(), k, make([]byte, 64), core.EntryOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.SetHooks(late, o.Observers); err != nil {
		b.Fatal(err)
	}
	return c, keys
}

// BenchmarkHit compares a hit through the cache with a bare get of the library under it, configured alike: weights, an
// expiry for each entry, the coarse clock.
func BenchmarkHit(b *testing.B) {
	b.Run("otter", func(b *testing.B) {
		clock := otter.NewCoarseClock(5 * time.Millisecond)
		defer clock.Stop()
		cache := otter.Must(&otter.Options[string, *core.Entry]{
			MaximumWeight: 64 << 20,
			Weigher:       func(k string, e *core.Entry) uint32 { return uint32(len(k) + len(e.Value)) },
			ExpiryCalculator: otter.ExpiryWritingFunc(func(otter.Entry[string, *core.Entry]) time.Duration {
				return math.MaxInt64
			}),
			Clock: clock,
		})
		defer cache.StopAllGoroutines()
		keys := hotSet()
		for _, k := range keys {
			cache.Set(k, &core.Entry{Value: make([]byte, 64)})
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, ok := cache.GetIfPresent(keys[i&(hotKeys-1)]); !ok {
				b.Fatal("miss")
			}
			i++
		}
	})
	b.Run("Cache.Get", func(b *testing.B) {
		c, keys := newCache(b, core.Options{})
		get(context.Background(), b, c, keys)
	})
	b.Run("Cache.Get-unsampled", func(b *testing.B) {
		tp := trace.NewTracerProvider(trace.WithSampler(trace.NeverSample()))
		defer func() { _ = tp.Shutdown(context.Background()) }()
		c, keys := newCache(b, core.Options{TracerProvider: tp})
		ctx, span := tp.Tracer("bench").Start(context.Background(), "parent")
		defer span.End()
		get(ctx, b, c, keys)
	})
	b.Run("Cache.Do", func(b *testing.B) {
		c, keys := newCache(b, core.Options{})
		do(b, c, keys)
	})
}

func get(ctx context.Context, b *testing.B, c *core.Cache, keys []string) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := c.Get(ctx, keys[i&(hotKeys-1)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func do(b *testing.B, c *core.Cache, keys []string) {
	var cmd core.Command
	var res core.Result
	ctx := context.Background()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		cmd.Op, cmd.Key = core.OpGet, keys[i&(hotKeys-1)]
		if err := c.Do(ctx, &cmd, &res); err != nil || res.Outcome != core.OutcomeHit {
			b.Fatal("miss")
		}
		i++
	}
}

// BenchmarkSet is a write to the memory tier.
func BenchmarkSet(b *testing.B) {
	c, keys := newCache(b, core.Options{})
	value := make([]byte, 64)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := c.Set(b.Context(), keys[i&(hotKeys-1)], value, core.EntryOptions{}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
