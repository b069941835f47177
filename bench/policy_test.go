package bench

import (
	"math"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// livePolicies are those whose hits are timed.
func livePolicies() []string {
	return []string{memory.Default, "lru", "sieve", "s3fifo", "arc", "wtinylfu"}
}

func openMemory(tb testing.TB, name string, bytes int64) *memory.Backend {
	tb.Helper()
	o := memory.Options{MaxBytes: bytes}
	if name != memory.Default {
		var err error
		if o.Policy, err = memory.Native(name); err != nil {
			tb.Fatal(err)
		}
	}
	backend, err := memory.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = backend.Close() })
	return backend
}

// BenchmarkPolicyGet compares a hit in the memory tier, by policy, with a bare get of otter, by one goroutine and by all.
func BenchmarkPolicyGet(b *testing.B) {
	keys := hotSet()
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
		for _, k := range keys {
			cache.Set(k, &core.Entry{Value: make([]byte, 64)})
		}
		hits(b, keys, func(key string) bool {
			_, ok := cache.GetIfPresent(key)
			return ok
		})
	})
	for _, name := range livePolicies() {
		b.Run(name, func(b *testing.B) {
			backend := openMemory(b, name, 64<<20)
			for _, k := range keys {
				_ = backend.Set(b.Context(), k, &core.Entry{Value: make([]byte, 64)})
			}
			ctx := b.Context()
			hits(b, keys, func(key string) bool {
				_, err := backend.Get(ctx, key)
				return err == nil
			})
		})
	}
}

// hits times get, which must hit, by one goroutine and by all.
func hits(b *testing.B, keys []string, get func(key string) bool) {
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if !get(keys[i&(hotKeys-1)]) {
				b.Fatal("miss")
			}
			i++
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if !get(keys[i&(hotKeys-1)]) {
					b.Fail()
				}
			}
		})
	})
}
